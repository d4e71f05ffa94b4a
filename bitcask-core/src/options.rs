//! How a store is opened.

use crate::Fold;
use std::fmt;
use std::sync::Arc;

/// When an acknowledged write is on disk. The values are those of Redis' `appendfsync`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before it is acknowledged; everyone who waits shares one sync.
    #[default]
    Always,
    /// Within about a second. A killed process loses nothing; a crashed machine loses that second.
    EverySecond,
    /// When the operating system writes it. A killed process loses nothing.
    No,
}

/// What may be done with a store, and what if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Reads and writes; a directory that is missing or empty becomes a new store.
    #[default]
    Create,
    /// Reads and writes; a store that is missing is [`crate::Error::Missing`].
    Existing,
    /// Reads only, also beside a process that writes: no lock is taken, and no file is made, changed or
    /// removed. What is seen is the store as it was when it was opened, as far as the writer had
    /// handed its writes to the system; open it again to see more. A store that is missing is
    /// [`crate::Error::Missing`], and writing is [`crate::Error::ReadOnly`].
    ReadOnly,
}

/// How to open a [`crate::Bitcask`].
#[derive(Clone)]
pub struct Options {
    /// What may be done with the store, and what if there is none.
    pub mode: Mode,
    /// When an acknowledged write is on disk.
    pub durability: Durability,
    /// A segment is sealed before it grows past this many bytes (a longer batch gets its own).
    pub segment_bytes: u32,
    /// Folds delta chains in [`crate::Bitcask::get`]; without one, a chain is an error there.
    pub fold: Option<Arc<dyn Fold>>,
    /// Whether a thread of the store's own syncs every second and writes hint files (the default). If
    /// not, call [`crate::Bitcask::tick`] now and then.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::Create,
            durability: Durability::Always,
            segment_bytes: 256 << 20,
            fold: None,
            background: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .field("durability", &self.durability)
            .field("segment_bytes", &self.segment_bytes)
            .field("fold", &self.fold.is_some())
            .field("background", &self.background)
            .finish()
    }
}
