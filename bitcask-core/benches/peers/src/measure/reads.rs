//! Point reads of data that is in the page cache.

use super::{Task, Worker, process, rate, report};
use crate::engine::{Engine, Outcome, Promise, Upkeep};
use crate::keys::{Draw, Key, Numbers, key};
use std::hint::black_box;

/// Between two looks at the clock.
const READS: usize = 100;
const LONG: usize = 1000;

pub fn run(task: &Task, mapped: bool) -> Outcome<()> {
    process::warm(&task.dir)?;
    let store = task.open_as(Promise::System, Upkeep::Asked, mapped)?;
    let warm = rate(2, task.turn() / 2, &|thread| one_by_one(&*store, task, Draw::Uniform, thread));
    warm?;
    for (name, draw) in [("uniform", Draw::Uniform), ("zipf", Draw::Zipf)] {
        for threads in [1, 2] {
            let reads =
                rate(threads, task.turn(), &|thread| one_by_one(&*store, task, draw, thread))?;
            report(&format!("{name}_{threads}"), reads);
        }
    }
    let reads = rate(1, task.turn(), &|thread| in_transactions(&*store, task, thread))?;
    report("transaction", reads);
    Ok(())
}

/// Each read sees all writes before it.
pub fn one_by_one<'a>(store: &'a dyn Engine, task: &Task, draw: Draw, thread: u64) -> Worker<'a> {
    let mut numbers = Numbers::new(draw, task.keys, task.seed + thread);
    Box::new(move || {
        for _ in 0..READS {
            read(store, &[key(numbers.next())])?;
        }
        Ok(READS as u64)
    })
}

/// A thousand reads see the same state.
fn in_transactions<'a>(store: &'a dyn Engine, task: &Task, thread: u64) -> Worker<'a> {
    let mut numbers = Numbers::new(Draw::Uniform, task.keys, task.seed + thread);
    Box::new(move || {
        let keys: Vec<Key> = (0..LONG).map(|_| key(numbers.next())).collect();
        read(store, &keys)?;
        Ok(LONG as u64)
    })
}

/// Reads every byte of the values: an engine that only points at them has not brought them yet.
pub fn read(store: &dyn Engine, keys: &[Key]) -> Outcome<()> {
    let mut missing = false;
    store.get(keys, &mut |value| match value {
        Some(value) => {
            let words = value
                .chunks_exact(8)
                .map(|word| u64::from_le_bytes(word.try_into().expect("a chunk has eight bytes")));
            black_box(words.fold(0, u64::wrapping_add));
        }
        None => missing = true,
    })?;
    if missing { Err("a key is not in the store".into()) } else { Ok(()) }
}
