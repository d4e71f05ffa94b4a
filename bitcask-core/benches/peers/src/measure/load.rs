//! Filling a store: every key once, in no order, a thousand in a transaction.

use super::{Task, process, report};
use crate::engine::{Engine, Outcome, Promise, Upkeep};
use crate::keys::{Key, Random, Values, key};
use std::time::Instant;

pub const BATCH: u64 = 1000;

pub fn run(task: &Task) -> Outcome<()> {
    let start = Instant::now();
    let store = task.open(Promise::System, Upkeep::Usual)?;
    fill(&*store, task)?;
    store.sync()?;
    report("per_second", task.keys as f64 / start.elapsed().as_secs_f64());
    drop(store);
    report("disk_bytes", process::disk_bytes(&task.dir) as f64);
    Ok(())
}

pub fn fill(store: &dyn Engine, task: &Task) -> Outcome<()> {
    let values = Values::new(task.value_bytes, task.seed);
    let mut random = Random::new(task.seed);
    for first in (0..task.keys).step_by(BATCH as usize) {
        let numbers = first..(first + BATCH).min(task.keys);
        let pairs: Vec<(Key, &[u8])> = numbers.map(|n| (key(n), values.any(&mut random))).collect();
        store.put(&pairs)?;
    }
    Ok(())
}
