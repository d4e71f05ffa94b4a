//! Copies of a running store: as a directory, as one stream, and back.
//!
//! Sealed segments never change, so a consistent copy is those, and the active one as far as it was written at
//! one moment between two changes: a [`Cut`]. Everything in it is copied under the same names, and the copy
//! opens like any other store.

mod directory;
mod stream;

use crate::log::Cut;
use crate::storage::Dir;
use crate::storage::disk::{DiskDir, replace_file};
use crate::{Bitcask, Error};
use std::io::{Read, Write};
use std::path::Path;

pub(crate) use directory::refuse_unfinished;

/// What a backup or a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Segments of the copy.
    pub segments: usize,
    /// Of these: segments that were linked, and take no space of their own while both directories keep them.
    pub linked: usize,
    /// Of these: segments that an earlier backup into the same directory had brought already.
    pub kept: usize,
    /// Segments that the store no longer has, removed from the copy.
    pub removed: usize,
    /// Bytes that were copied.
    pub copied_bytes: u64,
    /// The sequence number of the last change in the copy.
    pub sequence: u64,
}

impl Bitcask {
    /// Copies the store as it is now into the directory `target`, which is made if it is missing. The copy opens
    /// like any store. Reads and writes go on meanwhile.
    ///
    /// On one file system sealed segments are linked, not copied: that takes milliseconds. If `target` holds an
    /// earlier backup of this store, only what is new is brought, and what the store no longer has is removed:
    /// an incremental backup. Until a backup is complete, `target` cannot be opened; should it break off, call
    /// it again.
    ///
    /// # Errors
    /// [`Error::NotABackup`] if `target` holds anything else, or was written to since; [`Error::Locked`] while
    /// somebody uses `target`; [`Error::Full`], [`Error::Io`].
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<BackupReport, Error> {
        let target = target.as_ref();
        let dir = DiskDir::open(target).map_err(|source| Error::Io {
            op: "open the directory",
            path: target.to_owned(),
            source,
        })?;
        self.backup_in(&dir)
    }

    /// [`Bitcask::backup`] into an open directory.
    ///
    /// # Errors
    /// As [`Bitcask::backup`].
    pub fn backup_in(&self, target: &dyn Dir) -> Result<BackupReport, Error> {
        directory::copy(&*self.store.log.dir, &self.cut()?, target)
    }

    /// Writes the store as it is now to `out`, in one piece whose end says that it is complete; see
    /// [`Bitcask::restore`]. Reads and writes go on meanwhile. What `out` is written to is not synced.
    ///
    /// # Errors
    /// [`Error::Io`] if `out` refuses, or the store cannot be read.
    pub fn backup_to(&self, out: &mut dyn Write) -> Result<BackupReport, Error> {
        stream::write(&*self.store.log.dir, &self.cut()?, out)
    }

    /// [`Bitcask::backup_to`] a file, which is made, or replaced once the new one is complete and on disk.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]; then the file is as it was.
    pub fn backup_file(&self, path: impl AsRef<Path>) -> Result<BackupReport, Error> {
        replace_file(path.as_ref(), |out| self.backup_to(out))
    }

    /// Makes a store of what [`Bitcask::backup_to`] wrote, in `target`, which must be missing or empty. `name` is
    /// what errors call the input. If it breaks off, `target` cannot be opened, and the next restore begins
    /// anew.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the backup is damaged or not complete; [`Error::NotEmpty`]; [`Error::Locked`];
    /// [`Error::Full`], [`Error::Io`].
    pub fn restore(
        name: impl AsRef<Path>,
        input: &mut dyn Read,
        target: impl AsRef<Path>,
    ) -> Result<BackupReport, Error> {
        let target = target.as_ref();
        let dir = DiskDir::open(target).map_err(|source| Error::Io {
            op: "open the directory",
            path: target.to_owned(),
            source,
        })?;
        Self::restore_in(name, input, &dir)
    }

    /// [`Bitcask::restore`] into an open directory.
    ///
    /// # Errors
    /// As [`Bitcask::restore`].
    pub fn restore_in(
        name: impl AsRef<Path>,
        input: &mut dyn Read,
        target: &dyn Dir,
    ) -> Result<BackupReport, Error> {
        directory::restore(name.as_ref(), input, target)
    }

    /// Reads the whole of what [`Bitcask::backup_to`] wrote and checks it, and every record in it, without writing
    /// anything.
    ///
    /// # Errors
    /// As [`Bitcask::restore`].
    pub fn verify_backup(
        name: impl AsRef<Path>,
        input: &mut dyn Read,
    ) -> Result<BackupReport, Error> {
        stream::verify(name.as_ref(), input)
    }

    fn cut(&self) -> Result<Cut, Error> {
        let mut cut = self.store.log.cut()?;
        let retired = self.store.compaction.retired();
        let newest = cut.segments.last().map_or(0, |(segment, _)| segment.id);
        let has = |id: u32| cut.segments.binary_search_by_key(&id, |(segment, _)| segment.id);
        cut.abandoned =
            (1..newest).filter(|id| has(*id).is_err() && !retired.contains(*id)).collect();
        Ok(cut)
    }
}
