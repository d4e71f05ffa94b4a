//! The layout of bitgask: bytes → records, no I/O.

use super::layout::{Meaning, Shape, Value};
use crate::UnixMillis;

/// Record of `N.data`. Integers are little endian, offsets in bytes.
///
/// | offset | size | field    | meaning                                           |
/// |-------:|-----:|----------|---------------------------------------------------|
/// |      0 |    4 | crc      | CRC-32 (IEEE) of every later byte of the record   |
/// |      4 |    8 | ts       | ns since 1970                                     |
/// |     12 |    8 | expires  | ns since 1970; 0: never                           |
/// |     20 |    4 | key_len  | bytes of key                                      |
/// |     24 |    4 | val_len  | bytes of value                                    |
/// |     28 |    1 | flags    | 1 deleted, 2 compressed                           |
/// |     29 |    1 | codec    | 0 none, 1 Snappy (block format)                   |
/// |     30 |    2 | reserved |                                                   |
/// |     32 |      | key      |                                                   |
/// |        |      | value    |                                                   |
pub(super) const HEADER_LEN: usize = 32;
const _: () = assert!(HEADER_LEN == 4 + 8 + 8 + 4 + 4 + 1 + 1 + 2);

const DELETED: u8 = 1;
const COMPRESSED: u8 = 2;
const SNAPPY: u8 = 1;

/// The number in the name of a data file.
pub(super) fn parse_data_name(name: &str) -> Option<u64> {
    super::layout::parse_number(name.strip_suffix(".data")?)
}

fn le_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn le_i64(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(super) fn shape(header: &[u8]) -> Shape {
    let (key, value) = (u64::from(le_u32(header, 20)), u64::from(le_u32(header, 24)));
    Shape { header: HEADER_LEN, key, value, trailer: 0, crc_at: 0, checked_from: 4 }
}

/// What a sound record says; the error, why it cannot be understood.
pub(super) fn meaning<'a>(header: &[u8], value: &'a [u8]) -> Result<Meaning<'a>, &'static str> {
    let (flags, codec) = (header[28], header[29]);
    let value = match (flags & DELETED != 0, flags & COMPRESSED != 0, codec) {
        (true, _, _) => Value::Deleted { odd: false },
        (false, false, _) => Value::Plain(value),
        (false, true, SNAPPY) => Value::Snappy(value),
        (false, true, _) => return Err("its value is compressed by an unknown codec"),
    };
    // A time before 1970 is as good as 1970. An expiry is rounded up: nothing goes before its time.
    let millis = |ns: i64| UnixMillis(u64::try_from(ns).unwrap_or(0) / 1_000_000);
    let expires = le_i64(header, 12);
    let expires_at = (expires != 0).then(|| millis(expires.saturating_add(999_999)));
    Ok(Meaning { value, written_at: millis(le_i64(header, 4)), expires_at })
}

/// Appends a record.
#[cfg(test)]
pub(super) fn encode(
    out: &mut Vec<u8>,
    ts: i64,
    expires: i64,
    flags: u8,
    key: &[u8],
    value: &[u8],
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&ts.to_le_bytes());
    out.extend_from_slice(&expires.to_le_bytes());
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(&[flags, u8::from(flags & COMPRESSED != 0), 0, 0]);
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    let crc = crate::format::crc32(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    #[test]
    fn records_have_the_golden_bytes() {
        const TS: i64 = 1_700_000_000_000_000_001;
        let mut out = Vec::new();
        encode(&mut out, TS, 0, 0, b"hello", b"world");
        assert_eq!(
            hex(&out),
            concat!(
                "abe3139101002a36fe9c97170000000000000000",
                "05000000050000000000000068656c6c6f776f726c64"
            )
        );
        let meaning = meaning(&out, b"world").unwrap();
        assert_eq!((meaning.value, meaning.expires_at), (Value::Plain(b"world"), None));
        assert_eq!(meaning.written_at, UnixMillis(1_700_000_000_000));
        out.clear();
        encode(&mut out, TS, 0, DELETED, b"hello", b"");
        assert_eq!(
            hex(&out),
            "719ffa7401002a36fe9c9717000000000000000005000000000000000100000068656c6c6f"
        );
    }

    #[test]
    fn an_expiry_is_rounded_up_and_one_before_1970_is_past() {
        let expiry = |expires| {
            let mut out = Vec::new();
            encode(&mut out, -1, expires, 0, b"k", b"v");
            meaning(&out, b"v").unwrap().expires_at
        };
        assert_eq!(expiry(1), Some(UnixMillis(1)));
        assert_eq!(expiry(1_000_000), Some(UnixMillis(1)));
        assert_eq!(expiry(-5_000_000), Some(UnixMillis(0)));
        assert_eq!(expiry(i64::MAX), Some(UnixMillis(i64::MAX as u64 / 1_000_000)));
        assert_eq!(expiry(0), None);
    }
}
