//! Intersections, unions and differences of sets: ordered walks side by side, a page of each input in memory at a time.
//!
//! An intersection goes through its smallest input, a difference through its first, and looks each member up in the
//! others. They are asked in ascending order, so each stays on its page until the members asked for have left it, and
//! then goes to the page of the next one: large inputs are read as far as there is something to find.

use super::collection::Shape;
use super::set::{MEMBERS, SET};
use super::{At, Transaction};
use crate::collection::is_large;
use crate::collection::leaf::Leaf;
use crate::{Db, Error};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

/// How sets are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    /// What is in all of them.
    Intersection,
    /// What is in any of them.
    Union,
    /// What is in the first, and in none of the others.
    Difference,
}

/// A walk through the members of a set. Nobody changes it meanwhile.
struct Members {
    at: At,
    /// Of its tree; `None` if it is small, or missing.
    tree: Option<u64>,
    len: u64,
    /// A copy of the page that it has come to.
    leaf: Leaf,
    /// The name of that page.
    name: Vec<u8>,
    /// Of the next member in the page.
    index: usize,
}

/// Parts of a result that is to be stored have about so many bytes.
const PART_BYTES: usize = 64 << 10;

impl Transaction<'_> {
    /// Combines the sets at `keys`, of which a missing one is empty, and shows what comes out to `visit`, in byte order,
    /// until it breaks.
    ///
    /// # Errors
    /// [`Error::WrongType`] if any of them holds something else, whatever the others hold; else as
    /// [`Transaction::set_add`].
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, SetOp, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"a"[..]), (db, b"b"), (db, b"c")], now);
    /// transaction.set_add(db, b"a", [&b"1"[..], b"2"].into_iter())?;
    /// transaction.set_add(db, b"b", [&b"2"[..], b"3"].into_iter())?;
    /// assert_eq!(transaction.set_combine_store(SetOp::Union, db, b"c", &[b"a", b"b"])?, 3);
    /// assert_eq!(transaction.set_combine_store(SetOp::Intersection, db, b"c", &[b"c", b"b"])?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_combine(
        &mut self,
        op: SetOp,
        db: Db,
        keys: &[&[u8]],
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let inputs = self.inputs(db, keys)?;
        self.combine_sets(op, inputs, visit)
    }

    /// As [`Transaction::set_combine`], and puts the result at `dst`, whatever that holds; it may be one of the inputs.
    /// The number of members; without any, `dst` is gone. The result never expires.
    ///
    /// # Errors
    /// As [`Transaction::set_combine`].
    pub fn set_combine_store(
        &mut self,
        op: SetOp,
        db: Db,
        dst: &[u8],
        keys: &[&[u8]],
    ) -> Result<u64, Error> {
        let dst = self.at(db, dst)?;
        let inputs = self.inputs(db, keys)?;
        let subtracts = op == SetOp::Difference && subtracts(keys, &inputs);
        let first = inputs.first().map(|first| (first.at.name.clone(), first.at.stripe));
        let mut parts: Vec<Leaf> = Vec::new();
        let mut count = 0;
        self.combine_sets(op, inputs, &mut |member| {
            count += 1;
            match parts.last_mut().filter(|part| part.encoded_len() < PART_BYTES) {
                Some(part) => part.push(member, b""),
                None => {
                    let mut part = Leaf::default();
                    part.push(member, b"");
                    parts.push(part);
                }
            }
            ControlFlow::Continue(())
        })?;
        // Made of the first set less the others, it is what that was at first.
        let mut large = false;
        if let Some((name, stripe)) = first.filter(|_| subtracts && count > 0) {
            large = self.would_be_large(&At { db, stripe, name })?;
        }
        self.store(&dst, SET, parts.iter().flat_map(Leaf::iter), None)?;
        if large {
            self.set_large(&dst, true)?;
        }
        Ok(count)
    }

    /// The number of members that all sets at `keys` have, but `limit` at most.
    ///
    /// # Errors
    /// As [`Transaction::set_combine`].
    pub fn set_intersection_len(
        &mut self,
        db: Db,
        keys: &[&[u8]],
        limit: u64,
    ) -> Result<u64, Error> {
        let inputs = self.inputs(db, keys)?;
        if let [one] = &inputs[..] {
            return Ok(one.len.min(limit));
        }
        let mut count = 0;
        if limit > 0 {
            self.combine_sets(SetOp::Intersection, inputs, &mut |_| {
                count += 1;
                if count < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(count)
    }

    /// The sets at `keys`, none of which has been read yet beyond its key's record.
    fn inputs(&mut self, db: Db, keys: &[&[u8]]) -> Result<Vec<Members>, Error> {
        let mut inputs = Vec::with_capacity(keys.len());
        for key in keys {
            let at = self.at(db, key)?;
            let tree = match self.shape(&at, SET)? {
                Shape::Tree(id) => Some(id),
                Shape::Small | Shape::Missing => None,
            };
            let len = self.members(&at, SET)?;
            let (leaf, name) = (Leaf::default(), Vec::new());
            inputs.push(Members { at, tree, len, leaf, name, index: 0 });
        }
        Ok(inputs)
    }

    fn combine_sets(
        &mut self,
        op: SetOp,
        mut inputs: Vec<Members>,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        match op {
            SetOp::Union => {
                inputs.retain(|input| input.len > 0);
                return self.unite(inputs, visit);
            }
            SetOp::Intersection => {
                if inputs.iter().any(|input| input.len == 0) {
                    return Ok(());
                }
                // What the smaller ones do not have, the larger ones are not asked for.
                inputs.sort_by_key(|input| input.len);
            }
            SetOp::Difference => {
                // What a large one has is found soonest.
                if let [_, others @ ..] = &mut inputs[..] {
                    others.sort_by_key(|input| Reverse(input.len));
                }
            }
        }
        let [first, others @ ..] = &mut inputs[..] else { return Ok(()) };
        if first.len == 0 {
            return Ok(());
        }
        let wanted = op == SetOp::Intersection;
        first.begin(self)?;
        for other in others.iter_mut() {
            other.begin(self)?;
        }
        while first.settle(self)? {
            let member = first.member();
            let mut kept = true;
            for other in others.iter_mut() {
                if other.contains(self, member)? != wanted {
                    kept = false;
                    break;
                }
            }
            if kept && visit(member).is_break() {
                break;
            }
            first.index += 1;
        }
        Ok(())
    }

    fn unite(
        &mut self,
        mut inputs: Vec<Members>,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        // The next member of each input, the least on top.
        let mut next = BinaryHeap::with_capacity(inputs.len());
        for (number, input) in inputs.iter_mut().enumerate() {
            input.begin(self)?;
            if input.settle(self)? {
                next.push(Reverse((input.member().to_vec(), number)));
            }
        }
        let mut last: Option<Vec<u8>> = None;
        while let Some(Reverse((member, number))) = next.pop() {
            let input = &mut inputs[number];
            input.index += 1;
            let is_new = last.as_ref() != Some(&member);
            if is_new && visit(&member).is_break() {
                break;
            }
            // The memory of the one before last is the next one's.
            let mut spare = last.replace(member).unwrap_or_default();
            if input.settle(self)? {
                spare.clear();
                spare.extend_from_slice(input.member());
                next.push(Reverse((spare, number)));
            }
        }
        Ok(())
    }

    /// Whether Redis would not keep a new set of the same members packed.
    fn would_be_large(&mut self, at: &At) -> Result<bool, Error> {
        let (len, mut large) = (self.members(at, SET)?, false);
        let first = super::walk::Place::Rank(0);
        self.walk_forward(at, SET, MEMBERS, first, &mut |member, _| {
            large = is_large(SET, len, member, b"");
            if large { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(large)
    }
}

/// Whether Redis makes this difference by taking the others' members out of a copy of the first, rather than by adding
/// those of the first that no other has. The result's encoding tells.
fn subtracts(keys: &[&[u8]], inputs: &[Members]) -> bool {
    let ([first, ..], [key, others @ ..]) = (inputs, keys) else { return false };
    if first.len == 0 || others.contains(key) {
        return false;
    }
    let there = inputs.iter().filter(|input| input.len > 0);
    let (mut by_adding, mut by_taking) = (0_u64, 0_u64);
    for input in there {
        by_adding = by_adding.saturating_add(first.len);
        by_taking = by_taking.saturating_add(input.len);
    }
    by_adding / 2 > by_taking
}

impl Members {
    /// Goes to the first page.
    fn begin(&mut self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        match self.tree {
            Some(id) => {
                let name = tx.page_of(&self.at, id, MEMBERS, b"")?;
                self.turn_to(tx, name)
            }
            None if self.len > 0 => {
                self.leaf = tx.small(&self.at)?.leaf.clone();
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn turn_to(&mut self, tx: &mut Transaction<'_>, name: Vec<u8>) -> Result<(), Error> {
        self.leaf.clone_from(&tx.tree_page(&self.at, &name)?.leaf);
        (self.name, self.index) = (name, 0);
        Ok(())
    }

    /// Goes on to a page that has a next member; false at the end.
    fn settle(&mut self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        while self.index >= self.leaf.len() {
            let Some(id) = self.tree else { return Ok(false) };
            match tx.page_after(&self.at, id, MEMBERS, &self.name)? {
                Some(next) => self.turn_to(tx, next)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The next member, which is there.
    fn member(&self) -> &[u8] {
        self.leaf.entry(self.index).0
    }

    /// Whether `member` is in the set, which has been asked for none above it.
    fn contains(&mut self, tx: &mut Transaction<'_>, member: &[u8]) -> Result<bool, Error> {
        let beyond =
            self.leaf.len().checked_sub(1).is_none_or(|last| self.leaf.entry(last).0 < member);
        if beyond && let Some(id) = self.tree {
            let name = tx.page_of(&self.at, id, MEMBERS, member)?;
            if name != self.name {
                self.turn_to(tx, name)?;
            }
        }
        // Mostly it is the next, or one soon after.
        const SOON: usize = 4;
        for _ in 0..SOON {
            if self.index == self.leaf.len() {
                return Ok(false);
            }
            match self.member().cmp(member) {
                std::cmp::Ordering::Less => self.index += 1,
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Greater => return Ok(false),
            }
        }
        let found = self.leaf.find(member);
        self.index = found.unwrap_or_else(|at| at);
        Ok(found.is_ok())
    }
}
