//! Values as a whole and apart from their keys: what DUMP takes out, and RESTORE puts in.

use super::strings::check_len;
use super::{Transaction, ZsetRange};
use crate::text::Text;
use crate::value::Value;
use crate::{Db, Error, Kind, MAX_VALUE_BYTES, rdb};
use bitcask_core::UnixMillis;
use std::ops::ControlFlow;

impl Transaction<'_> {
    /// The whole value of `key`; `None` if it is missing. A bitmap is the string that it is.
    ///
    /// # Errors
    /// [`Error::StringTooLong`] if a collection is larger than the longest string; [`Error::Storage`] or [`Error::Damaged`] if it cannot be read.
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// # let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let keys = [(db, &b"a"[..]), (db, &b"b"[..])];
    /// let mut transaction = keyspace.begin(keys, now);
    /// transaction.set_bit(db, b"a", 7, true)?;
    /// let payload = transaction.value(db, b"a")?.expect("it is there").dump();
    /// let value = bitmap_store::rdb::Value::restore(&payload)?;
    /// transaction.set_value(db, b"b", value, None)?;
    /// assert!(transaction.get_bit(db, b"b", 7)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn value(&mut self, db: Db, key: &[u8]) -> Result<Option<rdb::Value>, Error> {
        let mut left = MAX_VALUE_BYTES;
        // False once there is more than can be dumped.
        let mut fits = |len: usize| {
            let taken = left.checked_sub(len as u64);
            left = taken.unwrap_or(0);
            if taken.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let value = match self.kind(db, key)? {
            None => return Ok(None),
            Some(Kind::String) => return Ok(self.get(db, key)?.map(rdb::Value::String)),
            Some(Kind::Hash) => {
                let mut pairs = Vec::new();
                self.hash_walk(db, key, &mut |field, value| {
                    pairs.push((field.to_vec(), value.to_vec()));
                    fits(field.len() + value.len())
                })?;
                rdb::Value::Hash(pairs)
            }
            Some(Kind::List) => {
                let mut elements = Vec::new();
                self.list_walk(db, key, 0, -1, &mut |element| {
                    elements.push(element.to_vec());
                    fits(element.len())
                })?;
                rdb::Value::List(elements)
            }
            Some(Kind::Set) => {
                let mut members = Vec::new();
                self.set_walk(db, key, &mut |member| {
                    members.push(member.to_vec());
                    fits(member.len())
                })?;
                rdb::Value::Set(members)
            }
            Some(Kind::SortedSet) => {
                let (mut members, all) = (Vec::new(), ZsetRange::Ranks(0, -1));
                self.zset_range(db, key, &all, false, 0, u64::MAX, &mut |member, score| {
                    members.push((member.to_vec(), score));
                    fits(member.len())
                })?;
                rdb::Value::SortedSet(members)
            }
        };
        match fits(0) {
            ControlFlow::Continue(()) if left > 0 => Ok(Some(value)),
            _ => Err(Error::StringTooLong),
        }
    }

    /// Gives `key` a value, whatever it held, and an expiry (`None`: it never expires).
    ///
    /// # Errors
    /// [`Error::StringTooLong`]; else as [`Transaction::value`].
    pub fn set_value(
        &mut self,
        db: Db,
        key: &[u8],
        value: rdb::Value,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        match value {
            rdb::Value::String(bytes) => {
                check_len(bytes.len() as u64)?;
                self.replace(&at, Value::String(Text::new(bytes, false)), expires_at)
            }
            rdb::Value::Hash(mut pairs) => {
                for (field, value) in &pairs {
                    check_len((field.len() + value.len()) as u64)?;
                }
                pairs.sort_unstable();
                self.store(&at, Kind::Hash, pairs, expires_at)
            }
            rdb::Value::List(elements) => {
                let elements = elements.iter().map(|element| &element[..]);
                self.list_store(db, key, elements, expires_at)
            }
            rdb::Value::Set(mut members) => {
                members.iter().try_for_each(|member| check_len(member.len() as u64))?;
                members.sort_unstable();
                self.store(
                    &at,
                    Kind::Set,
                    members.into_iter().map(|member| (member, b"")),
                    expires_at,
                )
            }
            rdb::Value::SortedSet(members) => {
                self.zset_replace(db, key, members, expires_at).map(drop)
            }
        }
    }
}
