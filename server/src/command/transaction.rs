//! The commands between `MULTI` and `EXEC`.
//!
//! Marking an event is a transaction of a few commands, so this is a hot path: the queue keeps requests
//! as they were received, in one buffer that the next transaction uses again, and decodes them anew.

use super::{Command, Flags, KeyPositions};
use bitmap_store::Db;
use resp::{Args, Decoder, Limits};

/// Commands waiting for `EXEC`.
pub(crate) struct Queue {
    open: bool,
    aborted: bool,
    /// Each with the end of its request.
    commands: Vec<(&'static Command, usize)>,
    requests: Vec<u8>,
    /// The keys of all commands, one after another, and where each ends.
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    decoder: Decoder,
}

/// Buffers above this are not kept for the next transaction.
const KEPT_BYTES: usize = 16 << 10;

impl Default for Queue {
    fn default() -> Self {
        // What is queued has passed the limits of the connection already.
        let limits = Limits { max_request: u32::MAX as usize, ..Limits::default() };
        Queue {
            open: false,
            aborted: false,
            commands: Vec::new(),
            requests: Vec::new(),
            keys: Vec::new(),
            key_ends: Vec::new(),
            decoder: Decoder::new(limits),
        }
    }
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
        self.requests.clear();
        self.keys.clear();
        self.key_ends.clear();
        if self.requests.capacity() > KEPT_BYTES {
            *self = Queue::default();
        }
        (self.open, self.aborted) = (false, false);
    }

    /// A command was refused: `EXEC` will refuse all.
    pub(crate) fn abort(&mut self) {
        self.aborted = self.open;
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Adds a command whose request was decoded from `raw`.
    pub(crate) fn push(&mut self, command: &'static Command, request: Args<'_>, raw: &[u8]) {
        self.requests.extend_from_slice(raw);
        self.commands.push((command, self.requests.len()));
        for i in KeyPositions::of(command.spec.keys, request.len()) {
            self.keys.extend_from_slice(request.get(i).unwrap_or_default());
            self.key_ends.push(self.keys.len());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Memory held, about.
    pub(crate) fn bytes(&self) -> usize {
        let entry = size_of::<(&Command, usize)>();
        self.requests.len() + self.keys.len() + entry * self.len() + 8 * self.key_ends.len()
    }

    /// The command at `index` and its request.
    pub(crate) fn get(&mut self, index: usize) -> (&'static Command, Args<'_>) {
        let (command, end) = self.commands[index];
        let start = index.checked_sub(1).map_or(0, |before| self.commands[before].1);
        let raw = &self.requests[start..end];
        let decoded = self.decoder.decode(raw);
        assert!(matches!(decoded, Ok(Some(n)) if n == raw.len()), "a queued request decodes again");
        (command, self.decoder.args(raw))
    }

    /// Whether the transaction needs all keys: a command does, or their database is not known yet.
    pub(crate) fn writes(&self) -> bool {
        self.commands.iter().any(|(command, _)| command.spec.flags.has(Flags::WRITE))
    }

    pub(crate) fn needs_everything(&self) -> bool {
        self.commands.iter().any(|(command, _)| {
            command.spec.flags.has(Flags::EXCLUSIVE)
                || command.spec.flags.has(Flags::OTHER_DB)
                || command.spec.name == "select"
        })
    }

    /// The keys of all commands, which run in `db`.
    pub(crate) fn keys(&self, db: Db) -> impl Iterator<Item = (Db, &[u8])> {
        let mut start = 0;
        self.key_ends.iter().map(move |&end| {
            let key = &self.keys[start..end];
            start = end;
            (db, key)
        })
    }
}
