//! Random workloads cut at a random call: what was acknowledged is there, and nothing is there in part.

use super::model::{self, Contents, History};
use super::{Random, open, options};
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{Bitcask, Compression, Durability, Error, Options, Snapshot};
use std::collections::VecDeque;
use std::sync::Arc;

/// `BITCASK_SEEDS` runs more of them.
fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("BITCASK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2500);
    0..count
}

/// Runs a store until it fails, or for so many steps; notes what it went through.
fn live(dir: &SimDir, random: &mut Random, history: &mut History) -> Result<(), Error> {
    let durability = match random.below(4) {
        0 => Durability::EverySecond,
        1 => Durability::No,
        _ => Durability::Always,
    };
    let compression = match random.below(6) {
        0 => Compression::Snappy,
        1 => Compression::Lz4,
        2 => Compression::Zstd,
        _ => Compression::Off,
    };
    let compress_from_bytes = random.below(200) as usize;
    let options = Options { durability, compression, compress_from_bytes, ..options() };
    let store = Bitcask::open_in(Arc::new(dir.clone()), options)?;
    check(&model::contents(&store), history, "when opened");
    let mut snapshots: VecDeque<(Snapshot<'_>, Contents)> = VecDeque::new();
    let target = SimDir::new(random.next());
    for _ in 0..random.below(120) {
        model::step(&store, random, history)?;
        if random.below(16) == 0 {
            store.tick();
            if durability == Durability::EverySecond && !dir.has_failed() {
                history.acknowledged = history.states.len() - 1;
            }
        }
        if random.below(12) == 0 {
            model::compact(&store, random, history)?;
        }
        if random.below(8) == 0 && !dir.has_failed() {
            assert_eq!(&model::contents(&store), history.now(), "a running store");
        }
        if random.below(16) == 0 {
            snapshots.push_back((store.snapshot(), history.now().clone()));
        }
        if random.below(12) == 0 && !dir.has_failed() {
            for (snapshot, wanted) in &snapshots {
                assert_eq!(&model::contents_then(snapshot), wanted, "a snapshot");
            }
            snapshots.pop_front();
        }
        if random.below(40) == 0 {
            model::back_up(&store, &target, random, history)?;
        }
        if random.below(60) == 0 {
            model::import(&store, history)?;
        }
    }
    drop(snapshots);
    if random.below(3) == 0 {
        store.close()?;
        history.acknowledged = history.states.len() - 1;
    }
    Ok(())
}

/// The contents must be a state that the history went through, no older than what was acknowledged;
/// history goes on from there.
fn check(found: &Contents, history: &mut History, when: &str) {
    let last = history.states.len() - 1;
    let kept = history.acknowledged.max(history.flushed);
    let Some(at) = (kept..=last).rev().find(|&i| &history.states[i] == found) else {
        let wanted = &history.states[kept];
        let lost: Vec<_> = wanted.keys().filter(|k| found.get(*k) != wanted.get(*k)).collect();
        let extra: Vec<_> = found.keys().filter(|k| found.get(*k) != wanted.get(*k)).collect();
        panic!(
            "{when}: contents are none of the states {kept}..={last}; against the first of them, \
             lost or other {lost:?}, new or other {extra:?}"
        );
    };
    history.states.truncate(at + 1);
    history.states.drain(..at);
    history.acknowledged = 0;
    history.flushed = 0;
}

/// One seed: a few lives of a store, each ended by a crash, a kill or a clean stop.
fn run(seed: u64) {
    let mut random = Random(seed);
    let mut dir = SimDir::new(seed);
    let mut history = History::new(Contents::new());
    for _ in 0..1 + random.below(4) {
        dir.faults(faults(&mut random));
        // An error is what the faults are for. What matters is what is found afterwards.
        if let Err(e) = live(&dir, &mut random, &mut history) {
            assert!(dir.has_failed(), "an error on a disk without fault: {e}");
        }
        dir.faults(Faults::default());
        dir = if random.below(4) == 0 {
            dir.kill()
        } else {
            history.flushed = history.acknowledged;
            dir.crash()
        };
    }
    let store = open(&dir).unwrap_or_else(|e| panic!("the store opens after a crash: {e}"));
    check(&model::contents(&store), &mut history, "at last");
    store.put(b"and on", b"it goes", model::NOW).expect("a store that opened takes writes");
    let mut wanted = history.now().clone();
    wanted.insert(b"and on".to_vec(), (b"it goes".to_vec(), None));
    store.close().expect("a store that opened closes");
    assert_eq!(model::contents(&open(&dir).expect("it opens again")), wanted);
}

fn faults(random: &mut Random) -> Faults {
    let at = 1 + random.below(300);
    let mut faults = Faults { short_io: random.below(2) == 0, ..Faults::default() };
    match random.below(5) {
        0 => faults.crash_at = Some(at),
        1 => faults.crash_at = Some(1 + random.below(25)),
        2 => faults.fail_at = Some(at),
        3 => faults.fail_sync_at = Some(1 + random.below(30)),
        _ => faults.capacity = Some(4000 + random.below(60_000)),
    }
    faults
}

#[test]
fn whatever_the_crash_the_acknowledged_writes_are_there_and_batches_are_whole() {
    for seed in seeds() {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("seed {seed} fails; run it alone to repeat");
            std::panic::resume_unwind(panic);
        }
    }
}
