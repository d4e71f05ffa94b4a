//! A share of the keys: their cached values, and who watches them, behind one lock.

use crate::cache::{Budget, Cache};
use crate::collection::page::TreePage;
use crate::layout::{self, Span};
use crate::value::{Cached, Collection, KeyEntry, Page, PageRef, damaged};
use crate::{Db, Error};
use bitcask_core::{Batch, Bitcask, Position, UnixMillis};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

/// Number of stripes: so many that two clients seldom meet in one by chance.
pub(crate) const STRIPES: usize = 256;

pub(crate) struct Stripe {
    pub(crate) cache: Cache<Cached>,
    /// By the name of the key's record.
    pub(crate) watchers: HashMap<Box<[u8]>, Vec<Weak<AtomicBool>>>,
    pub(crate) lookups: Arc<Lookups>,
    /// Where the log ended after the newest change: what a reader saw may go with it in a crash until
    /// that is durable.
    pub(crate) newest: Position,
    /// For whoever commits while it holds the stripe: spares the allocation.
    pub(crate) batch: Batch,
}

/// How often a value was cached. Anybody may read it; only who holds the stripe counts.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

impl Lookups {
    fn count(&self, missed: bool) {
        let counter = if missed { &self.misses } else { &self.hits };
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What stripes need to load what they do not have.
pub(crate) struct Backing {
    pub(crate) log: Bitcask,
    pub(crate) budget: Budget,
}

/// How often whoever finds a stripe taken looks again before it sleeps. A command holds its stripes for some
/// microseconds, less than it costs both to put one thread to sleep and to wake it: with everybody marking
/// in the same four keys, this answers a quarter more.
const YIELDS: usize = 100;

pub(crate) fn lock(stripe: &Mutex<Stripe>) -> MutexGuard<'_, Stripe> {
    for _ in 0..YIELDS {
        match try_lock(stripe) {
            Some(guard) => return guard,
            None => std::thread::yield_now(),
        }
    }
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stripe, or `None` once `patience` has come to an end: it is asked again and again while somebody has the
/// stripe for longer than a command takes, and waits a little before it answers.
pub(crate) fn lock_while<'s>(
    stripe: &'s Mutex<Stripe>,
    patience: &mut dyn FnMut() -> bool,
) -> Option<MutexGuard<'s, Stripe>> {
    for _ in 0..YIELDS {
        match try_lock(stripe) {
            Some(guard) => return Some(guard),
            None => std::thread::yield_now(),
        }
    }
    loop {
        if !patience() {
            return None;
        }
        if let Some(guard) = try_lock(stripe) {
            return Some(guard);
        }
    }
}

/// The stripe, unless it is taken. After a panic the transaction's drop has put everything right.
pub(crate) fn try_lock(stripe: &Mutex<Stripe>) -> Option<MutexGuard<'_, Stripe>> {
    match stripe.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Stripe {
    pub(crate) fn new() -> Self {
        Stripe {
            cache: Cache::new(),
            watchers: HashMap::new(),
            lookups: Arc::default(),
            newest: Position::default(),
            batch: Batch::new(UnixMillis(0)),
        }
    }

    /// The entry of the key whose record is `name`.
    pub(crate) fn key(
        &mut self,
        backing: &Backing,
        db: Db,
        name: &[u8],
    ) -> Result<&mut KeyEntry, Error> {
        self.key_or(backing, db, name, Err)
    }

    /// As [`Stripe::key`], for whoever replaces what is there, be it damaged.
    pub(crate) fn key_to_replace(
        &mut self,
        backing: &Backing,
        db: Db,
        name: &[u8],
    ) -> Result<&mut KeyEntry, Error> {
        let lost = |e: Error| if e.is_damage() { Ok(KeyEntry::unreadable()) } else { Err(e) };
        self.key_or(backing, db, name, lost)
    }

    fn key_or(
        &mut self,
        backing: &Backing,
        db: Db,
        name: &[u8],
        failed: impl FnOnce(Error) -> Result<KeyEntry, Error>,
    ) -> Result<&mut KeyEntry, Error> {
        let (cached, loaded) = self.cache.get_or_load(&backing.budget, name, || {
            let entry = load(backing, db, name).or_else(failed)?;
            let weight = entry.memory_bytes();
            Ok::<_, Error>((Cached::Key(entry), weight))
        })?;
        self.lookups.count(loaded);
        match cached {
            Cached::Key(entry) => Ok(entry),
            Cached::Page(_) | Cached::TreePage(_) => unreachable!("a key's name is none of a page"),
        }
    }

    /// The page at `span` of a bitmap; `name` is that of its record.
    pub(crate) fn page(
        &mut self,
        backing: &Backing,
        collection: &Collection,
        span: Span,
        name: &[u8],
    ) -> Result<&mut Page, Error> {
        let (cached, loaded) = self.cache.get_or_load(&backing.budget, name, || {
            let page = match &collection.derivation {
                Some(derivation) => Page::new(derivation.ids(&backing.log, span)?),
                None => {
                    let moves = backing.log.moves();
                    let entry = backing.log.entry(name)?;
                    let entry =
                        entry.ok_or_else(|| damaged(name, "a page of a bitmap is missing"))?;
                    Page::load(&entry, moves).map_err(|reason| damaged(name, reason))?
                }
            };
            let weight = page.memory_bytes();
            Ok::<_, Error>((Cached::Page(page), weight))
        })?;
        self.lookups.count(loaded);
        match cached {
            Cached::Page(page) => Ok(page),
            Cached::Key(_) | Cached::TreePage(_) => {
                unreachable!("the name is one of a bitmap's page")
            }
        }
    }

    /// The page of a collection whose record is `name`.
    pub(crate) fn tree_page(
        &mut self,
        backing: &Backing,
        name: &[u8],
    ) -> Result<&mut TreePage, Error> {
        let (cached, loaded) = self.cache.get_or_load(&backing.budget, name, || {
            let moves = backing.log.moves();
            let entry = backing.log.entry(name)?;
            let entry = entry.ok_or_else(|| damaged(name, "a page of a collection is missing"))?;
            let page = TreePage::load(&entry, moves).map_err(|reason| damaged(name, reason))?;
            let weight = page.memory_bytes();
            Ok::<_, Error>((Cached::TreePage(page), weight))
        })?;
        self.lookups.count(loaded);
        match cached {
            Cached::TreePage(page) => Ok(page),
            Cached::Key(_) | Cached::Page(_) => {
                unreachable!("the name is one of a collection's page")
            }
        }
    }

    /// Lets go of the cached pages of the bitmap or collection whose pages' names begin with `prefix`.
    pub(crate) fn forget_pages(&mut self, budget: &Budget, prefix: &[u8]) {
        for name in self.pages(prefix) {
            self.cache.remove(budget, &name);
        }
    }

    /// The names of the cached pages that begin with `prefix`.
    pub(crate) fn pages(&self, prefix: &[u8]) -> Vec<Box<[u8]>> {
        self.cache.names().filter(|name| name.starts_with(prefix)).map(Box::from).collect()
    }

    /// Tells those who watch a key that it has changed.
    pub(crate) fn notify(&mut self, name: &[u8]) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(watchers) = self.watchers.get(name) {
            for flag in watchers.iter().filter_map(Weak::upgrade) {
                flag.store(true, Ordering::Release);
            }
        }
    }
}

/// What the log has of the key whose record is `name`.
fn load(backing: &Backing, db: Db, name: &[u8]) -> Result<KeyEntry, Error> {
    let moves = backing.log.moves();
    match backing.log.entry(name)? {
        None => Ok(KeyEntry::absent()),
        Some(entry) => KeyEntry::load(&entry, moves, |id| directory(&backing.log, db, id))
            .map_err(|reason| damaged(name, reason)),
    }
}

/// The pages of a collection, by walking the log's keys: no disk is read.
fn directory(log: &Bitcask, db: Db, id: u64) -> Vec<PageRef> {
    let mut pages = Vec::new();
    let prefix = layout::pages(db, id);
    log.walk(&prefix, b"", &mut |name| {
        pages.extend(layout::span_of(name).map(|span| PageRef { span, count: None }));
        ControlFlow::Continue(())
    });
    pages
}
