//! The log: segments on disk, and the one that is being appended to.
//!
//! [`append`] decides where bytes go, [`segment`] reads them back, [`group`] brings them to the disk,
//! [`pin`] keeps them readable for snapshots.
//! What the bytes mean is not known here; the keydir is updated by a closure that runs inside the
//! append, so that both always agree on the order of changes.

mod append;
mod group;
mod pin;
mod segment;
mod segments;

pub(crate) use append::{Cut, Log, Placed, Still};
pub(crate) use pin::Pin;
pub(crate) use segment::{Front, OwnedRecord, Segment};

use crate::Error;
use crate::storage::Dir;
use std::io;
use std::path::Path;

/// The error of `op` on the file `name` of `dir`.
pub(crate) fn io_error(dir: &dyn Dir, name: &str, op: &'static str, source: io::Error) -> Error {
    let path = dir.path().join(name);
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { path },
        _ => Error::Io { op, path, source },
    }
}

/// The error of opening the directory at `path`.
pub(crate) fn open_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotADirectory => Error::NotADirectory { path },
        io::ErrorKind::NotFound => Error::Missing { path },
        _ => Error::Io { op: "open the directory", path, source },
    }
}

/// The error of a sync of the file `name` of `dir`: final, even if it says that the disk is full.
pub(crate) fn sync_error(dir: &dyn Dir, name: &str, op: &'static str, source: io::Error) -> Error {
    Error::Io { op, path: dir.path().join(name), source }
}

/// Damage in the file `name` of `dir`.
pub(crate) fn corrupt(dir: &dyn Dir, name: &str, offset: u64, reason: &'static str) -> Error {
    Error::Corrupt { path: dir.path().join(name), offset, reason }
}

/// Locks, whether or not a thread panicked while it held the lock: what these mutexes guard is made
/// consistent before anything in their critical sections can panic.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
