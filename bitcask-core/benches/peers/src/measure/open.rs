//! Opening a store: how long it takes, what it takes in memory, and what kills it first.

use super::{Task, process, reads, report, writes};
use crate::engine::{Outcome, Promise, Upkeep};
use crate::keys::{Draw, Numbers, Values, key};
use std::io::Write as _;
use std::time::Instant;

pub fn run(task: &Task) -> Outcome<()> {
    process::warm(&task.dir)?;
    let start = Instant::now();
    let store = task.open(Promise::System, Upkeep::Asked)?;
    reads::read(&*store, &[key(task.seed % task.keys)])?;
    report("seconds", start.elapsed().as_secs_f64());
    Ok(())
}

pub fn scribble(task: &Task) -> Outcome<()> {
    let store = task.open(Promise::System, Upkeep::Usual)?;
    let values = Values::new(task.value_bytes, task.seed);
    let mut work = writes::one_by_one(&*store, task, &values, Promise::System, 0);
    work()?;
    println!("ready");
    std::io::stdout().flush()?;
    loop {
        work()?;
    }
}

pub fn memory(task: &Task) -> Outcome<()> {
    let store = task.open(Promise::System, Upkeep::Asked)?;
    let mut numbers = Numbers::new(Draw::Uniform, task.keys, task.seed);
    for _ in 0..task.keys / 100 {
        reads::read(&*store, &[key(numbers.next())])?;
    }
    report("resident", process::resident_bytes()? as f64);
    report("anonymous", process::anonymous_bytes()? as f64);
    if let Some(bytes) = store.index_bytes() {
        report("index_per_key", bytes as f64 / task.keys as f64);
    }
    Ok(())
}
