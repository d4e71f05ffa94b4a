//! How a store is opened.

use crate::{Clock, CompactionOptions, Compression, Fold, Guard, SystemClock};
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
    /// Reads only, also beside a process that writes: the directory is not locked, and no file is made, changed or
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
    /// Whether a directory of Basho's Bitcask or of pybitcask opens in place (the default; see
    /// [`crate::Bitcask::open`]). If not, it is [`crate::Error::Foreign`]: for a layer above that gives keys a
    /// meaning of its own.
    pub adopt: bool,
    /// When an acknowledged write is on disk.
    pub durability: Durability,
    /// A segment is sealed before it grows past this many bytes (a longer batch gets its own).
    pub segment_bytes: u32,
    /// Folds delta chains in [`crate::Bitcask::get`]; without one, a chain is an error there.
    pub fold: Option<Arc<dyn Fold>>,
    /// Whether point reads look into mappings of the files instead of asking the system for a copy: faster by
    /// some tenths of a microsecond each where the data is in the page cache. Off by default, for what it costs: the resident
    /// memory of the process counts what it has read, as far as the system keeps it, and where the disk fails to
    /// read, or somebody cuts a file of the store, the system ends the process (SIGBUS) instead of giving an error. A
    /// store that is opened for [reading only](Mode::ReadOnly) does not map.
    pub mapped_reads: bool,
    /// How values are compressed when they are written; off by default. A value stays as it is where that is
    /// shorter. Values written otherwise stay readable, whatever this says.
    pub compression: Compression,
    /// Values shorter than this many bytes are not compressed: there is little to gain.
    pub compress_from_bytes: usize,
    /// Whether threads of the store's own sync every second, write hint files, compact, and free what compaction has
    /// removed (the default). If not, call [`crate::Bitcask::tick`] now and then.
    pub background: bool,
    /// When compaction runs by itself, and on what; `None` (the default): only when asked for by
    /// [`crate::Bitcask::compact`].
    pub compaction: Option<CompactionOptions>,
    /// How many bytes a second compaction reads and writes at most; 0 (the default): as many as it can. See
    /// [`crate::Bitcask::set_compaction_rate`].
    pub compaction_rate: u64,
    /// How many bytes a second a backup copies at most; 0 (the default): as many as it can. See
    /// [`crate::Bitcask::set_backup_rate`].
    pub backup_rate: u64,
    /// Whether compaction drops what has expired (the default). A layer above that keeps an index of its own
    /// expiries turns this off.
    pub drop_expired: bool,
    /// Asked before compaction lets go of segments: for a layer above that keeps places of records. A store with values
    /// that mention some ([`crate::Batch::refers`]) is not compacted without one.
    pub guard: Option<Arc<dyn Guard>>,
    /// What compaction in the background knows of time, and by which it and backups keep to their rates. Nothing
    /// else looks at it.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::Create,
            adopt: true,
            durability: Durability::Always,
            segment_bytes: 256 << 20,
            fold: None,
            mapped_reads: false,
            compression: Compression::Off,
            compress_from_bytes: 256,
            background: true,
            compaction: None,
            compaction_rate: 0,
            backup_rate: 0,
            drop_expired: true,
            guard: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .field("adopt", &self.adopt)
            .field("durability", &self.durability)
            .field("segment_bytes", &self.segment_bytes)
            .field("fold", &self.fold.is_some())
            .field("mapped_reads", &self.mapped_reads)
            .field("compression", &self.compression)
            .field("compress_from_bytes", &self.compress_from_bytes)
            .field("background", &self.background)
            .field("compaction", &self.compaction)
            .field("compaction_rate", &self.compaction_rate)
            .field("backup_rate", &self.backup_rate)
            .field("drop_expired", &self.drop_expired)
            .finish_non_exhaustive()
    }
}
