//! The records of a segment one after the other, going on behind damage.

use super::record::{self, Invalid, Record};

/// What lies at some offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record that passed its CRC.
    Record(Record<'a>),
    /// So many bytes that are none, and why the first of them is not the beginning of one.
    Damage(usize, &'static str),
}

/// Walks the bytes of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Of the newest record so far, where sequence numbers ascend.
    sequence: Option<u64>,
}

impl<'a> Walk<'a> {
    /// Begins at `from`. In an `ascending` segment — any that compaction has not written — a record's sequence
    /// number is above those before it: what does not fit in is not taken for a record when looking for one
    /// behind damage, since it may be part of a value.
    pub(crate) fn new(bytes: &'a [u8], from: usize, ascending: bool) -> Self {
        Walk { bytes, at: from, sequence: ascending.then_some(0) }
    }

    /// Where the next record begins, if one can be found.
    fn resume(&self) -> usize {
        (self.at + 1..self.bytes.len())
            .find(|at| match Record::parse(&self.bytes[*at..]) {
                Ok(record) => self.sequence.is_none_or(|before| record.sequence >= before),
                Err(_) => false,
            })
            .unwrap_or(self.bytes.len())
    }
}

impl<'a> Iterator for Walk<'a> {
    /// With its offset.
    type Item = (usize, Found<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let at = self.at;
        let reason = match Record::parse(&self.bytes[at..]) {
            Ok(record) => {
                self.at += record.len;
                if let Some(sequence) = &mut self.sequence {
                    *sequence = record.sequence.max(*sequence);
                }
                return Some((at, Found::Record(record)));
            }
            Err(Invalid::Bad(reason)) => reason,
            Err(Invalid::Short(_)) => "the segment ends within a record",
        };
        self.at = self.resume();
        Some((at, Found::Damage(self.at - at, reason)))
    }
}

/// Writes a void over `bytes`, at least [`record::HEADER_LEN`] of them: a record that says nothing.
pub(crate) fn fill_with_void(mut bytes: &mut [u8], sequence: u64) {
    while !bytes.is_empty() {
        // What remains must hold a record, too.
        let most = record::HEADER_LEN + record::MAX_VALUE_LEN;
        let len = if bytes.len() <= most { bytes.len() } else { most / 2 };
        let (void, rest) = bytes.split_at_mut(len);
        record::write_void(void, sequence);
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixMillis;
    use crate::format::record::Kind;

    fn segment() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (b"header".to_vec(), Vec::new());
        for (i, value) in ["one", "", "three", "four"].iter().enumerate() {
            let start = bytes.len();
            starts.push(start);
            let key = format!("key{i}");
            record::encode(
                &mut bytes,
                Kind::Put,
                UnixMillis(7),
                None,
                None,
                key.as_bytes(),
                value.as_bytes(),
            );
            record::seal(&mut bytes[start..], 10 + i as u64, false);
        }
        (bytes, starts)
    }

    #[test]
    fn whatever_byte_is_damaged_the_records_around_it_are_found() {
        let (bytes, starts) = segment();
        let whole: Vec<usize> = Walk::new(&bytes, 6, true).map(|(at, _)| at).collect();
        assert_eq!(whole, starts);
        for i in 6..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 0x55;
            let lost = starts.iter().rposition(|start| *start <= i).unwrap();
            let mut good = 0;
            for (at, found) in Walk::new(&bad, 6, true) {
                match found {
                    Found::Record(_) => {
                        assert!(starts.contains(&at) && at != starts[lost], "byte {i}");
                        good += 1;
                    }
                    Found::Damage(len, _) => {
                        assert_eq!(at, starts[lost], "byte {i}");
                        let next = starts.get(lost + 1).copied().unwrap_or(bytes.len());
                        assert_eq!(at + len, next, "byte {i}");
                    }
                }
            }
            assert_eq!(good, starts.len() - 1, "byte {i}");
            // And what is voided is a sound segment again.
            let end = starts.get(lost + 1).copied().unwrap_or(bytes.len());
            fill_with_void(&mut bad[starts[lost]..end], 0);
            let mended: Vec<usize> = Walk::new(&bad, 6, true)
                .map(|(at, found)| {
                    assert!(matches!(found, Found::Record(_)));
                    at
                })
                .collect();
            assert_eq!(mended, starts);
        }
    }

    #[test]
    fn an_old_record_inside_a_damaged_value_is_not_taken_for_one_of_the_segment() {
        let mut inner = Vec::new();
        record::encode(&mut inner, Kind::Put, UnixMillis(7), None, None, b"k", b"old");
        record::seal(&mut inner, 3, false);
        let mut bytes = Vec::new();
        record::encode(&mut bytes, Kind::Put, UnixMillis(7), None, None, b"a", b"first");
        record::seal(&mut bytes, 9, false);
        let start = bytes.len();
        record::encode(&mut bytes, Kind::Put, UnixMillis(7), None, None, b"b", &inner);
        record::seal(&mut bytes[start..], 10, false);
        bytes[start] ^= 1;
        let found: Vec<_> = Walk::new(&bytes, 0, true).collect();
        assert!(
            matches!(found[..], [(0, Found::Record(_)), (at, Found::Damage(len, _))] if at == start && at + len == bytes.len())
        );
    }
}
