//! Reading snapshots: the store as it was at one moment, while writes go on.
//!
//! The log keeps what was; only the keydir forgets. So a snapshot is made in no time: it holds the
//! segments that there are, and from then on every change of the keydir first notes in it where the
//! key had been (its *undo map*). A read looks there, and for keys that did not change in the keydir.
//!
//! Compaction may move a record behind a snapshot's back, since the copy says the same. It is not noted; but
//! what takes a key out of the keydir is, whoever does it.

use crate::format::record::Kind;
use crate::iter::{Entries, Keys};
use crate::keydir::KeyDir;
use crate::log::{Log, Pin, lock};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::view::View;
use crate::{Bitcask, Entry, Error, KeyRange, Location, Metadata, UnixMillis};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The contents of a store at the moment of [`Bitcask::snapshot`]: later writes are not seen.
///
/// Taking one costs next to nothing, whatever the size of the store, and stops nobody. While it lives
/// it takes memory for each key that is changed (about 100 bytes and the key), and keeps the files that it
/// reads from readable, so that compaction gives their space back only when it goes: drop it when it has served.
///
/// # Examples
/// ```
/// use bitcask_core::{Bitcask, KeyRange, Options, UnixMillis};
/// # let temporary = tempfile::tempdir()?;
/// # let store = Bitcask::open(temporary.path(), Options::default())?;
/// let now = UnixMillis(0);
/// store.put(b"a", b"1", now)?;
/// let snapshot = store.snapshot();
/// store.put(b"a", b"2", now)?;
/// store.put(b"b", b"2", now)?;
/// assert_eq!(snapshot.get(b"a", now)?.as_deref(), Some(&b"1"[..]));
/// assert_eq!(snapshot.keys(KeyRange::all()).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Snapshot<'a> {
    store: &'a Bitcask,
    undo: Arc<Undo>,
}

/// The open snapshots of a store.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    open: Mutex<Vec<Arc<Undo>>>,
    /// Their number. It changes only while the keydir is locked, at least for reading, so that whoever
    /// changes the keydir may trust it.
    count: AtomicUsize,
}

/// What a snapshot remembers.
#[derive(Debug)]
pub(crate) struct Undo {
    /// The segments that there were, and those that hold a record noted here.
    pin: Arc<Pin>,
    former: Mutex<Former>,
}

/// Where the keys that changed had been; `None` if they had not been there.
pub(crate) type Former = BTreeMap<Vec<u8>, Option<Location>>;

impl Undo {
    pub(crate) fn former(&self) -> MutexGuard<'_, Former> {
        lock(&self.former)
    }

    fn note(&self, log: &Log, key: &[u8], former: Option<Location>) {
        let mut noted = self.former();
        if noted.contains_key(key) {
            return;
        }
        noted.insert(key.to_vec(), former);
        drop(noted);
        // A record in a segment made since is a copy that compaction made, and has no chain. Of any other
        // record the chain is older than it is, and so in segments that were there.
        let Some(Location { segment, .. }) = former else { return };
        if !self.pin.has(segment)
            && let Some(segment) = log.segment(segment)
        {
            self.pin.add(segment);
        }
    }

    /// A key of `range` that was changed since.
    pub(crate) fn changed_in(&self, range: &KeyRange) -> Option<Vec<u8>> {
        let former = self.former();
        let (key, _) = former.range::<[u8], _>(range.bounds()?).next()?;
        Some(key.clone())
    }
}

impl Snapshots {
    /// Number of open snapshots.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A snapshot of what `_keydir`, which the caller has locked, says.
    pub(crate) fn open(&self, _keydir: &KeyDir, log: &Log) -> Arc<Undo> {
        let undo = Arc::new(Undo { pin: log.pin(), former: Mutex::default() });
        lock(&self.open).push(undo.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        undo
    }

    /// Without the keydir's lock: one too many is only noted in vain.
    pub(crate) fn close(&self, undo: &Arc<Undo>) {
        lock(&self.open).retain(|open| !Arc::ptr_eq(open, undo));
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes in all open snapshots what a record of `kind` for `key` is about to change in `keydir`.
    pub(crate) fn note(&self, keydir: &KeyDir, log: &Log, kind: Kind, key: &[u8]) {
        if self.count() == 0 {
            return;
        }
        let open = lock(&self.open);
        if kind != Kind::DeletePrefix {
            let former = keydir.get(key);
            if kind == Kind::Delete && former.is_none() {
                return;
            }
            open.iter().for_each(|undo| undo.note(log, key, former));
            return;
        }
        let mut walk = keydir.walk(key, b"");
        while let Some((key, location)) = walk.next() {
            open.iter().for_each(|undo| undo.note(log, key, Some(location)));
        }
    }
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(store: &'a Bitcask, undo: Arc<Undo>) -> Self {
        Snapshot { store, undo }
    }

    pub(crate) fn store(&self) -> &'a Bitcask {
        self.store
    }

    pub(crate) fn undo(&self) -> &Undo {
        &self.undo
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { store: &self.store.store, undo: Some(&self.undo), writes: None }
    }

    /// As [`Bitcask::get`], as of then. `now` decides what has expired: pass the time of the snapshot for a
    /// view that does not change.
    ///
    /// # Errors
    /// As [`Bitcask::get`].
    pub fn get(&self, key: &[u8], now: UnixMillis) -> Result<Option<Vec<u8>>, Error> {
        self.view().get(key, now)
    }

    /// As [`Bitcask::entry`], as of then.
    ///
    /// # Errors
    /// As [`Bitcask::entry`].
    pub fn entry(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.view().entry(key)
    }

    /// As [`Bitcask::metadata`], as of then.
    ///
    /// # Errors
    /// As [`Bitcask::metadata`].
    pub fn metadata(&self, key: &[u8]) -> Result<Option<Metadata>, Error> {
        self.view().metadata(key)
    }

    /// As [`Bitcask::contains`], as of then.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.view().locate(key).is_some()
    }

    /// As [`Bitcask::keys`], as of then: exactly the keys that there were.
    pub fn keys(&self, range: KeyRange) -> Keys<'_> {
        Keys::new(self.view(), range)
    }

    /// As [`Bitcask::entries`], as of then.
    pub fn entries(&self, range: KeyRange, now: UnixMillis) -> Entries<'_> {
        Entries::new(self.view(), range, now)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.store.store.snapshots.close(&self.undo);
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.undo.former().len();
        f.debug_struct("Snapshot").field("changed_since", &changed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::SimDir;
    use crate::{Batch, Options};

    /// What compaction will do to a snapshot: records move to new segments, and the old ones go.
    #[test]
    fn a_snapshot_reads_from_segments_that_the_log_has_given_up() {
        let now = UnixMillis(0);
        let options = Options { segment_bytes: 400, background: false, ..Options::default() };
        let store = Bitcask::open_in(Arc::new(SimDir::new(1)), options).unwrap();
        let put_all = |value: u8| {
            let mut batch = Batch::new(now);
            for key in 0..30_u8 {
                batch.reset(now);
                batch.put(&[key], &[value; 50], None);
                store.write(&mut batch).unwrap();
            }
        };
        put_all(1);
        let first = store.snapshot();
        put_all(2);
        let second = store.snapshot();
        put_all(3);
        store.store.log.forget_sealed();
        for (snapshot, value) in [(&first, 1), (&second, 2)] {
            for entry in snapshot.entries(KeyRange::all(), now) {
                assert_eq!(entry.unwrap().value, [value; 50]);
            }
        }
        // A key moves, as by compaction, to a segment made since, and is then written: noted is the copy.
        let mut batch = Batch::new(now);
        batch.put(b"moved", &[4; 50], None);
        store.write(&mut batch).unwrap();
        let third = store.snapshot();
        let mut copy = Batch::new(now);
        let record = copy.put(b"copy", &[4; 50], None);
        put_all(3);
        let committed = store.write(&mut copy).unwrap();
        let location = committed.location(&copy, record);
        third.undo().former().clear();
        third.undo().note(&store.store.log, b"copy", Some(location));
        put_all(3);
        store.store.log.forget_sealed();
        assert_eq!(third.get(b"copy", now).unwrap().unwrap(), [4; 50]);
        assert!(store.store.log.front(1, 0, 1).is_ok());
        drop((first, second, third));
        assert!(store.store.log.front(1, 0, 1).is_err(), "nobody holds it any more");
    }
}
