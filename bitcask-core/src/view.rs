//! What a reader sees: the store as it is, or as a snapshot keeps it, or as a transaction will leave it.
//!
//! All reads by key go through here. A location is looked up under the keydir's lock and read without it;
//! should its record have been moved meanwhile, it is looked up again.

use crate::snapshot::Undo;
use crate::store::{Store, Value};
use crate::transaction::Writes;
use crate::{Entry, Error, KeyRange, KeyValue, Location, Metadata, UnixMillis};
use std::collections::VecDeque;

/// A fetch of keys ends with about so many bytes of them, however few they are.
const FETCH_BYTES: usize = 64 << 10;

/// What is wrong with a chain if one of its segments is not there although no newer record of the key is.
pub(crate) const DANGLING: &str = "a record's predecessor lies in a segment that is not there";

#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) store: &'a Store,
    /// What has changed since, if this is a snapshot.
    pub(crate) undo: Option<&'a Undo>,
    /// What a transaction is about to write.
    pub(crate) writes: Option<&'a Writes>,
}

impl View<'_> {
    /// Where the newest record of `key` lies; what a transaction is about to write does not lie anywhere.
    pub(crate) fn locate(&self, key: &[u8]) -> Option<Location> {
        let keydir = self.store.keydir();
        if let Some(undo) = self.undo
            && let Some(former) = undo.former().get(key)
        {
            return *former;
        }
        keydir.get(key)
    }

    /// Reads by `read` the record that [`View::locate`] finds, wherever it is moved meanwhile.
    fn find<T>(
        &self,
        key: &[u8],
        read: impl Fn(Location) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut at = self.locate(key);
        while let Some(location) = at {
            match read(location) {
                Ok(found) => return Ok(Some(found)),
                Err(e) => {
                    // A location never names other bytes: the same one is not there, or damaged, for good.
                    at = self.locate(key);
                    if at == Some(location) {
                        return Err(match e {
                            Error::Retired { .. } => self.store.damaged(location, DANGLING),
                            e => e,
                        });
                    }
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn entry(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.find(key, |location| self.store.entry(key, location))
    }

    pub(crate) fn metadata(&self, key: &[u8]) -> Result<Option<Metadata>, Error> {
        self.find(key, |location| self.store.metadata(key, location))
    }

    /// The value of the newest record that has one.
    pub(crate) fn newest(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.find(key, |location| self.store.newest(key, location))
    }

    pub(crate) fn expiry(&self, key: &[u8]) -> Result<Option<UnixMillis>, Error> {
        let read = |location: Location| {
            let read =
                self.store.read(key, location.segment, location.offset, location.len as usize)?;
            Ok(read.record().expires_at)
        };
        Ok(self.find(key, read)?.flatten())
    }

    pub(crate) fn get(&self, key: &[u8], now: UnixMillis) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.value(key, now)?.map(|(value, ..)| value))
    }

    /// As [`View::value`], with the key.
    pub(crate) fn read(&self, key: Vec<u8>, now: UnixMillis) -> Result<Option<KeyValue>, Error> {
        let found = self.value(&key, now)?;
        Ok(found.map(|(value, expires_at, sequence)| KeyValue { key, value, expires_at, sequence }))
    }

    /// A key's value, folded, its expiry and sequence number, if it is there and has not expired by `now`.
    fn value(&self, key: &[u8], now: UnixMillis) -> Result<Option<Value>, Error> {
        let expired = |at: Option<UnixMillis>| at.is_some_and(|at| at <= now);
        if let Some(written) = self.writes.and_then(|writes| writes.get(key)) {
            let there = written.as_ref().filter(|written| !expired(written.expires_at));
            return Ok(there.map(|written| (written.value.clone(), written.expires_at, 0)));
        }
        let found = self.find(key, |location| self.store.value(key, location, &expired))?;
        Ok(found.flatten())
    }

    /// Up to `most` keys of `range` from its start, or from its end. None are left only if none are given.
    pub(crate) fn keys(&self, range: &KeyRange, backwards: bool, most: usize) -> VecDeque<Vec<u8>> {
        let Some(bounds) = range.bounds() else { return VecDeque::new() };
        let keydir = self.store.keydir();
        let mut bytes = 0;
        let few = |key: &Vec<u8>| {
            let go_on = bytes < FETCH_BYTES;
            bytes += key.len();
            go_on
        };
        let former = self.undo.map(Undo::former);
        let changed = former.iter().flat_map(|former| former.range::<[u8], _>(bounds));
        let changed = changed.map(|(key, former)| (key, former.is_some()));
        let written = self.writes.iter().flat_map(|writes| writes.range::<[u8], _>(bounds));
        let written = written.map(|(key, written)| (key, written.is_some()));
        if backwards {
            let mut walk = keydir.walk_back(range.to());
            let keys = std::iter::from_fn(|| {
                walk.next().map(|(key, _)| key).filter(|key| *key >= range.from()).map(Vec::from)
            });
            let keys = patched(patched(keys, changed.rev(), true), written.rev(), true);
            keys.take(most).take_while(few).collect()
        } else {
            let mut walk = keydir.walk(b"", range.from());
            let keys = std::iter::from_fn(|| {
                walk.next().map(|(key, _)| key).filter(|key| !range.is_beyond(key)).map(Vec::from)
            });
            let keys = patched(patched(keys, changed, false), written, false);
            keys.take(most).take_while(few).collect()
        }
    }
}

/// Ordered keys with a patch of the same order applied: of each key, whether it is there instead.
fn patched<'p>(
    keys: impl Iterator<Item = Vec<u8>>,
    patch: impl Iterator<Item = (&'p Vec<u8>, bool)>,
    backwards: bool,
) -> impl Iterator<Item = Vec<u8>> {
    let (mut keys, mut patch) = (keys.peekable(), patch.peekable());
    std::iter::from_fn(move || {
        loop {
            let Some(&(patched, there)) = patch.peek() else { return keys.next() };
            if let Some(key) = keys.peek() {
                let first = if backwards { key > patched } else { key < patched };
                if first {
                    return keys.next();
                }
                if key == patched {
                    keys.next();
                }
            }
            patch.next();
            if there {
                return Some(patched.clone());
            }
        }
    })
}
