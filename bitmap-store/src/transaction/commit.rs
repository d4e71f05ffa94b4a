//! From what a transaction has touched to one batch of the log.

use super::Transaction;
use crate::layout::{self, Span};
use crate::split::split;
use crate::stripe::Stripe;
use crate::value::{Cached, Change, KeyEntry, Page, PageRef, Paged, Stored, Value, Written};
use crate::{Db, Error};
use bitcask_core::{Batch, Position};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Records of a touched key that are to be noted once the batch is written.
struct Logged {
    stripe: usize,
    name: Box<[u8]>,
    key: Option<Written>,
    pages: Vec<(Span, Written)>,
}

impl Transaction<'_> {
    /// Makes everything done so far visible to others, as one batch of the log. `None` if nothing was
    /// changed. To acknowledge it, wait until the position is durable: [`crate::Keyspace::durable`].
    ///
    /// # Errors
    /// [`Error::Storage`] if the log refuses the batch; then nothing has happened.
    pub fn commit(mut self) -> Result<Option<Position>, Error> {
        if !self.is_dirty() {
            return Ok(None);
        }
        let mut batch = Batch::new(self.now);
        for db in &self.pending.flushed {
            batch.delete_prefix(&layout::database(*db));
        }
        for (db, id) in &self.pending.dropped {
            batch.delete_prefix(&layout::pages(*db, *id));
        }
        let touched = std::mem::take(&mut self.pending.touched);
        let mut logged = Vec::with_capacity(touched.len());
        let mut failed = None;
        for (stripe, name) in &touched {
            match self.log_key(*stripe, name, &mut batch) {
                Ok(one) => logged.push(one),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        self.pending.touched = touched;
        if let Some(e) = failed {
            return Err(e);
        }
        if batch.is_empty() {
            self.settle(logged, None);
            return Ok(None);
        }
        let committed = self.shared.backing.log.write(&mut batch)?;
        self.settle(logged, Some((&batch, committed)));
        Ok(Some(committed.position()))
    }

    /// Adds the records of one touched key.
    fn log_key(&mut self, index: usize, name: &[u8], batch: &mut Batch) -> Result<Logged, Error> {
        let db = Db(name[0]);
        let shared = self.shared;
        let stripe = self.guards.stripe(index);
        let mut logged = Logged { stripe: index, name: name.into(), key: None, pages: Vec::new() };
        let entry = stripe.key(&shared.backing, db, name)?;
        if !entry.exists() {
            if entry.stored.exists {
                batch.delete(name);
            }
        } else {
            if let Value::Bitmap(bitmap) = &mut entry.value
                && bitmap.ids.serialized_size() > shared.sizes.inline
            {
                let (ids, byte_len) = (std::mem::take(&mut bitmap.ids), bitmap.byte_len);
                let ids = Arc::try_unwrap(ids).unwrap_or_else(|shared| (*shared).clone());
                let id = shared.backing.log.reserve_sequence();
                let parts = split(ids, Span::ALL, shared.sizes.page);
                entry.value = Value::Paged(Paged::new(id, byte_len));
                entry.change = Change::Base;
                add_pages(stripe, shared, db, name, parts)?;
            }
            log_pages(stripe, shared, db, name, batch, &mut logged)?;
            let entry = stripe.key(&shared.backing, db, name)?;
            logged.key = entry.log(name, batch);
        }
        let entry = stripe.key(&shared.backing, db, name)?;
        let (old, new) = (entry.stored.expires_at, entry.expires_at.filter(|_| entry.exists()));
        if old != new {
            let key = layout::key_of(name);
            if let Some(at) = old.filter(|_| !self.pending.flushed.contains(&db)) {
                batch.delete(&layout::expiry(db, at, key));
            }
            if let Some(at) = new {
                batch.put(&layout::expiry(db, at, key), b"", None);
            }
        }
        Ok(logged)
    }

    /// The batch is written: notes where its records are, counts, and tells who watches.
    fn settle(&mut self, logged: Vec<Logged>, committed: Option<(&Batch, bitcask_core::Committed)>) {
        let shared = self.shared;
        let pending = std::mem::take(&mut self.pending);
        for db in &pending.flushed {
            let counts = &shared.counts[usize::from(db.0)];
            counts.keys.store(0, Ordering::Relaxed);
            counts.expires.store(0, Ordering::Relaxed);
        }
        let locate = |record| {
            let (batch, committed) = committed.as_ref().expect("a record was written in a batch");
            committed.location(batch, record)
        };
        for one in logged {
            let stripe = self.guards.stripe(one.stripe);
            let name = &one.name;
            let db = Db(name[0]);
            let Some(Cached::Key(entry)) = stripe.cache.get(name) else {
                unreachable!("what is touched stays in the cache")
            };
            let counts = &shared.counts[usize::from(db.0)];
            count(&counts.keys, entry.stored.exists, entry.exists());
            let expires_at = entry.expires_at.filter(|_| entry.exists());
            count(&counts.expires, entry.stored.expires_at.is_some(), expires_at.is_some());
            entry.expires_at = expires_at;
            let mut links = entry.stored.links.take().filter(|_| entry.exists());
            if let Some(written) = one.key {
                written.note(&mut links, locate);
            }
            entry.stored = Stored { exists: entry.exists(), expires_at, links };
            entry.touched = false;
            entry.change = Change::None;
            let mut id = 0;
            if let Value::Paged(paged) = &mut entry.value {
                paged.dirty.clear();
                id = paged.id;
            }
            let weight = entry.memory_bytes();
            stripe.cache.reweigh(&shared.backing.budget, name, weight);
            for (span, written) in one.pages {
                let page_name = layout::page(db, id, span);
                if let Some(Cached::Page(page)) = stripe.cache.get(&page_name) {
                    written.note(&mut page.links, locate);
                    page.dirty = false;
                    let weight = page.memory_bytes();
                    stripe.cache.reweigh(&shared.backing.budget, &page_name, weight);
                }
            }
            stripe.notify(name);
        }
    }
}

fn count(counter: &std::sync::atomic::AtomicU64, before: bool, after: bool) {
    match (before, after) {
        (false, true) => drop(counter.fetch_add(1, Ordering::Relaxed)),
        (true, false) => drop(counter.fetch_sub(1, Ordering::Relaxed)),
        _ => {}
    }
}

fn key_entry<'s>(
    stripe: &'s mut Stripe,
    shared: &crate::keyspace::Shared,
    db: Db,
    name: &[u8],
) -> Result<&'s mut KeyEntry, Error> {
    stripe.key(&shared.backing, db, name)
}

/// Puts new pages into the cache and into the directory of their bitmap, as dirty ones.
pub(super) fn add_pages(
    stripe: &mut Stripe,
    shared: &crate::keyspace::Shared,
    db: Db,
    name: &[u8],
    parts: Vec<(Span, crate::bitmap::Ids)>,
) -> Result<(), Error> {
    let Value::Paged(paged) = &mut key_entry(stripe, shared, db, name)?.value else {
        unreachable!("pages are those of a bitmap")
    };
    let id = paged.id;
    for (span, ids) in &parts {
        let at = paged.pages.partition_point(|page| page.span.lower < span.lower);
        paged.pages.insert(at, PageRef { span: *span, count: Some(ids.len()) });
        paged.dirty.push(*span);
    }
    for (span, ids) in parts {
        let page = Page { dirty: true, ..Page::new(ids) };
        let weight = page.memory_bytes();
        let page_name = layout::page(db, id, span);
        stripe.cache.insert(&shared.backing.budget, &page_name, Cached::Page(page), weight);
    }
    Ok(())
}

/// Adds the records of a bitmap's dirty pages; splits those that have grown too large, and drops those
/// that are empty.
fn log_pages(
    stripe: &mut Stripe,
    shared: &crate::keyspace::Shared,
    db: Db,
    name: &[u8],
    batch: &mut Batch,
    logged: &mut Logged,
) -> Result<(), Error> {
    let Value::Paged(paged) = &key_entry(stripe, shared, db, name)?.value else { return Ok(()) };
    let (id, mut dirty) = (paged.id, paged.dirty.clone());
    while let Some(span) = dirty.pop() {
        let page_name = layout::page(db, id, span);
        let page = stripe.page(&shared.backing, db, id, span)?;
        if page.ids.is_empty() {
            if page.links.is_some() {
                batch.delete(&page_name);
            }
            stripe.cache.remove(&shared.backing.budget, &page_name);
            forget(stripe, shared, db, name, span)?;
            continue;
        }
        if let Some(written) = page.log_delta(&page_name, batch) {
            logged.pages.push((span, written));
            continue;
        }
        if page.ids.serialized_size() > shared.sizes.page && span.level > 0 {
            let ids = Arc::try_unwrap(std::mem::take(&mut page.ids));
            let parts = split(ids.unwrap_or_else(|ids| (*ids).clone()), span, shared.sizes.page);
            if page.links.is_some() {
                batch.delete(&page_name);
            }
            stripe.cache.remove(&shared.backing.budget, &page_name);
            forget(stripe, shared, db, name, span)?;
            dirty.extend(parts.iter().map(|(span, _)| *span));
            add_pages(stripe, shared, db, name, parts)?;
            continue;
        }
        logged.pages.push((span, page.log_base(&page_name, span, batch)));
    }
    Ok(())
}

/// Takes a page out of its bitmap's directory.
fn forget(
    stripe: &mut Stripe,
    shared: &crate::keyspace::Shared,
    db: Db,
    name: &[u8],
    span: Span,
) -> Result<(), Error> {
    if let Value::Paged(paged) = &mut key_entry(stripe, shared, db, name)?.value {
        paged.pages.retain(|page| page.span != span);
        paged.dirty.retain(|dirty| *dirty != span);
    }
    Ok(())
}
