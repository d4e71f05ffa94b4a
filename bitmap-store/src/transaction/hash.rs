//! Hashes: fields, each with a value.

use super::number::{self, LongDouble, integer};
use super::walk::{Pair, Place, Visit};
use super::{At, Transaction};
use crate::layout::Part;
use crate::{Db, Error, Kind};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

const HASH: Kind = Kind::Hash;
const FIELDS: Part = Part::Members;

impl Transaction<'_> {
    /// Gives `field` of the hash at `key` a value; true if the field is new. A missing key becomes a hash. Costs one
    /// page's delta in the log, if the hash is large.
    ///
    /// # Errors
    /// [`Error::WrongType`] if `key` holds something else; [`Error::StringTooLong`] if field and value together exceed
    /// [`crate::MAX_VALUE_BYTES`]; [`Error::Storage`] or [`Error::Damaged`] if what is needed cannot be read. So for
    /// all methods of hashes.
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"user:7"[..])], now);
    /// assert!(transaction.hash_set(db, b"user:7", b"name", b"Ada")?);
    /// assert!(!transaction.hash_set(db, b"user:7", b"name", b"Ada L.")?);
    /// assert_eq!(transaction.hash_get(db, b"user:7", b"name")?.as_deref(), Some(&b"Ada L."[..]));
    /// transaction.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hash_set(
        &mut self,
        db: Db,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        self.put_element(&at, HASH, FIELDS, field, value)
    }

    /// As [`Transaction::hash_set`] of several fields; the number of new ones. All are set, or none.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_set_all<'f>(
        &mut self,
        db: Db,
        key: &[u8],
        pairs: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        if pairs.clone().nth(1).is_some() {
            for (field, value) in pairs.clone() {
                super::strings::check_len((field.len() + value.len()) as u64)?;
                // Whatever cannot be read says so before anything is changed.
                self.element(&at, HASH, FIELDS, field)?;
            }
        }
        let mut new = 0;
        for (field, value) in pairs {
            new += u64::from(self.put_element(&at, HASH, FIELDS, field, value)?);
        }
        Ok(new)
    }

    /// As [`Transaction::hash_set`], but a field that is there stays as it is: false then.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_set_new(
        &mut self,
        db: Db,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        if self.element(&at, HASH, FIELDS, field)?.is_some() {
            return Ok(false);
        }
        self.put_element(&at, HASH, FIELDS, field, value)
    }

    /// The value of `field`; `None` if the field, or the key, is missing. Reads the key's record and one page at most.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_get(&mut self, db: Db, key: &[u8], field: &[u8]) -> Result<Option<Bytes>, Error> {
        let at = self.at(db, key)?;
        Ok(self.element(&at, HASH, FIELDS, field)?.map(Bytes::copy_from_slice))
    }

    /// The length of the value of `field` in bytes; `None` if the field, or the key, is missing.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_value_len(
        &mut self,
        db: Db,
        key: &[u8],
        field: &[u8],
    ) -> Result<Option<u64>, Error> {
        let at = self.at(db, key)?;
        Ok(self.element(&at, HASH, FIELDS, field)?.map(|value| value.len() as u64))
    }

    /// Number of fields; 0 of a missing key. Reads the key's record only.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_len(&mut self, db: Db, key: &[u8]) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.members(&at, HASH)
    }

    /// Takes `fields` out; the number of those that were there. With its last field the hash is gone. All are taken, or
    /// none.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_delete<'f>(
        &mut self,
        db: Db,
        key: &[u8],
        fields: impl Iterator<Item = &'f [u8]> + Clone,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        if fields.clone().nth(1).is_some() {
            // Whatever cannot be read says so before anything is changed.
            for field in fields.clone() {
                self.element(&at, HASH, FIELDS, field)?;
            }
        }
        let mut taken = 0;
        for field in fields {
            taken += u64::from(self.take_element(&at, HASH, FIELDS, field)?.is_some());
        }
        Ok(taken)
    }

    /// Shows all fields and their values to `visit`, in byte order of the fields, until it breaks.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_walk(&mut self, db: Db, key: &[u8], visit: Visit<'_>) -> Result<(), Error> {
        let at = self.at(db, key)?;
        let first = Place::Key(Bound::Unbounded);
        self.walk_forward(&at, HASH, FIELDS, first, visit)
    }

    /// One step of a scan: the next cursor, 0 at the end; about `count` fields with their values are shown to `visit`. A
    /// small hash is gone through in one step. A field that is there from the first step, with cursor 0, to the
    /// last is shown exactly once.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_scan(
        &mut self,
        db: Db,
        key: &[u8],
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.scan_elements(&at, HASH, cursor, count, visit)
    }

    /// A field chosen by `choose(n)`, a number below n, equally likely if that is; with its value. `None` of a missing
    /// key.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_random(
        &mut self,
        db: Db,
        key: &[u8],
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Option<Pair>, Error> {
        let at = self.at(db, key)?;
        match self.members(&at, HASH)? {
            0 => Ok(None),
            len => self.element_at(&at, HASH, FIELDS, choose(len as usize) as u64),
        }
    }

    /// Up to `count` different fields chosen by `choose(n)`, a number below n, each choice of that many being equally
    /// likely if that is; with their values, in byte order.
    ///
    /// # Errors
    /// As [`Transaction::hash_set`].
    pub fn hash_sample(
        &mut self,
        db: Db,
        key: &[u8],
        count: u64,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Vec<Pair>, Error> {
        let at = self.at(db, key)?;
        self.sample_elements(&at, HASH, FIELDS, count, choose)
    }

    /// Adds to the integer that `field` holds, a missing one being 0; returns the sum.
    ///
    /// # Errors
    /// [`Error::FieldNotInteger`], [`Error::Overflow`]; else as [`Transaction::hash_set`].
    pub fn hash_incr_by(
        &mut self,
        db: Db,
        key: &[u8],
        field: &[u8],
        by: i64,
    ) -> Result<i64, Error> {
        let at = self.at(db, key)?;
        let value = match self.element(&at, HASH, FIELDS, field)? {
            None => 0,
            Some(text) => integer(text).ok_or(Error::FieldNotInteger)?,
        };
        let sum = value.checked_add(by).ok_or(Error::Overflow)?;
        self.put_element(&at, HASH, FIELDS, field, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    /// Adds `by`, a number in decimal digits, to the one that `field` holds, a missing one being 0; returns the sum as
    /// Redis prints it (on x86-64, where it adds in 80 bits).
    ///
    /// # Errors
    /// [`Error::NotFloat`] and [`Error::NotFinite`] about `by`, [`Error::FieldNotFloat`], [`Error::NanOrInfinity`] if
    /// the sum is not finite; else as [`Transaction::hash_set`].
    pub fn hash_incr_by_float(
        &mut self,
        db: Db,
        key: &[u8],
        field: &[u8],
        by: &[u8],
    ) -> Result<Bytes, Error> {
        if !LongDouble::parse(by).ok_or(Error::NotFloat)?.is_finite() {
            return Err(Error::NotFinite);
        }
        let at = self.at(db, key)?;
        let value = self.element(&at, HASH, FIELDS, field)?.unwrap_or(b"0");
        let sum = number::sum(value, by).map_err(|e| match e {
            Error::NotFloat => Error::FieldNotFloat,
            other => other,
        })?;
        self.put_element(&at, HASH, FIELDS, field, &sum)?;
        Ok(sum.into())
    }

    /// Up to `count` different entries chosen at random, in order: see [`Transaction::hash_sample`].
    pub(super) fn sample_elements(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        count: u64,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Vec<Pair>, Error> {
        let len = self.members(at, kind)?;
        let mut found = Vec::new();
        if count >= len {
            let all = Place::Key(Bound::Unbounded);
            self.walk_forward(at, kind, part, all, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })?;
            return Ok(found);
        }
        // Floyd's way: each number joins, or the greatest possible instead of one that is there already.
        let mut ranks = BTreeSet::new();
        for most in len - count..len {
            let rank = choose(most as usize + 1) as u64;
            if !ranks.insert(rank) {
                ranks.insert(most);
            }
        }
        for rank in ranks {
            found.extend(self.element_at(at, kind, part, rank)?);
        }
        Ok(found)
    }
}
