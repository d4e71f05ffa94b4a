//! The engines, behind the few calls that the benchmark needs.
//!
//! Each is opened as its documentation advises for the case at hand:
//!
//! | engine | memory for caching | `Disk` | `System` | `Memory` | rest |
//! |---|---|---|---|---|---|
//! | ours | none but the keydir | `Durability::Always` | `Durability::No`, waits until the system has it | `Durability::No`, does not wait | segments of 256 MiB, compaction in the background as by default, unless the workload compacts |
//! | redb | 1 GiB (its default) | `Durability::Immediate` | not offered | `Durability::None`, every 10,000th commit `Immediate` | a transaction for each write; 1-phase commit (its default) |
//! | fjall | 1 GiB | `persist(SyncData)` after the write | its default | `manual_journal_persist` | values of 1 KiB and more apart from the tree, as it advises; no compression, like all here; two workers |
//! | sled | 1 GiB (its default) | `flush` after the write | not offered | its default: a flush each 500 ms | – |
//! | LMDB | the system's page cache | its default | `NO_SYNC` | as `System` | a map of 256 GiB; readers keep their slots; a transaction for each write |
//! | rocksdb | 1 GiB of blocks | `sync` | its default: the log unsynced | `manual_wal_flush` | Bloom filters of 10 bits; blobs for values of 1 KiB and more; two background jobs; no compression |
//!
//! Values cannot be compressed, so none is asked to try. sled's `flush` asks the kernel to write (by
//! `sync_file_range`) and not the drive to empty its cache: its figure under `Disk` promises less than the others'.

mod bitcask;
mod fjall;
mod lmdb;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sled;

use crate::keys::Key;
use clap::ValueEnum;
use std::error::Error;
use std::path::Path;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What an engine may keep in memory of its own.
const CACHE_BYTES: u64 = 1 << 30;
/// Of [`Pace::Gentle`].
pub const GENTLE_BYTES: u64 = 32 << 20;
/// A second, of a backup that copies: ours, since the others have no such setting.
pub const BACKUP_BYTES: u64 = 128 << 20;
/// From this length on, the engines that can do so keep values apart from their trees.
const APART_BYTES: usize = 1 << 10;

/// What a write survives once it has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promise {
    /// The machine's crash.
    Disk,
    /// The process's.
    System,
    /// Nothing: it is a matter of a second or so.
    Memory,
}

/// Who looks after the space of what is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// The engine, as by default.
    Usual,
    /// Ours: nobody, unless the workload compacts.
    Asked,
    /// Ours: [`Engine::tidy`], so that about half of the space is alive.
    HalfAlive,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub promise: Promise,
    pub upkeep: Upkeep,
    /// Ours: whether reads look into mappings of the files, as LMDB's do.
    pub mapped: bool,
    /// Keys and lengths of values that it will have, about.
    pub keys: u64,
    pub value_bytes: usize,
}

impl Setup {
    pub fn live_bytes(&self) -> u64 {
        self.keys * (self.value_bytes + size_of::<Key>()) as u64
    }
}

/// An open store. Dropped, it is closed.
pub trait Engine: Send + Sync {
    /// Reads `keys`, one after the other, in one transaction that sees every write that has returned, and shows
    /// each value.
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()>;

    /// Writes all of `pairs` in one transaction, and returns once the promise holds.
    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()>;

    /// Brings everything to the disk.
    fn sync(&self) -> Outcome<()>;

    /// What its index takes in memory, if it is there as a whole and the engine tells.
    fn index_bytes(&self) -> Option<u64> {
        None
    }

    /// The share of its files that it still needs, records' headers included, if it tells.
    fn needed_share(&self) -> Option<f64> {
        None
    }

    /// What the engine leaves to its caller under [`Upkeep::HalfAlive`]; false if nothing was due.
    fn tidy(&self) -> Outcome<bool> {
        Ok(false)
    }

    /// Compacts everything, or as much as it can while it may go on; `None` if there is no such call.
    fn compact(&self, pace: Pace, go_on: &dyn Fn() -> bool) -> Option<Outcome<()>> {
        let _ = (pace, go_on);
        None
    }

    /// Makes a copy of the running store, as a file or directory `into` that is not there yet; `None` if there is no such call.
    fn back_up(&self, into: &Path, how: Backup) -> Option<Outcome<()>> {
        let _ = (into, how);
        None
    }
}

/// How fast [`Engine::compact`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// As fast as it can.
    Full,
    /// [`GENTLE_BYTES`] a second, read and written.
    Gentle,
}

/// How [`Engine::back_up`] copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backup {
    /// Hard links to what does not change any more.
    Links,
    /// Every byte.
    Copy,
}

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Name {
    Bitcask,
    Lmdb,
    Redb,
    Fjall,
    Sled,
    #[cfg(feature = "rocksdb")]
    Rocksdb,
}

impl Name {
    /// Its column's heading.
    pub fn shown(self) -> &'static str {
        match self {
            Name::Bitcask => "bitcask-core",
            Name::Lmdb => "LMDB",
            Name::Redb => "redb",
            Name::Fjall => "fjall",
            Name::Sled => "sled",
            #[cfg(feature = "rocksdb")]
            Name::Rocksdb => "rocksdb",
        }
    }

    /// Whether it can promise that.
    pub fn offers(self, promise: Promise) -> bool {
        promise != Promise::System || !matches!(self, Name::Redb | Name::Sled)
    }

    /// Opens its store in `dir`, a directory that is there.
    pub fn open(self, dir: &Path, setup: &Setup) -> Outcome<Box<dyn Engine>> {
        Ok(match self {
            Name::Bitcask => Box::new(bitcask::Store::open(dir, setup)?),
            Name::Lmdb => Box::new(lmdb::Store::open(dir, setup)?),
            Name::Redb => Box::new(redb::Store::open(dir, setup)?),
            Name::Fjall => Box::new(fjall::Store::open(dir, setup)?),
            Name::Sled => Box::new(sled::Store::open(dir, setup)?),
            #[cfg(feature = "rocksdb")]
            Name::Rocksdb => Box::new(rocksdb::Store::open(dir, setup)?),
        })
    }
}
