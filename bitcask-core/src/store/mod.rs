//! What the handle on a store and its housekeeper share: the log, the keydir, and what brings them together.

mod chain;

pub use chain::Entry;
pub(crate) use chain::Value;

use crate::classic::adopted::Adopted;
use crate::compaction;
use crate::counter::Counter;
use crate::durable::{Durable, block_on};
use crate::format::record::Kind;
use crate::keydir::{KeyDir, Place};
use crate::log::{Log, Placed, Segment, io_error};
use crate::recovery::{self, RecoveryReport};
use crate::snapshot::Snapshots;
use crate::storage::Lock;
use crate::sync::atomic::AtomicU64;
use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::view::View;
use crate::{Batch, Compression, Durability, Error, Fold, Location};
use std::cell::Cell;
use std::sync::Arc;

pub(crate) const LOCK_NAME: &str = "lock";

/// What the handle and the housekeeper share.
pub(crate) struct Store {
    pub(crate) log: Log,
    pub(crate) keydir: RwLock<KeyDir>,
    pub(crate) snapshots: Snapshots,
    pub(crate) compaction: compaction::State,
    /// Another Bitcask's files that are its first segments, while some of them are there.
    pub(crate) adopted: Option<Arc<Adopted>>,
    pub(crate) fold: Option<Arc<dyn Fold>>,
    pub(crate) compression: Compression,
    pub(crate) compress_from_bytes: usize,
    pub(crate) recovery: RecoveryReport,
    pub(crate) reads: Counter,
    /// Bytes a second; 0 for as many as it can.
    pub(crate) backup_rate: AtomicU64,
    /// Deltas appended.
    pub(crate) deltas: AtomicU64,
    /// Held until everything above is gone; none by a store that is only read.
    pub(crate) lock: Option<Box<dyn Lock>>,
}

/// A key, and where its newest record was found.
type Found = (Vec<u8>, Option<Location>);

impl Store {
    pub(crate) fn keydir(&self) -> RwLockReadGuard<'_, KeyDir> {
        self.keydir.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keydir_mut(&self) -> RwLockWriteGuard<'_, KeyDir> {
        self.keydir.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a batch that has been placed visible, and counts what comes to life and what dies.
    pub(crate) fn apply(&self, batch: &Batch, placed: Placed, active: &Segment) {
        // Most of what dies of a change came shortly before it.
        let in_active = Cell::new(0);
        let book = |at: Location, alive: bool| {
            let bytes = if alive { i64::from(at.len) } else { -i64::from(at.len) };
            if at.segment == active.id {
                in_active.set(in_active.get() + bytes);
            } else {
                self.log.book(at.segment, bytes);
            }
        };
        let died = |place: Place| {
            book(place.location, false);
            if place.is_linked {
                self.compaction.chain_died(place.location);
            }
        };
        let mut keydir = self.keydir_mut();
        for record in &batch.records {
            let key = batch.key(record);
            self.snapshots.note(&keydir, &self.log, record.kind, key);
            match record.kind {
                Kind::Put | Kind::Delta | Kind::Expiry => {
                    let at = placed.location(record.start, record.end);
                    let is_linked = record.kind.has_link();
                    book(at, true);
                    let before = keydir.insert_record(key, at, is_linked);
                    // It keeps alive what it follows.
                    if let Some(before) = before.filter(|_| !is_linked) {
                        died(before);
                    }
                }
                Kind::Delete => keydir.remove_record(key).map_or((), died),
                Kind::DeletePrefix => drop(keydir.remove_prefix_records(key, &mut |at| died(at))),
                Kind::Retired => {}
                Kind::Mark | Kind::Void => unreachable!("no batch has one"),
            }
        }
        if batch.has_referring {
            self.compaction.note_referring();
        }
        batch.absorbed.iter().for_each(|at| book(*at, false));
        active.book(in_active.get());
    }

    /// Takes a key out of the keydir for no change of the log: its value has expired.
    pub(crate) fn forget(&self, keydir: &mut KeyDir, key: &[u8]) {
        self.snapshots.note(keydir, &self.log, Kind::Delete, key);
        keydir.remove_record(key);
    }

    /// Compresses values as the options say.
    pub(crate) fn compress(&self, batch: &mut Batch) {
        if let Some(codec) = self.compression.codec() {
            batch.compress(codec, self.compress_from_bytes);
        }
    }

    /// Compares what a batch expects with what there is; returns where its keys were found.
    ///
    /// Sequence numbers are in the log alone, which must not be read while nobody can write. But a location
    /// never names another record: while it stands in the keydir, what was read of it holds.
    pub(crate) fn check_expected(&self, batch: &Batch) -> Result<Vec<Found>, Error> {
        let view = View { store: self, undo: None, writes: None };
        let check = |expected: &crate::batch::Expected| {
            let found = view.metadata(&expected.key)?;
            let there = found.as_ref().filter(|found| !found.is_expired(batch.timestamp()));
            if there.map(|found| found.sequence) != expected.sequence {
                return Err(Error::Conflict { key: expected.key.clone() });
            }
            Ok((expected.key.clone(), found.map(|found| found.location)))
        };
        batch.expected.iter().map(check).collect()
    }

    pub(crate) fn sync(self: &Arc<Self>) -> Result<(), Error> {
        block_on(Durable { store: self, position: self.log.position(), on_disk: true })
    }

    /// Under [`Durability::EverySecond`]: a sync, if there is something to sync.
    pub(crate) fn sync_if_due(self: &Arc<Self>) {
        let log = &self.log;
        if log.durability() == Durability::EverySecond && log.durable_position() < log.position() {
            // A failure poisons the log, and so reaches whoever writes next.
            let _ = self.sync();
        }
    }

    pub(crate) fn write_due_hints(&self) {
        for segment in self.log.take_sealed() {
            // A missing hint costs time at the next start, and is built then.
            let _ = self.write_hint(segment);
        }
    }

    pub(crate) fn write_hint(&self, segment: u32) -> Result<(), Error> {
        let Some(segment) = self.log.segment(segment) else { return Ok(()) };
        let map =
            segment.file.map().map_err(|e| io_error(&*self.log.dir, &segment.name, "map", e))?;
        recovery::write_hint(&*self.log.dir, &segment, (*map).as_ref())
    }

    pub(crate) fn finish(self: &Arc<Self>) -> Result<(), Error> {
        self.sync()?;
        self.write_due_hints();
        let active = self.log.trim()?;
        if recovery::has_hint(&*self.log.dir, &active) {
            return Ok(());
        }
        self.write_hint(active.id)
    }
}
