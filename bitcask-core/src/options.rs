//! How a store is opened.

use crate::{Clock, CompactionOptions, Fold, Guard, SystemClock};
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

/// How to open a [`crate::Bitcask`].
#[derive(Clone)]
pub struct Options {
    /// When an acknowledged write is on disk.
    pub durability: Durability,
    /// A segment is sealed before it grows past this many bytes (a longer batch gets its own).
    pub segment_bytes: u32,
    /// Folds delta chains in [`crate::Bitcask::get`]; without one, a chain is an error there.
    pub fold: Option<Arc<dyn Fold>>,
    /// Whether a thread of the store's own syncs every second and writes hint files (the default). If
    /// not, call [`crate::Bitcask::tick`] now and then.
    pub background: bool,
    /// When compaction runs by itself, and on what; `None` (the default): only when asked for by
    /// [`crate::Bitcask::compact`].
    pub compaction: Option<CompactionOptions>,
    /// How many bytes a second compaction reads and writes at most; 0 (the default): as many as it can. See
    /// [`crate::Bitcask::set_compaction_rate`].
    pub compaction_rate: u64,
    /// Whether compaction drops what has expired (the default). A layer above that keeps an index of its own
    /// expiries turns this off.
    pub drop_expired: bool,
    /// Asked before compaction lets go of segments: for a layer above that keeps places of records.
    pub guard: Option<Arc<dyn Guard>>,
    /// What compaction in the background knows of time. Nothing else looks at it.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Always,
            segment_bytes: 256 << 20,
            fold: None,
            background: true,
            compaction: None,
            compaction_rate: 0,
            drop_expired: true,
            guard: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("durability", &self.durability)
            .field("segment_bytes", &self.segment_bytes)
            .field("fold", &self.fold.is_some())
            .field("background", &self.background)
            .field("compaction", &self.compaction)
            .field("compaction_rate", &self.compaction_rate)
            .field("drop_expired", &self.drop_expired)
            .finish_non_exhaustive()
    }
}
