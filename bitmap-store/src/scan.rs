//! The keyspace as a whole, without a transaction of the caller's: going through the keys, and reclaiming
//! what has expired.

use crate::glob::Glob;
use crate::keyspace::Keyspace;
use crate::layout;
use crate::{Db, Error, Kind};
use bitcask_core::UnixMillis;
use std::ops::ControlFlow;

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
}
