//! What the fuzzer asks of the values and keys of this crate. Not a part of its interface: `tests/fuzz` calls
//! it.
//!
//! Each check takes any bytes and panics where a promise of a format is broken. Records pass a checksum before
//! anybody reads their values: what comes here was written by us, perhaps by another version.

use crate::bitmap::assignment::{Assignment, Change};
use crate::bitmap::ops::{self, BitOp};
use crate::bitmap::{Ids, bytes as strings, encoding};
use crate::collection::LARGE;
use crate::collection::change::Ops;
use crate::collection::leaf::Leaf;
use crate::collection::page::TreePage;
use crate::derivation::{Derivation, Source, SourcePage};
use crate::layout::{self, Span};
pub use crate::rdb::fuzzing::{example_payloads, payload};
use crate::record::{self, Base, Delta, RecordFold};
use crate::split;
use crate::text::Writes;
use crate::value::{KeyEntry, Page, Value};
use crate::{Db, Kind, UnixMillis};
use bitcask_core::{Chain, Entry, Fold, Location};
use std::collections::BTreeSet;

/// Beyond so many ids they are not gone through one by one.
const MANY_IDS: u64 = 1 << 18;
/// Beyond such a length a string is not made: what is tested is not memory.
const LONG: usize = 1 << 20;

const AT: Location = Location { segment: 1, offset: 300, len: 90 };

fn encoded(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out);
    out
}

fn example_sets() -> Vec<Ids> {
    let dense: Ids = (0..30_000).filter(|id| id % 3 > 0).collect();
    let mut runs = Ids::new();
    runs.insert_range(70_000..90_000);
    runs.insert_range(200_000..200_400);
    vec![Ids::new(), Ids::from([7, 10]), Ids::from([65_541, 400_000, u32::MAX]), runs, dense]
}

fn example_derivation() -> Derivation {
    let page = |lower, level| {
        let span = Span::new(lower, level).expect("there is such a span");
        SourcePage { span, newest: AT, ids: None }
    };
    let source = |pages| Source { db: Db(2), id: 5, pages };
    let sources = vec![source(vec![page(0, 3)]), source(vec![page(0, 1), page(8, 0)])];
    Derivation::new(BitOp::Xor, sources)
}

/// Valid inputs of [`bitmap`]: a byte for the first id, then an encoded set.
pub fn example_bitmaps() -> Vec<Vec<u8>> {
    let encode = |mut ids: Ids| encoded(|out| encoding::encode(&mut ids, 0, out));
    example_sets().into_iter().map(|ids| [&[0][..], &encode(ids)].concat()).collect()
}

/// Valid inputs of [`value`]: a base and two changes to it, each but the last behind its length.
pub fn example_values() -> Vec<Vec<u8>> {
    let bits = |set, cleared| Assignment { set: vec![set], cleared: vec![cleared] };
    let small = encoded(|out| record::put_bitmap(out, 9, &mut Ids::from([7, 10])));
    let page = encoded(|out| record::put_page(out, 1, &mut Ids::from([65_543, 65_600])));
    let derived = encoded(|out| record::put_derived(out, 9, 5, &example_derivation()));
    let change = |delta: Delta<'_>| encoded(|out| delta.encode(out));
    let mut leaf = Leaf::default();
    leaf.push(b"field", b"value");
    leaf.push(b"other", b"");
    let changed = [b"field"[..].into(), b"gone"[..].into()];
    [
        [
            encoded(|out| record::put_string(out, b"hello", false)),
            change(Delta::Written(Writes(vec![(3, b"p!"), (9, b"z")]))),
            change(Delta::Written(Writes(vec![(0, b"H")]))),
        ],
        [
            small,
            change(Delta::Bits { byte_len: 9, assignment: bits(4, 7) }),
            change(Delta::Bits { byte_len: 20, assignment: bits(150, 4) }),
        ],
        [
            page,
            change(Delta::Page { count: 2, assignment: bits(9, 7) }),
            change(Delta::Page { count: 3, assignment: bits(11, 12) }),
        ],
        [
            encoded(|out| record::put_paged(out, 9, 5)),
            change(Delta::Length(10)),
            change(Delta::Length(300)),
        ],
        [derived, change(Delta::Length(10)), change(Delta::Length(300))],
        [
            encoded(|out| record::put_small(out, Kind::Hash, 0, &leaf)),
            change(Delta::Small { kind: Kind::Hash, flags: 0, ops: Ops::of(&leaf, &changed) }),
            change(Delta::Small {
                kind: Kind::Hash,
                flags: LARGE,
                ops: Ops::of(&leaf, &changed[1..]),
            }),
        ],
        [
            encoded(|out| record::put_tree_page(out, &leaf)),
            change(Delta::TreePage { count: 2, ops: Ops::of(&leaf, &changed) }),
            change(Delta::TreePage { count: 2, ops: Ops::of(&leaf, &changed[1..]) }),
        ],
    ]
    .map(|[base, older, newer]| {
        let [base_len, older_len] = [&base, &older].map(|part| [part.len() as u8]);
        [&base_len[..], &base, &older_len, &older, &newer].concat()
    })
    .to_vec()
}

/// Valid inputs of [`derivation`].
pub fn example_derivations() -> Vec<Vec<u8>> {
    vec![encoded(|out| example_derivation().encode(out))]
}

/// Valid inputs of [`delta`].
pub fn example_deltas() -> Vec<Vec<u8>> {
    let delta = |set: &[u32], cleared: &[u32]| {
        let assignment = Assignment { set: set.to_vec(), cleared: cleared.to_vec() };
        encoded(|out| assignment.encode(out))
    };
    let short = delta(&[300], &[]);
    let both = [&[3][..], &delta(&[1, 5], &[]), &delta(&[5], &[1, 70_000])].concat();
    vec![short, both]
}

/// Valid inputs of [`name`].
pub fn example_names() -> Vec<Vec<u8>> {
    let span = Span::new(0x0100, 3).expect("there is such a span");
    [
        layout::key(Db(3), b"abc"),
        layout::page(Db(3), 0x1234, span),
        layout::expiry(Db(0), UnixMillis(5), b"k"),
        layout::cursor(7),
        layout::library(b"mylib"),
    ]
    .map(|name| name.to_vec())
    .to_vec()
}

/// Any bytes are refused or become a set that is one: ids ascend, questions of it are answered as by a plain
/// set, and it reads back from what it is written as.
pub fn bitmap(bytes: &[u8]) {
    let Some((&container, bytes)) = bytes.split_first() else { return };
    let first_bit = u32::from(container) << 24 >> 8;
    for with_tag in [bytes, &[&[1][..], bytes].concat()] {
        if let Ok(ids) = encoding::decode(with_tag, first_bit) {
            check_ids(&ids, first_bit);
        }
    }
}

fn check_ids(ids: &Ids, first_bit: u32) {
    let again = encoded(|out| encoding::encode(&mut ids.clone(), first_bit, out));
    assert_eq!(encoding::decode(&again, first_bit).as_ref(), Ok(ids), "it reads back");
    assert!(ids.min().is_none_or(|min| min >= first_bit));
    if ids.len() > MANY_IDS {
        return;
    }
    let plain: BTreeSet<u32> = ids.iter().collect();
    assert!(ids.iter().eq(plain.iter().copied()), "ids ascend");
    assert_eq!(ids.len(), plain.len() as u64, "it knows how many there are");
    let Some(&min) = plain.first() else { return };
    for from in [u64::from(min), u64::from(min) + 1000, u64::from(first_bit)] {
        let (range, bounds) =
            (from..from + 70_000, from as u32..(from as u32).saturating_add(70_000));
        if u64::from(bounds.end) == range.end {
            assert_eq!(ops::count(ids, range.clone()), plain.range(bounds.clone()).count() as u64);
            let clear = bounds.clone().find(|id| !plain.contains(id)).map(u64::from);
            assert_eq!(ops::find(ids, false, range.clone()), clear);
            let set = plain.range(bounds).next().copied().map(u64::from);
            assert_eq!(ops::find(ids, true, range), set);
        }
    }
    let first_byte = u64::from(min) / 8;
    let string = strings::to_bytes(ids, first_byte..first_byte + 20_000);
    for (i, byte) in string.iter().enumerate().filter(|(i, _)| i % 7 == 0) {
        let bit =
            |n| u32::try_from((first_byte + i as u64) * 8 + n).is_ok_and(|id| plain.contains(&id));
        let wanted = (0..8).fold(0_u8, |byte, n| byte << 1 | u8::from(bit(n)));
        assert_eq!(*byte, wanted, "byte {i}");
    }
    let parts = split::split(ids.clone(), Span::ALL, 300);
    let whole: Ids = parts.iter().flat_map(|(_, part)| part).collect();
    assert_eq!(&whole, ids, "pages hold all of it");
    let whole: Ids = split::join(parts, 300).iter().flat_map(|(_, part)| part).collect();
    assert_eq!(&whole, ids, "joined pages, too");
}

/// Bases and changes are refused or read back from what they are written as; changes come to the same in turn
/// and at once, in the log and in memory.
pub fn value(bytes: &[u8]) {
    let mut rest = bytes;
    let mut part = || {
        let (&len, after) = rest.split_first()?;
        let (part, after) = after.split_at_checked(usize::from(len))?;
        rest = after;
        Some(part)
    };
    let (Some(base), Some(older)) = (part(), part()) else { return };
    let newer = rest;
    check_base(base);
    for change in [base, older, newer] {
        let _ = (record::page_count(change), record::kind(change));
        check_delta(change);
        if let Ok(Delta::Written(writes)) = record::delta(change)
            && writes.0.iter().any(|(offset, part)| offset + part.len() > LONG)
        {
            return;
        }
    }
    let in_turn = RecordFold.apply(base, older).and_then(|value| RecordFold.apply(&value, newer));
    let composed = RecordFold.compose(older, newer);
    let at_once = composed.and_then(|change| RecordFold.apply(base, &change));
    let Ok(folded) = in_turn else { return };
    let at_once = at_once.expect("a fold is associative");
    let folded = record::base(&folded).expect("what a fold writes can be read");
    // The values are the same. Their bytes need not be: a set has more than one shortest form.
    assert_eq!(record::base(&at_once).as_ref(), Ok(&folded), "a fold is associative");

    let mut chain = Chain::base(AT);
    chain.push(AT);
    chain.push(AT);
    let (deltas, written_at) = (vec![older.to_vec(), newer.to_vec()], UnixMillis(0));
    let base = base.to_vec();
    let (expires_at, sequence, refers) = (None, 1, false);
    let entry = Entry { base, deltas, chain, expires_at, sequence, written_at, refers };
    if let Base::Page { ids, .. } = &folded {
        let page = Page::load(&entry, 0).expect("what can be folded can be loaded");
        return assert_eq!(&*page.ids, ids);
    }
    if let Base::TreePage { leaf } = &folded {
        let page = TreePage::load(&entry, 0).expect("what can be folded can be loaded");
        return assert_eq!(&page.leaf, leaf);
    }
    let loaded =
        KeyEntry::load(&entry, 0, |_| Vec::new()).expect("what can be folded can be loaded");
    match (&folded, loaded.value) {
        (Base::String { bytes, raw }, Value::String(text)) => {
            assert_eq!((*bytes, *raw), (&text.bytes[..], text.raw));
        }
        (Base::Bitmap { byte_len, ids }, Value::Bitmap(bitmap)) => {
            assert_eq!((*byte_len, ids), (bitmap.byte_len, &*bitmap.ids));
        }
        (
            Base::Paged { byte_len, id } | Base::Derived { byte_len, id, .. },
            Value::Paged(paged),
        ) => assert_eq!((*byte_len, *id), (paged.byte_len, paged.collection.id)),
        (Base::Small { kind, flags, leaf }, Value::Small(small)) => {
            assert_eq!((*kind, *flags, leaf), (small.kind, small.flags, &small.leaf));
        }
        (Base::Tree { kind, flags, id, count }, Value::Tree(tree)) => {
            assert_eq!((*kind, *flags, *id, *count), (tree.kind, tree.flags, tree.id, tree.count));
        }
        _ => panic!("{folded:?} is loaded as something else"),
    }
}

fn check_base(bytes: &[u8]) {
    let Ok(base) = record::base(bytes) else { return };
    let again = encoded(|out| match &base {
        Base::String { bytes, raw } => record::put_string(out, bytes, *raw),
        Base::Bitmap { byte_len, ids } => record::put_bitmap(out, *byte_len, &mut ids.clone()),
        Base::Paged { byte_len, id } => record::put_paged(out, *byte_len, *id),
        Base::Derived { byte_len, id, derivation } => {
            record::put_derived(out, *byte_len, *id, derivation);
        }
        Base::Page { lower, ids } => record::put_page(out, *lower, &mut ids.clone()),
        Base::Small { kind, flags, leaf } => record::put_small(out, *kind, *flags, leaf),
        Base::Tree { kind, flags, id, count } => record::put_tree(out, *kind, *flags, *id, *count),
        Base::TreePage { leaf } => record::put_tree_page(out, leaf),
    });
    assert_eq!(record::base(&again), Ok(base));
}

fn check_delta(bytes: &[u8]) {
    let Ok(delta) = record::delta(bytes) else { return };
    let again = encoded(|out| delta.encode(out));
    assert_eq!(record::delta(&again), Ok(delta));
}

/// A derivation is refused or reads back; the spans of its result ascend, and each is within one page of a
/// source at most.
pub fn derivation(bytes: &[u8]) {
    let Ok(derivation) = Derivation::decode(bytes) else { return };
    let again = encoded(|out| derivation.encode(out));
    assert_eq!(Derivation::decode(&again).as_ref(), Ok(&derivation));
    let spans = derivation.spans();
    assert!(spans.windows(2).all(|pair| pair[0].end() <= u32::from(pair[1].lower)));
}

/// Changes of bits are refused or read back, and one that two are composed to does what they do in turn. The
/// first byte is the length of the first.
pub fn delta(bytes: &[u8]) {
    let _ = Assignment::decode(bytes);
    let Some((&len, rest)) = bytes.split_first() else { return };
    let Some((older, newer)) = rest.split_at_checked(usize::from(len)) else { return };
    let (Ok(older), Ok(newer)) = (Assignment::decode(older), Assignment::decode(newer)) else {
        return;
    };
    for assignment in [&older, &newer] {
        let again = encoded(|out| assignment.encode(out));
        assert_eq!(Assignment::decode(&again).as_ref(), Ok(assignment));
        let changes: Vec<Change> = assignment.changes().collect();
        let (mut plain, mut tidy) = (Ids::from_iter(0..100), Ids::from_iter(0..100));
        assignment.apply_to(&mut plain);
        Assignment::of(&changes).apply_to(&mut tidy);
        assert_eq!(plain, tidy);
    }
    let mut in_turn: Ids = (0..100).collect();
    let mut at_once = in_turn.clone();
    older.apply_to(&mut in_turn);
    newer.apply_to(&mut in_turn);
    older.then(&newer).apply_to(&mut at_once);
    assert_eq!(in_turn, at_once);
    if let Ok(moved) = older.clone().counted_from_zero(70_000) {
        assert_eq!(moved.counted_from(70_000), older);
    }
}

/// Names of the log are taken apart or refused, and are put together again to what they were.
pub fn name(bytes: &[u8]) {
    if let Some(span) = layout::span_of(bytes) {
        let name = layout::page(Db(1), 77, span);
        assert_eq!(name[name.len() - 3..], bytes[bytes.len() - 3..]);
        assert_eq!(span.halves().map(|(low, _)| low.parent()), span.halves().map(|_| Some(span)));
        let ids = span.ids();
        assert_eq!(u64::from(ids.end() - ids.start()) + 1, u64::from(span.len()) << 16);
    }
    if let Some((at, key)) = layout::expiry_of(bytes) {
        assert_eq!(layout::expiry(Db(0), at, key)[2..], bytes[2..]);
    }
    if let Some(index) = layout::cursor_of(bytes) {
        assert_eq!(layout::cursor(index)[2..], bytes[2..]);
    }
    let name = layout::key(Db(3), bytes);
    assert_eq!(layout::key_of(&name), bytes);
}
