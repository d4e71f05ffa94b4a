//! redb: a copy-on-write B-tree in one file.

use super::{CACHE_BYTES, Engine, Outcome, Promise, Setup};
use crate::keys::Key;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("values");
/// Pages that commits without durability have freed wait for the next one that is durable.
const COMMITS_TO_ONE_DURABLE: u64 = 10_000;

pub struct Store {
    database: Database,
    promise: Promise,
    commits: AtomicU64,
}

impl Store {
    pub fn open(dir: &Path, setup: &Setup) -> Outcome<Self> {
        let database = Database::builder()
            .set_cache_size(usize::try_from(CACHE_BYTES)?)
            .create(dir.join("store.redb"))?;
        let store = Store { database, promise: setup.promise, commits: AtomicU64::new(0) };
        if store.database.begin_read()?.list_tables()?.next().is_none() {
            store.write(&[], Durability::Immediate)?;
        }
        Ok(store)
    }

    fn write(&self, pairs: &[(Key, &[u8])], durability: Durability) -> Outcome<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, value) in pairs {
                table.insert(&key[..], *value)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Engine for Store {
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        for key in keys {
            see(table.get(&key[..])?.as_ref().map(redb::AccessGuard::value));
        }
        Ok(())
    }

    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()> {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let durable =
            self.promise == Promise::Disk || commits.is_multiple_of(COMMITS_TO_ONE_DURABLE);
        self.write(pairs, if durable { Durability::Immediate } else { Durability::None })
    }

    fn sync(&self) -> Outcome<()> {
        self.write(&[], Durability::Immediate)
    }
}
