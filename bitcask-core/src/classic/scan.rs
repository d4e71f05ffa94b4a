//! Walking the entries of one file of a foreign directory, the damaged ones included.

use super::layout::{Format, Meaning, Shape};
use crate::format::Crc32;
use crate::format::record::{MAX_KEY_LEN, MAX_VALUE_LEN};
use crate::storage::{File, read_exact_at};
use std::io;

/// Bytes that are read at a time.
const PIECE_BYTES: u64 = 256 << 10;
/// After so many bad entries the rest of a file is given up, as Basho's reader does: lengths that lie lead
/// from one to the next.
pub(super) const MAX_BAD: usize = 20;

/// A walk from the first entry of a file to its end. Memory: the entry at hand, or [`PIECE_BYTES`].
pub(super) struct Scanner<'a> {
    file: &'a dyn File,
    format: Format,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    buffer_start: u64,
    bad: usize,
}

/// What lies somewhere in a file.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) what: What<'a>,
}

#[derive(Debug)]
pub(super) enum What<'a> {
    Entry {
        key: &'a [u8],
        meaning: Meaning<'a>,
    },
    /// A sound entry that cannot be taken over, and its key, if that is known.
    Unusable {
        key: Option<&'a [u8]>,
        reason: &'static str,
    },
    /// Bytes that are no entry.
    Bad {
        reason: &'static str,
    },
}

impl<'a> Scanner<'a> {
    pub(super) fn new(file: &'a dyn File, format: Format) -> io::Result<Self> {
        Ok(Self::up_to(file, format, file.size()?))
    }

    /// Of the first `end` bytes of a file.
    pub(super) fn up_to(file: &'a dyn File, format: Format, end: u64) -> Self {
        let (buffer, buffer_start) = (Vec::new(), 0);
        Scanner { file, format, at: 0, end, buffer, buffer_start, bad: 0 }
    }

    /// The next item; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Item<'_>>> {
        let (offset, left) = (self.at, self.end - self.at);
        if left == 0 {
            return Ok(None);
        }
        let header_len = self.format.header_len();
        if left < header_len as u64 {
            return Ok(Some(self.bad(left, "the file ends within an entry")));
        }
        let format = self.format;
        let header = self.fill(offset, header_len)?;
        let shape = match format.shape(header) {
            Ok(shape) => shape,
            // Without its lengths nobody knows where the next begins.
            Err(reason) => return Ok(Some(self.bad(left, reason))),
        };
        let len = shape.len();
        if len > left {
            return Ok(Some(self.bad(left, "an entry reaches beyond the end of the file")));
        }
        let small = shape.key <= MAX_KEY_LEN as u64 && shape.value <= MAX_VALUE_LEN as u64;
        if !self.is_sound(&shape, small)? {
            return Ok(Some(self.bad(len, "an entry fails its checksum")));
        }
        self.at += len;
        if !small {
            let what = if shape.key <= MAX_KEY_LEN as u64 {
                let key_at = shape.header;
                let entry = self.fill(offset, key_at + shape.key as usize)?;
                let reason = "its value is longer than a store can hold";
                What::Unusable { key: Some(&entry[key_at..]), reason }
            } else {
                What::Unusable { key: None, reason: "its key is longer than a store can hold" }
            };
            return Ok(Some(Item { offset, len, what }));
        }
        let entry = self.fill(offset, len as usize)?;
        let (key, meaning) = format.read(&shape, entry);
        let what = match meaning.and_then(|meaning| meaning.value.decoded().map(|_| meaning)) {
            Ok(meaning) => What::Entry { key, meaning },
            Err(reason) => What::Unusable { key: Some(key), reason },
        };
        Ok(Some(Item { offset, len, what }))
    }

    /// Passes over `len` bytes that are no entry, or over the whole rest if there were too many.
    fn bad(&mut self, len: u64, reason: &'static str) -> Item<'static> {
        let offset = self.at;
        self.bad += 1;
        let (len, reason) = if self.bad == MAX_BAD {
            (self.end - offset, "after so many bad entries the rest of the file is given up")
        } else {
            (len, reason)
        };
        self.at += len;
        Item { offset, len, what: What::Bad { reason } }
    }

    /// Whether the entry at hand, all of which is in the file, passes its CRC. One that is not `small` is read
    /// in pieces.
    fn is_sound(&mut self, shape: &Shape, small: bool) -> io::Result<bool> {
        let (offset, format) = (self.at, self.format);
        if small {
            let entry = self.fill(offset, shape.len() as usize)?;
            return Ok(is_sound(format, shape, entry));
        }
        let mut crc = Crc32::new();
        let mut at = shape.checked_from;
        while at < shape.value_end() {
            let piece = (shape.value_end() - at).min(PIECE_BYTES);
            crc.update(self.fill(offset + at, piece as usize)?);
            at += piece;
        }
        let stored = self.fill(offset + shape.crc_at, 4)?;
        Ok(format.is_crc(crc, stored.try_into().expect("four bytes")))
    }

    /// The `len` bytes at `offset`, which must be in the file.
    fn fill(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let have = self.buffer_start..self.buffer_start + self.buffer.len() as u64;
        if offset < have.start || offset + len as u64 > have.end {
            let piece = (self.end - offset).min(PIECE_BYTES).max(len as u64);
            self.buffer.clear();
            self.buffer.resize(piece as usize, 0);
            self.buffer.shrink_to(PIECE_BYTES as usize);
            read_exact_at(self.file, &mut self.buffer, offset)?;
            self.buffer_start = offset;
        }
        let start = (offset - self.buffer_start) as usize;
        Ok(&self.buffer[start..start + len])
    }
}

/// Whether an entry of this shape passes its CRC.
pub(super) fn is_sound(format: Format, shape: &Shape, entry: &[u8]) -> bool {
    let mut crc = Crc32::new();
    crc.update(&entry[shape.checked_from as usize..shape.value_end() as usize]);
    let stored = &entry[shape.crc_at as usize..][..4];
    format.is_crc(crc, stored.try_into().expect("four bytes"))
}
