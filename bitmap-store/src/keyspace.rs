//! The keyspace: numbered databases of typed keys over one log.

use crate::cache::Budget;
use crate::cursor::Dictionary;
use crate::layout;
use crate::letting_go::{Derived, LettingGo};
use crate::record::RecordFold;
use crate::stripe::{Backing, Lookups, STRIPES, Stripe, lock, lock_while, try_lock};
use crate::transaction::{Guards, Transaction};
use crate::{DATABASES, Db, Error};
use bitcask_core::storage::Dir;
use bitcask_core::{
    BackupReport, Bitcask, CompactionOptions, CompactionReport, Compression, Durability, Durable,
    Position, Progress, Reclaimable, RecoveryReport, UnixMillis,
};
use std::fmt;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How to open a [`Keyspace`].
#[derive(Clone, Debug)]
pub struct Options {
    /// When an acknowledged write is on disk.
    pub durability: Durability,
    /// Memory for decoded values, in bytes.
    pub cache_bytes: usize,
    /// A segment of the log is sealed before it grows past this many bytes.
    pub segment_bytes: u32,
    /// Whether the log has a thread of its own: see [`bitcask_core::Options::background`].
    pub background: bool,
    /// When compaction runs by itself, and on what: see [`bitcask_core::Options::compaction`].
    pub compaction: Option<CompactionOptions>,
    /// How many bytes a second compaction reads and writes at most; 0 is as many as it can.
    pub compaction_rate: u64,
    /// How many bytes a second a backup copies at most; 0 is as many as it can.
    pub backup_rate: u64,
    /// How values are compressed as they are written: see [`bitcask_core::Options::compression`]. Bitmaps are short
    /// without it.
    pub compression: Compression,
    /// Sizes at which values are split; for tests, which want every split.
    #[doc(hidden)]
    pub sizes: Sizes,
}

/// Sizes at which values are split, in bytes as encoded.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// A larger bitmap, or collection, is kept in pages.
    pub inline: usize,
    /// A larger page of a bitmap is split: eight full containers, and their headers.
    pub page: usize,
    /// A larger page of a collection is split.
    pub leaf: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Always,
            cache_bytes: 256 << 20,
            segment_bytes: 256 << 20,
            background: true,
            compaction: None,
            compaction_rate: 0,
            backup_rate: 0,
            compression: Compression::Off,
            sizes: Sizes { inline: 4 << 10, page: 66 << 10, leaf: 8 << 10 },
        }
    }
}

/// Sixteen databases of keys, kept in the directory that they were opened in. Share it between threads.
///
/// Commands run in a [`Transaction`]; what is kept in memory are the keys' places and the values used
/// last.
pub struct Keyspace {
    pub(crate) shared: Arc<Shared>,
}

/// What transactions and watches refer to.
pub(crate) struct Shared {
    pub(crate) stripes: Vec<Mutex<Stripe>>,
    lookups: Vec<Arc<Lookups>>,
    pub(crate) backing: Backing,
    pub(crate) counts: [Counts; DATABASES as usize],
    pub(crate) expired: AtomicU64,
    pub(crate) cursors: Mutex<Dictionary>,
    pub(crate) sizes: Sizes,
    /// Keys whose values are operations on pages of others.
    pub(crate) derived: Derived,
    hasher: foldhash::fast::FixedState,
    /// The stripe that gives up cached values next.
    victim: AtomicUsize,
}

/// Of one database.
pub(crate) struct Counts {
    pub(crate) keys: AtomicU64,
    pub(crate) expires: AtomicU64,
}

/// Figures of a running keyspace.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Memory of the index of keys, in bytes.
    pub keydir_bytes: usize,
    /// Memory of cached values, in bytes.
    pub cache_bytes: usize,
    /// Values cached: keys and pages.
    pub cache_entries: usize,
    /// Look-ups that found their value cached.
    pub cache_hits: u64,
    /// Look-ups that had to ask the log.
    pub cache_misses: u64,
    /// Keys deleted because they had expired.
    pub expired: u64,
    /// Bytes appended to the log since open.
    pub log_bytes: u64,
    /// Syncs of the log since open.
    pub sync_count: u64,
    /// Segments of the log.
    pub segments: usize,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Records read from the log since open.
    pub log_reads: u64,
}

impl Keyspace {
    /// Opens the keyspace in the directory `path`, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::Storage`]: the directory is in use, damaged or not accessible.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let guard = Arc::new(LettingGo::default());
        let log = Bitcask::open(path, Self::log_options(&options, &guard))?;
        Ok(Self::over(log, &options, &guard)?)
    }

    /// Opens the keyspace in `dir`. See [`Keyspace::open`].
    ///
    /// # Errors
    /// As [`Keyspace::open`].
    pub fn open_in(dir: Arc<dyn Dir>, options: Options) -> Result<Self, Error> {
        let guard = Arc::new(LettingGo::default());
        let log = Bitcask::open_in(dir, Self::log_options(&options, &guard))?;
        Ok(Self::over(log, &options, &guard)?)
    }

    fn log_options(options: &Options, guard: &Arc<LettingGo>) -> bitcask_core::Options {
        bitcask_core::Options {
            // Its keys would not be ours.
            adopt: false,
            durability: options.durability,
            segment_bytes: options.segment_bytes,
            fold: Some(Arc::new(RecordFold)),
            background: options.background,
            compaction: options.compaction.clone(),
            compaction_rate: options.compaction_rate,
            backup_rate: options.backup_rate,
            compression: options.compression,
            // The index of expiries goes with its keys.
            drop_expired: false,
            guard: Some(guard.clone()),
            ..bitcask_core::Options::default()
        }
    }

    pub(crate) fn over(
        log: Bitcask,
        options: &Options,
        guard: &LettingGo,
    ) -> Result<Self, bitcask_core::Error> {
        let count = |prefix: &[u8]| {
            let mut count = 0;
            log.walk(prefix, b"", &mut |_| {
                count += 1;
                ControlFlow::Continue(())
            });
            AtomicU64::new(count)
        };
        let counts = std::array::from_fn(|db| {
            let db = Db(db as u8);
            Counts { keys: count(&layout::key(db, b"")), expires: count(&layout::expiries(db)) }
        });
        let cursors = Mutex::new(Dictionary::load(&log)?);
        let derived = Derived::new(log.take_referring());
        let backing = Backing { log, budget: Budget::new(options.cache_bytes) };
        let stripes: Vec<Stripe> = (0..STRIPES).map(|_| Stripe::new()).collect();
        let shared = Shared {
            lookups: stripes.iter().map(|stripe| stripe.lookups.clone()).collect(),
            stripes: stripes.into_iter().map(Mutex::new).collect(),
            backing,
            counts,
            expired: AtomicU64::new(0),
            cursors,
            sizes: options.sizes,
            derived,
            hasher: foldhash::fast::FixedState::default(),
            victim: AtomicUsize::new(0),
        };
        let shared = Arc::new(shared);
        guard.serve(&shared);
        Ok(Keyspace { shared })
    }

    /// Syncs and lets the directory go. Dropping the last handle does the same, and keeps errors to
    /// itself; so does this while a [`crate::Watch`] is alive.
    ///
    /// # Errors
    /// [`Error::Storage`]; everything acknowledged is safe all the same.
    pub fn close(self) -> Result<(), Error> {
        // It may be using the keyspace.
        self.shared.backing.log.stop_compaction();
        self.shared.backing.log.sync()?;
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.backing.log.close()?),
            Err(_) => Ok(()),
        }
    }

    /// What opening the log found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        self.shared.backing.log.recovery()
    }

    /// Begins a transaction on `keys`, and waits for whoever holds any of them. Keys are locked in one
    /// order by everybody, so that nobody waits for ever. The transaction must touch no other keys.
    pub fn begin<'k>(
        &self,
        keys: impl IntoIterator<Item = (Db, &'k [u8])>,
        now: UnixMillis,
    ) -> Transaction<'_> {
        self.shared.begin(keys, now)
    }

    /// As [`Keyspace::begin`], for as long as `patience` lasts: it is asked again and again while somebody holds
    /// one of the keys for longer than a command takes, should wait a little each time, and says whether to go on.
    /// `None` if it did not last.
    pub fn begin_while<'k>(
        &self,
        keys: impl IntoIterator<Item = (Db, &'k [u8])>,
        now: UnixMillis,
        patience: &mut dyn FnMut() -> bool,
    ) -> Option<Transaction<'_>> {
        let shared = &*self.shared;
        let mut keys = keys.into_iter().map(|(db, key)| shared.stripe_of(&layout::key(db, key)));
        let guards = match (keys.next(), keys.next()) {
            (None, _) => Guards::Many(Vec::new()),
            (Some(only), None) => Guards::One(only, lock_while(&shared.stripes[only], patience)?),
            (Some(first), Some(second)) => {
                let mut stripes: Vec<usize> = [first, second].into_iter().chain(keys).collect();
                stripes.sort_unstable();
                stripes.dedup();
                let mut guards = Vec::with_capacity(stripes.len());
                for i in stripes {
                    guards.push((i, lock_while(&shared.stripes[i], patience)?));
                }
                Guards::Many(guards)
            }
        };
        Some(Transaction::new(shared, guards, now))
    }

    /// As [`Keyspace::begin_exclusive`], for as long as `patience` lasts: see [`Keyspace::begin_while`].
    pub fn begin_exclusive_while(
        &self,
        now: UnixMillis,
        patience: &mut dyn FnMut() -> bool,
    ) -> Option<Transaction<'_>> {
        let shared = &*self.shared;
        let mut guards = Vec::with_capacity(STRIPES);
        for (i, stripe) in shared.stripes.iter().enumerate() {
            guards.push((i, lock_while(stripe, patience)?));
        }
        Some(Transaction::new(shared, Guards::Many(guards), now))
    }

    /// Begins a transaction that may touch every key, and waits for all others.
    pub fn begin_exclusive(&self, now: UnixMillis) -> Transaction<'_> {
        let shared = &*self.shared;
        let guards = shared.stripes.iter().map(lock).enumerate().collect();
        Transaction::new(shared, Guards::Many(guards), now)
    }

    /// True if [`Keyspace::durable`] would complete at once, with nothing to do.
    pub fn is_durable(&self, position: Position) -> bool {
        self.shared.backing.log.is_durable(position)
    }

    /// Completes once everything before `position` is as durable as asked: see [`Bitcask::durable`].
    pub fn durable(&self, position: Position) -> Durable<'_> {
        self.shared.backing.log.durable(position)
    }

    /// Blocks until [`Keyspace::durable`] would complete.
    ///
    /// # Errors
    /// [`Error::Storage`] if the write or sync failed.
    pub fn wait_durable(&self, position: Position) -> Result<(), Error> {
        Ok(self.shared.backing.log.wait_durable(position)?)
    }

    /// Brings everything to the disk, whatever the durability setting.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn sync(&self) -> Result<(), Error> {
        Ok(self.shared.backing.log.sync()?)
    }

    /// Brings the directory `target` up to date with the store, as [`bitcask_core::Bitcask::backup`] does.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn backup(&self, target: &Path) -> Result<BackupReport, Error> {
        Ok(self.shared.backing.log.backup(target)?)
    }

    /// Writes the whole store to the file `target`, which is replaced once that is complete, as
    /// [`bitcask_core::Bitcask::backup_file`] does.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn backup_file(&self, target: &Path) -> Result<BackupReport, Error> {
        Ok(self.shared.backing.log.backup_file(target)?)
    }

    /// Gives the space of what is dead in the log back, while commands go on: see [`Bitcask::compact`]. What has
    /// expired stays until it is deleted: [`Keyspace::expire_due`].
    ///
    /// # Errors
    /// [`Error::Storage`]; everything is there as before.
    ///
    /// # Examples
    /// ```
    /// use bitmap_store::{CompactionOptions, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let now = UnixMillis(1_700_000_000_000);
    /// let report = keyspace.compact(&CompactionOptions::everything(), now, &mut |progress| {
    ///     println!("{} of {} bytes", progress.read_bytes, progress.input_bytes);
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// assert!(!report.stopped);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compact(
        &self,
        options: &CompactionOptions,
        now: UnixMillis,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CompactionReport, Error> {
        Ok(self.shared.backing.log.compact(options, now, progress)?)
    }

    /// How much of the log is dead, about.
    pub fn reclaimable(&self) -> Reclaimable {
        self.shared.backing.log.reclaimable()
    }

    /// How the last compaction in the background ended; `None` before there was one.
    pub fn last_compaction(&self) -> Option<Result<CompactionReport, String>> {
        self.shared.backing.log.last_compaction()
    }

    /// Changes how compaction in the background decides; `None` turns it off.
    pub fn set_compaction(&self, options: Option<CompactionOptions>) {
        self.shared.backing.log.set_compaction(options);
    }

    /// Changes how many bytes a second compaction reads and writes at most; 0 is as many as it can.
    pub fn set_compaction_rate(&self, bytes_per_second: u64) {
        self.shared.backing.log.set_compaction_rate(bytes_per_second);
    }

    /// Changes how many bytes a second a backup copies at most; 0 is as many as it can.
    pub fn set_backup_rate(&self, bytes_per_second: u64) {
        self.shared.backing.log.set_backup_rate(bytes_per_second);
    }

    /// Changes when an acknowledged write is on disk.
    pub fn set_durability(&self, durability: Durability) {
        self.shared.backing.log.set_durability(durability);
    }

    /// When an acknowledged write is on disk.
    pub fn durability(&self) -> Durability {
        self.shared.backing.log.durability()
    }

    /// Changes how much memory decoded values may take. A smaller cache is reached as commands run.
    pub fn set_cache_bytes(&self, bytes: usize) {
        self.shared.backing.budget.set_limit(bytes);
    }

    /// Number of keys, those included that have expired and are not reclaimed yet, as in Redis.
    pub fn db_size(&self, db: Db) -> u64 {
        self.shared.counts[usize::from(db.0)].keys.load(Ordering::Relaxed)
    }

    /// Number of keys with an expiry.
    pub fn expires(&self, db: Db) -> u64 {
        self.shared.counts[usize::from(db.0)].expires.load(Ordering::Relaxed)
    }

    /// Figures of the keyspace. Takes no lock that a transaction holds.
    pub fn stats(&self) -> Stats {
        let (shared, log) = (&self.shared, self.shared.backing.log.stats());
        let sum = |counter: fn(&Lookups) -> &AtomicU64| {
            shared.lookups.iter().map(|lookups| counter(lookups).load(Ordering::Relaxed)).sum()
        };
        Stats {
            keydir_bytes: log.keydir_bytes,
            cache_bytes: shared.backing.budget.used(),
            cache_entries: shared.backing.budget.entries(),
            cache_hits: sum(|lookups| &lookups.hits),
            cache_misses: sum(|lookups| &lookups.misses),
            expired: shared.expired.load(Ordering::Relaxed),
            log_bytes: log.appended_bytes,
            sync_count: log.syncs,
            segments: log.segments,
            disk_bytes: log.disk_bytes,
            log_reads: log.reads,
        }
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace").field("log", &self.shared.backing.log).finish_non_exhaustive()
    }
}

impl Shared {
    /// See [`Keyspace::begin`].
    pub(crate) fn begin<'k>(
        &self,
        keys: impl IntoIterator<Item = (Db, &'k [u8])>,
        now: UnixMillis,
    ) -> Transaction<'_> {
        let mut keys = keys.into_iter().map(|(db, key)| self.stripe_of(&layout::key(db, key)));
        let guards = match (keys.next(), keys.next()) {
            (None, _) => Guards::Many(Vec::new()),
            (Some(only), None) => Guards::One(only, lock(&self.stripes[only])),
            (Some(first), Some(second)) => {
                let mut stripes: Vec<usize> = [first, second].into_iter().chain(keys).collect();
                stripes.sort_unstable();
                stripes.dedup();
                Guards::Many(stripes.into_iter().map(|i| (i, lock(&self.stripes[i]))).collect())
            }
        };
        Transaction::new(self, guards, now)
    }

    /// Begins a transaction on one key.
    pub(crate) fn begin_one(&self, db: Db, key: &[u8], now: UnixMillis) -> Transaction<'_> {
        let stripe = self.stripe_of(&layout::key(db, key));
        Transaction::new(self, Guards::One(stripe, lock(&self.stripes[stripe])), now)
    }

    pub(crate) fn stripe_of(&self, name: &[u8]) -> usize {
        self.hasher.hash_one(name) as usize % STRIPES
    }

    /// Drops values from other stripes, in turn, until the cache is within its budget. Stripes that are
    /// in use are left alone.
    pub(crate) fn evict(&self) {
        let mut idle = 0;
        while self.backing.budget.exceeded() && idle < STRIPES {
            let next = self.victim.fetch_add(1, Ordering::Relaxed) % STRIPES;
            let evicted = try_lock(&self.stripes[next])
                .is_some_and(|mut stripe| stripe.cache.evict(&self.backing.budget));
            idle = if evicted { 0 } else { idle + 1 };
        }
    }
}
