//! Redis' own format of values: what DUMP prints, RESTORE reads, and a snapshot file of Redis is made of.
//!
//! A payload is a type (one byte), the value, and a footer:
//!
//! | size | field | meaning |
//! |---:|---|---|
//! | 1 | type | see `read` |
//! | … | value | in one of the type's encodings |
//! | 2 | version | of the format, little endian: we write 10, which Redis 7.0 reads, and read up to 12 |
//! | 8 | checksum | CRC-64 of all before it, little endian: see [`checksum`] |
//!
//! Payloads come from anybody, and a checksum keeps nobody from making up another. So all of a value is checked
//! before anything is stored: lengths, back links, counts, order, duplicates. What is read takes no more memory
//! than a multiple of the payload, and never more than a bound.
//!
//! This module knows bytes and plain values, and nothing of keys: [`crate::Transaction::value`] and
//! [`crate::Transaction::set_value`] do.

mod crc64;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod input;
mod intset;
mod listpack;
mod lzf;
mod read;
mod score;
mod write;
mod ziplist;
mod zipmap;

#[cfg(test)]
mod tests;

pub use crc64::checksum;
pub use lzf::decompress;

use bytes::Bytes;
use std::fmt;

/// The newest version that is read.
const NEWEST: u16 = 12;
/// The version that is written.
const WRITTEN: u16 = 10;
/// Version and checksum.
const FOOTER_LEN: usize = 10;

/// A value, apart from any key.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string of bytes.
    String(Bytes),
    /// Elements in order.
    List(Vec<Vec<u8>>),
    /// Members, each once, in any order.
    Set(Vec<Vec<u8>>),
    /// Fields, each once, in any order, and their values.
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
    /// Members, each once, in any order, and their scores, of which none is NaN.
    SortedSet(Vec<(Vec<u8>, f64)>),
}

/// Why a payload is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It is too short, of a version that is not known, or its checksum is wrong.
    Footer,
    /// It is a value of a type that is not held: a stream, a module's, a hash whose fields expire.
    Unsupported(&'static str),
    /// It does not keep to the format.
    Malformed(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Footer => f.write_str("the version or the checksum of the payload is wrong"),
            Error::Unsupported(what) => write!(f, "the payload is {what}, which is not supported"),
            Error::Malformed(reason) => write!(f, "the payload is malformed: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<&'static str> for Error {
    fn from(reason: &'static str) -> Self {
        Error::Malformed(reason)
    }
}

impl Value {
    /// The value as DUMP prints it: in the encoding that Redis 7.0 would choose by its default limits, with longer
    /// strings compressed where that pays.
    ///
    /// # Examples
    /// ```
    /// use bitmap_store::rdb::Value;
    /// let value = Value::Hash(vec![(b"name".to_vec(), b"Ada".to_vec())]);
    /// assert_eq!(Value::restore(&value.dump()), Ok(value));
    /// ```
    pub fn dump(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write::value(self, &mut out);
        out.extend_from_slice(&WRITTEN.to_le_bytes());
        let checksum = crc64::checksum(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads what DUMP of any Redis up to 7.2 has printed. A collection is never empty, and has no duplicates.
    ///
    /// # Errors
    /// See [`Error`]. The checksum is looked at before anything else.
    pub fn restore(payload: &[u8]) -> Result<Value, Error> {
        let body = check_footer(payload).ok_or(Error::Footer)?;
        read::value(body)
    }
}

/// What is before the footer, if that is right.
fn check_footer(payload: &[u8]) -> Option<&[u8]> {
    let (body, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER_LEN)?)?;
    let (version, checksum) = footer.split_first_chunk()?;
    let checked = &payload[..payload.len() - checksum.len()];
    let right = u16::from_le_bytes(*version) <= NEWEST
        && crc64::checksum(checked).to_le_bytes() == *checksum;
    right.then_some(body)
}

/// Puts a footer behind a type and a value, for tests of what is not written here.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn seal(body: &[u8]) -> Vec<u8> {
    let mut out = [body, &WRITTEN.to_le_bytes()].concat();
    out.extend_from_slice(&crc64::checksum(&out).to_le_bytes());
    out
}
