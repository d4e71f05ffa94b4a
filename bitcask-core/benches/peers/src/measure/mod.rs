//! What a child process measures: one engine, one workload, a process of its own, so that neither memory nor caches
//! of another play into it. It prints one `name value` per line.

mod amplification;
mod backup;
mod bare;
mod histogram;
mod latency;
mod load;
mod open;
mod process;
mod reads;
mod writes;

use crate::engine::{Backup, Engine, Name, Outcome, Pace, Promise, Setup, Upkeep};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the parent says.
#[derive(Args, Clone, Debug)]
pub struct Task {
    #[arg(long)]
    pub engine: Name,
    #[arg(long)]
    pub dir: PathBuf,
    /// Keys of the store.
    #[arg(long)]
    pub keys: u64,
    /// Length of each value.
    #[arg(long)]
    pub value_bytes: usize,
    /// How long a turn takes.
    #[arg(long)]
    pub seconds: f64,
    #[arg(long)]
    pub seed: u64,
}

#[derive(Subcommand, Clone, Debug)]
pub enum Workload {
    /// Fills an empty store.
    Load(Task),
    /// Point reads, by distribution and number of threads.
    Reads {
        #[command(flatten)]
        task: Task,
        /// Ours: look into mappings of the files.
        #[arg(long)]
        mapped: bool,
    },
    /// Overwrites, each in a transaction of its own.
    Writes {
        #[command(flatten)]
        task: Task,
        #[arg(long)]
        promise: Promise,
        #[arg(long)]
        threads: u64,
    },
    /// Opens, until the first value is read.
    Open(Task),
    /// Overwrites until it is killed; says `ready` once it has begun.
    Scribble(Task),
    /// Resident memory after 1 % of the keys have been read.
    Memory(Task),
    /// Fills an empty store, overwrites it, and counts what it writes.
    Amplification(Task),
    /// Latencies at half of peak load, without compaction and with.
    Latency {
        #[command(flatten)]
        task: Task,
        #[arg(long)]
        promise: Promise,
        #[arg(long)]
        pace: Pace,
    },
    /// The rate of writers beside a backup, and without.
    Backup {
        #[command(flatten)]
        task: Task,
        #[arg(long)]
        promise: Promise,
        #[arg(long)]
        how: Backup,
    },
}

impl Workload {
    pub fn run(&self) -> Outcome<()> {
        match self {
            Workload::Load(task) => load::run(task),
            Workload::Reads { task, mapped } => reads::run(task, *mapped),
            Workload::Writes { task, promise, threads } => writes::run(task, *promise, *threads),
            Workload::Open(task) => open::run(task),
            Workload::Scribble(task) => open::scribble(task),
            Workload::Memory(task) => open::memory(task),
            Workload::Amplification(task) => amplification::run(task),
            Workload::Latency { task, promise, pace } => latency::run(task, *promise, *pace),
            Workload::Backup { task, promise, how } => backup::run(task, *promise, *how),
        }
    }
}

impl Task {
    /// Opens the store; an engine that does not offer `promise` is asked for less.
    fn open(&self, promise: Promise, upkeep: Upkeep) -> Outcome<Box<dyn Engine>> {
        self.open_as(promise, upkeep, false)
    }

    fn open_as(&self, promise: Promise, upkeep: Upkeep, mapped: bool) -> Outcome<Box<dyn Engine>> {
        let promise = if self.engine.offers(promise) { promise } else { Promise::Memory };
        let (keys, value_bytes) = (self.keys, self.value_bytes);
        self.engine.open(&self.dir, &Setup { promise, upkeep, mapped, keys, value_bytes })
    }

    fn turn(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// What the parent reads.
fn report(name: &str, value: f64) {
    println!("{name} {value}");
}

/// Runs what `work(thread)` gives again and again in so many threads for `time`, and says how much was done per second.
fn rate<'a>(
    threads: u64,
    time: Duration,
    work: &(dyn Fn(u64) -> Worker<'a> + Sync),
) -> Outcome<f64> {
    let start = Instant::now();
    rate_until(threads, &|| start.elapsed() >= time, work)
}

/// As [`rate`], until `done`.
fn rate_until<'a>(
    threads: u64,
    done: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(u64) -> Worker<'a> + Sync),
) -> Outcome<f64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || -> Outcome<f64> {
                    let mut work = work(thread);
                    let (start, mut count) = (Instant::now(), 0);
                    while !done() {
                        count += work()?;
                    }
                    Ok(count as f64 / start.elapsed().as_secs_f64())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no worker panics")).sum()
    })
}

/// Does a few operations between two looks at the clock, and says how many.
type Worker<'a> = Box<dyn FnMut() -> Outcome<u64> + 'a>;
