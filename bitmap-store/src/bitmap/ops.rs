//! Questions about sets of ids, and operations on several.

use super::Ids;
use roaring::MultiOps;
use std::borrow::Borrow;
use std::ops::{Range, RangeInclusive};

/// An operation of `BITOP`. The last four are Redis 8.2's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    /// Bits set in all sources.
    And,
    /// Bits set in any source.
    Or,
    /// Bits set in an odd number of sources.
    Xor,
    /// Bits not set in the one source.
    Not,
    /// Bits set in the first source and in none of the others.
    Diff,
    /// Bits set in any of the other sources and not in the first.
    Diff1,
    /// Bits set in the first source and in any of the others.
    AndOr,
    /// Bits set in exactly one source.
    One,
}

/// The result of `op` on `sources`, which is not empty. `Not` flips the ids below `end_bit`.
pub(crate) fn combine<B: Borrow<Ids>>(op: BitOp, sources: &[B], end_bit: u64) -> Ids {
    let first: &Ids = sources[0].borrow();
    let rest = || sources[1..].iter().map(Borrow::<Ids>::borrow);
    let all = || sources.iter().map(Borrow::<Ids>::borrow);
    match (op, sources) {
        (BitOp::And, [_, second]) => first & second.borrow(),
        (BitOp::Or, [_, second]) => first | second.borrow(),
        (BitOp::Xor, [_, second]) => first ^ second.borrow(),
        (BitOp::And, _) => all().intersection(),
        (BitOp::Or, _) => all().union(),
        (BitOp::Xor, _) => all().symmetric_difference(),
        (BitOp::Not, _) => {
            let mut flipped = Ids::new();
            if let Some(last) = end_bit.checked_sub(1) {
                flipped.insert_range(0..=u32::try_from(last).unwrap_or(u32::MAX));
            }
            flipped - first
        }
        (BitOp::Diff, _) => first - &rest().union(),
        (BitOp::Diff1, _) => rest().union() - first,
        (BitOp::AndOr, _) => first & &rest().union(),
        (BitOp::One, _) => {
            let (mut once, mut twice) = (first.clone(), Ids::new());
            for source in rest() {
                twice |= &once & source;
                once |= source;
            }
            once - twice
        }
    }
}

/// The number of ids in `range` that [`combine`] would give of two sources, without making them. At least one
/// of the two has no ids outside of `range`.
pub(crate) fn count_combined(
    op: BitOp,
    [first, second]: [&Ids; 2],
    range: RangeInclusive<u32>,
) -> u64 {
    let both = first.intersection_len(second);
    let [of_first, of_second] = [first, second].map(|ids| ids.range_cardinality(range.clone()));
    match op {
        BitOp::And | BitOp::AndOr => both,
        BitOp::Or => of_first + of_second - both,
        BitOp::Xor | BitOp::One => of_first + of_second - 2 * both,
        BitOp::Diff => of_first - both,
        BitOp::Diff1 => of_second - both,
        BitOp::Not => u64::from(*range.end() - *range.start()) + 1 - of_first,
    }
}

/// The ids of `range`, none if it is empty.
pub(crate) fn slice(ids: &Ids, range: RangeInclusive<u32>) -> Ids {
    // Copying containers and dropping some is faster than going through the ids.
    let mut part = ids.clone();
    part.remove_biggest(part.len() - part.rank(*range.end()));
    part.remove_smallest(range.start().checked_sub(1).map_or(0, |before| part.rank(before)));
    part
}

/// Takes the ids from `middle` on out of `ids`, in time linear in containers.
pub(crate) fn split_off(ids: &mut Ids, middle: u32) -> Ids {
    let below = middle.checked_sub(1).map_or(0, |last| ids.rank(last));
    // Often all are on one side, and nothing need be copied.
    if below == ids.len() {
        return Ids::new();
    }
    if below == 0 {
        return std::mem::take(ids);
    }
    let mut above = ids.clone();
    above.remove_smallest(below);
    ids.remove_biggest(above.len());
    above
}

/// Number of ids in `range`, which may end beyond the last id.
pub(crate) fn count(ids: &Ids, range: Range<u64>) -> u64 {
    match inclusive(range) {
        Some((first, last)) => ids.range_cardinality(first..=last),
        None => 0,
    }
}

/// The first id in `range` that is set, or that is not.
pub(crate) fn find(ids: &Ids, bit: bool, range: Range<u64>) -> Option<u64> {
    let (first, last) = inclusive(range)?;
    if bit {
        return ids.range(first..=last).next().map(u64::from);
    }
    // The number of set ids below tells how many are clear, so the first clear one is found by halving.
    let clear_within =
        |last: u32| u64::from(last - first) + 1 - ids.range_cardinality(first..=last);
    if clear_within(last) == 0 {
        return None;
    }
    let (mut low, mut high) = (first, last);
    while low < high {
        let middle = low + (high - low) / 2;
        if clear_within(middle) > 0 { high = middle } else { low = middle + 1 }
    }
    Some(u64::from(low))
}

fn inclusive(range: Range<u64>) -> Option<(u32, u32)> {
    if range.is_empty() {
        return None;
    }
    let first = u32::try_from(range.start).ok()?;
    Some((first, u32::try_from(range.end - 1).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const END: u32 = 300;

    fn wanted(op: BitOp, sources: &[BTreeSet<u32>]) -> BTreeSet<u32> {
        (0..END)
            .filter(|id| {
                let first = sources[0].contains(id);
                let count = sources.iter().filter(|source| source.contains(id)).count();
                let others = count > usize::from(first);
                match op {
                    BitOp::And => count == sources.len(),
                    BitOp::Or => count > 0,
                    BitOp::Xor => count % 2 == 1,
                    BitOp::Not => !first,
                    BitOp::Diff => first && !others,
                    BitOp::Diff1 => !first && others,
                    BitOp::AndOr => first && others,
                    BitOp::One => count == 1,
                }
            })
            .collect()
    }

    proptest! {
        #[test]
        fn operations_give_what_plain_sets_give(sources in vec(btree_set(0..END, 0..150), 1..5)) {
            let ids: Vec<Ids> = sources.iter().map(|s| s.iter().copied().collect()).collect();
            for op in [BitOp::And, BitOp::Or, BitOp::Xor, BitOp::Diff, BitOp::Diff1, BitOp::AndOr, BitOp::One] {
                let found: BTreeSet<u32> = combine(op, &ids, u64::from(END)).into_iter().collect();
                prop_assert_eq!(found, wanted(op, &sources), "{:?}", op);
            }
            let found: BTreeSet<u32> = combine(BitOp::Not, &ids[..1], u64::from(END)).into_iter().collect();
            prop_assert_eq!(found, wanted(BitOp::Not, &sources));
        }

        #[test]
        fn the_result_of_two_is_counted_as_it_is_made(
            first in btree_set(0..END, 0..150), second in btree_set(0..END, 0..150), start in 0..END, len in 0..END
        ) {
            let range = start..=(start + len).min(END - 1);
            let second: BTreeSet<u32> = second.into_iter().filter(|id| range.contains(id)).collect();
            let ids = [&first, &second].map(|set| set.iter().copied().collect::<Ids>());
            let inside = slice(&ids[0], range.clone());
            prop_assert!(inside.iter().eq(first.iter().copied().filter(|id| range.contains(id))));
            for op in [BitOp::And, BitOp::Or, BitOp::Xor, BitOp::Diff, BitOp::Diff1, BitOp::AndOr, BitOp::One] {
                let whole = combine(op, &[&inside, &ids[1]], 0).len();
                prop_assert_eq!(count_combined(op, [&ids[0], &ids[1]], range.clone()), whole, "{:?}", op);
            }
        }

        #[test]
        fn counts_and_positions_are_those_of_a_plain_set(
            ids in btree_set(0..END, 0..300), start in 0..400_u64, len in 0..400_u64
        ) {
            let range = start..start + len;
            let bitmap: Ids = ids.iter().copied().collect();
            let inside = |id: &u64| ids.contains(&(*id as u32));
            prop_assert_eq!(count(&bitmap, range.clone()), range.clone().filter(inside).count() as u64);
            prop_assert_eq!(find(&bitmap, true, range.clone()), range.clone().find(inside));
            prop_assert_eq!(find(&bitmap, false, range.clone()), range.clone().find(|id| !inside(id)));
        }
    }

    #[test]
    fn the_first_clear_bit_behind_four_billion_set_ones_is_found_at_once() {
        let mut ids = Ids::new();
        ids.insert_range(0..=u32::MAX - 1);
        assert_eq!(find(&ids, false, 0..1 << 32), Some(u64::from(u32::MAX)));
        ids.insert(u32::MAX);
        assert_eq!(find(&ids, false, 0..1 << 32), None);
    }
}
