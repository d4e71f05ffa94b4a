//! One compaction, from the segments that it takes to their end.

use super::output::{Output, remove};
use super::{CompactionReport, Progress, State, Step};
use crate::classic::reading::{self, Reading};
use crate::format::record::{self, Invalid, Kind, Record};
use crate::format::segment::{self as format, HEADER_LEN};
use crate::keydir::Place;
use crate::log::{Segment, Still, corrupt, io_error, lock};
use crate::store::Store;
use crate::{Batch, Entry, Error, Location, UnixMillis};
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// So much is read and written between two looks at the rate, and at whether to stop.
const PIECE_BYTES: u64 = 64 << 10;
/// Nobody who stops it waits longer for it to notice.
const NAP: Duration = Duration::from_millis(20);
/// Keys that are switched at once: some tens of microseconds, in which nobody appends, nor looks a key up.
const SWITCH_KEYS: usize = 16;
/// Expired keys that are remembered until the segments go. Of more, a deletion is written that nothing needs.
const EXPIRED_KEYS: usize = 4096;
/// Chains whose places are remembered.
const KNOWN_CHAINS: usize = 4096;
/// A key whose chain moves again and again is folded so often before it is folded while nobody appends.
const ATTEMPTS: usize = 3;

/// Why a run ended early.
#[derive(Debug)]
pub(super) enum Halt {
    Stopped,
    /// The segment of this number holds records of chains, and there is no fold.
    Unfoldable(u32),
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(e: Error) -> Self {
        Halt::Failed(e)
    }
}

type Done = Result<(), Halt>;

pub(super) struct Run<'a> {
    store: &'a Arc<Store>,
    state: &'a State,
    inputs: Vec<Arc<Segment>>,
    /// Their numbers.
    taken: BTreeSet<u32>,
    /// The least sequence number outside of them: nothing older is left anywhere when they have gone.
    outside: u64,
    now: UnixMillis,
    output: Option<Output>,
    /// The output says what a delta says that may not be on disk yet.
    ahead: bool,
    /// By key: its newest record, and of the chain that this ends the oldest record that is taken.
    chains: HashMap<Vec<u8>, Known>,
    /// Keys that have expired and of which nothing is left when the segments have gone, with their newest records, as
    /// they were found.
    expired: Vec<(Vec<u8>, Place)>,
    /// Of these: those that the keydir has forgotten.
    forgotten: Vec<(Vec<u8>, Place)>,
    report: &'a mut CompactionReport,
    progress: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
    read_bytes: u64,
    written_bytes: u64,
    /// Bytes read and written since the rate was looked at.
    unpaid: u64,
}

/// See [`Run::oldest_taken`].
type Known = (Location, Option<(u32, u32)>);

/// A key that is to point at a copy; or nowhere, if the copy is a deletion.
struct Move {
    key: Vec<u8>,
    from: Place,
    to: Option<Location>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        store: &'a Arc<Store>,
        mut inputs: Vec<Arc<Segment>>,
        now: UnixMillis,
        report: &'a mut CompactionReport,
        progress: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Self {
        // The deltas of a chain lie in segments of the log, in the order of their numbers: whichever of them is the
        // oldest that is taken when it is met, none that was met before is.
        inputs.sort_by_key(|segment| segment.id);
        let taken: BTreeSet<u32> = inputs.iter().map(|segment| segment.id).collect();
        let segments = store.log.segments();
        let outside = segments.values().filter(|segment| !taken.contains(&segment.id));
        let outside = outside.map(|segment| segment.min_sequence()).min().unwrap_or(u64::MAX);
        Run {
            store,
            state: &store.compaction,
            inputs,
            taken,
            outside,
            now,
            output: None,
            ahead: false,
            chains: HashMap::new(),
            expired: Vec::new(),
            forgotten: Vec::new(),
            report,
            progress,
            read_bytes: 0,
            written_bytes: 0,
            unpaid: 0,
        }
    }

    pub(super) fn run(mut self) -> Done {
        // The hint of what is about to go is work in vain, and would be done beside this.
        let unhinted = self.store.log.take_sealed_of(&self.taken);
        let done = self.copy_all().and_then(|()| self.let_go());
        self.store.log.want_hints(unhinted);
        self.remember();
        if let Some(output) = self.output.take() {
            self.came_to_nothing(output.abandon());
        }
        done
    }

    fn copy_all(&mut self) -> Done {
        for input in self.inputs.clone() {
            self.tell(Step::Copying)?;
            self.copy_live(&input).inspect_err(|halt| {
                if matches!(halt, Halt::Failed(e) if e.is_damage()) {
                    input.leave_alone();
                }
            })?;
        }
        self.finish_output()
    }

    /// Says how far it has got, and hears whether to go on.
    fn tell(&mut self, step: Step) -> Done {
        let progress = Progress {
            step,
            read_bytes: self.read_bytes,
            input_bytes: self.inputs.iter().map(|input| input.written()).sum(),
            written_bytes: self.written_bytes,
        };
        if (self.progress)(&progress).is_break() || self.state.is_stopping() {
            return Err(Halt::Stopped);
        }
        Ok(())
    }

    /// Keeps to the rate.
    fn pay(&mut self, step: Step, bytes: u64) -> Done {
        self.unpaid += bytes;
        if self.unpaid < PIECE_BYTES {
            return Ok(());
        }
        let mut owed = std::mem::take(&mut self.unpaid);
        self.tell(step)?;
        // The rate may change while it waits.
        loop {
            let rate = self.state.rate.load(crate::sync::atomic::Ordering::Relaxed);
            if rate == 0 || owed == 0 || self.state.is_stopping() {
                return Ok(());
            }
            let micros = u128::from(owed) * 1_000_000 / u128::from(rate);
            let nap = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(NAP);
            self.state.clock.sleep(nap);
            let paid = (nap.as_micros() * u128::from(rate)).div_ceil(1_000_000);
            owed = owed.saturating_sub(u64::try_from(paid).unwrap_or(u64::MAX).max(1));
        }
    }

    /// Goes through a segment, and copies what is alive in it.
    fn copy_live(&mut self, input: &Arc<Segment>) -> Done {
        if let Some(reading) = input.reading {
            return self.copy_classic(input, reading);
        }
        let dir = &*self.store.log.dir;
        let map = input.file.map().map_err(|e| io_error(dir, &input.name, "map", e))?;
        let bytes = (*map).as_ref();
        let end = usize::try_from(input.written()).unwrap_or(usize::MAX);
        if bytes.len() < end {
            let reason = "the segment has been cut short";
            return Err(corrupt(dir, &input.name, bytes.len() as u64, reason).into());
        }
        let mut at = HEADER_LEN;
        while at < end {
            let record = Record::parse(&bytes[at..end]).map_err(|invalid| {
                let reason = match invalid {
                    Invalid::Short(_) => "the segment ends within a record",
                    Invalid::Bad(reason) => reason,
                };
                corrupt(dir, &input.name, at as u64, reason)
            })?;
            let len = record.len;
            self.take(input, at as u64, len as u64, &bytes[at..at + len], &record)?;
            at += len;
        }
        Ok(())
    }

    /// As [`Run::copy_live`], of another Bitcask's file.
    fn copy_classic(&mut self, input: &Segment, reading: Reading) -> Done {
        let dir = &*self.store.log.dir;
        let mut walk = reading.walk(&*input.file, input.written());
        let mut damage = None;
        while let Some(stretch) = walk.next().map_err(|e| io_error(dir, &input.name, "read", e))? {
            match stretch.record {
                Ok(bytes) => {
                    let record = Record::parse_unchecked(bytes);
                    self.take(input, stretch.offset, stretch.len, bytes, &record)?;
                }
                Err(_) => damage = damage.or(Some(stretch.offset)),
            }
        }
        // Damage that was there when the file was taken over is nobody's loss any more. Of later damage nobody could
        // say what it was, alive or not.
        if walk.sound < reading.entries {
            return Err(corrupt(dir, &input.name, damage.unwrap_or(0), reading::LOST).into());
        }
        Ok(())
    }

    /// Copies a record, which takes `len` bytes at `at` of its file, if it is still needed.
    fn take(
        &mut self,
        input: &Segment,
        at: u64,
        len: u64,
        bytes: &[u8],
        record: &Record<'_>,
    ) -> Done {
        let store = self.store;
        let place = |n: u64| u32::try_from(n).expect("a segment is shorter than 4 GiB");
        match record.kind {
            Kind::Mark | Kind::Retired | Kind::Void => {}
            Kind::Delete | Kind::DeletePrefix => {
                // A newer record of the key says as much as its deletion. And what nothing older is
                // left of has nothing to be kept from coming back.
                let newer = record.kind == Kind::Delete && store.keydir().get(record.key).is_some();
                if newer || self.outside > record.sequence {
                    self.report.deletions_dropped += 1;
                } else {
                    self.copy(bytes, record)?;
                }
            }
            Kind::Put | Kind::Delta | Kind::Expiry => {
                let found = store.keydir().record(record.key);
                if let Some(found) = found {
                    let at = Location { segment: input.id, offset: place(at), len: place(len) };
                    self.meet(bytes, record, at, found)?;
                }
            }
        }
        self.read_bytes += len;
        self.pay(Step::Copying, len)
    }

    /// Copies a value if it is alive: `found` is the newest record of its key.
    fn meet(&mut self, bytes: &[u8], record: &Record<'_>, at: Location, found: Place) -> Done {
        if found.is_linked {
            return match self.oldest_taken(record.key, found.location)?
                == Some((at.segment, at.offset))
            {
                true => self.copy_folded(at.segment, record.key, found),
                false => Ok(()),
            };
        }
        if found.location != at {
            return Ok(());
        }
        if self.has_expired(record.expires_at) {
            return self.expire(record.key, found, record.sequence, record.timestamp);
        }
        self.report.moved += 1;
        self.copy(bytes, record)
    }

    fn has_expired(&self, expires_at: Option<UnixMillis>) -> bool {
        self.state.drop_expired && expires_at.is_some_and(|at| at <= self.now)
    }

    /// Of the chain that `newest` ends, the oldest record that lies in a segment that is taken: (segment,
    /// offset). Whoever
    /// meets that one folds the chain: once, however many of its records are met.
    fn oldest_taken(&mut self, key: &[u8], newest: Location) -> Result<Option<(u32, u32)>, Halt> {
        if let Some((known, oldest)) = self.chains.get(key)
            && *known == newest
        {
            return Ok(*oldest);
        }
        let places = self.store.chain_places(key, newest)?;
        let oldest = places.into_iter().rev().find(|(segment, _)| self.taken.contains(segment));
        if self.chains.len() >= KNOWN_CHAINS {
            self.chains.clear();
        }
        self.chains.insert(key.to_vec(), (newest, oldest));
        Ok(oldest)
    }

    /// Copies a record as it is; its batch, if it was one, has come to its end long ago.
    fn copy(&mut self, bytes: &[u8], record: &Record<'_>) -> Done {
        let is_deletion = matches!(record.kind, Kind::Delete | Kind::DeletePrefix);
        self.add(record.sequence, bytes.len(), is_deletion, |out| {
            let start = out.len();
            out.extend_from_slice(bytes);
            record::seal(&mut out[start..], record.sequence, false);
        })
    }

    /// Writes a chain as the one value that it comes to.
    fn copy_folded(&mut self, input: u32, key: &[u8], newest: Place) -> Done {
        let entry = self.store.entry(key, newest.location)?;
        if self.store.fold.is_none() && !entry.deltas.is_empty() {
            return Err(Halt::Unfoldable(input));
        }
        self.ahead |= !self.taken.contains(&newest.location.segment);
        let Entry { expires_at, sequence, written_at, refers, .. } = entry;
        if self.has_expired(expires_at) {
            return self.expire(key, newest, sequence, written_at);
        }
        let value = self.store.fold(entry)?;
        self.report.folded += 1;
        let mut batch = Batch::new(written_at);
        let record = batch.put(key, &value, expires_at);
        if refers {
            batch.refers(record);
        }
        self.store.compress(&mut batch);
        batch.seal(sequence);
        self.add(sequence, batch.bytes.len(), false, |out| out.extend_from_slice(&batch.bytes))
    }

    /// Leaves out a value that has expired. It is as good as deleted when it was written: an older record of
    /// the key must not come back for it.
    // Invariant: the keydir leads to an expired value until what stands in its place is on disk, or until all
    // records of the key go. Should the run end before that, the next one meets the value again.
    fn expire(&mut self, key: &[u8], found: Place, sequence: u64, timestamp: UnixMillis) -> Done {
        self.report.expired += 1;
        let is_needed = self.outside <= sequence;
        if !is_needed && self.expired.len() < EXPIRED_KEYS {
            self.expired.push((key.to_vec(), found));
            return Ok(());
        }
        let len = record::encoded_len(Kind::Delete, false, key.len(), 0);
        self.add(sequence, len, is_needed, |out| {
            let start = out.len();
            record::encode(out, Kind::Delete, timestamp, None, None, key, b"");
            record::seal(&mut out[start..], sequence, false);
        })
    }

    /// Adds a record to the output, which is finished first if there is no room for it.
    fn add(
        &mut self,
        sequence: u64,
        len: usize,
        is_deletion: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Done {
        let log = &self.store.log;
        let full =
            |output: &Output| !output.is_empty() && output.len() + len as u64 > log.segment_bytes();
        if self.output.as_ref().is_some_and(full) {
            self.finish_output()?;
        }
        let output = match &mut self.output {
            Some(output) => output,
            none => none.insert(Output::create(log, self.inputs[0].head.salt)?),
        };
        output.add(log, sequence, is_deletion, write)?;
        self.written_bytes += len as u64;
        self.pay(Step::Copying, len as u64)
    }

    fn came_to_nothing(&self, id: u32) {
        lock(&self.state.gone).abandoned.insert(id);
    }

    /// Brings the output to the disk, and lets the keydir point at what is in it.
    fn finish_output(&mut self) -> Done {
        if self.output.is_none() {
            return Ok(());
        }
        self.tell(Step::Syncing)?;
        // Invariant: what is found after a crash is what the log was at some moment. A folded chain must not be
        // found without its newest delta, whose batch is found as a whole or not at all.
        if std::mem::take(&mut self.ahead) {
            self.store.sync()?;
        }
        let output = self.output.take().expect("it has just been there");
        let segment = output.finish(&self.store.log).map_err(|(id, e)| {
            self.came_to_nothing(id);
            e
        })?;
        self.report.outputs += 1;
        self.report.output_bytes += segment.written();
        self.tell(Step::Switching)?;
        self.switch_to(&segment)
    }

    /// Lets the keydir point at the copies in `segment`, where their keys still are what was copied: whatever
    /// a key's newest record is, if it has the copy's sequence number it says the same.
    fn switch_to(&mut self, segment: &Arc<Segment>) -> Done {
        let dir = &*self.store.log.dir;
        let map = segment.file.map().map_err(|e| io_error(dir, &segment.name, "map", e))?;
        let bytes = (*map).as_ref();
        let mut at = HEADER_LEN;
        let mut moves = Vec::with_capacity(SWITCH_KEYS);
        let mut changed = Vec::new();
        while at < bytes.len() {
            let damaged = |_| corrupt(dir, &segment.name, at as u64, "a copy fails its checksum");
            let record = Record::parse(&bytes[at..]).map_err(damaged)?;
            // Not within the condition: what is read below may wait for who appends.
            let found = self.store.keydir().record(record.key);
            if matches!(record.kind, Kind::Put | Kind::Delete)
                && let Some(found) = found
            {
                let (offset, len) = (at as u32, record.len as u32);
                if self.sequence_of(found)? == Some(record.sequence) {
                    let to = Location { segment: segment.id, offset, len };
                    // One of a value that had expired. No other has a value's number.
                    let to = (record.kind == Kind::Put).then_some(to);
                    moves.push(Move { key: record.key.to_vec(), from: found, to });
                } else if found.is_linked {
                    changed.push(record.key.to_vec());
                }
            }
            let len = record.len;
            at += len;
            if moves.len() >= SWITCH_KEYS {
                self.switch(&mut moves, segment, &mut changed);
                if self.state.many_chains_died() {
                    self.store.count_dead_chains();
                }
            }
            if changed.len() >= SWITCH_KEYS {
                self.rewrite(&mut changed)?;
            }
            self.pay(Step::Switching, len as u64)?;
        }
        self.switch(&mut moves, segment, &mut changed);
        self.rewrite(&mut changed)?;
        // While the segments are still there that say what was linked.
        self.store.count_dead_chains();
        Ok(())
    }

    /// The sequence number of a record; `None` if it can be none that was copied.
    fn sequence_of(&self, found: Place) -> Result<Option<u64>, Error> {
        const SEQUENCE_AT: u64 = 12;
        let at = found.location;
        if let Some(input) = self.inputs.iter().find(|input| input.id == at.segment) {
            if let Some(reading) = input.reading {
                return Ok(Some(reading.sequence(u64::from(at.offset))));
            }
            let dir = &*self.store.log.dir;
            let bytes = input.read(dir, u64::from(at.offset) + SEQUENCE_AT, 8, true)?;
            return Ok(bytes.try_into().ok().map(u64::from_be_bytes));
        }
        if !found.is_linked {
            return Ok(None);
        }
        let read = self.store.log.read(at.segment, at.offset, at.len as usize)?;
        Ok(Some(read.record().sequence))
    }

    /// Switches keys that nobody has changed, and notes the others.
    // Invariant: while nobody appends, a key's newest record is found to be the one that was copied, and is
    // replaced by the copy. So a delta either was there before, and is seen, or follows the copy.
    fn switch(&self, moves: &mut Vec<Move>, output: &Segment, changed: &mut Vec<Vec<u8>>) {
        if moves.is_empty() {
            return;
        }
        let _moving = self.state.begin_move();
        self.store.log.still(|| {
            let mut keydir = self.store.keydir_mut();
            for Move { key, from, to } in moves.drain(..) {
                let unchanged = keydir.record(&key) == Some(from);
                #[cfg(all(test, shuttle))]
                // a canary's: its tests must notice that this was not asked
                let unchanged = unchanged || crate::schedules::switches_blindly();
                if !unchanged {
                    changed.push(key);
                    continue;
                }
                match to {
                    Some(to) => {
                        keydir.insert_record(&key, to, false);
                        output.book(i64::from(to.len));
                    }
                    None => self.store.forget(&mut keydir, &key),
                }
                self.died(from);
            }
        });
    }

    fn died(&self, place: Place) {
        self.store.log.book(place.location.segment, -i64::from(place.location.len));
        if place.is_linked {
            self.state.chain_died(place.location);
        }
    }

    /// Forgets the keys that have expired and of which nothing is left, unless somebody has changed them.
    fn forget_expired(&mut self) -> Done {
        let mut changed = Vec::new();
        while !self.expired.is_empty() {
            let piece = self.expired.split_off(self.expired.len().saturating_sub(SWITCH_KEYS));
            {
                let _moving = self.state.begin_move();
                self.store.log.still(|| {
                    let mut keydir = self.store.keydir_mut();
                    for (key, found) in piece {
                        if keydir.record(&key) == Some(found) {
                            self.store.forget(&mut keydir, &key);
                            self.died(found);
                            self.forgotten.push((key, found));
                        } else {
                            changed.push(key);
                        }
                    }
                });
            }
            self.rewrite(&mut changed)?;
        }
        Ok(())
    }

    /// Takes forgotten keys back, since their records stay.
    fn remember(&mut self) {
        for piece in std::mem::take(&mut self.forgotten).chunks(SWITCH_KEYS) {
            let _moving = self.state.begin_move();
            self.store.log.still(|| {
                let mut keydir = self.store.keydir_mut();
                for (key, found) in piece {
                    // Whoever has written it meanwhile has written what is newer.
                    if keydir.record(key).is_none() {
                        let (snapshots, log) = (&self.store.snapshots, &self.store.log);
                        snapshots.note(&keydir, log, Kind::Put, key);
                        keydir.insert_record(key, found.location, found.is_linked);
                        log.book(found.location.segment, i64::from(found.location.len));
                    }
                }
            });
        }
    }

    /// Writes keys anew whose chains were changed while they were copied, and still reach into what is taken.
    fn rewrite(&mut self, keys: &mut Vec<Vec<u8>>) -> Done {
        for key in keys.drain(..) {
            self.rewrite_one(&key)?;
        }
        Ok(())
    }

    fn rewrite_one(&mut self, key: &[u8]) -> Done {
        let store = self.store;
        for _ in 0..ATTEMPTS {
            let Some(found) = store.keydir().record(key).filter(|found| found.is_linked) else {
                return Ok(());
            };
            let Some((oldest, _)) = self.oldest_taken(key, found.location)? else {
                return Ok(());
            };
            let entry = store.entry(key, found.location)?;
            if store.fold.is_none() && !entry.deltas.is_empty() {
                return Err(Halt::Unfoldable(oldest));
            }
            let mut batch = self.folded(key, entry)?;
            let unchanged = |_: &Batch| match store.keydir().get(key) {
                newest if newest == Some(found.location) => Ok(()),
                _ => Err(Error::ChainMoved),
            };
            let apply =
                |batch: &Batch, placed, active: &Segment| store.apply(batch, placed, active);
            let written = {
                let _moving = self.state.begin_move();
                store.log.append(&mut batch, unchanged, apply)
            };
            match written {
                Ok(_) => {
                    self.report.rewritten += 1;
                    return Ok(());
                }
                Err(Error::ChainMoved) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let fold = &mut |still: &Still<'_>| {
            let found = store.keydir().record(key).filter(|found| found.is_linked);
            let Some(found) = found else { return Ok(None) };
            let read = |segment, offset, guess| still.read(segment, offset, guess);
            let entry = store.entry_through(key, found.location, &read)?;
            if !entry.chain.locations().any(|at| self.taken.contains(&at.segment)) {
                return Ok(None);
            }
            self.folded(key, entry).map(Some)
        };
        let _moving = self.state.begin_move();
        let apply = |batch: &Batch, placed, active: &Segment| store.apply(batch, placed, active);
        let written = store.log.append_still(fold, apply)?;
        self.report.rewritten += u64::from(written.is_some());
        Ok(())
    }

    /// A batch of the one put that a chain comes to.
    fn folded(&self, key: &[u8], entry: Entry) -> Result<Batch, Error> {
        let Entry { expires_at, sequence, written_at, refers, .. } = entry;
        let newest = entry.chain.newest();
        let value = self.store.fold(entry)?;
        let mut batch = Batch::new(written_at);
        let record = batch.rewrite(key, &value, expires_at, sequence, newest);
        if refers {
            batch.refers(record);
        }
        self.store.compress(&mut batch);
        Ok(batch)
    }

    /// Everything that was alive has moved: the segments go.
    fn let_go(&mut self) -> Done {
        let ids: Vec<u32> = self.taken.iter().copied().collect();
        self.tell(Step::LettingGo)?;
        self.forget_expired()?;
        if self.state.guard.as_ref().is_some_and(|guard| !guard.let_go(&ids, self.now)) {
            self.report.kept_by_guard = true;
            return Ok(());
        }
        self.tell(Step::Retiring)?;
        let log = &self.store.log;
        // A number that comes to nothing later is the next compaction's.
        let (retired, abandoned) = {
            let gone = lock(&self.state.gone);
            let (mut retired, abandoned) = (gone.retired.clone(), gone.abandoned.clone());
            ids.iter().chain(&abandoned).for_each(|id| retired.insert(*id));
            (retired, abandoned)
        };
        let mut batch = Batch::new(self.now);
        batch.retired(&retired.encode());
        log.append(&mut batch, |_| Ok(()), |_, _, _| {})?;
        // Invariant: what made records dead in these segments (newer ones, deletions, rewritten chains) came
        // before this in the log. Once it is on disk, all of that is, and they may go.
        self.store.sync()?;
        self.forgotten.clear();
        {
            let mut gone = lock(&self.state.gone);
            gone.retired = retired;
            gone.abandoned.retain(|id| !abandoned.contains(id));
        }
        let stopped = self.tell(Step::Removing);
        self.report.inputs += self.inputs.len();
        self.report.input_bytes += self.inputs.iter().map(|input| input.written()).sum::<u64>();
        // Who reads one of them has it open.
        log.forget(&ids);
        let files = self.inputs.iter().flat_map(|input| input.file_names());
        let numbers =
            abandoned.iter().flat_map(|id| [format::file_name(*id), format::hint_name(*id)]);
        for name in files.chain(numbers) {
            // What stays is removed at the next start.
            let _ = remove(log, &name);
        }
        for id in &abandoned {
            let _ = remove(log, &format::unfinished_name(*id));
        }
        let inputs = std::mem::take(&mut self.inputs);
        // Had a name not durably gone, a crash would bring it back.
        if let (Ok(()), Some(freeing)) = (log.dir.sync(), &self.state.freeing) {
            freeing.add(inputs);
        }
        stopped
    }
}
