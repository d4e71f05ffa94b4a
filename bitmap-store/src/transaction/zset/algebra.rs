//! Unions, intersections and differences of sorted sets; sets take part as if all their members had the score 1.
//!
//! The inputs are gone through side by side in byte order of their members, a page of each at a time: what is in memory
//! beside that is the result. An intersection begins with the smallest and looks for its members in the others, page
//! by page, so that pages which none of them can be in are not read.

use super::{NO_SCORE, ZSET};
use crate::collection::leaf::Leaf;
use crate::collection::score;
use crate::layout::Part;
use crate::transaction::collection::Shape;
use crate::transaction::{At, Transaction};
use crate::value::damaged;
use crate::{Db, Error, Kind};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What [`Transaction::zset_combine`] makes of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZsetOp {
    /// What is in any.
    Union,
    /// What is in all.
    Inter,
    /// What is in the first and in none of the others, with the first's scores.
    Diff,
}

/// What becomes of the scores that a member has in several inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZsetAggregate {
    /// Their sum; that of both infinities is 0.
    #[default]
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl ZsetAggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            ZsetAggregate::Sum => number(one + other),
            ZsetAggregate::Min if other < one => other,
            ZsetAggregate::Max if other > one => other,
            ZsetAggregate::Min | ZsetAggregate::Max => one,
        }
    }
}

/// Zero for what is no number: of infinities that cancel each other, or times 0.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// An input: the entries of one page at a time, in order.
struct Input {
    at: At,
    kind: Kind,
    len: u64,
    weight: f64,
    /// The tree, if it is one, and the name of the page at hand.
    tree: Option<(u64, Vec<u8>)>,
    page: Leaf,
    next: usize,
}

impl Input {
    /// The score of an entry, weighed; NaN if it is infinite and the weight is 0.
    fn score(&self, value: &[u8]) -> Result<f64, Error> {
        let score = match self.kind {
            Kind::Set => 1.0,
            _ => score::decode(value).ok_or_else(|| damaged(&self.at.name, NO_SCORE))?,
        };
        Ok(score * self.weight)
    }
}

impl Transaction<'_> {
    /// What `op` makes of the sorted sets, or sets, at some keys, each with a weight that its scores are multiplied by; in byte
    /// order of the members. Missing keys are empty. A difference takes no notice of weights. Of an intersection, at most
    /// `limit` members are looked for.
    ///
    /// # Errors
    /// [`Error::WrongType`] if a key holds anything else; else as [`Transaction::zset_add`].
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis, ZsetAggregate, ZsetOp, ZsetRule};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"may"[..]), (db, b"june")], now);
    /// transaction.zset_add(db, b"may", b"ada", 3.0, ZsetRule::default())?;
    /// transaction.zset_add(db, b"june", b"ada", 4.0, ZsetRule::default())?;
    /// let inputs = [(&b"may"[..], 1.0), (b"june", 10.0)];
    /// let both = transaction.zset_combine(db, ZsetOp::Inter, &inputs, ZsetAggregate::Sum, u64::MAX)?;
    /// assert_eq!(both, [(b"ada".to_vec(), 43.0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn zset_combine(
        &mut self,
        db: Db,
        op: ZsetOp,
        keys: &[(&[u8], f64)],
        aggregate: ZsetAggregate,
        limit: u64,
    ) -> Result<Vec<(Vec<u8>, f64)>, Error> {
        let mut found = Vec::new();
        self.combine(db, op, keys, aggregate, limit, &mut |member, score| {
            found.push((member, score));
        })?;
        Ok(found)
    }

    /// How many members an intersection of sorted sets, or sets, has; counted up to `limit`.
    ///
    /// # Errors
    /// As [`Transaction::zset_combine`].
    pub fn zset_inter_count(&mut self, db: Db, keys: &[&[u8]], limit: u64) -> Result<u64, Error> {
        let keys: Vec<(&[u8], f64)> = keys.iter().map(|key| (*key, 1.0)).collect();
        let mut count = 0;
        let (op, sum) = (ZsetOp::Inter, ZsetAggregate::Sum);
        self.combine(db, op, &keys, sum, limit, &mut |_, _| count += 1)?;
        Ok(count)
    }

    /// Whether `key` holds a sorted set, or a set, or nothing: what can be combined.
    ///
    /// # Errors
    /// [`Error::WrongType`] if not; else as [`Transaction::zset_add`].
    pub fn zset_check_input(&mut self, db: Db, key: &[u8]) -> Result<(), Error> {
        let at = self.at(db, key)?;
        match self.read(&at)?.and_then(|entry| entry.value.kind()) {
            None | Some(Kind::SortedSet | Kind::Set) => Ok(()),
            Some(_) => Err(Error::WrongType),
        }
    }

    fn combine(
        &mut self,
        db: Db,
        op: ZsetOp,
        keys: &[(&[u8], f64)],
        aggregate: ZsetAggregate,
        limit: u64,
        found: &mut dyn FnMut(Vec<u8>, f64),
    ) -> Result<(), Error> {
        let mut inputs = Vec::with_capacity(keys.len());
        for (key, weight) in keys {
            inputs.push(self.input(db, key, if op == ZsetOp::Diff { 1.0 } else { *weight })?);
        }
        // Scores are added in the order in which Redis does it, since that shows: the smallest input first.
        if op != ZsetOp::Diff {
            inputs.sort_by_key(|input| input.len);
        }
        match op {
            ZsetOp::Union => self.union(&mut inputs, aggregate, found),
            ZsetOp::Inter => self.intersection(&mut inputs, aggregate, limit, found),
            ZsetOp::Diff => self.difference(&mut inputs, found),
        }
    }

    fn union(
        &mut self,
        inputs: &mut [Input],
        aggregate: ZsetAggregate,
        found: &mut dyn FnMut(Vec<u8>, f64),
    ) -> Result<(), Error> {
        // The next member of each input; of equal ones, the first input's comes first.
        let mut heads = BinaryHeap::with_capacity(inputs.len());
        let mut scores = vec![0.0; inputs.len()];
        for (index, input) in inputs.iter_mut().enumerate() {
            if let Some((member, score)) = self.next_of(input)? {
                heads.push(Reverse((member, index)));
                scores[index] = score;
            }
        }
        let mut last: Option<(Vec<u8>, f64)> = None;
        while let Some(Reverse((member, index))) = heads.pop() {
            let score = scores[index];
            if let Some((next, score)) = self.next_of(&mut inputs[index])? {
                heads.push(Reverse((next, index)));
                scores[index] = score;
            }
            last = match last {
                Some((same, sum)) if same == member => Some((same, aggregate.of(sum, score))),
                other => {
                    other.into_iter().for_each(|(member, score)| found(member, score));
                    Some((member, score))
                }
            };
        }
        last.into_iter().for_each(|(member, score)| found(member, score));
        Ok(())
    }

    fn intersection(
        &mut self,
        inputs: &mut [Input],
        aggregate: ZsetAggregate,
        limit: u64,
        found: &mut dyn FnMut(Vec<u8>, f64),
    ) -> Result<(), Error> {
        let Some((first, others)) = inputs.split_first_mut() else { return Ok(()) };
        let mut left = limit;
        'members: while left > 0 {
            let Some((member, mut sum)) = self.next_of(first)? else { break };
            for other in &mut *others {
                match self.look_up(other, &member)? {
                    Some(score) => sum = aggregate.of(sum, score),
                    None => continue 'members,
                }
            }
            found(member, sum);
            left -= 1;
        }
        Ok(())
    }

    fn difference(
        &mut self,
        inputs: &mut [Input],
        found: &mut dyn FnMut(Vec<u8>, f64),
    ) -> Result<(), Error> {
        let Some((first, others)) = inputs.split_first_mut() else { return Ok(()) };
        'members: while let Some((member, score)) = self.next_of(first)? {
            for other in &mut *others {
                if self.look_up(other, &member)?.is_some() {
                    continue 'members;
                }
            }
            found(member, score);
        }
        Ok(())
    }

    fn input(&mut self, db: Db, key: &[u8], weight: f64) -> Result<Input, Error> {
        self.zset_check_input(db, key)?;
        let at = self.at(db, key)?;
        let kind = self.read(&at)?.and_then(|entry| entry.value.kind()).unwrap_or(ZSET);
        let len = self.members(&at, kind)?;
        let (tree, page) = match self.shape(&at, kind)? {
            Shape::Missing => (None, Leaf::default()),
            Shape::Small => (None, self.small(&at)?.leaf.clone()),
            // No page is at hand until one is asked for.
            Shape::Tree(id) => (Some((id, Vec::new())), Leaf::default()),
        };
        Ok(Input { at, kind, len, weight, tree, page, next: 0 })
    }

    /// The next member of an input, and its score.
    fn next_of(&mut self, input: &mut Input) -> Result<Option<(Vec<u8>, f64)>, Error> {
        while input.next == input.page.len() {
            let Some((id, name)) = &mut input.tree else { return Ok(None) };
            let next = match name.is_empty() {
                true => Some(self.page_of(&input.at, *id, Part::Members, b"")?),
                false => self.page_after(&input.at, *id, Part::Members, name)?,
            };
            let Some(next) = next else { return Ok(None) };
            input.page = self.tree_page(&input.at, &next)?.leaf.clone();
            (*name, input.next) = (next, 0);
        }
        let (member, value) = input.page.entry(input.next);
        let found = (member.to_vec(), number(input.score(value)?));
        input.next += 1;
        Ok(Some(found))
    }

    /// The score of a member in an input that is asked for ascending members only. What is no number stays so, as in
    /// Redis: a sum with it is 0, and it is neither the least nor the greatest.
    fn look_up(&mut self, input: &mut Input, member: &[u8]) -> Result<Option<f64>, Error> {
        if let Some((id, name)) = &mut input.tree {
            let last = input.page.len().checked_sub(1).map(|last| input.page.entry(last).0);
            // Members ascend: what is not above the page's last is in it, or nowhere.
            if last.is_none_or(|last| last < member) {
                let next = self.page_of(&input.at, *id, Part::Members, member)?;
                if next != *name {
                    input.page = self.tree_page(&input.at, &next)?.leaf.clone();
                    *name = next;
                }
            }
        }
        input.page.get(member).map(|value| input.score(value)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyspace, Options, Sizes, UnixMillis, ZsetRule};
    use bitcask_core::storage::sim::SimDir;
    use std::sync::Arc;

    #[test]
    fn members_of_sets_count_as_having_the_score_1() {
        let sizes = Sizes { inline: 60, page: 90, leaf: 90 };
        let options = Options { background: false, sizes, ..Options::default() };
        let keyspace = Keyspace::open_in(Arc::new(SimDir::new(1)), options).unwrap();
        let db = Db(0);
        let mut tx = keyspace.begin_exclusive(UnixMillis(1));
        let member = |n: u32| format!("member:{n:03}").into_bytes();
        for (key, count) in [(&b"small"[..], 3), (b"large", 300)] {
            let at = tx.at(db, key).unwrap();
            let members = (0..count).map(|n| (member(n), b""));
            tx.store(&at, Kind::Set, members, None).unwrap();
        }
        for n in (0..400).step_by(2) {
            let rule = ZsetRule::default();
            tx.zset_add(db, b"zset", &member(n), f64::from(n), rule).unwrap();
        }
        let mut combine = |op, keys: &[(&[u8], f64)]| {
            tx.zset_combine(db, op, keys, ZsetAggregate::Sum, u64::MAX).unwrap()
        };
        let both = [(&b"large"[..], 10.0), (b"zset", 1.0)];
        let union = combine(ZsetOp::Union, &both);
        assert_eq!(union.len(), 350);
        assert_eq!(union[..3], [(member(0), 10.0), (member(1), 10.0), (member(2), 12.0)]);
        let inter = combine(ZsetOp::Inter, &[(b"zset", 1.0), (b"small", 5.0), (b"large", 0.5)]);
        assert_eq!(inter, [(member(0), 5.5), (member(2), 7.5)]);
        let diff = combine(ZsetOp::Diff, &[(b"small", 3.0), (b"zset", 1.0)]);
        assert_eq!(diff, [(member(1), 1.0)]);
        assert_eq!(tx.zset_inter_count(db, &[b"zset", b"large"], u64::MAX).unwrap(), 150);
    }
}
