//! Optimistic transactions: read a snapshot, write in memory, commit if nothing that was read has changed.

use crate::iter::{Entries, Keys};
use crate::view::View;
use crate::{Batch, Committed, Error, KeyRange, Snapshot, UnixMillis};
use std::collections::BTreeMap;
use std::fmt;

/// Reads and writes that take effect together, as if nobody else had written meanwhile, or not at all.
///
/// What it reads is the store as it was when the transaction began, and its own writes on top. What it
/// writes is in memory until [`Transaction::commit`], and seen by nobody. Nothing is locked; instead, a commit
/// fails with [`Error::Conflict`] if somebody has written meanwhile what this transaction has read: a
/// key, found or not, or any key within a range that it has iterated over. So committed transactions are
/// *serialisable*, phantoms included. A key that is only written, and not read, never conflicts: the later commit
/// wins. A transaction that only reads never fails.
///
/// Dropping it undoes it. It costs what a [`Snapshot`] costs, and memory for what it writes, and for the name of each
/// key that it reads.
///
/// # Examples
/// ```
/// use bitcask_core::{Bitcask, Error, Options, UnixMillis};
/// # let temporary = tempfile::tempdir()?;
/// # let store = Bitcask::open(temporary.path(), Options::default())?;
/// let now = UnixMillis(0);
/// store.put(b"a", b"1", now)?;
/// let committed = loop {
///     let mut transaction = store.transaction(now);
///     let mut value = transaction.get(b"a")?.unwrap_or_default();
///     value.push(b'!');
///     transaction.put(b"a", &value, None);
///     assert_eq!(transaction.get(b"a")?, Some(value), "it reads its own writes");
///     match transaction.commit() {
///         Err(Error::Conflict { .. }) => continue,
///         other => break other?,
///     }
/// };
/// store.wait_durable(committed.position())?;
/// assert_eq!(store.get(b"a", now)?.as_deref(), Some(&b"1!"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Transaction<'a> {
    snapshot: Snapshot<'a>,
    now: UnixMillis,
    writes: Writes,
    read: Vec<KeyRange>,
}

/// What a transaction has written: `None` is a deletion.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Written>>;

#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) value: Vec<u8>,
    pub(crate) expires_at: Option<UnixMillis>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(snapshot: Snapshot<'a>, now: UnixMillis) -> Self {
        Transaction { snapshot, now, writes: Writes::new(), read: Vec::new() }
    }

    fn view(&self) -> View<'_> {
        View { writes: Some(&self.writes), ..self.snapshot.view() }
    }

    /// Remembers that `key` was read, unless the transaction itself has written it.
    fn note(&mut self, key: &[u8]) {
        if !self.writes.contains_key(key) {
            self.read.push(KeyRange::new(key..=key));
        }
    }

    /// The value of `key`, if it has not expired by the transaction's time. Counts as read.
    ///
    /// # Errors
    /// As [`crate::Bitcask::get`].
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.note(key);
        self.view().get(key, self.now)
    }

    /// True if there is a value of `key` that has not expired by the transaction's time. Counts as read.
    ///
    /// # Errors
    /// As [`crate::Bitcask::expiry`].
    pub fn contains(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.note(key);
        let expired = |at: Option<UnixMillis>| at.is_some_and(|at| at <= self.now);
        match self.writes.get(key) {
            Some(written) => Ok(written.as_ref().is_some_and(|w| !expired(w.expires_at))),
            None => Ok(self.snapshot.contains(key) && !expired(self.snapshot.view().expiry(key)?)),
        }
    }

    /// The keys of `range`, expired ones included. All of the range counts as read, however far the iteration
    /// goes: give it an end.
    pub fn keys(&mut self, range: KeyRange) -> Keys<'_> {
        self.read.push(range.clone());
        Keys::new(self.view(), range)
    }

    /// The entries of `range`, those expired left out. All of the range counts as read, however far the iteration
    /// goes: give it an end.
    pub fn entries(&mut self, range: KeyRange) -> Entries<'_> {
        self.read.push(range.clone());
        Entries::new(self.view(), range, self.now)
    }

    /// Sets `key` to `value`, and its expiry (`None`: it never expires).
    pub fn put(&mut self, key: &[u8], value: &[u8], expires_at: Option<UnixMillis>) {
        let written = Written { value: value.to_vec(), expires_at };
        self.writes.insert(key.to_vec(), Some(written));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: &[u8]) {
        self.writes.insert(key.to_vec(), None);
    }

    /// Writes all that was written as one batch, if nothing that was read has changed. To wait for the disk,
    /// pass [`Committed::position`] to [`crate::Bitcask::wait_durable`].
    ///
    /// # Errors
    /// [`Error::Conflict`], and those of [`crate::Bitcask::write`]; nothing was applied then.
    pub fn commit(self) -> Result<Committed, Error> {
        let mut batch = Batch::new(self.now);
        for (key, written) in &self.writes {
            match written {
                Some(Written { value, expires_at }) => batch.put(key, value, *expires_at),
                None => batch.delete(key),
            };
        }
        let undo = self.snapshot.undo();
        self.snapshot.store().write_if(&mut batch, &|| match self
            .read
            .iter()
            .find_map(|range| undo.changed_in(range))
        {
            Some(key) => Err(Error::Conflict { key }),
            None => Ok(()),
        })
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("reads", &self.read.len())
            .field("writes", &self.writes.len())
            .finish_non_exhaustive()
    }
}
