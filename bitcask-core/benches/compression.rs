//! What compressing values costs and saves: one thread, batches of 64 values, nothing synced; random reads by key.
//! The values are text-like: a third of their bytes are drawn at random, the rest are words.
//!
//! `cargo bench -p bitcask-core --bench compression`

use bitcask_core::{Batch, Bitcask, Compression, Durability, Options, UnixMillis};
use std::time::Instant;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const WORDS: &[&[u8]] =
    &[b"\"name\":\"", b"\",\"city\":\"", b"\",\"active\":true,", b"\"visits\":", b"2026-11-2"];

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    *random >> 32
}

fn value(random: &mut u64, len: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(len + 16);
    while value.len() < len {
        value.extend_from_slice(WORDS[next(random) as usize % WORDS.len()]);
        value.extend((0..5).map(|_| b'a' + (next(random) % 26) as u8));
    }
    value.truncate(len);
    value
}

fn main() {
    println!("| value | codec | write, µs each | read, µs each | of the raw bytes |");
    println!("|---:|---|---:|---:|---:|");
    for (len, count) in [(100, 200_000), (4 << 10, 20_000), (64 << 10, 2000)] {
        let mut random = 7;
        let values: Vec<Vec<u8>> = (0..64).map(|_| value(&mut random, len)).collect();
        let all = [Compression::Off, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        for compression in all {
            let temporary = tempfile::tempdir_in(".").expect("a directory");
            let options = Options {
                durability: Durability::No,
                compression,
                compress_from_bytes: 0,
                ..Options::default()
            };
            let store = Bitcask::open(temporary.path(), options).expect("it opens");
            let mut batch = Batch::new(NOW);
            let start = Instant::now();
            for n in 0..count as u64 {
                batch.put(&n.to_be_bytes(), &values[n as usize % values.len()], None);
                if batch.len() == values.len() || n + 1 == count as u64 {
                    store.write(&mut batch).expect("it is written");
                    batch.reset(NOW);
                }
            }
            let write = start.elapsed().as_secs_f64() / count as f64 * 1e6;
            let share = store.stats().appended_bytes as f64 / (count * len) as f64;
            store.wait_durable(store.position()).expect("the system has it");
            let start = Instant::now();
            for _ in 0..count {
                let key = (next(&mut random) % count as u64).to_be_bytes();
                std::hint::black_box(store.get(&key, NOW).expect("it can be read"));
            }
            let read = start.elapsed().as_secs_f64() / count as f64 * 1e6;
            println!("| {len} B | {compression:?} | {write:.2} | {read:.2} | {share:.2} |");
        }
    }
}
