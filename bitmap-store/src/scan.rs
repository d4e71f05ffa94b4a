//! Going through the keys: KEYS, SCAN, RANDOMKEY, and the reclaiming of what has expired.

use crate::cursor::between;
use crate::glob::Glob;
use crate::keyspace::Keyspace;
use crate::layout;
use crate::{Db, Error, Kind};
use bitcask_core::UnixMillis;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// The index is walked so many keys at a time, and free for writers in between.
const CHUNK: usize = 4096;
/// How often a random key may turn out to have expired before all are looked at.
const TRIES: usize = 100;

impl Keyspace {
    /// The keys that match `glob`, in byte order.
    ///
    /// # Errors
    /// None at present; the log's index is in memory.
    pub fn keys(&self, db: Db, glob: &Glob, now: UnixMillis) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        let mut from = Vec::new();
        loop {
            let (chunk, next) = self.chunk(db, glob.literal_prefix(), &from, CHUNK);
            found.extend(self.live(db, chunk, now).filter(|key| glob.matches(key)));
            match next {
                Some(next) => from = next,
                None => return Ok(found),
            }
        }
    }

    /// One step of a scan: the next cursor, 0 at the end, and keys. `count` is a hint for how many keys to
    /// look at. Begins at cursor 0; a cursor that was never given out ends the scan at once.
    ///
    /// A key that is there from the first step to the last is returned exactly once.
    ///
    /// # Errors
    /// As [`Keyspace::keys`].
    pub fn scan(
        &self,
        db: Db,
        cursor: u64,
        count: usize,
        glob: Option<&Glob>,
        kind: Option<Kind>,
        now: UnixMillis,
    ) -> Result<(u64, Vec<Vec<u8>>), Error> {
        let shared = &self.shared;
        let lock = || shared.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut from = match cursor {
            0 => Vec::new(),
            cursor => match lock().place(cursor) {
                Some(place) => place,
                None => return Ok((0, Vec::new())),
            },
        };
        let mut found = Vec::new();
        let wanted = |key: &Vec<u8>| {
            glob.is_none_or(|glob| glob.matches(key))
                && kind.is_none_or(|kind| kind == Kind::String)
        };
        loop {
            let (chunk, next) = self.chunk(db, b"", &from, count.clamp(1, CHUNK));
            let last = chunk.last().cloned();
            found.extend(self.live(db, chunk, now).filter(wanted));
            let (Some(next), Some(last)) = (next, last) else { return Ok((0, found)) };
            let (cursor, written) = {
                let mut cursors = lock();
                let cursor = cursors.make(&shared.backing.log, between(&last, &next), now);
                (cursor, cursors.written())
            };
            if let Some(cursor) = cursor {
                shared.backing.log.wait_durable(written)?;
                return Ok((cursor, found));
            }
            from = next;
        }
    }

    /// A key chosen by `choose(n)`, a number below n; not quite uniformly. `None` without keys.
    ///
    /// # Errors
    /// As [`Keyspace::keys`].
    pub fn random_key(
        &self,
        db: Db,
        choose: &mut dyn FnMut(usize) -> usize,
        now: UnixMillis,
    ) -> Result<Option<Vec<u8>>, Error> {
        let log = &self.shared.backing.log;
        for _ in 0..TRIES {
            let Some(name) = log.sample(&layout::key(db, b""), choose) else { return Ok(None) };
            let key = layout::key_of(&name).to_vec();
            if let Some(key) = self.live(db, vec![key], now).next() {
                return Ok(Some(key));
            }
        }
        let live = self.keys(db, &Glob::new(b"*"), now)?;
        Ok(if live.is_empty() { None } else { live.get(choose(live.len())).cloned() })
    }

    /// Deletes up to `limit` keys that have expired by `now`; returns how many.
    ///
    /// # Errors
    /// [`Error::Storage`] if the log refuses the deletion.
    pub fn expire_due(&self, now: UnixMillis, limit: usize) -> Result<usize, Error> {
        let mut deleted = 0;
        for db in (0..crate::DATABASES).map(Db) {
            if self.expires(db) == 0 {
                continue;
            }
            let mut due = Vec::new();
            self.shared.backing.log.walk(&layout::expiries(db), b"", &mut |name| {
                match layout::expiry_of(name) {
                    Some((at, key)) if at <= now && deleted + due.len() < limit => {
                        due.push(key.to_vec());
                        ControlFlow::Continue(())
                    }
                    _ => ControlFlow::Break(()),
                }
            });
            for key in due {
                let mut transaction = self.begin([(db, &key[..])], now);
                if transaction.reclaim(db, &key)? {
                    transaction.commit()?;
                    deleted += 1;
                }
            }
        }
        Ok(deleted)
    }

    /// Up to `count` keys that begin with `prefix`, from the first not below `from`, and the key after.
    fn chunk(
        &self,
        db: Db,
        prefix: &[u8],
        from: &[u8],
        count: usize,
    ) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let (mut keys, mut next) = (Vec::new(), None);
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

    /// Those of `keys` that have not expired. The expiry index is in memory, so no disk is read.
    fn live(&self, db: Db, keys: Vec<Vec<u8>>, now: UnixMillis) -> impl Iterator<Item = Vec<u8>> {
        let mut expired = HashSet::new();
        if self.shared.counts[usize::from(db.0)].expires.load(Ordering::Relaxed) > 0 {
            self.shared.backing.log.walk(&layout::expiries(db), b"", &mut |name| {
                match layout::expiry_of(name) {
                    Some((at, key)) if at <= now => {
                        expired.insert(key.to_vec());
                        ControlFlow::Continue(())
                    }
                    _ => ControlFlow::Break(()),
                }
            });
        }
        keys.into_iter().filter(move |key| !expired.contains(key))
    }
}
