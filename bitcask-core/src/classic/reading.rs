//! The entries of a file of Basho's Bitcask or of pybitcask, read as the records that they stand for.
//!
//! Nothing above the log knows of them: what it is given is the encoding of a put or a delete, made on the fly.

use super::basho;
use super::layout::{Format, Value};
use super::scan::{self, Scanner, What};
use crate::UnixMillis;
use crate::format::record::{self, Kind, MAX_KEY_LEN, MAX_VALUE_LEN};
use crate::storage::File;
use std::io;

pub(super) const FORMAT: Format = Format::Basho { expiry_secs: None };

pub(crate) use super::basho::HEADER_LEN;

/// So much longer a put is as a record than as an entry.
pub(crate) const GROWTH: usize = record::HEADER_LEN - HEADER_LEN;

/// What is wrong with a file that has fewer sound entries than [`Reading::entries`].
pub(crate) const LOST: &str = "entries that were sound when the file was taken over are so no more";

/// How the entries of one file are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Bytes of the files before it.
    pub(super) before: u64,
    /// Sound entries in it.
    pub(crate) entries: u64,
}

impl Reading {
    /// The sequence number of the entry at `offset`: its place in the bytes of all files, so that it is known
    /// from the location alone, and the later one is the newer.
    pub(crate) fn sequence(self, offset: u64) -> u64 {
        self.before + offset + 1
    }

    /// The front of the record that the entry at `offset` stands for, as far as the given front of the entry
    /// reaches, without its checksum; and the entry's length. The error says why there is none.
    pub(crate) fn front(self, offset: u64, front: &[u8]) -> Result<(Vec<u8>, usize), &'static str> {
        let len = Self::claimed_len(front)?;
        let (header, shape) = (&front[..HEADER_LEN], basho::shape(front));
        let rest = &front[HEADER_LEN..front.len().min(len)];
        let (key, value) =
            rest.split_at_checked(shape.key as usize).ok_or("the file ends within an entry")?;
        let meaning = basho::meaning(header, value, None);
        let mut out = Vec::with_capacity(front.len() + GROWTH);
        match meaning.value {
            Value::Deleted { .. } => {
                record::encode(&mut out, Kind::Delete, meaning.written_at, None, None, key, b"");
            }
            _ => {
                record::encode(&mut out, Kind::Put, meaning.written_at, None, None, key, value);
                record::set_value_len(&mut out, shape.value as usize);
            }
        }
        record::set_sequence(&mut out, self.sequence(offset));
        Ok((out, len))
    }

    /// Length of the entry that begins with `front`. The error says why there is none.
    pub(crate) fn claimed_len(front: &[u8]) -> Result<usize, &'static str> {
        let header = front.get(..HEADER_LEN).ok_or("the file ends within an entry")?;
        let shape = basho::shape(header);
        if shape.key > MAX_KEY_LEN as u64 || shape.value > MAX_VALUE_LEN as u64 {
            return Err("a length in an entry's header is out of range");
        }
        Ok(shape.len() as usize)
    }

    /// The record that the entry at `offset` stands for, complete; its length is that of `entry`. The error says
    /// why there is none.
    pub(crate) fn record(self, offset: u64, entry: &[u8]) -> Result<Vec<u8>, &'static str> {
        let (mut out, len) = self.front(offset, entry)?;
        let entry = entry.get(..len).ok_or("the file ends within an entry")?;
        let shape = basho::shape(entry);
        if !scan::is_sound(FORMAT, &shape, entry) {
            return Err("an entry fails its checksum");
        }
        record::seal(&mut out, self.sequence(offset), false);
        Ok(out)
    }

    /// Goes through the first `len` bytes of the file.
    pub(crate) fn walk(self, file: &dyn File, len: u64) -> Records<'_> {
        let scanner = Scanner::up_to(file, FORMAT, len);
        Records { reading: self, scanner, record: Vec::new(), sound: 0 }
    }
}

/// The records that a file's entries stand for.
pub(crate) struct Records<'a> {
    reading: Reading,
    scanner: Scanner<'a>,
    record: Vec<u8>,
    /// Sound entries so far.
    pub(crate) sound: u64,
}

/// A stretch of a file.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// The bytes of a complete record; or why there is none.
    pub(crate) record: Result<&'a [u8], &'static str>,
}

impl Records<'_> {
    /// How many sound entries there are.
    pub(crate) fn count(mut self) -> io::Result<u64> {
        while self.next()?.is_some() {}
        Ok(self.sound)
    }

    /// The next stretch; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Stretch<'_>>> {
        let Some(item) = self.scanner.next()? else { return Ok(None) };
        let (offset, len) = (item.offset, item.len);
        self.record.clear();
        let mut put = |kind, at, key: &[u8], value: &[u8]| {
            record::encode(&mut self.record, kind, at, None, None, key, value);
        };
        match item.what {
            What::Entry { key, meaning } => match meaning.value {
                Value::Deleted { .. } => put(Kind::Delete, meaning.written_at, key, b""),
                Value::Plain(value) | Value::Snappy(value) => {
                    put(Kind::Put, meaning.written_at, key, value);
                }
            },
            // The key has a newer value than any before, which cannot be had.
            What::Unusable { key: Some(key), .. } => put(Kind::Delete, UnixMillis(0), key, b""),
            What::Unusable { key: None, reason } | What::Bad { reason } => {
                return Ok(Some(Stretch { offset, len, record: Err(reason) }));
            }
        }
        self.sound += 1;
        record::seal(&mut self.record, self.reading.sequence(offset), false);
        Ok(Some(Stretch { offset, len, record: Ok(&self.record) }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{BASHO_DATA, bytes};
    use super::*;
    use crate::format::record::{Head, Record};
    use crate::storage::Dir;
    use crate::storage::sim::SimDir;

    #[test]
    fn an_entry_is_the_same_record_walked_read_or_looked_at() {
        let data = bytes(BASHO_DATA);
        let dir = SimDir::new(1);
        dir.write_file("1.bitcask.data", &data);
        let file = dir.open("1.bitcask.data", false).unwrap();
        let reading = Reading { before: 1000, entries: 4 };
        let mut walk = reading.walk(&*file, data.len() as u64);
        let mut seen = Vec::new();
        while let Some(stretch) = walk.next().unwrap() {
            let found = stretch.record.unwrap();
            let record = Record::parse(found).unwrap();
            assert_eq!(record.sequence, 1001 + stretch.offset);
            seen.push((record.kind, record.key.to_vec(), record.value.to_vec(), stretch.len));
            let at = stretch.offset as usize;
            assert_eq!(reading.record(stretch.offset, &data[at..]).unwrap(), found);
            let enough = (record::MAX_HEAD_LEN + record.key.len()).min(data.len() - at);
            let (front, len) = reading.front(stretch.offset, &data[at..at + enough]).unwrap();
            let head = Head::parse(&front).unwrap();
            assert_eq!(
                (head.len, head.sequence, len),
                (found.len(), record.sequence, stretch.len as usize)
            );
            assert_eq!((head.timestamp, head.kind), (record.timestamp, record.kind));
            // A damaged one is none, and where it is cut neither.
            for byte in at..at + stretch.len as usize {
                let mut bad = data[at..].to_vec();
                bad[byte - at] ^= 1;
                assert!(reading.record(stretch.offset, &bad).is_err());
                assert!(reading.record(stretch.offset, &data[at..byte]).is_err());
                let _ = reading.front(stretch.offset, &data[at..byte]);
            }
        }
        assert_eq!(walk.sound, 4);
        let (put, delete) = (Kind::Put, Kind::Delete);
        let wanted = [
            (delete, b"mykey2".to_vec(), b"".to_vec(), 42),
            (put, b"mykey2".to_vec(), b"myvalueX".to_vec(), 28),
            (delete, b"mykey".to_vec(), b"".to_vec(), 41),
            (put, b"mykey".to_vec(), b"myVALUE".to_vec(), 26),
        ];
        assert_eq!(seen, wanted);
    }
}
