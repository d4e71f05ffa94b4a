//! The keys of a log: any `bitcask-core` store.

use super::{Selection, Store, Value, Visit};
use crate::exit::Failure;
use crate::report::{Report, Value as Figure};
use crate::target::now;
use bitcask_core::{Batch, Bitcask, KeyRange, Metadata, UnixMillis};
use std::ops::Bound;

pub struct LogStore {
    log: Bitcask,
}

impl LogStore {
    pub fn new(log: Bitcask) -> Self {
        LogStore { log }
    }

    /// What is known of a key that is there and has not expired.
    fn metadata(&self, key: &[u8], now: UnixMillis) -> Result<Option<Metadata>, Failure> {
        let found = self.log.metadata(key)?;
        if found.as_ref().is_some_and(|found| found.is_expired(now)) {
            // Of a long record that was read without its checksum, which this verifies.
            self.log.expiry(key)?;
            return Ok(None);
        }
        Ok(found)
    }
}

/// The keys between two bounds.
pub fn range(from: &[u8], to: Option<&[u8]>) -> KeyRange {
    let to = to.map_or(Bound::Unbounded, Bound::Excluded);
    KeyRange::new::<&[u8]>((Bound::Included(from), to))
}

impl Store for LogStore {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Failure> {
        let now = now();
        let Some(bytes) = self.log.get(key, now)? else { return Ok(None) };
        Ok(Some(Value { bytes, expires_at: self.log.expiry(key)? }))
    }

    fn describe(&mut self, key: &[u8]) -> Result<Option<Report>, Failure> {
        let found = self.metadata(key, now())?;
        Ok(found.map(|found| {
            let mut report = Report::default();
            report
                .add("sequence", Figure::id(found.sequence))
                .add("written_at", Figure::moment(found.written_at))
                .add("expires_at", Figure::or(found.expires_at.map(Figure::moment), "never"))
                .add(
                    "value_bytes",
                    Figure::or(found.value_bytes.map(Figure::count), "with changes"),
                )
                .add("records", Figure::count(u64::from(found.chain_records)))
                .add("log_bytes", Figure::count(found.log_bytes));
            report
        }))
    }

    fn exists(&mut self, key: &[u8]) -> Result<bool, Failure> {
        Ok(self.metadata(key, now())?.is_some())
    }

    fn put(&mut self, key: &[u8], value: &[u8], ttl_ms: Option<u64>) -> Result<(), Failure> {
        let now = now();
        let mut batch = Batch::new(now);
        batch.put(key, value, ttl_ms.map(|ms| UnixMillis(now.0 + ms)));
        let committed = self.log.write(&mut batch)?;
        Ok(self.log.wait_durable(committed.position())?)
    }

    fn delete(&mut self, keys: &[Vec<u8>]) -> Result<u64, Failure> {
        let mut batch = Batch::new(now());
        let mut gone = std::collections::BTreeSet::new();
        for key in keys {
            let there = match self.exists(key) {
                // What cannot be read can be deleted.
                Err(Failure::Damaged { .. }) => true,
                other => other?,
            };
            if there && gone.insert(key) {
                batch.delete(key);
            }
        }
        let committed = self.log.write(&mut batch)?;
        self.log.wait_durable(committed.position())?;
        Ok(gone.len() as u64)
    }

    fn each(&mut self, selection: &Selection, visit: &mut Visit<'_>) -> Result<(), Failure> {
        if selection.is_empty() {
            return Ok(());
        }
        let now = now();
        let keys = self.log.keys(range(&selection.from, selection.to.as_deref()));
        let keys: Box<dyn Iterator<Item = Vec<u8>>> =
            if selection.reverse { Box::new(keys.rev()) } else { Box::new(keys) };
        for key in keys.filter(|key| selection.matches(key)) {
            let Some(Metadata { expires_at, .. }) = self.metadata(&key, now)? else { continue };
            let value = match selection.values {
                false => None,
                true => match self.log.get(&key, now)? {
                    Some(bytes) => Some(Value { bytes, expires_at }),
                    None => continue,
                },
            };
            if visit(&key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.log.close()?)
    }
}
