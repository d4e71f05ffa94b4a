//! A segment that compaction writes. It gets its name when it is complete and on disk.

use crate::Error;
use crate::format::hint::Totals;
use crate::format::segment::{self as format, HEADER_LEN, Head, Salt};
use crate::log::{Log, Segment, io_error, sync_error};
use crate::recovery;
use crate::storage::{self, File};
use std::io;
use std::sync::Arc;

/// So much is collected before it is handed to the system.
const BUFFER_BYTES: usize = 256 << 10;

/// So many segments may wait for their hints to be built by a thread that nobody waits for: closing the store builds what
/// is left.
const HINTS_AHEAD: usize = 4;

pub(super) struct Output {
    id: u32,
    file: Arc<dyn File>,
    head: Head,
    buffer: Vec<u8>,
    /// Bytes handed to the system.
    written: u64,
    synced: u64,
    totals: Totals,
    /// Bytes of deletions: nothing in the keydir stands for them.
    deletions: i64,
}

impl Output {
    /// Of the store that `of` is a segment's salt of.
    pub(super) fn create(log: &Log, of: Salt) -> Result<Self, Error> {
        let dir = &*log.dir;
        log.with_next_id(|id| {
            let (name, unfinished) = (format::file_name(id), format::unfinished_name(id));
            let file = remove(log, &name)
                .and_then(|()| remove(log, &unfinished))
                .and_then(|()| dir.create(&unfinished))
                .map_err(|e| io_error(dir, &unfinished, "create", e))?;
            let head = Head { salt: format::salt(Some(of), dir.random()), compacted: true };
            let buffer = format::header(id, head).to_vec();
            let (totals, deletions) = (Totals::default(), 0);
            Ok(Output { id, file, head, buffer, written: 0, synced: 0, totals, deletions })
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == HEADER_LEN as u64
    }

    /// Adds what `write` puts at the end of the given bytes: one record with this sequence number.
    pub(super) fn add(
        &mut self,
        log: &Log,
        sequence: u64,
        is_deletion: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        let start = self.buffer.len();
        write(&mut self.buffer);
        self.totals.min_sequence = self.totals.min_sequence.min(sequence);
        self.totals.max_sequence = self.totals.max_sequence.max(sequence);
        if is_deletion {
            self.deletions += (self.buffer.len() - start) as i64;
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush(log)?;
            if self.written - self.synced >= storage::SYNC_BYTES as u64 {
                self.sync(log)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, log: &Log) -> Result<(), Error> {
        storage::write_all_at(&*self.file, &self.buffer, self.written)
            .map_err(|e| io_error(&*log.dir, &format::unfinished_name(self.id), "write", e))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self, log: &Log) -> Result<(), Error> {
        self.file
            .sync_data()
            .map_err(|e| io_error(&*log.dir, &format::unfinished_name(self.id), "sync", e))?;
        self.synced = self.written;
        Ok(())
    }

    /// Completes it, brings it to the disk with its name, and lets readers find it. After an error its number is
    /// one that came to nothing.
    // Invariant: a segment of compaction that has its name is complete and on disk, so damage in it is
    // damage. And nothing points into it before its name is on disk.
    pub(super) fn finish(mut self, log: &Log) -> Result<Arc<Segment>, (u32, Error)> {
        let (id, dir) = (self.id, &*log.dir);
        let name = format::file_name(id);
        if let Err(e) = self.flush(log).and_then(|()| self.sync(log)) {
            return Err((self.abandon(), e));
        }
        if let Err(e) = dir.rename(&format::unfinished_name(id), &name) {
            let e = io_error(dir, &name, "rename", e);
            return Err((self.abandon(), e));
        }
        dir.sync().map_err(|e| (id, sync_error(dir, &name, "make durable", e)))?;
        let segment = Segment::new(id, self.file, self.head, self.written);
        segment.note_totals(&self.totals);
        segment.book(self.deletions);
        segment.seal();
        let segment = Arc::new(segment);
        log.add(&segment);
        if log.wanted_hints() < HINTS_AHEAD {
            log.want_hints([id]);
        } else if let Ok(map) = segment.file.map() {
            // Without it the next start takes longer.
            let _ = recovery::write_hint(dir, &segment, (*map).as_ref());
        }
        Ok(segment)
    }

    /// Gives its space back, and leaves its name as a sign that its number came to nothing.
    pub(super) fn abandon(self) -> u32 {
        // If that fails, the next start does it.
        let _ = self.file.set_len(0);
        self.id
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(log: &Log, name: &str) -> io::Result<()> {
    match log.dir.remove(name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
