//! The engine on the simulated disk.

mod api;
mod backup;
mod chains;
mod compaction;
mod compaction_races;
mod compression;
mod crash;
mod damage;
mod every_call;
mod freeing;
mod golden;
mod iteration;
mod mapped;
mod model;
mod moment_races;
mod opening;
mod recovery;
mod salvage;
mod snapshots;
mod transactions;
mod verify;

use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Bitcask, Clock, Fold, Options, UnixMillis};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A fold that appends: easy to foresee, associative, and not commutative.
pub struct Append;

impl Fold for Append {
    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([base, delta].concat())
    }
    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([older, newer].concat())
    }
}

/// A clock that stands still, and counts for how long it was slept by.
#[derive(Debug, Default)]
pub struct Sleeper(Mutex<Duration>);

impl Sleeper {
    pub fn slept(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

impl Clock for Sleeper {
    fn now(&self) -> UnixMillis {
        model::NOW
    }
    fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

/// Tiny segments and no thread, so that every path is taken and every run can be repeated.
pub fn options() -> Options {
    Options {
        segment_bytes: 4096,
        fold: Some(Arc::new(Append)),
        background: false,
        ..Options::default()
    }
}

pub fn open(dir: &SimDir) -> Result<Bitcask, bitcask_core::Error> {
    Bitcask::open_in(Arc::new(dir.clone()), options())
}

/// splitmix64: small, seeded, and good enough to choose operations.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
