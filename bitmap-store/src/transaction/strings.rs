//! Strings. A bitmap is one, too, and answers with its bytes.

use super::number::{self, integer};
use super::{At, Transaction};
use crate::bitmap::bytes::fill;
use crate::text::Text;
use crate::value::{Change, KeyEntry, Value};
use crate::{Db, Error, MAX_VALUE_BYTES};
use bitcask_core::UnixMillis;
use bytes::Bytes;
use std::ops::Range;

/// So many bytes are written into a bitmap bit by bit.
const FEW_BYTES: usize = 1024;

impl Transaction<'_> {
    /// The string at `key`; `None` if it is missing.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if it cannot be read; so for all that read.
    pub fn get(&mut self, db: Db, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let at = self.at(db, key)?;
        let Some(entry) = self.read_string(&at)? else { return Ok(None) };
        if let Value::String(text) = &entry.value {
            return Ok(Some(text.bytes.clone()));
        }
        let len = entry.value.byte_len();
        Ok(Some(self.bytes(&at, 0..len)?))
    }

    /// Sets `key` to a string, whatever it held, and its expiry (`None`: it never expires).
    ///
    /// # Errors
    /// [`Error::StringTooLong`]; else as [`Transaction::get`].
    pub fn set(
        &mut self,
        db: Db,
        key: &[u8],
        value: &[u8],
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        check_len(value.len() as u64)?;
        let text = Text::new(Bytes::copy_from_slice(value), false);
        self.replace(&at, Value::String(text), expires_at)
    }

    /// As [`Transaction::set`]; an expiry that `key` has stays.
    ///
    /// # Errors
    /// As [`Transaction::set`].
    pub fn set_keep_expiry(&mut self, db: Db, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let expires_at = self.expiry(db, key)?.flatten();
        self.set(db, key, value, expires_at)
    }

    /// Length of the string at `key` in bytes; 0 if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn strlen(&mut self, db: Db, key: &[u8]) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        Ok(self.read_string(&at)?.map_or(0, |entry| entry.value.byte_len()))
    }

    /// Appends to the string at `key`, a missing one being empty; returns its new length. Logs only what is
    /// appended, if the string is long.
    ///
    /// # Errors
    /// As [`Transaction::set`].
    pub fn append(&mut self, db: Db, key: &[u8], tail: &[u8]) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        let len = self.strlen(db, key)? + tail.len() as u64;
        check_len(len)?;
        let old = self.read_string(&at)?.map(|entry| matches!(entry.value, Value::String(_)));
        if tail.is_empty() && old == Some(false) {
            // It stays the bitmap that it is; but whoever watches it is told, as by Redis.
            self.touch(&at)?;
            return Ok(len);
        }
        let text = self.text(&at)?;
        text.append(tail);
        // What APPEND makes is a plain string; what it finds becomes a raw one.
        text.raw = old.is_some();
        let entry = self.touch(&at)?;
        if !tail.is_empty() || old.is_none() {
            entry.change = entry.change.max(Change::Delta);
        }
        Ok(len)
    }

    /// The bytes `start..=end` of the string at `key`; negative indexes count from its end.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn get_range(&mut self, db: Db, key: &[u8], start: i64, end: i64) -> Result<Bytes, Error> {
        let at = self.at(db, key)?;
        let Some(entry) = self.read_string(&at)? else { return Ok(Bytes::new()) };
        let len = entry.value.byte_len() as i64;
        if start < 0 && end < 0 && start > end {
            return Ok(Bytes::new());
        }
        let from_end =
            |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
        let (start, end) = (from_end(start), from_end(end).min(len - 1));
        if start > end || len == 0 {
            return Ok(Bytes::new());
        }
        let range = start as u64..end as u64 + 1;
        if let Value::String(text) = &entry.value {
            return Ok(text.bytes.slice(range.start as usize..range.end as usize));
        }
        self.bytes(&at, range)
    }

    /// Overwrites the string at `key` from `offset` on, padding it with zeros; returns its new length.
    /// Nothing to write changes nothing. Logs only what is written, if the string is long.
    ///
    /// # Errors
    /// As [`Transaction::set`].
    pub fn set_range(
        &mut self,
        db: Db,
        key: &[u8],
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        if bytes.is_empty() {
            return self.strlen(db, key);
        }
        check_len(offset.saturating_add(bytes.len() as u64))?;
        let there = self.read_string(&at)?;
        let is_bitmap =
            matches!(there, Some(KeyEntry { value: Value::Bitmap(_) | Value::Paged(_), .. }));
        if is_bitmap && bytes.len() <= FEW_BYTES {
            // It stays the bitmap that it is: its string may be a thousand times as large.
            for (bit, id) in (offset * 8..(offset + bytes.len() as u64) * 8).enumerate() {
                let set = bytes[bit / 8] & 0x80 >> (bit % 8) != 0;
                self.set_bit(db, key, id, set)?;
            }
            self.touch(&at)?;
            return self.strlen(db, key);
        }
        let text = self.text(&at)?;
        text.write(offset as usize, bytes);
        let len = text.bytes.len() as u64;
        let entry = self.touch(&at)?;
        entry.change = entry.change.max(Change::Delta);
        Ok(len)
    }

    /// Adds to the integer at `key`, a missing one being 0; returns the sum. The expiry stays.
    ///
    /// # Errors
    /// [`Error::NotInteger`], [`Error::Overflow`]; else as [`Transaction::get`].
    pub fn incr_by(&mut self, db: Db, key: &[u8], by: i64) -> Result<i64, Error> {
        let value = match self.get(db, key)? {
            None => 0,
            Some(text) => integer(&text).ok_or(Error::NotInteger)?,
        };
        let sum = value.checked_add(by).ok_or(Error::Overflow)?;
        self.set_keep_expiry(db, key, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    /// Adds `by`, a number in decimal digits, to the one at `key`, a missing one being 0; returns the sum
    /// as Redis prints it (on x86-64, where it adds in 80 bits). The expiry stays.
    ///
    /// # Errors
    /// [`Error::NotFloat`], [`Error::NanOrInfinity`]; else as [`Transaction::get`].
    pub fn incr_by_float(&mut self, db: Db, key: &[u8], by: &[u8]) -> Result<Bytes, Error> {
        let value = self.get(db, key)?;
        let sum = number::sum(value.as_deref().unwrap_or(b"0"), by)?;
        self.set_keep_expiry(db, key, &sum)?;
        Ok(sum.into())
    }

    /// The key's string, to be changed. A bitmap becomes one; a missing key an empty one.
    pub(super) fn text(&mut self, at: &At) -> Result<&mut Text, Error> {
        self.read_string(at)?;
        let entry = self.touch(at)?;
        let expires_at = entry.expires_at;
        if !matches!(entry.value, Value::String(_)) {
            let len = entry.value.byte_len();
            let bytes = self.bytes(at, 0..len)?;
            self.replace(at, Value::String(Text::new(bytes, len > 0)), expires_at)?;
        }
        match &mut self.entry(at)?.value {
            Value::String(text) => Ok(text),
            _ => unreachable!("it was made one"),
        }
    }

    /// Bytes of the string at a key that is there, or nothing.
    pub(super) fn bytes(&mut self, at: &At, range: Range<u64>) -> Result<Bytes, Error> {
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut out = Vec::new();
        let (collection, pages) = match &self.entry(at)?.value {
            Value::Absent => return Ok(Bytes::new()),
            Value::String(text) => {
                return Ok(text.bytes.slice(range.start as usize..range.end as usize));
            }
            Value::Bitmap(bitmap) => {
                out.resize(len, 0);
                fill(&bitmap.ids, range.start, &mut out);
                return Ok(out.into());
            }
            Value::Paged(paged) => (paged.collection.clone(), paged.pages.clone()),
            Value::Small(_) | Value::Tree(_) => return Err(Error::WrongType),
        };
        out.resize(len, 0);
        for page in pages {
            let ids = page.span.ids();
            if u64::from(*ids.start()) < range.end * 8 && u64::from(*ids.end()) >= range.start * 8 {
                fill(&self.page(at, &collection, page.span)?.ids, range.start, &mut out);
            }
        }
        Ok(out.into())
    }
}

/// Refuses a string that would be too long.
pub(super) fn check_len(len: u64) -> Result<(), Error> {
    if len > MAX_VALUE_BYTES { Err(Error::StringTooLong) } else { Ok(()) }
}
