//! Counting what many threads do at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// More threads than so many share.
const SHARDS: usize = 8;

/// A count that threads add to without waiting for each other's cache lines.
#[derive(Default)]
pub(crate) struct Counter([Shard; SHARDS]);

#[derive(Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static INDEX: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        self.0[INDEX.with(|index| *index)].0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}
