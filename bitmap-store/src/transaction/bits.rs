//! Bits. A string is a bitmap, too, and becomes one when a bit of it is changed.

use super::strings::check_len;
use super::{At, Transaction};
use crate::bitmap::assignment::Change as BitChange;
use crate::bitmap::{Ids, ops};
use crate::layout::Span;
use crate::value::{Bitmap, Change, Collection, PageRef, Value};
use crate::{Db, Error};
use std::ops::Range;
use std::sync::Arc;

/// Ids are 32 bits wide.
const MAX_BITS: u64 = 1 << 32;

/// The part of a bitmap that a question is about.
enum Part {
    /// A string's bytes, or a small bitmap's ids: all of it.
    Whole,
    Pages(Collection, Vec<PageRef>),
}

/// Sets or clears one id; false if it was so already.
fn change(ids: &mut Arc<Ids>, id: u32, bit: bool) -> bool {
    // A set that a BITOP still reads is copied only if that is needed.
    if Arc::get_mut(ids).is_none() && ids.contains(id) == bit {
        return false;
    }
    let ids = Arc::make_mut(ids);
    if bit { ids.insert(id) } else { ids.remove(id) }
}

impl Transaction<'_> {
    /// The bit at `offset`; those of a missing key, and beyond the end, are 0.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if it cannot be read; so for all that read.
    pub fn get_bit(&mut self, db: Db, key: &[u8], offset: u64) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        let Some(entry) = self.read_string(&at)? else { return Ok(false) };
        let Ok(id) = u32::try_from(offset) else { return Ok(false) };
        let (collection, span) = match &entry.value {
            Value::Absent => return Ok(false),
            Value::String(text) => {
                let byte = text.bytes.get(id as usize / 8).copied().unwrap_or(0);
                return Ok(byte & 0x80 >> (id % 8) != 0);
            }
            Value::Bitmap(bitmap) => return Ok(bitmap.ids.contains(id)),
            Value::Paged(paged) => match paged.find((id >> 16) as u16) {
                Ok(found) => (paged.collection.clone(), paged.pages[found].span),
                Err(_) => return Ok(false),
            },
            Value::Small(_) | Value::Tree(_) => return Err(Error::WrongType),
        };
        Ok(self.page(&at, &collection, span)?.ids.contains(id))
    }

    /// Sets the bit at `offset`, which is below 2^32, and returns what it was. The string grows to hold it,
    /// with zeros. A bit that is already so is not written again.
    ///
    /// # Errors
    /// As [`Transaction::get_bit`].
    pub fn set_bit(&mut self, db: Db, key: &[u8], offset: u64, bit: bool) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        let id = u32::try_from(offset).map_err(|_| Error::StringTooLong)?;
        self.set_bit_at(&at, id, bit)
    }

    fn set_bit_at(&mut self, at: &At, id: u32, bit: bool) -> Result<bool, Error> {
        let (byte_len, container) = (u64::from(id) / 8 + 1, (id >> 16) as u16);
        let entry = super::load(&mut self.guards, &self.pending, self.shared, at)?;
        if entry.exists() && entry.expired(self.now) {
            self.touch(at)?;
            return self.set_bit_at(at, id, bit);
        }
        match &mut entry.value {
            Value::Small(_) | Value::Tree(_) => Err(Error::WrongType),
            Value::Absent => {
                self.replace(at, Value::Bitmap(Bitmap::default()), None)?;
                self.set_bit_at(at, id, bit)
            }
            Value::String(text) => {
                let set = text
                    .bytes
                    .get(id as usize / 8)
                    .is_some_and(|byte| byte & 0x80 >> (id % 8) != 0);
                if set == bit && byte_len <= text.bytes.len() as u64 {
                    text.raw = true;
                    return Ok(set);
                }
                let expires_at = entry.expires_at;
                let bitmap = Bitmap::from_bytes(&text.bytes);
                self.replace(at, Value::Bitmap(bitmap), expires_at)?;
                self.set_bit_at(at, id, bit)
            }
            Value::Bitmap(bitmap) => {
                let changed = change(&mut bitmap.ids, id, bit);
                let before = bit != changed;
                if !changed && byte_len <= bitmap.byte_len {
                    return Ok(before);
                }
                if changed {
                    bitmap.touched.push(BitChange { id, set: bit });
                }
                bitmap.byte_len = bitmap.byte_len.max(byte_len);
                entry.change = entry.change.max(Change::Delta);
                self.pending.mark(at, entry);
                Ok(before)
            }
            Value::Paged(paged) if paged.collection.derivation.is_some() => {
                let (grows, collection) = (byte_len > paged.byte_len, paged.collection.clone());
                let before = match paged.find(container).map(|found| paged.pages[found].span) {
                    Ok(span) => self.page(at, &collection, span)?.ids.contains(id),
                    Err(_) => false,
                };
                if before == bit && !grows {
                    return Ok(before);
                }
                self.materialise(at)?;
                self.set_bit_at(at, id, bit)
            }
            Value::Paged(paged) => {
                let grows = byte_len > paged.byte_len;
                let found = paged.find(container).map(|i| paged.pages[i].span);
                let collection = paged.collection.clone();
                let before = match found {
                    Err(_) if bit => {
                        let span = paged.free_span(container);
                        let ids = std::iter::once(id).collect();
                        self.touch(at)?;
                        let stripe = self.guards.stripe(at.stripe);
                        super::commit::add_pages(
                            stripe,
                            self.shared,
                            at.db,
                            &at.name,
                            vec![(span, ids)],
                        )?;
                        false
                    }
                    Err(_) => false,
                    Ok(span) => self.set_bit_of_page(at, &collection, span, id, bit)?,
                };
                if grows {
                    let entry = self.touch(at)?;
                    entry.change = entry.change.max(Change::Delta);
                    if let Value::Paged(paged) = &mut entry.value {
                        paged.byte_len = byte_len;
                    }
                }
                Ok(before)
            }
        }
    }

    /// Gives a bitmap pages of its own if it is an operation on pages in these segments of the log. To whoever
    /// reads it, it stays what it is.
    pub(crate) fn let_go_of(&mut self, db: Db, key: &[u8], segments: &[u32]) -> Result<(), Error> {
        let (at, now) = (self.at(db, key)?, self.now);
        let log = &self.shared.backing.log;
        let entry = self.entry(&at)?;
        let expired = entry.expired(now);
        let derivation = match &entry.value {
            Value::Paged(paged) => paged.collection.derivation.as_ref(),
            _ => None,
        };
        let Some(derivation) = derivation else {
            // Gone with its whole database, perhaps.
            self.shared.derived.note(&at.name, false);
            return Ok(());
        };
        if !derivation.refers_to(log, segments) {
            return Ok(());
        }
        if expired {
            self.touch(&at)?;
            return Ok(());
        }
        self.quiet = true;
        self.materialise(&at)
    }

    /// Gives a bitmap that was an operation on others its own pages, to be changed.
    fn materialise(&mut self, at: &At) -> Result<(), Error> {
        let Part::Pages(collection, mut pages) = self.part(at)? else { return Ok(()) };
        for page in &mut pages {
            page.count = Some(self.page(at, &collection, page.span)?.ids.len());
        }
        let entry = self.touch_live(at)?;
        entry.change = Change::Base;
        if let Value::Paged(paged) = &mut entry.value {
            paged.collection.derivation = None;
            paged.dirty = pages.iter().map(|page| page.span).collect();
            paged.pages.clone_from(&pages);
        }
        for page in &pages {
            self.page(at, &collection, page.span)?.dirty = true;
        }
        Ok(())
    }

    fn set_bit_of_page(
        &mut self,
        at: &At,
        collection: &Collection,
        span: Span,
        id: u32,
        bit: bool,
    ) -> Result<bool, Error> {
        let page = self.page(at, collection, span)?;
        if !change(&mut page.ids, id, bit) {
            return Ok(bit);
        }
        let count = page.ids.len();
        page.touched.push(BitChange { id, set: bit });
        let newly = !std::mem::replace(&mut page.dirty, true);
        match self.touch_live(at) {
            Ok(entry) => {
                if let Value::Paged(paged) = &mut entry.value {
                    paged.page(span).count = Some(count);
                    if newly {
                        paged.dirty.push(span);
                    }
                }
                Ok(!bit)
            }
            Err(e) => {
                // The key had to be read again, and cannot be: nobody would know that the page has changed.
                let name = crate::layout::page(at.db, collection.id, span);
                let cache = &mut self.guards.stripe(at.stripe).cache;
                cache.remove(&self.shared.backing.budget, &name);
                Err(e)
            }
        }
    }

    /// Number of set bits at offsets in `range`. Counts of whole pages are known without reading them, or
    /// are at the front of one record.
    ///
    /// # Errors
    /// As [`Transaction::get_bit`].
    pub fn count_bits(&mut self, db: Db, key: &[u8], range: Range<u64>) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        if self.read_string(&at)?.is_none() {
            return Ok(0);
        }
        let (collection, pages) = match self.part(&at)? {
            Part::Pages(collection, pages) => (collection, pages),
            Part::Whole => {
                return Ok(match &self.entry(&at)?.value {
                    Value::String(text) => count_in_bytes(&text.bytes, range),
                    Value::Bitmap(bitmap) => ops::count(&bitmap.ids, range),
                    _ => 0,
                });
            }
        };
        let mut count = 0;
        for page in pages {
            let ids = bits_of(page.span);
            if ids.start >= range.end || ids.end <= range.start {
                continue;
            }
            if ids.start < range.start || ids.end > range.end {
                count += ops::count(&self.page(&at, &collection, page.span)?.ids, range.clone());
                continue;
            }
            count += match page.count {
                Some(known) => known,
                None => self.page_count(&at, &collection, page.span)?,
            };
        }
        Ok(count)
    }

    /// The count of a page that is not in the directory yet: read from its newest record, or of what the
    /// page is made of.
    fn page_count(&mut self, at: &At, collection: &Collection, span: Span) -> Result<u64, Error> {
        let log = &self.shared.backing.log;
        let count = match &collection.derivation {
            Some(derivation) => derivation.count(log, span)?,
            None => {
                let name = crate::layout::page(at.db, collection.id, span);
                let damaged = |reason| crate::value::damaged(&name, reason);
                let newest = log.newest(&name)?;
                let value = newest.ok_or_else(|| damaged("a page of a bitmap is missing"))?;
                crate::record::page_count(&value).map_err(damaged)?
            }
        };
        if let Value::Paged(paged) = &mut self.entry(at)?.value {
            paged.page(span).count = Some(count);
        }
        Ok(count)
    }

    /// The first offset in `range` whose bit is `bit`; the end of the string ends the search.
    ///
    /// # Errors
    /// As [`Transaction::get_bit`].
    pub fn find_bit(
        &mut self,
        db: Db,
        key: &[u8],
        bit: bool,
        range: Range<u64>,
    ) -> Result<Option<u64>, Error> {
        let at = self.at(db, key)?;
        let Some(entry) = self.read_string(&at)? else { return Ok(None) };
        let range = range.start..range.end.min(entry.value.byte_len() * 8);
        if range.is_empty() {
            return Ok(None);
        }
        let (collection, pages) = match self.part(&at)? {
            Part::Pages(collection, pages) => (collection, pages),
            Part::Whole => {
                return Ok(match &self.entry(&at)?.value {
                    Value::String(text) => find_in_bytes(&text.bytes, bit, range),
                    Value::Bitmap(bitmap) => ops::find(&bitmap.ids, bit, range),
                    _ => None,
                });
            }
        };
        let mut position = range.start;
        for page in pages {
            let ids = bits_of(page.span);
            if ids.end <= position {
                continue;
            }
            if ids.start >= range.end {
                break;
            }
            if ids.start > position && !bit {
                // Between two pages nothing is set.
                return Ok(Some(position));
            }
            let within = position.max(ids.start)..ids.end.min(range.end);
            let page = self.page(&at, &collection, page.span)?;
            if let Some(found) = ops::find(&page.ids, bit, within.clone()) {
                return Ok(Some(found));
            }
            position = within.end;
        }
        Ok((!bit && position < range.end).then_some(position))
    }

    /// The `width` bits (1 to 64) from `offset` on as a number, the first the most significant. Bits
    /// beyond the end are 0.
    ///
    /// # Errors
    /// As [`Transaction::get_bit`].
    pub fn get_field(&mut self, db: Db, key: &[u8], offset: u64, width: u32) -> Result<u64, Error> {
        let mut field = 0;
        for bit in offset..offset + u64::from(width) {
            field = field << 1 | u64::from(self.get_bit(db, key, bit)?);
        }
        Ok(field)
    }

    /// Sets the `width` bits (1 to 64) from `offset` on to the lowest of `value`, the first to the most
    /// significant of them. The string grows to hold them.
    ///
    /// # Errors
    /// [`Error::StringTooLong`]; else as [`Transaction::get_bit`].
    pub fn set_field(
        &mut self,
        db: Db,
        key: &[u8],
        offset: u64,
        width: u32,
        value: u64,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        let end = offset + u64::from(width);
        if end > MAX_BITS {
            return Err(Error::StringTooLong);
        }
        check_len(end.div_ceil(8))?;
        for (i, id) in (offset..end).rev().enumerate() {
            self.set_bit_at(&at, id as u32, value >> i & 1 == 1)?;
        }
        Ok(())
    }

    fn part(&mut self, at: &At) -> Result<Part, Error> {
        Ok(match &self.entry(at)?.value {
            Value::Paged(paged) => Part::Pages(paged.collection.clone(), paged.pages.clone()),
            _ => Part::Whole,
        })
    }
}

fn bits_of(span: Span) -> Range<u64> {
    u64::from(*span.ids().start())..u64::from(*span.ids().end()) + 1
}

/// The byte at `at` of a string, its bits outside of `range` cleared.
fn masked(bytes: &[u8], at: usize, range: &Range<u64>) -> u8 {
    let first = at as u64 * 8;
    let above = 0xff_u16 >> range.start.saturating_sub(first).min(8);
    let below = 0xff00_u16 >> range.end.saturating_sub(first).min(8);
    bytes[at] & above as u8 & below as u8
}

fn clip(bytes: &[u8], range: Range<u64>) -> Range<u64> {
    range.start..range.end.min(bytes.len() as u64 * 8)
}

fn count_in_bytes(bytes: &[u8], range: Range<u64>) -> u64 {
    let range = clip(bytes, range);
    if range.is_empty() {
        return 0;
    }
    let (first, last) = (range.start as usize / 8, (range.end as usize - 1) / 8);
    let edges = u64::from(masked(bytes, first, &range).count_ones())
        + if last > first { u64::from(masked(bytes, last, &range).count_ones()) } else { 0 };
    let inner = bytes.get(first + 1..last).unwrap_or_default();
    let words = inner.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from(u64::from_le_bytes(word).count_ones())
    });
    edges + words.sum::<u64>()
}

fn find_in_bytes(bytes: &[u8], bit: bool, range: Range<u64>) -> Option<u64> {
    let range = clip(bytes, range);
    let dull = if bit { 0 } else { 0xff };
    let mut position = range.start;
    while position < range.end {
        let byte = bytes[position as usize / 8];
        if byte == dull && position.is_multiple_of(8) {
            position += 8;
            continue;
        }
        if (byte & 0x80 >> (position % 8) != 0) == bit {
            return Some(position);
        }
        position += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_and_positions_in_bytes_are_those_found_bit_by_bit(
            bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 0..30),
            start in 0..300_u64, len in 0..300_u64
        ) {
            let range = start..start + len;
            let set = |at: &u64| bytes.get(*at as usize / 8).is_some_and(|b| b & 0x80 >> (at % 8) != 0);
            prop_assert_eq!(count_in_bytes(&bytes, range.clone()), range.clone().filter(set).count() as u64);
            let end = bytes.len() as u64 * 8;
            let found = |bit: bool| range.clone().find(|at| *at < end && set(at) == bit);
            prop_assert_eq!(find_in_bytes(&bytes, true, range.clone()), found(true));
            prop_assert_eq!(find_in_bytes(&bytes, false, range.clone()), found(false));
        }
    }
}
