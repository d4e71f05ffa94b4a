//! fjall: an LSM tree.

use super::{APART_BYTES, CACHE_BYTES, Engine, Outcome, Pace, Promise, Setup};
use crate::keys::Key;
use fjall::config::CompressionPolicy;
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode,
    Readable,
};
use std::path::Path;

pub struct Store {
    database: Database,
    keyspace: Keyspace,
    mode: Option<PersistMode>,
}

impl Store {
    pub fn open(dir: &Path, setup: &Setup) -> Outcome<Self> {
        let manual = setup.promise == Promise::Memory;
        let database = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .worker_threads(2)
            .manual_journal_persist(manual)
            .journal_compression(CompressionType::None)
            .open()?;
        let keyspace = database.keyspace("values", || {
            let apart = (setup.value_bytes >= APART_BYTES)
                .then(|| KvSeparationOptions::default().compression(CompressionType::None));
            KeyspaceCreateOptions::default()
                .manual_journal_persist(manual)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .with_kv_separation(apart)
        })?;
        let mode = match setup.promise {
            Promise::Disk => Some(PersistMode::SyncData),
            Promise::System => Some(PersistMode::Buffer),
            Promise::Memory => None,
        };
        Ok(Store { database, keyspace, mode })
    }
}

impl Engine for Store {
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()> {
        // One read needs no snapshot.
        if let [key] = keys {
            see(self.keyspace.get(key)?.as_deref());
            return Ok(());
        }
        let snapshot = self.database.snapshot();
        for key in keys {
            see(snapshot.get(&self.keyspace, key)?.as_deref());
        }
        Ok(())
    }

    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()> {
        if let [(key, value)] = pairs {
            self.keyspace.insert(*key, *value)?;
            if self.mode == Some(PersistMode::SyncData) {
                self.database.persist(PersistMode::SyncData)?;
            }
            return Ok(());
        }
        let mut batch = self.database.batch().durability(self.mode);
        for (key, value) in pairs {
            batch.insert(&self.keyspace, *key, *value);
        }
        Ok(batch.commit()?)
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn compact(&self, pace: Pace, _: &dyn Fn() -> bool) -> Option<Outcome<()>> {
        (pace == Pace::Full).then(|| self.keyspace.major_compact().map_err(Into::into))
    }
}
