//! Group commit: everyone who waits for the disk shares one sync.
//!
//! Whoever asks first while no sync is running becomes the leader: it writes what has been appended
//! and syncs, on its own thread; whoever asks meanwhile waits, and execution goes on. When the leader
//! is done it wakes them all, and one whom the sync did not cover leads the next.
//!
//! Whoever seals a segment leads, too: two syncs of one file never run beside each other. The system tells only one
//! of them of a failure, and what the other one says is then not true.

use super::append::Log;
use super::{lock, sync_error};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, PoisonError};
use crate::{Durability, Error};
use std::collections::BTreeSet;
use std::task::{Context, Poll, Waker};

/// Who waits for the disk, and how far it has got.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: Mutex<State>,
    /// Nobody leads any more.
    over: Condvar,
    /// The log's length that is on disk.
    durable: AtomicU64,
    syncs: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// A segment, and how much of it is on disk.
    synced: (u32, u64),
    /// Someone is syncing just now.
    led: bool,
    waiting: Vec<Waker>,
    /// Sealed segments whose hint is not written yet.
    sealed: Vec<u32>,
}

impl Group {
    /// How much of `segment` is known to be on disk.
    pub(super) fn synced_in(&self, segment: u32) -> u64 {
        let (id, synced) = lock(&self.state).synced;
        if id == segment { synced } else { 0 }
    }

    pub(super) fn sealed(&self, segment: u32) {
        lock(&self.state).sealed.push(segment);
    }

    /// Notes that the log is on disk up to `position`, which is in or before the given segment, of which
    /// so many bytes are on disk. Who waits is woken when the leader is done.
    pub(super) fn advance(&self, position: u64, synced: (u32, u64)) {
        let mut state = lock(&self.state);
        self.durable.fetch_max(position, Ordering::Release);
        state.synced = state.synced.max(synced);
    }

    /// Waits until nobody syncs, and keeps everyone else from it.
    pub(super) fn lead(&self) -> Leader<'_> {
        let waited = self.over.wait_while(lock(&self.state), |state| state.led);
        waited.unwrap_or_else(PoisonError::into_inner).led = true;
        Leader { group: self }
    }

    pub(super) fn wake_all(&self) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The one who syncs.
pub(super) struct Leader<'a> {
    group: &'a Group,
}

impl Drop for Leader<'_> {
    /// Wakes all: one whom the sync did not cover leads the next.
    // Invariant: whoever leads next knows by then whether this sync has failed.
    fn drop(&mut self) {
        lock(&self.group.state).led = false;
        self.group.over.notify_all();
        self.group.wake_all();
    }
}

impl Log {
    /// Waits until everything before `position` is as durable as asked: `on_disk`, or whatever the
    /// durability setting says.
    pub(crate) fn poll_durable(
        &self,
        position: u64,
        on_disk: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if !on_disk && self.durability() != Durability::Always {
            return Poll::Ready(self.flush_to(position));
        }
        loop {
            let leader = {
                let mut state = lock(&self.group.state);
                if self.durable_position() >= position {
                    return Poll::Ready(Ok(()));
                }
                self.check_poison()?;
                if state.led {
                    state.waiting.push(cx.waker().clone());
                    return Poll::Pending;
                }
                state.led = true;
                Leader { group: &self.group }
            };
            let (position, synced) = self.sync()?;
            self.group.advance(position, synced);
            drop(leader);
        }
    }

    /// Writes and syncs what has been appended so far, for the leader; no lock is held meanwhile.
    fn sync(&self) -> Result<(u64, (u32, u64)), Error> {
        let (segment, position) = self.flush()?;
        let written = segment.written();
        self.group.syncs.fetch_add(1, Ordering::Relaxed);
        // A failed sync is final: the system may have dropped the dirty pages, so that a second try
        // would succeed without having written them (Rebello et al., ATC 2020).
        segment.file.sync_data().map_err(|e| {
            let e = sync_error(&*self.dir, &segment.name, "sync", e);
            self.poison(&e);
            e
        })?;
        Ok((position, (segment.id, written)))
    }

    /// The log's length that is on disk.
    pub(crate) fn durable_position(&self) -> u64 {
        self.group.durable.load(Ordering::Acquire)
    }

    /// Whether [`Log::poll_durable`] would have nothing to wait for, or to do.
    pub(crate) fn is_durable(&self, position: u64) -> bool {
        match self.durability() {
            Durability::Always => self.durable_position() >= position,
            Durability::EverySecond | Durability::No => self.is_flushed(position),
        }
    }

    /// Number of syncs since open.
    pub(crate) fn syncs(&self) -> u64 {
        self.group.syncs.load(Ordering::Relaxed)
    }

    /// Takes the sealed segments that still lack a hint.
    pub(crate) fn take_sealed(&self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.group.state).sealed)
    }

    /// Those of them that are among `segments`: their hints can wait until they are [wanted](Log::want_hints) again.
    pub(crate) fn take_sealed_of(&self, segments: &BTreeSet<u32>) -> Vec<u32> {
        let mut state = lock(&self.group.state);
        let (taken, left) = std::mem::take(&mut state.sealed)
            .into_iter()
            .partition(|segment| segments.contains(segment));
        state.sealed = left;
        taken
    }

    /// Number of sealed segments that still lack a hint.
    pub(crate) fn wanted_hints(&self) -> usize {
        lock(&self.group.state).sealed.len()
    }

    /// Adds to the sealed segments that lack a hint.
    pub(crate) fn want_hints(&self, segments: impl IntoIterator<Item = u32>) {
        lock(&self.group.state).sealed.extend(segments);
    }
}
