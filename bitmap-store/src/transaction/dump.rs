//! Values as a whole and apart from their keys: what DUMP takes out, and RESTORE puts in.

use super::strings::check_len;
use super::{At, Transaction};
use crate::layout::Part;
use crate::text::Text;
use crate::value::Value;
use crate::{Db, Error, Kind, MAX_VALUE_BYTES, rdb};
use bitcask_core::UnixMillis;
use std::ops::ControlFlow;

impl Transaction<'_> {
    /// The whole value of `key`; `None` if it is missing. A bitmap is the string that it is.
    ///
    /// # Errors
    /// [`Error::StringTooLong`] if a collection is larger than the longest string; [`Error::Unsupported`] for one that
    /// cannot be dumped; [`Error::Storage`] or [`Error::Damaged`] if it cannot be read.
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
        // Collections are read out here, by their kind.
        let value = match self.kind(db, key)? {
            None => return Ok(None),
            Some(Kind::String) => return Ok(self.get(db, key)?.map(rdb::Value::String)),
            Some(Kind::Hash) => {
                let mut pairs = Vec::new();
                let mut left = MAX_VALUE_BYTES;
                self.hash_walk(db, key, &mut |field, value| {
                    let taken = left.checked_sub((field.len() + value.len()) as u64);
                    pairs.push((field.to_vec(), value.to_vec()));
                    left = taken.unwrap_or(0);
                    if taken.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                if left == 0 {
                    return Err(Error::StringTooLong);
                }
                rdb::Value::Hash(pairs)
            }
            Some(Kind::List) => return Err(Error::Unsupported("a list")),
            Some(Kind::Set) => return Err(Error::Unsupported("a set")),
            Some(Kind::SortedSet) => return Err(Error::Unsupported("a sorted set")),
        };
        Ok(Some(value))
    }

    /// Gives `key` a value, whatever it held, and an expiry (`None`: it never expires).
    ///
    /// # Errors
    /// [`Error::StringTooLong`]; [`Error::Unsupported`] for a collection; else as [`Transaction::value`].
    pub fn set_value(
        &mut self,
        db: Db,
        key: &[u8],
        value: rdb::Value,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let what = match value {
            rdb::Value::String(bytes) => {
                let at = self.at(db, key)?;
                check_len(bytes.len() as u64)?;
                return self.replace(&at, Value::String(Text::new(bytes, false)), expires_at);
            }
            // Collections are put in here, by their kind.
            rdb::Value::Hash(pairs) => {
                for (field, value) in &pairs {
                    check_len((field.len() + value.len()) as u64)?;
                }
                let at = self.at(db, key)?;
                self.replace(&at, Value::Absent, None)?;
                for (field, value) in &pairs {
                    self.put_element(&at, Kind::Hash, Part::Members, field, value)?;
                }
                return self.expire_new(&at, expires_at);
            }
            rdb::Value::List(_) => "a list",
            rdb::Value::Set(_) => "a set",
            rdb::Value::SortedSet(_) => "a sorted set",
        };
        Err(Error::Unsupported(what))
    }

    /// Gives a key whose value was just put in its expiry.
    fn expire_new(&mut self, at: &At, expires_at: Option<UnixMillis>) -> Result<(), Error> {
        if expires_at.is_some() {
            self.touch_live(at)?.expires_at = expires_at;
        }
        Ok(())
    }
}
