//! Keys of any type: presence, expiry, renaming, copying, deleting.

use super::{At, Transaction};
use crate::collection::LARGE;
use crate::collection::tree::{Small, Tree};
use crate::layout::{self, Name, Span};
use crate::text::Text;
use crate::value::{Bitmap, Cached, Paged, Value};
use crate::{Db, Encoding, Error, Kind};
use bitcask_core::UnixMillis;
use std::sync::Arc;

/// Longest string that Redis calls embstr.
const EMBEDDED_BYTES: usize = 44;

impl Transaction<'_> {
    /// True if `key` is there.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if it cannot be read; so for all methods that read.
    pub fn exists(&mut self, db: Db, key: &[u8]) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        Ok(self.read(&at)?.is_some())
    }

    /// The type of `key`; `None` if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn kind(&mut self, db: Db, key: &[u8]) -> Result<Option<Kind>, Error> {
        let at = self.at(db, key)?;
        Ok(self.read(&at)?.and_then(|entry| entry.value.kind()))
    }

    /// How the value of `key` is held, in Redis' terms; `None` if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn encoding(&mut self, db: Db, key: &[u8]) -> Result<Option<Encoding>, Error> {
        let at = self.at(db, key)?;
        Ok(self.read(&at)?.map(|entry| match &entry.value {
            Value::String(text) if text.raw => Encoding::Raw,
            Value::String(text) if super::number::integer(&text.bytes).is_some() => Encoding::Int,
            Value::String(text) if text.bytes.len() <= EMBEDDED_BYTES => Encoding::Embstr,
            Value::String(_) | Value::Absent => Encoding::Raw,
            Value::Bitmap(_) | Value::Paged(_) => Encoding::Bitmap,
            Value::Small(Small { kind, flags, .. }) | Value::Tree(Tree { kind, flags, .. }) => {
                match (kind, flags & LARGE != 0) {
                    (Kind::String, _) => unreachable!("a collection is no string"),
                    (Kind::List, _) => Encoding::Quicklist,
                    (Kind::Hash | Kind::SortedSet, false) => Encoding::Listpack,
                    (Kind::Set, false) => Encoding::Intset,
                    (Kind::Hash | Kind::Set, true) => Encoding::Hashtable,
                    (Kind::SortedSet, true) => Encoding::Skiplist,
                }
            }
        }))
    }

    /// Memory that `key` takes while it is cached, in bytes: its value, and the pages of it that are
    /// cached just now. `None` if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn memory_usage(&mut self, db: Db, key: &[u8]) -> Result<Option<u64>, Error> {
        let at = self.at(db, key)?;
        let Some(entry) = self.read(&at)? else { return Ok(None) };
        let mut bytes = entry.memory_bytes() + at.name.len();
        if let Value::Tree(tree) = &entry.value {
            let prefix = layout::pages(db, tree.id);
            let stripe = self.guards.stripe(at.stripe);
            for name in stripe.pages(&prefix) {
                if let Some(Cached::TreePage(page)) = stripe.cache.peek(&name) {
                    bytes += page.memory_bytes() + name.len();
                }
            }
            return Ok(Some(bytes as u64));
        }
        if let Value::Paged(paged) = &entry.value {
            let (id, spans) =
                (paged.collection.id, paged.pages.iter().map(|p| p.span).collect::<Vec<_>>());
            let cache = &mut self.guards.stripe(at.stripe).cache;
            for span in spans {
                if let Some(Cached::Page(page)) = cache.peek(&layout::page(db, id, span)) {
                    bytes += page.memory_bytes();
                }
            }
        }
        Ok(Some(bytes as u64))
    }

    /// Deletes `key`; false if it is missing.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn delete(&mut self, db: Db, key: &[u8]) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        match self.entry(&at) {
            Ok(entry) if !entry.exists() => return Ok(false),
            Err(e) if e.is_damage() => {
                self.replace(&at, Value::Absent, None)?;
                return Ok(true);
            }
            Err(e) => return Err(e),
            Ok(_) => {}
        }
        let there = self.touch(&at)?.exists();
        self.replace(&at, Value::Absent, None)?;
        Ok(there)
    }

    /// Deletes `key` if it has expired; false if there is nothing to reclaim. `index` is the entry of the
    /// index of expiries that says so: it goes if it is not the key's, having been left by a damaged value
    /// that was replaced.
    pub(crate) fn reclaim(&mut self, db: Db, key: &[u8], index: &[u8]) -> Result<bool, Error> {
        let (at, now) = (self.at(db, key)?, self.now);
        let entry = self.entry(&at)?;
        let due = entry.exists() && entry.expired(now);
        let own = entry.stored.expires_at.map(|at| layout::expiry(db, at, key));
        if own.is_none_or(|own| *own != *index) && self.shared.backing.log.contains(index) {
            self.pending.strays.push(Name::of(index));
        }
        if due {
            self.touch(&at)?;
            self.shared.expired.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(due)
    }

    /// Renames `from` to `to`, which is replaced. The expiry moves along.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`]; else as [`Transaction::exists`].
    pub fn rename(&mut self, db: Db, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let (from, to) = (self.at(db, from)?, self.at(db, to)?);
        if self.read(&from)?.is_none() {
            return Err(Error::NoSuchKey);
        }
        if *from.name == *to.name {
            return Ok(());
        }
        self.prepare_to_replace(&to)?;
        let entry = self.touch(&from)?;
        let expires_at = entry.expires_at.take();
        entry.change = crate::value::Change::Base;
        let value = std::mem::take(&mut entry.value);
        if let Value::Paged(paged) = &value {
            self.move_pages(&from, &to, paged);
        }
        if let Value::Tree(tree) = &value {
            self.move_tree_pages(&from, &to, tree.id);
        }
        self.replace(&to, value, expires_at)
    }

    /// Takes a bitmap's pages along to another key's stripe. Those that the log has as they are are read
    /// again there: none may stay behind and be found should the key come back.
    fn move_pages(&mut self, from: &At, to: &At, paged: &Paged) {
        if from.stripe == to.stripe {
            return;
        }
        let budget = &self.shared.backing.budget;
        for page in &paged.pages {
            let name = layout::page(from.db, paged.collection.id, page.span);
            let cached = self.guards.stripe(from.stripe).cache.remove(budget, &name);
            if let Some(Cached::Page(page)) = cached
                && page.dirty
            {
                let weight = page.memory_bytes();
                let cache = &mut self.guards.stripe(to.stripe).cache;
                cache.insert(budget, &name, Cached::Page(page), weight);
            }
        }
    }

    /// As [`Transaction::move_pages`], of a collection.
    fn move_tree_pages(&mut self, from: &At, to: &At, id: u64) {
        if from.stripe == to.stripe {
            return;
        }
        let budget = &self.shared.backing.budget;
        let stripe = self.guards.stripe(from.stripe);
        let mut dirty = Vec::new();
        for name in stripe.pages(&layout::pages(from.db, id)) {
            if let Some(Cached::TreePage(page)) = stripe.cache.remove(budget, &name)
                && page.dirty
            {
                dirty.push((name, page));
            }
        }
        for (name, page) in dirty {
            let weight = page.memory_bytes();
            let cache = &mut self.guards.stripe(to.stripe).cache;
            cache.insert(budget, &name, Cached::TreePage(page), weight);
        }
    }

    /// Copies `from` to `to`, with its expiry. False if `from` is missing, or `to` is there and not to be
    /// replaced.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn copy(
        &mut self,
        from: (Db, &[u8]),
        to: (Db, &[u8]),
        replace: bool,
    ) -> Result<bool, Error> {
        let (from, to) = (self.at(from.0, from.1)?, self.at(to.0, to.1)?);
        let Some(entry) = self.read(&from)? else { return Ok(false) };
        let expires_at = entry.expires_at;
        let pages = match &entry.value {
            Value::Paged(paged) => {
                Some((paged.collection.clone(), paged.byte_len, paged.pages.clone()))
            }
            _ => None,
        };
        let value = match &entry.value {
            Value::String(text) => Value::String(Text::new(text.bytes.clone(), text.raw)),
            Value::Bitmap(bitmap) => Value::Bitmap(Bitmap {
                ids: bitmap.ids.clone(),
                byte_len: bitmap.byte_len,
                ..Bitmap::default()
            }),
            Value::Small(small) => {
                Value::Small(Small::new(small.kind, small.flags, small.leaf.clone()))
            }
            Value::Absent | Value::Paged(_) | Value::Tree(_) => Value::Absent,
        };
        let is_tree = matches!(entry.value, Value::Tree(_));
        if !replace && self.read(&to)?.is_some() {
            return Ok(false);
        }
        if is_tree {
            self.copy_tree(&from, &to, expires_at)?;
            return Ok(true);
        }
        let Some((collection, byte_len, pages)) = pages else {
            self.replace(&to, value, expires_at)?;
            return Ok(true);
        };
        if let Some(derivation) = collection.derivation {
            let id = self.shared.backing.log.reserve_sequence();
            let paged = Paged { pages, ..Paged::derived(id, byte_len, derivation) };
            self.replace(&to, Value::Paged(paged), expires_at)?;
            return Ok(true);
        }
        let mut parts = Vec::with_capacity(pages.len());
        for page in pages {
            let ids = self.page(&from, &collection, page.span)?.ids.clone();
            parts.push((page.span, Arc::unwrap_or_clone(ids)));
        }
        self.put_pages(&to, byte_len, parts, expires_at)?;
        Ok(true)
    }

    /// Gives a key a bitmap of the given pages.
    pub(super) fn put_pages(
        &mut self,
        at: &At,
        byte_len: u64,
        parts: Vec<(Span, crate::bitmap::Ids)>,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let id = self.shared.backing.log.reserve_sequence();
        self.replace(at, Value::Paged(Paged::new(id, byte_len)), expires_at)?;
        let stripe = self.guards.stripe(at.stripe);
        super::commit::add_pages(stripe, self.shared, at.db, &at.name, parts)
    }

    /// Moves `key` to another database. False if it is missing, or there is one of that name already.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn move_to(&mut self, db: Db, key: &[u8], to: Db) -> Result<bool, Error> {
        if !self.copy((db, key), (to, key), false)? {
            return Ok(false);
        }
        self.delete(db, key)
    }

    /// The expiry of `key`: `None` if the key is missing, `Some(None)` if it never expires.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn expiry(&mut self, db: Db, key: &[u8]) -> Result<Option<Option<UnixMillis>>, Error> {
        let at = self.at(db, key)?;
        Ok(self.read(&at)?.map(|entry| entry.expires_at))
    }

    /// Sets or clears the expiry of `key`; false if it is missing. An expiry that is not after now deletes
    /// it.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn set_expiry(
        &mut self,
        db: Db,
        key: &[u8],
        expires_at: Option<UnixMillis>,
    ) -> Result<bool, Error> {
        let at = self.at(db, key)?;
        let Some(entry) = self.read(&at)? else { return Ok(false) };
        if entry.expires_at == expires_at {
            return Ok(true);
        }
        if expires_at.is_some_and(|expires_at| expires_at <= self.now) {
            return self.delete(db, key);
        }
        self.touch(&at)?.expires_at = expires_at;
        Ok(true)
    }

    /// Empties a database.
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// Unless the transaction was begun with [`crate::Keyspace::begin_exclusive`].
    pub fn flush_db(&mut self, db: Db) -> Result<(), Error> {
        let budget = &self.shared.backing.budget;
        let prefix = layout::database(db);
        for index in 0..crate::stripe::STRIPES {
            let stripe = self.guards.stripe(index);
            let watched: Vec<Box<[u8]>> =
                stripe.watchers.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
            for name in watched {
                let there = match stripe.cache.peek(&name) {
                    Some(Cached::Key(entry)) => entry.exists(),
                    _ => self.shared.backing.log.contains(&name),
                };
                if there {
                    stripe.notify(&name);
                }
            }
            let names: Vec<Box<[u8]>> = stripe
                .cache
                .names()
                .filter(|name| name.starts_with(&prefix))
                .map(Box::from)
                .collect();
            for name in names {
                stripe.cache.remove(budget, &name);
            }
        }
        for (stripe, name) in &self.pending.touched {
            if name.starts_with(&prefix) {
                self.guards.stripe(*stripe).notify(name);
            }
        }
        self.pending.touched.retain(|(_, name)| !name.starts_with(&prefix));
        self.pending.dropped.retain(|(dropped, _)| *dropped != db);
        if !self.pending.flushed.contains(&db) {
            self.pending.flushed.push(db);
        }
        Ok(())
    }

    /// Empties all databases.
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As [`Transaction::flush_db`].
    pub fn flush_all(&mut self) -> Result<(), Error> {
        (0..crate::DATABASES).try_for_each(|db| self.flush_db(Db(db)))
    }
}
