//! The commands between `MULTI` and `EXEC`.

use super::{Command, Flags, KeyPositions};
use bitmap_store::Db;
use resp::{Args, OwnedArgs};

/// Commands waiting for `EXEC`. Cleared, it keeps its memory for the next transaction.
#[derive(Default)]
pub(crate) struct Queue {
    open: bool,
    aborted: bool,
    commands: Vec<(&'static Command, OwnedArgs)>,
    bytes: usize,
}

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
        self.commands.clear();
        // A rare huge transaction must not keep its memory.
        self.commands.shrink_to(64);
        (self.open, self.aborted, self.bytes) = (false, false, 0);
    }

    /// A command was refused: `EXEC` will refuse all.
    pub(crate) fn abort(&mut self) {
        self.aborted = self.open;
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    pub(crate) fn push(&mut self, command: &'static Command, request: Args<'_>) {
        self.bytes += size_of::<(&Command, OwnedArgs)>() + request_bytes(request);
        self.commands.push((command, OwnedArgs::from(request)));
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Memory held by the commands, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Command, Args<'_>)> {
        self.commands.iter().map(|(command, request)| (*command, request.as_args()))
    }

    /// Whether the transaction needs all keys: a command does, or their database is not known yet.
    pub(crate) fn needs_everything(&self) -> bool {
        self.commands.iter().any(|(command, _)| {
            command.spec.flags.has(Flags::EXCLUSIVE)
                || command.spec.flags.has(Flags::OTHER_DB)
                || command.spec.name == "select"
        })
    }

    /// The keys of all commands, which run in `db`.
    pub(crate) fn keys(&self, db: Db) -> impl Iterator<Item = (Db, &[u8])> {
        self.iter().flat_map(move |(command, request)| {
            KeyPositions::of(command.spec.keys, request.len())
                .filter_map(move |i| request.get(i))
                .map(move |key| (db, key))
        })
    }
}

/// Memory that a stored request takes, about.
fn request_bytes(request: Args<'_>) -> usize {
    request.iter().map(|arg| arg.len() + 16).sum()
}
