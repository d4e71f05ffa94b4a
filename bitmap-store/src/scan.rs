//! The keyspace as a whole, without a transaction of the caller's: going through the keys, and reclaiming
//! what has expired.

use crate::glob::Glob;
use crate::keyspace::Keyspace;
use crate::layout;
use crate::{Db, Error, Kind};
use bitcask_core::{Position, UnixMillis};
use std::ops::ControlFlow;

/// What [`Keyspace::expire_due`] has done.
#[derive(Debug, Default)]
pub struct Reclaimed {
    /// Number of keys deleted.
    pub keys: usize,
    /// The first damaged key that was met.
    pub damaged: Option<Error>,
}

impl Keyspace {
    /// The keys that match `glob`, in byte order: [`crate::Transaction::keys`], once it is durable.
    ///
    /// # Errors
    /// [`Error::Storage`] if the log fails.
    pub fn keys(&self, db: Db, glob: &Glob, now: UnixMillis) -> Result<Vec<Vec<u8>>, Error> {
        let mut transaction = self.begin([], now);
        let keys = transaction.keys(db, glob);
        self.wait_durable(transaction.commit()?)?;
        Ok(keys)
    }

    /// One step of a scan: [`crate::Transaction::scan`], once it is durable.
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
        let mut transaction = self.begin([], now);
        let step = transaction.scan(db, cursor, count, glob, kind);
        self.wait_durable(transaction.commit()?)?;
        Ok(step)
    }

    /// A key chosen at random: [`crate::Transaction::random_key`], once it is durable.
    ///
    /// # Errors
    /// As [`Keyspace::keys`].
    pub fn random_key(
        &self,
        db: Db,
        choose: &mut dyn FnMut(usize) -> usize,
        now: UnixMillis,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut transaction = self.begin([], now);
        let key = transaction.random_key(db, choose);
        self.wait_durable(transaction.commit()?)?;
        Ok(key)
    }

    /// Deletes up to `limit` keys that have expired by `now`. Damaged ones are left, and are in nobody's way.
    ///
    /// # Errors
    /// [`Error::Storage`] if the log refuses a deletion; those before it are done.
    pub fn expire_due(&self, now: UnixMillis, limit: usize) -> Result<Reclaimed, Error> {
        self.expire_due_telling(now, limit, &mut |_, _, _| {})
    }

    /// As [`Keyspace::expire_due`]; `tell` is called for each key that was deleted, with the position in the log from
    /// which on that is so, as by [`crate::Transaction::commit_then`].
    ///
    /// # Errors
    /// As [`Keyspace::expire_due`].
    pub fn expire_due_telling(
        &self,
        now: UnixMillis,
        limit: usize,
        tell: &mut dyn FnMut(Db, &[u8], Position),
    ) -> Result<Reclaimed, Error> {
        let mut reclaimed = Reclaimed::default();
        for db in (0..crate::DATABASES).map(Db) {
            let mut from = Vec::new();
            while reclaimed.keys < limit && self.expires(db) > 0 {
                let due = self.due(db, &from, now, limit - reclaimed.keys);
                let Some(last) = due.last() else { break };
                // The next after this one.
                from = [last, &b"\0"[..]].concat();
                for name in &due {
                    let Some((_, key)) = layout::expiry_of(name) else { continue };
                    let mut transaction = self.begin([(db, key)], now);
                    match transaction.reclaim(db, key, name) {
                        Ok(due) => {
                            transaction.commit_then(|position| {
                                if due {
                                    tell(db, key, position);
                                }
                            })?;
                            reclaimed.keys += usize::from(due);
                        }
                        Err(e) if e.is_damage() => {
                            reclaimed.damaged = reclaimed.damaged.or(Some(e));
                        }
                        Err(e) => return Err(e),
                    }
                }
            }
        }
        Ok(reclaimed)
    }

    /// Up to `count` entries of the expiry index that are due by `now`, from the first not below `from`.
    fn due(&self, db: Db, from: &[u8], now: UnixMillis, count: usize) -> Vec<Vec<u8>> {
        let mut due = Vec::new();
        self.shared.backing.log.walk(&layout::expiries(db), from, &mut |name| {
            match layout::expiry_of(name) {
                Some((at, _)) if at <= now && due.len() < count => {
                    due.push(name.to_vec());
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Break(()),
            }
        });
        due
    }
}
