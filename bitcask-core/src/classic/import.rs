//! From a foreign directory into a store.

use super::directory::Directory;
use crate::storage::staged::StagedDir;
use crate::{Batch, Bitcask, Error, Options, UnixMillis};
use std::path::Path;

/// A batch is written once it has so many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// How far an import has come, and in the end what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportReport {
    /// Entries written.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Entries left out because they had expired.
    pub expired: u64,
    /// The entry of the empty key, which is left out: a store has none.
    pub skipped: u64,
    /// Entries that there are, as [`Directory::len`] says.
    pub total: u64,
}

/// Puts every live entry of `from` into `store`, with its expiry and timestamp, and waits until all of it is on
/// disk. Keys that the store has already are set to what the directory says; others are left alone, also those
/// that were deleted or have expired there.
///
/// Each entry is written wholly or not at all. An import that breaks off has written some of them; repeated,
/// it writes all, and the contents are as if it had not broken off. [`import_to`] makes a new store, which is
/// there only when it is complete.
///
/// `progress` is called after each batch of about a megabyte.
///
/// # Errors
/// Those of [`Directory::entries`] and of [`Bitcask::write`].
pub fn import(
    from: &Directory,
    store: &Bitcask,
    now: UnixMillis,
    progress: &mut dyn FnMut(&ImportReport),
) -> Result<ImportReport, Error> {
    let mut report = ImportReport { total: from.len() as u64, ..ImportReport::default() };
    let mut batch = Batch::new(now);
    for entry in from.entries() {
        let entry = entry?;
        if entry.expires_at.is_some_and(|at| at <= now) {
            report.expired += 1;
            continue;
        }
        if entry.key.is_empty() {
            report.skipped += 1;
            continue;
        }
        batch.set_timestamp(entry.written_at);
        batch.put(&entry.key, &entry.value, entry.expires_at);
        report.entries += 1;
        report.bytes += (entry.key.len() + entry.value.len()) as u64;
        if batch.log_bytes() >= BATCH_BYTES {
            store.write(&mut batch)?;
            batch.reset(now);
            progress(&report);
        }
    }
    store.write(&mut batch)?;
    store.sync()?;
    progress(&report);
    Ok(report)
}

/// Makes a store at `to`, which must not be there or be an empty directory, of the live entries of `from`. It
/// is made under another name (`.NAME.unfinished` beside it) and gets its own once it is complete and on disk:
/// whatever breaks the import off, there is no half a store, and the next attempt begins anew.
///
/// # Errors
/// As [`import`]; [`Error::Io`] if `to` has contents.
pub fn import_to(
    from: &Directory,
    to: impl AsRef<Path>,
    options: Options,
    now: UnixMillis,
    progress: &mut dyn FnMut(&ImportReport),
) -> Result<ImportReport, Error> {
    let to = to.as_ref();
    let fail = |source| Error::Io { op: "make", path: to.to_owned(), source };
    let staged = StagedDir::begin(to).map_err(fail)?;
    let store = Bitcask::open(staged.path(), options)?;
    let report = import(from, &store, now, progress)?;
    store.close()?;
    staged.publish().map_err(fail)?;
    Ok(report)
}
