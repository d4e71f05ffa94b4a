//! What the server has done since it was started, or since `CONFIG RESETSTAT`.

use crate::command::{CommandId, table};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters of all connections.
pub(crate) struct Stats {
    /// Each thread counts in one of its own: every core that writes to one place for every command would wait
    /// for the others'.
    shards: Vec<Shard>,
    errors: Mutex<BTreeMap<String, u64>>,
    /// Calls per command when `INFO commands` was asked for last.
    reported: Mutex<Vec<u64>>,
    pub connections: AtomicU64,
    pub rejected_connections: AtomicU64,
}

/// More threads than so many share.
const SHARDS: usize = 8;

/// What the connections that one thread serves have done. On lines of the cache of its own.
#[repr(align(128))]
struct Shard {
    commands: Vec<CommandStats>,
    figures: [AtomicU64; FIGURES],
}

/// A figure that is counted for many commands a second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    /// Keys that commands looked for to read them, and found …
    Hits,
    /// … or not.
    Misses,
    InputBytes,
    OutputBytes,
}

const FIGURES: usize = 4;

/// Of one command.
#[derive(Default)]
struct CommandStats {
    calls: AtomicU64,
    nanos: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
}

/// Of one command, read at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandFigures {
    pub calls: u64,
    pub micros: u64,
    /// Refused before they ran: wrong arity and the like.
    pub rejected: u64,
    /// Ran and answered with an error.
    pub failed: u64,
}

/// Codes of errors are counted apart up to this many; a client could invent no end of them.
const ERROR_CODES: usize = 128;

impl Stats {
    pub(crate) fn new() -> Self {
        let commands = table().all().len();
        let shard = || Shard {
            commands: (0..commands).map(|_| CommandStats::default()).collect(),
            figures: Default::default(),
        };
        Stats {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            errors: Mutex::default(),
            reported: Mutex::new(vec![0; commands]),
            connections: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
        }
    }

    /// Where this thread counts.
    fn shard(&self) -> &Shard {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static INDEX: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        &self.shards[INDEX.with(|index| *index)]
    }

    fn own(&self, command: CommandId) -> &CommandStats {
        &self.shard().commands[command.index()]
    }

    pub(crate) fn add(&self, figure: Figure, count: u64) {
        self.shard().figures[figure as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn figure(&self, figure: Figure) -> u64 {
        let of = |shard: &Shard| shard.figures[figure as usize].load(Ordering::Relaxed);
        self.shards.iter().map(of).sum()
    }

    pub(crate) fn rejected(&self, command: CommandId) {
        self.own(command).rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, command: CommandId) {
        self.own(command).failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call from a script; its time is the script's.
    pub(crate) fn called(&self, command: CommandId) {
        self.own(command).calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error reply by its code.
    pub(crate) fn error(&self, code: &str) {
        let mut errors = lock(&self.errors);
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES {
            errors.insert(code.to_owned(), 1);
        }
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        lock(&self.errors).clone()
    }

    pub(crate) fn command(&self, command: CommandId) -> CommandFigures {
        let sum = |counter: fn(&CommandStats) -> &AtomicU64| {
            let of =
                |shard: &Shard| counter(&shard.commands[command.index()]).load(Ordering::Relaxed);
            self.shards.iter().map(of).sum::<u64>()
        };
        CommandFigures {
            calls: sum(|stats| &stats.calls),
            micros: sum(|stats| &stats.nanos) / 1000,
            rejected: sum(|stats| &stats.rejected),
            failed: sum(|stats| &stats.failed),
        }
    }

    /// Calls of each command, in the order of the table.
    fn calls(&self) -> Vec<u64> {
        let calls = |at: usize| {
            self.shards.iter().map(|shard| shard.commands[at].calls.load(Ordering::Relaxed)).sum()
        };
        (0..self.shards[0].commands.len()).map(calls).collect()
    }

    /// Commands run, all together.
    pub(crate) fn total_calls(&self) -> u64 {
        self.calls().iter().sum()
    }

    /// Calls per command since this was asked for last.
    pub(crate) fn calls_since_last_report(&self) -> Vec<u64> {
        let mut reported = lock(&self.reported);
        let since = |(calls, reported): (u64, &mut u64)| {
            calls.saturating_sub(std::mem::replace(reported, calls))
        };
        self.calls().into_iter().zip(reported.iter_mut()).map(since).collect()
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset(&self) {
        for shard in &self.shards {
            for stats in &shard.commands {
                for counter in [&stats.calls, &stats.nanos, &stats.rejected, &stats.failed] {
                    counter.store(0, Ordering::Relaxed);
                }
            }
            shard.figures.iter().for_each(|figure| figure.store(0, Ordering::Relaxed));
        }
        self.connections.store(0, Ordering::Relaxed);
        self.rejected_connections.store(0, Ordering::Relaxed);
        lock(&self.errors).clear();
        lock(&self.reported).fill(0);
    }
}

/// Counts calls of one connection, and passes them on when another command comes or the input ends.
#[derive(Default)]
pub(crate) struct Tally {
    command: Option<CommandId>,
    calls: u64,
    nanos: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, stats: &Stats, command: CommandId, nanos: u64) {
        if self.command != Some(command) {
            self.flush(stats);
            self.command = Some(command);
        }
        self.calls += 1;
        self.nanos += nanos;
    }

    pub(crate) fn flush(&mut self, stats: &Stats) {
        if let Some(command) = self.command.take() {
            let own = stats.own(command);
            own.calls.fetch_add(self.calls, Ordering::Relaxed);
            own.nanos.fetch_add(self.nanos, Ordering::Relaxed);
            (self.calls, self.nanos) = (0, 0);
        }
    }
}

/// Counts the keys that one connection looked for, and passes that on when its input ends, as [`Tally`]
/// does.
#[derive(Default)]
pub(crate) struct Lookups {
    hits: u64,
    misses: u64,
}

impl Lookups {
    pub(crate) fn count(&mut self, found: bool) {
        self.hits += u64::from(found);
        self.misses += u64::from(!found);
    }

    pub(crate) fn flush(&mut self, stats: &Stats) {
        // Most commands that write look for nothing.
        if self.hits + self.misses > 0 {
            stats.add(Figure::Hits, self.hits);
            stats.add(Figure::Misses, self.misses);
            *self = Lookups::default();
        }
    }
}

/// These locks guard plain values: a panic while one was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
