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
use crate::log::{Log, Segment, Segments, lock};
use crate::view::View;
use crate::{Bitcask, Entry, Error, KeyRange, Location, Metadata, UnixMillis};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

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
    /// The segments that there were. They stay readable while this lives.
    segments: Arc<Segments>,
    changed: Mutex<Changed>,
}

#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Where the keys that changed had been; `None` if they had not been there.
    pub(crate) former: BTreeMap<Vec<u8>, Option<Location>>,
    /// Segments made since (by compaction) that hold such a record.
    later: BTreeMap<u32, Arc<Segment>>,
}

impl Undo {
    pub(crate) fn changed(&self) -> MutexGuard<'_, Changed> {
        lock(&self.changed)
    }

    fn note(&self, log: &Log, key: &[u8], former: Option<Location>) {
        let mut changed = self.changed();
        if changed.former.contains_key(key) {
            return;
        }
        changed.former.insert(key.to_vec(), former);
        let Some(Location { segment, .. }) = former else { return };
        // The other records of its chain are older than it, and so is their segment, or they are in the same.
        if !self.segments.contains_key(&segment)
            && let Some(held) = log.segment(segment)
        {
            changed.later.insert(segment, held);
        }
    }

    /// Whether a key of `range` was changed since.
    pub(crate) fn changed_in(&self, range: &KeyRange) -> Option<Vec<u8>> {
        let changed = self.changed();
        let (key, _) = changed.former.range::<[u8], _>(range.bounds()?).next()?;
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
        let undo = Arc::new(Undo { segments: log.segments(), changed: Mutex::default() });
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
        let changed = self.undo.changed().former.len();
        f.debug_struct("Snapshot").field("changed_since", &changed).finish_non_exhaustive()
    }
}
