//! The numbers of segments that have gone.

use super::be_u32;

/// Numbers of segments that compaction has taken out of use, or that were given out and came to nothing: no
/// file of theirs is missed. As few ranges as there are gaps, since old segments go together.
///
/// The value of a *retired* record, and what a hint repeats of it; ascending, integers big endian:
///
/// | size | field | meaning                          |
/// |-----:|-------|----------------------------------|
/// |    4 | first | of a range of numbers; …         |
/// |    4 | last  | … which includes this one, too   |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retired {
    /// Ascending; they neither overlap nor touch.
    ranges: Vec<(u32, u32)>,
}

const RANGE_LEN: usize = 8;

impl Retired {
    pub(crate) fn contains(&self, id: u32) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= id);
        after > 0 && self.ranges[after - 1].1 >= id
    }

    pub(crate) fn insert(&mut self, id: u32) {
        self.insert_range(id, id);
    }

    fn insert_range(&mut self, mut first: u32, mut last: u32) {
        let from = self.ranges.partition_point(|(_, end)| u64::from(*end) + 1 < u64::from(first));
        let to = self.ranges.partition_point(|(start, _)| u64::from(*start) <= u64::from(last) + 1);
        if from < to {
            first = first.min(self.ranges[from].0);
            last = last.max(self.ranges[to - 1].1);
        }
        self.ranges.splice(from..to, [(first, last)]);
    }

    pub(crate) fn extend(&mut self, other: &Retired) {
        for (first, last) in &other.ranges {
            self.insert_range(*first, *last);
        }
    }

    /// The greatest number; `None` without any.
    pub(crate) fn last(&self) -> Option<u32> {
        self.ranges.last().map(|(_, last)| *last)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let numbers = self.ranges.iter().flat_map(|(first, last)| [first, last]);
        numbers.flat_map(|number| number.to_be_bytes()).collect()
    }

    /// The error says what is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if !bytes.len().is_multiple_of(RANGE_LEN) {
            return Err("a list of retired segments is cut short");
        }
        let mut retired = Retired::default();
        for range in bytes.chunks_exact(RANGE_LEN) {
            let (first, last) = (be_u32(range, 0), be_u32(range, 4));
            let above = retired.last().is_none_or(|before| before < first);
            if first == 0 || first > last || !above {
                return Err("a list of retired segments is out of order");
            }
            retired.insert_range(first, last);
        }
        Ok(retired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_list_has_the_bytes_of_version_1() {
        let mut retired = Retired::default();
        [1, 2, 7].iter().for_each(|id| retired.insert(*id));
        assert_eq!(retired.encode(), b"\0\0\0\x01\0\0\0\x02\0\0\0\x07\0\0\0\x07");
        assert!(Retired::decode(b"\0\0\0\x02\0\0\0\x01").is_err());
        assert!(Retired::decode(b"\0\0\0\x02\0\0").is_err());
        assert!(Retired::decode(&[0; 8]).is_err());
    }

    proptest! {
        /// Model: a set of numbers.
        #[test]
        fn ranges_hold_what_was_put_in_and_read_back(
            ids in vec(prop_oneof![1..40_u32, u32::MAX - 3..=u32::MAX], 0..40),
        ) {
            let mut retired = Retired::default();
            ids.iter().for_each(|id| retired.insert(*id));
            let model: BTreeSet<u32> = ids.into_iter().collect();
            for id in (0..42).chain(u32::MAX - 5..=u32::MAX) {
                prop_assert_eq!(retired.contains(id), model.contains(&id));
            }
            prop_assert_eq!(retired.last(), model.last().copied());
            prop_assert!(retired.ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert_eq!(Retired::decode(&retired.encode()), Ok(retired.clone()));
            let mut twice = retired.clone();
            twice.extend(&retired);
            prop_assert_eq!(twice, retired);
        }
    }
}
