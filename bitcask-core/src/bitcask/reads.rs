//! Reading: keys, entries, iterations, snapshots.

use super::Bitcask;
use crate::iter::{Entries, KeyValue, Keys};
use crate::snapshot::Snapshot;
use crate::view::View;
use crate::{Entry, Error, KeyRange, Location, Metadata, UnixMillis};
use std::ops::ControlFlow;

impl Bitcask {
    /// The value of `key`, its chain folded, if it has not expired by `now`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record fails its check, or the fold refuses its bytes;
    /// [`Error::NoFold`] if there are deltas and [`crate::Options::fold`] is not set; [`Error::Io`].
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

    /// Number of keys, expired ones included.
    pub fn len(&self) -> usize {
        self.store.keydir().len()
    }

    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// The contents as they are now, to be read while writes go on.
    pub fn snapshot(&self) -> Snapshot<'_> {
        let keydir = self.store.keydir();
        let undo = self.store.snapshots.open(&keydir, &self.store.log);
        Snapshot::new(self, undo)
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

    /// The greatest key that is not above `key`, among those that begin with `prefix`; expired or not. Never reads the
    /// disk, and takes about as long as finding a key.
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// for key in ["page:", "page:m", "rest"] {
    ///     store.put(key.as_bytes(), b"", UnixMillis(0))?;
    /// }
    /// assert_eq!(store.floor(b"page:", b"page:k").as_deref(), Some(&b"page:"[..]));
    /// assert_eq!(store.floor(b"page:", b"page:z").as_deref(), Some(&b"page:m"[..]));
    /// assert_eq!(store.floor(b"page:", b"pa"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn floor(&self, prefix: &[u8], key: &[u8]) -> Option<Vec<u8>> {
        self.store.keydir().floor(prefix, key).map(|(key, _)| key)
    }

    /// A key that begins with `prefix`, chosen by `choose(n)` (a number below n) at each branch of the
    /// tree. Not quite uniform: keys in sparse branches are likelier.
    pub fn sample(&self, prefix: &[u8], choose: &mut dyn FnMut(usize) -> usize) -> Option<Vec<u8>> {
        self.store.keydir().sample(prefix, choose).map(|(key, _)| key)
    }

    fn view(&self) -> View<'_> {
        View { store: &self.store, undo: None, writes: None }
    }
}
