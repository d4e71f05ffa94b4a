//! Keys in order, and what is done to all that are found: KEYS with its options, PDEL, DELIF.
//!
//! A keyspace may have millions of keys, so what is done to those that match need not be one transaction: one that
//! was begun without keys takes the locks of a few at a time, and is done with them before it goes on.

use super::{Guards, Transaction};
use crate::glob::Glob;
use crate::layout;
use crate::{Db, Error};
use bitcask_core::KeyRange;
use bytes::Bytes;
use memchr::memmem::Finder;

/// Which of the matching keys are listed, and in what order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listing<'a> {
    /// The list begins behind this key, which need not be there.
    pub pivot: Option<&'a [u8]>,
    /// The list is no longer than this.
    pub limit: Option<usize>,
    /// The keys descend.
    pub descending: bool,
}

/// Keys are looked at so many at a time.
const CHUNK: usize = 4096;

impl Transaction<'_> {
    /// The keys that match `glob`, in byte order or the reverse of it, as `listing` says. Looks at no more keys
    /// than it takes to find them.
    pub fn list_keys(&mut self, db: Db, glob: &Glob, listing: Listing<'_>) -> Vec<Vec<u8>> {
        let overlay = self.overlay(db);
        let limit = listing.limit.unwrap_or(usize::MAX);
        let mut range = KeyRange::prefix(&*layout::key(db, glob.literal_prefix()));
        if let Some(pivot) = listing.pivot {
            let pivot = layout::key(db, pivot);
            range = match listing.descending {
                false => range.after(&*pivot),
                true => range.before(&*pivot),
            };
        }
        let mut own: Vec<Vec<u8>> = overlay
            .iter()
            .filter(|(key, there)| {
                **there && range.contains(&layout::key(db, key)) && glob.matches(key)
            })
            .map(|(key, _)| key.clone())
            .collect();
        let mut found = Vec::new();
        if !self.is_flushed(db) {
            let shared = self.shared;
            let mut names = shared.backing.log.keys(range);
            let mut step = || if listing.descending { names.next_back() } else { names.next() };
            while found.len() < limit {
                let wanted = CHUNK.min(limit - found.len());
                let matching = std::iter::from_fn(&mut step)
                    .map(|name| layout::key_of(&name).to_vec())
                    .filter(|key| glob.matches(key));
                let chunk: Vec<Vec<u8>> = matching.take(wanted).collect();
                if chunk.is_empty() {
                    break;
                }
                found.extend(self.live(db, chunk, &overlay));
            }
        }
        self.seen = self.shared.backing.log.position();
        if !own.is_empty() {
            found.append(&mut own);
            found.sort_unstable();
            if listing.descending {
                found.reverse();
            }
        }
        found.truncate(limit);
        found
    }

    /// True if it was begun without keys, so that [`Transaction::get_found`] and [`Transaction::delete_found`]
    /// lock those that they are given, and let them go.
    pub fn is_without_keys(&self) -> bool {
        matches!(&self.guards, Guards::Many(stripes) if stripes.is_empty())
    }

    /// The string at a key that was found by [`Transaction::list_keys`]; `None` if it has gone meanwhile.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    ///
    /// # Panics
    /// As all methods, if the transaction was begun with keys and this is none of them.
    pub fn get_found(&mut self, db: Db, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.on_found(db, &[key], |transaction| transaction.get(db, key))
    }

    /// Deletes keys that were found by [`Transaction::list_keys`]; says of each whether it was still there. If the
    /// transaction was begun without keys, that is done and committed at once, whatever becomes of the rest.
    ///
    /// # Errors
    /// As [`Transaction::delete`].
    ///
    /// # Panics
    /// As [`Transaction::get_found`].
    pub fn delete_found(&mut self, db: Db, keys: &[Vec<u8>]) -> Result<Vec<bool>, Error> {
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        self.on_found(db, &names, |transaction| {
            names.iter().map(|key| transaction.delete(db, key)).collect()
        })
    }

    /// Runs `work` on keys that it holds, or else in a transaction on them, of which it has seen what there is
    /// to see.
    fn on_found<T>(
        &mut self,
        db: Db,
        keys: &[&[u8]],
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !self.is_without_keys() {
            return work(self);
        }
        let mut other = self.shared.begin(keys.iter().map(|key| (db, *key)), self.now);
        let done = work(&mut other)?;
        let position = other.commit()?;
        self.seen = self.seen.max(position);
        Ok(done)
    }

    /// Deletes those of `keys` that hold a string with `part` in it, an empty one being in each; returns them.
    ///
    /// # Errors
    /// [`Error::WrongType`] if one holds no string: then none is deleted. Else as [`Transaction::delete`].
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// # let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let keys = [&b"a"[..], b"b", b"missing"];
    /// let mut transaction = keyspace.begin(keys.map(|key| (db, key)), now);
    /// transaction.set(db, b"a", b"one of these", None)?;
    /// transaction.set(db, b"b", b"another", None)?;
    /// assert_eq!(transaction.delete_if(db, b"of", keys)?, [b"a"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_if<'k>(
        &mut self,
        db: Db,
        part: &[u8],
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Vec<&'k [u8]>, Error> {
        let finder = Finder::new(part);
        let mut chosen = Vec::new();
        for key in keys {
            if self.get(db, key)?.is_some_and(|value| finder.find(&value).is_some()) {
                chosen.push(key);
            }
        }
        let mut deleted = Vec::new();
        for key in chosen {
            // One that is named twice is deleted once.
            if self.delete(db, key)? {
                deleted.push(key);
            }
        }
        Ok(deleted)
    }
}
