//! Values as a whole and apart from their keys: what DUMP takes out, and RESTORE puts in.

use super::Transaction;
use super::strings::check_len;
use crate::text::Text;
use crate::value::Value;
use crate::{Db, Error, rdb};
use bitcask_core::UnixMillis;

impl Transaction<'_> {
    /// The whole value of `key`; `None` if it is missing. A bitmap is the string that it is.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if it cannot be read.
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
        // Collections are to be read out here, by their kind.
        Ok(self.get(db, key)?.map(rdb::Value::String))
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
            // Collections are to be put in here, by their kind.
            rdb::Value::List(_) => "a list",
            rdb::Value::Set(_) => "a set",
            rdb::Value::Hash(_) => "a hash",
            rdb::Value::SortedSet(_) => "a sorted set",
        };
        Err(Error::Unsupported(what))
    }
}
