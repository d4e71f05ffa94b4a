//! What compaction costs: everything, as fast as it can, of a store half of which is dead.
//!
//! `cargo bench -p bitcask-core --bench compaction`

use bitcask_core::{Batch, Bitcask, CompactionOptions, Durability, Options, UnixMillis};
use std::ops::ControlFlow;
use std::time::Instant;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const BATCH: u64 = 1000;

fn main() {
    println!("| values | keys | records a second | MiB a second | µs per record |");
    println!("|---|---:|---:|---:|---:|");
    for (value_bytes, keys) in [(100, 1_000_000_u64), (4096, 100_000)] {
        let temporary = tempfile::tempdir_in(".").expect("a directory");
        let segment_bytes = 64 << 20;
        let options = Options { durability: Durability::No, segment_bytes, ..Options::default() };
        let store = Bitcask::open(temporary.path(), options).expect("it opens");
        let value = vec![b'v'; value_bytes];
        // As many again, of keys here and there.
        for n in 0..2 * keys / BATCH {
            let mut batch = Batch::new(NOW);
            for i in n * BATCH..(n + 1) * BATCH {
                let key = if i < keys { i } else { i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11 };
                batch.put(format!("key:{:026}", key % keys).as_bytes(), &value, None);
            }
            store.write(&mut batch).expect("it is written");
        }
        store.sync().expect("it is durable");
        let (start, before) = (Instant::now(), store.stats().disk_bytes);
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        let report = store.compact(&CompactionOptions::everything(), NOW, go_on);
        let report = report.expect("it compacts");
        assert_eq!(report.moved, keys);
        let (seconds, records) = (start.elapsed().as_secs_f64(), (2 * keys) as f64);
        println!(
            "| {value_bytes} B | {keys} | {:.0} | {:.0} | {:.2} |",
            records / seconds,
            before as f64 / seconds / f64::from(1 << 20),
            seconds / records * 1e6,
        );
    }
}
