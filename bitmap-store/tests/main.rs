//! The keyspace through its public interface.

mod bit_op;
mod compaction;
mod concurrency;
mod dump;
mod hash;
mod hyperloglog;
mod libraries;
mod list;
mod listing;
mod model;
mod robustness;
mod scan;
mod set;
mod sort;
mod strings;
mod telling;
mod zset;

use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Keyspace, Options, Sizes, UnixMillis};
use std::sync::Arc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// Tiny segments, pages and cache, so that every split, eviction and reload happens.
fn options() -> Options {
    Options {
        cache_bytes: 20_000,
        segment_bytes: 64 << 10,
        background: false,
        sizes: Sizes { inline: 60, page: 90, leaf: 90 },
        ..Options::default()
    }
}

fn open(dir: &SimDir) -> Keyspace {
    Keyspace::open_in(Arc::new(dir.clone()), options()).unwrap()
}
