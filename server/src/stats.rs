//! What the server has done since it was started, or since `CONFIG RESETSTAT`.

use crate::command::{CommandId, table};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters that all connections share.
pub(crate) struct Stats {
    commands: Vec<CommandStats>,
    errors: Mutex<BTreeMap<String, u64>>,
    /// Calls per command when `INFO commands` was asked for last.
    reported: Mutex<Vec<u64>>,
    pub connections: AtomicU64,
    pub rejected_connections: AtomicU64,
    /// Keys that commands looked for to read them, and found or not.
    pub keyspace_hits: AtomicU64,
    pub keyspace_misses: AtomicU64,
    pub input_bytes: AtomicU64,
    pub output_bytes: AtomicU64,
}

/// Of one command.
#[derive(Default)]
pub(crate) struct CommandStats {
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
        Stats {
            commands: (0..commands).map(|_| CommandStats::default()).collect(),
            errors: Mutex::default(),
            reported: Mutex::new(vec![0; commands]),
            connections: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
            keyspace_hits: AtomicU64::new(0),
            keyspace_misses: AtomicU64::new(0),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn rejected(&self, command: CommandId) {
        self.commands[command.index()].rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, command: CommandId) {
        self.commands[command.index()].failed.fetch_add(1, Ordering::Relaxed);
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
        let stats = &self.commands[command.index()];
        CommandFigures {
            calls: stats.calls.load(Ordering::Relaxed),
            micros: stats.nanos.load(Ordering::Relaxed) / 1000,
            rejected: stats.rejected.load(Ordering::Relaxed),
            failed: stats.failed.load(Ordering::Relaxed),
        }
    }

    /// Commands run, all together.
    pub(crate) fn total_calls(&self) -> u64 {
        self.commands.iter().map(|stats| stats.calls.load(Ordering::Relaxed)).sum()
    }

    /// Calls per command since this was asked for last.
    pub(crate) fn calls_since_last_report(&self) -> Vec<u64> {
        let mut reported = lock(&self.reported);
        self.commands
            .iter()
            .zip(reported.iter_mut())
            .map(|(stats, reported)| {
                let calls = stats.calls.load(Ordering::Relaxed);
                calls.saturating_sub(std::mem::replace(reported, calls))
            })
            .collect()
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset(&self) {
        for stats in &self.commands {
            for counter in [&stats.calls, &stats.nanos, &stats.rejected, &stats.failed] {
                counter.store(0, Ordering::Relaxed);
            }
        }
        for counter in [
            &self.connections,
            &self.rejected_connections,
            &self.keyspace_hits,
            &self.keyspace_misses,
            &self.input_bytes,
            &self.output_bytes,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        lock(&self.errors).clear();
        lock(&self.reported).fill(0);
    }
}

/// Counts calls of one connection, and passes them on when another command comes or the input ends: the
/// shared counters are a bottleneck when every core writes to them for every command.
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
            let shared = &stats.commands[command.index()];
            shared.calls.fetch_add(self.calls, Ordering::Relaxed);
            shared.nanos.fetch_add(self.nanos, Ordering::Relaxed);
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
            stats.keyspace_hits.fetch_add(self.hits, Ordering::Relaxed);
            stats.keyspace_misses.fetch_add(self.misses, Ordering::Relaxed);
            *self = Lookups::default();
        }
    }
}

/// These locks guard plain values: a panic while one was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
