//! Compaction by itself: what comes back, what it costs, what it leaves.

use super::model::{self, NOW};
use super::{Random, Sleeper, open, options};
use bitcask_core::storage::Dir;
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{
    Batch, Bitcask, Chain, CompactionOptions, CompactionReport, Durability, Error, Options,
    Progress, Step, Thresholds, UnixMillis,
};
use std::ops::ControlFlow;
use std::sync::Arc;

pub fn everything(store: &Bitcask) -> CompactionReport {
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    store.compact(&CompactionOptions::everything(), NOW, go_on).unwrap()
}

fn segment_bytes(dir: &SimDir) -> usize {
    let names = dir.files().into_iter().filter(|name| name.ends_with(".seg"));
    names.map(|name| dir.read_file(&name).len()).sum()
}

fn segments(dir: &SimDir) -> usize {
    dir.files().iter().filter(|name| name.ends_with(".seg")).count()
}

#[test]
fn after_every_key_was_overwritten_ten_times_the_directory_is_hardly_larger_than_what_is_alive() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    store.set_durability(Durability::No);
    let mut live = 0;
    for round in 0..11_u8 {
        live = 0;
        for key in 0..300_u32 {
            let (key, value) = (format!("key:{key}"), [round; 100]);
            live += key.len() + value.len();
            store.put(key.as_bytes(), &value, NOW).unwrap();
        }
    }
    assert!(segment_bytes(&dir) > 10 * live);
    let share = store.reclaimable().share();
    assert!((0.88..0.95).contains(&share), "{share}");
    let report = everything(&store);
    assert_eq!((report.moved, report.stopped, report.kept_by_guard), (300, false, false));
    assert!(store.reclaimable().share() < 0.05, "{:?}", store.reclaimable());
    let wanted = model::contents(&store);
    assert_eq!(wanted.len(), 300);
    store.close().unwrap();
    // A header of 26 bytes is a quarter of such a record.
    let records = live + 300 * 26;
    assert!(segment_bytes(&dir) * 10 <= records * 11, "{} for {records}", segment_bytes(&dir));
    let store = open(&dir).unwrap();
    assert_eq!(model::contents(&store), wanted);
    assert_eq!(store.recovery().scanned_bytes, 0, "copies have hints");
}

#[test]
fn a_large_store_takes_at_most_a_fifth_more_than_its_data_hints_included() {
    let dir = SimDir::new(1);
    let store = Bitcask::open_in(
        Arc::new(dir.clone()),
        Options { segment_bytes: 1 << 20, durability: Durability::No, ..options() },
    )
    .unwrap();
    for round in 0..11_u8 {
        for key in 0..2000_u32 {
            store.put(&key.to_be_bytes(), &[round; 400], NOW).unwrap();
        }
    }
    everything(&store);
    let live = 2000 * (400 + 4);
    store.close().unwrap();
    let files: usize = dir.files().iter().map(|name| dir.read_file(name).len()).sum();
    assert!(files * 10 <= live * 12, "{files} for {live}");
}

#[test]
fn live_bytes_are_exact_without_chains_also_after_reopening() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let mut random = Random(3);
    let mut alive = std::collections::BTreeMap::new();
    for i in 0..2000 {
        let key = [b'k', random.below(50) as u8];
        match random.below(10) {
            0 => {
                store.delete(&key, NOW).unwrap();
                alive.remove(&key);
            }
            1 if i % 100 == 0 => {
                let mut batch = Batch::new(NOW);
                batch.delete_prefix(b"k");
                store.write(&mut batch).unwrap();
                alive.clear();
            }
            _ => {
                let value = vec![7; random.below(100) as usize];
                store.put(&key, &value, NOW).unwrap();
                alive.insert(key, 26 + 2 + value.len() as u64);
            }
        }
    }
    let needed = |store: &Bitcask| {
        let found = store.reclaimable();
        let headers = 24 * store.stats().segments as u64;
        found.total_bytes - found.dead_bytes - headers
    };
    let wanted: u64 = alive.values().sum();
    assert_eq!(needed(&store), wanted);
    store.close().unwrap();
    let store = open(&dir).unwrap();
    assert_eq!(needed(&store), wanted);
    everything(&store);
    assert_eq!(needed(&store), wanted, "and after compaction");
}

#[test]
fn chains_are_folded_and_what_is_booked_of_them_dies_with_them() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let mut wanted = Vec::new();
    for key in 0..20_u8 {
        store.put(&[key], b"base", NOW).unwrap();
        let mut value = b"base".to_vec();
        for i in 0..100_u8 {
            let entry = store.entry(&[key]).unwrap().unwrap();
            let absorbed = entry.deltas[entry.deltas.len() - entry.chain.absorbs()..].concat();
            let mut batch = Batch::new(NOW);
            let delta = [&absorbed[..], &[i]].concat();
            batch.delta(&[key], &delta, &entry.chain, Some(UnixMillis(NOW.0 + 9)));
            store.write(&mut batch).unwrap();
            value.push(i);
        }
        wanted.push(value);
    }
    let sequence = store.entry(&[7]).unwrap().unwrap().sequence;
    let report = everything(&store);
    assert_eq!((report.folded, report.moved, report.rewritten), (20, 0, 0));
    for (key, value) in wanted.iter().enumerate() {
        let entry = store.entry(&[key as u8]).unwrap().unwrap();
        assert_eq!((&entry.base, entry.chain.len()), (value, 1));
        assert_eq!(entry.expires_at, Some(UnixMillis(NOW.0 + 9)), "of the newest delta");
    }
    assert_eq!(store.entry(&[7]).unwrap().unwrap().sequence, sequence);
    assert!(store.reclaimable().share() < 0.1, "{:?}", store.reclaimable());
    store.close().unwrap();
    let store = open(&dir).unwrap();
    assert_eq!(store.get(&[3], NOW).unwrap().as_ref(), Some(&wanted[3]));
    for key in 0..20_u8 {
        store.delete(&[key], NOW).unwrap();
    }
    everything(&store);
    store.close().unwrap();
    assert!(segment_bytes(&dir) < 500, "{}", segment_bytes(&dir));
}

#[test]
fn a_chain_that_dies_by_a_put_or_a_delete_dies_as_a_whole() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for key in [b"put", b"del", b"pre"] {
        store.put(key, &[7; 100], NOW).unwrap();
        for _ in 0..5 {
            let chain = store.entry(key).unwrap().unwrap().chain;
            let mut batch = Batch::new(NOW);
            batch.delta(key, &[8; 30], &chain, None);
            store.write(&mut batch).unwrap();
        }
    }
    store.put(b"put", b"", NOW).unwrap();
    store.delete(b"del", NOW).unwrap();
    let mut batch = Batch::new(NOW);
    batch.delete_prefix(b"pre");
    store.write(&mut batch).unwrap();
    let found = store.reclaimable();
    let headers = 24 * store.stats().segments as u64;
    assert_eq!(found.total_bytes - found.dead_bytes - headers, 26 + 3);
}

#[test]
fn without_a_fold_segments_with_chains_stay_and_the_report_says_so() {
    let dir = SimDir::new(1);
    let bare = || Bitcask::open_in(Arc::new(dir.clone()), Options { fold: None, ..options() });
    let store = bare().unwrap();
    let mut batch = Batch::new(NOW);
    let record = batch.put(b"chain", b"base", None);
    let chain = Chain::base(store.write(&mut batch).unwrap().location(&batch, record));
    for i in 0..100_u8 {
        store.put(b"plain", &[i; 100], NOW).unwrap();
    }
    let mut batch = Batch::new(NOW);
    batch.delta(b"chain", b"!", &chain, None);
    store.write(&mut batch).unwrap();
    let report = everything(&store);
    assert_eq!(report.left_alone.len(), 2, "{report:?}");
    assert_eq!(report.left_alone[0], 1);
    assert_eq!(store.get(b"plain", NOW).unwrap(), Some(vec![99; 100]));
    assert_eq!(store.entry(b"chain").unwrap().unwrap().deltas, [b"!"]);
    store.close().unwrap();
    assert_eq!(open(&dir).unwrap().get(b"chain", NOW).unwrap().as_deref(), Some(&b"base!"[..]));
}

#[test]
fn rewriting_a_key_many_times_writes_as_many_records_and_compaction_keeps_one() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    store.set_durability(Durability::No);
    for _ in 0..500 {
        store.put(b"k", b"value", NOW).unwrap();
    }
    let records = 500 * (26 + 6);
    let appended = store.stats().appended_bytes;
    assert!((records..records + records / 8).contains(&appended), "{appended}, with marks");
    assert_eq!(everything(&store).moved, 1);
    assert_eq!(segments(&dir), 2);
}

#[test]
fn a_store_of_nothing_but_deletions_becomes_empty() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..200_u8 {
        store.put(&[i], &[i; 50], NOW).unwrap();
        store.delete(&[i], NOW).unwrap();
    }
    let report = everything(&store);
    assert_eq!((report.moved, report.deletions_dropped, report.outputs), (0, 200, 0));
    assert_eq!(segments(&dir), 1, "{:?}", dir.files());
    assert!(segment_bytes(&dir) < 5000);
    store.close().unwrap();
    assert!(segment_bytes(&dir) < 100);
    assert!(open(&dir).unwrap().is_empty());
}

#[test]
fn expired_values_go_only_if_they_may_and_nothing_older_comes_back() {
    for drop_expired in [true, false] {
        let dir = SimDir::new(1);
        let open = || {
            Bitcask::open_in(Arc::new(dir.clone()), Options { drop_expired, ..options() }).unwrap()
        };
        let store = open();
        store.put(b"k", b"older", NOW).unwrap();
        store.put(b"stays", &[0; 3900], NOW).unwrap();
        let mut batch = Batch::new(NOW);
        batch.put(b"k", b"newer", Some(NOW));
        batch.put(b"later", b"v", Some(UnixMillis(NOW.0 + 1)));
        batch.put(b"dead", &[0; 100], None);
        store.write(&mut batch).unwrap();
        store.put(b"filler", &[1; 3900], NOW).unwrap();
        // Of three segments, only the one with the newer record.
        store.put(b"dead", b"", NOW).unwrap();
        let report = store.compact(&dead(30), NOW, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((report.inputs, report.expired), (1, u64::from(drop_expired)));
        assert_eq!(store.contains(b"k"), !drop_expired);
        assert!(store.contains(b"later"));
        store.close().unwrap();
        let store = open();
        assert_eq!((store.get(b"k", NOW).unwrap(), store.contains(b"k")), (None, !drop_expired));
        let report = everything(&store);
        assert_eq!(store.contains(b"k"), !drop_expired, "{report:?}");
    }
}

/// Takes the sealed segments of which so much is dead.
fn dead(percent: u8) -> CompactionOptions {
    CompactionOptions {
        thresholds: Thresholds { dead_percent: percent, dead_bytes: u64::MAX, small_bytes: 0 },
        seal_active: false,
        ..CompactionOptions::everything()
    }
}

/// Once, an expired value was forgotten before the deletion in its place was on disk, and not met again.
#[test]
fn nothing_older_comes_back_for_an_expired_value_wherever_a_compaction_of_it_ends_early() {
    for (percent, last) in [
        (30, Step::Syncing),
        (30, Step::Switching),
        (0, Step::Syncing),
        (0, Step::LettingGo),
        (0, Step::Retiring),
    ] {
        let dir = SimDir::new(1);
        let store = open(&dir).unwrap();
        store.set_durability(Durability::No);
        let keys = || (0..20_u8).map(|key| [key]);
        keys().for_each(|key| store.put(&key, b"older", NOW).unwrap());
        store.put(b"stays", &[0; 3000], NOW).unwrap();
        let mut batch = Batch::new(NOW);
        for key in keys() {
            batch.put(&key, b"newer", Some(NOW));
        }
        batch.put(b"replaced", &[1; 500], None);
        store.write(&mut batch).unwrap();
        store.put(b"filler", &[1; 3900], NOW).unwrap();
        store.put(b"replaced", b"", NOW).unwrap();
        let stop = &mut |progress: &Progress| match progress.step == last {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let report = store.compact(&dead(percent), NOW, stop).unwrap();
        assert!(report.stopped && report.expired == 20, "{last:?}: {report:?}");
        assert!(keys().all(|key| store.contains(&key)), "{last:?}: their records stay");
        // If "stays" has not moved, only the newer ones.
        let report = store.compact(&dead(30), NOW, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((report.inputs > 1, report.expired), (last > Step::Switching, 20), "{last:?}");
        assert!(!keys().any(|key| store.contains(&key)), "{last:?}");
        drop(store);
        let store = open(&dir).unwrap();
        assert!(!keys().any(|key| store.contains(&key)), "{last:?}");
    }
}

/// More than are remembered until their segments have gone.
#[test]
fn many_expired_values_go_and_nothing_of_them_is_left_after_the_next_compaction() {
    let dir = SimDir::new(1);
    let options = Options { segment_bytes: 1 << 20, ..options() };
    let store = Bitcask::open_in(Arc::new(dir.clone()), options.clone()).unwrap();
    store.set_durability(Durability::No);
    for key in 0..6000_u32 {
        let mut batch = Batch::new(NOW);
        batch.put(&key.to_be_bytes(), b"", Some(NOW));
        store.write(&mut batch).unwrap();
    }
    assert_eq!(everything(&store).expired, 6000);
    assert!(store.is_empty());
    assert_eq!(everything(&store).deletions_dropped, 6000 - 4096);
    store.close().unwrap();
    assert!(segment_bytes(&dir) < 300, "{}", segment_bytes(&dir));
    assert!(Bitcask::open_in(Arc::new(dir), options).unwrap().is_empty());
}

#[test]
fn uniform_overwrites_at_half_space_use_write_less_than_three_bytes_for_one() {
    const KEYS: u64 = 4000;
    let dir = SimDir::new(1);
    let store = Bitcask::open_in(
        Arc::new(dir.clone()),
        Options { segment_bytes: 16 << 10, durability: Durability::No, ..options() },
    )
    .unwrap();
    let worst = CompactionOptions {
        thresholds: Thresholds { dead_percent: 60, dead_bytes: u64::MAX, small_bytes: 0 },
        seal_active: false,
        ..CompactionOptions::everything()
    };
    let mut random = Random(11);
    let live = KEYS * (26 + 4 + 100);
    // Counted once the store has settled down.
    let (mut before, mut copied, mut most) = (0, 0, 0);
    for i in 0..KEYS * 12 {
        let key = (random.below(KEYS) as u32).to_be_bytes();
        store.put(&key, &[i as u8; 100], NOW).unwrap();
        let settled = i >= KEYS * 4;
        if i == KEYS * 4 {
            before = store.stats().appended_bytes;
        }
        if i % 100 == 0 && store.stats().disk_bytes > 2 * live {
            most = most.max(if settled { store.stats().disk_bytes } else { 0 });
            let go_on = &mut |_: &_| ControlFlow::Continue(());
            let report = store.compact(&worst, NOW, go_on).unwrap();
            copied += if settled { report.output_bytes } else { 0 };
        }
    }
    let appended = store.stats().appended_bytes - before;
    let amplification = (appended + copied) as f64 / appended as f64;
    let use_of_space = live as f64 / most as f64;
    println!("amplification {amplification:.2} at a use of {:.0} %", use_of_space * 100.0);
    assert!(copied > 0 && amplification < 3.0, "{amplification}");
    assert!(use_of_space > 0.48, "{use_of_space}");
}

#[test]
fn the_rate_is_kept_and_may_change_while_it_runs() {
    let clock = Arc::new(Sleeper::default());
    let dir = SimDir::new(1);
    let store = Bitcask::open_in(
        Arc::new(dir.clone()),
        Options {
            segment_bytes: 1 << 20,
            clock: clock.clone(),
            compaction_rate: 100_000,
            ..options()
        },
    )
    .unwrap();
    for i in 0..100_u8 {
        store.put(&[i], &[i; 10_000], NOW).unwrap();
    }
    everything(&store);
    let slept = clock.slept();
    // Read, written, and read again when the keydir is led to the copies.
    assert!((27.0..31.0).contains(&slept.as_secs_f64()), "{slept:?} for 3 MB at 100 kB/s");
    store
        .compact(&CompactionOptions::everything(), NOW, &mut |progress| {
            if progress.read_bytes > 500_000 {
                store.set_compaction_rate(0);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let more = clock.slept() - slept;
    assert!((9.0..13.0).contains(&more.as_secs_f64()), "{more:?}");
}

#[test]
fn the_background_compacts_in_its_window_and_stops_when_the_store_closes() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..200_u8 {
        store.put(b"k", &[i; 200], NOW).unwrap();
    }
    let before = segments(&dir);
    store.tick();
    assert_eq!((segments(&dir), store.last_compaction()), (before, None), "off by default");
    let options = CompactionOptions { min_bytes: 0, ..CompactionOptions::default() };
    store.set_compaction(Some(CompactionOptions { min_bytes: 1 << 30, ..options.clone() }));
    store.tick();
    assert_eq!(segments(&dir), before, "too small");
    store.set_compaction(Some(options));
    store.tick();
    let report = store.last_compaction().unwrap().unwrap();
    assert_eq!(report.inputs, before - 1, "the active segment is none of them");
    assert!(segments(&dir) <= 2);
    store.stop_compaction();
    let stopped = everything(&store);
    assert!(stopped.stopped);
    assert_eq!(store.get(b"k", NOW).unwrap(), Some(vec![199; 200]));
}

#[test]
fn whatever_call_a_compaction_crashes_at_the_contents_are_the_same() {
    let mut crashes = 0;
    for at in 1.. {
        let dir = SimDir::new(at);
        let store = open(&dir).unwrap();
        let mut random = Random(5);
        let mut history = model::History::new(model::Contents::new());
        for _ in 0..150 {
            model::step(&store, &mut random, &mut history).unwrap();
        }
        store.sync().unwrap();
        let wanted = history.now().clone();
        let crash_at = Some(at);
        dir.faults(Faults { crash_at, ..Faults::default() });
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        let done = store.compact(&CompactionOptions::everything(), NOW, go_on);
        let (crashed, killed) = (dir.crash(), dir.kill());
        let failed = dir.has_failed();
        drop(store);
        for dir in [crashed, killed] {
            let store = open(&dir).unwrap_or_else(|e| panic!("call {at}: {e}"));
            assert_eq!(model::contents(&store), wanted, "call {at}");
            everything(&store);
            assert_eq!(model::contents(&store), wanted, "call {at}, compacted anew");
            store.close().unwrap();
            let store = open(&dir).unwrap_or_else(|e| panic!("call {at}, again: {e}"));
            assert_eq!(model::contents(&store), wanted, "call {at}, reopened");
            let strays = |name: &String| name.ends_with(".unfinished");
            assert!(!dir.files().iter().any(strays), "{:?}", dir.files());
        }
        if !failed {
            done.unwrap();
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 40, "{crashes} calls");
}

#[test]
fn whatever_call_fails_the_store_goes_on_or_says_that_it_is_poisoned() {
    for at in 1.. {
        let dir = SimDir::new(at);
        let store = open(&dir).unwrap();
        let mut random = Random(6);
        let mut history = model::History::new(model::Contents::new());
        for _ in 0..120 {
            model::step(&store, &mut random, &mut history).unwrap();
        }
        store.sync().unwrap();
        let wanted = history.now().clone();
        dir.faults(Faults { fail_at: Some(at), ..Faults::default() });
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        let done = store.compact(&CompactionOptions::everything(), NOW, go_on);
        let failed = dir.has_failed();
        dir.faults(Faults::default());
        assert_eq!(model::contents(&store), wanted, "call {at}: {done:?}");
        match store.put(b"and on", b"v", NOW) {
            Ok(()) => {
                let again = everything(&store);
                assert!(!again.stopped);
                store.delete(b"and on", NOW).unwrap();
            }
            Err(Error::Poisoned { .. }) => {}
            Err(e) => panic!("call {at}: {e}"),
        }
        let found = model::contents(&store);
        assert_eq!(found, wanted, "call {at}, and on");
        drop(store);
        assert_eq!(model::contents(&open(&dir.kill()).unwrap()), wanted, "call {at}, reopened");
        if !failed {
            break;
        }
    }
}

#[test]
fn a_full_disk_stops_a_compaction_and_loses_nothing() {
    for room in [0, 100, 3000, 9000] {
        let dir = SimDir::new(1);
        let store = open(&dir).unwrap();
        for i in 0..100_u8 {
            store.put(&[i], &[i; 300], NOW).unwrap();
        }
        let wanted = model::contents(&store);
        let used: usize = dir.files().iter().map(|name| dir.read_file(name).len()).sum();
        dir.faults(Faults { capacity: Some((used + room) as u64), ..Faults::default() });
        let options = CompactionOptions { seal_active: false, ..CompactionOptions::everything() };
        let full = store.compact(&options, NOW, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
        assert_eq!(model::contents(&store), wanted);
        dir.faults(Faults::default());
        everything(&store);
        store.close().unwrap();
        assert_eq!(model::contents(&open(&dir).unwrap()), wanted);
    }
}

#[test]
fn a_damaged_segment_is_named_and_stays() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..100_u8 {
        store.put(&[i], &[i; 300], NOW).unwrap();
    }
    store.close().unwrap();
    dir.flip_bit("00000002.seg", 1000, 3);
    let store = open(&dir).unwrap();
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let damaged = store.compact(&CompactionOptions::everything(), NOW, go_on).unwrap_err();
    assert!(matches!(&damaged, Error::Corrupt { path, .. } if path.ends_with("00000002.seg")));
    assert!(dir.files().contains(&"00000002.seg".to_owned()));
    assert_eq!(store.len(), 100);
}

#[test]
fn a_segment_that_was_cut_between_two_records_is_named_and_stays() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let places: Vec<_> = (0..100_u8)
        .map(|i| {
            store.put(&[i], &[i; 300], NOW).unwrap();
            store.location(&[i]).unwrap()
        })
        .collect();
    let last = places.iter().rfind(|place| place.segment == 2).unwrap();
    dir.open("00000002.seg", true).unwrap().set_len(last.offset.into()).unwrap();
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let cut = store.compact(&CompactionOptions::everything(), NOW, go_on).unwrap_err();
    assert!(matches!(&cut, Error::Corrupt { path, .. } if path.ends_with("00000002.seg")));
    assert!(dir.files().contains(&"00000002.seg".to_owned()));
}

#[test]
fn inputs_go_only_after_outputs_and_the_directory_are_durable_and_never_is_the_active_one_taken() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..60_u8 {
        store.put(&[i % 30], &[i; 300], NOW).unwrap();
    }
    let before = dir.files();
    let active = before.iter().filter(|name| name.ends_with(".seg")).max().unwrap().clone();
    let wanted = model::contents(&store);
    let mut steps = Vec::new();
    let options = CompactionOptions { seal_active: false, ..CompactionOptions::everything() };
    store
        .compact(&options, NOW, &mut |progress| {
            steps.push(progress.step);
            // Whatever the moment, a crash leaves everything; and nothing has gone before its turn.
            let crashed = dir.crash();
            assert_eq!(model::contents(&open(&crashed).unwrap()), wanted, "{:?}", progress.step);
            let all_there = before.iter().all(|name| dir.files().contains(name));
            assert!(all_there, "before {:?}", progress.step);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(steps.windows(2).any(|pair| pair == [Step::Syncing, Step::Switching]));
    assert_eq!(steps[steps.len() - 3..], [Step::LettingGo, Step::Retiring, Step::Removing]);
    assert!(dir.files().contains(&active));
    assert!(!dir.files().contains(&"00000001.seg".to_owned()));
}

#[test]
fn segments_that_are_listed_and_still_there_are_removed_and_numbers_are_never_used_twice() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..60_u8 {
        store.put(&[i % 30], &[i; 300], NOW).unwrap();
    }
    let old = dir.read_file("00000001.seg");
    let highest = segments(&dir) as u32;
    everything(&store);
    let wanted = model::contents(&store);
    store.close().unwrap();
    dir.write_file("00000001.seg", &old);
    dir.write_file("00000002.hint", b"left behind");
    let store = open(&dir).unwrap();
    assert_eq!(model::contents(&store), wanted);
    let gone = |name: &str| !dir.files().contains(&name.to_owned());
    assert!(gone("00000001.seg") && gone("00000002.hint"));
    for _ in 0..5 {
        everything(&store);
    }
    let lowest = dir.files().into_iter().filter(|name| name.ends_with(".seg")).min().unwrap();
    assert!(lowest[..8].parse::<u32>().unwrap() > highest);
    // One that is not listed is missed.
    store.close().unwrap();
    bitcask_core::storage::Dir::remove(&dir, &lowest).unwrap();
    assert!(matches!(open(&dir), Err(Error::Corrupt { .. })), "{lowest}");
}

#[test]
fn a_hint_that_was_put_off_for_a_compaction_is_written_when_that_was_stopped() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..200_u8 {
        store.put(&[i], &[i; 100], NOW).unwrap();
    }
    let hints = || dir.files().iter().filter(|name| name.ends_with(".hint")).count();
    let stop = &mut |_: &_| {
        store.tick();
        assert_eq!(hints(), 0, "of what is about to go");
        ControlFlow::Break(())
    };
    assert!(store.compact(&CompactionOptions::everything(), NOW, stop).unwrap().stopped);
    store.tick();
    assert_eq!(hints(), segments(&dir) - 1, "all but of the one that is written to");
}
