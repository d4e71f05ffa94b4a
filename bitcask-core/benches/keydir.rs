//! The keydir beside `BTreeMap` and art-tree: memory per key, time per operation.
//!
//! `cargo bench -p bitcask-core --bench keydir [-- KEYS]`
#![allow(unsafe_code)] // the counting allocator

use art_tree::{Art, ByteString};
use bitcask_core::Location;
use bitcask_core::keydir::KeyDir;
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

struct Counting;
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came; only a counter is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the three have in common.
trait Map: Default {
    const NAME: &'static str;
    fn put(&mut self, key: &[u8], location: Location);
    fn find(&self, key: &[u8]) -> bool;
    fn seek(&self, key: &[u8], count: usize) -> usize;
}

impl Map for KeyDir {
    const NAME: &'static str = "keydir";
    fn put(&mut self, key: &[u8], location: Location) {
        self.insert(key, location);
    }
    fn find(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }
    fn seek(&self, key: &[u8], count: usize) -> usize {
        let mut walk = self.walk(b"", key);
        (0..count).map_while(|_| walk.next().map(|(key, _)| key.len())).sum()
    }
}

impl Map for BTreeMap<Box<[u8]>, Location> {
    const NAME: &'static str = "BTreeMap";
    fn put(&mut self, key: &[u8], location: Location) {
        self.insert(key.into(), location);
    }
    fn find(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }
    fn seek(&self, key: &[u8], count: usize) -> usize {
        self.range::<Box<[u8]>, _>(Box::<[u8]>::from(key)..)
            .take(count)
            .map(|(key, _)| key.len())
            .sum()
    }
}

struct Peer(Art<ByteString, Location>);
impl Default for Peer {
    fn default() -> Self {
        Peer(Art::new())
    }
}
impl Map for Peer {
    const NAME: &'static str = "art-tree";
    fn put(&mut self, key: &[u8], location: Location) {
        self.0.upsert(ByteString::new(key), location);
    }
    fn find(&self, key: &[u8]) -> bool {
        self.0.get(&ByteString::new(key)).is_some()
    }
    fn seek(&self, key: &[u8], count: usize) -> usize {
        self.0.range(ByteString::new(key)..).take(count).count()
    }
}

/// Keys as bitmapist makes them: prefixes × 40 events × days.
fn trackist(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| {
            let (event, day, site) = (n % 40, n / 40 % 1500, n / 60_000);
            let (y, m, d) = (2024 + day / 360, day / 30 % 12 + 1, day % 30 + 1);
            format!("trackist{site}_song:play{event}_{y}-{m:02}-{d:02}").into_bytes()
        })
        .collect()
}

fn users(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| format!("user:{:07}:last_seen", n * 7919 % 10_000_000).into_bytes())
        .collect()
}

fn shuffled(mut keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut state = 88_172_645_463_325_252_u64;
    for i in (1..keys.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        keys.swap(i, (state % (i as u64 + 1)) as usize);
    }
    keys
}

fn time(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / count as f64
}

fn fill<M: Map>(keys: &[Vec<u8>]) -> M {
    let mut map = M::default();
    for (n, key) in keys.iter().enumerate() {
        map.put(key, Location { segment: 1, offset: n as u32, len: 60 });
    }
    map
}

fn measure<M: Map>(shape: &str, keys: &[Vec<u8>], seeks: usize) {
    let mut sorted = keys.to_vec();
    sorted.sort();
    let in_order = time(keys.len(), || drop(black_box(fill::<M>(&sorted))));
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut map = M::default();
    let insert = time(keys.len(), || map = fill::<M>(keys));
    let bytes = (ALLOCATED.load(Ordering::Relaxed) - before) as f64 / keys.len() as f64;
    let get = time(keys.len(), || {
        assert!(keys.iter().rev().all(|key| map.find(key)));
    });
    let miss = time(keys.len(), || {
        assert!(!keys.iter().any(|key| map.find(&key[..key.len() - 1])));
    });
    let seek = time(seeks, || {
        for key in keys.iter().step_by((keys.len() / seeks).max(1)).take(seeks) {
            black_box(map.seek(key, 10));
        }
    });
    println!(
        "| {shape} | {} | {} | {bytes:.1} | {insert:.0} | {in_order:.0} | {get:.0} | {miss:.0} | {seek:.0} |",
        M::NAME,
        keys.len()
    );
}

fn main() {
    let asked: Option<usize> = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    println!(
        "| keys | map | count | bytes/key | insert ns | in order ns | get ns | miss ns | seek + 10 ns |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    for count in asked.map_or(vec![1_000_000, 5_000_000], |count| vec![count]) {
        for (shape, keys) in [("trackist", trackist(count)), ("user", users(count))] {
            let keys = shuffled(keys);
            measure::<KeyDir>(shape, &keys, 100_000);
            measure::<BTreeMap<Box<[u8]>, Location>>(shape, &keys, 100_000);
            if count <= 1_000_000 {
                // Its seeks take milliseconds.
                measure::<Peer>(shape, &keys, 100);
            }
        }
    }
}
