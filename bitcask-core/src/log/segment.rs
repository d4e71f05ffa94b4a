//! One segment file, and reading records out of it.

use super::{corrupt, io_error, sync_error};
use crate::Error;
use crate::format::record::{self, Invalid, Record};
use crate::format::segment::{self as format, Salt};
use crate::storage::{self, Dir, File};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An open segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    pub(crate) salt: Salt,
    /// Bytes handed to the system: what lies before may be read from the file.
    written: AtomicU64,
}

impl Segment {
    pub(crate) fn new(id: u32, file: Arc<dyn File>, salt: Salt, written: u64) -> Self {
        Segment { id, name: format::file_name(id), file, salt, written: AtomicU64::new(written) }
    }

    /// Makes a new segment file. Nothing may be acknowledged in it before [`Segment::make_durable`].
    pub(crate) fn create(dir: &dyn Dir, id: u32) -> Result<Self, Error> {
        let (name, salt) = (format::file_name(id), dir.random().to_be_bytes());
        let fail = |op, source| io_error(dir, &name, op, source);
        let created = match dir.create(&name) {
            // Left by an attempt that failed; nobody has written to it.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                dir.remove(&name).and_then(|()| dir.create(&name))
            }
            created => created,
        };
        let file = created.map_err(|e| fail("create", e))?;
        if let Err(e) = storage::write_all_at(&*file, &format::header(id, salt), 0) {
            // Best effort: the next attempt, or recovery, removes what is left.
            let _ = dir.remove(&name);
            return Err(fail("write the header of", e));
        }
        Ok(Segment::new(id, file, salt, format::HEADER_LEN as u64))
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

    /// Up to `len` written bytes from `offset`.
    pub(crate) fn read(&self, dir: &dyn Dir, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        let available = self.written().saturating_sub(offset);
        let mut bytes = vec![0; len.min(usize::try_from(available).unwrap_or(usize::MAX))];
        storage::read_exact_at(&*self.file, &mut bytes, offset)
            .map_err(|e| io_error(dir, &self.name, "read", e))?;
        Ok(bytes)
    }
}

/// A record with its bytes, which passed their CRC.
#[derive(Debug)]
pub(crate) struct OwnedRecord {
    bytes: Vec<u8>,
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
            Ok(_) => Ok(OwnedRecord { bytes }),
            Err(Invalid::Short(_)) => Err(damaged("the segment ends within a record")),
            Err(Invalid::Bad(reason)) => Err(damaged(reason)),
        }
    }

    pub(crate) fn record(&self) -> Record<'_> {
        Record::parse_unchecked(&self.bytes)
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
