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
    /// There is no store at `path`, and it was not to be made.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// `path` is something other than a directory.
    NotADirectory {
        /// What was to be opened.
        path: PathBuf,
    },
    /// The directory holds files, and none of a store: nothing was written to it.
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// One of the files that are in it.
        found: String,
    },
    /// The directory, or a file in it, is another Bitcask's and cannot be used as it is: nothing was written.
    Foreign {
        /// The directory or file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// A backup or a restore into the directory broke off: what is there is not the whole store. Do it again.
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// The directory that a backup was to go to holds something else; nothing was written.
    NotABackup {
        /// The file that is in the way.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What the store held at the moment asked for can't be told any more: compaction has let go of it.
    Forgotten {
        /// The directory.
        path: PathBuf,
        /// The sequence number of the earliest moment that can be.
        earliest: u64,
    },
    /// The directory that a store was to be made in has files; nothing was written.
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One of its files.
        found: String,
    },
    /// A later version of this crate wrote `path`; use that one, or a newer.
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format version.
        version: u8,
    },
    /// The store was opened for reading only.
    ReadOnly {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody else changed `key` in the meantime: nothing was applied. Read again, and try again.
    Conflict {
        /// The key that is not as it was expected, or as it was read.
        key: Vec<u8>,
    },
    /// Another process holds the directory.
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds nothing that this program knows how to read.
    Unrecognised {
        /// The directory.
        path: PathBuf,
        /// What was looked for.
        reason: &'static str,
    },
    /// An earlier write or sync failed. What reached the disk is unknown, so writes are refused until
    /// the store is opened anew.
    Poisoned {
        /// What failed.
        cause: String,
    },
    /// A key has no bytes.
    EmptyKey,
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
    /// Values mention places of others ([`crate::Batch::refers`]), and the store was opened without the
    /// [`crate::Guard`] of whoever wrote them: what they mention would be lost by compaction.
    NoGuard,
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
            Error::Missing { path } => write!(f, "there is no store at {}", path.display()),
            Error::NotADirectory { path } => {
                write!(f, "{} is not a directory, and so no store", path.display())
            }
            Error::NotAStore { path, found } => write!(
                f,
                "{} is no store: it holds other files, such as {found}; choose an empty directory",
                path.display()
            ),
            Error::Foreign { path, reason } => {
                write!(f, "{} is another Bitcask's: {reason}", path.display())
            }
            Error::Unfinished { path } => write!(
                f,
                "{} holds a copy that broke off: back up or restore into it again",
                path.display()
            ),
            Error::NotABackup { path, reason } => write!(
                f,
                "cannot back up beside {}: {reason}; choose another directory",
                path.display()
            ),
            Error::Forgotten { path, earliest } => write!(
                f,
                "{} reaches back to sequence number {earliest}: compaction has let go of what was before",
                path.display()
            ),
            Error::NotEmpty { path, found } => write!(
                f,
                "{} is not empty: it holds {found}; choose an empty directory",
                path.display()
            ),
            Error::NewerFormat { path, version } => write!(
                f,
                "{} is of format version {version}, which a later version of this program wrote",
                path.display()
            ),
            Error::ReadOnly { path } => {
                write!(f, "{} was opened for reading only", path.display())
            }
            Error::Conflict { key } => {
                write!(f, "the key {} was changed by somebody else", key.escape_ascii())
            }
            Error::Locked { path } => {
                write!(f, "{} is in use by another process", path.display())
            }
            Error::Unrecognised { path, reason } => {
                write!(f, "{} is not recognised: {reason}", path.display())
            }
            Error::Poisoned { cause } => {
                write!(f, "writes are refused until restart, since an earlier one failed: {cause}")
            }
            Error::EmptyKey => f.write_str("the key is empty: a key has at least one byte"),
            Error::TooLarge { what, len, max } => {
                write!(f, "{what} of {len} bytes is longer than {max} bytes")
            }
            Error::ChainMoved => {
                f.write_str("the delta follows a record that is no longer the newest")
            }
            Error::Retired { segment } => {
                write!(f, "segment {segment} has been compacted; look the key up again")
            }
            Error::NoGuard => f.write_str(
                "values mention places of others, which compaction without a guard would lose",
            ),
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
