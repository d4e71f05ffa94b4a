//! The handle on an open store: opening it, waiting for the disk, closing it. Its [`reads`], [`writes`] and
//! [`upkeep`] are in files of their own.

mod reads;
mod upkeep;
mod writes;

pub use writes::Committed;

use crate::counter::Counter;
use crate::durable::{Durable, Position, block_on};
use crate::housekeeping::Housekeeper;
use crate::log::{Log, io_error, open_error};
use crate::snapshot::Snapshots;
use crate::storage::Dir;
use crate::storage::disk::DiskDir;
use crate::store::{LOCK_NAME, Store};
use crate::sync::RwLock;
use crate::sync::atomic::AtomicU64;
use crate::{Durability, Error, Mode, Options, RecoveryReport, backup, compaction, recovery};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// An embedded key-value store over one directory. All methods take `&self`; share it between threads.
pub struct Bitcask {
    // Stopped before the store goes.
    housekeeper: Option<Housekeeper>,
    pub(crate) store: Arc<Store>,
    closed: bool,
}

impl Bitcask {
    /// Opens the store at `path`. [`Options::mode`] says whether it is made if it is missing, and whether it
    /// is to be written to.
    ///
    /// A directory of Basho's Bitcask or of pybitcask opens in place. Its data files become the first segments of the
    /// store, and are never written to; changes go to segments of our own, and [compaction](Bitcask::compact) moves
    /// everything over. The first opening for writing reads all of them, notes in a file `adopted` what they are, and
    /// [says](RecoveryReport::classic) what in them was damaged and is skipped; [`Mode::ReadOnly`] changes nothing. From
    /// then on the directory is ours: the other Bitcask must leave it alone. Values that begin with
    /// `bitcask_tombstone` are deletions there, times are of seconds, and nothing expires: an import
    /// ([`crate::classic`]) knows `expiry_secs`.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotADirectory`], [`Error::NotAStore`] if the directory holds files and
    /// none of a store, [`Error::Foreign`] if they are another Bitcask's that do not open in place (bitgask's,
    /// prologic/bitcask's, longer than 4 GiB, or come or grown after the directory was taken over),
    /// [`Error::Locked`] while another process has it open for writing,
    /// [`Error::NewerFormat`]; [`Error::Corrupt`] if data is damaged (a write that a crash cut short is
    /// not: see [`RecoveryReport::torn`]); [`Error::Io`]. No data is changed by an opening that fails.
    ///
    /// # Examples
    /// ```
    /// use bitcask_core::{Bitcask, Error, Mode, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let path = temporary.path().join("store");
    /// let existing = Options { mode: Mode::Existing, ..Options::default() };
    /// assert!(matches!(Bitcask::open(&path, existing), Err(Error::Missing { .. })));
    ///
    /// let writer = Bitcask::open(&path, Options::default())?;
    /// writer.put(b"key", b"value", UnixMillis(0))?;
    ///
    /// let read_only = Options { mode: Mode::ReadOnly, ..Options::default() };
    /// let reader = Bitcask::open(&path, read_only)?;
    /// assert_eq!(reader.get(b"key", UnixMillis(0))?.as_deref(), Some(&b"value"[..]));
    /// assert!(matches!(reader.delete(b"key", UnixMillis(0)), Err(Error::ReadOnly { .. })));
    ///
    /// // In place.
    /// # let old = temporary.path().join("classic");
    /// # bitcask_core::classic::export(&writer, &old, &Default::default(), UnixMillis(0), &mut |_| {})?;
    /// let store = Bitcask::open(&old, Options::default())?;
    /// assert_eq!(store.get(b"key", UnixMillis(0))?.as_deref(), Some(&b"value"[..]));
    /// assert_eq!(store.recovery().classic.as_ref().map(|found| (found.entries, found.skipped)), Some((1, 0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let path = path.as_ref();
        let opened = match options.mode {
            Mode::Create => DiskDir::open(path),
            Mode::Existing | Mode::ReadOnly => DiskDir::open_existing(path),
        };
        let dir = opened.map_err(|e| open_error(path, e))?;
        Self::open_in(Arc::new(dir), options)
    }

    /// Opens the store in `dir`. See [`Bitcask::open`].
    ///
    /// # Errors
    /// As [`Bitcask::open`].
    pub fn open_in(dir: Arc<dyn Dir>, options: Options) -> Result<Self, Error> {
        backup::refuse_unfinished(&*dir)?;
        recovery::check_directory(&*dir, &options)?;
        let read_only = options.mode == Mode::ReadOnly;
        let (lock, recovered) = if read_only {
            (None, recovery::view(&dir)?)
        } else {
            let lock = dir
                .try_lock(LOCK_NAME)
                .map_err(|e| io_error(&*dir, LOCK_NAME, "lock", e))?
                .ok_or_else(|| Error::Locked { path: dir.path().to_owned() })?;
            (Some(lock), recovery::recover(&dir)?)
        };
        let log = Log::new(
            dir.clone(),
            recovered.sealed,
            recovered.active,
            recovered.next_id,
            recovered.next_sequence,
            &options,
        );
        let compaction = compaction::State::new(
            &options,
            recovered.retired,
            recovered.abandoned,
            recovered.referring,
        );
        let store = Arc::new(Store {
            log,
            compaction,
            adopted: recovered.adopted,
            keydir: RwLock::new(recovered.keydir),
            snapshots: Snapshots::default(),
            fold: options.fold,
            compression: options.compression,
            compress_from_bytes: options.compress_from_bytes,
            recovery: recovered.report,
            reads: Counter::default(),
            backup_rate: AtomicU64::new(options.backup_rate),
            deltas: AtomicU64::new(0),
            lock,
        });
        let housekeeper = if options.background && !read_only {
            let started = Housekeeper::start(&Arc::downgrade(&store));
            Some(started.map_err(|e| io_error(&*dir, "", "start the thread that serves", e))?)
        } else {
            None
        };
        Ok(Bitcask { housekeeper, store, closed: false })
    }

    /// What opening found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.store.recovery
    }

    /// Changes when an acknowledged write is on disk, from now on.
    pub fn set_durability(&self, durability: Durability) {
        self.store.log.set_durability(durability);
    }

    /// When an acknowledged write is on disk.
    pub fn durability(&self) -> Durability {
        self.store.log.durability()
    }

    /// Completes once everything before `position` is as durable as [`Options::durability`] asks:
    /// handed to the system, and under [`Durability::Always`] on disk.
    ///
    /// A plain `std` future for any executor. The task that finds no sync running does the sync while it
    /// is polled; the others are woken when it is done.
    pub fn durable(&self, position: Position) -> Durable<'_> {
        Durable { store: &self.store, position: position.0, on_disk: false }
    }

    /// True if [`Bitcask::durable`] would complete at once, with nothing to do.
    pub fn is_durable(&self, position: Position) -> bool {
        self.store.log.is_durable(position.0)
    }

    /// Where the log ends now.
    pub fn position(&self) -> Position {
        Position(self.store.log.position())
    }

    /// Blocks until [`Bitcask::durable`] would complete.
    ///
    /// # Errors
    /// [`Error::Poisoned`] or [`Error::Io`] if the write or sync failed.
    pub fn wait_durable(&self, position: Position) -> Result<(), Error> {
        block_on(self.durable(position))
    }

    /// Brings everything written so far to the disk, whatever the durability setting.
    ///
    /// # Errors
    /// As [`Bitcask::wait_durable`].
    pub fn sync(&self) -> Result<(), Error> {
        self.store.sync()
    }

    /// Hands everything written so far to the system: it then survives the end of the process, and not that
    /// of the machine. [`Bitcask::sync`] does both.
    ///
    /// # Errors
    /// [`Error::Poisoned`] or [`Error::Io`] if it cannot be written.
    pub fn flush(&self) -> Result<(), Error> {
        self.store.log.flush().map(|_| ())
    }

    /// Syncs, writes the hint of the last segment, and lets the directory go. Dropping the store does
    /// the same, and keeps errors to itself.
    ///
    /// # Errors
    /// What failed; everything acknowledged is safe all the same.
    pub fn close(mut self) -> Result<(), Error> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), Error> {
        // Not waiting for it: the thread that compacts may be the one that drops the last handle.
        self.store.compaction.request_stop();
        self.housekeeper = None;
        if std::mem::replace(&mut self.closed, true) || self.store.lock.is_none() {
            return Ok(());
        }
        self.store.finish()
    }
}

impl Drop for Bitcask {
    fn drop(&mut self) {
        let _ = self.shut();
    }
}

impl fmt::Debug for Bitcask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bitcask").field("path", &self.store.log.dir.path()).finish_non_exhaustive()
    }
}
