//! Least recently used first out, bounded by bytes. The crate `lru` is named here only.
//!
//! Moving an entry to the front of the list touches its neighbours there and those at the front, which are
//! anywhere in memory. So an entry that was moved lately is left where it is: while nothing new comes in, the
//! order does not matter, and nothing is moved.

mod name;

use lru::LruCache;
use name::CachedName;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an entry costs beside its value and a long name: list and table (measured with a counting allocator).
const ENTRY_BYTES: usize = 184;

/// Bytes cached, by all stripes together.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    used: AtomicUsize,
    entries: AtomicUsize,
    limit: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Budget { limit: AtomicUsize::new(limit), ..Budget::default() }
    }

    fn add(&self, weight: usize) {
        self.used.fetch_add(weight, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    fn subtract(&self, weight: usize) {
        self.used.fetch_sub(weight, Ordering::Relaxed);
        self.entries.fetch_sub(1, Ordering::Relaxed);
    }

    /// Number of values cached.
    pub(crate) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn exceeded(&self) -> bool {
        self.used() > self.limit.load(Ordering::Relaxed)
    }
}

/// One stripe's share of the cache.
pub(crate) struct Cache<V> {
    entries: LruCache<CachedName, Weighted<V>>,
    /// Entries that have come in.
    arrivals: u64,
}

struct Weighted<V> {
    value: V,
    weight: usize,
    /// `arrivals` when it was moved to the front last.
    moved: u64,
}

/// An entry is moved again once so many have come in before it, of as many as there are.
const STALE_SHARE: u64 = 8;

impl<V> Cache<V> {
    pub(crate) fn new() -> Self {
        Cache { entries: LruCache::unbounded(), arrivals: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value of `name`, loaded with its weight if it is not there: says whether it had to be.
    pub(crate) fn get_or_load<E>(
        &mut self,
        budget: &Budget,
        name: &[u8],
        load: impl FnOnce() -> Result<(V, usize), E>,
    ) -> Result<(&mut V, bool), E> {
        let stale = self.entries.peek(name).map(|entry| self.is_stale(entry));
        let entry = match stale {
            Some(false) => self.entries.peek_mut(name),
            Some(true) => {
                let mut entry = self.entries.get_mut(name);
                if let Some(entry) = &mut entry {
                    entry.moved = self.arrivals;
                }
                entry
            }
            None => {
                let (value, weight) = load()?;
                self.insert(budget, name, value, weight);
                self.entries.peek_mut(name)
            }
        };
        let entry = entry.expect("it was there, or has just been put there");
        Ok((&mut entry.value, stale.is_none()))
    }

    fn is_stale(&self, entry: &Weighted<V>) -> bool {
        (self.arrivals - entry.moved) * STALE_SHARE > self.entries.len() as u64
    }

    /// Changes the value of `name`, if it is there; `change` says how much memory it takes then, or `None` if
    /// that is about what it was.
    pub(crate) fn update(
        &mut self,
        budget: &Budget,
        name: &[u8],
        change: impl FnOnce(&mut V) -> Option<usize>,
    ) {
        if let Some(entry) = self.entries.peek_mut(name) {
            let Some(weight) = change(&mut entry.value) else { return };
            let weight = weight + CachedName::heap_bytes(name) + ENTRY_BYTES;
            if weight != entry.weight {
                budget.used.fetch_add(weight, Ordering::Relaxed);
                budget.used.fetch_sub(entry.weight, Ordering::Relaxed);
                entry.weight = weight;
            }
        }
    }

    /// The value of `name`, without making it the most recently used.
    pub(crate) fn peek(&self, name: &[u8]) -> Option<&V> {
        self.entries.peek(name).map(|entry| &entry.value)
    }

    /// The names of all entries, in no particular order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|(name, _)| name.as_slice())
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.entries.contains(name)
    }

    /// Inserts or replaces `name`; `weight` is the value's own memory in bytes.
    pub(crate) fn insert(&mut self, budget: &Budget, name: &[u8], value: V, weight: usize) {
        let weight = weight + CachedName::heap_bytes(name) + ENTRY_BYTES;
        budget.add(weight);
        self.arrivals += 1;
        let entry = Weighted { value, weight, moved: self.arrivals };
        if let Some(old) = self.entries.put(CachedName::new(name), entry) {
            budget.subtract(old.weight);
        }
    }

    pub(crate) fn remove(&mut self, budget: &Budget, name: &[u8]) -> Option<V> {
        let entry = self.entries.pop(name)?;
        budget.subtract(entry.weight);
        Some(entry.value)
    }

    /// Drops the least recently used entry; false if there is none.
    pub(crate) fn evict(&mut self, budget: &Budget) -> bool {
        match self.entries.pop_lru() {
            Some((_, entry)) => {
                budget.subtract(entry.weight);
                true
            }
            None => false,
        }
    }

    /// Drops the least recently used of the entries that need not be kept; false if there is none among
    /// the oldest few.
    pub(crate) fn evict_unless(&mut self, budget: &Budget, kept: impl Fn(&V) -> bool) -> bool {
        const OLDEST: usize = 16;
        for _ in 0..OLDEST.min(self.entries.len()) {
            let Some((name, entry)) = self.entries.pop_lru() else { return false };
            if !kept(&entry.value) {
                budget.subtract(entry.weight);
                return true;
            }
            self.entries.put(name, entry);
        }
        false
    }

    pub(crate) fn clear(&mut self, budget: &Budget) {
        while self.evict(budget) {}
        self.entries = LruCache::unbounded();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_every_way_in_and_out() {
        let budget = Budget::new(1000);
        let mut cache = Cache::new();
        cache.insert(&budget, b"a", 1, 400);
        cache.insert(&budget, b"b", 2, 100);
        assert_eq!(budget.used(), 500 + 2 * ENTRY_BYTES);
        assert!(!budget.exceeded());
        cache.insert(&budget, b"a", 3, 10);
        cache.update(&budget, b"b", |_| Some(1000));
        assert!(budget.exceeded());
        let found = cache.get_or_load(&budget, b"b", || Err("it is there")).unwrap();
        assert_eq!(found, (&mut 2, false));
        assert!(cache.evict(&budget));
        assert!(!cache.contains(b"a"), "the least recently used goes first");
        assert_eq!(cache.remove(&budget, b"b"), Some(2));
        assert_eq!((budget.used(), budget.entries(), cache.evict(&budget)), (0, 0, false));
    }

    #[test]
    fn what_is_used_stays_while_others_come_and_go() {
        let budget = Budget::new(usize::MAX);
        let mut cache = Cache::new();
        for i in 0..1000_u32 {
            let name = i.to_be_bytes();
            cache.get_or_load(&budget, &name, || Ok::<_, ()>((i, 1))).unwrap();
            if cache.len() > 40 {
                cache.evict(&budget);
            }
            let (hot, loaded) = cache.get_or_load(&budget, b"hot", || Ok::<_, ()>((0, 1))).unwrap();
            assert_eq!((*hot, loaded), (0, i == 0), "{i}");
        }
    }
}
