//! What the layouts have in common: a header that says how long the parts are, a key, a value, a CRC.

use super::prologic::Version;
use super::{basho, bitgask, prologic};
use crate::format::Crc32;
use crate::{UnixMillis, compression};
use std::borrow::Cow;

/// Who wrote a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Basho's Bitcask, or pybitcask: `1.bitcask.data`.
    Basho,
    /// bitgask: `data/000000001.data`, little endian.
    Bitgask,
    /// prologic/bitcask: `000000001.data` beside `config.json`, big endian.
    Prologic,
}

/// How to read the entries of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Basho { expiry_secs: Option<u32> },
    Bitgask,
    Prologic { version: Version },
}

/// Where the parts of an entry lie, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) header: usize,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) trailer: usize,
    /// Offset of the CRC in the entry …
    pub(super) crc_at: u64,
    /// … and of the first byte that it covers, up to the end of the value.
    pub(super) checked_from: u64,
}

impl Shape {
    pub(super) fn value_at(&self) -> u64 {
        (self.header as u64).saturating_add(self.key)
    }

    pub(super) fn value_end(&self) -> u64 {
        self.value_at().saturating_add(self.value)
    }

    /// Length of the whole entry; what cannot be added up is longer than any file.
    pub(super) fn len(&self) -> u64 {
        self.value_end().saturating_add(self.trailer as u64)
    }
}

/// What a sound entry says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning<'a> {
    pub(super) value: Value<'a>,
    pub(super) written_at: UnixMillis,
    pub(super) expires_at: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// The key was deleted; odd if it may have been a user's value that only looks so.
    Deleted {
        odd: bool,
    },
    Plain(&'a [u8]),
    Snappy(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The value; `None` if its key was deleted. The error says why it cannot be had.
    pub(super) fn decoded(self) -> Result<Option<Cow<'a, [u8]>>, &'static str> {
        match self {
            Value::Deleted { .. } => Ok(None),
            Value::Plain(value) => Ok(Some(Cow::Borrowed(value))),
            Value::Snappy(value) => compression::unsnap(value).map(|value| Some(Cow::Owned(value))),
        }
    }
}

impl Format {
    pub(super) fn header_len(self) -> usize {
        match self {
            Format::Basho { .. } => basho::HEADER_LEN,
            Format::Bitgask => bitgask::HEADER_LEN,
            Format::Prologic { .. } => prologic::HEADER_LEN,
        }
    }

    /// What a header, of which all bytes must be there, says; the error, why it can be none.
    pub(super) fn shape(self, header: &[u8]) -> Result<Shape, &'static str> {
        match self {
            Format::Basho { .. } => Ok(basho::shape(header)),
            Format::Bitgask => Ok(bitgask::shape(header)),
            Format::Prologic { version } => {
                let shape = prologic::shape(header, version);
                // Nobody could put one; and zeros, which no checksum covers, would look like it.
                if shape.key == 0 { Err("an entry without a key") } else { Ok(shape) }
            }
        }
    }

    /// Whether `crc`, of the bytes that a CRC covers, is what its four bytes in the entry say.
    pub(super) fn is_crc(self, crc: Crc32, stored: [u8; 4]) -> bool {
        crc.finalize()
            == match self {
                Format::Basho { .. } | Format::Prologic { .. } => u32::from_be_bytes(stored),
                Format::Bitgask => u32::from_le_bytes(stored),
            }
    }

    /// The key of an entry of this shape, whose bytes passed their CRC, and what it says of it.
    pub(super) fn read<'a>(
        self,
        shape: &Shape,
        entry: &'a [u8],
    ) -> (&'a [u8], Result<Meaning<'a>, &'static str>) {
        let (header, rest) = entry.split_at(shape.header);
        let (key, rest) = rest.split_at(shape.key as usize);
        let (value, trailer) = rest.split_at(shape.value as usize);
        let meaning = match self {
            Format::Basho { expiry_secs } => Ok(basho::meaning(header, value, expiry_secs)),
            Format::Bitgask => bitgask::meaning(header, value),
            Format::Prologic { version } => Ok(prologic::meaning(value, trailer, version)),
        };
        (key, meaning)
    }
}

/// A number in decimal digits and nothing else.
pub(super) fn parse_number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
