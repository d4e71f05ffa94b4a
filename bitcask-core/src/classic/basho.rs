//! The layout of Basho's Bitcask, which pybitcask shares: bytes ↔ entries, no I/O.

use super::layout::{Meaning, Shape, Value};
use crate::UnixMillis;
use crate::format::{Crc32, be_u32, crc32};

/// Entry of `N.bitcask.data`. Integers are big endian, offsets in bytes.
///
/// | offset | size | field     | meaning                                        |
/// |-------:|-----:|-----------|------------------------------------------------|
/// |      0 |    4 | crc       | CRC-32 (IEEE) of every later byte of the entry |
/// |      4 |    4 | tstamp    | seconds since 1970                             |
/// |      8 |    2 | key_sz    | bytes of key                                   |
/// |     10 |    4 | value_sz  | bytes of value                                 |
/// |     14 |      | key       |                                                |
/// |        |      | value     | a tombstone if it begins with [`TOMBSTONE`]    |
pub(crate) const HEADER_LEN: usize = 14;
const _: () = assert!(HEADER_LEN == 4 + 4 + 2 + 4);

/// What a value begins with that says that its key was deleted: all of it (version 0), or followed by `1` or `2`
/// and a file's number (4).
pub(super) const TOMBSTONE: &[u8] = b"bitcask_tombstone";

/// Longest key that an entry can have.
pub(super) const MAX_KEY_LEN: usize = u16::MAX as usize;

/// Entry of `N.bitcask.hint`. After the last comes a trailer of the same shape, without key: timestamp and length 0,
/// the CRC-32 of all bytes before it instead of the size, and the greatest offset, not marked as a tombstone (before
/// Basho's version 2: marked).
///
/// | offset | size | field    | meaning                                      |
/// |-------:|-----:|----------|----------------------------------------------|
/// |      0 |    4 | tstamp   | of the entry                                 |
/// |      4 |    2 | key_sz   | bytes of key                                 |
/// |      6 |    4 | total_sz | bytes of the whole entry in the data file    |
/// |     10 |    8 | offset   | of the entry; the highest bit: a tombstone   |
/// |     18 |      | key      |                                              |
pub(super) const HINT_LEN: usize = 18;
const _: () = assert!(HINT_LEN == 4 + 2 + 4 + 8);
const MAX_OFFSET: u64 = u64::MAX >> 1;

pub(super) fn data_name(file: u32) -> String {
    format!("{file}.bitcask.data")
}

pub(super) fn hint_name(file: u32) -> String {
    format!("{file}.bitcask.hint")
}

/// The number in the name of a data file.
pub(super) fn parse_data_name(name: &str) -> Option<u64> {
    super::layout::parse_number(name.strip_suffix(".bitcask.data")?)
}

pub(super) fn shape(header: &[u8]) -> Shape {
    let key = u64::from(u16::from_be_bytes([header[8], header[9]]));
    let value = u64::from(be_u32(header, 10));
    Shape { header: HEADER_LEN, key, value, trailer: 0, crc_at: 0, checked_from: 4 }
}

/// What a sound entry says. Basho's expiry is a setting of the whole directory.
pub(super) fn meaning<'a>(header: &[u8], value: &'a [u8], expiry_secs: Option<u32>) -> Meaning<'a> {
    let seconds = u64::from(be_u32(header, 4));
    let value = match value.strip_prefix(TOMBSTONE) {
        None => Value::Plain(value),
        Some(rest) => {
            // Basho's reader looks at the beginning only; what a user may have put himself is counted.
            let known = matches!(rest, [] | [b'1' | b'2', _, _, _, _]);
            Value::Deleted { odd: !known }
        }
    };
    Meaning {
        value,
        written_at: UnixMillis(seconds * 1000),
        expires_at: expiry_secs.map(|after| UnixMillis((seconds + u64::from(after)) * 1000)),
    }
}

/// Appends an entry. The key must not be longer than [`MAX_KEY_LEN`].
pub(super) fn encode_entry(out: &mut Vec<u8>, tstamp: u32, key: &[u8], value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&tstamp.to_be_bytes());
    out.extend_from_slice(&(key.len() as u16).to_be_bytes());
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    let crc = crc32(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_be_bytes());
}

/// A hint file as it is made: the CRC runs along.
#[derive(Default)]
pub(super) struct HintWriter {
    crc: Crc32,
}

impl HintWriter {
    /// Appends the hint of an entry of `total` bytes at `offset`.
    pub(super) fn entry(
        &mut self,
        out: &mut Vec<u8>,
        tstamp: u32,
        key: &[u8],
        total: u32,
        offset: u64,
        tombstone: bool,
    ) {
        let start = out.len();
        out.extend_from_slice(&tstamp.to_be_bytes());
        out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        out.extend_from_slice(&total.to_be_bytes());
        let mark = u64::from(tombstone) << 63;
        out.extend_from_slice(&(offset | mark).to_be_bytes());
        out.extend_from_slice(key);
        self.crc.update(&out[start..]);
    }

    /// Appends the trailer.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.crc.finalize().to_be_bytes());
        out.extend_from_slice(&MAX_OFFSET.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{BASHO_DATA, bytes, hex};
    use super::*;

    #[test]
    fn entries_have_the_bytes_that_erlang_wrote() {
        let mut out = Vec::new();
        encode_entry(&mut out, 1_466_611_251, b"mykey2", b"bitcask_tombstone2\0\0\0\x01");
        encode_entry(&mut out, 1_466_611_251, b"mykey2", b"myvalueX");
        encode_entry(&mut out, 1_466_611_260, b"mykey", b"bitcask_tombstone2\0\0\0\x01");
        encode_entry(&mut out, 1_466_611_260, b"mykey", b"myVALUE");
        assert_eq!(hex(&out), BASHO_DATA);
    }

    #[test]
    fn a_hint_file_has_the_bytes_that_erlang_wrote() {
        let mut out = Vec::new();
        let mut hint = HintWriter::default();
        hint.entry(&mut out, 1_466_611_251, b"mykey2", 42, 0, true);
        hint.entry(&mut out, 1_466_611_251, b"mykey2", 28, 42, false);
        hint.entry(&mut out, 1_466_611_260, b"mykey", 41, 70, true);
        hint.entry(&mut out, 1_466_611_260, b"mykey", 26, 111, false);
        hint.finish(&mut out);
        assert_eq!(
            out,
            bytes(concat!(
                "576ab63300060000002a80000000000000006d796b657932",
                "576ab63300060000001c000000000000002a6d796b657932",
                "576ab63c00050000002980000000000000466d796b6579",
                "576ab63c00050000001a000000000000006f6d796b6579",
                "00000000000047ab475b7fffffffffffffff",
            ))
        );
    }

    #[test]
    fn only_numbers_name_data_files() {
        assert_eq!(parse_data_name("12.bitcask.data"), Some(12));
        assert_eq!(parse_data_name(&data_name(u32::MAX)), Some(u64::from(u32::MAX)));
        for name in
            [".bitcask.data", "x.bitcask.data", "+1.bitcask.data", "1.bitcask.hint", "1.data"]
        {
            assert_eq!(parse_data_name(name), None, "{name}");
        }
    }
}
