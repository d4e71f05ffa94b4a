//! One segment file, and reading records out of it.

use super::{corrupt, io_error, sync_error};
use crate::Error;
use crate::classic::adopted::AdoptedFile;
use crate::classic::adoption;
use crate::classic::reading::{self, Reading};
use crate::format::hint::{Of, Totals};
use crate::format::record::{self, Invalid, Record};
use crate::format::segment::{self as format, Head, Salt};
use crate::storage::{self, Dir, File, Map};
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

/// An open segment file.
pub(crate) struct Segment {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    pub(crate) head: Head,
    /// If it is another Bitcask's file: how its entries are read as records.
    pub(crate) reading: Option<Reading>,
    /// Nothing is appended to it any more.
    sealed: AtomicBool,
    /// Compaction has found that it cannot go: see [`Segment::leave_alone`].
    left_alone: AtomicBool,
    /// Bytes of records that somebody may still need. Below zero only while one thread counts before another.
    live: AtomicI64,
    min_sequence: AtomicU64,
    max_sequence: AtomicU64,
    /// Bytes handed to the system: what lies before may be read from the file.
    written: AtomicU64,
    /// For point reads that do not ask the system: all of it once it is sealed, and what had been written of
    /// it when it was first read before that. Empty if it could not be mapped.
    whole: OnceLock<Option<Map>>,
    front: OnceLock<Option<Map>>,
}

/// A segment's file before anything is believed of it.
pub(crate) struct Front {
    pub(crate) file: Arc<dyn File>,
    pub(crate) len: u64,
    /// Its first [`format::HEADER_LEN`] bytes, or all if there are fewer.
    pub(crate) header: Vec<u8>,
}

impl Front {
    pub(crate) fn read(dir: &dyn Dir, id: u32, writable: bool) -> Result<Self, Error> {
        let name = format::file_name(id);
        let fail = |op, e| io_error(dir, &name, op, e);
        let file = dir.open(&name, writable).map_err(|e| fail("open", e))?;
        let len = file.size().map_err(|e| fail("read the length of", e))?;
        let mut header =
            vec![0; format::HEADER_LEN.min(usize::try_from(len).unwrap_or(usize::MAX))];
        storage::read_exact_at(&*file, &mut header, 0).map_err(|e| fail("read", e))?;
        Ok(Front { file, len, header })
    }
}

impl Segment {
    pub(crate) fn new(id: u32, file: Arc<dyn File>, head: Head, written: u64) -> Self {
        Segment {
            id,
            name: format::file_name(id),
            file,
            head,
            reading: None,
            sealed: AtomicBool::new(false),
            left_alone: AtomicBool::new(false),
            live: AtomicI64::new(0),
            min_sequence: AtomicU64::new(u64::MAX),
            max_sequence: AtomicU64::new(0),
            written: AtomicU64::new(written),
            whole: OnceLock::new(),
            front: OnceLock::new(),
        }
    }

    /// Another Bitcask's file that is segment `id`.
    pub(crate) fn classic(id: u32, of: &AdoptedFile, file: Arc<dyn File>, salt: Salt) -> Self {
        let head = Head { salt, compacted: false };
        let (name, reading) = (of.name.clone(), Some(of.reading));
        Segment { name, reading, ..Segment::new(id, file, head, u64::from(of.len)) }
    }

    /// Where its first record can begin.
    pub(crate) fn start(&self) -> usize {
        self.hint_of().start
    }

    /// What its hint says that it is of.
    pub(crate) fn hint_of(&self) -> Of {
        match self.reading {
            Some(_) => Of::classic(self.id, self.head.salt),
            None => Of::native(self.id, self.head.salt),
        }
    }

    /// Names of the files that go with it, itself the last.
    pub(crate) fn file_names(&self) -> Vec<String> {
        let theirs = self.reading.map(|_| adoption::hint_name(&self.name));
        [format::hint_name(self.id)].into_iter().chain(theirs).chain([self.name.clone()]).collect()
    }

    /// From now on its bytes do not change.
    pub(crate) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Keeps compaction in the background from trying the segment again and again.
    pub(crate) fn leave_alone(&self) {
        self.left_alone.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_left_alone(&self) -> bool {
        self.left_alone.load(Ordering::Relaxed)
    }

    /// Counts records that came to life, or (below zero) died.
    pub(crate) fn book(&self, bytes: i64) {
        self.live.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes of records that somebody may still need: exact without chains, an estimate with them.
    pub(crate) fn live_bytes(&self) -> u64 {
        u64::try_from(self.live.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Notes that it has records with sequence numbers in this range.
    pub(crate) fn note_sequences(&self, min: u64, max: u64) {
        self.min_sequence.fetch_min(min, Ordering::Relaxed);
        self.max_sequence.fetch_max(max, Ordering::Relaxed);
    }

    pub(crate) fn note_totals(&self, totals: &Totals) {
        self.note_sequences(totals.min_sequence, totals.max_sequence);
    }

    /// The least sequence number of its records; `u64::MAX` without any.
    pub(crate) fn min_sequence(&self) -> u64 {
        self.min_sequence.load(Ordering::Relaxed)
    }

    /// Makes a new segment file. Nothing may be acknowledged in it before [`Segment::make_durable`].
    /// It is one of the store that `of` is the salt of.
    pub(crate) fn create(dir: &dyn Dir, id: u32, of: Option<Salt>) -> Result<Self, Error> {
        let name = format::file_name(id);
        let head = Head { salt: format::salt(of, dir.random()), compacted: false };
        let fail = |op, source| io_error(dir, &name, op, source);
        let created = match dir.create(&name) {
            // Left by an attempt that failed; nobody has written to it.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                dir.remove(&name).and_then(|()| dir.create(&name))
            }
            created => created,
        };
        let file = created.map_err(|e| fail("create", e))?;
        if let Err(e) = storage::write_all_at(&*file, &format::header(id, head), 0) {
            // Best effort: the next attempt, or recovery, removes what is left.
            let _ = dir.remove(&name);
            return Err(fail("write the header of", e));
        }
        Ok(Segment::new(id, file, head, format::HEADER_LEN as u64))
    }

    /// Brings a new segment to the disk with its directory entry, so that whatever is acknowledged in it
    /// later has a file to be in. After an error nobody knows whether it is there.
    pub(crate) fn make_durable(&self, dir: &dyn Dir) -> Result<(), Error> {
        let synced = self.file.sync_data().and_then(|()| dir.sync());
        synced.map_err(|e| sync_error(dir, &self.name, "make durable", e))
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(crate) fn set_written(&self, end: u64) {
        self.written.store(end, Ordering::Release);
    }

    /// Up to `len` written bytes from `offset`, copied from a mapping if they may be `mapped`.
    pub(crate) fn read(
        &self,
        dir: &dyn Dir,
        offset: u64,
        len: usize,
        mapped: bool,
    ) -> Result<Vec<u8>, Error> {
        let available = self.written().saturating_sub(offset);
        let len = len.min(usize::try_from(available).unwrap_or(usize::MAX));
        // Of another Bitcask's file nobody knows whether that Bitcask leaves it alone.
        let mapped = mapped && self.reading.is_none();
        if mapped && let Some(bytes) = self.mapped(offset, len) {
            return Ok(bytes.to_vec());
        }
        let mut bytes = vec![0; len];
        storage::read_exact_at(&*self.file, &mut bytes, offset)
            .map_err(|e| io_error(dir, &self.name, "read", e))?;
        Ok(bytes)
    }

    /// Written bytes, if they are mapped.
    fn mapped(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let mapping = if self.is_sealed() { &self.whole } else { &self.front };
        if mapping.get().is_none() {
            // Should another do the same just now, one of the two is for nothing, and neither waits.
            let _ = mapping.set(self.file.map_front(self.written()).ok());
        }
        let map = mapping.get()?.as_ref()?;
        let from = usize::try_from(offset).ok()?;
        (**map).as_ref().get(from..from.checked_add(len)?)
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A record with its bytes, which passed their CRC.
#[derive(Debug)]
pub(crate) struct OwnedRecord {
    bytes: Vec<u8>,
    /// Its length in its file, which is another one if that is another Bitcask's.
    len: usize,
}

impl OwnedRecord {
    /// Reads the record at `offset` through `piece`, which gives up to so many bytes from an offset.
    /// `guess` is its probable length.
    pub(crate) fn read(
        dir: &dyn Dir,
        name: &str,
        offset: u64,
        guess: usize,
        piece: impl Fn(usize) -> Result<Vec<u8>, Error>,
    ) -> Result<Self, Error> {
        let damaged = |reason| corrupt(dir, name, offset, reason);
        let mut bytes = piece(guess.max(record::HEADER_LEN))?;
        let len = match record::claimed_len(&bytes) {
            Ok(len) => len,
            Err(Invalid::Short(_)) => return Err(damaged("the segment ends within a record")),
            Err(Invalid::Bad(reason)) => return Err(damaged(reason)),
        };
        if len > bytes.len() {
            bytes = piece(len)?;
        }
        bytes.truncate(len);
        match Record::parse(&bytes) {
            Ok(_) => Ok(OwnedRecord { bytes, len }),
            Err(Invalid::Short(_)) => Err(damaged("the segment ends within a record")),
            Err(Invalid::Bad(reason)) => Err(damaged(reason)),
        }
    }

    /// As [`OwnedRecord::read`], of the record that an entry of another Bitcask's file stands for.
    pub(crate) fn read_classic(
        dir: &dyn Dir,
        segment: &Segment,
        reading: Reading,
        offset: u64,
        guess: usize,
    ) -> Result<Self, Error> {
        let damaged = |reason| corrupt(dir, &segment.name, offset, reason);
        let mut entry = segment.read(dir, offset, guess.max(reading::HEADER_LEN), false)?;
        let len = Reading::claimed_len(&entry).map_err(damaged)?;
        if len > entry.len() {
            entry = segment.read(dir, offset, len, false)?;
        }
        let bytes = reading.record(offset, &entry).map_err(damaged)?;
        Ok(OwnedRecord { bytes, len })
    }

    pub(crate) fn record(&self) -> Record<'_> {
        Record { len: self.len, ..Record::parse_unchecked(&self.bytes) }
    }

    /// The record's value: decompressed, or without copying it. The error says what is wrong with it.
    pub(crate) fn into_value(self) -> Result<Vec<u8>, &'static str> {
        if let Cow::Owned(value) = self.record().raw_value()? {
            return Ok(value);
        }
        let value_start = self.bytes.len() - self.record().value.len();
        let mut bytes = self.bytes;
        bytes.drain(..value_start);
        Ok(bytes)
    }
}
