//! The keys of a database of a bitmapistd's directory.

use super::{Selection, Store, Value, Visit};
use crate::exit::Failure;
use crate::report::{Report, Value as Figure};
use crate::target::now;
use bitcask_core::UnixMillis;
use bitmap_store::{Db, Encoding, Keyspace, Kind};

pub struct KeyspaceStore {
    keyspace: Keyspace,
    db: Db,
}

impl KeyspaceStore {
    pub fn new(keyspace: Keyspace, db: Db) -> Self {
        KeyspaceStore { keyspace, db }
    }

    fn value(&self, key: &[u8], now: UnixMillis) -> Result<Option<Value>, Failure> {
        // Dropped, not committed: a view must not be written to.
        let mut transaction = self.keyspace.begin([(self.db, key)], now);
        let Some(bytes) = transaction.get(self.db, key)? else { return Ok(None) };
        let expires_at = transaction.expiry(self.db, key)?.flatten();
        Ok(Some(Value { bytes: bytes.to_vec(), expires_at }))
    }
}

impl Store for KeyspaceStore {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Failure> {
        self.value(key, now())
    }

    fn describe(&mut self, key: &[u8]) -> Result<Option<Report>, Failure> {
        let db = self.db;
        let mut transaction = self.keyspace.begin([(db, key)], now());
        let Some(expires_at) = transaction.expiry(db, key)? else { return Ok(None) };
        let encoding = transaction.encoding(db, key)?;
        let kind = transaction.kind(db, key)?.unwrap_or(Kind::String);
        let mut report = Report::default();
        let name = if encoding == Some(Encoding::Bitmap) { "bitmap" } else { kind.text() };
        report
            .add("kind", Figure::text(name))
            .add("expires_at", Figure::or(expires_at.map(Figure::moment), "never"));
        match kind {
            Kind::String => {}
            Kind::Hash => {
                let fields = transaction.hash_len(db, key)?;
                report.add("fields", Figure::count(fields));
                return Ok(Some(report));
            }
            _ => return Ok(Some(report)),
        }
        let bytes = transaction.strlen(db, key)?;
        report.add("value_bytes", Figure::count(bytes));
        if encoding == Some(Encoding::Bitmap) {
            report.add("bits_set", Figure::count(transaction.count_bits(db, key, 0..bytes * 8)?));
        }
        Ok(Some(report))
    }

    fn exists(&mut self, key: &[u8]) -> Result<bool, Failure> {
        Ok(self.keyspace.begin([(self.db, key)], now()).exists(self.db, key)?)
    }

    fn put(&mut self, key: &[u8], value: &[u8], ttl_ms: Option<u64>) -> Result<(), Failure> {
        let now = now();
        let mut transaction = self.keyspace.begin([(self.db, key)], now);
        transaction.set(self.db, key, value, ttl_ms.map(|ms| UnixMillis(now.0 + ms)))?;
        let position = transaction.commit()?;
        Ok(self.keyspace.wait_durable(position)?)
    }

    fn delete(&mut self, keys: &[Vec<u8>]) -> Result<u64, Failure> {
        let named = keys.iter().map(|key| (self.db, &key[..]));
        let mut transaction = self.keyspace.begin(named, now());
        let mut gone = 0;
        for key in keys {
            gone += u64::from(transaction.delete(self.db, key)?);
        }
        let position = transaction.commit()?;
        self.keyspace.wait_durable(position)?;
        Ok(gone)
    }

    fn each(&mut self, selection: &Selection, visit: &mut Visit<'_>) -> Result<(), Failure> {
        if selection.is_empty() {
            return Ok(());
        }
        let now = now();
        let keys = self.keyspace.names(self.db, &selection.from, selection.to.as_deref());
        let keys: Box<dyn Iterator<Item = Vec<u8>>> =
            if selection.reverse { Box::new(keys.rev()) } else { Box::new(keys) };
        for key in keys.filter(|key| selection.matches(key)) {
            let value = if selection.values {
                let Some(value) = self.value(&key, now)? else { continue };
                Some(value)
            } else {
                if !self.keyspace.begin([(self.db, &key[..])], now).exists(self.db, &key)? {
                    continue;
                }
                None
            };
            if visit(&key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.keyspace.close()?)
    }
}
