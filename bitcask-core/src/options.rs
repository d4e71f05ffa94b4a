//! How a store is opened.
use crate::Fold;
use std::sync::Arc;

/// When an acknowledged write is on disk. The values are those of Redis' `appendfsync`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before it is acknowledged; everyone who waits shares one sync.
    #[default]
    Always,
    /// Within about a second. A killed process loses nothing; a crashed machine loses that second.
    EverySecond,
    /// When the operating system writes it.
    No,
}

/// How to open a [`crate::Bitcask`].
#[derive(Clone)]
pub struct Options {
    /// When an acknowledged write is on disk.
    pub durability: Durability,
    /// A segment is sealed before it grows past this many bytes (a longer record gets its own).
    pub segment_bytes: u32,
    /// Folds delta chains in [`crate::Bitcask::get`]; without one, a chain is an error there.
    pub fold: Option<Arc<dyn Fold>>,
}

impl Default for Options {
    fn default() -> Self {
        Options { durability: Durability::Always, segment_bytes: 256 << 20, fold: None }
    }
}
