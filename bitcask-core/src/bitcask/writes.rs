//! Writing: batches, and the changes of one key that are made of them.

use super::Bitcask;
use crate::durable::Position;
use crate::format::record::Kind;
use crate::log::Placed;
use crate::sync::atomic::Ordering;
use crate::transaction::Transaction;
use crate::{Batch, Error, Location, RecordIndex, UnixMillis};
use std::cell::Cell;

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

    /// The sequence number of a record of `batch`, the batch that was written: what [`crate::Metadata::sequence`]
    /// says of its key from now on.
    pub fn sequence(&self, batch: &Batch, record: RecordIndex) -> u64 {
        batch.first_sequence + u64::from(record.0)
    }
}

impl Bitcask {
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

    /// Sets `key` to `value` and waits until that is as durable as [`crate::Options::durability`] asks.
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
    /// [`crate::Fold`]. Any later put or delta of the key says anew when it expires.
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

    /// Takes a number that no record carries and no later call returns, for naming things uniquely: if a
    /// record that mentions it survives a crash, the number is not given out again.
    pub fn reserve_sequence(&self) -> u64 {
        self.store.log.reserve_sequence()
    }
}
