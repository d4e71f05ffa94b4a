//! What the keys of the log look like.
//!
//! Everything of a database begins with its number, and everything of a collection with its id, so that
//! what dies together shares a prefix and is dropped by one record.
//!
//! | key | value |
//! |---|---|
//! | db `'k'` key | the key's record, see [`crate::record`] |
//! | db `'p'` id lower (2) level (1) | a page of bitmap id: containers `lower .. lower + 2^level` |
//! | db `'p'` id part (1) lower | a page of collection id: its entries from `lower` up to the next page's; of the first, `lower` is empty |
//! | db `'x'` expires_at (8, ms) key | nothing: the index of keys that expire |
//! | `0xff` `'s'` index (2) | a prefix that SCAN cursors refer to |
//! | `0xff` `'f'` library | the code of a library of functions |
//!
//! An id is one byte that says how many bytes follow, and these, big endian without leading zeros: short,
//! and in the order of the ids. A part is `'m'`, the members of a collection, or `'s'`, those of a sorted set by their
//! scores.

use crate::Db;
use bitcask_core::UnixMillis;
use std::ops::Deref;

const KEY: u8 = b'k';
const PAGE: u8 = b'p';
const EXPIRY: u8 = b'x';
const SYSTEM: u8 = 0xff;
const CURSOR: u8 = b's';
const LIBRARY: u8 = b'f';

/// A key of the log, on the stack unless it is long.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    short: [u8; Name::SHORT],
    len: usize,
    long: Vec<u8>,
}

impl Name {
    const SHORT: usize = 62;

    /// A name of the log.
    pub(crate) fn of(name: &[u8]) -> Self {
        Self::new(&[name])
    }

    fn new(parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        let mut name = Name { short: [0; Self::SHORT], len, long: Vec::new() };
        if len > Self::SHORT {
            name.long = parts.concat();
            return name;
        }
        let mut at = 0;
        for part in parts {
            name.short[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        name
    }
}

impl Deref for Name {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        if self.len > Self::SHORT { &self.long } else { &self.short[..self.len] }
    }
}

/// The record of a key; also the prefix of the records of keys that begin so.
pub(crate) fn key(db: Db, key: &[u8]) -> Name {
    Name::new(&[&[db.0, KEY], key])
}

/// The key in the name of its record.
pub(crate) fn key_of(name: &[u8]) -> &[u8] {
    &name[2..]
}

/// What everything in a database begins with.
pub(crate) fn database(db: Db) -> Name {
    Name::new(&[&[db.0]])
}

/// What every page of a collection begins with.
pub(crate) fn pages(db: Db, id: u64) -> Name {
    let bytes = id.to_be_bytes();
    let digits = &bytes[id.leading_zeros() as usize / 8..];
    Name::new(&[&[db.0, PAGE, digits.len() as u8], digits])
}

/// What every page of every collection begins with.
pub(crate) fn pages_of_all(db: Db) -> Name {
    Name::new(&[&[db.0, PAGE]])
}

/// One page.
pub(crate) fn page(db: Db, id: u64, span: Span) -> Name {
    let [a, b] = span.lower.to_be_bytes();
    Name::new(&[&pages(db, id), &[a, b, span.level]])
}

/// The containers that the page of this name holds.
pub(crate) fn span_of(name: &[u8]) -> Option<Span> {
    let [.., a, b, level] = *name else { return None };
    Span::new(u16::from_be_bytes([a, b]), level)
}

/// What a collection's pages are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The members: of a hash the fields, with their values; of a sorted set with their scores.
    Members,
    /// The scores of a sorted set.
    Scores,
}

impl Part {
    /// Number of parts.
    pub(crate) const COUNT: usize = 2;

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    fn letter(self) -> u8 {
        match self {
            Part::Members => b'm',
            Part::Scores => b's',
        }
    }
}

/// The longest lower bound of a page of a collection.
pub(crate) const MAX_LOWER_BYTES: usize = crate::MAX_KEY_BYTES;

/// A page of a part of a collection; also where the page of the entry `lower` would be, if that is longer than any
/// bound: between the same two pages.
pub(crate) fn tree_page(db: Db, id: u64, part: Part, lower: &[u8]) -> Name {
    let bytes = id.to_be_bytes();
    let digits = &bytes[id.leading_zeros() as usize / 8..];
    let lower = &lower[..lower.len().min(MAX_LOWER_BYTES)];
    Name::new(&[&[db.0, PAGE, digits.len() as u8], digits, &[part.letter()], lower])
}

/// The lower bound in the name of a page of a collection.
pub(crate) fn lower_of(name: &[u8]) -> &[u8] {
    // The database, the letter, the length of the id, the id, and the part.
    &name[3 + usize::from(name[2]) + 1..]
}

/// The entry of the expiry index for a key.
pub(crate) fn expiry(db: Db, at: UnixMillis, key: &[u8]) -> Name {
    Name::new(&[&[db.0, EXPIRY], &at.0.to_be_bytes(), key])
}

/// What every entry of the expiry index begins with.
pub(crate) fn expiries(db: Db) -> Name {
    Name::new(&[&[db.0, EXPIRY]])
}

/// (expiry, key) of an entry of the expiry index.
pub(crate) fn expiry_of(name: &[u8]) -> Option<(UnixMillis, &[u8])> {
    let (at, key) = name.get(2..)?.split_at_checked(8)?;
    Some((UnixMillis(u64::from_be_bytes(at.try_into().ok()?)), key))
}

/// A prefix that SCAN cursors refer to.
pub(crate) fn cursor(index: u16) -> Name {
    Name::new(&[&[SYSTEM, CURSOR], &index.to_be_bytes()])
}

/// What every such prefix's name begins with.
pub(crate) fn cursors() -> Name {
    Name::new(&[&[SYSTEM, CURSOR]])
}

/// The index in the name of such a prefix.
pub(crate) fn cursor_of(name: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(name.get(2..)?.try_into().ok()?))
}

/// A library of functions; also the prefix of libraries that begin so.
pub(crate) fn library(name: &[u8]) -> Name {
    Name::new(&[&[SYSTEM, LIBRARY], name])
}

/// The library in the name of its record.
pub(crate) fn library_of(name: &[u8]) -> &[u8] {
    &name[2..]
}

/// The containers of a page: `2^level` of them from `lower`, which is a multiple of that. (A container is
/// 65,536 ids.) Two spans are therefore apart, or one is within the other; so the pages of different
/// bitmaps line up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) lower: u16,
    pub(crate) level: u8,
}

impl Span {
    /// All ids.
    pub(crate) const ALL: Span = Span { lower: 0, level: 16 };

    /// The span of `2^level` containers from `lower`, if there is one.
    pub(crate) fn new(lower: u16, level: u8) -> Option<Span> {
        let span = Span { lower, level };
        (level <= 16 && u32::from(lower) % span.len() == 0).then_some(span)
    }

    /// Number of containers.
    pub(crate) fn len(self) -> u32 {
        1 << self.level
    }

    /// One beyond the last container.
    pub(crate) fn end(self) -> u32 {
        u32::from(self.lower) + self.len()
    }

    pub(crate) fn contains(self, container: u16) -> bool {
        (u32::from(self.lower)..self.end()).contains(&u32::from(container))
    }

    pub(crate) fn overlaps(self, other: Span) -> bool {
        u32::from(self.lower) < other.end() && u32::from(other.lower) < self.end()
    }

    /// The two halves; `None` of a single container.
    pub(crate) fn halves(self) -> Option<(Span, Span)> {
        let level = self.level.checked_sub(1)?;
        let middle = self.lower + (1 << level);
        Some((Span { lower: self.lower, level }, Span { lower: middle, level }))
    }

    /// The span of twice the size that this is a half of.
    pub(crate) fn parent(self) -> Option<Span> {
        let level = self.level + 1;
        (level <= 16)
            .then(|| Span { lower: (u32::from(self.lower) >> level << level) as u16, level })
    }

    /// The ids in it.
    pub(crate) fn ids(self) -> std::ops::RangeInclusive<u32> {
        u32::from(self.lower) << 16..=((self.end() << 15).wrapping_mul(2)).wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        assert_eq!(&*key(Db(3), b"abc"), b"\x03kabc");
        assert_eq!(&*pages(Db(3), 0x1234), b"\x03p\x02\x12\x34");
        let span = Span { lower: 0x0100, level: 3 };
        assert_eq!(&*page(Db(3), 0x1234, span), b"\x03p\x02\x12\x34\x01\x00\x03");
        assert_eq!(span_of(&page(Db(3), 0x1234, span)), Some(span));
        assert_eq!(&*expiry(Db(0), UnixMillis(5), b"k"), b"\x00x\0\0\0\0\0\0\0\x05k");
        assert_eq!(expiry_of(b"\x00x\0\0\0\0\0\0\0\x05k"), Some((UnixMillis(5), &b"k"[..])));
        assert_eq!(key(Db(0), &[7; 100])[2..], [7; 100]);
        let page = tree_page(Db(3), 0x1234, Part::Members, b"abc");
        assert_eq!(&*page, b"\x03p\x02\x12\x34mabc");
        assert_eq!(lower_of(&page), b"abc");
        assert_eq!(&*tree_page(Db(3), 5, Part::Scores, b""), b"\x03p\x01\x05s");
    }

    #[test]
    fn pages_of_one_collection_never_begin_like_another() {
        for id in [0, 1, 255, 256, 65_535, 65_536, u64::MAX] {
            for other in [0, 1, 255, 256, 65_535, 65_536, u64::MAX] {
                let begins = page(Db(0), id, Span::ALL).starts_with(&pages(Db(0), other));
                assert_eq!(begins, id == other);
            }
        }
    }

    #[test]
    fn spans_halve_and_join() {
        assert_eq!(Span::ALL.ids(), 0..=u32::MAX);
        let (low, high) = Span::ALL.halves().unwrap();
        assert_eq!((low.ids(), high.ids()), (0..=0x7fff_ffff, 0x8000_0000..=u32::MAX));
        assert_eq!((low.parent(), high.parent()), (Some(Span::ALL), Some(Span::ALL)));
        let one = Span { lower: 9, level: 0 };
        assert_eq!(one.ids(), 9 << 16..=(10 << 16) - 1);
        assert_eq!(one.parent(), Some(Span { lower: 8, level: 1 }));
        assert!(one.halves().is_none() && Span::ALL.parent().is_none());
    }
}
