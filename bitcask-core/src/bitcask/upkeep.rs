//! Figures of a store, and its compaction.

use super::Bitcask;
use crate::compaction::{self, CompactionOptions, CompactionReport, Progress, Reclaimable};
use crate::stats::{SegmentStats, Stats};
use crate::sync::atomic::Ordering;
use crate::{Error, UnixMillis};
use std::ops::ControlFlow;

impl Bitcask {
    /// Figures of the store.
    pub fn stats(&self) -> Stats {
        let store = &self.store;
        let (segments, disk_bytes) = store.log.size();
        // Before the keydir is locked: whoever appends locks the log first.
        let appended_bytes = store.log.position();
        let keydir = store.keydir();
        Stats {
            keys: keydir.len(),
            keydir_bytes: keydir.memory_bytes(),
            segments,
            disk_bytes,
            appended_bytes,
            syncs: store.log.syncs(),
            reads: store.reads.get(),
            deltas: store.deltas.load(Ordering::Relaxed),
            snapshots: store.snapshots.count(),
        }
    }

    /// The segments, in the order of their numbers, with what is alive in them.
    pub fn segments(&self) -> Vec<SegmentStats> {
        self.store.count_dead_chains();
        let log = &self.store.log;
        let (active, end) = log.active();
        let segments = log.segments();
        let stats = segments.values().map(|segment| SegmentStats {
            id: segment.id,
            file: segment.name.clone(),
            bytes: if segment.id == active { end } else { segment.written() },
            live_bytes: segment.live_bytes(),
            compacted: segment.head.compacted,
            active: segment.id == active,
        });
        stats.collect()
    }

    /// How much of the segments is dead: what compacting everything would give back, about. Exact without
    /// delta chains, an estimate with them.
    pub fn reclaimable(&self) -> Reclaimable {
        self.store.reclaimable()
    }

    /// Does what is due: under [`crate::Durability::EverySecond`] a sync, hints for sealed segments, and compaction if
    /// [`crate::Options::compaction`] asks for it. Only for stores opened without [`crate::Options::background`].
    pub fn tick(&self) {
        self.store.sync_if_due();
        self.store.write_due_hints();
        self.store.compact_if_due();
    }

    /// Copies what is alive in segments that hold much that is dead, and gives their space back. Reads and
    /// writes go on meanwhile. All sealed segments beyond the thresholds of `options` are taken;
    /// [`CompactionOptions::everything`] takes all there is. Waits for a compaction that is running.
    ///
    /// `now` decides what has expired; `progress` is told how it goes, and may stop it: what was done by
    /// then is kept, and a later compaction goes on from there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a segment is damaged, [`Error::Full`] if the disk has no room for the copies,
    /// [`Error::NoGuard`], [`Error::ReadOnly`], [`Error::Poisoned`], [`Error::Io`]. After any of them everything is
    /// there as before.
    ///
    /// # Examples
    /// ```
    /// use bitcask_core::{Bitcask, CompactionOptions, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// let store = Bitcask::open(temporary.path(), Options::default())?;
    /// let now = UnixMillis(1_700_000_000_000);
    /// for i in 0..100_u8 {
    ///     store.put(b"the same key", &[i; 1000], now)?;
    /// }
    /// let report = store.compact(&CompactionOptions::everything(), now, &mut |_| {
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(report.moved, 1);
    /// assert!(store.stats().disk_bytes < 2000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compact(
        &self,
        options: &CompactionOptions,
        now: UnixMillis,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CompactionReport, Error> {
        self.store.compact(options, now, progress)
    }

    /// How the last compaction in the background ended; `None` before there was one.
    pub fn last_compaction(&self) -> Option<Result<CompactionReport, String>> {
        self.store.compaction.last()
    }

    /// Changes how compaction in the background decides, from its next look on; `None` turns it off.
    pub fn set_compaction(&self, options: Option<CompactionOptions>) {
        self.store.compaction.set_options(options);
    }

    /// Changes how many bytes a second compaction reads and writes at most, also of one that is running. 0
    /// means: as many as it can.
    pub fn set_compaction_rate(&self, bytes_per_second: u64) {
        self.store.compaction.set_rate(bytes_per_second);
    }

    /// Changes how many bytes a second a backup copies at most, also of one that is running. 0 means: as many as it
    /// can. What is linked is not copied.
    pub fn set_backup_rate(&self, bytes_per_second: u64) {
        self.store.backup_rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Stops a compaction that is running, waits for it, and lets none begin any more. Closing does so, too.
    pub fn stop_compaction(&self) {
        self.store.compaction.stop();
    }

    /// Keys whose newest record was said to mention places of others ([`crate::Batch::refers`]), as opening has
    /// found them; empty from the second call on.
    pub fn take_referring(&self) -> Vec<Vec<u8>> {
        self.store.compaction.take_referring()
    }

    /// While the returned value lives, compaction moves no record: a location that was looked up stays that of
    /// its key unless somebody writes. Brief, please: compaction waits.
    pub fn hold_moves(&self) -> compaction::Held<'_> {
        self.store.compaction.hold()
    }

    /// How often compaction has moved records. A location that was looked up *after* this was asked is still
    /// good if it is the same under [`Bitcask::hold_moves`].
    pub fn moves(&self) -> u64 {
        self.store.compaction.moves()
    }
}
