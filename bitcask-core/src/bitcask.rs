//! The store: open, read, write, wait for the disk.

use crate::backup;
use crate::compaction::{self, CompactionOptions, CompactionReport, Progress, Reclaimable};
use crate::format::record::{self, Head, Invalid, Kind};
use crate::housekeeping::Housekeeper;
use crate::iter::{Entries, KeyValue, Keys};
use crate::keydir::{KeyDir, Place};
use crate::log::{Log, OwnedRecord, Placed, Segment, io_error};
use crate::metadata::{Carrier, Metadata};
use crate::recovery::{self, RecoveryReport};
use crate::snapshot::{Snapshot, Snapshots};
use crate::stats::{SegmentStats, Stats};
use crate::storage::disk::DiskDir;
use crate::storage::{Dir, Lock};
use crate::transaction::Transaction;
use crate::view::View;
use crate::{
    Batch, Chain, Compression, Durability, Error, Fold, KeyRange, Location, Mode, Options,
    RecordIndex, UnixMillis,
};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) const LOCK_NAME: &str = "lock";
/// A record whose length is not known is read with so many bytes at first: enough for most deltas.
const GUESS_BYTES: usize = 256;
/// A record up to this length is read whole where only its head is asked for, so that its checksum is verified.
const SHORT_BYTES: usize = 4 << 10;

/// An embedded key-value store over one directory. All methods take `&self`; share it between threads.
pub struct Bitcask {
    // Stopped before the store goes.
    housekeeper: Option<Housekeeper>,
    pub(crate) store: Arc<Store>,
    closed: bool,
}

/// What the handle and the housekeeper share.
pub(crate) struct Store {
    pub(crate) log: Log,
    pub(crate) keydir: RwLock<KeyDir>,
    pub(crate) snapshots: Snapshots,
    pub(crate) compaction: compaction::State,
    pub(crate) fold: Option<Arc<dyn Fold>>,
    compression: Compression,
    compress_from_bytes: usize,
    recovery: RecoveryReport,
    reads: AtomicU64,
    /// Deltas appended.
    deltas: AtomicU64,
    /// Held until everything above is gone; none by a store that is only read.
    lock: Option<Box<dyn Lock>>,
}

/// A position in the log of an open store: what [`Bitcask::durable`] waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

/// Where a batch went.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    placed: Placed,
}

impl Committed {
    /// Where the log ends now: pass it to [`Bitcask::durable`].
    pub fn position(&self) -> Position {
        Position(self.placed.position)
    }

    /// Where a record of `batch`, the batch that was written, lies.
    pub fn location(&self, batch: &Batch, record: RecordIndex) -> Location {
        let pending = &batch.records[record.0 as usize];
        self.placed.location(pending.start, pending.end)
    }

    /// The sequence number of a record of `batch`, the batch that was written: what [`Metadata::sequence`]
    /// says of its key from now on.
    pub fn sequence(&self, batch: &Batch, record: RecordIndex) -> u64 {
        batch.first_sequence + u64::from(record.0)
    }
}

/// A key's value as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value of the base record.
    pub base: Vec<u8>,
    /// The deltas that follow it, oldest first; one for each further link of `chain`.
    pub deltas: Vec<Vec<u8>>,
    /// Its records.
    pub chain: Chain,
    /// The key's expiry. An entry past it is still returned: the caller knows the time.
    pub expires_at: Option<UnixMillis>,
    /// Sequence number of the newest record.
    pub sequence: u64,
    /// When the newest record was written, by the writer's clock.
    pub written_at: UnixMillis,
    /// Whether a record of it was said to mention places of others: see [`Batch::refers`].
    pub refers: bool,
}

impl Bitcask {
    /// Opens the store at `path`. [`Options::mode`] says whether it is made if it is missing, and whether it
    /// is to be written to.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotADirectory`], [`Error::NotAStore`] if the directory holds files and
    /// none of a store, [`Error::Locked`] while another process has it open for writing,
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
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let path = path.as_ref();
        let opened = match options.mode {
            Mode::Create => DiskDir::open(path),
            Mode::Existing | Mode::ReadOnly => DiskDir::open_existing(path),
        };
        let dir = opened.map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotADirectory => Error::NotADirectory { path },
                io::ErrorKind::NotFound => Error::Missing { path },
                _ => Error::Io { op: "open the directory", path, source },
            }
        })?;
        Self::open_in(Arc::new(dir), options)
    }

    /// Opens the store in `dir`. See [`Bitcask::open`].
    ///
    /// # Errors
    /// As [`Bitcask::open`].
    pub fn open_in(dir: Arc<dyn Dir>, options: Options) -> Result<Self, Error> {
        backup::refuse_unfinished(&*dir)?;
        recovery::check_directory(&*dir, options.mode, LOCK_NAME)?;
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
            options.segment_bytes,
            options.durability,
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
            keydir: RwLock::new(recovered.keydir),
            snapshots: Snapshots::default(),
            fold: options.fold,
            compression: options.compression,
            compress_from_bytes: options.compress_from_bytes,
            recovery: recovered.report,
            reads: AtomicU64::new(0),
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

    /// The value of `key`, its chain folded, if it has not expired by `now`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record fails its check, or the fold refuses its bytes;
    /// [`Error::NoFold`] if there are deltas and [`Options::fold`] is not set; [`Error::Io`].
    pub fn get(&self, key: &[u8], now: UnixMillis) -> Result<Option<Vec<u8>>, Error> {
        self.view().get(key, now)
    }

    /// What is known of `key` without its value: sequence number, expiry, length. Expired or not: see
    /// [`Metadata::is_expired`].
    ///
    /// Reads one record, or the head of it if it is longer than 4 KiB: its checksum, which covers the value,
    /// is then not verified, only that the record agrees with the index. One more for a key whose expiry was set by
    /// [`Bitcask::set_expiry`].
    ///
    /// # Errors
    /// As [`Bitcask::entry`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// store.put_expiring(b"key", b"value", UnixMillis(500), UnixMillis(100))?;
    /// let metadata = store.metadata(b"key")?.expect("it was just put");
    /// assert_eq!((metadata.value_bytes, metadata.chain_records), (Some(5), 1));
    /// assert!(metadata.is_expired(UnixMillis(500)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metadata(&self, key: &[u8]) -> Result<Option<Metadata>, Error> {
        self.view().metadata(key)
    }

    /// The records of `key` as they lie in the log, expired or not.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record fails its check; [`Error::Io`].
    pub fn entry(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.view().entry(key)
    }

    /// Where the newest record of `key` lies, expired or not. Never reads the disk.
    pub fn location(&self, key: &[u8]) -> Option<Location> {
        self.store.keydir().get(key)
    }

    /// The records of `key` as they were when the one at `location` was its newest. They are there whatever has
    /// become of the key since, until compaction lets go of a segment that has one of them: who keeps
    /// locations for later keeps that from happening by a [`crate::Guard`].
    ///
    /// # Errors
    /// [`Error::Retired`] if compaction has let go of a segment; [`Error::Corrupt`] if there is no record of
    /// `key` at `location`, or it fails its check; [`Error::Io`].
    pub fn entry_at(&self, key: &[u8], location: Location) -> Result<Entry, Error> {
        self.store.entry(key, location)
    }

    /// The segments that hold the records of `key` as they were when the one at `location` was its newest: see
    /// [`Bitcask::entry_at`]. Reads its deltas, and not its base.
    ///
    /// # Errors
    /// As [`Bitcask::entry_at`].
    pub fn segments_at(&self, key: &[u8], location: Location) -> Result<Vec<u32>, Error> {
        let places = self.store.chain_places(key, location)?;
        Ok(places.into_iter().map(|(segment, _)| segment).collect())
    }

    /// The value of the newest record of `key` that has one, expired or not — its base or its newest delta:
    /// one read, or two if the key's expiry was set after it.
    ///
    /// # Errors
    /// As [`Bitcask::entry`].
    pub fn newest(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.view().newest(key)
    }

    /// The expiry of `key`, from its newest record: one read. `None` if there is no such key, or it never
    /// expires.
    ///
    /// # Errors
    /// As [`Bitcask::entry`].
    pub fn expiry(&self, key: &[u8]) -> Result<Option<UnixMillis>, Error> {
        self.view().expiry(key)
    }

    /// True if the log has a value for `key`, expired or not. Never reads the disk.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.store.keydir().get(key).is_some()
    }

    /// Applies a batch: readers see all of it, or nothing. It survives a crash once [`Bitcask::durable`]
    /// says so. An empty batch is fine and does nothing.
    ///
    /// Appends in memory; touches the disk only to reserve space, to begin a new segment, or to hand a
    /// large buffer to the system.
    ///
    /// # Errors
    /// [`Error::Conflict`] if something is not as the batch [expects](Batch::expect) it,
    /// [`Error::ReadOnly`], [`Error::TooLarge`], [`Error::ChainMoved`], [`Error::Full`],
    /// [`Error::Poisoned`], [`Error::Io`]. After any of them nothing of the batch is there.
    pub fn write(&self, batch: &mut Batch) -> Result<Committed, Error> {
        if batch.expected.is_empty() {
            return self.write_if(batch, &|| Ok(()));
        }
        loop {
            let found = self.store.check_expected(batch)?;
            let moved = Cell::new(false);
            let written = self.write_if(batch, &|| {
                let keydir = self.store.keydir();
                moved.set(found.iter().any(|(key, location)| keydir.get(key) != *location));
                if moved.get() { Err(Error::ChainMoved) } else { Ok(()) }
            });
            // Somebody wrote, or moved, what is expected after it was looked at: look again.
            if !moved.get() {
                return written;
            }
        }
    }

    /// Applies a batch if `allowed`, asked while nobody else writes, does not object.
    pub(crate) fn write_if(
        &self,
        batch: &mut Batch,
        allowed: &dyn Fn() -> Result<(), Error>,
    ) -> Result<Committed, Error> {
        let store = &*self.store;
        if store.lock.is_none() {
            return Err(Error::ReadOnly { path: store.log.dir.path().to_owned() });
        }
        if batch.is_empty() {
            let position = store.log.position();
            return Ok(Committed { placed: Placed { segment: 0, offset: 0, position } });
        }
        if batch.has_conflict() {
            return Err(Error::ChainMoved);
        }
        // Before anybody else has to wait for this batch.
        store.compress(batch);
        let placed = store.log.append(
            batch,
            |batch| {
                allowed()?;
                let mut following =
                    batch.records.iter().filter(|record| record.follows.is_some()).peekable();
                if following.peek().is_none() {
                    return Ok(());
                }
                let keydir = store.keydir();
                let moved = following.any(|record| keydir.get(batch.key(record)) != record.follows);
                if moved { Err(Error::ChainMoved) } else { Ok(()) }
            },
            |batch, placed, active| store.apply(batch, placed, active),
        )?;
        let deltas = batch.records.iter().filter(|record| record.kind == Kind::Delta).count();
        if deltas > 0 {
            store.deltas.fetch_add(deltas as u64, Ordering::Relaxed);
        }
        Ok(Committed { placed })
    }

    /// Sets `key` to `value` and waits until that is as durable as [`Options::durability`] asks.
    ///
    /// # Errors
    /// As [`Bitcask::write`].
    pub fn put(&self, key: &[u8], value: &[u8], now: UnixMillis) -> Result<(), Error> {
        let mut batch = Batch::new(now);
        batch.put(key, value, None);
        self.write_durably(&mut batch)
    }

    /// As [`Bitcask::put`]; from `expires_at` on, [`Bitcask::get`] does not find it.
    ///
    /// # Errors
    /// As [`Bitcask::write`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// store.put_expiring(b"token", b"abc", UnixMillis(2_000), UnixMillis(1_000))?;
    /// assert_eq!(store.get(b"token", UnixMillis(1_999))?.as_deref(), Some(&b"abc"[..]));
    /// assert_eq!(store.get(b"token", UnixMillis(2_000))?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_expiring(
        &self,
        key: &[u8],
        value: &[u8],
        expires_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let mut batch = Batch::new(now);
        batch.put(key, value, Some(expires_at));
        self.write_durably(&mut batch)
    }

    /// Sets when `key` expires (`None`: never) without writing its value again, and waits as
    /// [`Bitcask::put`] does; false if there is no such key, or it has expired by `now`.
    ///
    /// Writes one short record that links to the one with the value, and works with delta chains, with or without a
    /// [`Fold`]. Any later put or delta of the key says anew when it expires.
    ///
    /// # Errors
    /// As [`Bitcask::write`] and [`Bitcask::metadata`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// let now = UnixMillis(1_000);
    /// store.put(b"big", &[7; 1 << 20], now)?;
    /// let before = store.stats().disk_bytes;
    /// assert!(store.set_expiry(b"big", Some(UnixMillis(2_000)), now)?);
    /// assert!(store.stats().disk_bytes < before + 200);
    /// assert_eq!(store.get(b"big", UnixMillis(2_000))?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_expiry(
        &self,
        key: &[u8],
        expires_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<bool, Error> {
        loop {
            let found = self.metadata(key)?.filter(|found| !found.is_expired(now));
            let Some(found) = found else { return Ok(false) };
            let mut batch = Batch::new(now);
            batch.set_expiry(key, &found, expires_at);
            match self.write_durably(&mut batch) {
                // Somebody wrote the key in the meantime.
                Err(Error::ChainMoved) => {}
                other => return other.map(|()| true),
            }
        }
    }

    /// Sets `key` to `value`, or removes it (`None`), if its newest record has the sequence number
    /// `expected`, or if it is not there (`None`), and waits as [`Bitcask::put`] does. Returns the new sequence
    /// number. For more keys at once see [`Batch::expect`] and [`Bitcask::transaction`].
    ///
    /// # Errors
    /// [`Error::Conflict`] if the key is not as expected; as [`Bitcask::write`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Error, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// let first = store.compare_and_swap(b"leader", None, Some(b"me"), now)?;
    /// let taken = store.compare_and_swap(b"leader", None, Some(b"you"), now);
    /// assert!(matches!(taken, Err(Error::Conflict { .. })));
    /// store.compare_and_swap(b"leader", Some(first), None, now)?;
    /// assert!(!store.contains(b"leader"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compare_and_swap(
        &self,
        key: &[u8],
        expected: Option<u64>,
        value: Option<&[u8]>,
        now: UnixMillis,
    ) -> Result<u64, Error> {
        let mut batch = Batch::new(now);
        batch.expect(key, expected);
        let record = match value {
            Some(value) => batch.put(key, value, None),
            None => batch.delete(key),
        };
        let committed = self.write(&mut batch)?;
        self.wait_durable(committed.position())?;
        Ok(committed.sequence(&batch, record))
    }

    /// Begins a transaction, which reads the store as it is now. `now` is the time that its reads and
    /// writes go by.
    pub fn transaction(&self, now: UnixMillis) -> Transaction<'_> {
        Transaction::new(self.snapshot(), now)
    }

    /// The contents as they are now, to be read while writes go on.
    pub fn snapshot(&self) -> Snapshot<'_> {
        let keydir = self.store.keydir();
        let undo = self.store.snapshots.open(&keydir, &self.store.log);
        Snapshot::new(self, undo)
    }

    /// Removes `key` and waits as [`Bitcask::put`] does; false if there was nothing to remove.
    ///
    /// # Errors
    /// As [`Bitcask::write`].
    pub fn delete(&self, key: &[u8], now: UnixMillis) -> Result<bool, Error> {
        if !self.contains(key) {
            return Ok(false);
        }
        let mut batch = Batch::new(now);
        batch.delete(key);
        self.write_durably(&mut batch)?;
        Ok(true)
    }

    /// Removes every key that begins with `prefix` at the cost of one record, and waits as
    /// [`Bitcask::put`] does.
    ///
    /// # Errors
    /// As [`Bitcask::write`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// store.put(b"cache:1", b"x", now)?;
    /// store.put(b"kept", b"x", now)?;
    /// store.delete_prefix(b"cache:", now)?;
    /// assert_eq!(store.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_prefix(&self, prefix: &[u8], now: UnixMillis) -> Result<(), Error> {
        let mut batch = Batch::new(now);
        batch.delete_prefix(prefix);
        self.write_durably(&mut batch)
    }

    /// Removes everything, as one record: after a crash all is there, or nothing is. Waits as
    /// [`Bitcask::put`] does. Files keep their space until they are compacted.
    ///
    /// # Errors
    /// As [`Bitcask::write`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// store.put(b"key", b"value", now)?;
    /// store.drop_all(now)?;
    /// assert!(store.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_all(&self, now: UnixMillis) -> Result<(), Error> {
        self.delete_prefix(b"", now)
    }

    fn write_durably(&self, batch: &mut Batch) -> Result<(), Error> {
        let committed = self.write(batch)?;
        self.wait_durable(committed.position())
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

    /// The keys of `range` in byte order, expired ones included; `.rev()` goes backwards. Never reads the disk.
    ///
    /// Writes go on meanwhile: no lock is held between two steps, and at each step for no more than a few
    /// hundred keys. Keys come in order and none comes twice; each that is there throughout comes; one that comes or
    /// goes meanwhile may come or not. For the keys of one moment see [`Bitcask::snapshot`]. To go on later,
    /// or in another process, see [`KeyRange::after`] and [`KeyRange::before`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, KeyRange, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// for key in ["a", "b:1", "b:2", "b:3", "c"] {
    ///     store.put(key.as_bytes(), b"", UnixMillis(0))?;
    /// }
    /// let page: Vec<_> = store.keys(KeyRange::prefix("b:")).take(2).collect();
    /// assert_eq!(page, [b"b:1", b"b:2"]);
    /// let rest: Vec<_> = store.keys(KeyRange::prefix("b:").after(&page[1])).collect();
    /// assert_eq!(rest, [b"b:3"]);
    /// let last = store.keys(KeyRange::prefix("b:")).next_back();
    /// assert_eq!(last.as_deref(), Some(&b"b:3"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keys(&self, range: KeyRange) -> Keys<'_> {
        Keys::new(self.view(), range)
    }

    /// The entries of `range` in byte order of their keys, without those that have expired by `now`;
    /// `.rev()` goes backwards.
    ///
    /// As [`Bitcask::keys`]; each value is read when its turn comes, and is the newest then. An entry that cannot be
    /// read is an error in its place, and the iteration may go on behind it.
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, KeyRange, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// store.put(b"a", b"1", now)?;
    /// store.put(b"b", b"2", now)?;
    /// for entry in store.entries(KeyRange::all(), now).rev() {
    ///     let entry = entry?;
    ///     println!("{} is {} bytes", entry.key.escape_ascii(), entry.value.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn entries(&self, range: KeyRange, now: UnixMillis) -> Entries<'_> {
        Entries::new(self.view(), range, now)
    }

    /// Puts all entries together, in the order of [`Bitcask::entries`], from `start` on.
    ///
    /// # Errors
    /// The first of an entry that cannot be read, or of `step`.
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Error, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// store.put(b"a", b"1", now)?;
    /// store.put(b"b", b"234", now)?;
    /// let bytes = store.fold(now, 0, |sum, entry| Ok::<_, Error>(sum + entry.value.len()))?;
    /// assert_eq!(bytes, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fold<T, E: From<Error>>(
        &self,
        now: UnixMillis,
        start: T,
        mut step: impl FnMut(T, KeyValue) -> Result<T, E>,
    ) -> Result<T, E> {
        self.entries(KeyRange::all(), now).try_fold(start, |so_far, entry| step(so_far, entry?))
    }

    fn view(&self) -> View<'_> {
        View { store: &self.store, undo: None, writes: None }
    }

    /// Visits the keys that begin with `prefix` in byte order, from the first not below `from`, until
    /// `visit` breaks. Reads no disk, but holds the keydir's read lock: be brief, and call nothing of
    /// this store inside.
    pub fn walk(
        &self,
        prefix: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) {
        let keydir = self.store.keydir();
        let mut walk = keydir.walk(prefix, from);
        while let Some((key, _)) = walk.next() {
            if visit(key).is_break() {
                return;
            }
        }
    }

    /// A key that begins with `prefix`, chosen by `choose(n)` (a number below n) at each branch of the
    /// tree. Not quite uniform: keys in sparse branches are likelier.
    pub fn sample(&self, prefix: &[u8], choose: &mut dyn FnMut(usize) -> usize) -> Option<Vec<u8>> {
        self.store.keydir().sample(prefix, choose).map(|(key, _)| key)
    }

    /// Takes a number that no record carries and no later call returns, for naming things uniquely: if a
    /// record that mentions it survives a crash, the number is not given out again.
    pub fn reserve_sequence(&self) -> u64 {
        self.store.log.reserve_sequence()
    }

    /// Number of keys, expired ones included.
    pub fn len(&self) -> usize {
        self.store.keydir().len()
    }

    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes when an acknowledged write is on disk, from now on.
    pub fn set_durability(&self, durability: Durability) {
        self.store.log.set_durability(durability);
    }

    /// When an acknowledged write is on disk.
    pub fn durability(&self) -> Durability {
        self.store.log.durability()
    }

    /// Figures of the store.
    pub fn stats(&self) -> Stats {
        let store = &self.store;
        let (segments, disk_bytes) = store.log.size();
        // Before the keydir is locked: whoever appends locks the log first.
        let appended_bytes = store.log.position();
        let keydir = store.keydir();
        Stats {
            keys: keydir.len(),
            keydir_bytes: keydir.memory_bytes(),
            segments,
            disk_bytes,
            appended_bytes,
            syncs: store.log.syncs(),
            reads: store.reads.load(Ordering::Relaxed),
            deltas: store.deltas.load(Ordering::Relaxed),
            snapshots: store.snapshots.count(),
        }
    }

    /// Does what is due: under [`Durability::EverySecond`] a sync, hints for sealed segments, and compaction if
    /// [`Options::compaction`] asks for it. Only for stores opened without [`Options::background`].
    pub fn tick(&self) {
        self.store.sync_if_due();
        self.store.write_due_hints();
        self.store.compact_if_due();
    }

    /// Copies what is alive in segments that hold much that is dead, and gives their space back. Reads and
    /// writes go on meanwhile. All sealed segments beyond the thresholds of `options` are taken;
    /// [`CompactionOptions::everything`] takes all there is. Waits for a compaction that is running.
    ///
    /// `now` decides what has expired; `progress` is told how it goes, and may stop it: what was done by
    /// then is kept, and a later compaction goes on from there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a segment is damaged, [`Error::Full`] if the disk has no room for the copies,
    /// [`Error::Poisoned`], [`Error::Io`]. After any of them everything is there as before.
    ///
    /// # Examples
    /// ```
    /// use bitcask_core::{Bitcask, CompactionOptions, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// let store = Bitcask::open(temporary.path(), Options::default())?;
    /// let now = UnixMillis(1_700_000_000_000);
    /// for i in 0..100_u8 {
    ///     store.put(b"the same key", &[i; 1000], now)?;
    /// }
    /// let report = store.compact(&CompactionOptions::everything(), now, &mut |_| {
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(report.moved, 1);
    /// assert!(store.stats().disk_bytes < 2000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compact(
        &self,
        options: &CompactionOptions,
        now: UnixMillis,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CompactionReport, Error> {
        self.store.compact(options, now, progress)
    }

    /// How much of the segments is dead: what compacting everything would give back, about. Exact without
    /// delta chains, an estimate with them.
    pub fn reclaimable(&self) -> Reclaimable {
        self.store.reclaimable()
    }

    /// The segments, in the order of their numbers, with what is alive in them.
    pub fn segments(&self) -> Vec<SegmentStats> {
        self.store.count_dead_chains();
        let log = &self.store.log;
        let (active, end) = log.active();
        let segments = log.segments();
        let stats = segments.values().map(|segment| SegmentStats {
            id: segment.id,
            file: segment.name.clone(),
            bytes: if segment.id == active { end } else { segment.written() },
            live_bytes: segment.live_bytes(),
            compacted: segment.head.compacted,
            active: segment.id == active,
        });
        stats.collect()
    }

    /// How the last compaction in the background ended; `None` before there was one.
    pub fn last_compaction(&self) -> Option<Result<CompactionReport, String>> {
        self.store.compaction.last()
    }

    /// Changes how compaction in the background decides, from its next look on; `None` turns it off.
    pub fn set_compaction(&self, options: Option<CompactionOptions>) {
        self.store.compaction.set_options(options);
    }

    /// Changes how many bytes a second compaction reads and writes at most, also of one that is running. 0
    /// means: as many as it can.
    pub fn set_compaction_rate(&self, bytes_per_second: u64) {
        self.store.compaction.set_rate(bytes_per_second);
    }

    /// Stops a compaction that is running, waits for it, and lets none begin any more. Closing does so, too.
    pub fn stop_compaction(&self) {
        self.store.compaction.stop();
    }

    /// Keys whose newest record was said to mention places of others ([`Batch::refers`]), as opening has
    /// found them; empty from the second call on.
    pub fn take_referring(&self) -> Vec<Vec<u8>> {
        self.store.compaction.take_referring()
    }

    /// While the returned value lives, compaction moves no record: a location that was looked up stays that of
    /// its key unless somebody writes. Brief, please: compaction waits.
    pub fn hold_moves(&self) -> compaction::Held<'_> {
        self.store.compaction.hold()
    }

    /// How often compaction has moved records. A location that was looked up *after* this was asked is still
    /// good if it is the same under [`Bitcask::hold_moves`].
    pub fn moves(&self) -> u64 {
        self.store.compaction.moves()
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

/// A key, and where its newest record was found.
type Found = (Vec<u8>, Option<Location>);

impl Store {
    pub(crate) fn keydir(&self) -> RwLockReadGuard<'_, KeyDir> {
        self.keydir.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keydir_mut(&self) -> RwLockWriteGuard<'_, KeyDir> {
        self.keydir.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a batch that has been placed visible, and counts what comes to life and what dies.
    pub(crate) fn apply(&self, batch: &Batch, placed: Placed, active: &Segment) {
        // Most of what dies of a change came shortly before it.
        let in_active = Cell::new(0);
        let book = |at: Location, alive: bool| {
            let bytes = if alive { i64::from(at.len) } else { -i64::from(at.len) };
            if at.segment == active.id {
                in_active.set(in_active.get() + bytes);
            } else {
                self.log.book(at.segment, bytes);
            }
        };
        let died = |place: Place| {
            book(place.location, false);
            if place.is_linked {
                self.compaction.chain_died(place.location);
            }
        };
        let mut keydir = self.keydir_mut();
        for record in &batch.records {
            let key = batch.key(record);
            self.snapshots.note(&keydir, &self.log, record.kind, key);
            match record.kind {
                Kind::Put | Kind::Delta | Kind::Expiry => {
                    let at = placed.location(record.start, record.end);
                    let is_linked = record.kind.has_link();
                    book(at, true);
                    let before = keydir.insert_record(key, at, is_linked);
                    // It keeps alive what it follows.
                    if let Some(before) = before.filter(|_| !is_linked) {
                        died(before);
                    }
                }
                Kind::Delete => keydir.remove_record(key).map_or((), died),
                Kind::DeletePrefix => drop(keydir.remove_prefix_records(key, &mut |at| died(at))),
                Kind::Retired => {}
                Kind::Mark | Kind::Void => unreachable!("no batch has one"),
            }
        }
        batch.absorbed.iter().for_each(|at| book(*at, false));
        active.book(in_active.get());
    }

    /// Compresses values as the options say.
    pub(crate) fn compress(&self, batch: &mut Batch) {
        if let Some(codec) = self.compression.codec() {
            batch.compress(codec, self.compress_from_bytes);
        }
    }

    /// The value that an entry's records come to.
    pub(crate) fn fold(&self, entry: Entry) -> Result<Vec<u8>, Error> {
        let mut deltas = entry.deltas.iter();
        let Some(first) = deltas.next() else { return Ok(entry.base) };
        let fold = self.fold.as_ref().ok_or(Error::NoFold)?;
        let folded = deltas
            .try_fold(first.clone(), |older, newer| fold.compose(&older, newer))
            .and_then(|delta| fold.apply(&entry.base, &delta));
        folded.map_err(|reason| self.damaged(entry.chain.newest(), reason))
    }

    pub(crate) fn damaged(&self, at: Location, reason: &'static str) -> Error {
        let name = crate::format::segment::file_name(at.segment);
        crate::log::corrupt(&*self.log.dir, &name, u64::from(at.offset), reason)
    }

    /// Compares what a batch expects with what there is; returns where its keys were found.
    ///
    /// Sequence numbers are in the log alone, which must not be read while nobody can write. But a location
    /// never names another record: while it stands in the keydir, what was read of it holds.
    fn check_expected(&self, batch: &Batch) -> Result<Vec<Found>, Error> {
        let view = View { store: self, undo: None, writes: None };
        let check = |expected: &crate::batch::Expected| {
            let found = view.metadata(&expected.key)?;
            let there = found.as_ref().filter(|found| !found.is_expired(batch.timestamp()));
            if there.map(|found| found.sequence) != expected.sequence {
                return Err(Error::Conflict { key: expected.key.clone() });
            }
            Ok((expected.key.clone(), found.map(|found| found.location)))
        };
        batch.expected.iter().map(check).collect()
    }

    /// Reads the head of a record that must be one of `key`, and checks all of the record if it is short.
    fn head(&self, key: &[u8], segment: u32, offset: u32) -> Result<Head, Error> {
        let at = Location { segment, offset, len: 0 };
        self.reads.fetch_add(1, Ordering::Relaxed);
        let front = self.log.piece(segment, offset, record::MAX_HEAD_LEN + key.len())?;
        let head = Head::parse(&front).map_err(|invalid| match invalid {
            Invalid::Short(_) => self.damaged(at, "the segment ends within a record"),
            Invalid::Bad(reason) => self.damaged(at, reason),
        })?;
        let found = front.get(head.key_start..head.key_start + head.key_len);
        if found != Some(key) || !head.kind.is_value() {
            return Err(self.damaged(at, "the record is not the one that the index says"));
        }
        if head.len <= SHORT_BYTES {
            self.read(key, segment, offset, head.len)?;
        }
        Ok(head)
    }

    /// See [`Bitcask::metadata`].
    pub(crate) fn metadata(&self, key: &[u8], location: Location) -> Result<Metadata, Error> {
        let newest = self.head(key, location.segment, location.offset)?;
        if newest.len != location.len as usize {
            return Err(self.damaged(location, "the record is not the one that the index says"));
        }
        let (mut segment, mut offset, mut carrying) = (location.segment, location.offset, newest);
        if newest.kind == Kind::Expiry {
            let link = newest.link.expect("an expiry has a link");
            (segment, offset) = (link.segment, link.offset);
            carrying = self.carrier(key, location, segment, offset)?;
        }
        let own_bytes = u32::try_from(carrying.len).expect("a record is shorter than 4 GiB");
        let (records, bytes) =
            carrying.link.map_or((1, own_bytes), |link| (link.records, link.bytes));
        let expiry_bytes = if newest.kind == Kind::Expiry { location.len } else { 0 };
        Ok(Metadata {
            sequence: newest.sequence,
            written_at: newest.timestamp,
            expires_at: newest.expires_at,
            value_bytes: (carrying.kind == Kind::Put).then_some(carrying.raw_len as u64),
            chain_records: u32::from(records),
            log_bytes: u64::from(bytes) + u64::from(expiry_bytes),
            location,
            carrier: Carrier { segment, offset, records, bytes },
        })
    }

    /// The head of the record that an expiry links to.
    fn carrier(&self, key: &[u8], at: Location, segment: u32, offset: u32) -> Result<Head, Error> {
        let head = self.head(key, segment, offset)?;
        if head.kind == Kind::Expiry {
            return Err(self.damaged(at, "a record follows one that only sets an expiry"));
        }
        Ok(head)
    }

    /// See [`Bitcask::newest`].
    pub(crate) fn newest(&self, key: &[u8], location: Location) -> Result<Vec<u8>, Error> {
        let read = self.read(key, location.segment, location.offset, location.len as usize)?;
        let record = read.record();
        if record.kind != Kind::Expiry {
            return self.value(read, location);
        }
        let link = record.link.expect("an expiry has a link");
        let at = Location { segment: link.segment, offset: link.offset, len: 0 };
        self.value(self.read(key, at.segment, at.offset, GUESS_BYTES)?, at)
    }

    /// Reads a record that must be one of `key`.
    pub(crate) fn read(
        &self,
        key: &[u8],
        segment: u32,
        offset: u32,
        guess: usize,
    ) -> Result<OwnedRecord, Error> {
        self.check(key, segment, offset, self.log.read(segment, offset, guess)?)
    }

    /// Counts a record that was read, and checks that it is one of `key`.
    fn check(
        &self,
        key: &[u8],
        segment: u32,
        offset: u32,
        read: OwnedRecord,
    ) -> Result<OwnedRecord, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let record = read.record();
        if record.key == key && record.kind.is_value() {
            return Ok(read);
        }
        let at = Location { segment, offset, len: 0 };
        Err(self.damaged(at, "the record is not the one that the index says"))
    }

    /// The value of a record that was read from `at`.
    fn value(&self, read: OwnedRecord, at: Location) -> Result<Vec<u8>, Error> {
        read.into_value().map_err(|reason| self.damaged(at, reason))
    }

    /// Follows a chain from its newest record to its base.
    pub(crate) fn entry(&self, key: &[u8], newest: Location) -> Result<Entry, Error> {
        self.entry_through(key, newest, &|segment, offset, guess| {
            self.log.read(segment, offset, guess)
        })
    }

    /// (segment, offset) of the records of a chain, the newest first. Its base is not read.
    pub(crate) fn chain_places(
        &self,
        key: &[u8],
        newest: Location,
    ) -> Result<Vec<(u32, u32)>, Error> {
        let mut places = vec![(newest.segment, newest.offset)];
        let mut guess = newest.len as usize;
        let mut later = u64::MAX;
        loop {
            let (segment, offset) = places[places.len() - 1];
            let read = self.read(key, segment, offset, guess)?;
            let record = read.record();
            if record.sequence >= later {
                let at = Location { segment, offset, len: 0 };
                return Err(self.damaged(at, "a delta follows a later record"));
            }
            later = record.sequence;
            let Some(link) = record.link else { return Ok(places) };
            places.push((link.segment, link.offset));
            // Of two records, the other one is the base.
            if link.records == 2 {
                return Ok(places);
            }
            guess = GUESS_BYTES;
        }
    }

    /// As [`Store::entry`], with records as `read` gives them.
    pub(crate) fn entry_through(
        &self,
        key: &[u8],
        newest: Location,
        read: &dyn Fn(u32, u32, usize) -> Result<OwnedRecord, Error>,
    ) -> Result<Entry, Error> {
        let read = |segment, offset, guess| {
            self.check(key, segment, offset, read(segment, offset, guess)?)
        };
        let mut found = read(newest.segment, newest.offset, newest.len as usize)?;
        let (sequence, expires_at, written_at) = {
            let record = found.record();
            (record.sequence, record.expires_at, record.timestamp)
        };
        // Newest first; the level of a link is known only of deltas, that is, of all but the last.
        let (mut links, mut values) = (Vec::new(), Vec::new());
        let mut expiry = None;
        let (mut at, mut later, mut refers) = (newest, sequence, false);
        loop {
            let record = found.record();
            let previous = record.link;
            refers |= record.refers;
            if record.kind == Kind::Expiry {
                if at != newest {
                    return Err(self.damaged(at, "a record follows one that only sets an expiry"));
                }
                expiry = Some(at);
            } else {
                links.extend(previous.map(|link| (at, link.level)));
                values.push(self.value(found, at)?);
            }
            let Some(link) = previous else { break };
            found = read(link.segment, link.offset, GUESS_BYTES)?;
            let record = found.record();
            // A record follows one that is older, wherever that lies, so a chain ends; a damaged link that
            // passed its CRC must not lead in circles.
            if record.sequence >= later {
                return Err(self.damaged(at, "a delta follows a later record"));
            }
            later = record.sequence;
            let len = u32::try_from(record.len).expect("a record is shorter than 4 GiB");
            at = Location { segment: link.segment, offset: link.offset, len };
        }
        values.reverse();
        let chain = Chain::from_links(at, links.into_iter().rev(), expiry);
        let deltas = values.split_off(1);
        let base = values.pop().expect("a chain has a base");
        Ok(Entry { base, deltas, chain, expires_at, sequence, written_at, refers })
    }

    pub(crate) fn sync(self: &Arc<Self>) -> Result<(), Error> {
        block_on(Durable { store: self, position: self.log.position(), on_disk: true })
    }

    /// Under [`Durability::EverySecond`]: a sync, if there is something to sync.
    pub(crate) fn sync_if_due(self: &Arc<Self>) {
        let log = &self.log;
        if log.durability() == Durability::EverySecond && log.durable_position() < log.position() {
            // A failure poisons the log, and so reaches whoever writes next.
            let _ = self.sync();
        }
    }

    pub(crate) fn write_due_hints(&self) {
        for segment in self.log.take_sealed() {
            // A missing hint costs time at the next start, and is built then.
            let _ = self.write_hint(segment);
        }
    }

    fn write_hint(&self, segment: u32) -> Result<(), Error> {
        let Some(segment) = self.log.segment(segment) else { return Ok(()) };
        let map =
            segment.file.map().map_err(|e| io_error(&*self.log.dir, &segment.name, "map", e))?;
        recovery::write_hint(&*self.log.dir, &segment, (*map).as_ref())
    }

    fn finish(self: &Arc<Self>) -> Result<(), Error> {
        self.sync()?;
        for segment in self.log.take_sealed() {
            self.write_hint(segment)?;
        }
        let active = self.log.trim()?;
        if recovery::has_hint(&*self.log.dir, active.id, active.written()) {
            return Ok(());
        }
        self.write_hint(active.id)
    }
}

/// See [`Bitcask::durable`].
pub struct Durable<'a> {
    store: &'a Arc<Store>,
    position: u64,
    on_disk: bool,
}

impl Future for Durable<'_> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.store.log.poll_durable(self.position, self.on_disk, cx)
    }
}

impl fmt::Debug for Durable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("position", &self.position).finish_non_exhaustive()
    }
}

/// Waits for a future on a thread that has no executor.
fn block_on(mut future: Durable<'_>) -> Result<(), Error> {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match Pin::new(&mut future).poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::thread::park(),
        }
    }
}
