//! Bytes on disk, version 1: pure translation between bytes and structs, no I/O.
//!
//! A *segment* is a [`segment`] header followed by [`record`]s; a *hint* ([`hint`]) is the sorted index
//! of one segment. `docs/format.md` explains the why of each field.

pub(crate) mod hint;
pub(crate) mod record;
pub(crate) mod retired;
pub(crate) mod segment;
pub(crate) mod walk;

/// CRC-32 (IEEE) of `bytes`; in pieces: [`Crc32`].
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

pub(crate) use crc32fast::Hasher as Crc32;

/// Big-endian fields of a fixed layout. The caller has checked the length.
pub(crate) fn be_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// As [`be_u32`], for eight bytes.
pub(crate) fn be_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
