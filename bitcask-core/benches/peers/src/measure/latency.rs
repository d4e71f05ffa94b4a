//! How long reads and writes take at half of peak load, without compaction and with.
//!
//! A reader and a writer, each with a thread. First both do as much as they can, then half of that: every
//! millisecond a burst. The time of an operation is its own, and on top of it how much later than planned its burst
//! began because the one before it had not ended: who is stalled does not hide those who would have come meanwhile.

use super::histogram::Histogram;
use super::{Task, bare, process, reads, report, writes};
use crate::engine::{Engine, Outcome, Pace, Promise, Upkeep};
use crate::keys::{Draw, Numbers, Random, Values, key};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(1);

pub fn run(task: &Task, promise: Promise, pace: Pace) -> Outcome<()> {
    process::warm(&task.dir)?;
    let store = &*task.open(promise, Upkeep::Asked)?;
    let values = &Values::new(task.value_bytes, task.seed);
    let (reads, writes) = peak(store, task, values, promise)?;
    if promise == Promise::Disk {
        bare::run(&task.dir, task.value_bytes, writes / 2.0, task.turn() * 4)?;
    }
    report("peak_reads", reads);
    report("peak_writes", writes);
    let phase = |name: &str, go_on: &(dyn Fn() -> bool + Sync)| -> Outcome<()> {
        let mut numbers = Numbers::new(Draw::Uniform, task.keys, task.seed);
        let mut random = Random::new(task.seed);
        let mut to_write = Numbers::new(Draw::Uniform, task.keys, task.seed + 1);
        let (read, written) = std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                paced(reads / 2.0, go_on, &mut || reads::read(store, &[key(numbers.next())]))
            });
            let written = paced(writes / 2.0, go_on, &mut || {
                store.put(&[(key(to_write.next()), values.any(&mut random))])
            });
            (reader.join().expect("the reader does not panic"), written)
        });
        for (what, times) in [("read", read?), ("write", written?)] {
            report(&format!("{name}_{what}_p99"), times.quantile(0.99).as_secs_f64());
            report(&format!("{name}_{what}_most"), times.most().as_secs_f64());
        }
        Ok(())
    };
    let time = task.turn() * 4;
    let start = Instant::now();
    phase("quiet", &|| start.elapsed() < time)?;
    let done = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let compaction = scope.spawn(move || -> Outcome<Option<u32>> {
            let (start, mut count) = (Instant::now(), 0);
            let outcome = loop {
                match store.compact(pace, &|| start.elapsed() < time) {
                    None => break Ok(None),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(())) => count += 1,
                }
                if start.elapsed() > time {
                    break Ok(Some(count));
                }
            };
            done.store(true, Ordering::Relaxed);
            outcome
        });
        let compacting = phase("busy", &|| !done.load(Ordering::Relaxed));
        if let Some(count) = compaction.join().expect("compaction does not panic")? {
            report("compactions", f64::from(count));
        }
        compacting
    })
}

/// Reads and writes per second if both go on as fast as they can.
fn peak(store: &dyn Engine, task: &Task, values: &Values, promise: Promise) -> Outcome<(f64, f64)> {
    let time = task.turn() * 2;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            super::rate(1, time, &|thread| reads::one_by_one(store, task, Draw::Uniform, thread))
        });
        let writes = super::rate(1, time, &|thread| {
            writes::one_by_one(store, task, values, promise, thread + 1)
        });
        Ok((reader.join().expect("the reader does not panic")?, writes?))
    })
}

/// Does `per_second` times `work`, in bursts.
pub fn paced(
    per_second: f64,
    go_on: &dyn Fn() -> bool,
    work: &mut dyn FnMut() -> Outcome<()>,
) -> Outcome<Histogram> {
    let mut times = Histogram::new();
    let (start, mut ticks, mut done) = (Instant::now(), 0_u32, 0_u64);
    while go_on() {
        ticks += 1;
        let planned = TICK * ticks;
        let lag = match planned.checked_sub(start.elapsed()) {
            Some(early) => {
                std::thread::sleep(early);
                Duration::ZERO
            }
            None => start.elapsed().saturating_sub(planned),
        };
        let due = (per_second * planned.as_secs_f64()) as u64;
        while done < due {
            let begun = Instant::now();
            work()?;
            times.add(lag + begun.elapsed());
            done += 1;
        }
    }
    Ok(times)
}
