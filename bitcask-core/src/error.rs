//! Why a storage call failed.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a storage call failed, and where.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused `op` on `path`.
    Io {
        /// What was tried.
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No space is left for this write; nothing of it was applied. Reads go on, and writes work again
    /// once there is space.
    Full {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// Bytes at `offset` of `path` fail their check.
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// What is wrong with the bytes.
        reason: &'static str,
    },
    /// Another process holds the directory.
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// An earlier write or sync failed. What reached the disk is unknown, so writes are refused until
    /// the store is opened anew.
    Poisoned {
        /// What failed.
        cause: String,
    },
    /// A key, value or batch is longer than the format can hold.
    TooLarge {
        /// What is too large: `"a key"`, `"a value"` or `"a batch"`.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The greatest length allowed.
        max: u64,
    },
    /// A delta was to follow a record that is no longer the newest of its key.
    ChainMoved,
    /// The record that was asked for by its place lies in a segment that compaction has let go of.
    Retired {
        /// The segment's number.
        segment: u32,
    },
    /// The key's value is a chain of deltas, and the store was opened without a [`crate::Fold`].
    NoFold,
}

impl Error {
    /// True for [`Error::Corrupt`]: what is in the log is damaged, and not only out of reach.
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Corrupt { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { op, path, source } => write!(f, "cannot {op} {}: {source}", path.display()),
            Error::Full { path } => {
                write!(f, "no space left on the device to grow {}", path.display())
            }
            Error::Corrupt { path, offset, reason } => {
                write!(f, "{} is damaged at offset {offset}: {reason}", path.display())
            }
            Error::Locked { path } => {
                write!(f, "{} is in use by another process", path.display())
            }
            Error::Poisoned { cause } => {
                write!(f, "writes are refused until restart, since an earlier one failed: {cause}")
            }
            Error::TooLarge { what, len, max } => {
                write!(f, "{what} of {len} bytes is longer than {max} bytes")
            }
            Error::ChainMoved => {
                f.write_str("the delta follows a record that is no longer the newest")
            }
            Error::Retired { segment } => {
                write!(f, "segment {segment} has been compacted; look the key up again")
            }
            Error::NoFold => {
                f.write_str("the value is a chain of deltas and the store has no fold")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
