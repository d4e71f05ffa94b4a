//! What writing and reading cost: batches of one small record, by durability and number of threads.
//!
//! `cargo bench -p bitcask-core --bench log`

use bitcask_core::{Batch, Bitcask, Durability, Options, UnixMillis};
use std::time::Instant;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn main() {
    println!("| what | threads | per second | µs each |");
    println!("|---|---:|---:|---:|");
    for (name, durability, threads, count) in [
        ("put, no", Durability::No, 1, 1_000_000_u64),
        ("put, no, waiting for each", Durability::No, 1, 300_000),
        ("put, always, waiting for each", Durability::Always, 1, 5_000),
        ("put, always, waiting for each", Durability::Always, 50, 20_000),
    ] {
        let wait = name.contains("waiting");
        let temporary = tempfile::tempdir_in(".").expect("a directory");
        let options = Options { durability, ..Options::default() };
        let store = Bitcask::open(temporary.path(), options).expect("it opens");
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let store = &store;
                scope.spawn(move || {
                    let mut batch = Batch::new(NOW);
                    for n in 0..count / threads {
                        batch.reset(NOW);
                        let key = (n.wrapping_mul(0x9e37_79b9) << 8 | thread).to_be_bytes();
                        batch.put(&key, b"a value of thirty-two bytes, or so", None);
                        let committed = store.write(&mut batch).expect("it is written");
                        if wait {
                            store.wait_durable(committed.position()).expect("it is durable");
                        }
                    }
                });
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let each = seconds / count as f64 * 1e6;
        println!("| {name} | {threads} | {:.0} | {each:.2} |", count as f64 / seconds);
    }
}
