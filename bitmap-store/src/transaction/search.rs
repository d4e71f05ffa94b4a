//! Going through the keys: KEYS, SCAN, RANDOMKEY, DBSIZE.
//!
//! The log's index says which keys there are; what the transaction itself has made or deleted by then is
//! laid over it. No lock of a stripe is needed: that a key is there, and when it expires, is in the index.

use super::Transaction;
use crate::cursor::between;
use crate::glob::Glob;
use crate::layout;
use crate::record;
use crate::value::Cached;
use crate::{Db, Kind};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// The index is walked so many keys at a time, and free for writers in between.
const CHUNK: usize = 4096;
/// How often a random key may turn out to have expired before all are looked at.
const TRIES: usize = 100;

/// So many expired keys are looked at, and four times those asked for, before the keys' own records are read.
const FEW_EXPIRED: usize = 1000;

/// Keys that the transaction has touched: whether they are there now.
pub(super) type Overlay = BTreeMap<Vec<u8>, bool>;

impl Transaction<'_> {
    /// Number of keys, those included that have expired and are not reclaimed yet, as in Redis.
    pub fn db_size(&mut self, db: Db) -> u64 {
        let counted = self.shared.counts[usize::from(db.0)].keys.load(Ordering::Relaxed);
        self.seen = self.shared.backing.log.position();
        let mut size = if self.pending.flushed.contains(&db) { 0 } else { counted };
        for (stripe, name) in &self.pending.touched {
            if let (true, Some(Cached::Key(entry))) =
                (name[0] == db.0, self.guards.stripe(*stripe).cache.peek(name))
            {
                let before = entry.stored.exists && !self.pending.flushed.contains(&db);
                size = size + u64::from(entry.exists()) - u64::from(before);
            }
        }
        size
    }

    /// The keys that match `glob`, in byte order.
    pub fn keys(&mut self, db: Db, glob: &Glob) -> Vec<Vec<u8>> {
        let overlay = self.overlay(db);
        let mut found = Vec::new();
        let mut from = Some(Vec::new());
        while let Some(start) = from {
            let (chunk, next) = self.chunk(db, glob.literal_prefix(), &start, CHUNK);
            found.extend(self.live(db, chunk, &overlay).filter(|key| glob.matches(key)));
            from = next;
        }
        self.seen = self.shared.backing.log.position();
        let own = overlay.into_iter().filter(|(key, there)| *there && glob.matches(key));
        let before = found.len();
        found.extend(own.map(|(key, _)| key));
        if found.len() > before {
            found.sort_unstable();
        }
        found
    }

    /// One step of a scan: the next cursor, 0 at the end, and keys. `count` is a hint for how many keys to
    /// look at. Begins at cursor 0; a cursor that was never given out ends the scan at once.
    ///
    /// A key that is there from the first step to the last is returned exactly once.
    pub fn scan(
        &mut self,
        db: Db,
        cursor: u64,
        count: usize,
        glob: Option<&Glob>,
        kind: Option<Kind>,
    ) -> (u64, Vec<Vec<u8>>) {
        let shared = self.shared;
        let lock = || shared.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let start = match cursor {
            0 => Vec::new(),
            cursor => match lock().place(cursor) {
                Some(place) => place,
                None => return (0, Vec::new()),
            },
        };
        let overlay = self.overlay(db);
        let mut found = Vec::new();
        let mut from = start.clone();
        // Where the walk goes on: what is below has been returned.
        let (cursor, place) = loop {
            let (chunk, next) = self.chunk(db, b"", &from, count.clamp(1, CHUNK));
            let last = chunk.last().cloned();
            found.extend(self.live(db, chunk, &overlay));
            let (Some(next), Some(last)) = (next, last) else { break (0, None) };
            let place = between(&last, &next);
            let made = lock().make(&shared.backing.log, place, self.now);
            if let Some(cursor) = made {
                break (cursor, Some(place.to_vec()));
            }
            from = next;
        };
        // The cursor may come back after a crash, and must still mean the same then.
        self.seen = shared.backing.log.position();
        let own = overlay.into_iter().filter(|(key, there)| {
            *there && *key >= start && place.as_ref().is_none_or(|place| key < place)
        });
        found.extend(own.map(|(key, _)| key));
        found.retain(|key| {
            glob.is_none_or(|glob| glob.matches(key))
                && kind.is_none_or(|kind| self.kind_in_passing(db, key) == Some(kind))
        });
        (cursor, found)
    }

    /// The type of a key whose stripe is perhaps not held: one look at its newest record, unless it is this
    /// transaction's own. `None` if it cannot be told.
    fn kind_in_passing(&mut self, db: Db, key: &[u8]) -> Option<Kind> {
        let name = layout::key(db, key);
        let own = self.pending.touched.iter().find(|(_, own)| **own == *name);
        if let Some((stripe, _)) = own
            && let Some(Cached::Key(entry)) = self.guards.stripe(*stripe).cache.peek(&name)
        {
            return entry.value.kind();
        }
        let newest = self.shared.backing.log.newest(&name).ok().flatten();
        newest.and_then(|value| record::kind(&value).ok())
    }

    /// A key chosen by `choose(n)`, a number below n; not quite uniformly. `None` without keys.
    pub fn random_key(
        &mut self,
        db: Db,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Option<Vec<u8>> {
        let log = &self.shared.backing.log;
        let overlay = self.overlay(db);
        // With changes of its own it looks at all keys: that is rare, and must be right.
        let tries = if overlay.is_empty() && self.pending.flushed.is_empty() { TRIES } else { 0 };
        for _ in 0..tries {
            let name = log.sample(&layout::key(db, b""), choose)?;
            let key = layout::key_of(&name).to_vec();
            if let Some(key) = self.live(db, vec![key], &overlay).next() {
                self.seen = log.position();
                return Some(key);
            }
        }
        let live = self.keys(db, &Glob::new(b"*"));
        if live.is_empty() { None } else { live.get(choose(live.len())).cloned() }
    }

    pub(super) fn overlay(&mut self, db: Db) -> Overlay {
        let mut overlay = Overlay::new();
        for (stripe, name) in self.pending.touched.iter().filter(|(_, name)| name[0] == db.0) {
            if let Some(Cached::Key(entry)) = self.guards.stripe(*stripe).cache.peek(name) {
                let there = entry.exists() && !entry.expired(self.now);
                overlay.insert(layout::key_of(name).to_vec(), there);
            }
        }
        overlay
    }

    /// Whether the log's index has nothing of the database any more, though it does not know yet.
    pub(super) fn is_flushed(&self, db: Db) -> bool {
        self.pending.flushed.contains(&db)
    }

    /// Up to `count` keys of the index that begin with `prefix`, from the first not below `from`, and the
    /// key after.
    fn chunk(
        &self,
        db: Db,
        prefix: &[u8],
        from: &[u8],
        count: usize,
    ) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let (mut keys, mut next) = (Vec::new(), None);
        if self.is_flushed(db) {
            return (keys, next);
        }
        let (prefix, from) = (layout::key(db, prefix), layout::key(db, from));
        self.shared.backing.log.walk(&prefix, &from, &mut |name| {
            let key = layout::key_of(name).to_vec();
            if keys.len() == count {
                next = Some(key);
                return ControlFlow::Break(());
            }
            keys.push(key);
            ControlFlow::Continue(())
        });
        (keys, next)
    }

    /// Those of `keys` that have not expired and are not in the overlay. What has expired is in the index of
    /// expiries, in memory; only if that is more than a few times the keys asked for, their records are read.
    pub(super) fn live<'o>(
        &self,
        db: Db,
        keys: Vec<Vec<u8>>,
        overlay: &'o Overlay,
    ) -> impl Iterator<Item = Vec<u8>> + use<'o> {
        let (now, log, mut expired) = (self.now, &self.shared.backing.log, HashSet::new());
        let mut left = FEW_EXPIRED + 4 * keys.len();
        if self.shared.counts[usize::from(db.0)].expires.load(Ordering::Relaxed) > 0 {
            log.walk(&layout::expiries(db), b"", &mut |name| match layout::expiry_of(name) {
                Some((at, key)) if at <= now && left > 0 => {
                    expired.insert(key.to_vec());
                    left -= 1;
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Break(()),
            });
        }
        if left == 0 {
            let due = |key: &&Vec<u8>| {
                let expiry = log.expiry(&layout::key(db, key));
                expiry.is_ok_and(|expiry| expiry.is_some_and(|at| at <= now))
            };
            expired = keys.iter().filter(due).cloned().collect();
        }
        keys.into_iter().filter(move |key| !expired.contains(key) && !overlay.contains_key(key))
    }
}
