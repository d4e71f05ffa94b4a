//! Sets: members, each once.

use super::walk::Place;
use super::{At, Transaction};
use crate::collection::{LARGE, is_large};
use crate::layout::Part;
use crate::value::{Change, Value};
use crate::{Db, Error, Kind};
use std::ops::{Bound, ControlFlow};

pub(super) const SET: Kind = Kind::Set;
pub(super) const MEMBERS: Part = Part::Members;
const FIRST: Place<'static> = Place::Key(Bound::Unbounded);

impl Transaction<'_> {
    /// Adds `members` to the set at `key`; the number of those that are new. A missing key becomes a set. Costs a delta
    /// of each page that gets one in the log, if the set is large. All are added, or none.
    ///
    /// # Errors
    /// [`Error::WrongType`] if `key` holds something else; [`Error::StringTooLong`] if a member exceeds
    /// [`crate::MAX_VALUE_BYTES`]; [`Error::Storage`] or [`Error::Damaged`] if what is needed cannot be read. So for
    /// all methods of sets.
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"tags"[..])], now);
    /// assert_eq!(transaction.set_add(db, b"tags", [&b"new"[..], b"red", b"new"].into_iter())?, 2);
    /// assert!(transaction.set_contains(db, b"tags", b"red")?);
    /// transaction.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_add<'m>(
        &mut self,
        db: Db,
        key: &[u8],
        members: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        if members.clone().nth(1).is_some() {
            for member in members.clone() {
                super::strings::check_len(member.len() as u64)?;
                // Whatever cannot be read says so before anything is changed.
                self.element(&at, SET, MEMBERS, member)?;
            }
        }
        let mut new = 0;
        for member in members {
            new += u64::from(self.put_element(&at, SET, MEMBERS, member, b"")?);
        }
        Ok(new)
    }

    /// Takes `members` out; the number of those that were there. With its last member the set is gone. All are taken,
    /// or none.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_remove<'m>(
        &mut self,
        db: Db,
        key: &[u8],
        members: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.take_members(&at, members)
    }

    /// Whether `member` is in the set; none is in a missing one. Reads the key's record and one page at most.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_contains(&mut self, db: Db, key: &[u8], member: &[u8]) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        Ok(self.element(&at, SET, MEMBERS, member)?.is_some())
    }

    /// Number of members; 0 of a missing key. Reads the key's record only.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_len(&mut self, db: Db, key: &[u8]) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.members(&at, SET)
    }

    /// Shows all members to `visit`, in byte order, until it breaks.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_walk(
        &mut self,
        db: Db,
        key: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        self.walk_forward(&at, SET, MEMBERS, FIRST, &mut |member, _| visit(member))
    }

    /// One step of a scan: the next cursor, 0 at the end; about `count` members are shown to `visit`. A small set is gone
    /// through in one step. A member that is there from the first step, with cursor 0, to the last is shown
    /// exactly once.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_scan(
        &mut self,
        db: Db,
        key: &[u8],
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.scan_elements(&at, SET, cursor, count, &mut |member, _| visit(member))
    }

    /// A member chosen by `choose(n)`, a number below n, equally likely if that is. `None` of a missing key.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_random(
        &mut self,
        db: Db,
        key: &[u8],
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let at = self.at(db, key)?;
        self.random_member(&at, choose)
    }

    /// Up to `count` different members chosen by `choose(n)`, a number below n, each choice of that many being equally
    /// likely if that is; in byte order.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_sample(
        &mut self,
        db: Db,
        key: &[u8],
        count: u64,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let at = self.at(db, key)?;
        let chosen = self.sample_elements(&at, SET, MEMBERS, count, choose)?;
        Ok(chosen.into_iter().map(|(member, _)| member).collect())
    }

    /// As [`Transaction::set_random`], and takes the member out.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_pop(
        &mut self,
        db: Db,
        key: &[u8],
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let at = self.at(db, key)?;
        let Some(member) = self.random_member(&at, choose)? else { return Ok(None) };
        self.take_element(&at, SET, MEMBERS, &member)?;
        Ok(Some(member))
    }

    /// As [`Transaction::set_sample`], and takes the members out: all of them, or none.
    ///
    /// # Errors
    /// As [`Transaction::set_add`].
    pub fn set_pop_many(
        &mut self,
        db: Db,
        key: &[u8],
        count: u64,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let popped = self.set_sample(db, key, count, choose)?;
        if popped.is_empty() {
            return Ok(popped);
        }
        let at = self.at(db, key)?;
        let left = self.members(&at, SET)? - popped.len() as u64;
        if left == 0 {
            self.delete(db, key)?;
            return Ok(popped);
        }
        self.take_members(&at, popped.iter().map(Vec::as_slice))?;
        // Redis makes a new set of the rest, if that is the lesser part: it may be packed again.
        const LESSER: u64 = 5;
        if left.saturating_mul(LESSER) <= count && self.is_packable(&at, left)? {
            self.set_large(&at, false)?;
        }
        Ok(popped)
    }

    /// Moves `member` from one set to another, which is made if it is missing; false if it is not in `from`.
    ///
    /// # Errors
    /// As [`Transaction::set_add`]; nobody asks what `to` holds if `from` is missing.
    pub fn set_move(
        &mut self,
        db: Db,
        from: &[u8],
        to: &[u8],
        member: &[u8],
    ) -> Result<bool, Error> {
        let (from, to) = (self.at(db, from)?, self.at(db, to)?);
        if self.members(&from, SET)? == 0 {
            return Ok(false);
        }
        // Whatever cannot be read says so before anything is changed.
        self.element(&to, SET, MEMBERS, member)?;
        let there = self.element(&from, SET, MEMBERS, member)?.is_some();
        if there && *from.name != *to.name {
            self.take_element(&from, SET, MEMBERS, member)?;
            self.put_element(&to, SET, MEMBERS, member, b"")?;
        }
        Ok(there)
    }

    /// Notes whether the set at a key, which is there, counts as larger than what Redis keeps packed.
    pub(super) fn set_large(&mut self, at: &At, large: bool) -> Result<(), Error> {
        let entry = self.touch_live(at)?;
        let (Value::Small(crate::collection::tree::Small { flags, .. })
        | Value::Tree(crate::collection::tree::Tree { flags, .. })) = &mut entry.value
        else {
            unreachable!("whoever asks has looked")
        };
        let wanted = if large { LARGE } else { 0 };
        if std::mem::replace(flags, wanted) != wanted {
            entry.change = entry.change.max(Change::Base);
        }
        Ok(())
    }

    /// Whether Redis would keep a new set of the `count` members packed.
    fn is_packable(&mut self, at: &At, count: u64) -> Result<bool, Error> {
        let mut packable = true;
        self.walk_forward(at, SET, MEMBERS, FIRST, &mut |member, _| {
            packable = !is_large(SET, count, member, b"");
            if packable { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(packable)
    }

    fn random_member(
        &mut self,
        at: &At,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.members(at, SET)? {
            0 => Ok(None),
            len => {
                let found = self.element_at(at, SET, MEMBERS, choose(len as usize) as u64)?;
                Ok(found.map(|(member, _)| member))
            }
        }
    }

    fn take_members<'m>(
        &mut self,
        at: &At,
        members: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> Result<u64, Error> {
        if members.clone().nth(1).is_some() {
            // Whatever cannot be read says so before anything is changed.
            for member in members.clone() {
                self.element(at, SET, MEMBERS, member)?;
            }
        }
        let mut taken = 0;
        for member in members {
            taken += u64::from(self.take_element(at, SET, MEMBERS, member)?.is_some());
        }
        Ok(taken)
    }
}
