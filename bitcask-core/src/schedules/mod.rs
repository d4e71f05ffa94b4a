//! Tests of schedules: threads take turns as a seed says, and switch wherever they share something.
//!
//! Each test is a few threads on a store in a simulated directory, run under many schedules: some at random, some that
//! hold up one thread at a few places and let the others go on (PCT). A thread that waits for ever is found as well
//! as a wrong answer. The same seed gives the same schedules: `BITCASK_SCHEDULE_SEED`, and how many of each by
//! `BITCASK_SCHEDULES`.
//!
//! They are built with `--cfg shuttle`, which `cargo xtask test` does; see [`crate::sync`].

mod canaries;
mod durability;
mod keydir;
mod reading;
mod transactions;
mod writing;

use crate::delta::Append;
use crate::storage::sim::SimDir;
use crate::{Batch, Bitcask, CompactionOptions, Error, Options, UnixMillis};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const SCHEDULES: u64 = 1000;
/// How often a schedule of the second kind takes the turn from the thread that has it.
const CHANGES: usize = 4;

thread_local! {
    /// See [`switches_blindly`]. All threads of a schedule run on the one that asked for it.
    static BLIND: Cell<bool> = const { Cell::new(false) };
}

/// Whether compaction is to let the keydir point at copies of what has changed meanwhile.
pub(crate) fn switches_blindly() -> bool {
    BLIND.get()
}

/// Runs `scene` under many schedules.
fn explore(scene: impl Fn() + Send + Sync + 'static) {
    let number = |name: &str, default| {
        std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
    };
    let (seed, count) =
        (number("BITCASK_SCHEDULE_SEED", 1), number("BITCASK_SCHEDULES", SCHEDULES));
    let count = usize::try_from(count).expect("not so many");
    let scene = Arc::new(scene);
    let config = || {
        let mut config = Config::new();
        config.stack_size = 512 << 10;
        // The seed repeats it.
        config.failure_persistence = FailurePersistence::None;
        config.silence_warnings = true;
        config
    };
    let again = scene.clone();
    Runner::new(RandomScheduler::new_from_seed(seed, count), config()).run(move || again());
    Runner::new(PctScheduler::new_from_seed(seed, CHANGES, count), config()).run(move || scene());
}

/// A store of tiny segments, so that a few writes fill several, and without threads of its own.
fn open(dir: &SimDir) -> Bitcask {
    let options = Options {
        segment_bytes: 400,
        mapped_reads: thread_rng().gen_bool(0.5),
        fold: Some(Arc::new(Append)),
        background: false,
        ..Options::default()
    };
    Bitcask::open_in(Arc::new(dir.clone()), options).expect("it opens")
}

fn compact(store: &Bitcask) {
    let everything = CompactionOptions::everything();
    store.compact(&everything, NOW, &mut |_| ControlFlow::Continue(())).expect("it compacts");
}

/// Writes, and does not wait for the disk.
fn write(store: &Bitcask, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new(NOW);
    fill(&mut batch);
    store.write(&mut batch).expect("it is written");
}

fn put(store: &Bitcask, key: &[u8], value: &[u8]) {
    write(store, |batch| _ = batch.put(key, value, None));
}

/// Appends `what` to the chain of `key`, whoever else does.
fn append(store: &Bitcask, key: &[u8], what: &[u8]) {
    loop {
        match try_append(store, key, what) {
            Ok(()) => return,
            Err(Error::ChainMoved) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

fn try_append(store: &Bitcask, key: &[u8], what: &[u8]) -> Result<(), Error> {
    let entry = store.entry(key)?.expect("it is there");
    let kept = entry.deltas.len() - entry.chain.absorbs();
    let mut batch = Batch::new(NOW);
    let delta = [&entry.deltas[kept..].concat()[..], what].concat();
    batch.delta(key, &delta, &entry.chain, None);
    store.write(&mut batch).map(|_| ())
}

fn get(store: &Bitcask, key: &[u8]) -> Option<Vec<u8>> {
    store.get(key, NOW).expect("it can be read")
}
