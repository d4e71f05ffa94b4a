//! Sorted sets: members, each with a score that they are ordered by; those of equal scores are in byte order.
//!
//! A large one is two trees: of its members with their scores, and of its scores with their members. Whatever
//! changes one changes the other in the same transaction. Here is how that is done; the methods are in the files below.

mod algebra;
mod ranges;
mod scores;

use super::collection::Shape;
use super::{At, Transaction};
use crate::collection::{is_large, score};
use crate::layout::Part;
use crate::value::{Value, damaged};
use crate::{Error, Kind, MAX_VALUE_BYTES};
pub use algebra::{ZsetAggregate, ZsetOp};
pub use ranges::ZsetRange;
pub use scores::{ZsetAdded, ZsetRule};

const ZSET: Kind = Kind::SortedSet;
const NO_SCORE: &str = "a member of a sorted set has no score";

/// Where a member is, or would be.
enum Home {
    Missing,
    Small,
    /// In the tree of this id, in the page of this name.
    Page(u64, Vec<u8>),
}

impl Transaction<'_> {
    fn home(&mut self, at: &At, member: &[u8]) -> Result<Home, Error> {
        Ok(match self.shape(at, ZSET)? {
            Shape::Missing => Home::Missing,
            Shape::Small => Home::Small,
            Shape::Tree(id) => Home::Page(id, self.page_of(at, id, Part::Members, member)?),
        })
    }

    /// The score of the member whose home it is.
    fn score_at(&mut self, at: &At, home: &Home, member: &[u8]) -> Result<Option<f64>, Error> {
        let leaf = match home {
            Home::Missing => return Ok(None),
            Home::Small => &self.small(at)?.leaf,
            Home::Page(_, name) => &self.tree_page(at, name)?.leaf,
        };
        let Some(bytes) = leaf.get(member) else { return Ok(None) };
        score::decode(bytes).map(Some).ok_or_else(|| damaged(&at.name, NO_SCORE))
    }

    /// Reads what giving the member, or taking it, will change. Whatever cannot be read says so before anything is changed.
    fn prepare(
        &mut self,
        at: &At,
        home: &Home,
        member: &[u8],
        score: f64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Home::Page(id, _) = home else { return Ok(None) };
        let name = self.page_of(at, *id, Part::Scores, &score::key(score, member))?;
        self.tree_page(at, &name)?;
        Ok(Some(name))
    }

    /// Gives a member, whose home and whose score are these, another score.
    fn put_score(
        &mut self,
        at: &At,
        home: &Home,
        member: &[u8],
        old: Option<f64>,
        score: f64,
    ) -> Result<(), Error> {
        if (member.len() + score::SCORE_BYTES + 1) as u64 > MAX_VALUE_BYTES {
            return Err(Error::StringTooLong);
        }
        let score = self.as_kept(at, member, old.is_none(), score)?;
        let value = score::encode(score);
        let Home::Page(_, name) = home else {
            // A collection that becomes a tree by that is ordered by its scores, too.
            self.put_element(at, ZSET, Part::Members, member, &value)?;
            return Ok(());
        };
        let scores = self.prepare(at, home, member, score)?.expect("it is in a page");
        if let Some(old) = old {
            let old_scores = self.prepare(at, home, member, old)?.expect("it is in a page");
            self.take_from_page(at, Part::Scores, &old_scores, &score::key(old, member))?;
        }
        self.put_in_page(at, Part::Members, name, member, &value)?;
        let key = score::key(score, member);
        self.put_in_page(at, Part::Scores, &scores, &key, score::mark(score))?;
        Ok(())
    }

    /// Takes out a member, whose home and whose score are these.
    fn take_member(&mut self, at: &At, home: &Home, member: &[u8], old: f64) -> Result<(), Error> {
        match (home, self.prepare(at, home, member, old)?) {
            (Home::Page(_, name), Some(scores)) => {
                self.tree_page(at, name)?;
                self.take_from_page(at, Part::Scores, &scores, &score::key(old, member))?;
                self.take_from_page(at, Part::Members, name, member)?;
            }
            _ => drop(self.take_element(at, ZSET, Part::Members, member)?),
        }
        Ok(())
    }

    /// The score as Redis would keep it: only what is larger than it keeps packed has a −0.
    fn as_kept(&mut self, at: &At, member: &[u8], is_new: bool, score: f64) -> Result<f64, Error> {
        if score::mark(score).is_empty() {
            return Ok(score);
        }
        let more = u64::from(is_new);
        let large = match self.read(at)?.map(|entry| &entry.value) {
            Some(Value::Small(small)) => {
                small.flags != 0 || is_large(ZSET, small.leaf.len() as u64 + more, member, b"")
            }
            Some(Value::Tree(tree)) => {
                tree.flags != 0 || is_large(ZSET, tree.count + more, member, b"")
            }
            _ => is_large(ZSET, more, member, b""),
        };
        Ok(if large { score } else { 0.0 })
    }
}
