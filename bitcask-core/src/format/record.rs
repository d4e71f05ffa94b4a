//! One change to one key, as it lies in a segment.

use super::segment::Salt;
use super::{be_u32, be_u64};
use crate::compression::{self, Codec};
use crate::{Location, UnixMillis};
use std::borrow::Cow;

/// Fixed part of a record, format version 1. Integers are big endian, offsets in bytes.
///
/// | offset | size | field     | meaning                                                        |
/// |-------:|-----:|-----------|----------------------------------------------------------------|
/// |      0 |    4 | crc       | CRC-32 (IEEE) of every later byte of the record                 |
/// |      4 |    1 | tag       | low nibble: kind (1 put, 2 delete, 3 delta, 4 delete prefix, 5 mark, 6 expiry, 7 retired, 8 void); high nibble: flags (1 the batch goes on in the next record, 2 an expiry follows, 4 the value mentions places of other records, 8 the value of a put or delta is compressed) |
/// |      5 |    3 | key_len   | bytes of key                                                   |
/// |      8 |    4 | value_len | bytes of value                                                 |
/// |     12 |    8 | sequence  | of the change; the greater of two is the newer                 |
/// |     20 |    6 | timestamp | ms since 1970 of the writer's clock; never decides anything     |
///
/// Then, if the flag says so, `expires_at` (8, ms since 1970); then, in a delta and in an expiry, the link:
///
/// | offset | size | field    | meaning                                                         |
/// |-------:|-----:|----------|-----------------------------------------------------------------|
/// |      0 |    4 | segment  | of the record that this one follows                             |
/// |      4 |    4 | offset   | of that record                                                  |
/// |      8 |    1 | level    | see [`crate::Chain`]                                            |
/// |      9 |    1 | records  | length of the chain up to and including this record             |
/// |     10 |    4 | bytes    | length of the chain's records in bytes, this one included (saturating) |
///
/// then, if the value is compressed, how (`value_len` is its length in the file):
///
/// | offset | size | field    | meaning                                                         |
/// |-------:|-----:|----------|-----------------------------------------------------------------|
/// |      0 |    1 | codec    | 1 Snappy (block format), 2 LZ4 (block format), 3 Zstandard (frame) |
/// |      1 |    4 | raw_len  | length of the value once it is decompressed                     |
///
/// Then the key, then the value. An *expiry* says when its key expires from now on (never, without the flag),
/// and leaves the value to the put or delta that it links to; it has no value, and nothing links to it. A mark's value is the segment's salt (8) and the offset (4) up to which the
/// segment was on disk when the mark was written. The salt makes it recognisable in the middle of damaged
/// bytes, and nobody can put one there by way of a value. A *retired* record has no key either; its value lists
/// segments that have gone: see [`super::retired`]. A *void* has no key, and zeros for a value; it fills a
/// place where damage was, so that the records behind it stay where they are.
pub(crate) const HEADER_LEN: usize = 26;
const _: () = assert!(HEADER_LEN == 4 + 1 + 3 + 4 + 8 + 6);
pub(crate) const EXPIRY_LEN: usize = 8;
pub(crate) const LINK_LEN: usize = 14;
const _: () = assert!(LINK_LEN == 4 + 4 + 1 + 1 + 4);
/// Of the link: where it says how many bytes the chain has.
const LINK_BYTES_AT: usize = 10;
const COMPRESSED_LEN: usize = 5;
const _: () = assert!(COMPRESSED_LEN == 1 + 4);

/// Longest key: 64 KiB and what a layer above may put before it.
pub(crate) const MAX_KEY_LEN: usize = (64 << 10) + 256;
/// Longest value: 512 MiB, Redis' limit, and what a layer above may add to it.
pub(crate) const MAX_VALUE_LEN: usize = (512 << 20) + 4096;

/// Greatest sequence number with which a log is opened: beyond what any log reaches, and so far from the end of
/// 64 bits that counting on from it does not run over.
pub(crate) const MAX_SEQUENCE: u64 = u64::MAX >> 1;

const MARK_VALUE_LEN: usize = size_of::<Salt>() + 4;
pub(crate) const MARK_LEN: usize = HEADER_LEN + MARK_VALUE_LEN;

const FLAG_MORE: u8 = 0x10;
const FLAG_EXPIRY: u8 = 0x20;
const FLAG_REFERS: u8 = 0x40;
const FLAG_COMPRESSED: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Put = 1,
    Delete = 2,
    Delta = 3,
    DeletePrefix = 4,
    Mark = 5,
    /// Sets the expiry of a key, whose value is where the link leads.
    Expiry = 6,
    /// Lists segments that have gone.
    Retired = 7,
    /// Says nothing: what salvage has put in the place of damage.
    Void = 8,
}

impl Kind {
    /// Whether a record of this kind follows another one of its key.
    pub(crate) fn has_link(self) -> bool {
        matches!(self, Kind::Delta | Kind::Expiry)
    }

    /// Whether a key whose newest record is of this kind is there.
    pub(crate) fn is_value(self) -> bool {
        matches!(self, Kind::Put | Kind::Delta | Kind::Expiry)
    }

    pub(crate) fn from_u8(kind: u8) -> Option<Kind> {
        Some(match kind {
            1 => Kind::Put,
            2 => Kind::Delete,
            3 => Kind::Delta,
            4 => Kind::DeletePrefix,
            5 => Kind::Mark,
            6 => Kind::Expiry,
            7 => Kind::Retired,
            8 => Kind::Void,
            _ => return None,
        })
    }

    /// Which of two records of a key with one sequence number decides. They say the same, and yet not in the same
    /// way: a put that compaction has made of a chain stands for its newest record, and a delete for a put
    /// that had expired.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Kind::Delta | Kind::Expiry => 0,
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

/// What a record says of its value, if that is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compressed {
    pub(crate) codec: u8,
    pub(crate) raw_len: u32,
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
    pub(crate) compressed: Option<Compressed>,
    pub(crate) key: &'a [u8],
    /// As it lies in the file: see [`Record::raw_value`].
    pub(crate) value: &'a [u8],
    /// Length of the whole record in its file.
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
    let flags = match kind {
        Kind::Put | Kind::Delta => FLAG_MORE | FLAG_EXPIRY | FLAG_REFERS | FLAG_COMPRESSED,
        Kind::Expiry => FLAG_MORE | FLAG_EXPIRY | FLAG_REFERS,
        _ => FLAG_MORE | FLAG_EXPIRY,
    };
    if tag & !(0x0f | flags) != 0 {
        return Err(Invalid::Bad("unknown flag in a record"));
    }
    let key_len = be_u32(bytes, 4) as usize & 0xff_ffff;
    let value_len = be_u32(bytes, 8) as usize;
    if key_len > MAX_KEY_LEN || value_len > MAX_VALUE_LEN {
        return Err(Invalid::Bad("a length in a record's header is out of range"));
    }
    // Else it would be taken for the record of a key.
    let fits = match kind {
        Kind::Mark => tag == kind as u8 && key_len == 0 && value_len == MARK_VALUE_LEN,
        Kind::Retired | Kind::Void => tag == kind as u8 && key_len == 0,
        _ => true,
    };
    if !fits {
        return Err(Invalid::Bad("a record of the log's own has another form than these have"));
    }
    let plain = encoded_len(kind, tag & FLAG_EXPIRY != 0, key_len, value_len);
    Ok(plain + compressed_head_len(bytes))
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
        let head = Head::read(bytes);
        Record {
            kind: head.kind,
            more: bytes[4] & FLAG_MORE != 0,
            refers: head.refers,
            sequence: head.sequence,
            timestamp: head.timestamp,
            expires_at: head.expires_at,
            link: head.link,
            compressed: head.compressed,
            key: &bytes[head.key_start..head.key_start + head.key_len],
            value: &bytes[head.key_start + head.key_len..],
            len: bytes.len(),
        }
    }

    /// The value as it was given: decompressed, if it has to be. The error says what is wrong with it.
    pub(crate) fn raw_value(&self) -> Result<Cow<'a, [u8]>, &'static str> {
        match self.compressed {
            None => Ok(Cow::Borrowed(self.value)),
            Some(Compressed { codec, raw_len }) => {
                compression::decompress(codec, raw_len, self.value).map(Cow::Owned)
            }
        }
    }

    /// The offset that a mark says was on disk.
    pub(crate) fn mark(&self) -> Option<u32> {
        let valid = self.kind == Kind::Mark && self.value.len() == MARK_VALUE_LEN;
        valid.then(|| be_u32(self.value, size_of::<Salt>()))
    }
}

/// What a record says before its key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) refers: bool,
    pub(crate) sequence: u64,
    pub(crate) timestamp: UnixMillis,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) link: Option<ChainLink>,
    pub(crate) compressed: Option<Compressed>,
    pub(crate) key_len: usize,
    /// Length of the value as it was given.
    pub(crate) raw_len: usize,
    /// Offset of the key in the record.
    pub(crate) key_start: usize,
    /// Length of the whole record.
    pub(crate) len: usize,
}

/// Longest part of a record before its key.
pub(crate) const MAX_HEAD_LEN: usize = HEADER_LEN + EXPIRY_LEN + LINK_LEN + COMPRESSED_LEN;

/// Longest record. The keydir has the uppermost bit of a length for itself.
pub(crate) const MAX_LEN: usize = MAX_HEAD_LEN + MAX_KEY_LEN + MAX_VALUE_LEN;
const _: () = assert!(MAX_LEN < 1 << 31);

impl Head {
    /// The head of the record at the front of `bytes`, which may end behind it. Its checksum, which covers the
    /// value, is not verified.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Head, Invalid> {
        let len = claimed_len(bytes)?;
        let needed = len.min(MAX_HEAD_LEN);
        if bytes.len() < needed { Err(Invalid::Short(needed)) } else { Ok(Self::read(bytes)) }
    }

    fn read(bytes: &[u8]) -> Head {
        let tag = bytes[4];
        let kind = Kind::from_u8(tag & 0x0f).expect("checked by claimed_len");
        let key_len = be_u32(bytes, 4) as usize & 0xff_ffff;
        let value_len = be_u32(bytes, 8) as usize;
        let mut at = HEADER_LEN;
        let expires_at = (tag & FLAG_EXPIRY != 0).then(|| {
            at += EXPIRY_LEN;
            UnixMillis(be_u64(bytes, at - EXPIRY_LEN))
        });
        let link = kind.has_link().then(|| {
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
        let compressed = (tag & FLAG_COMPRESSED != 0).then(|| {
            at += COMPRESSED_LEN;
            let head = &bytes[at - COMPRESSED_LEN..at];
            Compressed { codec: head[0], raw_len: be_u32(head, 1) }
        });
        Head {
            kind,
            refers: tag & FLAG_REFERS != 0,
            sequence: be_u64(bytes, 12),
            timestamp: UnixMillis(be_u64(bytes, 18) & 0xffff_ffff_ffff),
            expires_at,
            link,
            raw_len: compressed.map_or(value_len, |compressed| compressed.raw_len as usize),
            compressed,
            key_len,
            key_start: at,
            len: at + key_len + value_len,
        }
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
    debug_assert_eq!(link.is_some(), kind.has_link());
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

/// Sets the sequence number of an encoded record, whose checksum is then not that of its bytes.
pub(crate) fn set_sequence(record: &mut [u8], sequence: u64) {
    record[12..20].copy_from_slice(&sequence.to_be_bytes());
}

/// Says of an encoded record that its value mentions places of other records.
pub(crate) fn set_refers(record: &mut [u8]) {
    record[4] |= FLAG_REFERS;
}

/// Appends an encoded record to `out` with its value compressed, if that makes it shorter; if not, as it is.
/// The key begins at `key_at` of it, the value at `value_at`.
pub(crate) fn append_compressed(
    out: &mut Vec<u8>,
    record: &[u8],
    key_at: usize,
    value_at: usize,
    codec: Codec,
) {
    let (start, raw) = (out.len(), &record[value_at..]);
    out.extend_from_slice(&record[..key_at]);
    out.push(codec as u8);
    out.extend_from_slice(&(raw.len() as u32).to_be_bytes());
    out.extend_from_slice(&record[key_at..value_at]);
    let value_start = out.len();
    if !compression::compress(codec, raw, COMPRESSED_LEN, out) {
        out.truncate(start);
        out.extend_from_slice(record);
        return;
    }
    let value_len = out.len() - value_start;
    let out = &mut out[start..];
    out[4] |= FLAG_COMPRESSED;
    set_value_len(out, value_len);
    if Kind::from_u8(out[4] & 0x0f) == Some(Kind::Delta) {
        let at = key_at - LINK_LEN + LINK_BYTES_AT;
        let chain_bytes = be_u32(out, at);
        if chain_bytes != u32::MAX {
            let saved = (record.len() - out.len()) as u32;
            out[at..at + 4].copy_from_slice(&(chain_bytes - saved).to_be_bytes());
        }
    }
}

/// True if the value of an encoded record is compressed.
pub(crate) fn is_compressed(record: &[u8]) -> bool {
    record[4] & FLAG_COMPRESSED != 0
}

/// By how many bytes the key of an encoded record lies further back because its value is compressed.
pub(crate) fn compressed_head_len(record: &[u8]) -> usize {
    if is_compressed(record) { COMPRESSED_LEN } else { 0 }
}

/// Completes an encoded record: its sequence number, whether its batch goes on, and the CRC.
pub(crate) fn seal(record: &mut [u8], sequence: u64, more: bool) {
    set_sequence(record, sequence);
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
    let link = if kind.has_link() { LINK_LEN } else { 0 };
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

/// Makes a void of `bytes`, [`HEADER_LEN`] or more.
pub(crate) fn write_void(bytes: &mut [u8], sequence: u64) {
    let value_len =
        u32::try_from(bytes.len() - HEADER_LEN).expect("a segment is shorter than 4 GiB");
    bytes.fill(0);
    bytes[4] = Kind::Void as u8;
    bytes[8..12].copy_from_slice(&value_len.to_be_bytes());
    seal(bytes, sequence, false);
}

/// Ends the batch that a record is in with this record.
pub(crate) fn end_batch(record: &mut [u8]) {
    let sequence = be_u64(record, 12);
    seal(record, sequence, false);
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
    fn a_compressed_record_says_how_and_gives_its_value_back() {
        let value = b"abcd".repeat(50);
        for codec in [Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let link = ChainLink { segment: 3, offset: 64, level: 0, records: 2, bytes: 1000 };
            let (now, expires_at) = (UnixMillis(5), Some(UnixMillis(9)));
            let mut plain = Vec::new();
            encode(&mut plain, Kind::Delta, now, expires_at, Some(link), b"key", &value);
            let value_at = plain.len() - value.len();
            let mut bytes = Vec::new();
            append_compressed(&mut bytes, &plain, value_at - 3, value_at, codec);
            seal(&mut bytes, 7, true);
            let record = Record::parse(&bytes).unwrap();
            assert!(bytes.len() < plain.len() && is_compressed(&bytes));
            assert_eq!((record.kind, record.more, record.sequence), (Kind::Delta, true, 7));
            assert_eq!((record.key, record.expires_at), (&b"key"[..], expires_at));
            assert_eq!(record.raw_value().unwrap(), &value[..]);
            let saved = plain.len() - bytes.len();
            assert_eq!(record.link.unwrap().bytes as usize, 1000 - saved);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::parse(&damaged).is_err(), "bit {bit}");
            }
            // A record that was sealed with a lie in it.
            let raw_len_at = value_at - 3 + 1;
            bytes[raw_len_at] ^= 0x7f;
            seal(&mut bytes, 7, true);
            assert!(Record::parse(&bytes).unwrap().raw_value().is_err());
        }
    }

    #[test]
    fn only_a_record_with_a_value_can_be_compressed() {
        for kind in [Kind::Delete, Kind::DeletePrefix, Kind::Mark] {
            let mut bytes = Vec::new();
            encode(&mut bytes, kind, UnixMillis(5), None, None, b"", b"12345678");
            bytes[4] |= FLAG_COMPRESSED;
            seal(&mut bytes, 7, false);
            assert_eq!(Record::parse(&bytes), Err(Invalid::Bad("unknown flag in a record")));
        }
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

    /// Once it became a key.
    #[test]
    fn a_mark_of_another_form_is_refused() {
        let sealed = |key: &[u8], value: &[u8], more| {
            let mut out = Vec::new();
            encode(&mut out, Kind::Mark, UnixMillis(0), None, None, key, value);
            seal(&mut out, 1, more);
            out
        };
        let value = [0; MARK_VALUE_LEN];
        assert!(Record::parse(&sealed(b"", &value, false)).is_ok());
        for (key, value, more) in
            [(&b"k"[..], &value[..], false), (b"", &value[1..], false), (b"", &value, true)]
        {
            let parsed = sealed(key, value, more);
            assert!(matches!(Record::parse(&parsed), Err(Invalid::Bad(_))));
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
    fn an_expiry_has_the_bytes_of_version_1_and_its_head_reads_without_the_rest() {
        let link = ChainLink { segment: 3, offset: 0x1000, level: 0, records: 2, bytes: 777 };
        let mut bytes = Vec::new();
        encode(
            &mut bytes,
            Kind::Expiry,
            UnixMillis(1_700_000_000_000),
            None,
            Some(link),
            b"k",
            b"",
        );
        seal(&mut bytes, 42, false);
        assert_eq!(hex(&bytes), EXPIRY_V1);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.kind, record.link, record.key), (Kind::Expiry, Some(link), &b"k"[..]));
        let bytes = delta();
        let head = Head::parse(&bytes[..MAX_HEAD_LEN]).unwrap();
        assert_eq!(
            (head.key_start, head.key_len, head.raw_len),
            (MAX_HEAD_LEN - COMPRESSED_LEN, 3, 5)
        );
        assert_eq!((head.len, head.sequence), (bytes.len(), 42));
        assert_eq!(Head::parse(&bytes[..MAX_HEAD_LEN - 1]), Err(Invalid::Short(MAX_HEAD_LEN)));
    }
    const EXPIRY_V1: &str = concat!(
        "5e1f0c410600000100000000000000000000002a018bcfe56800000000030000100000020000",
        "03096b",
    );

    #[test]
    fn zeros_are_no_record() {
        assert_eq!(Record::parse(&[0; 64]), Err(Invalid::Bad("unknown kind of record")));
    }
}
