//! Overwrites of keys drawn uniformly, each in a transaction of its own.

use super::{Task, Worker, rate, report};
use crate::engine::{Engine, Outcome, Promise, Upkeep};
use crate::keys::{Draw, Numbers, Random, Values, key};

pub fn run(task: &Task, promise: Promise, threads: u64) -> Outcome<()> {
    let store = task.open(promise, Upkeep::Usual)?;
    let values = Values::new(task.value_bytes, task.seed);
    let writes =
        rate(threads, task.turn(), &|thread| one_by_one(&*store, task, &values, promise, thread))?;
    report("per_second", writes);
    Ok(())
}

pub fn one_by_one<'a>(
    store: &'a dyn Engine,
    task: &Task,
    values: &'a Values,
    promise: Promise,
    thread: u64,
) -> Worker<'a> {
    let mut numbers = Numbers::new(Draw::Uniform, task.keys, task.seed + thread);
    let mut random = Random::new(task.seed + thread);
    let at_once = if promise == Promise::Disk { 1 } else { 20 };
    Box::new(move || {
        for _ in 0..at_once {
            store.put(&[(key(numbers.next()), values.any(&mut random))])?;
        }
        Ok(at_once)
    })
}
