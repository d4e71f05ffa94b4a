//! Single members: their scores and ranks, adding and removing them.

use super::ZSET;
use crate::collection::score;
use crate::layout::Part;
use crate::transaction::Transaction;
use crate::{Db, Error};
use std::ops::Bound;

/// Which members [`Transaction::zset_add`] gives a score, and which score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZsetRule {
    /// Those that are there stay as they are.
    pub only_new: bool,
    /// Those that are not there are not added.
    pub only_existing: bool,
    /// Those that are there get a greater score only.
    pub only_greater: bool,
    /// Those that are there get a lesser score only.
    pub only_less: bool,
    /// The score is added to the one that a member has.
    pub increment: bool,
}

/// What [`Transaction::zset_add`] did with a member, and the score that it has now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ZsetAdded {
    /// It is new.
    New(f64),
    /// It has another score.
    Changed(f64),
    /// It had this score.
    Same(f64),
    /// The rule left it as it was, or out.
    Refused,
}

impl Transaction<'_> {
    /// Gives `member` of the sorted set at `key` a score, as far as `rule` allows. A missing key becomes a sorted set.
    /// Costs a delta of two or three pages in the log, if the set is large.
    ///
    /// # Errors
    /// [`Error::NotANumber`] if the score is NaN, or becomes it; [`Error::WrongType`] if `key` holds something else;
    /// [`Error::StringTooLong`] if the member is hardly shorter than [`crate::MAX_VALUE_BYTES`]; [`Error::Storage`] or
    /// [`Error::Damaged`] if what is needed cannot be read. So for all methods of sorted sets.
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis, ZsetAdded, ZsetRule};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"board"[..])], now);
    /// transaction.zset_add(db, b"board", b"ada", 12.0, ZsetRule::default())?;
    /// let by = ZsetRule { increment: true, ..ZsetRule::default() };
    /// assert_eq!(transaction.zset_add(db, b"board", b"ada", 2.5, by)?, ZsetAdded::Changed(14.5));
    /// transaction.zset_add(db, b"board", b"eve", 9.0, by)?;
    /// assert_eq!(transaction.zset_rank(db, b"board", b"ada")?, Some((1, 14.5)));
    /// transaction.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn zset_add(
        &mut self,
        db: Db,
        key: &[u8],
        member: &[u8],
        score: f64,
        rule: ZsetRule,
    ) -> Result<ZsetAdded, Error> {
        if score.is_nan() {
            return Err(Error::NotANumber);
        }
        let at = self.at(db, key)?;
        let home = self.home(&at, member)?;
        let old = self.score_at(&at, &home, member)?;
        let Some(has) = old else {
            if rule.only_existing {
                return Ok(ZsetAdded::Refused);
            }
            self.put_score(&at, &home, member, None, score)?;
            return Ok(ZsetAdded::New(score));
        };
        if rule.only_new {
            return Ok(ZsetAdded::Refused);
        }
        let score = if rule.increment { has + score } else { score };
        if score.is_nan() {
            return Err(Error::NotANumber);
        }
        if rule.only_greater && score <= has || rule.only_less && score >= has {
            return Ok(ZsetAdded::Refused);
        }
        if score == has {
            return Ok(ZsetAdded::Same(score));
        }
        self.put_score(&at, &home, member, old, score)?;
        Ok(ZsetAdded::Changed(score))
    }

    /// As [`Transaction::zset_add`] of several members, without an increment; how many are new, and how many others have
    /// another score. All are added, or none.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_add_all<'m>(
        &mut self,
        db: Db,
        key: &[u8],
        members: impl Iterator<Item = (&'m [u8], f64)> + Clone,
        rule: ZsetRule,
    ) -> Result<(u64, u64), Error> {
        let rule = ZsetRule { increment: false, ..rule };
        if members.clone().nth(1).is_some() {
            let at = self.at(db, key)?;
            for (member, score) in members.clone() {
                if score.is_nan() {
                    return Err(Error::NotANumber);
                }
                crate::transaction::strings::check_len(member.len() as u64 + 16)?;
                let home = self.home(&at, member)?;
                self.prepare(&at, &home, member, score)?;
                if let Some(old) = self.score_at(&at, &home, member)? {
                    self.prepare(&at, &home, member, old)?;
                }
            }
        }
        let (mut new, mut changed) = (0, 0);
        for (member, score) in members {
            match self.zset_add(db, key, member, score, rule)? {
                ZsetAdded::New(_) => new += 1,
                ZsetAdded::Changed(_) => changed += 1,
                ZsetAdded::Same(_) | ZsetAdded::Refused => {}
            }
        }
        Ok((new, changed))
    }

    /// Takes `members` out; the number of those that were there. With its last member the set is gone. All are taken, or
    /// none.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_remove<'m>(
        &mut self,
        db: Db,
        key: &[u8],
        members: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        if members.clone().nth(1).is_some() {
            for member in members.clone() {
                let home = self.home(&at, member)?;
                if let Some(score) = self.score_at(&at, &home, member)? {
                    self.prepare(&at, &home, member, score)?;
                }
            }
        }
        let mut taken = 0;
        for member in members {
            let home = self.home(&at, member)?;
            if let Some(score) = self.score_at(&at, &home, member)? {
                self.take_member(&at, &home, member, score)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// The score of `member`; `None` if the member, or the key, is missing. Reads the key's record and one page at most.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_score(&mut self, db: Db, key: &[u8], member: &[u8]) -> Result<Option<f64>, Error> {
        let at = self.at(db, key)?;
        let home = self.home(&at, member)?;
        self.score_at(&at, &home, member)
    }

    /// Number of members; 0 of a missing key. Reads the key's record only.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_len(&mut self, db: Db, key: &[u8]) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.members(&at, ZSET)
    }

    /// How many members are before `member`, and its score; `None` if the member, or the key, is missing. The first such
    /// question about a large set reads the front of every page of its scores.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_rank(
        &mut self,
        db: Db,
        key: &[u8],
        member: &[u8],
    ) -> Result<Option<(u64, f64)>, Error> {
        let at = self.at(db, key)?;
        let home = self.home(&at, member)?;
        let Some(score) = self.score_at(&at, &home, member)? else { return Ok(None) };
        let place = score::key(score, member);
        let rank = self.rank(&at, ZSET, Part::Scores, Bound::Included(&place))?;
        Ok(Some((rank, score)))
    }

    /// One step of a scan: the next cursor, 0 at the end; about `count` members with their scores are shown to `visit`, in
    /// byte order. A small set is gone through in one step. A member that is there from the first step, with cursor
    /// 0, to the last is shown exactly once.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_scan(
        &mut self,
        db: Db,
        key: &[u8],
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], f64),
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        let mut sound = true;
        let next =
            self.scan_elements(
                &at,
                ZSET,
                cursor,
                count,
                &mut |member, bytes| match score::decode(bytes) {
                    Some(score) => visit(member, score),
                    None => sound = false,
                },
            )?;
        if sound { Ok(next) } else { Err(crate::value::damaged(&at.name, super::NO_SCORE)) }
    }

    /// A member chosen by `choose(n)`, a number below n, equally likely if that is; with its score. `None` of a missing
    /// key.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_random(
        &mut self,
        db: Db,
        key: &[u8],
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Option<(Vec<u8>, f64)>, Error> {
        let at = self.at(db, key)?;
        let found = match self.members(&at, ZSET)? {
            0 => None,
            len => self.element_at(&at, ZSET, Part::Members, choose(len as usize) as u64)?,
        };
        found.map(|found| self.scored(&at, found)).transpose()
    }

    /// Up to `count` different members chosen by `choose(n)`, a number below n, each choice of that many being equally
    /// likely if that is; with their scores, in byte order.
    ///
    /// # Errors
    /// As [`Transaction::zset_add`].
    pub fn zset_sample(
        &mut self,
        db: Db,
        key: &[u8],
        count: u64,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Vec<(Vec<u8>, f64)>, Error> {
        let at = self.at(db, key)?;
        let found = self.sample_elements(&at, ZSET, Part::Members, count, choose)?;
        found.into_iter().map(|found| self.scored(&at, found)).collect()
    }
}
