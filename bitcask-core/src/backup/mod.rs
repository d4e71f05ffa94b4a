//! Copies of a running store: as a directory, as one stream, and back.
//!
//! Sealed segments never change, so a consistent copy is those, and the active one as far as it was written at
//! one moment between two changes: a [`Cut`]. Everything in it is copied under the same names, and the copy
//! opens like any other store.

mod directory;
mod history;
mod stream;

use crate::log::{Cut, open_error};
use crate::storage::Dir;
use crate::storage::disk::{DiskDir, replace_file};
use crate::sync::atomic::Ordering;
use crate::{Bitcask, Error};
use std::io::{Read, Write};
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

pub(crate) use directory::refuse_unfinished;
pub use history::AsOf;

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

/// How far [`Bitcask::backup_telling`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// Bytes that are in the copy by now: linked, copied, or there before.
    pub done_bytes: u64,
    /// Bytes that it will have.
    pub total_bytes: u64,
}

/// A segment of this length is sealed for a backup: what is shorter is sooner copied than what the log would have of so
/// many short ones.
const SEAL_FROM_BYTES: u64 = 1 << 20;

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
        self.backup_telling(target, &mut |_| {})
    }

    /// [`Bitcask::backup`] that tells `progress` of every piece that it has copied, and of every segment.
    ///
    /// # Errors
    /// As [`Bitcask::backup`].
    pub fn backup_telling(
        &self,
        target: impl AsRef<Path>,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<BackupReport, Error> {
        let target = target.as_ref();
        let dir = DiskDir::open(target).map_err(|e| open_error(target, e))?;
        self.backup_into(&dir, progress)
    }

    /// [`Bitcask::backup`] into an open directory.
    ///
    /// # Errors
    /// As [`Bitcask::backup`].
    pub fn backup_in(&self, target: &dyn Dir) -> Result<BackupReport, Error> {
        self.backup_into(target, &mut |_| {})
    }

    fn backup_into(
        &self,
        target: &dyn Dir,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<BackupReport, Error> {
        // A segment that is written to is copied, one that is sealed is linked.
        let active = self.store.log.active().1;
        if self.store.lock.is_some() && active >= SEAL_FROM_BYTES {
            // Nobody waits for this sync, and little is left to that of sealing, for which writers wait.
            self.store.sync()?;
            self.store.log.seal()?;
        }
        let pace = &|bytes| self.pace(bytes);
        directory::copy(&*self.store.log.dir, &self.cut()?, target, pace, progress)
    }

    /// Writes the store as it is now to `out`, in one piece whose end says that it is complete; see
    /// [`Bitcask::restore`]. Reads and writes go on meanwhile. What `out` is written to is not synced.
    ///
    /// # Errors
    /// [`Error::Io`] if `out` refuses, or the store cannot be read.
    pub fn backup_to(&self, out: &mut dyn Write) -> Result<BackupReport, Error> {
        stream::write(&*self.store.log.dir, &self.cut()?, out, &|bytes| self.pace(bytes))
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
        let dir = DiskDir::open(target).map_err(|e| open_error(target, e))?;
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

    /// Makes a store in `target`, which must be missing or empty, of what the store or backup at `source` held at
    /// a moment in the past. Reads the whole log, and writes nothing to `source`; should somebody be writing
    /// there, it may fail, and can be tried again.
    ///
    /// # Errors
    /// [`Error::Forgotten`] if compaction has let go of what there was then; [`Error::Foreign`] as long as files of
    /// another Bitcask are part of the store: compact it first; [`Error::Missing`], [`Error::Corrupt`],
    /// [`Error::NotEmpty`], [`Error::Locked`], [`Error::Full`], [`Error::Io`].
    ///
    /// # Examples
    /// ```
    /// use bitcask_core::{AsOf, Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let (path, then) = (temporary.path().join("store"), temporary.path().join("then"));
    /// let store = Bitcask::open(&path, Options::default())?;
    /// store.put(b"key", b"right", UnixMillis(1000))?;
    /// store.put(b"key", b"wrong", UnixMillis(2000))?;
    /// store.close()?;
    /// Bitcask::restore_as_of(&path, AsOf::Time(UnixMillis(1500)), &then)?;
    /// let store = Bitcask::open(&then, Options::default())?;
    /// assert_eq!(store.get(b"key", UnixMillis(3000))?.as_deref(), Some(&b"right"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_as_of(
        source: impl AsRef<Path>,
        as_of: AsOf,
        target: impl AsRef<Path>,
    ) -> Result<BackupReport, Error> {
        let (source, target) = (source.as_ref(), target.as_ref());
        let source = DiskDir::open_existing(source).map_err(|e| open_error(source, e))?;
        let target = DiskDir::open(target).map_err(|e| open_error(target, e))?;
        Self::restore_as_of_in(&source, as_of, &target)
    }

    /// [`Bitcask::restore_as_of`] of open directories.
    ///
    /// # Errors
    /// As [`Bitcask::restore_as_of`].
    pub fn restore_as_of_in(
        source: &dyn Dir,
        as_of: AsOf,
        target: &dyn Dir,
    ) -> Result<BackupReport, Error> {
        history::restore(source, as_of, target)
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

    /// Waits as long as copying so much may take.
    fn pace(&self, bytes: u64) {
        let Some(rate) = NonZeroU64::new(self.store.backup_rate.load(Ordering::Relaxed)) else {
            return;
        };
        let micros = bytes.saturating_mul(1_000_000) / rate;
        self.store.compaction.clock.sleep(Duration::from_micros(micros));
    }

    fn cut(&self) -> Result<Cut, Error> {
        // Before the cut: what goes after it is not said to have gone in the log that is copied.
        let mut known = self.store.compaction.retired();
        let mut cut = self.store.log.cut()?;
        let newest = cut.segments.last().map_or(0, |(segment, _)| segment.id);
        cut.segments.iter().for_each(|(segment, _)| known.insert(segment.id));
        if cut.segments.iter().any(|(segment, _)| segment.reading.is_some()) {
            cut.adopted.clone_from(&self.store.adopted);
        }
        cut.abandoned = known.gaps(newest).flatten().collect();
        Ok(cut)
    }
}
