//! A change of a few bits: ids that are set and ids that are cleared.
//!
//! | field | meaning |
//! |---|---|
//! | count | varint: number of ids set |
//! | set | varint each: the first id, then the distance to the one before |
//! | cleared | the same, to the end of the bytes |

use super::{Ids, varint};

/// One bit, and what it was changed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: u32,
    pub(crate) set: bool,
}

/// Ids set and ids cleared, each ascending; none is in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) set: Vec<u32>,
    pub(crate) cleared: Vec<u32>,
}

impl Assignment {
    /// What `changes`, in this order, come to.
    pub(crate) fn of(changes: &[Change]) -> Self {
        let mut assignment = Assignment::default();
        if let [Change { id, set }] = *changes {
            assignment.of_state(set).push(id);
            return assignment;
        }
        // By id, and then in their order: the last of an id is what it came to.
        let mut order: Vec<u64> =
            changes.iter().zip(0..).map(|(c, i)| u64::from(c.id) << 32 | i).collect();
        order.sort_unstable();
        for (at, key) in order.iter().enumerate() {
            let last = order.get(at + 1).is_none_or(|next| next >> 32 != key >> 32);
            if last {
                let Change { id, set } = changes[*key as u32 as usize];
                assignment.of_state(set).push(id);
            }
        }
        assignment
    }

    fn of_state(&mut self, set: bool) -> &mut Vec<u32> {
        if set { &mut self.set } else { &mut self.cleared }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.set.len() as u64);
        for ids in [&self.set, &self.cleared] {
            let mut before = 0;
            for id in ids {
                varint::put(out, u64::from(id - before));
                before = *id;
            }
        }
    }

    /// Reads what [`Assignment::encode`] wrote; the error says what is wrong.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let count = varint::take(&mut bytes).ok_or("a change without its count")?;
        let mut assignment = Assignment::default();
        let mut before = 0_u32;
        for _ in 0..count {
            before = next(&mut bytes, before)?;
            assignment.set.push(before);
        }
        before = 0;
        while !bytes.is_empty() {
            before = next(&mut bytes, before)?;
            assignment.cleared.push(before);
        }
        Ok(assignment)
    }

    /// With ids counted from `start`, which none of them is below: shorter to write.
    pub(crate) fn counted_from(mut self, start: u32) -> Self {
        self.set.iter_mut().chain(&mut self.cleared).for_each(|id| *id -= start);
        self
    }

    /// Undoes [`Assignment::counted_from`]; the error says that an id is out of range.
    pub(crate) fn counted_from_zero(mut self, start: u32) -> Result<Self, &'static str> {
        for id in self.set.iter_mut().chain(&mut self.cleared) {
            *id = id.checked_add(start).ok_or("a change has an id out of range")?;
        }
        Ok(self)
    }

    pub(crate) fn apply_to(&self, ids: &mut Ids) {
        for id in &self.set {
            ids.insert(*id);
        }
        for id in &self.cleared {
            ids.remove(*id);
        }
    }

    /// The one change that does what `self` and then `later` do.
    pub(crate) fn then(&self, later: &Assignment) -> Assignment {
        let touched_later: Ids = later.changes().map(|change| change.id).collect();
        let mut both = later.clone();
        both.set.extend(self.set.iter().filter(|id| !touched_later.contains(**id)));
        both.cleared.extend(self.cleared.iter().filter(|id| !touched_later.contains(**id)));
        both.set.sort_unstable();
        both.cleared.sort_unstable();
        both
    }

    /// The changes of its ids, in no particular order.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change> {
        let set = self.set.iter().map(|id| Change { id: *id, set: true });
        set.chain(self.cleared.iter().map(|id| Change { id: *id, set: false }))
    }
}

fn next(bytes: &mut &[u8], before: u32) -> Result<u32, &'static str> {
    let gap = varint::take(bytes).ok_or("a change is cut short")?;
    let id = u64::from(before).checked_add(gap).ok_or("a change has an id out of range")?;
    u32::try_from(id).map_err(|_| "a change has an id out of range")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    fn assignment() -> impl Strategy<Value = Assignment> {
        (btree_set(0..500_u32, 0..20), btree_set(0..500_u32, 0..20)).prop_map(|(set, cleared)| {
            let cleared = cleared.difference(&set).copied().collect();
            Assignment { set: set.into_iter().collect(), cleared }
        })
    }

    proptest! {
        /// Folding deltas first and applying them one by one give the same bitmap.
        #[test]
        fn folded_deltas_equal_deltas_in_turn(base in btree_set(0..500_u32, 0..200), deltas in vec(assignment(), 0..8)) {
            let base: Ids = base.into_iter().collect();
            let mut in_turn = base.clone();
            deltas.iter().for_each(|delta| delta.apply_to(&mut in_turn));
            let folded = deltas.iter().fold(Assignment::default(), |older, newer| older.then(newer));
            let mut at_once = base;
            folded.apply_to(&mut at_once);
            prop_assert_eq!(at_once, in_turn);
        }

        /// What many changes come to is what they do one by one.
        #[test]
        fn changes_come_to_what_they_do_in_turn(changes in vec((0..40_u32, any::<bool>()), 0..60)) {
            let changes: Vec<Change> = changes.into_iter().map(|(id, set)| Change { id, set }).collect();
            let base: Ids = (0..20).collect();
            let mut in_turn = base.clone();
            for Change { id, set } in &changes {
                if *set { in_turn.insert(*id) } else { in_turn.remove(*id) };
            }
            let mut at_once = base;
            let assignment = Assignment::of(&changes);
            assignment.apply_to(&mut at_once);
            prop_assert_eq!(at_once, in_turn);
            prop_assert!(assignment.set.is_sorted() && assignment.cleared.is_sorted());
        }

        #[test]
        fn an_assignment_reads_back(assignment in assignment()) {
            let mut bytes = Vec::new();
            assignment.encode(&mut bytes);
            prop_assert_eq!(Assignment::decode(&bytes), Ok(assignment));
        }

        #[test]
        fn garbage_never_panics(bytes in vec(any::<u8>(), 0..40)) {
            let _ = Assignment::decode(&bytes);
        }
    }

    #[test]
    fn one_bit_takes_few_bytes() {
        let mut bytes = Vec::new();
        Assignment::of(&[Change { id: 9_999_999, set: true }]).encode(&mut bytes);
        assert_eq!(bytes, [1, 0xff, 0xac, 0xe2, 0x04]);
        bytes.clear();
        Assignment::of(&[Change { id: 5, set: false }]).encode(&mut bytes);
        assert_eq!(bytes, [0, 5]);
    }
}
