//! HyperLogLogs: estimates of how many different elements there were. Each is a string.

use super::{At, Transaction};
use crate::hyperloglog::{self, Corrupt, HyperLogLog, REGISTERS};
use crate::text::Text;
use crate::value::{Change, Value};
use crate::{Db, Error};
use std::ops::Range;

/// Changed bytes that are no further apart are written as one part: each part costs about that.
const GAP: usize = 4;

impl From<Corrupt> for Error {
    fn from(_: Corrupt) -> Self {
        Error::CorruptHyperLogLog
    }
}

impl Transaction<'_> {
    /// Adds elements to the HyperLogLog at `key`, which is made if it is missing. True if it was, or if what
    /// it estimates may have changed.
    ///
    /// # Errors
    /// [`Error::NotHyperLogLog`], [`Error::CorruptHyperLogLog`]; [`Error::Storage`] or [`Error::Damaged`] if it
    /// cannot be read.
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// # let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"visitors"[..])], now);
    /// assert!(transaction.pf_add(db, b"visitors", [&b"ada"[..], b"grace", b"ada"])?);
    /// assert_eq!(transaction.pf_count(db, [&b"visitors"[..]])?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pf_add<'e>(
        &mut self,
        db: Db,
        key: &[u8],
        elements: impl IntoIterator<Item = &'e [u8]>,
    ) -> Result<bool, Error> {
        let old = self.hyperloglog(db, key)?;
        let mut changed = old.is_none();
        let mut log = old.unwrap_or_else(HyperLogLog::new);
        for element in elements {
            changed |= log.add(element)?;
        }
        if changed {
            log.forget();
            self.put_hyperloglog(db, key, &log)?;
        }
        Ok(changed)
    }

    /// About how many different elements were added to the HyperLogLogs at `keys` together; a missing one has
    /// none. That of a single one is remembered in its string.
    ///
    /// # Errors
    /// As [`Transaction::pf_add`].
    pub fn pf_count<'k>(
        &mut self,
        db: Db,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<u64, Error> {
        let mut keys = keys.into_iter().peekable();
        let Some(first) = keys.next() else { return Ok(0) };
        if keys.peek().is_some() {
            let mut registers = [0; REGISTERS];
            for key in std::iter::once(first).chain(keys) {
                if let Some(log) = self.hyperloglog(db, key)? {
                    log.merge_into(&mut registers)?;
                }
            }
            return Ok(hyperloglog::count(&registers));
        }
        let Some(mut log) = self.hyperloglog(db, first)? else { return Ok(0) };
        if let Some(count) = log.remembered() {
            return Ok(count);
        }
        let count = log.count()?;
        log.remember(count);
        self.put_hyperloglog(db, first, &log)?;
        Ok(count)
    }

    /// Adds what was added to the HyperLogLogs at `from` to the one at `to`, which is made if it is missing. It
    /// becomes dense if one of them is.
    ///
    /// # Errors
    /// As [`Transaction::pf_add`].
    pub fn pf_merge<'k>(
        &mut self,
        db: Db,
        to: &[u8],
        from: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<(), Error> {
        let mut registers = [0; REGISTERS];
        let old = self.hyperloglog(db, to)?;
        let mut is_dense = false;
        if let Some(log) = &old {
            log.merge_into(&mut registers)?;
            is_dense = log.is_dense();
        }
        for key in from {
            if let Some(log) = self.hyperloglog(db, key)? {
                log.merge_into(&mut registers)?;
                is_dense |= log.is_dense();
            }
        }
        let mut log = old.unwrap_or_else(HyperLogLog::new);
        if is_dense {
            log.make_dense()?;
        }
        for (index, value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
            log.raise(index, *value)?;
        }
        log.forget();
        self.put_hyperloglog(db, to, &log)
    }

    /// Makes the HyperLogLog at `key` dense; false if it was. `None` if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::pf_add`].
    pub fn pf_make_dense(&mut self, db: Db, key: &[u8]) -> Result<Option<bool>, Error> {
        let Some(mut log) = self.hyperloglog(db, key)? else { return Ok(None) };
        if log.is_dense() {
            return Ok(Some(false));
        }
        log.make_dense()?;
        self.put_hyperloglog(db, key, &log)?;
        Ok(Some(true))
    }

    /// Whether the HyperLogLog at `key` is dense; `None` if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::pf_add`].
    pub fn pf_is_dense(&mut self, db: Db, key: &[u8]) -> Result<Option<bool>, Error> {
        Ok(self.hyperloglog(db, key)?.map(|log| log.is_dense()))
    }

    /// The registers of the HyperLogLog at `key`, 16,384 of them; `None` if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::pf_add`].
    pub fn pf_registers(&mut self, db: Db, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(log) = self.hyperloglog(db, key)? else { return Ok(None) };
        let mut registers = [0; REGISTERS];
        log.merge_into(&mut registers)?;
        Ok(Some(registers.to_vec()))
    }

    /// The runs of the sparse HyperLogLog at `key`, as Redis describes them; `None` if it is missing or dense.
    ///
    /// # Errors
    /// As [`Transaction::pf_add`].
    pub fn pf_describe(&mut self, db: Db, key: &[u8]) -> Result<Option<String>, Error> {
        Ok(match self.hyperloglog(db, key)? {
            Some(log) => log.describe()?,
            None => None,
        })
    }

    fn hyperloglog(&mut self, db: Db, key: &[u8]) -> Result<Option<HyperLogLog>, Error> {
        let Some(bytes) = self.get(db, key)? else { return Ok(None) };
        HyperLogLog::from_bytes(&bytes).map(Some).ok_or(Error::NotHyperLogLog)
    }

    /// Puts a HyperLogLog in the place of the one that `key` holds, or of nothing. Only what is different is
    /// logged, if that is little.
    fn put_hyperloglog(&mut self, db: Db, key: &[u8], log: &HyperLogLog) -> Result<(), Error> {
        let (at, new) = (self.at(db, key)?, log.bytes());
        let whole = |bytes: &[u8]| Value::String(Text::new(bytes.to_vec().into(), true));
        let Some(old) = self.get(db, key)? else {
            return self.replace(&at, whole(new), None);
        };
        if new.len() < old.len() {
            // Nothing that is logged in parts makes a string shorter.
            let expires_at = self.expiry(db, key)?.flatten();
            return self.replace(&at, whole(new), expires_at);
        }
        let parts = differences(&old, new);
        drop(old);
        self.write_parts(&at, new, &parts)
    }

    /// Writes parts of `new` where they are in it.
    fn write_parts(&mut self, at: &At, new: &[u8], parts: &[Range<usize>]) -> Result<(), Error> {
        let text = self.text(at)?;
        for part in parts {
            text.write(part.start, &new[part.clone()]);
        }
        let entry = self.touch(at)?;
        entry.change = entry.change.max(Change::Delta);
        Ok(())
    }
}

/// Where `new`, which is not shorter, differs from `old`.
fn differences(old: &[u8], new: &[u8]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let same = old.iter().zip(new).map(|(a, b)| a == b).chain(std::iter::repeat(false));
    for (at, _) in same.take(new.len()).enumerate().filter(|(_, same)| !same) {
        match parts.last_mut().filter(|last| at <= last.end + GAP) {
            Some(last) => last.end = at + 1,
            None => parts.push(at..at + 1),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_that_are_near_are_one_part() {
        let ends = |old: &[u8], new: &[u8]| -> Vec<(usize, usize)> {
            differences(old, new).into_iter().map(|part| (part.start, part.end)).collect()
        };
        assert_eq!(ends(b"abcdefghijkl", b"abcdefghijkl"), []);
        assert_eq!(ends(b"abcdefghijkl", b"Abcdefghijk!"), [(0, 1), (11, 12)]);
        assert_eq!(ends(b"abcdefghijkl", b"AbcdeFghijkl"), [(0, 6)]);
        assert_eq!(ends(b"ab", b"abcd"), [(2, 4)]);
        assert_eq!(ends(b"", b""), []);
    }
}
