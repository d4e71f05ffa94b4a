//! What the values of the log look like. Each begins with a tag, so that it is known without its key.
//!
//! | tag | then | is |
//! |----:|---|---|
//! | 1 | bytes | a string |
//! | 2 | bytes | a string that was changed in place (Redis then calls its encoding raw) |
//! | 3 | byte_len (4), [`encoding`] | a small bitmap |
//! | 4 | byte_len (4), collection id (8) | a bitmap in pages |
//! | 5 | byte_len (4), collection id (8), [`derivation`] | a bitmap in pages that are not there yet: see there |
//! | 6 | kind (1), flags (1), entries | a small collection; see [`leaf`](crate::collection::leaf) |
//! | 7 | kind (1), flags (1), collection id (8), count (varint) | a collection in pages |
//! | 16 | count (varint), lower (2), [`encoding`] | a page |
//! | 17 | count (varint), [`assignment`] | a change to a page, its ids counted from the page's first; count is the page's after it |
//! | 18 | [`Writes`] | parts of a string that were written |
//! | 19 | byte_len (varint), [`assignment`] | a change to a small bitmap |
//! | 20 | byte_len (varint) | a change to the length of a bitmap in pages |
//! | 21 | kind (1), flags (1), changed entries | a change to a small collection; see [`change`](crate::collection::change) |
//! | 24 | count (varint), entries | a page of a collection |
//! | 25 | count (varint), changed entries | a change to a page of a collection; count is the page's after it |
//!
//! `byte_len` is the length of the string that the bitmap is: clearing the last bit does not shorten it.
//!
//! A kind is 1 for a hash, 2 for a set, 3 for a sorted set, 4 for a list. The flags are 1 if the collection is or was
//! larger than what Redis keeps packed, else 0.
//!
//! [`encoding`]: crate::bitmap::encoding
//! [`assignment`]: crate::bitmap::assignment
//! [`derivation`]: crate::derivation
//! [`Writes`]: crate::text::Writes

use crate::bitmap::assignment::Assignment;
use crate::bitmap::{Ids, encoding, varint};
use crate::collection::LARGE;
use crate::collection::change::Ops;
use crate::collection::leaf::Leaf;
use crate::derivation::Derivation;
use crate::text::{Text, Writes};
use crate::{Kind, MAX_VALUE_BYTES};
use bitcask_core::Fold;
use bytes::Bytes;

const STRING: u8 = 1;
const RAW_STRING: u8 = 2;
const BITMAP: u8 = 3;
const PAGED: u8 = 4;
const DERIVED: u8 = 5;
const SMALL: u8 = 6;
const TREE: u8 = 7;
const PAGE: u8 = 16;
const PAGE_CHANGE: u8 = 17;
const WRITTEN: u8 = 18;
const BITS: u8 = 19;
const LENGTH: u8 = 20;
const SMALL_CHANGE: u8 = 21;
const TREE_PAGE: u8 = 24;
const TREE_PAGE_CHANGE: u8 = 25;

/// A base value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Base<'a> {
    String { bytes: &'a [u8], raw: bool },
    Bitmap { byte_len: u64, ids: Ids },
    Paged { byte_len: u64, id: u64 },
    Derived { byte_len: u64, id: u64, derivation: Derivation },
    Page { lower: u16, ids: Ids },
    Small { kind: Kind, flags: u8, leaf: Leaf },
    Tree { kind: Kind, flags: u8, id: u64, count: u64 },
    TreePage { leaf: Leaf },
}

/// A change to a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Delta<'a> {
    Page { count: u64, assignment: Assignment },
    Written(Writes<'a>),
    Bits { byte_len: u64, assignment: Assignment },
    Length(u64),
    Small { kind: Kind, flags: u8, ops: Ops<'a> },
    TreePage { count: u64, ops: Ops<'a> },
}

pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8], raw: bool) {
    out.push(if raw { RAW_STRING } else { STRING });
    out.extend_from_slice(bytes);
}

pub(crate) fn put_bitmap(out: &mut Vec<u8>, byte_len: u64, ids: &mut Ids) {
    out.push(BITMAP);
    put_byte_len(out, byte_len);
    encoding::encode(ids, 0, out);
}

pub(crate) fn put_paged(out: &mut Vec<u8>, byte_len: u64, id: u64) {
    out.push(PAGED);
    put_byte_len(out, byte_len);
    out.extend_from_slice(&id.to_be_bytes());
}

pub(crate) fn put_derived(out: &mut Vec<u8>, byte_len: u64, id: u64, derivation: &Derivation) {
    out.push(DERIVED);
    put_byte_len(out, byte_len);
    out.extend_from_slice(&id.to_be_bytes());
    derivation.encode(out);
}

fn put_byte_len(out: &mut Vec<u8>, byte_len: u64) {
    let byte_len = u32::try_from(byte_len).expect("no string is so long");
    out.extend_from_slice(&byte_len.to_be_bytes());
}

pub(crate) fn put_page(out: &mut Vec<u8>, lower: u16, ids: &mut Ids) {
    out.push(PAGE);
    varint::put(out, ids.len());
    out.extend_from_slice(&lower.to_be_bytes());
    encoding::encode(ids, u32::from(lower) << 16, out);
}

pub(crate) fn put_small(out: &mut Vec<u8>, kind: Kind, flags: u8, leaf: &Leaf) {
    out.extend_from_slice(&[SMALL, code(kind), flags]);
    leaf.encode(out);
}

pub(crate) fn put_tree(out: &mut Vec<u8>, kind: Kind, flags: u8, id: u64, count: u64) {
    out.extend_from_slice(&[TREE, code(kind), flags]);
    out.extend_from_slice(&id.to_be_bytes());
    varint::put(out, count);
}

pub(crate) fn put_tree_page(out: &mut Vec<u8>, leaf: &Leaf) {
    out.push(TREE_PAGE);
    varint::put(out, leaf.len() as u64);
    leaf.encode(out);
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::String => unreachable!("a string is no collection"),
        Kind::Hash => 1,
        Kind::Set => 2,
        Kind::SortedSet => 3,
        Kind::List => 4,
    }
}

/// Takes a collection's kind and flags off the front of `bytes`.
fn take_kind(bytes: &mut &[u8]) -> Result<(Kind, u8), &'static str> {
    let (&[code, flags], rest) = bytes.split_first_chunk().ok_or("a collection is cut short")?;
    let kind = match code {
        1 => Kind::Hash,
        2 => Kind::Set,
        3 => Kind::SortedSet,
        4 => Kind::List,
        _ => return Err("a collection of an unknown kind"),
    };
    if flags & !LARGE != 0 {
        return Err("a collection with unknown flags");
    }
    *bytes = rest;
    Ok((kind, flags))
}

/// Fails if a page has another count than it says.
pub(crate) fn check_count(leaf: &Leaf, count: u64) -> Result<(), &'static str> {
    if leaf.len() as u64 == count { Ok(()) } else { Err("a page has another count than it says") }
}

/// Fails if a small collection is empty: then its key would be gone.
pub(crate) fn check_some(leaf: &Leaf) -> Result<(), &'static str> {
    if leaf.is_empty() { Err("a collection without entries") } else { Ok(()) }
}

/// The kind of a key's value, from its newest record alone.
pub(crate) fn kind(value: &[u8]) -> Result<Kind, &'static str> {
    match value.split_first() {
        Some((&(STRING..=DERIVED | WRITTEN..=LENGTH), _)) => Ok(Kind::String),
        Some((&(SMALL | TREE | SMALL_CHANGE), mut rest)) => Ok(take_kind(&mut rest)?.0),
        _ => Err("a key's record is none of a key"),
    }
}

impl Delta<'_> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Delta::Page { count, assignment } => {
                out.push(PAGE_CHANGE);
                varint::put(out, *count);
                assignment.encode(out);
            }
            Delta::Written(writes) => {
                out.push(WRITTEN);
                writes.encode(out);
            }
            Delta::Bits { byte_len, assignment } => {
                out.push(BITS);
                varint::put(out, *byte_len);
                assignment.encode(out);
            }
            Delta::Length(byte_len) => {
                out.push(LENGTH);
                varint::put(out, *byte_len);
            }
            Delta::Small { kind, flags, ops } => {
                out.extend_from_slice(&[SMALL_CHANGE, code(*kind), *flags]);
                ops.encode(out);
            }
            Delta::TreePage { count, ops } => {
                out.push(TREE_PAGE_CHANGE);
                varint::put(out, *count);
                ops.encode(out);
            }
        }
    }
}

/// Reads a base; the error says what is wrong with it.
pub(crate) fn base(value: &[u8]) -> Result<Base<'_>, &'static str> {
    let (tag, mut rest) = value.split_first().ok_or("an empty record")?;
    Ok(match *tag {
        STRING | RAW_STRING => Base::String { bytes: rest, raw: *tag == RAW_STRING },
        BITMAP => {
            let byte_len = u64::from(take_u32(&mut rest)?);
            let ids = encoding::decode(rest, 0)?;
            check_byte_len(&ids, byte_len)?;
            Base::Bitmap { byte_len, ids }
        }
        PAGED => {
            let byte_len = u64::from(take_u32(&mut rest)?);
            let id = rest.try_into().map_err(|_| "a collection's id is cut short")?;
            Base::Paged { byte_len, id: u64::from_be_bytes(id) }
        }
        DERIVED => {
            let byte_len = u64::from(take_u32(&mut rest)?);
            let (id, rest) = rest.split_first_chunk().ok_or("a collection's id is cut short")?;
            let derivation = Derivation::decode(rest)?;
            Base::Derived { byte_len, id: u64::from_be_bytes(*id), derivation }
        }
        PAGE => {
            let count = varint::take(&mut rest).ok_or("a page without its count")?;
            let (lower, encoded) = rest.split_first_chunk().ok_or("a page is cut short")?;
            let lower = u16::from_be_bytes(*lower);
            let ids = encoding::decode(encoded, u32::from(lower) << 16)?;
            if ids.len() != count {
                return Err("a page has another count than it says");
            }
            Base::Page { lower, ids }
        }
        SMALL => {
            let (kind, flags) = take_kind(&mut rest)?;
            let leaf = Leaf::decode(rest)?;
            check_some(&leaf)?;
            Base::Small { kind, flags, leaf }
        }
        TREE => {
            let (kind, flags) = take_kind(&mut rest)?;
            let (id, mut rest) =
                rest.split_first_chunk().ok_or("a collection's id is cut short")?;
            let count = varint::take(&mut rest).ok_or("a collection without its count")?;
            if count == 0 || !rest.is_empty() {
                return Err("a collection of an impossible count");
            }
            Base::Tree { kind, flags, id: u64::from_be_bytes(*id), count }
        }
        TREE_PAGE => {
            let count = varint::take(&mut rest).ok_or("a page without its count")?;
            let leaf = Leaf::decode(rest)?;
            check_count(&leaf, count)?;
            Base::TreePage { leaf }
        }
        _ => return Err("a record of an unknown kind"),
    })
}

/// Fails if there are ids beyond the string.
pub(crate) fn check_byte_len(ids: &Ids, byte_len: u64) -> Result<(), &'static str> {
    match ids.max() {
        Some(max) if u64::from(max) / 8 >= byte_len => Err("a bitmap has bits beyond its length"),
        _ => Ok(()),
    }
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, &'static str> {
    let (head, rest) = bytes.split_first_chunk().ok_or("a record is cut short")?;
    *bytes = rest;
    Ok(u32::from_be_bytes(*head))
}

/// Reads a delta; the error says what is wrong with it.
pub(crate) fn delta(value: &[u8]) -> Result<Delta<'_>, &'static str> {
    let (tag, mut rest) = value.split_first().ok_or("an empty change")?;
    if *tag == WRITTEN {
        return Ok(Delta::Written(Writes::decode(rest)?));
    }
    if *tag == SMALL_CHANGE {
        let (kind, flags) = take_kind(&mut rest)?;
        return Ok(Delta::Small { kind, flags, ops: Ops::decode(rest)? });
    }
    let number = varint::take(&mut rest).ok_or("a change is cut short")?;
    match *tag {
        BITS | LENGTH if number > MAX_VALUE_BYTES => Err("a change makes a string too long"),
        TREE_PAGE_CHANGE => Ok(Delta::TreePage { count: number, ops: Ops::decode(rest)? }),
        PAGE_CHANGE => Ok(Delta::Page { count: number, assignment: Assignment::decode(rest)? }),
        BITS => Ok(Delta::Bits { byte_len: number, assignment: Assignment::decode(rest)? }),
        LENGTH if rest.is_empty() => Ok(Delta::Length(number)),
        _ => Err("a change of an unknown kind"),
    }
}

/// The number of ids, or of entries, of a page, from its newest record alone.
pub(crate) fn page_count(value: &[u8]) -> Result<u64, &'static str> {
    match value.split_first() {
        Some((&(PAGE | PAGE_CHANGE | TREE_PAGE | TREE_PAGE_CHANGE), mut rest)) => {
            varint::take(&mut rest).ok_or("a page without its count")
        }
        _ => Err("a page's record is none of a page"),
    }
}

/// Folds the deltas of this crate, for readers that know only the log.
#[derive(Debug)]
pub(crate) struct RecordFold;

impl Fold for RecordFold {
    fn apply(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut out = Vec::new();
        match (base(older)?, delta(newer)?) {
            (Base::String { bytes, raw }, Delta::Written(writes)) => {
                let mut text = Text::new(Bytes::copy_from_slice(bytes), raw);
                text.load(&writes);
                put_string(&mut out, &text.bytes, text.raw);
            }
            (Base::Bitmap { mut ids, .. }, Delta::Bits { byte_len, assignment }) => {
                assignment.apply_to(&mut ids);
                check_byte_len(&ids, byte_len)?;
                put_bitmap(&mut out, byte_len, &mut ids);
            }
            (Base::Paged { id, .. }, Delta::Length(byte_len)) => put_paged(&mut out, byte_len, id),
            (Base::Derived { id, derivation, .. }, Delta::Length(byte_len)) => {
                put_derived(&mut out, byte_len, id, &derivation);
            }
            (Base::Page { lower, mut ids }, Delta::Page { assignment, .. }) => {
                assignment.counted_from_zero(u32::from(lower) << 16)?.apply_to(&mut ids);
                put_page(&mut out, lower, &mut ids);
            }
            (Base::Small { kind, mut leaf, .. }, Delta::Small { kind: same, flags, ops })
                if kind == same =>
            {
                ops.apply_to(&mut leaf);
                check_some(&leaf)?;
                put_small(&mut out, kind, flags, &leaf);
            }
            (Base::TreePage { mut leaf }, Delta::TreePage { count, ops }) => {
                ops.apply_to(&mut leaf);
                check_count(&leaf, count)?;
                put_tree_page(&mut out, &leaf);
            }
            _ => return Err("a change does not fit the record that it follows"),
        }
        Ok(out)
    }

    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut out = Vec::new();
        match (delta(older)?, delta(newer)?) {
            (Delta::Written(mut older), Delta::Written(newer)) => {
                older.0.extend(newer.0);
                Delta::Written(older).encode(&mut out);
            }
            (Delta::Bits { assignment, .. }, Delta::Bits { byte_len, assignment: later }) => {
                Delta::Bits { byte_len, assignment: assignment.then(&later) }.encode(&mut out);
            }
            (Delta::Length(_), newer @ Delta::Length(_)) => newer.encode(&mut out),
            (Delta::Page { assignment, .. }, Delta::Page { count, assignment: later }) => {
                Delta::Page { count, assignment: assignment.then(&later) }.encode(&mut out);
            }
            (Delta::Small { kind, ops, .. }, Delta::Small { kind: same, flags, ops: later })
                if kind == same =>
            {
                Delta::Small { kind, flags, ops: ops.then(later) }.encode(&mut out);
            }
            (Delta::TreePage { ops, .. }, Delta::TreePage { count, ops: later }) => {
                Delta::TreePage { count, ops: ops.then(later) }.encode(&mut out);
            }
            _ => return Err("a change does not fit the one that it follows"),
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn encoded(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out);
        out
    }

    #[test]
    fn records_have_the_bytes_of_version_1() {
        assert_eq!(encoded(|out| put_string(out, b"abc", false)), b"\x01abc");
        assert_eq!(encoded(|out| put_string(out, b"abc", true)), b"\x02abc");
        let small = encoded(|out| put_bitmap(out, 3, &mut Ids::from([7, 10])));
        assert_eq!(small, b"\x03\x00\x00\x00\x03\x02\x01\x20");
        assert_eq!(encoded(|out| put_paged(out, 9, 5)), b"\x04\0\0\0\x09\0\0\0\0\0\0\0\x05");
        let page = encoded(|out| put_page(out, 1, &mut Ids::from([65_543])));
        assert_eq!(page, b"\x10\x01\x00\x01\x02\x01");
        let assignment = Assignment { set: vec![7], cleared: vec![9] };
        let change = Delta::Page { count: 300, assignment: assignment.clone() };
        assert_eq!(encoded(|out| change.encode(out)), b"\x11\xac\x02\x01\x07\x09");
        let change = Delta::Bits { byte_len: 2, assignment };
        assert_eq!(encoded(|out| change.encode(out)), b"\x13\x02\x01\x07\x09");
        let written = Delta::Written(Writes(vec![(300, b"xy"), (1, b"z")]));
        assert_eq!(encoded(|out| written.encode(out)), b"\x12\xac\x02\x02xy\x01\x01z");
        assert_eq!(encoded(|out| Delta::Length(300).encode(out)), b"\x14\xac\x02");
        let mut leaf = Leaf::default();
        leaf.put(b"f", b"v");
        let small = encoded(|out| put_small(out, Kind::Hash, 0, &leaf));
        assert_eq!(small, b"\x06\x01\x00\x01\x01fv");
        let tree = encoded(|out| put_tree(out, Kind::SortedSet, LARGE, 5, 300));
        assert_eq!(tree, b"\x07\x03\x01\0\0\0\0\0\0\0\x05\xac\x02");
        assert_eq!((kind(&small), kind(&tree)), (Ok(Kind::Hash), Ok(Kind::SortedSet)));
        assert_eq!((kind(b"\x01abc"), kind(b"\x14\xac\x02")), (Ok(Kind::String), Ok(Kind::String)));
        assert_eq!(encoded(|out| put_tree_page(out, &leaf)), b"\x18\x01\x01\x01fv");
        let changed = [b"f"[..].into(), b"g"[..].into()];
        let ops = || Ops::of(&leaf, &changed);
        let change = Delta::Small { kind: Kind::Set, flags: LARGE, ops: ops() };
        assert_eq!(encoded(|out| change.encode(out)), b"\x15\x02\x01\x03f\x01v\x02g");
        let change = Delta::TreePage { count: 300, ops: ops() };
        assert_eq!(encoded(|out| change.encode(out)), b"\x19\xac\x02\x03f\x01v\x02g");
        assert_eq!(page_count(&encoded(|out| change.encode(out))), Ok(300));
        assert_eq!((page_count(b"\x11\xac\x02\x01\x07\x09"), page_count(&page)), (Ok(300), Ok(1)));
    }

    /// Once, a fold panicked on the one, and wrote what cannot be read for the other.
    #[test]
    fn a_length_that_is_too_long_or_too_short_for_its_bits_is_refused() {
        let small = encoded(|out| put_bitmap(out, 3, &mut Ids::from([7, 10])));
        let paged = encoded(|out| put_paged(out, 9, 5));
        let bits = |byte_len| {
            let assignment = Assignment { set: vec![3], cleared: vec![] };
            encoded(|out| Delta::Bits { byte_len, assignment }.encode(out))
        };
        let length = |byte_len| encoded(|out| Delta::Length(byte_len).encode(out));
        for (byte_len, good) in [(1, false), (2, true), (512 << 20, true), (1 << 32, false)] {
            assert_eq!(RecordFold.apply(&small, &bits(byte_len)).is_ok(), good, "{byte_len}");
            let readable = good || byte_len < 2;
            assert_eq!(RecordFold.apply(&paged, &length(byte_len)).is_ok(), readable, "{byte_len}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_never_panic(bytes in vec(any::<u8>(), 0..60), tag in 0..27_u8) {
            let tagged = [&[tag][..], &bytes].concat();
            for bytes in [&bytes, &tagged] {
                let _ = (base(bytes), delta(bytes), page_count(bytes), kind(bytes));
                let _ = (RecordFold.apply(bytes, &tagged), RecordFold.compose(bytes, &tagged));
            }
        }

        #[test]
        fn folding_written_bytes_in_one_go_or_in_turn_is_the_same(
            start in vec(any::<u8>(), 0..9), a in vec(any::<u8>(), 0..9), b in vec(any::<u8>(), 0..9), at in 0..12_usize
        ) {
            let base = encoded(|out| put_string(out, &start, false));
            let [a, b] = [(3, &a[..]), (at, &b[..])].map(|write| encoded(|out| Delta::Written(Writes(vec![write])).encode(out)));
            let in_turn = RecordFold.apply(&RecordFold.apply(&base, &a).unwrap(), &b);
            let at_once = RecordFold.apply(&base, &RecordFold.compose(&a, &b).unwrap());
            prop_assert_eq!(in_turn, at_once);
        }
    }
}
