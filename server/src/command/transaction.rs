//! The commands between `MULTI` and `EXEC`.
//!
//! Marking an event is a transaction of a few commands, so this is a hot path: the queue keeps its memory for
//! the next transaction.

use super::dispatch::may_write;
use super::{Command, Flags};
use bitmap_store::Db;
use resp::{Args, Requests};

/// Commands waiting for `EXEC`.
#[derive(Default)]
pub(crate) struct Queue {
    open: bool,
    aborted: bool,
    commands: Vec<&'static Command>,
    requests: Requests,
}

/// Buffers above this are not kept for the next transaction.
const KEPT_BYTES: usize = 16 << 10;

impl Queue {
    /// `MULTI`; false if it was open already.
    pub(crate) fn open(&mut self) -> bool {
        !std::mem::replace(&mut self.open, true)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Empties and closes it.
    pub(crate) fn close(&mut self) {
        if self.bytes() > KEPT_BYTES {
            *self = Queue::default();
        }
        self.commands.clear();
        self.requests.clear();
        (self.open, self.aborted) = (false, false);
    }

    /// A command was refused: `EXEC` will refuse all.
    pub(crate) fn abort(&mut self) {
        self.aborted = self.open;
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Adds a command; false if that is more than can be kept.
    pub(crate) fn push(&mut self, command: &'static Command, request: Args<'_>) -> bool {
        let kept = self.requests.push(request);
        if kept {
            self.commands.push(command);
        }
        kept
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.requests.memory_bytes() + self.commands.capacity() * size_of::<&Command>()
    }

    /// The commands and their requests, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Command, Args<'_>)> + Clone {
        let requests = (0..self.requests.len()).map(|i| self.requests.get(i));
        self.commands.iter().copied().zip(requests)
    }

    /// Whether any command is one that writes.
    pub(crate) fn writes(&self) -> bool {
        self.commands.iter().any(|command| may_write(command.spec.flags))
    }

    /// Whether the transaction needs all keys: a command does, or may call others that do, or their
    /// database is not known yet.
    pub(crate) fn needs_everything(&self) -> bool {
        self.iter().any(|(command, request)| {
            command.spec.needs_everything_among_others(request)
                || command.spec.flags.has(Flags::OTHER_DB)
                || command.spec.flags.has(Flags::SCRIPT)
                || command.spec.name == "select"
        })
    }

    /// The keys of all commands, which run in `db`.
    pub(crate) fn keys(&self, db: Db) -> impl Iterator<Item = (Db, &[u8])> {
        self.iter().flat_map(move |(command, request)| {
            let positions = command.spec.key_positions(request);
            positions.filter_map(move |i| request.get(i)).map(move |key| (db, key))
        })
    }
}
