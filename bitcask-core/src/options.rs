//! How a store is opened.

use crate::{Compression, Fold};
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
    /// How values are compressed when they are written; off by default. A value stays as it is where that is
    /// shorter. Values written otherwise stay readable, whatever this says.
    pub compression: Compression,
    /// Values shorter than this many bytes are not compressed: there is little to gain.
    pub compress_from_bytes: usize,
    /// Whether a thread of the store's own syncs every second and writes hint files (the default). If
    /// not, call [`crate::Bitcask::tick`] now and then.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Always,
            segment_bytes: 256 << 20,
            fold: None,
            compression: Compression::Off,
            compress_from_bytes: 256,
            background: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("durability", &self.durability)
            .field("segment_bytes", &self.segment_bytes)
            .field("fold", &self.fold.is_some())
            .field("compression", &self.compression)
            .field("compress_from_bytes", &self.compress_from_bytes)
            .field("background", &self.background)
            .finish()
    }
}
