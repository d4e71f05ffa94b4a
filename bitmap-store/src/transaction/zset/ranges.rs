//! Runs of members: by rank, by score, by member.

use super::{NO_SCORE, ZSET};
use crate::collection::{is_large, score};
use crate::layout::Part;
use crate::transaction::collection::{Shape, lower_bound};
use crate::transaction::walk::Place;
use crate::transaction::{At, Transaction};
use crate::value::{Value, damaged};
use crate::{Db, Error};
use bitcask_core::UnixMillis;
use std::ops::{Bound, ControlFlow};

/// Which members of a sorted set.
#[derive(Clone, Debug, PartialEq)]
pub enum ZsetRange {
    /// From one rank to another, both included. The first has rank 0; negative ones count from the last, which has −1. Whoever
    /// goes backwards counts backwards.
    Ranks(i64, i64),
    /// From one score to another; neither is NaN.
    Scores(Bound<f64>, Bound<f64>),
    /// From one member to another, in byte order, whatever their scores. (Redis leaves open what it answers unless all scores
    /// are equal.)
    Members(Bound<Vec<u8>>, Bound<Vec<u8>>),
}

/// What is done with a member and its score.
type Visit<'v> = &'v mut dyn FnMut(&[u8], f64) -> ControlFlow<()>;

/// Up to so many members are passed over one by one; for more, it pays to find the rank.
const FEW: u64 = 64;

/// Where a run of entries begins, and where it ends.
struct Run {
    part: Part,
    /// The first entry is not below, the last below; by [`Transaction::rank`].
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

impl Run {
    /// A run by scores or by members; not by ranks.
    fn of(range: &ZsetRange) -> Option<Run> {
        let from_score = |score: f64, more: u64| {
            Bound::Included(score::place(score).saturating_add(more).to_be_bytes().to_vec())
        };
        match range {
            ZsetRange::Ranks(..) => None,
            ZsetRange::Scores(min, max) => Some(Run {
                part: Part::Scores,
                from: match *min {
                    Bound::Included(score) => from_score(score, 0),
                    Bound::Excluded(score) => from_score(score, 1),
                    Bound::Unbounded => Bound::Unbounded,
                },
                to: match *max {
                    Bound::Included(score) => from_score(score, 1),
                    Bound::Excluded(score) => from_score(score, 0),
                    Bound::Unbounded => Bound::Unbounded,
                },
            }),
            ZsetRange::Members(min, max) => Some(Run {
                part: Part::Members,
                from: min.clone(),
                // What is not above it is below the next.
                to: match max {
                    Bound::Included(member) => Bound::Excluded(member.clone()),
                    Bound::Excluded(member) => Bound::Included(member.clone()),
                    Bound::Unbounded => Bound::Unbounded,
                },
            }),
        }
    }

    /// Whether an entry is before its first.
    fn begins_after(&self, key: &[u8]) -> bool {
        match &self.from {
            Bound::Included(from) => key < &from[..],
            Bound::Excluded(from) => key <= &from[..],
            Bound::Unbounded => false,
        }
    }

    /// Whether an entry is beyond its last.
    fn ends_before(&self, key: &[u8]) -> bool {
        match &self.to {
            Bound::Included(to) => key >= &to[..],
            Bound::Excluded(to) => key > &to[..],
            Bound::Unbounded => false,
        }
    }
}

fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(|key| &key[..])
}

impl Transaction<'_> {
    /// Shows the members in `range` to `visit`, with their scores, until it breaks; in ascending order, or in descending if
    /// `reverse`. The first `skip` are passed over; at most `limit` are shown.
    ///
    /// Reads the pages that the members shown are in; by ranks, and to pass over many, the directory of pages, too.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis, ZsetRange, ZsetRule};
    /// # use std::ops::{Bound, ControlFlow};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"board"[..])], now);
    /// for (member, score) in [(&b"ada"[..], 12.0), (b"bob", 7.0), (b"eve", 9.0)] {
    ///     transaction.zset_add(db, b"board", member, score, ZsetRule::default())?;
    /// }
    /// let range = ZsetRange::Scores(Bound::Excluded(7.0), Bound::Unbounded);
    /// let mut found = Vec::new();
    /// transaction.zset_range(db, b"board", &range, true, 0, u64::MAX, &mut |member, score| {
    ///     found.push((member.to_vec(), score));
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(found, [(b"ada".to_vec(), 12.0), (b"eve".to_vec(), 9.0)]);
    /// assert_eq!(transaction.zset_count(db, b"board", &range)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::too_many_arguments)]
    pub fn zset_range(
        &mut self,
        db: Db,
        key: &[u8],
        range: &ZsetRange,
        reverse: bool,
        skip: u64,
        limit: u64,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        let len = self.members(&at, ZSET)?;
        let Some(run) = Run::of(range) else {
            let (first, count) = ranks(range, len);
            let (skip, count) = (skip.min(count), count.saturating_sub(skip).min(limit));
            let first = first + skip;
            let rank = if reverse { len.saturating_sub(first + 1) } else { first };
            let place = match rank + 1 == len && reverse {
                // The last needs no directory.
                true => Place::Key(Bound::Unbounded),
                false => Place::Rank(rank),
            };
            return self.visit_entries(
                &at,
                Part::Scores,
                place,
                reverse,
                0,
                count,
                |_| false,
                visit,
            );
        };
        let (from, to) = (borrowed(&run.from), borrowed(&run.to));
        if len == 0 || limit == 0 {
            return Ok(());
        }
        if skip > FEW {
            let place = if reverse {
                let end = match to {
                    Bound::Unbounded => len,
                    to => self.rank(&at, ZSET, run.part, to)?,
                };
                end.checked_sub(skip).and_then(|end| end.checked_sub(1))
            } else {
                self.rank(&at, ZSET, run.part, from)?.checked_add(skip)
            };
            let Some(place) = place.map(Place::Rank) else { return Ok(()) };
            let beyond = |key: &[u8]| run.is_beyond(key, reverse);
            return self.visit_entries(&at, run.part, place, reverse, 0, limit, beyond, visit);
        }
        let place = match (reverse, to) {
            (false, _) => Place::Key(from),
            // Backwards a bound is where the walk may begin: the other way round.
            (true, Bound::Included(to)) => Place::Key(Bound::Excluded(to)),
            (true, Bound::Excluded(to)) => Place::Key(Bound::Included(to)),
            (true, Bound::Unbounded) => Place::Key(Bound::Unbounded),
        };
        let beyond = |key: &[u8]| run.is_beyond(key, reverse);
        self.visit_entries(&at, run.part, place, reverse, skip, limit, beyond, visit)
    }

    /// Number of members in `range`, which is not by ranks. Reads two pages, and the directory unless they are one.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_count(&mut self, db: Db, key: &[u8], range: &ZsetRange) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        let len = self.members(&at, ZSET)?;
        let Some(run) = Run::of(range) else { return Ok(ranks(range, len).1) };
        let (from, to) = (borrowed(&run.from), borrowed(&run.to));
        if let (
            Shape::Tree(id),
            Bound::Included(a) | Bound::Excluded(a),
            Bound::Included(b) | Bound::Excluded(b),
        ) = (self.shape(&at, ZSET)?, from, to)
        {
            let (first, last) =
                (self.page_of(&at, id, run.part, a)?, self.page_of(&at, id, run.part, b)?);
            if first == last {
                let leaf = &self.tree_page(&at, &first)?.leaf;
                return Ok(lower_bound(leaf, to).saturating_sub(lower_bound(leaf, from)) as u64);
            }
        }
        let end = match to {
            Bound::Unbounded => len,
            to => self.rank(&at, ZSET, run.part, to)?,
        };
        Ok(end.saturating_sub(self.rank(&at, ZSET, run.part, from)?))
    }

    /// Takes the members in `range` out; their number. With its last member the set is gone. All are taken, or none.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_remove_range(
        &mut self,
        db: Db,
        key: &[u8],
        range: &ZsetRange,
    ) -> Result<u64, Error> {
        Ok(self.take_range(db, key, range, false)?.len() as u64)
    }

    /// Takes out the `count` members of the least scores, or of the greatest; these, in that order, with their scores.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_pop(
        &mut self,
        db: Db,
        key: &[u8],
        count: u64,
        greatest: bool,
    ) -> Result<Vec<(Vec<u8>, f64)>, Error> {
        let last = match count.checked_sub(1) {
            // A type is wrong even if nothing is asked for.
            None => return self.zset_len(db, key).map(|_| Vec::new()),
            Some(last) => i64::try_from(last).unwrap_or(i64::MAX),
        };
        self.take_range(db, key, &ZsetRange::Ranks(0, last), greatest)
    }

    /// Gives `key` a sorted set of these members, whatever it had; of a member that comes more than once, the last score. Without
    /// any, the key is gone.
    ///
    /// # Errors
    /// [`Error::NotANumber`] if a score is NaN; [`Error::StringTooLong`]; [`Error::Storage`] if what the key had cannot be
    /// replaced.
    pub fn zset_replace(
        &mut self,
        db: Db,
        key: &[u8],
        mut members: Vec<(Vec<u8>, f64)>,
        expires_at: Option<UnixMillis>,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        for (member, score) in &members {
            crate::transaction::strings::check_len(member.len() as u64 + 16)?;
            if score.is_nan() {
                return Err(Error::NotANumber);
            }
        }
        // Stable: of one member, the last score comes last; the others go.
        if !members.is_sorted_by(|a, b| a.0 < b.0) {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            members.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    earlier.1 = later.1;
                }
                same
            });
        }
        let count = members.len() as u64;
        // As Redis would keep it: only what is larger than it keeps packed has a −0.
        let large = members.iter().any(|(member, _)| is_large(ZSET, count, member, b""));
        let kept = |score: f64| if large { score } else { score + 0.0 };
        let entries = members.iter().map(|(member, score)| (member, score::encode(kept(*score))));
        self.store(&at, ZSET, entries, expires_at)?;
        Ok(count)
    }

    /// Gives `to` a sorted set of the members of the one at `from` that [`Transaction::zset_range`] shows, whatever it had;
    /// their number. Without any, `to` is gone.
    ///
    /// # Errors
    /// As [`Transaction::zset_replace`].
    #[allow(clippy::too_many_arguments)]
    pub fn zset_store_range(
        &mut self,
        db: Db,
        from: &[u8],
        range: &ZsetRange,
        reverse: bool,
        skip: u64,
        limit: u64,
        to: &[u8],
    ) -> Result<u64, Error> {
        let mut found: Vec<(Vec<u8>, f64)> = Vec::new();
        self.zset_range(db, from, range, reverse, skip, limit, &mut |member, score| {
            found.push((member.to_vec(), score));
            ControlFlow::Continue(())
        })?;
        // Redis adds them one by one, and knows how many there will be only if it was asked for ranks: a −0 that comes
        // before the set is larger than it keeps packed becomes 0.
        let known = if matches!(range, ZsetRange::Ranks(..)) { found.len() as u64 } else { 0 };
        let mut large = false;
        for (count, (member, score)) in (1..).zip(&mut found) {
            large |= is_large(ZSET, known.max(count), member, b"");
            if !large {
                *score += 0.0;
            }
        }
        self.zset_replace(db, to, found, None)
    }

    fn take_range(
        &mut self,
        db: Db,
        key: &[u8],
        range: &ZsetRange,
        reverse: bool,
    ) -> Result<Vec<(Vec<u8>, f64)>, Error> {
        let mut found = Vec::new();
        self.zset_range(db, key, range, reverse, 0, u64::MAX, &mut |member, score| {
            found.push((member.to_vec(), score));
            ControlFlow::Continue(())
        })?;
        let at = self.at(db, key)?;
        if found.is_empty() {
            return Ok(found);
        }
        if found.len() as u64 == self.members(&at, ZSET)? {
            self.replace(&at, Value::Absent, None)?;
            return Ok(found);
        }
        if found.len() > 1 {
            // Whatever cannot be read says so before anything is changed.
            for (member, score) in &found {
                let home = self.home(&at, member)?;
                self.score_at(&at, &home, member)?;
                self.prepare(&at, &home, member, *score)?;
            }
        }
        for (member, score) in &found {
            let home = self.home(&at, member)?;
            self.take_member(&at, &home, member, *score)?;
        }
        Ok(found)
    }

    /// Visits entries from `place` on until one is `beyond`: passes over `skip` and shows at most `limit` of them.
    #[allow(clippy::too_many_arguments)]
    fn visit_entries(
        &mut self,
        at: &At,
        part: Part,
        place: Place<'_>,
        reverse: bool,
        mut skip: u64,
        limit: u64,
        beyond: impl Fn(&[u8]) -> bool,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        let (mut left, mut sound) = (limit, true);
        if left == 0 {
            return Ok(());
        }
        let mut each = |key: &[u8], value: &[u8]| {
            if beyond(key) {
                return ControlFlow::Break(());
            }
            if skip > 0 {
                skip -= 1;
                return ControlFlow::Continue(());
            }
            let entry = match part {
                Part::Scores => score::entry(key, value),
                Part::Members => score::decode(value).map(|score| (score, key)),
            };
            let Some((score, member)) = entry else {
                sound = false;
                return ControlFlow::Break(());
            };
            visit(member, score)?;
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match reverse {
            false => self.walk_forward(at, ZSET, part, place, &mut each)?,
            true => self.walk_back(at, ZSET, part, place, &mut each)?,
        }
        if sound { Ok(()) } else { Err(damaged(&at.name, NO_SCORE)) }
    }

    /// A member and its score, of a member and its score's bytes.
    pub(super) fn scored(
        &self,
        at: &At,
        (member, bytes): (Vec<u8>, Vec<u8>),
    ) -> Result<(Vec<u8>, f64), Error> {
        let score = score::decode(&bytes).ok_or_else(|| damaged(&at.name, NO_SCORE))?;
        Ok((member, score))
    }
}

impl Run {
    /// Whether a walk that began at one end has come out at the other.
    fn is_beyond(&self, key: &[u8], reverse: bool) -> bool {
        if reverse { self.begins_after(key) } else { self.ends_before(key) }
    }
}

/// The first rank of a range by ranks, and how many there are, of `len` members.
fn ranks(range: &ZsetRange, len: u64) -> (u64, u64) {
    let ZsetRange::Ranks(start, stop) = *range else { return (0, 0) };
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_start = |rank: i64| if rank < 0 { len.saturating_add(rank) } else { rank };
    let (start, stop) = (from_start(start).max(0), from_start(stop).min(len - 1));
    if start > stop { (0, 0) } else { (start as u64, (stop - start) as u64 + 1) }
}
