//! From what a transaction has touched to one batch of the log.

use super::Transaction;
use crate::keyspace::Shared;
use crate::layout::{self, Name, Span};
use crate::split::split;
use crate::stripe::Stripe;
use crate::value::{
    Cached, Change, Collection, KeyEntry, Page, PageRef, Paged, Stored, Value, Written,
};
use crate::{Db, Error};
use bitcask_core::{Batch, Committed, Held, Position};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Records of a touched key that are to be noted once the batch is written.
#[derive(Default)]
struct Logged {
    key: Option<Written>,
    /// By the names of their records.
    pages: Vec<(Name, Written)>,
}

/// A batch that is kept for the next commit holds no more memory than this.
const BATCH_BYTES: usize = 16 << 10;

impl Transaction<'_> {
    /// Makes everything done so far visible to others, as one batch of the log.
    ///
    /// To acknowledge it, wait until the returned position is durable: [`crate::Keyspace::durable`]. That
    /// goes for what was only read, too, and for a change that was none since others had made it
    /// already: the position covers what was seen.
    ///
    /// # Errors
    /// [`Error::Storage`] if the log refuses the batch; then nothing has happened.
    pub fn commit(self) -> Result<Position, Error> {
        self.commit_then(|_| {})
    }

    /// As [`Transaction::commit`]; once that has succeeded, and before others get at the keys, calls `then` with the
    /// position: what is told of changes is so told in their order. It must not begin another transaction, and
    /// everybody else waits for it.
    ///
    /// # Errors
    /// As [`Transaction::commit`]; then `then` is not called.
    pub fn commit_then(mut self, then: impl FnOnce(Position)) -> Result<Position, Error> {
        let position = self.write_all()?;
        then(position);
        Ok(position)
    }

    fn write_all(&mut self) -> Result<Position, Error> {
        let seen = self.guards.iter().map(|stripe| stripe.newest).max().unwrap_or_default();
        let seen = seen.max(self.seen);
        if !self.is_dirty() {
            return Ok(seen);
        }
        let mut batch = self.guards.iter().next().map_or_else(
            || Batch::new(self.now),
            |stripe| std::mem::replace(&mut stripe.batch, Batch::new(self.now)),
        );
        batch.reset(self.now);
        let position = self.log(&mut batch);
        if batch.log_bytes() <= BATCH_BYTES
            && let Some(stripe) = self.guards.iter().next()
        {
            stripe.batch = batch;
        }
        Ok(position?.map_or(seen, |position| position.max(seen)))
    }

    fn log(&mut self, batch: &mut Batch) -> Result<Option<Position>, Error> {
        for db in &self.pending.flushed {
            batch.delete_prefix(&layout::database(*db));
        }
        for (db, id) in &self.pending.dropped {
            batch.delete_prefix(&layout::pages(*db, *id));
        }
        for name in &self.pending.strays {
            batch.delete(name);
        }
        for (name, code) in &self.pending.libraries {
            match code {
                Some(code) => batch.put(name, code, None),
                None => batch.delete(name),
            };
        }
        // Until the batch is written, so that its deltas follow what they are told to.
        let held = self.shared.backing.log.hold_moves();
        let mut logged = Vec::with_capacity(self.pending.touched.len());
        for (stripe, name) in &self.pending.touched {
            let flushed = self.pending.flushed.contains(&Db(name[0]));
            let stripe = self.guards.stripe(*stripe);
            logged.push(log_key(self.shared, stripe, &held, name, flushed, batch)?);
        }
        let committed = match batch.is_empty() {
            true => None,
            false => Some(self.shared.backing.log.write(batch)?),
        };
        let moves = held.moves();
        drop(held);
        self.settle(logged, batch, committed, moves);
        Ok(committed.map(|committed| committed.position()))
    }

    /// The batch is written: notes where its records are, counts, and tells who watches.
    fn settle(
        &mut self,
        logged: Vec<Logged>,
        batch: &Batch,
        committed: Option<Committed>,
        moves: u64,
    ) {
        let shared = self.shared;
        let budget = &shared.backing.budget;
        let pending = std::mem::take(&mut self.pending);
        if let Some(committed) = committed {
            let everywhere = !pending.flushed.is_empty();
            let touched = |index| everywhere || pending.touched.iter().any(|(i, _)| *i == index);
            self.guards.note(committed.position(), touched);
        }
        for db in &pending.flushed {
            let counts = &shared.counts[usize::from(db.0)];
            counts.keys.store(0, Ordering::Relaxed);
            counts.expires.store(0, Ordering::Relaxed);
        }
        for name in &pending.strays {
            shared.counts[usize::from(name[0])].expires.fetch_sub(1, Ordering::Relaxed);
        }
        let locate = |record| {
            committed.as_ref().expect("a record was written in a batch").location(batch, record)
        };
        for ((stripe, name), one) in pending.touched.iter().zip(logged) {
            let stripe = self.guards.stripe(*stripe);
            let db = Db(name[0]);
            let counts = &shared.counts[usize::from(db.0)];
            stripe.cache.update(budget, name, |cached| {
                let Cached::Key(entry) = cached else { unreachable!("the name is one of a key") };
                count(&counts.keys, entry.stored.exists, entry.exists());
                let expires_at = entry.expires_at.filter(|_| entry.exists());
                count(&counts.expires, entry.stored.expires_at.is_some(), expires_at.is_some());
                entry.expires_at = expires_at;
                let mut links = entry.stored.links.take().filter(|_| entry.exists());
                if let Some(written) = one.key {
                    written.note(&mut links, moves, locate);
                }
                shared.derived.note(name, entry.value.refers());
                entry.stored = Stored { exists: entry.exists(), expires_at, links };
                entry.touched = false;
                entry.change = Change::None;
                match &mut entry.value {
                    Value::Paged(paged) => paged.dirty.clear(),
                    Value::Tree(tree) => {
                        tree.dirty.clear();
                        tree.fresh.clear();
                    }
                    _ => {}
                }
                Some(entry.memory_bytes())
            });
            for (page_name, written) in one.pages {
                stripe.cache.update(budget, &page_name, |cached| {
                    let page = match cached {
                        Cached::Page(page) => page,
                        Cached::TreePage(page) => {
                            written.note(&mut page.links, moves, locate);
                            page.logged();
                            return Some(page.memory_bytes());
                        }
                        Cached::Key(_) => unreachable!("the name is one of a page"),
                    };
                    let weigh = page.weigh_after(&written);
                    written.note(&mut page.links, moves, locate);
                    page.dirty = false;
                    weigh.then(|| page.memory_bytes())
                });
            }
            if !self.quiet {
                stripe.notify(name);
            }
        }
    }
}

/// Adds the records of one touched key. `flushed`: the log has nothing in its database any more.
fn log_key(
    shared: &Shared,
    stripe: &mut Stripe,
    held: &Held<'_>,
    name: &[u8],
    flushed: bool,
    batch: &mut Batch,
) -> Result<Logged, Error> {
    let db = Db(name[0]);
    let mut logged = Logged::default();
    let mut entry = stripe.key(&shared.backing, db, name)?;
    if let Value::Bitmap(bitmap) = &mut entry.value
        && bitmap.ids.serialized_size() > shared.sizes.inline
    {
        let (ids, byte_len) = (std::mem::take(&mut bitmap.ids), bitmap.byte_len);
        let id = shared.backing.log.reserve_sequence();
        let parts = split(Arc::unwrap_or_clone(ids), Span::ALL, shared.sizes.page);
        entry.value = Value::Paged(Paged::new(id, byte_len));
        entry.change = Change::Base;
        add_pages(stripe, shared, db, name, parts)?;
        entry = stripe.key(&shared.backing, db, name)?;
    }
    if let Value::Paged(paged) = &entry.value
        && !paged.dirty.is_empty()
    {
        let (collection, dirty) = (paged.collection.clone(), paged.dirty.clone());
        let logged_already = entry.is_logged();
        log_pages(stripe, shared, held, db, name, &collection, dirty, batch, &mut logged)?;
        if logged_already {
            return Ok(logged);
        }
        entry = stripe.key(&shared.backing, db, name)?;
    }
    if let Value::Tree(tree) = &mut entry.value
        && !tree.dirty.is_empty()
    {
        let dirty = std::mem::take(&mut tree.dirty);
        let logged_already = entry.is_logged();
        super::log_tree::log_pages(stripe, shared, held, name, dirty, batch, &mut logged.pages)?;
        if logged_already {
            return Ok(logged);
        }
        entry = stripe.key(&shared.backing, db, name)?;
    }
    if entry.exists() {
        logged.key = entry.log(&shared.backing.log, held, name, batch);
    } else if entry.stored.exists {
        batch.delete(name);
    }
    let (old, new) = (entry.stored.expires_at, entry.expires_at.filter(|_| entry.exists()));
    if old != new {
        let key = layout::key_of(name);
        if let Some(at) = old.filter(|_| !flushed) {
            batch.delete(&layout::expiry(db, at, key));
        }
        if let Some(at) = new {
            batch.put(&layout::expiry(db, at, key), b"", None);
        }
    }
    Ok(logged)
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
    shared: &Shared,
    db: Db,
    name: &[u8],
) -> Result<&'s mut KeyEntry, Error> {
    stripe.key(&shared.backing, db, name)
}

/// Puts new pages into the cache and into the directory of their bitmap, as dirty ones.
pub(super) fn add_pages(
    stripe: &mut Stripe,
    shared: &Shared,
    db: Db,
    name: &[u8],
    parts: Vec<(Span, crate::bitmap::Ids)>,
) -> Result<(), Error> {
    let Value::Paged(paged) = &mut key_entry(stripe, shared, db, name)?.value else {
        unreachable!("pages are those of a bitmap")
    };
    let id = paged.collection.id;
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

/// Adds the records of the `dirty` pages of a bitmap; splits those that have grown too large, and drops
/// those that are empty.
#[allow(clippy::too_many_arguments)]
fn log_pages(
    stripe: &mut Stripe,
    shared: &Shared,
    held: &Held<'_>,
    db: Db,
    name: &[u8],
    collection: &Collection,
    mut dirty: Vec<Span>,
    batch: &mut Batch,
    logged: &mut Logged,
) -> Result<(), Error> {
    while let Some(span) = dirty.pop() {
        let page_name = layout::page(db, collection.id, span);
        let page = stripe.page(&shared.backing, collection, span, &page_name)?;
        if page.ids.is_empty() {
            if page.links.is_some() {
                batch.delete(&page_name);
            }
            stripe.cache.remove(&shared.backing.budget, &page_name);
            forget(stripe, shared, db, name, span)?;
            continue;
        }
        if let Some(written) = page.log_delta(&shared.backing.log, held, &page_name, span, batch) {
            logged.pages.push((page_name, written));
            continue;
        }
        if page.ids.serialized_size() > shared.sizes.page && span.level > 0 {
            let ids = Arc::unwrap_or_clone(std::mem::take(&mut page.ids));
            let parts = split(ids, span, shared.sizes.page);
            if page.links.is_some() {
                batch.delete(&page_name);
            }
            stripe.cache.remove(&shared.backing.budget, &page_name);
            forget(stripe, shared, db, name, span)?;
            dirty.extend(parts.iter().map(|(span, _)| *span));
            add_pages(stripe, shared, db, name, parts)?;
            continue;
        }
        let written = page.log_base(&page_name, span, batch);
        logged.pages.push((page_name, written));
    }
    Ok(())
}

/// Takes a page out of its bitmap's directory.
fn forget(
    stripe: &mut Stripe,
    shared: &Shared,
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
