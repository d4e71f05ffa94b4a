//! The store: open, read, write, wait for the disk.

use crate::storage::Dir;
use crate::{Batch, Chain, Error, Location, Options, RecordIndex, UnixMillis};
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A position in the log: everything before it has been written in this or an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub(crate) u64);

/// An embedded key-value store over one directory. All methods take `&self`; share it between threads.
pub struct Bitcask {}

/// What a write did.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    // private to fill in
}

impl Committed {
    /// Where the log ends now: pass it to [`Bitcask::durable`].
    pub fn position(&self) -> Position {
        todo!()
    }
    /// Where a record of the batch lies. Records of one batch lie one after the other, so `batch` is needed.
    pub fn location(&self, _batch: &Batch, _record: RecordIndex) -> Location {
        todo!()
    }
}

/// A key's value as it lies in the log.
#[derive(Debug)]
pub struct Entry {
    /// The value of the base record.
    pub base: Vec<u8>,
    /// The deltas that follow it, oldest first; one for each further link of `chain`.
    pub deltas: Vec<Vec<u8>>,
    /// Its records.
    pub chain: Chain,
    /// The key's expiry. An entry past it is still returned: the caller knows the time.
    pub expires_at: Option<UnixMillis>,
    /// Sequence number of the newest record.
    pub sequence: u64,
}

impl Bitcask {
    /// Opens the store at `path`, made if missing.
    pub fn open(_path: impl AsRef<Path>, _options: Options) -> Result<Self, Error> {
        todo!()
    }
    /// Opens the store in `dir`.
    pub fn open_in(_dir: Arc<dyn Dir>, _options: Options) -> Result<Self, Error> {
        todo!()
    }
    /// The value of `key`, its chain folded, if it has not expired by `now`.
    pub fn get(&self, _key: &[u8], _now: UnixMillis) -> Result<Option<Vec<u8>>, Error> {
        todo!()
    }
    /// The records of `key` as they lie in the log, expired or not.
    pub fn entry(&self, _key: &[u8]) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// The value of the newest record of `key` (its base or newest delta) and its expiry: one read.
    pub fn newest(&self, _key: &[u8]) -> Result<Option<(Vec<u8>, Option<UnixMillis>)>, Error> {
        todo!()
    }
    /// True if the log has a record of `key`, expired or not. Never reads the disk.
    pub fn contains(&self, _key: &[u8]) -> bool {
        todo!()
    }
    /// Applies a batch: readers see all of it at once. It survives a crash once [`Bitcask::durable`] says so.
    ///
    /// Does no I/O but to reserve space when the segment is full or must grow.
    pub fn write(&self, _batch: &mut Batch) -> Result<Committed, Error> {
        todo!()
    }
    /// Completes once everything before `position` is as durable as [`Options::durability`] asks
    /// (written to the system, and under `Always` on disk). A plain `std` future: any executor will do.
    pub fn durable(&self, _position: Position) -> Durable<'_> {
        todo!()
    }
    /// Blocks until [`Bitcask::durable`] would complete.
    pub fn wait_durable(&self, _position: Position) -> Result<(), Error> {
        todo!()
    }
    /// Brings everything written so far to the disk, whatever the durability setting.
    pub fn sync(&self) -> Result<(), Error> {
        todo!()
    }
    /// Visits the keys that begin with `prefix` in byte order, from the first not below `from`, until
    /// `visit` breaks. Reads no disk, but holds the keydir's read lock: be brief, and call nothing of this store inside.
    pub fn walk(
        &self,
        _prefix: &[u8],
        _from: &[u8],
        _visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) {
        todo!()
    }
    /// A key that begins with `prefix`, chosen by `choose(n)` (a number below n) at each branch of the tree.
    pub fn sample(&self, _prefix: &[u8], _choose: &mut dyn FnMut(usize) -> usize) -> Option<Vec<u8>> {
        todo!()
    }
    /// Takes a number that no record carries and no later call returns: for naming things uniquely for good.
    pub fn reserve_sequence(&self) -> u64 {
        todo!()
    }
    /// Number of keys, expired ones included.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Changes when an acknowledged write is on disk, from now on.
    pub fn set_durability(&self, _durability: crate::Durability) {
        todo!()
    }
    /// Syncs, writes hint files and lets the directory go. Dropping the store does the same, in silence.
    pub fn close(self) -> Result<(), Error> {
        todo!()
    }
}

/// See [`Bitcask::durable`].
#[derive(Debug)]
pub struct Durable<'a> {
    _store: std::marker::PhantomData<&'a ()>,
}

impl Future for Durable<'_> {
    type Output = Result<(), Error>;
    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        todo!()
    }
}
