//! The index of one segment: its keys in order, and where each one's newest record lies.

use super::record::{Kind, MAX_LEN};
use super::retired::Retired;
use super::segment::{self, Salt};
use super::{be_u32, be_u64};
use crate::Location;
use std::ops::Range;

/// Hint file, format version 1. Integers are big endian.
///
/// | offset | size | field        | meaning                                                  |
/// |-------:|-----:|--------------|----------------------------------------------------------|
/// |      0 |    6 | magic        | `"BCHNT\n"`                                              |
/// |      6 |    2 | version      | 1                                                        |
/// |      8 |    4 | segment      | number of the segment                                    |
/// |     12 |    4 | covered      | bytes of the segment, from its start, that are indexed   |
/// |     16 |    8 | max_sequence | greatest sequence number in them                         |
/// |     24 |    8 | count        | number of entries                                        |
/// |     32 |    8 | min_sequence | least sequence number in them; all ones without records  |
/// |     40 |    4 | retired_len  | bytes of the list that follows                           |
/// |     44 |    8 | salt         | of the segment, as in its header                         |
/// |     52 |      | retired      | segments that have gone: see [`super::retired`]          |
/// |        |      | entries      |                                                          |
/// |   last |    4 | crc          | CRC-32 of every byte before                              |
///
/// An entry, in ascending order of (key, kind is delete prefix first):
///
/// | offset | size | field    | meaning                                       |
/// |-------:|-----:|----------|-----------------------------------------------|
/// |      0 |    1 | kind     | of the record, as in the segment, with its flag 4 |
/// |      1 |    3 | key_len  |                                               |
/// |      4 |    8 | sequence | of the record                                 |
/// |     12 |    4 | offset   | of the record                                 |
/// |     16 |    4 | len      | of the record                                 |
/// |        |    4 | linked   | only of a delta and an expiry: the segment of the record that it follows |
/// |        |    4 | bytes    | only of these: of the chain, as in its link |
/// |        |      | key      |                                               |
pub(crate) const HEADER_LEN: usize = 52;
/// Where the salt is.
pub(crate) const SALT: Range<usize> = 44..HEADER_LEN;
const LINK_LEN: usize = 8;
const FLAG_REFERS: u8 = 0x40;
pub(crate) const ENTRY_LEN: usize = 20;
const _: () = assert!(ENTRY_LEN == 1 + 3 + 8 + 4 + 4);
const VERSION: u16 = 1;
const MAGIC: [u8; 6] = *b"BCHNT\n";

/// Which segment a hint is of. The salt keeps one of another store's segment, left or brought by a copy of files, from being
/// believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Of {
    pub(crate) segment: u32,
    pub(crate) salt: Salt,
    /// Where its first record can begin.
    pub(crate) start: usize,
}

impl Of {
    /// A segment with a header of its own.
    pub(crate) fn native(segment: u32, salt: Salt) -> Self {
        Of { segment, salt, start: segment::HEADER_LEN }
    }

    /// Another Bitcask's file that is a segment.
    pub(crate) fn classic(segment: u32, salt: Salt) -> Self {
        Of { segment, salt, start: 0 }
    }
}

/// The newest record of a key in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HintEntry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) sequence: u64,
    pub(crate) location: Location,
    /// Its value mentions places of other records.
    pub(crate) refers: bool,
    /// Of a delta.
    pub(crate) link: Option<HintLink>,
}

/// What a delta says of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HintLink {
    /// Of the record that it follows.
    pub(crate) segment: u32,
    /// Bytes of the chain's records, its own included.
    pub(crate) bytes: u32,
}

/// What a segment holds as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) max_sequence: u64,
    /// `u64::MAX` without records.
    pub(crate) min_sequence: u64,
    /// The segments that its records say have gone.
    pub(crate) retired: Retired,
}

impl Default for Totals {
    fn default() -> Self {
        Totals { max_sequence: 0, min_sequence: u64::MAX, retired: Retired::default() }
    }
}

/// A hint file that passed its checks.
#[derive(Clone, Debug)]
pub(crate) struct Hint<'a> {
    segment: u32,
    pub(crate) covered: u32,
    pub(crate) totals: Totals,
    entries: &'a [u8],
}

impl<'a> Hint<'a> {
    /// Checks all of a hint file, so that walking its entries cannot fail. The error says what is wrong.
    pub(crate) fn parse(bytes: &'a [u8], of: Of) -> Result<Self, &'static str> {
        if let Some((body, crc)) = bytes.split_last_chunk::<4>()
            && bytes.starts_with(&MAGIC)
            && crc32fast::hash(body) != u32::from_be_bytes(*crc)
        {
            return Err("the hint fails its checksum");
        }
        let hint = Self::read(bytes, of)?;
        let mut rest = hint.entries;
        for _ in 0..be_u64(bytes, 24) {
            let (entry, after) =
                split_entry(rest, hint.segment).ok_or("a hint entry is malformed")?;
            let end = u64::from(entry.location.offset) + u64::from(entry.location.len);
            if entry.location.len as usize > MAX_LEN {
                return Err("a hint entry is longer than a record can be");
            }
            if end > u64::from(hint.covered) {
                return Err("a hint entry lies beyond what the hint covers");
            }
            if entry.sequence > hint.totals.max_sequence {
                return Err("a hint entry is newer than the hint says");
            }
            rest = after;
        }
        if rest.is_empty() { Ok(hint) } else { Err("the hint has more bytes than entries") }
    }

    /// Reads a hint file without looking at its entries, nor at its checksum: of one that [`Hint::parse`] has
    /// checked before.
    pub(crate) fn read(bytes: &'a [u8], of: Of) -> Result<Self, &'static str> {
        let Of { segment, salt, start } = of;
        if bytes.len() < HEADER_LEN + 4 || bytes[..6] != MAGIC {
            return Err("this is not a hint file");
        }
        let body = &bytes[..bytes.len() - 4];
        if body[6..8] != VERSION.to_be_bytes() || be_u32(body, 8) != segment {
            return Err("the hint is of another version or segment");
        }
        if body[SALT] != salt {
            return Err(
                "the hint is of another store's segment, or of an earlier one of this number",
            );
        }
        let retired_len = be_u32(body, 40) as usize;
        let (retired, entries) = body[HEADER_LEN..]
            .split_at_checked(retired_len)
            .ok_or("a hint's list of retired segments is cut short")?;
        let totals = Totals {
            max_sequence: be_u64(body, 16),
            min_sequence: be_u64(body, 32),
            retired: Retired::decode(retired)?,
        };
        let hint = Hint { segment, covered: be_u32(body, 12), totals, entries };
        if (hint.covered as usize) < start {
            return Err("the hint covers less than the segment's header");
        }
        Ok(hint)
    }

    /// The entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = HintEntry<'a>> + use<'a> {
        let (mut rest, segment) = (self.entries, self.segment);
        std::iter::from_fn(move || {
            let (entry, after) = split_entry(rest, segment)?;
            rest = after;
            Some(entry)
        })
    }
}

fn split_entry(bytes: &[u8], segment: u32) -> Option<(HintEntry<'_>, &[u8])> {
    let head = bytes.get(..ENTRY_LEN)?;
    let key_len = be_u32(head, 0) as usize & 0xff_ffff;
    let mut rest = &bytes[ENTRY_LEN..];
    let kind = Kind::from_u8(head[0] & !FLAG_REFERS)
        .filter(|kind| !matches!(kind, Kind::Mark | Kind::Retired | Kind::Void))?;
    let mut link = None;
    if kind.has_link() {
        let fields = rest.get(..LINK_LEN)?;
        link = Some(HintLink { segment: be_u32(fields, 0), bytes: be_u32(fields, 4) });
        rest = &rest[LINK_LEN..];
    }
    let entry = HintEntry {
        key: rest.get(..key_len)?,
        kind,
        sequence: be_u64(head, 4),
        location: Location { segment, offset: be_u32(head, 12), len: be_u32(head, 16) },
        refers: head[0] & FLAG_REFERS != 0,
        link,
    };
    Some((entry, &rest[key_len..]))
}

/// A whole hint file for entries that are in order.
pub(crate) fn encode<'a>(
    of: Of,
    covered: u32,
    totals: &Totals,
    entries: impl Iterator<Item = HintEntry<'a>>,
) -> Vec<u8> {
    let mut writer = Writer::new(of, covered, totals);
    entries.for_each(|entry| writer.entry(entry));
    writer.finish()
}

/// A hint file as it is made.
pub(crate) struct Writer {
    out: Vec<u8>,
    count: u64,
}

impl Writer {
    pub(crate) fn new(of: Of, covered: u32, totals: &Totals) -> Self {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&of.segment.to_be_bytes());
        out.extend_from_slice(&covered.to_be_bytes());
        out.extend_from_slice(&totals.max_sequence.to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&totals.min_sequence.to_be_bytes());
        let retired = totals.retired.encode();
        out.extend_from_slice(&(retired.len() as u32).to_be_bytes());
        out.extend_from_slice(&of.salt);
        out.extend_from_slice(&retired);
        Writer { out, count: 0 }
    }

    /// Adds the next entry in order.
    pub(crate) fn entry(&mut self, entry: HintEntry<'_>) {
        let out = &mut self.out;
        let tag = entry.kind as u8 | if entry.refers { FLAG_REFERS } else { 0 };
        out.extend_from_slice(&(u32::from(tag) << 24 | entry.key.len() as u32).to_be_bytes());
        out.extend_from_slice(&entry.sequence.to_be_bytes());
        out.extend_from_slice(&entry.location.offset.to_be_bytes());
        out.extend_from_slice(&entry.location.len.to_be_bytes());
        if let Some(link) = entry.link {
            out.extend_from_slice(&link.segment.to_be_bytes());
            out.extend_from_slice(&link.bytes.to_be_bytes());
        }
        out.extend_from_slice(entry.key);
        self.count += 1;
    }

    /// The whole file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out[24..32].copy_from_slice(&self.count.to_be_bytes());
        let crc = crc32fast::hash(&self.out);
        self.out.extend_from_slice(&crc.to_be_bytes());
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Of = Of { segment: 5, salt: *b"saltsalt", start: segment::HEADER_LEN };

    fn entry(key: &[u8], kind: Kind, sequence: u64, offset: u32) -> HintEntry<'_> {
        let location = Location { segment: 5, offset, len: 40 };
        let link = kind.has_link().then_some(HintLink { segment: 3, bytes: 140 });
        HintEntry { key, kind, sequence, location, refers: kind == Kind::Delta, link }
    }

    #[test]
    fn a_hint_reads_back_and_any_damage_is_noticed() {
        let entries = [
            entry(b"", Kind::DeletePrefix, 3, 16),
            entry(b"a", Kind::Put, 4, 56),
            entry(b"b", Kind::Delete, 9, 96),
            entry(b"c", Kind::Delta, 7, 136),
        ];
        let mut totals = Totals { max_sequence: 9, min_sequence: 3, ..Totals::default() };
        totals.retired.insert(4);
        let bytes = encode(OF, 176, &totals, entries.iter().copied());
        let hint = Hint::parse(&bytes, OF).unwrap();
        assert_eq!((hint.covered, &hint.totals), (176, &totals));
        assert_eq!(hint.entries().collect::<Vec<_>>(), entries);
        assert!(Hint::parse(&bytes, Of { segment: 6, ..OF }).is_err());
        assert!(Hint::parse(&bytes, Of { salt: *b"saltpfef", ..OF }).is_err());
        for cut in 0..bytes.len() {
            assert!(Hint::parse(&bytes[..cut], OF).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Hint::parse(&bad, OF).is_err(), "bit {bit}");
        }
    }

    /// Once, what a hint said to cover was believed, and what is behind it was cut off.
    #[test]
    fn a_hint_that_covers_no_record_or_has_entries_newer_than_it_says_is_refused() {
        assert!(Hint::parse(&encode(OF, 24, &Totals::default(), [].into_iter()), OF).is_ok());
        assert!(Hint::parse(&encode(OF, 23, &Totals::default(), [].into_iter()), OF).is_err());
        assert!(
            Hint::parse(
                &encode(
                    OF,
                    100,
                    &Totals { max_sequence: 3, ..Totals::default() },
                    [entry(b"a", Kind::Put, 4, 24)].into_iter()
                ),
                OF
            )
            .is_err()
        );
    }

    #[test]
    fn an_entry_beyond_the_covered_bytes_is_refused() {
        let bytes =
            encode(OF, 100, &Totals::default(), [entry(b"a", Kind::Put, 4, 96)].into_iter());
        assert!(Hint::parse(&bytes, OF).is_err());
    }
}
