//! sled: a log-structured B-tree.

use super::{CACHE_BYTES, Engine, Outcome, Promise, Setup};
use crate::keys::Key;
use sled::{Batch, Db, Mode};
use std::path::Path;

pub struct Store {
    db: Db,
    flush: bool,
}

impl Store {
    pub fn open(dir: &Path, setup: &Setup) -> Outcome<Self> {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(Mode::HighThroughput)
            .open()?;
        Ok(Store { db, flush: setup.promise == Promise::Disk })
    }
}

impl Engine for Store {
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()> {
        for key in keys {
            see(self.db.get(key)?.as_deref());
        }
        Ok(())
    }

    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()> {
        if let [(key, value)] = pairs {
            self.db.insert(key, *value)?;
        } else {
            let mut batch = Batch::default();
            for (key, value) in pairs {
                batch.insert(&key[..], *value);
            }
            self.db.apply_batch(batch)?;
        }
        if self.flush { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Outcome<()> {
        self.db.flush()?;
        Ok(())
    }
}
