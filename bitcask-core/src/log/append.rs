//! Appending: where a batch goes, and when a new segment begins.

use super::group::Group;
use super::pin::{Pin, Pins};
use super::segment::{OwnedRecord, Segment};
use super::segments::{Current, Segments};
use super::{corrupt, io_error, lock, sync_error};
use crate::classic::adopted::Adopted;
use crate::classic::reading;
use crate::format::{record, segment as format};
use crate::storage::{self, Dir};
use crate::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, thread};
use crate::{Batch, Durability, Error, Location, Mode, Options};
use std::sync::{Arc, OnceLock};

/// Space is reserved in steps of this share of the segment's length, so that a small store stays small …
const ALLOCATE_SHARE: u64 = 4;
/// … and between these bounds.
const ALLOCATE_BYTES: std::ops::Range<u64> = 64 << 10..8 << 20;
/// A buffer beyond this size is handed to the system by whoever filled it, should nobody wait for it.
const BUFFER_BYTES: usize = 1 << 20;
/// A mark is due once this many bytes have been synced since the last one: what limits how much damage
/// at the end of the log could pass for a torn tail.
const MARK_BYTES: u64 = 4 << 10;
/// How often [`Log::still`] gives its turn to who waits: there may always be somebody.
const GIVE_WAY: usize = 64;

/// The segments of one directory.
pub(crate) struct Log {
    pub(crate) dir: Arc<dyn Dir>,
    segment_bytes: u64,
    mapped_reads: bool,
    durability: AtomicU8,
    segments: Current,
    /// The number of the segment that is made next.
    next_id: Mutex<u32>,
    pins: Pins,
    append: Mutex<Append>,
    /// Threads that wait for `append`.
    waiting: AtomicUsize,
    rotated: Condvar,
    /// Held by the one thread that writes a buffer to its file: keeps writes in order.
    writer: Mutex<()>,
    /// The log's length that has been handed to the system.
    flushed: AtomicU64,
    pub(super) group: Group,
    poison: OnceLock<String>,
}

/// The log at one moment.
pub(crate) struct Cut {
    /// Its segments, ascending, and how much of each.
    pub(crate) segments: Vec<(Arc<Segment>, u64)>,
    /// The one that was appended to. It may have grown since, and been sealed.
    pub(crate) active: u32,
    /// The list of those of them that are another Bitcask's files.
    pub(crate) adopted: Option<Arc<Adopted>>,
    /// Numbers below theirs that are of no segment and are not known to have gone: given out to compactions that came
    /// to nothing, or run just now.
    pub(crate) abandoned: Vec<u32>,
    /// The last sequence number that was given out.
    pub(crate) sequence: u64,
    /// The number that the next segment gets.
    pub(crate) next_id: u32,
}

/// The end of the log.
struct Append {
    segment: Arc<Segment>,
    /// Appended, and not yet handed to the system; begins at `buffer_start` of the segment.
    buffer: Vec<u8>,
    buffer_start: u64,
    /// Being written by another thread just now, from this offset.
    in_flight: Option<(u64, Arc<Vec<u8>>)>,
    /// An empty buffer for the next exchange.
    spare: Vec<u8>,
    /// Bytes reserved for the segment's file.
    allocated: u64,
    next_sequence: u64,
    /// Bytes appended since open: what a [`crate::Position`] counts.
    position: u64,
    /// Up to where the newest mark says that the segment is on disk.
    marked: u64,
    rotating: bool,
}

impl Append {
    /// The segment's length, with what is still in memory.
    fn end(&self) -> u64 {
        self.buffer_start + self.buffer.len() as u64
    }
}

/// The log while nobody else appends.
pub(crate) struct Still<'a> {
    log: &'a Log,
    append: &'a Append,
}

impl Still<'_> {
    /// As [`Log::read`], which would wait for who appends.
    pub(crate) fn read(
        &self,
        segment: u32,
        offset: u32,
        guess: usize,
    ) -> Result<OwnedRecord, Error> {
        self.log.read_through(segment, offset, guess, |len| {
            Log::unwritten_in(self.append, segment, u64::from(offset), len)
        })
    }
}

impl Cut {
    /// Whether the file of `segment`, one of these, has no more in it than the cut has.
    pub(crate) fn has_all_of(&self, segment: &Segment) -> bool {
        segment.id != self.active && segment.is_sealed()
    }
}

/// Where a batch was put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) segment: u32,
    /// Where the batch's first byte lies.
    pub(crate) offset: u32,
    /// The log's end after it.
    pub(crate) position: u64,
}

impl Placed {
    /// The place of the record that lies at `start..end` of the batch.
    pub(crate) fn location(&self, start: usize, end: usize) -> Location {
        let offset = self.offset + u32::try_from(start).expect("a batch fits in a segment");
        let len = u32::try_from(end - start).expect("a batch fits in a segment");
        Location { segment: self.segment, offset, len }
    }
}

impl Log {
    /// A log that goes on at the end of `active`, all of which is on disk.
    pub(crate) fn new(
        dir: Arc<dyn Dir>,
        sealed: impl IntoIterator<Item = Arc<Segment>>,
        active: Arc<Segment>,
        next_id: u32,
        next_sequence: u64,
        options: &Options,
    ) -> Self {
        let end = active.written();
        let group = Group::default();
        group.advance(0, (active.id, end));
        let segments: Segments =
            sealed.into_iter().chain([active.clone()]).map(|s| (s.id, s)).collect();
        Log {
            dir,
            segment_bytes: u64::from(options.segment_bytes),
            mapped_reads: options.mapped_reads && options.mode != Mode::ReadOnly,
            durability: AtomicU8::new(options.durability as u8),
            segments: Current::new(segments),
            next_id: Mutex::new(next_id),
            pins: Pins::default(),
            append: Mutex::new(Append {
                segment: active,
                buffer: Vec::new(),
                buffer_start: end,
                in_flight: None,
                spare: Vec::new(),
                allocated: end,
                next_sequence,
                position: 0,
                marked: format::HEADER_LEN as u64,
                rotating: false,
            }),
            waiting: AtomicUsize::new(0),
            rotated: Condvar::new(),
            writer: Mutex::new(()),
            flushed: AtomicU64::new(0),
            group,
            poison: OnceLock::new(),
        }
    }

    pub(crate) fn durability(&self) -> Durability {
        match self.durability.load(Ordering::Relaxed) {
            d if d == Durability::Always as u8 => Durability::Always,
            d if d == Durability::EverySecond as u8 => Durability::EverySecond,
            _ => Durability::No,
        }
    }

    pub(crate) fn set_durability(&self, durability: Durability) {
        self.durability.store(durability as u8, Ordering::Relaxed);
    }

    /// Refuses all writes from now on.
    pub(super) fn poison(&self, cause: &Error) {
        let _ = self.poison.set(cause.to_string());
        self.group.wake_all();
    }

    pub(crate) fn check_poison(&self) -> Result<(), Error> {
        match self.poison.get() {
            None => Ok(()),
            Some(cause) => Err(Error::Poisoned { cause: cause.clone() }),
        }
    }

    /// Appends `batch` in memory, with space for it reserved on disk. `check` may still refuse it;
    /// `apply` makes it visible. Both run while nobody else appends.
    pub(crate) fn append(
        &self,
        batch: &mut Batch,
        check: impl FnOnce(&Batch) -> Result<(), Error>,
        apply: impl FnOnce(&Batch, Placed, &Segment),
    ) -> Result<Placed, Error> {
        batch.check(u32::MAX as usize - 2 * format::HEADER_LEN - record::MARK_LEN)?;
        let (append, synced) = self.make_room(batch.bytes.len() + record::MARK_LEN)?;
        check(batch)?;
        Ok(self.put(append, synced, batch, apply))
    }

    /// As [`Log::append`], of a batch that `build` makes of what is there while nobody else appends: it is asked
    /// again if there was no room for what it made. `None` if it makes none.
    pub(crate) fn append_still(
        &self,
        build: &mut dyn FnMut(&Still<'_>) -> Result<Option<Batch>, Error>,
        apply: impl FnOnce(&Batch, Placed, &Segment),
    ) -> Result<Option<Placed>, Error> {
        let mut room = 0;
        loop {
            let (append, synced) = self.make_room(room + record::MARK_LEN)?;
            let built = build(&Still { log: self, append: &append })?;
            let Some(mut batch) = built else { return Ok(None) };
            batch.check(u32::MAX as usize - 2 * format::HEADER_LEN - record::MARK_LEN)?;
            if batch.bytes.len() <= room {
                return Ok(Some(self.put(append, synced, &mut batch, apply)));
            }
            room = batch.bytes.len();
        }
    }

    /// Runs `change` while nobody appends. Who waits to append comes first: the lock is not fair, and whoever does
    /// this again and again would take it again before another had woken up.
    pub(crate) fn still<T>(&self, change: impl FnOnce() -> T) -> T {
        for _ in 0..GIVE_WAY {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            thread::yield_now();
        }
        let _append = lock(&self.append);
        change()
    }

    fn put(
        &self,
        mut append: MutexGuard<'_, Append>,
        synced: u64,
        batch: &mut Batch,
        apply: impl FnOnce(&Batch, Placed, &Segment),
    ) -> Placed {
        if synced >= append.marked + MARK_BYTES.min(append.end() / 16) {
            append.marked = synced;
            let synced_to = u32::try_from(synced).expect("a segment is shorter than 4 GiB");
            let last = append.next_sequence - 1;
            let salt = append.segment.head.salt;
            let mark = record::mark(last, batch.timestamp(), salt, synced_to);
            append.buffer.extend_from_slice(&mark);
            append.position += record::MARK_LEN as u64;
        }
        let first = batch.keeps.unwrap_or(append.next_sequence);
        append.segment.note_sequences(first, first + batch.records.len() as u64 - 1);
        append.next_sequence = batch.seal(append.next_sequence);
        append.position += batch.bytes.len() as u64;
        let placed = Placed {
            segment: append.segment.id,
            offset: u32::try_from(append.end()).expect("a segment is shorter than 4 GiB"),
            position: append.position,
        };
        append.buffer.extend_from_slice(&batch.bytes);
        apply(batch, placed, &append.segment);
        let full = append.buffer.len() > BUFFER_BYTES;
        drop(append);
        if full {
            // A failure poisons the log. The batch is there; that it is not durable is told to whoever
            // waits for that.
            let _ = self.flush();
        }
        placed
    }

    /// The end of the log, once no segment is being sealed.
    fn settled(&self) -> MutexGuard<'_, Append> {
        let append = match self.append.try_lock() {
            Ok(append) => append,
            Err(_) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let append = lock(&self.append);
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                append
            }
        };
        let settled = self.rotated.wait_while(append, |append| append.rotating);
        settled.unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals the active segment, unless nothing is in it.
    pub(crate) fn seal(&self) -> Result<(), Error> {
        let append = self.settled();
        self.check_poison()?;
        if append.end() > format::HEADER_LEN as u64 {
            drop(self.rotate(append)?);
        }
        Ok(())
    }

    /// Goes on in a new segment. The syncs within happen without the lock; `rotating` keeps everyone else
    /// from appending.
    fn rotate<'a>(
        &'a self,
        mut append: MutexGuard<'a, Append>,
    ) -> Result<MutexGuard<'a, Append>, Error> {
        append.rotating = true;
        drop(append);
        let next = self.next_segment();
        let mut append = lock(&self.append);
        append.rotating = false;
        self.rotated.notify_all();
        let next = next?;
        append.buffer_start = next.written();
        append.allocated = next.written();
        append.marked = next.written();
        std::mem::replace(&mut append.segment, next).seal();
        Ok(append)
    }

    /// The end of the log with room for `len` bytes, and how far its segment is on disk.
    fn make_room(&self, len: usize) -> Result<(MutexGuard<'_, Append>, u64), Error> {
        let len = len as u64;
        let mut append = loop {
            let append = self.settled();
            self.check_poison()?;
            let (end, empty) = (append.end(), append.end() == format::HEADER_LEN as u64);
            if end + len <= self.segment_bytes || empty {
                break append;
            }
            drop(self.rotate(append)?);
        };
        let end = append.end();
        if end + len > append.allocated {
            let step = (end / ALLOCATE_SHARE).clamp(ALLOCATE_BYTES.start, ALLOCATE_BYTES.end);
            let upto = (end + len).max((append.allocated + step).min(self.segment_bytes));
            let segment = &append.segment;
            segment
                .file
                .allocate(append.allocated, upto - append.allocated)
                .map_err(|e| io_error(&*self.dir, &segment.name, "reserve space in", e))?;
            append.allocated = upto;
        }
        let synced = self.group.synced_in(append.segment.id);
        Ok((append, synced))
    }

    /// Seals the active segment and makes its successor.
    // Invariant: a segment is on disk, at its final length, before the next one exists. So only the
    // newest can end in a torn record, and a damaged older one is damage.
    fn next_segment(&self) -> Result<Arc<Segment>, Error> {
        let leader = self.group.lead();
        let (old, position) = self.flush()?;
        let name = &old.name;
        let sealed = old
            .file
            .set_len(old.written())
            .and_then(|()| old.file.sync_data())
            .map_err(|e| sync_error(&*self.dir, name, "seal", e));
        if let Err(e) = sealed {
            self.poison(&e);
            return Err(e);
        }
        lock(&self.append).allocated = old.written();
        self.group.advance(position, (old.id, old.written()));
        drop(leader);
        let of = Some(old.head.salt);
        let next = Arc::new(self.with_next_id(|id| Segment::create(&*self.dir, id, of))?);
        if let Err(e) = next.make_durable(&*self.dir) {
            self.poison(&e);
            return Err(e);
        }
        self.add(&next);
        self.group.sealed(old.id);
        Ok(next)
    }

    /// What the log holds at this moment, between two changes, handed to the system.
    // Invariant: no delta in it links to a segment that is not in it, since a segment is added before the
    // keydir leads to it, and a delta follows what the keydir leads to.
    pub(crate) fn cut(&self) -> Result<Cut, Error> {
        let (cut, position) = {
            let append = self.settled();
            let end = |segment: &Segment| match segment.id == append.segment.id {
                true => append.end(),
                false => segment.written(),
            };
            let segments: Vec<_> =
                self.segments().values().map(|segment| (segment.clone(), end(segment))).collect();
            let (abandoned, adopted) = (Vec::new(), None);
            let (sequence, next_id) = (append.next_sequence - 1, *lock(&self.next_id));
            let active = append.segment.id;
            let cut = Cut { segments, active, adopted, abandoned, sequence, next_id };
            (cut, append.position)
        };
        self.flush_to(position)?;
        Ok(cut)
    }

    /// Makes something that takes a number, which is given out again if that fails. Whatever has a number has an
    /// entry in the directory before the next number is given out: the entries of a directory reach the disk
    /// in their order, so that a crash leaves no gap that nobody knows of.
    pub(crate) fn with_next_id<T>(
        &self,
        make: impl FnOnce(u32) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut next_id = lock(&self.next_id);
        let made = make(*next_id)?;
        *next_id = next_id.checked_add(1).expect("segment numbers outlast the disk");
        Ok(made)
    }

    /// Lets readers find a new segment.
    pub(crate) fn add(&self, segment: &Arc<Segment>) {
        self.segments.change(|segments| drop(segments.insert(segment.id, segment.clone())));
    }

    /// Keeps readers from finding these any more. Who has one may go on reading it.
    pub(crate) fn forget(&self, ids: &[u32]) {
        self.segments.change(|segments| segments.retain(|id, _| !ids.contains(id)));
    }

    /// The segments as they are now.
    pub(crate) fn segments(&self) -> Arc<Segments> {
        self.segments.get()
    }

    /// A segment is sealed before it grows past so many bytes.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Counts bytes of a segment as live, or (below zero) as dead. One that has gone needs no counting.
    pub(crate) fn book(&self, segment: u32, bytes: i64) {
        if let Some(segment) = self.segments.look().get(&segment) {
            segment.book(bytes);
        }
    }

    /// Hands everything appended to the system. Returns the active segment and the log's length that is
    /// in it or before it.
    pub(crate) fn flush(&self) -> Result<(Arc<Segment>, u64), Error> {
        let _in_order = lock(&self.writer);
        self.check_poison()?;
        let (segment, position, start, bytes) = {
            let mut append = lock(&self.append);
            let (segment, position) = (append.segment.clone(), append.position);
            if append.buffer.is_empty() {
                return Ok((segment, position));
            }
            let spare = std::mem::take(&mut append.spare);
            let bytes = Arc::new(std::mem::replace(&mut append.buffer, spare));
            let start = append.buffer_start;
            append.in_flight = Some((start, bytes.clone()));
            append.buffer_start += bytes.len() as u64;
            (segment, position, start, bytes)
        };
        if let Err(e) = storage::write_all_at(&*segment.file, &bytes, start) {
            // Space was reserved, so this is no ordinary refusal; some of it may have been written.
            // The bytes stay readable in memory.
            let e = Error::Io { op: "write", path: self.dir.path().join(&segment.name), source: e };
            self.poison(&e);
            return Err(e);
        }
        segment.set_written(start + bytes.len() as u64);
        self.flushed.store(position, Ordering::Release);
        let mut append = lock(&self.append);
        append.in_flight = None;
        if let Ok(mut spare) = Arc::try_unwrap(bytes) {
            spare.clear();
            spare.shrink_to(BUFFER_BYTES);
            append.spare = spare;
        }
        Ok((segment, position))
    }

    /// Hands everything before `position` to the system.
    pub(super) fn flush_to(&self, position: u64) -> Result<(), Error> {
        if !self.is_flushed(position) {
            self.flush()?;
        }
        Ok(())
    }

    /// Whether the system has everything before `position`.
    pub(super) fn is_flushed(&self, position: u64) -> bool {
        self.flushed.load(Ordering::Acquire) >= position
    }

    /// The record at `offset` of `segment`; `guess` is its probable length. [`Error::Retired`] if the segment
    /// is not there.
    pub(crate) fn read(
        &self,
        segment: u32,
        offset: u32,
        guess: usize,
    ) -> Result<OwnedRecord, Error> {
        self.read_through(segment, offset, guess, |len| {
            Self::unwritten_in(&lock(&self.append), segment, u64::from(offset), len)
        })
    }

    fn read_through(
        &self,
        segment: u32,
        offset: u32,
        guess: usize,
        unwritten: impl Fn(usize) -> Option<Vec<u8>>,
    ) -> Result<OwnedRecord, Error> {
        self.with(segment, |segment| {
            if let Some(reading) = segment.reading {
                let offset = u64::from(offset);
                return OwnedRecord::read_classic(&*self.dir, segment, reading, offset, guess);
            }
            OwnedRecord::read(&*self.dir, &segment.name, u64::from(offset), guess, |len| {
                self.piece_of(segment, offset, len, &unwritten)
            })
        })
    }

    /// The front of the record at `offset` of `segment`: up to `len` bytes, whose checksum is not verified; and by
    /// how much the record is longer than what lies in the file. [`Error::Retired`] if the segment is not there.
    pub(crate) fn front(
        &self,
        segment: u32,
        offset: u32,
        len: usize,
    ) -> Result<(Vec<u8>, usize), Error> {
        self.with(segment, |found| {
            let piece = self.piece_of(found, offset, len, &|len| {
                Self::unwritten_in(&lock(&self.append), segment, u64::from(offset), len)
            })?;
            let Some(reading) = found.reading else { return Ok((piece, 0)) };
            let offset = u64::from(offset);
            let (front, _) = reading
                .front(offset, &piece)
                .map_err(|reason| corrupt(&*self.dir, &found.name, offset, reason))?;
            Ok((front, reading::GROWTH))
        })
    }

    fn piece_of(
        &self,
        segment: &Segment,
        offset: u32,
        len: usize,
        unwritten: &dyn Fn(usize) -> Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Error> {
        let offset = u64::from(offset);
        if offset >= segment.written()
            && let Some(bytes) = unwritten(len)
        {
            return Ok(bytes);
        }
        // It has been written in the meantime, or was never there.
        segment.read(&*self.dir, offset, len, self.mapped_reads)
    }

    /// Reads in the segment of this number, if the log has it or a pin holds it.
    fn with<T>(
        &self,
        id: u32,
        read: impl FnOnce(&Segment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(segment) = self.segments.look().get(&id) {
            return read(segment);
        }
        match self.pins.segment(id) {
            Some(segment) => read(&segment),
            None => Err(Error::Retired { segment: id }),
        }
    }

    /// Keeps all segments that there are now readable, until the pin is dropped.
    pub(crate) fn pin(&self) -> Arc<Pin> {
        let pin = Arc::new(Pin::new(self.segments()));
        self.pins.add(&pin);
        pin
    }

    pub(crate) fn segment(&self, id: u32) -> Option<Arc<Segment>> {
        self.segments.look().get(&id).cloned()
    }

    /// Gives sealed segments up, as compaction does.
    #[cfg(test)]
    pub(crate) fn forget_sealed(&self) {
        let active = lock(&self.append).segment.id;
        self.segments.change(|segments| segments.retain(|id, _| *id == active));
    }

    /// Up to `len` bytes that are still in memory.
    fn unwritten_in(append: &Append, segment: u32, offset: u64, len: usize) -> Option<Vec<u8>> {
        if append.segment.id != segment {
            return None;
        }
        let buffer = Some((append.buffer_start, &append.buffer));
        let in_flight = append.in_flight.as_ref().map(|(start, bytes)| (*start, &**bytes));
        [buffer, in_flight].into_iter().flatten().find_map(|(start, bytes)| {
            let from = usize::try_from(offset.checked_sub(start)?).ok()?;
            let piece = bytes.get(from..)?;
            (!piece.is_empty()).then(|| piece[..len.min(piece.len())].to_vec())
        })
    }

    pub(crate) fn reserve_sequence(&self) -> u64 {
        let mut append = lock(&self.append);
        append.next_sequence += 1;
        append.next_sequence - 1
    }

    /// The log's length since open.
    pub(crate) fn position(&self) -> u64 {
        lock(&self.append).position
    }

    /// Gives back the reserved space that was not needed, and returns the active segment. The log must
    /// be on disk, and nobody may append any more.
    pub(crate) fn trim(&self) -> Result<Arc<Segment>, Error> {
        let segment = lock(&self.append).segment.clone();
        segment
            .file
            .set_len(segment.written())
            .and_then(|()| segment.file.sync_data())
            .map_err(|e| io_error(&*self.dir, &segment.name, "trim", e))?;
        Ok(segment)
    }

    /// The active segment's number, and its length with what is still in memory.
    pub(crate) fn active(&self) -> (u32, u64) {
        let append = lock(&self.append);
        (append.segment.id, append.end())
    }

    /// (number of segments, bytes in them).
    pub(crate) fn size(&self) -> (usize, u64) {
        let (active, end) = {
            let append = lock(&self.append);
            (append.segment.id, append.end())
        };
        let segments = self.segments();
        let others = segments.values().filter(|segment| segment.id != active);
        let others: u64 = others.map(|segment| segment.written()).sum();
        (segments.len(), others + end)
    }
}
