//! The store: open, read, write, wait for the disk.

use crate::compaction::{self, CompactionOptions, CompactionReport, Progress, Reclaimable};
use crate::format::record::Kind;
use crate::housekeeping::Housekeeper;
use crate::keydir::{KeyDir, Place};
use crate::log::{Log, OwnedRecord, Placed, io_error};
use crate::recovery::{self, RecoveryReport};
use crate::stats::Stats;
use crate::storage::disk::DiskDir;
use crate::storage::{Dir, Lock};
use crate::{Batch, Chain, Durability, Error, Fold, Location, Options, RecordIndex, UnixMillis};
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Wake, Waker};

const LOCK_NAME: &str = "lock";
/// A record whose length is not known is read with so many bytes at first: enough for most deltas.
const GUESS_BYTES: usize = 256;

/// An embedded key-value store over one directory. All methods take `&self`; share it between threads.
pub struct Bitcask {
    // Stopped before the store goes.
    housekeeper: Option<Housekeeper>,
    store: Arc<Store>,
    closed: bool,
}

/// What the handle and the housekeeper share.
pub(crate) struct Store {
    pub(crate) log: Log,
    pub(crate) keydir: RwLock<KeyDir>,
    pub(crate) compaction: compaction::State,
    pub(crate) fold: Option<Arc<dyn Fold>>,
    recovery: RecoveryReport,
    reads: AtomicU64,
    // Held until everything above is gone.
    _lock: Box<dyn Lock>,
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
    /// Opens the store at `path`, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process has it open; [`Error::Corrupt`] if data is damaged (a
    /// write that a crash cut short is not: see [`RecoveryReport::torn`]); [`Error::Io`].
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let path = path.as_ref();
        let dir = DiskDir::open(path).map_err(|source| Error::Io {
            op: "open the directory",
            path: path.to_owned(),
            source,
        })?;
        Self::open_in(Arc::new(dir), options)
    }

    /// Opens the store in `dir`. See [`Bitcask::open`].
    pub fn open_in(dir: Arc<dyn Dir>, options: Options) -> Result<Self, Error> {
        let lock = dir
            .try_lock(LOCK_NAME)
            .map_err(|e| io_error(&*dir, LOCK_NAME, "lock", e))?
            .ok_or_else(|| Error::Locked { path: dir.path().to_owned() })?;
        let recovered = recovery::recover(&dir)?;
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
            fold: options.fold,
            recovery: recovered.report,
            reads: AtomicU64::new(0),
            _lock: lock,
        });
        let housekeeper = if options.background {
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
        let Some(entry) = self.entry(key)? else { return Ok(None) };
        if entry.expires_at.is_some_and(|at| at <= now) {
            return Ok(None);
        }
        self.store.fold(entry).map(Some)
    }

    /// The records of `key` as they lie in the log, expired or not.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record fails its check; [`Error::Io`].
    pub fn entry(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.store.newest(key, |location| self.store.entry(key, location))
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

    /// The value of the newest record of `key`, expired or not — its base or its newest delta: one read.
    ///
    /// # Errors
    /// As [`Bitcask::entry`].
    pub fn newest(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let read = self.store.newest(key, |location| self.store.read_at(key, location))?;
        Ok(read.map(OwnedRecord::into_value))
    }

    /// The expiry of `key`, from its newest record: one read. `None` if there is no such key, or it never
    /// expires.
    ///
    /// # Errors
    /// As [`Bitcask::entry`].
    pub fn expiry(&self, key: &[u8]) -> Result<Option<UnixMillis>, Error> {
        let read = self.store.newest(key, |location| self.store.read_at(key, location))?;
        Ok(read.and_then(|read| read.record().expires_at))
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
    /// [`Error::TooLarge`], [`Error::ChainMoved`], [`Error::Full`], [`Error::Poisoned`], [`Error::Io`].
    /// After any of them nothing of the batch is there.
    pub fn write(&self, batch: &mut Batch) -> Result<Committed, Error> {
        let store = &*self.store;
        if batch.is_empty() {
            let position = store.log.position();
            return Ok(Committed { placed: Placed { segment: 0, offset: 0, position } });
        }
        if batch.has_conflict() {
            return Err(Error::ChainMoved);
        }
        let placed = store.log.append(
            batch,
            |batch| {
                let keydir = store.keydir();
                let moved = batch.records.iter().any(|record| {
                    record.follows.is_some() && keydir.get(batch.key(record)) != record.follows
                });
                if moved { Err(Error::ChainMoved) } else { Ok(()) }
            },
            |batch, placed| store.apply(batch, placed),
        )?;
        Ok(Committed { placed })
    }

    /// Sets `key` to `value` and waits until that is as durable as [`Options::durability`] asks.
    ///
    /// # Errors
    /// As [`Bitcask::write`].
    pub fn put(&self, key: &[u8], value: &[u8], now: UnixMillis) -> Result<(), Error> {
        let mut batch = Batch::new(now);
        batch.put(key, value, None);
        let committed = self.write(&mut batch)?;
        self.wait_durable(committed.position())
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
        let committed = self.write(&mut batch)?;
        self.wait_durable(committed.position())?;
        Ok(true)
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
        let keydir = store.keydir();
        Stats {
            keys: keydir.len(),
            keydir_bytes: keydir.memory_bytes(),
            segments,
            disk_bytes,
            appended_bytes: store.log.position(),
            syncs: store.log.syncs(),
            reads: store.reads.load(Ordering::Relaxed),
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
        self.store.compaction.stop();
        self.housekeeper = None;
        if std::mem::replace(&mut self.closed, true) {
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

impl Store {
    pub(crate) fn keydir(&self) -> RwLockReadGuard<'_, KeyDir> {
        self.keydir.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keydir_mut(&self) -> RwLockWriteGuard<'_, KeyDir> {
        self.keydir.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a batch that has been placed visible, and counts what comes to life and what dies.
    pub(crate) fn apply(&self, batch: &Batch, placed: Placed) {
        let segments = self.log.segments();
        let book = |at: Location, alive: bool| {
            // What has gone needs no counting.
            if let Some(segment) = segments.get(&at.segment) {
                segment.book(if alive { i64::from(at.len) } else { -i64::from(at.len) });
            }
        };
        let died = |place: Place| {
            book(place.location, false);
            if place.is_delta {
                self.compaction.chain_died(place.location);
            }
        };
        let mut keydir = self.keydir_mut();
        for record in &batch.records {
            let key = batch.key(record);
            match record.kind {
                Kind::Put | Kind::Delta => {
                    let (at, is_delta) =
                        (placed.location(record.start, record.end), record.kind == Kind::Delta);
                    book(at, true);
                    let before = keydir.insert_record(key, at, is_delta);
                    // A delta keeps alive what it follows.
                    if let Some(before) = before.filter(|_| !is_delta) {
                        died(before);
                    }
                }
                Kind::Delete => keydir.remove_record(key).map_or((), died),
                Kind::DeletePrefix => drop(keydir.remove_prefix_records(key, &mut |at| died(at))),
                Kind::Retired => {}
                Kind::Mark => unreachable!("the log writes marks by itself"),
            }
        }
        batch.absorbed.iter().for_each(|at| book(*at, false));
    }

    /// What `read` makes of the newest record of `key`. If compaction moves it and lets go of its segment
    /// meanwhile, the key is looked up again, so that nobody waits for compaction.
    fn newest<T>(
        &self,
        key: &[u8],
        read: impl Fn(Location) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut tried = None;
        loop {
            let Some(location) = self.keydir().get(key) else { return Ok(None) };
            match read(location) {
                Err(Error::Retired { .. }) if tried != Some(location) => tried = Some(location),
                Err(Error::Retired { .. }) => {
                    let reason = "a record's predecessor lies in a segment that is not there";
                    return Err(self.damaged(location, reason));
                }
                read => return read.map(Some),
            }
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

    /// Reads a record that must be one of `key`.
    fn read(
        &self,
        key: &[u8],
        segment: u32,
        offset: u32,
        guess: usize,
    ) -> Result<OwnedRecord, Error> {
        self.check(key, segment, offset, self.log.read(segment, offset, guess)?)
    }

    fn read_at(&self, key: &[u8], at: Location) -> Result<OwnedRecord, Error> {
        self.read(key, at.segment, at.offset, at.len as usize)
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
        if record.key == key && matches!(record.kind, Kind::Put | Kind::Delta) {
            return Ok(read);
        }
        let at = Location { segment, offset, len: 0 };
        Err(self.damaged(at, "the record is not the one that the index says"))
    }

    /// Follows a chain from its newest record to its base.
    pub(crate) fn entry(&self, key: &[u8], newest: Location) -> Result<Entry, Error> {
        self.entry_through(key, newest, &|segment, offset, guess| {
            self.log.read(segment, offset, guess)
        })
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
        let first = read(newest.segment, newest.offset, newest.len as usize)?;
        let record = first.record();
        let (sequence, expires_at) = (record.sequence, record.expires_at);
        let (mut later, mut refers) = (sequence, record.refers);
        let written_at = record.timestamp;
        // Newest first; the level of a link is known only of deltas, that is, of all but the last.
        let mut links = Vec::new();
        let (mut at, mut previous) = (newest, record.link);
        let mut values = vec![first.into_value()];
        while let Some(link) = previous {
            links.push((at, link.level));
            let read = read(link.segment, link.offset, GUESS_BYTES)?;
            let record = read.record();
            // A record follows one that is older, wherever that lies, so a chain ends; a damaged link that
            // passed its CRC must not lead in circles.
            if record.sequence >= later {
                return Err(self.damaged(at, "a delta follows a later record"));
            }
            later = record.sequence;
            refers |= record.refers;
            let len = u32::try_from(record.len).expect("a record is shorter than 4 GiB");
            at = Location { segment: link.segment, offset: link.offset, len };
            previous = record.link;
            values.push(read.into_value());
        }
        values.reverse();
        let chain = Chain::from_links(at, links.into_iter().rev());
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
