//! Least recently used first out, bounded by bytes. The crate `lru` is named here only.

use lru::LruCache;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an entry costs beside its value: key, list and table (measured with a counting allocator).
const ENTRY_BYTES: usize = 168;

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

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn exceeded(&self) -> bool {
        self.used() > self.limit.load(Ordering::Relaxed)
    }
}

/// One stripe's share of the cache.
pub(crate) struct Cache<V> {
    entries: LruCache<Vec<u8>, Weighted<V>>,
}

struct Weighted<V> {
    value: V,
    weight: usize,
}

impl<V> Cache<V> {
    pub(crate) fn new() -> Self {
        Cache { entries: LruCache::unbounded() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value of `name`, which becomes the most recently used.
    #[cfg(test)]
    pub(crate) fn get(&mut self, name: &[u8]) -> Option<&mut V> {
        self.entries.get_mut(name).map(|entry| &mut entry.value)
    }

    /// The value of `name`, loaded with its weight if it is not there: says whether it had to be.
    pub(crate) fn get_or_load<E>(
        &mut self,
        budget: &Budget,
        name: &[u8],
        load: impl FnOnce() -> Result<(V, usize), E>,
    ) -> Result<(&mut V, bool), E> {
        let mut loaded = false;
        let entry = self.entries.try_get_or_insert_mut_ref(name, || {
            let (value, weight) = load()?;
            let weight = weight + name.len() + ENTRY_BYTES;
            budget.add(weight);
            loaded = true;
            Ok(Weighted { value, weight })
        })?;
        Ok((&mut entry.value, loaded))
    }

    /// Changes the value of `name`, if it is there; `change` says how much memory it takes then, or `None` if
    /// that is about what it was.
    pub(crate) fn update(
        &mut self,
        budget: &Budget,
        name: &[u8],
        change: impl FnOnce(&mut V) -> Option<usize>,
    ) {
        if let Some(entry) = self.entries.get_mut(name) {
            let Some(weight) = change(&mut entry.value) else { return };
            let weight = weight + name.len() + ENTRY_BYTES;
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
        let weight = weight + name.len() + ENTRY_BYTES;
        budget.add(weight);
        if let Some(old) = self.entries.put(name.to_vec(), Weighted { value, weight }) {
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
        assert_eq!(budget.used(), 500 + 2 * (ENTRY_BYTES + 1));
        assert!(!budget.exceeded());
        cache.insert(&budget, b"a", 3, 10);
        cache.update(&budget, b"b", |_| Some(1000));
        assert!(budget.exceeded());
        assert_eq!(cache.get(b"b"), Some(&mut 2));
        assert!(cache.evict(&budget));
        assert!(!cache.contains(b"a"), "the least recently used goes first");
        assert_eq!(cache.remove(&budget, b"b"), Some(2));
        assert_eq!((budget.used(), budget.entries(), cache.evict(&budget)), (0, 0, false));
    }
}
