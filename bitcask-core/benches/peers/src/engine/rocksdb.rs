//! RocksDB: an LSM tree. Behind the feature of this name, as building it takes long.

use super::{APART_BYTES, CACHE_BYTES, Engine, Outcome, Pace, Promise, Setup};
use crate::keys::Key;
use rocksdb::{BlockBasedOptions, Cache, DB, DBCompressionType, Options, WriteBatch, WriteOptions};
use std::path::Path;

pub struct Store {
    db: DB,
    sync: bool,
}

impl Store {
    pub fn open(dir: &Path, setup: &Setup) -> Outcome<Self> {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(usize::try_from(CACHE_BYTES)?));
        blocks.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        options.set_compression_type(DBCompressionType::None);
        options.set_max_background_jobs(2);
        options.set_manual_wal_flush(setup.promise == Promise::Memory);
        if setup.value_bytes >= APART_BYTES {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(APART_BYTES as u64);
            options.set_enable_blob_gc(true);
        }
        Ok(Store { db: DB::open(&options, dir)?, sync: setup.promise == Promise::Disk })
    }
}

impl Engine for Store {
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()> {
        for key in keys {
            see(self.db.get_pinned(key)?.as_deref());
        }
        Ok(())
    }

    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()> {
        let mut options = WriteOptions::default();
        options.set_sync(self.sync);
        let mut batch = WriteBatch::default();
        for (key, value) in pairs {
            batch.put(key, value);
        }
        Ok(self.db.write_opt(batch, &options)?)
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.db.flush_wal(true)?)
    }

    fn compact(&self, pace: Pace, _: &dyn Fn() -> bool) -> Option<Outcome<()>> {
        (pace == Pace::Full).then(|| {
            self.db.compact_range::<&[u8], &[u8]>(None, None);
            Ok(())
        })
    }
}
