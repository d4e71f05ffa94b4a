//! Commands on locked keys: seen by themselves at once, by others as a whole, or never.
//!
//! Values are changed in place in the cache, under the locks that the transaction holds, and what has been
//! touched is remembered. A commit turns that into one batch for the log. Without a commit, or if the log
//! refuses the batch, what was touched is dropped from the cache; the log then gives it back as it was.

mod bit_op;
mod bits;
mod collection;
#[cfg(test)]
mod collection_tests;
mod commit;
mod double;
mod dump;
#[cfg(test)]
mod dump_tests;
mod hash;
mod hyperloglog;
mod keys;
mod libraries;
mod list;
mod listing;
mod log_tree;
mod number;
mod search;
mod set;
mod set_algebra;
mod sort;
mod strings;
mod walk;
mod zset;

pub use walk::{Pair, Visit};

use crate::keyspace::Shared;
use crate::layout::{self, Name, Span};
use crate::stripe::{STRIPES, Stripe};
use crate::value::{Cached, Change, Collection, KeyEntry, Page, Value};
use crate::{Db, Error, Kind, MAX_KEY_BYTES};
use bitcask_core::{Position, UnixMillis};
pub use list::{End, Inserted, Search};
pub use listing::Listing;
pub(crate) use number::integer;
pub use set_algebra::SetOp;
pub use sort::{Pattern, Sort, SortBy};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{MutexGuard, Weak};
pub use zset::{ZsetAdded, ZsetAggregate, ZsetOp, ZsetRange, ZsetRule};

/// Commands on locked keys. What it does is visible to itself at once, and to others after
/// [`Transaction::commit`]; dropped without that, nothing has happened.
///
/// # Panics
/// All methods panic if given a key that was not named to [`crate::Keyspace::begin`].
pub struct Transaction<'a> {
    pub(crate) shared: &'a Shared,
    guards: Guards<'a>,
    now: UnixMillis,
    pending: Pending,
    /// What it saw is durable once the log is durable up to here.
    seen: Position,
    /// Whether the key that was looked at last is there.
    found: bool,
    /// Nobody is told of what it changes: no value is another one.
    quiet: bool,
    /// Up to here the cache may grow before it is looked through again for what can be let go of.
    crowded: usize,
    /// Keys that had expired and were cleared away, since somebody asked.
    expired: Vec<(Db, Box<[u8]>)>,
}

/// A cache that is larger than it may be, and cannot be made smaller, grows by one of this many parts of that before it is
/// tried again.
const CROWDED_SHARE: usize = 64;

/// What has been done and is not in the log yet.
#[derive(Default)]
struct Pending {
    /// Keys that may differ from the log: stripe, and name of the record.
    touched: Vec<(usize, Name)>,
    /// Collections that are gone, with all their pages.
    dropped: Vec<(Db, u64)>,
    /// Databases that were emptied: what the log has in them is gone.
    flushed: Vec<Db>,
    /// Entries of the index of expiries that belong to nothing.
    strays: Vec<Name>,
    /// Libraries of functions: the code, or that it is gone.
    libraries: Vec<(Name, Option<Vec<u8>>)>,
}

/// The locks held, by stripe.
pub(crate) enum Guards<'a> {
    One(usize, MutexGuard<'a, Stripe>),
    /// In the order of the stripes.
    Many(Vec<(usize, MutexGuard<'a, Stripe>)>),
}

impl Guards<'_> {
    fn stripe(&mut self, index: usize) -> &mut Stripe {
        let found = match self {
            Guards::One(only, stripe) => (*only == index).then_some(&mut **stripe),
            Guards::Many(stripes) => match stripes.binary_search_by_key(&index, |(i, _)| *i) {
                Ok(at) => Some(&mut *stripes[at].1),
                Err(_) => None,
            },
        };
        found.expect("a transaction touches only the keys that it was begun with")
    }

    fn holds(&self, index: usize) -> bool {
        match self {
            Guards::One(only, _) => *only == index,
            Guards::Many(stripes) => stripes.binary_search_by_key(&index, |(i, _)| *i).is_ok(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Guards::One(..) => 1,
            Guards::Many(stripes) => stripes.len(),
        }
    }

    /// Notes where the log ends after a change of the stripes that were `touched`.
    fn note(&mut self, position: Position, touched: impl Fn(usize) -> bool) {
        match self {
            Guards::One(_, stripe) => stripe.newest = position,
            Guards::Many(stripes) => {
                for (index, stripe) in stripes {
                    if touched(*index) {
                        stripe.newest = position;
                    }
                }
            }
        }
    }

    fn iter(&mut self) -> impl Iterator<Item = &mut Stripe> {
        let (one, many) = match self {
            Guards::One(_, stripe) => (Some(&mut **stripe), [].iter_mut()),
            Guards::Many(stripes) => (None, stripes.iter_mut()),
        };
        one.into_iter().chain(many.map(|(_, stripe)| &mut **stripe))
    }
}

impl Pending {
    /// Remembers that a key may differ from the log.
    fn mark(&mut self, at: &At, entry: &mut KeyEntry) {
        if !std::mem::replace(&mut entry.touched, true) {
            self.touched.push((at.stripe, at.name.clone()));
        }
    }
}

/// The entry of a key, whatever its state.
fn load<'g>(
    guards: &'g mut Guards<'_>,
    pending: &Pending,
    shared: &Shared,
    at: &At,
) -> Result<&'g mut KeyEntry, Error> {
    let backing = &shared.backing;
    let stripe = guards.stripe(at.stripe);
    if pending.flushed.contains(&at.db) && !stripe.cache.contains(&at.name) {
        // The log still has what was flushed.
        let gone = KeyEntry::absent();
        let weight = gone.memory_bytes();
        stripe.cache.insert(&backing.budget, &at.name, Cached::Key(gone), weight);
    }
    stripe.key(backing, at.db, &at.name)
}

/// A key's stripe and the name of its record.
struct At {
    db: Db,
    stripe: usize,
    name: Name,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(shared: &'a Shared, guards: Guards<'a>, now: UnixMillis) -> Self {
        let (pending, seen) = (Pending::default(), Position::default());
        let expired = Vec::new();
        Transaction {
            shared,
            guards,
            now,
            pending,
            seen,
            found: false,
            quiet: false,
            crowded: 0,
            expired,
        }
    }

    /// The time that it was begun at: what decides about expiries.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// True if it may touch `key`: it was begun with it, or with one that happens to share its lock.
    pub fn holds(&self, db: Db, key: &[u8]) -> bool {
        self.guards.holds(self.shared.stripe_of(&layout::key(db, key)))
    }

    /// The keys that may differ from what they were, in the order in which they were touched.
    pub fn touched(&self) -> impl Iterator<Item = (Db, &[u8])> {
        self.pending.touched.iter().map(|(_, name)| (Db(name[0]), layout::key_of(name)))
    }

    /// True if it may touch every key.
    pub fn holds_everything(&self) -> bool {
        self.guards.len() == STRIPES
    }

    /// True if anything has been changed so far, or something expired was cleared away.
    pub fn is_dirty(&self) -> bool {
        let Pending { touched, flushed, strays, libraries, .. } = &self.pending;
        !(touched.is_empty() && flushed.is_empty() && strays.is_empty() && libraries.is_empty())
    }

    /// Whether the key that a method has read last is there: a bit that is not set may be one of a missing
    /// key.
    pub fn was_found(&self) -> bool {
        self.found
    }

    /// The keys that had expired and were cleared away since this was asked last, in that order: what a command
    /// changes is not what had been there, and who is told of expired keys has to know.
    pub fn take_expired(&mut self) -> Vec<(Db, Box<[u8]>)> {
        std::mem::take(&mut self.expired)
    }

    /// Whether `key` was there when the transaction began, whatever has become of it since. A key that cannot be
    /// read was.
    pub fn was_there(&mut self, db: Db, key: &[u8]) -> bool {
        let now = self.now;
        let Ok(at) = self.at(db, key) else { return false };
        self.entry(&at).map_or(true, |entry| {
            entry.stored.exists && entry.stored.expires_at.is_none_or(|at| at > now)
        })
    }

    pub(crate) fn watchers(
        &mut self,
        name: &[u8],
    ) -> &mut HashMap<Box<[u8]>, Vec<Weak<AtomicBool>>> {
        let stripe = self.shared.stripe_of(name);
        &mut self.guards.stripe(stripe).watchers
    }

    fn at(&mut self, db: Db, key: &[u8]) -> Result<At, Error> {
        if key.len() > MAX_KEY_BYTES {
            return Err(Error::KeyTooLong);
        }
        self.make_room();
        let name = layout::key(db, key);
        Ok(At { db, stripe: self.shared.stripe_of(&name), name })
    }

    /// The key's entry, whatever its state.
    fn entry(&mut self, at: &At) -> Result<&mut KeyEntry, Error> {
        load(&mut self.guards, &self.pending, self.shared, at)
    }

    /// The key's entry if the key is there and has not expired.
    fn read(&mut self, at: &At) -> Result<Option<&mut KeyEntry>, Error> {
        let now = self.now;
        let entry = load(&mut self.guards, &self.pending, self.shared, at)?;
        self.found = entry.exists() && !entry.expired(now);
        Ok(self.found.then_some(entry))
    }

    /// As [`Transaction::read`], of a key that must hold a string.
    fn read_string(&mut self, at: &At) -> Result<Option<&mut KeyEntry>, Error> {
        match self.read(at)? {
            Some(entry) if entry.value.kind() != Some(Kind::String) => Err(Error::WrongType),
            found => Ok(found),
        }
    }

    /// The key's entry, to be changed: from now on the transaction's own. What had expired is gone.
    fn touch(&mut self, at: &At) -> Result<&mut KeyEntry, Error> {
        let now = self.now;
        let entry = load(&mut self.guards, &self.pending, self.shared, at)?;
        let expired = entry.exists() && entry.expired(now);
        self.pending.mark(at, entry);
        if expired {
            self.replace(at, Value::Absent, None)?;
        }
        self.entry(at)
    }

    /// As [`Transaction::touch`], for a key that is known to be there and not expired.
    fn touch_live(&mut self, at: &At) -> Result<&mut KeyEntry, Error> {
        let entry = load(&mut self.guards, &self.pending, self.shared, at)?;
        self.pending.mark(at, entry);
        Ok(entry)
    }

    /// Gives the key a value and an expiry, whatever it had. A damaged value is in nobody's way; but its
    /// pages, and its place in the index of expiries, are not known, and stay.
    fn replace(
        &mut self,
        at: &At,
        value: Value,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let stripe = self.guards.stripe(at.stripe);
        let entry = match self.pending.flushed.contains(&at.db) {
            false => stripe.key_to_replace(&self.shared.backing, at.db, &at.name)?,
            true => load(&mut self.guards, &self.pending, self.shared, at)?,
        };
        let expired = entry.exists() && entry.expired(self.now);
        let old = std::mem::replace(&mut entry.value, value);
        entry.expires_at = expires_at;
        entry.change = Change::Base;
        self.pending.mark(at, entry);
        if expired {
            self.expired.push((at.db, layout::key_of(&at.name).into()));
        }
        self.discard(at, old);
        Ok(())
    }

    /// Makes sure that the key can be replaced: nothing may be taken from elsewhere before that.
    fn prepare_to_replace(&mut self, at: &At) -> Result<(), Error> {
        if !self.pending.flushed.contains(&at.db) {
            let stripe = self.guards.stripe(at.stripe);
            stripe.key_to_replace(&self.shared.backing, at.db, &at.name)?;
        }
        Ok(())
    }

    /// Drops a value's pages.
    fn discard(&mut self, at: &At, value: Value) {
        if let Value::Tree(tree) = &value {
            let stripe = self.guards.stripe(at.stripe);
            stripe.forget_pages(&self.shared.backing.budget, &layout::pages(at.db, tree.id));
            self.pending.dropped.push((at.db, tree.id));
        }
        if let Value::Paged(paged) = value {
            let stripe = self.guards.stripe(at.stripe);
            for page in &paged.pages {
                let name = layout::page(at.db, paged.collection.id, page.span);
                stripe.cache.remove(&self.shared.backing.budget, &name);
            }
            if paged.collection.derivation.is_none() {
                self.pending.dropped.push((at.db, paged.collection.id));
            }
        }
    }

    /// A page of a bitmap in the key's stripe.
    fn page(&mut self, at: &At, collection: &Collection, span: Span) -> Result<&mut Page, Error> {
        self.make_room();
        let name = layout::page(at.db, collection.id, span);
        self.guards.stripe(at.stripe).page(&self.shared.backing, collection, span, &name)
    }

    /// Undoes everything: the log has the keys as they were.
    fn roll_back(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let budget = &self.shared.backing.budget;
        if !pending.flushed.is_empty() {
            self.guards.iter().for_each(|stripe| stripe.cache.clear(budget));
            return;
        }
        for (stripe, name) in &pending.touched {
            let stripe = self.guards.stripe(*stripe);
            let Some(Cached::Key(entry)) = stripe.cache.remove(budget, name) else { continue };
            if let Value::Tree(tree) = &entry.value {
                // Clean ones, too: see below.
                stripe.forget_pages(budget, &layout::pages(Db(name[0]), tree.id));
            }
            if let Value::Paged(paged) = entry.value {
                // Clean ones, too: the bitmap may have come from another stripe, and goes back there. Whoever
                // found them here later would find what they were then.
                let spans = paged.pages.iter().map(|page| page.span).chain(paged.dirty);
                for span in spans {
                    let page = layout::page(Db(name[0]), paged.collection.id, span);
                    stripe.cache.remove(budget, &page);
                }
            }
        }
    }

    /// Lets go of values that the log has, the own stripes' first, while there are more than the cache may
    /// hold: one transaction may go through any number.
    fn make_room(&mut self) {
        let budget = &self.shared.backing.budget;
        // With millions of changed values, nothing can be let go of, and looking at each step would take long.
        if !budget.exceeded() || budget.used() < self.crowded {
            return;
        }
        for stripe in self.guards.iter() {
            while budget.exceeded() && stripe.cache.evict_unless(budget, Cached::is_touched) {}
        }
        self.shared.evict();
        if budget.exceeded() {
            self.crowded = budget.used() + budget.limit() / CROWDED_SHARE;
        }
    }

    /// Brings the cache back to its budget, the own stripes first.
    fn evict(&mut self) {
        let budget = &self.shared.backing.budget;
        if !budget.exceeded() {
            return;
        }
        for stripe in self.guards.iter() {
            // A hot stripe may keep what it used last; the others give up theirs next.
            for _ in 0..stripe.cache.len() / 2 {
                if !budget.exceeded() {
                    return;
                }
                stripe.cache.evict(budget);
            }
        }
        self.shared.evict();
        // Nothing to gain elsewhere: a single value may be larger than the budget.
        for stripe in self.guards.iter() {
            while budget.exceeded() && stripe.cache.evict(budget) {}
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_dirty() {
            self.roll_back();
        }
        self.evict();
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("now", &self.now)
            .field("touched", &self.pending.touched.len())
            .finish_non_exhaustive()
    }
}
