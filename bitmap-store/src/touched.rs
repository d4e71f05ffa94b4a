//! What has changed in a value since its base was written, so that later deltas can carry earlier ones'
//! changes.

use crate::bitmap::assignment::{Assignment, Change};
use std::ops::Range;

/// Changes, in the order in which they were made.
pub(crate) struct Touched<C> {
    changes: Vec<C>,
    /// Where in `changes` each delta of the chain begins.
    marks: Vec<usize>,
    /// How many of `changes` the log has.
    logged: usize,
}

/// A change that may be made again and again.
pub(crate) trait Composed: Sized {
    /// What `changes`, in this order, come to: no more than they are, and each thing once.
    fn composed(changes: &[Self]) -> Vec<Self>;

    /// Memory beside the change itself.
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Composed for Change {
    fn composed(changes: &[Self]) -> Vec<Self> {
        Assignment::of(changes).changes().collect()
    }
}

/// Bytes of a string that were written; what they are now, the string says.
impl Composed for Range<usize> {
    fn composed(changes: &[Self]) -> Vec<Self> {
        let mut sorted = changes.to_vec();
        sorted.sort_unstable_by_key(|range| range.start);
        let mut composed: Vec<Range<usize>> = Vec::new();
        for range in sorted {
            match composed.last_mut().filter(|last| range.start <= last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => composed.push(range),
            }
        }
        composed
    }
}

impl<C> Default for Touched<C> {
    fn default() -> Self {
        Touched { changes: Vec::new(), marks: Vec::new(), logged: 0 }
    }
}

impl<C: Composed> Touched<C> {
    pub(crate) fn push(&mut self, change: C) {
        self.changes.push(change);
    }

    /// The changes that the next delta must carry, having absorbed so many links.
    pub(crate) fn pending(&self, absorbs: usize) -> &[C] {
        let start = if absorbs == 0 { self.logged } else { self.marks[self.marks.len() - absorbs] };
        &self.changes[start..]
    }

    pub(crate) fn logged_delta(&mut self, absorbed: usize) {
        let keep = self.marks.len() - absorbed;
        let start = if absorbed == 0 { self.logged } else { self.marks[keep] };
        self.marks.truncate(keep);
        self.marks.push(start);
        if absorbed > 0 {
            // What is changed to and fro has come to one thing.
            let composed = C::composed(&self.changes[start..]);
            self.changes.truncate(start);
            self.changes.extend(composed);
        }
        self.logged = self.changes.len();
    }

    pub(crate) fn logged_base(&mut self) {
        *self = Touched::default();
    }

    /// Notes that what the log has of it is one base now.
    pub(crate) fn folded(&mut self) {
        self.changes.drain(..self.logged);
        self.marks.clear();
        self.logged = 0;
    }

    /// Notes a delta that the log has.
    pub(crate) fn load(&mut self, changes: impl IntoIterator<Item = C>) {
        self.marks.push(self.changes.len());
        self.changes.extend(changes);
        self.logged = self.changes.len();
    }

    /// Number of changes remembered.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.changes.capacity() * size_of::<C>()
            + self.changes.iter().map(C::heap_bytes).sum::<usize>()
            + self.marks.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcask_core::{Chain, Location};

    #[test]
    fn a_bit_that_is_changed_to_and_fro_does_not_pile_up() {
        let mut chain = Chain::base(Location { segment: 1, offset: 0, len: 70_000 });
        let mut touched = Touched::default();
        for i in 0..10_000 {
            touched.push(Change { id: 7, set: i % 2 == 0 });
            let absorbs = chain.absorbs();
            assert_eq!(Assignment::of(touched.pending(absorbs)).changes().count(), 1);
            touched.logged_delta(absorbs);
            chain.push(Location { segment: 1, offset: i + 1, len: 60 });
        }
        assert!(touched.len() <= chain.len(), "{}", touched.len());
    }

    #[test]
    fn parts_of_a_string_that_meet_become_one() {
        let composed = Range::composed(&[5..9, 0..2, 9..12, 1..3, 20..21, 6..7]);
        assert_eq!(composed, [0..3, 5..12, 20..21]);
    }
}
