//! The layout of prologic/bitcask: bytes → entries, no I/O.

use super::layout::{Meaning, Shape, Value};
use crate::UnixMillis;
use crate::format::{be_u32, be_u64};

/// Entry of `000000001.data`. Integers are big endian, offsets in bytes.
///
/// | offset | size | field     | meaning                                                  |
/// |-------:|-----:|-----------|----------------------------------------------------------|
/// |      0 |    4 | key_len   | bytes of key                                             |
/// |      4 |    8 | value_len | bytes of value; 0: the key was deleted                   |
/// |     12 |      | key       |                                                          |
/// |        |      | value     |                                                          |
/// |        |    4 | crc       | CRC-32 (IEEE) of the value alone                         |
/// |        |    8 | expiry    | seconds since 1970, 0: never; only from version 1 on     |
///
/// Only the value is checked: a damaged key is a wrong key, and nobody can tell.
pub(super) const HEADER_LEN: usize = 12;
const _: () = assert!(HEADER_LEN == 4 + 8);

/// The version of a directory's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Until v0.3: entries end with the CRC.
    V0,
    /// Entries end with an expiry.
    V1,
}

impl Version {
    fn trailer_len(self) -> usize {
        match self {
            Version::V0 => 4,
            Version::V1 => 12,
        }
    }
}

/// The number in the name of a data file.
pub(super) fn parse_data_name(name: &str) -> Option<u64> {
    super::layout::parse_number(name.strip_suffix(".data")?)
}

/// The version that the text of `config.json` states; `None` if it states none.
pub(super) fn parse_config(json: &[u8]) -> Option<Version> {
    const FIELD: &[u8] = b"\"db_version\"";
    let at = json.windows(FIELD.len()).position(|window| window == FIELD)?;
    let rest = json[at + FIELD.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match &rest[..digits] {
        b"0" => Some(Version::V0),
        b"1" => Some(Version::V1),
        _ => None,
    }
}

pub(super) fn shape(header: &[u8], version: Version) -> Shape {
    let (key, value) = (u64::from(be_u32(header, 0)), be_u64(header, 4));
    let value_at = (HEADER_LEN as u64).saturating_add(key);
    let crc_at = value_at.saturating_add(value);
    let trailer = version.trailer_len();
    Shape { header: HEADER_LEN, key, value, trailer, crc_at, checked_from: value_at }
}

/// What a sound entry says.
pub(super) fn meaning<'a>(value: &'a [u8], trailer: &[u8], version: Version) -> Meaning<'a> {
    let expiry = match version {
        Version::V0 => 0,
        Version::V1 => be_u64(trailer, 4),
    };
    let value = if value.is_empty() { Value::Deleted { odd: false } } else { Value::Plain(value) };
    Meaning {
        value,
        // Not recorded.
        written_at: UnixMillis(0),
        expires_at: (expiry != 0).then(|| UnixMillis(expiry.saturating_mul(1000))),
    }
}

/// Appends an entry.
#[cfg(test)]
pub(super) fn encode(out: &mut Vec<u8>, version: Version, expiry: u64, key: &[u8], value: &[u8]) {
    out.extend_from_slice(&(key.len() as u32).to_be_bytes());
    out.extend_from_slice(&(value.len() as u64).to_be_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    out.extend_from_slice(&crate::format::crc32(value).to_be_bytes());
    if version == Version::V1 {
        out.extend_from_slice(&expiry.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    #[test]
    fn entries_have_the_golden_bytes() {
        let mut out = Vec::new();
        encode(&mut out, Version::V1, 0, b"mykey", b"myvalue");
        let golden = "0000000500000000000000076d796b65796d7976616c75658075017b0000000000000000";
        assert_eq!(hex(&out), golden);
        out.clear();
        encode(&mut out, Version::V1, 0, b"mykey", b"");
        assert_eq!(hex(&out), "0000000500000000000000006d796b6579000000000000000000000000");
    }

    #[test]
    fn the_configuration_states_the_version() {
        assert_eq!(parse_config(br#"{"sync":true,"db_version":1}"#), Some(Version::V1));
        assert_eq!(parse_config(b"{\n \"db_version\" :\n 0\n}"), Some(Version::V0));
        for other in [&b"{}"[..], b"", br#"{"db_version":11}"#, br#"{"db_version""#] {
            assert_eq!(parse_config(other), None);
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_not_computed_with() {
        let shape = shape(&[0xff; 12], Version::V1);
        assert_eq!(shape.len(), u64::MAX);
    }
}
