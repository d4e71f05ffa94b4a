//! What a backup costs those who write meanwhile.

use super::{Task, rate, rate_until, report, writes};
use crate::engine::{Backup, Outcome, Promise, Upkeep};
use crate::keys::Values;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const BETWEEN: Duration = Duration::from_secs(1);

pub fn run(task: &Task, promise: Promise, how: Backup) -> Outcome<()> {
    let store = &*task.open(promise, Upkeep::Usual)?;
    let values = &Values::new(task.value_bytes, task.seed);
    let threads = if promise == Promise::Disk { 16 } else { 1 };
    let worker = |thread| writes::one_by_one(store, task, values, promise, thread);
    let time = task.turn() * 4;
    rate(threads, task.turn(), &worker)?;
    let alone = rate(threads, time, &worker)?;
    let done = &AtomicBool::new(false);
    // Copies go with the directory that the parent gave; a new one begins until the time is over, and not sooner
    // than a second after the one before: some take milliseconds.
    let into = task.dir.with_extension("backup");
    std::fs::create_dir(&into)?;
    let (beside, seconds) = std::thread::scope(|scope| -> Outcome<(f64, Option<f64>)> {
        let copying = scope.spawn(|| -> Outcome<Option<f64>> {
            let start = Instant::now();
            let (mut count, mut taken) = (0, Duration::ZERO);
            let outcome = loop {
                let begun = Instant::now();
                match store.back_up(&into.join(count.to_string()), how) {
                    None => break Ok(None),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(())) => count += 1,
                }
                taken += begun.elapsed();
                std::thread::sleep(BETWEEN.saturating_sub(begun.elapsed()));
                if start.elapsed() > time {
                    break Ok(Some(taken.as_secs_f64() / f64::from(count)));
                }
            };
            done.store(true, Ordering::Relaxed);
            outcome
        });
        let beside = rate_until(threads, &|| done.load(Ordering::Relaxed), &worker);
        Ok((beside?, copying.join().expect("the copying does not panic")?))
    })?;
    if let Some(seconds) = seconds {
        report("seconds", seconds);
        report("alone", alone);
        report("beside", beside);
    }
    Ok(())
}
