//! Bytes that are written to files for each byte that is put, where every key is overwritten as often as any other.
//!
//! Keys come in transactions of a thousand, each on disk before the next: so nothing that is written is written over
//! before it has reached the disk, but for what an engine writes twice in one transaction. None of the engines writes
//! by way of a memory map.

use super::load::{BATCH, fill};
use super::{Task, process, report};
use crate::engine::{Engine, Outcome, Promise, Upkeep};
use crate::keys::{Draw, Key, Numbers, Random, Values, key};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Passes over the keys, until the store has found its balance, and then to measure.
const PASSES: (u64, u64) = (2, 3);
/// A pass may take longer than anybody wants to wait: then so many turns are enough.
const MOST_TURNS: u32 = 20;
const SAMPLE: Duration = Duration::from_millis(100);

pub fn run(task: &Task) -> Outcome<()> {
    let store = &*task.open(Promise::Disk, Upkeep::HalfAlive)?;
    fill(store, task)?;
    let done = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let tidy = scope.spawn(move || -> Outcome<()> {
            while !done.load(Ordering::Relaxed) {
                if !store.tidy()? {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Ok(())
        });
        let measured = overwritten(store, task);
        done.store(true, Ordering::Relaxed);
        tidy.join().expect("the thread does not panic")?;
        measured
    })
}

/// What was written, and what there was meanwhile, on average.
struct Pass {
    written: u64,
    disk_bytes: f64,
    needed: Option<f64>,
}

fn overwritten(store: &dyn Engine, task: &Task) -> Outcome<()> {
    let mut numbers = Numbers::new(Draw::Uniform, task.keys, task.seed);
    let mut random = Random::new(task.seed);
    let values = Values::new(task.value_bytes, task.seed);
    let entry_bytes = (task.value_bytes + size_of::<Key>()) as u64;
    let mut pass = |keys: u64| -> Outcome<Pass> {
        let (start, mut sampled) = (Instant::now(), Instant::now());
        let (mut written, mut samples, mut disk, mut needed) = (0, 0, 0, Some(0.0));
        while written < keys && start.elapsed() < task.turn() * MOST_TURNS {
            let pairs: Vec<(Key, &[u8])> =
                (0..BATCH).map(|_| (key(numbers.next()), values.any(&mut random))).collect();
            store.put(&pairs)?;
            written += BATCH;
            if sampled.elapsed() > SAMPLE {
                sampled = Instant::now();
                (samples, disk) = (samples + 1, disk + process::disk_bytes(&task.dir));
                needed = needed.zip(store.needed_share()).map(|(sum, share)| sum + share);
            }
        }
        let samples = f64::from(samples.max(1));
        Ok(Pass {
            written,
            disk_bytes: disk as f64 / samples,
            needed: needed.map(|sum| sum / samples),
        })
    };
    pass(PASSES.0 * task.keys)?;
    let before = process::written_bytes()?;
    let Pass { written, disk_bytes, needed } = pass(PASSES.1 * task.keys)?;
    let bytes = process::written_bytes()? - before;
    report("amplification", bytes as f64 / (written * entry_bytes) as f64);
    report("alive_percent", 100.0 * (task.keys * entry_bytes) as f64 / disk_bytes);
    if let Some(share) = needed {
        report("needed_percent", 100.0 * share);
    }
    report("passes", written as f64 / task.keys as f64);
    Ok(())
}
