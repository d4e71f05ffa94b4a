//! One change to one key, as it lies in a segment.

use super::segment::Salt;
use super::{be_u32, be_u64};
use crate::{Location, UnixMillis};

/// Fixed part of a record, format version 1. Integers are big endian, offsets in bytes.
///
/// | offset | size | field     | meaning                                                        |
/// |-------:|-----:|-----------|----------------------------------------------------------------|
/// |      0 |    4 | crc       | CRC-32 (IEEE) of every later byte of the record                 |
/// |      4 |    1 | tag       | low nibble: kind (1 put, 2 delete, 3 delta, 4 delete prefix, 5 mark, 7 retired); high nibble: flags (1 the batch goes on in the next record, 2 an expiry follows, 4 the value mentions places of other records) |
/// |      5 |    3 | key_len   | bytes of key                                                   |
/// |      8 |    4 | value_len | bytes of value                                                 |
/// |     12 |    8 | sequence  | of the change; the greater of two is the newer                 |
/// |     20 |    6 | timestamp | ms since 1970 of the writer's clock; never decides anything     |
///
/// Then, if the flag says so, `expires_at` (8, ms since 1970); then, in a delta, the link:
///
/// | offset | size | field    | meaning                                                         |
/// |-------:|-----:|----------|-----------------------------------------------------------------|
/// |      0 |    4 | segment  | of the record that this delta follows                           |
/// |      4 |    4 | offset   | of that record                                                  |
/// |      8 |    1 | level    | see [`crate::Chain`]                                            |
/// |      9 |    1 | records  | length of the chain up to and including this record             |
/// |     10 |    4 | bytes    | length of the chain's records in bytes, this one included (saturating) |
///
/// Then the key, then the value. A mark's value is the segment's salt (8) and the offset (4) up to which the
/// segment was on disk when the mark was written. The salt makes it recognisable in the middle of damaged
/// bytes, and nobody can put one there by way of a value. A *retired* record has no key either; its value lists
/// segments that have gone: see [`super::retired`].
pub(crate) const HEADER_LEN: usize = 26;
const _: () = assert!(HEADER_LEN == 4 + 1 + 3 + 4 + 8 + 6);
pub(crate) const EXPIRY_LEN: usize = 8;
pub(crate) const LINK_LEN: usize = 14;
const _: () = assert!(LINK_LEN == 4 + 4 + 1 + 1 + 4);

/// Longest key: 64 KiB and what a layer above may put before it.
pub(crate) const MAX_KEY_LEN: usize = (64 << 10) + 256;
/// Longest value: 512 MiB, Redis' limit, and what a layer above may add to it.
pub(crate) const MAX_VALUE_LEN: usize = (512 << 20) + 4096;

const MARK_VALUE_LEN: usize = size_of::<Salt>() + 4;
pub(crate) const MARK_LEN: usize = HEADER_LEN + MARK_VALUE_LEN;

const FLAG_MORE: u8 = 0x10;
const FLAG_EXPIRY: u8 = 0x20;
const FLAG_REFERS: u8 = 0x40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Put = 1,
    Delete = 2,
    Delta = 3,
    DeletePrefix = 4,
    Mark = 5,
    Retired = 7,
}

impl Kind {
    pub(crate) fn from_u8(kind: u8) -> Option<Kind> {
        Some(match kind {
            1 => Kind::Put,
            2 => Kind::Delete,
            3 => Kind::Delta,
            4 => Kind::DeletePrefix,
            5 => Kind::Mark,
            7 => Kind::Retired,
            _ => return None,
        })
    }

    /// Which of two records of a key with one sequence number decides. They say the same, and yet not in the same
    /// way: a put that compaction has made of a chain stands for its newest delta, and a delete for a put
    /// that had expired.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Kind::Delta => 0,
            Kind::Put => 1,
            _ => 2,
        }
    }
}

/// What a delta says of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainLink {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) level: u8,
    pub(crate) records: u8,
    pub(crate) bytes: u32,
}

/// A record that passed its CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    /// The batch goes on in the record that follows.
    pub(crate) more: bool,
    /// The value mentions places of other records.
    pub(crate) refers: bool,
    pub(crate) sequence: u64,
    pub(crate) timestamp: UnixMillis,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) link: Option<ChainLink>,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Length of the whole record.
    pub(crate) len: usize,
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// The record needs this many bytes, more than there are.
    Short(usize),
    /// It is damaged, or nothing was ever written here.
    Bad(&'static str),
}

/// The length that the record at the front of `bytes` claims, from its header alone.
pub(crate) fn claimed_len(bytes: &[u8]) -> Result<usize, Invalid> {
    if bytes.len() < HEADER_LEN {
        return Err(Invalid::Short(HEADER_LEN));
    }
    let tag = bytes[4];
    let kind = Kind::from_u8(tag & 0x0f).ok_or(Invalid::Bad("unknown kind of record"))?;
    if tag & !(0x0f | FLAG_MORE | FLAG_EXPIRY | FLAG_REFERS) != 0 {
        return Err(Invalid::Bad("unknown flag in a record"));
    }
    let key_len = be_u32(bytes, 4) as usize & 0xff_ffff;
    let value_len = be_u32(bytes, 8) as usize;
    if key_len > MAX_KEY_LEN || value_len > MAX_VALUE_LEN {
        return Err(Invalid::Bad("a length in a record's header is out of range"));
    }
    let expiry = if tag & FLAG_EXPIRY != 0 { EXPIRY_LEN } else { 0 };
    let link = if kind == Kind::Delta { LINK_LEN } else { 0 };
    Ok(HEADER_LEN + expiry + link + key_len + value_len)
}

impl<'a> Record<'a> {
    /// The record at the front of `bytes`, which may hold more.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Record<'a>, Invalid> {
        let len = claimed_len(bytes)?;
        let bytes = bytes.get(..len).ok_or(Invalid::Short(len))?;
        if crc32fast::hash(&bytes[4..]) != be_u32(bytes, 0) {
            return Err(Invalid::Bad("a record fails its checksum"));
        }
        Ok(Self::parse_unchecked(bytes))
    }

    /// As [`Record::parse`], of exactly one record whose CRC was verified before.
    pub(crate) fn parse_unchecked(bytes: &'a [u8]) -> Record<'a> {
        let tag = bytes[4];
        let kind = Kind::from_u8(tag & 0x0f).expect("checked by claimed_len");
        let key_len = be_u32(bytes, 4) as usize & 0xff_ffff;
        let mut at = HEADER_LEN;
        let expires_at = (tag & FLAG_EXPIRY != 0).then(|| {
            at += EXPIRY_LEN;
            UnixMillis(be_u64(bytes, at - EXPIRY_LEN))
        });
        let link = (kind == Kind::Delta).then(|| {
            let link = ChainLink {
                segment: be_u32(bytes, at),
                offset: be_u32(bytes, at + 4),
                level: bytes[at + 8],
                records: bytes[at + 9],
                bytes: be_u32(bytes, at + 10),
            };
            at += LINK_LEN;
            link
        });
        Record {
            kind,
            more: tag & FLAG_MORE != 0,
            refers: tag & FLAG_REFERS != 0,
            sequence: be_u64(bytes, 12),
            timestamp: UnixMillis(be_u64(bytes, 18) & 0xffff_ffff_ffff),
            expires_at,
            link,
            key: &bytes[at..at + key_len],
            value: &bytes[at + key_len..],
            len: bytes.len(),
        }
    }

    /// The offset that a mark says was on disk.
    pub(crate) fn mark(&self) -> Option<u32> {
        let valid = self.kind == Kind::Mark && self.value.len() == MARK_VALUE_LEN;
        valid.then(|| be_u32(self.value, size_of::<Salt>()))
    }
}

/// Appends a record to `out`, all but what only the log knows: see [`seal`].
pub(crate) fn encode(
    out: &mut Vec<u8>,
    kind: Kind,
    timestamp: UnixMillis,
    expires_at: Option<UnixMillis>,
    link: Option<ChainLink>,
    key: &[u8],
    value: &[u8],
) {
    debug_assert_eq!(link.is_some(), kind == Kind::Delta);
    let tag = kind as u8 | if expires_at.is_some() { FLAG_EXPIRY } else { 0 };
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(u32::from(tag) << 24 | key.len() as u32).to_be_bytes());
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&timestamp.0.to_be_bytes()[2..]);
    if let Some(expires_at) = expires_at {
        out.extend_from_slice(&expires_at.0.to_be_bytes());
    }
    if let Some(link) = link {
        out.extend_from_slice(&link.segment.to_be_bytes());
        out.extend_from_slice(&link.offset.to_be_bytes());
        out.extend_from_slice(&[link.level, link.records]);
        out.extend_from_slice(&link.bytes.to_be_bytes());
    }
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

/// Corrects the length of the value of an encoded record.
pub(crate) fn set_value_len(record: &mut [u8], value_len: usize) {
    record[8..12].copy_from_slice(&(value_len as u32).to_be_bytes());
}

/// Says of an encoded record that its value mentions places of other records.
pub(crate) fn set_refers(record: &mut [u8]) {
    record[4] |= FLAG_REFERS;
}

/// Completes an encoded record: its sequence number, whether its batch goes on, and the CRC.
pub(crate) fn seal(record: &mut [u8], sequence: u64, more: bool) {
    record[12..20].copy_from_slice(&sequence.to_be_bytes());
    record[4] = record[4] & !FLAG_MORE | if more { FLAG_MORE } else { 0 };
    let crc = crc32fast::hash(&record[4..]);
    record[..4].copy_from_slice(&crc.to_be_bytes());
}

/// A complete mark.
pub(crate) fn mark(sequence: u64, timestamp: UnixMillis, salt: Salt, synced_to: u32) -> Vec<u8> {
    let mut value = salt.to_vec();
    value.extend_from_slice(&synced_to.to_be_bytes());
    let mut record = Vec::with_capacity(MARK_LEN);
    encode(&mut record, Kind::Mark, timestamp, None, None, b"", &value);
    seal(&mut record, sequence, false);
    record
}

/// Length of a record before it is written.
pub(crate) fn encoded_len(kind: Kind, expires: bool, key_len: usize, value_len: usize) -> usize {
    let expiry = if expires { EXPIRY_LEN } else { 0 };
    let link = if kind == Kind::Delta { LINK_LEN } else { 0 };
    HEADER_LEN + expiry + link + key_len + value_len
}

impl ChainLink {
    /// The link of a delta of `len` bytes that follows `previous`, the last of `records` records of
    /// `bytes` bytes.
    pub(crate) fn after(previous: Location, level: u8, records: usize, bytes: u64) -> Self {
        ChainLink {
            segment: previous.segment,
            offset: previous.offset,
            level,
            records: u8::try_from(records).unwrap_or(u8::MAX),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta() -> Vec<u8> {
        let link = ChainLink { segment: 3, offset: 0x1000, level: 1, records: 9, bytes: 777 };
        let mut out = Vec::new();
        let expires_at = Some(UnixMillis(1_800_000_000_000));
        encode(
            &mut out,
            Kind::Delta,
            UnixMillis(1_700_000_000_000),
            expires_at,
            Some(link),
            b"key",
            b"value",
        );
        seal(&mut out, 42, true);
        out
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let bytes = delta();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.kind, record.more, record.sequence), (Kind::Delta, true, 42));
        assert_eq!(record.timestamp, UnixMillis(1_700_000_000_000));
        assert_eq!(record.expires_at, Some(UnixMillis(1_800_000_000_000)));
        assert_eq!(record.link.unwrap().offset, 0x1000);
        assert_eq!((record.key, record.value), (&b"key"[..], &b"value"[..]));
        assert_eq!(record.len, encoded_len(Kind::Delta, true, 3, 5));
        assert_eq!(record.len, bytes.len());
    }

    #[test]
    fn records_have_the_bytes_of_version_1() {
        let mut put = Vec::new();
        encode(&mut put, Kind::Put, UnixMillis(1_700_000_000_000), None, None, b"hello", b"world");
        seal(&mut put, 1, false);
        assert_eq!(hex(&put), PUT_V1);
        assert_eq!(hex(&delta()), DELTA_V1);
        assert_eq!(hex(&mark(7, UnixMillis(1_700_000_000_000), *b"\x89synced\n", 4096)), MARK_V1);
    }
    const PUT_V1: &str = "28e58f0201000005000000050000000000000001018bcfe5680068656c6c6f776f726c64";
    const DELTA_V1: &str = concat!(
        "5fa1e74d3300000300000005000000000000002a018bcfe56800000001a3185c5000000000030000",
        "10000109000003096b657976616c7565",
    );
    const MARK_V1: &str =
        "922ed6ea050000000000000c0000000000000007018bcfe568008973796e6365640a00001000";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = delta();
        for cut in 0..bytes.len() {
            assert!(Record::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::parse(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_that_refers_to_others_says_so() {
        let mut put = Vec::new();
        encode(&mut put, Kind::Put, UnixMillis(0), None, None, b"k", b"v");
        set_refers(&mut put);
        seal(&mut put, 1, false);
        assert_eq!(put[4], 0x41);
        assert!(Record::parse(&put).unwrap().refers);
        assert!(!Record::parse(&delta()).unwrap().refers);
    }

    #[test]
    fn zeros_are_no_record() {
        assert_eq!(Record::parse(&[0; 64]), Err(Invalid::Bad("unknown kind of record")));
    }
}
