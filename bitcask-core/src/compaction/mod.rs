//! Compaction: what is alive in segments that are mostly dead moves to new ones, and they go.
//!
//! [`policy`] says which segments and when, [`run`] does it, [`output`] writes. Three rules make it safe, each
//! stated where it could break:
//!
//! * The keydir points at a copy only once that is on disk, under its final name.
//! * Nobody appends while the keydir is switched, so that no delta follows a record that is about to go.
//! * Segments are unlinked only once the log says on disk that they have gone, and with it everything that
//!   had made records in them dead.

mod freeing;
mod output;
mod policy;
mod run;

pub(crate) use policy::Facts;
pub use policy::{CompactionOptions, Thresholds, Triggers};

use crate::format::retired::Retired;
use crate::log::lock;
use crate::store::Store;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use crate::view::DANGLING;
use crate::{Clock, Error, Location, Options, UnixMillis};
use freeing::Freeing;
use run::{Halt, Run};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// So many dead chains wait for their older records to be counted. Of more, these pass for alive until the
/// store is opened anew.
const DYING_CHAINS: usize = 1 << 14;
/// After one in the background has come to nothing, so many looks pass before the next: it would meet the same
/// trouble, and a full disk would be filled again.
const IDLE_LOOKS: u64 = 60;
/// Longer than any chain: what walks a damaged one comes to an end.
const MAX_LINKS: usize = 256;

/// Asked before compaction lets go of segments.
///
/// A layer above that keeps [`Location`]s of records, in values that it marked by [`crate::Batch::refers`], or in
/// memory, has to let go of them first.
pub trait Guard: Send + Sync {
    /// Lets go of all locations in `segments`, to which no key leads any more; false if that could not be
    /// done, and then the segments stay for this time. `now` is the compaction's. May read and write the
    /// store.
    fn let_go(&self, segments: &[u32], now: UnixMillis) -> bool;
}

/// How far a compaction has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it does next.
    pub step: Step,
    /// Bytes of the segments that it has gone through.
    pub read_bytes: u64,
    /// Bytes of the segments that it has taken.
    pub input_bytes: u64,
    /// Bytes of copies so far.
    pub written_bytes: u64,
}

/// What a compaction does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
    /// Goes through a segment, and copies.
    Copying,
    /// Brings a segment of copies to the disk.
    Syncing,
    /// Lets the keydir point at copies.
    Switching,
    /// Asks the layer above to let go of the old segments.
    LettingGo,
    /// Notes in the log that they have gone.
    Retiring,
    /// Removes their files.
    Removing,
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionReport {
    /// Segments that have gone.
    pub inputs: usize,
    /// Their bytes.
    pub input_bytes: u64,
    /// Segments that were made.
    pub outputs: usize,
    /// Their bytes.
    pub output_bytes: u64,
    /// Records that were copied as they are, deletions not counted.
    pub moved: u64,
    /// Chains of deltas that became one value each.
    pub folded: u64,
    /// Values that had changed while they were copied, and were written to the log instead.
    pub rewritten: u64,
    /// Records of deletions that nothing needs any more.
    pub deletions_dropped: u64,
    /// Values that had expired.
    pub expired: u64,
    /// Segments that hold records of chains, which cannot be folded without [`Options::fold`]: they stay.
    pub left_alone: Vec<u32>,
    /// [`Guard::let_go`] said no: the old segments stay until the next time.
    pub kept_by_guard: bool,
    /// It was stopped before its end.
    pub stopped: bool,
}

/// What [`crate::Bitcask::reclaimable`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reclaimable {
    /// Bytes of all segments.
    pub total_bytes: u64,
    /// Bytes of records that nobody needs any more, and of deletions.
    pub dead_bytes: u64,
}

impl Reclaimable {
    /// The dead share, 0 to 1.
    pub fn share(&self) -> f64 {
        self.dead_bytes as f64 / self.total_bytes.max(1) as f64
    }
}

/// What of compaction outlives a run.
pub(crate) struct State {
    /// Held by whoever compacts.
    running: Mutex<()>,
    stopping: AtomicBool,
    /// Bytes a second; 0 is unlimited.
    rate: AtomicU64,
    /// Held for writing while the keydir is switched.
    switching: RwLock<()>,
    moves: AtomicU64,
    gone: Mutex<Gone>,
    /// Chains that died by a put or a delete: their newest records, whose older ones are to be counted.
    dying: Mutex<Vec<Location>>,
    referring: Mutex<Vec<Vec<u8>>>,
    /// There are, or were, keys that refer.
    has_referring: AtomicBool,
    options: Mutex<Option<CompactionOptions>>,
    last: Mutex<Option<Result<CompactionReport, String>>>,
    /// Looks that the background still leaves out.
    idle: AtomicU64,
    drop_expired: bool,
    guard: Option<Arc<dyn Guard>>,
    /// Of a store that has threads for it.
    freeing: Option<Freeing>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Numbers of segments that nobody will miss.
#[derive(Default)]
struct Gone {
    /// Of which the log says so.
    retired: Retired,
    /// Given out, and came to nothing. The directory says so, by an empty file.
    abandoned: BTreeSet<u32>,
}

/// See [`State::begin_move`].
struct Moving<'a> {
    state: &'a State,
    _switching: RwLockWriteGuard<'a, ()>,
}

impl Drop for Moving<'_> {
    /// Counts the move, before anybody can hold the places again.
    fn drop(&mut self) {
        self.state.moves.fetch_add(1, Ordering::Release);
    }
}

/// See [`crate::Bitcask::hold_moves`].
pub struct Held<'a> {
    state: &'a State,
    _held: RwLockReadGuard<'a, ()>,
}

impl Held<'_> {
    /// As [`crate::Bitcask::moves`], which stays the same while this lives.
    pub fn moves(&self) -> u64 {
        self.state.moves()
    }
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("moves", &self.moves()).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(
        options: &Options,
        retired: Retired,
        abandoned: BTreeSet<u32>,
        referring: Vec<Vec<u8>>,
    ) -> Self {
        State {
            running: Mutex::default(),
            stopping: AtomicBool::new(false),
            rate: AtomicU64::new(options.compaction_rate),
            switching: RwLock::default(),
            moves: AtomicU64::new(0),
            gone: Mutex::new(Gone { retired, abandoned }),
            dying: Mutex::default(),
            has_referring: AtomicBool::new(!referring.is_empty()),
            referring: Mutex::new(referring),
            options: Mutex::new(options.compaction.clone()),
            last: Mutex::default(),
            idle: AtomicU64::new(0),
            drop_expired: options.drop_expired,
            guard: options.guard.clone(),
            freeing: options.background.then(Freeing::default),
            clock: options.clock.clone(),
        }
    }

    pub(crate) fn last(&self) -> Option<Result<CompactionReport, String>> {
        lock(&self.last).clone()
    }

    pub(crate) fn set_options(&self, options: Option<CompactionOptions>) {
        *lock(&self.options) = options;
    }

    pub(crate) fn set_rate(&self, bytes_per_second: u64) {
        self.rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Segments that have gone.
    pub(crate) fn retired(&self) -> Retired {
        lock(&self.gone).retired.clone()
    }

    /// Lets a compaction that is running end soon, and none begin any more.
    pub(crate) fn request_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// As [`State::request_stop`], and waits for it.
    pub(crate) fn stop(&self) {
        self.request_stop();
        drop(lock(&self.running));
    }

    /// Gives back space of segments that have gone. It may take seconds, so that others are not held up.
    pub(crate) fn free(&self) {
        if let Some(freeing) = &self.freeing {
            freeing.work(&*self.clock, &|| self.is_stopping());
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn take_referring(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut lock(&self.referring))
    }

    /// Notes that there are keys that refer.
    pub(crate) fn note_referring(&self) {
        self.has_referring.store(true, Ordering::Relaxed);
    }

    pub(crate) fn hold(&self) -> Held<'_> {
        let held = self.switching.read().unwrap_or_else(PoisonError::into_inner);
        Held { state: self, _held: held }
    }

    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// Waits for whoever holds the places of records, and keeps others from it while it lives: whatever changes
    /// the place of a key's newest record, and not its value, does so under this.
    fn begin_move(&self) -> Moving<'_> {
        let switching = self.switching.write().unwrap_or_else(PoisonError::into_inner);
        Moving { state: self, _switching: switching }
    }

    /// Notes that a chain has died whose newest record lies at `newest`: that one was counted.
    pub(crate) fn chain_died(&self, newest: Location) {
        let mut dying = lock(&self.dying);
        if dying.len() < DYING_CHAINS {
            dying.push(newest);
        }
    }
}

impl State {
    fn many_chains_died(&self) -> bool {
        lock(&self.dying).len() >= DYING_CHAINS / 2
    }
}

impl Store {
    /// Counts the older records of chains that have died.
    pub(crate) fn count_dead_chains(&self) {
        let dying = std::mem::take(&mut *lock(&self.compaction.dying));
        for newest in dying {
            let (mut segment, mut offset, mut guess) =
                (newest.segment, newest.offset, newest.len as usize);
            for links in 0..MAX_LINKS {
                // One that cannot be read, or has gone, is nobody's loss: this is an estimate.
                let Ok(read) = self.log.read(segment, offset, guess) else { break };
                let record = read.record();
                if links > 0 {
                    self.log.book(segment, -(record.len as i64));
                }
                let Some(link) = record.link else { break };
                (segment, offset, guess) = (link.segment, link.offset, 256);
            }
        }
    }

    fn facts(&self, tried_in_vain: bool) -> Vec<Facts> {
        let segments = self.log.segments();
        let sealed = segments.values().filter(|segment| segment.is_sealed());
        let wanted = sealed.filter(|segment| tried_in_vain || !segment.is_left_alone());
        wanted
            .map(|segment| {
                let bytes = segment.written();
                let records = bytes.saturating_sub(segment.start() as u64);
                let dead_bytes = records.saturating_sub(segment.live_bytes());
                Facts { id: segment.id, bytes, dead_bytes, is_classic: segment.reading.is_some() }
            })
            .collect()
    }

    pub(crate) fn reclaimable(&self) -> Reclaimable {
        self.count_dead_chains();
        let (_, total_bytes) = self.log.size();
        let segments = self.log.segments();
        let needed =
            |segment: &Arc<crate::log::Segment>| segment.live_bytes() + segment.start() as u64;
        let needed: u64 = segments.values().map(needed).sum();
        Reclaimable { total_bytes, dead_bytes: total_bytes.saturating_sub(needed) }
    }

    pub(crate) fn compact(
        self: &Arc<Self>,
        options: &CompactionOptions,
        now: UnixMillis,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CompactionReport, Error> {
        if self.lock.is_none() {
            return Err(Error::ReadOnly { path: self.log.dir.path().to_owned() });
        }
        let _running = lock(&self.compaction.running);
        self.compact_alone(options, now, true, progress)
    }

    /// What the background does every second.
    pub(crate) fn compact_if_due(self: &Arc<Self>) {
        let state = &self.compaction;
        if self.lock.is_none() {
            return;
        }
        self.count_dead_chains();
        let Some(options) = lock(&state.options).clone() else { return };
        if state.idle.load(Ordering::Relaxed) > 0 {
            state.idle.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let now = state.clock.now();
        if !policy::is_due(&self.facts(false), &options, now) {
            return;
        }
        let _running = match state.running.try_lock() {
            Ok(running) => running,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let go_on = &mut |_: &Progress| ControlFlow::Continue(());
        let done = self.compact_alone(&options, now, false, go_on);
        if done.as_ref().map_or(true, |report| report.inputs == 0) {
            state.idle.store(IDLE_LOOKS, Ordering::Relaxed);
        }
        *lock(&state.last) = Some(done.map_err(|e| e.to_string()));
    }

    fn compact_alone(
        self: &Arc<Self>,
        options: &CompactionOptions,
        now: UnixMillis,
        asked_for: bool,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CompactionReport, Error> {
        self.log.check_poison()?;
        let state = &self.compaction;
        if state.guard.is_none() && state.has_referring.load(Ordering::Relaxed) {
            return Err(Error::NoGuard);
        }
        if options.seal_active {
            // Nobody waits for this sync, and little is left to that of sealing, for which writers wait.
            self.sync()?;
            self.log.seal()?;
        }
        self.count_dead_chains();
        let mut report = CompactionReport::default();
        loop {
            let mut facts = self.facts(asked_for);
            facts.retain(|one| !report.left_alone.contains(&one.id));
            let chosen = policy::choose(&facts, options);
            if chosen.is_empty() {
                return Ok(report);
            }
            let segments = self.log.segments();
            let inputs = chosen.iter().map(|id| segments[id].clone()).collect();
            match Run::new(self, inputs, now, &mut report, progress).run() {
                Ok(()) => return Ok(report),
                Err(Halt::Stopped) => {
                    report.stopped = true;
                    return Ok(report);
                }
                // Deletions may have been left out since it was to go: all is chosen anew, without it.
                Err(Halt::Unfoldable(id)) => {
                    segments[&id].leave_alone();
                    report.left_alone.push(id);
                }
                // No other compaction runs that could have let go of it.
                Err(Halt::Failed(Error::Retired { segment })) => {
                    let at = Location { segment, offset: 0, len: 0 };
                    return Err(self.damaged(at, DANGLING));
                }
                Err(Halt::Failed(e)) => return Err(e),
            }
        }
    }
}
