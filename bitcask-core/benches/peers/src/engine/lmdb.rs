//! LMDB, through `heed`: a copy-on-write B-tree in a memory map.
#![allow(unsafe_code)] // opening a memory map, and asking for it not to be synced

use super::{Backup, Engine, Outcome, Promise, Setup};
use crate::keys::Key;
use heed::types::Bytes;
use heed::{CommitOrAbort, CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, WithTls};
use std::path::Path;

/// Address space, not disk: the file grows with its contents.
const MAP_BYTES: usize = 256 << 30;

pub struct Store {
    env: Env<WithTls>,
    database: Database<'static, Bytes, Bytes>,
}

impl Store {
    pub fn open(dir: &Path, setup: &Setup) -> Outcome<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        if setup.promise != Promise::Disk {
            // SAFETY: the file is thrown away after the benchmark, whatever a crash makes of it.
            unsafe { options.flags(EnvFlags::NO_SYNC) };
        }
        // SAFETY: the directory is the benchmark's own, and one process at a time opens it.
        let env = unsafe { options.open(dir)? };
        let transaction = env.write_txn()?;
        let database = env
            .create_databases_and_commit(transaction, |opener, transaction| {
                opener
                    .create_database::<Bytes, Bytes>(transaction, None)
                    .map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit();
        Ok(Store { env, database })
    }
}

impl Engine for Store {
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()> {
        let transaction = self.env.read_txn()?;
        for key in keys {
            see(self.database.get(&transaction, key)?);
        }
        Ok(())
    }

    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in pairs {
            self.database.put(&mut transaction, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.env.force_sync()?)
    }

    fn back_up(&self, into: &Path, how: Backup) -> Option<Outcome<()>> {
        if how == Backup::Links {
            return None;
        }
        let copy = || -> Outcome<()> {
            std::fs::create_dir(into)?;
            let file = self.env.copy_to_path(into.join("data.mdb"), CompactionOption::Disabled)?;
            Ok(file.sync_all()?)
        };
        Some(copy())
    }
}
