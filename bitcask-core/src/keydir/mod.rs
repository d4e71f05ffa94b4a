//! The keydir: an ordered map from key to the location of its newest record.
use crate::Location;

/// An adaptive radix tree from byte strings to [`Location`]s.
#[derive(Debug, Default)]
pub struct KeyDir {}

impl KeyDir {
    /// An empty keydir.
    pub fn new() -> Self {
        todo!()
    }
    /// Number of keys.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes of memory held, arenas' spare room included.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
    /// The location of `key`.
    pub fn get(&self, _key: &[u8]) -> Option<Location> {
        todo!()
    }
    /// Sets the location of `key`, and returns the one before.
    pub fn insert(&mut self, _key: &[u8], _location: Location) -> Option<Location> {
        todo!()
    }
    /// Removes `key`, and returns where it was.
    pub fn remove(&mut self, _key: &[u8]) -> Option<Location> {
        todo!()
    }
    /// Removes every key that begins with `prefix`, telling `dropped` each location; returns how many.
    pub fn remove_prefix(&mut self, _prefix: &[u8], _dropped: &mut dyn FnMut(Location)) -> usize {
        todo!()
    }
    /// Keys that begin with `prefix`, in byte order, from the first that is not below `from`.
    pub fn walk<'a>(&'a self, _prefix: &[u8], _from: &[u8]) -> Walk<'a> {
        todo!()
    }
    /// The greatest key not above `key` among those that begin with `prefix`.
    pub fn floor(&self, _prefix: &[u8], _key: &[u8]) -> Option<(Vec<u8>, Location)> {
        todo!()
    }
    /// A key that begins with `prefix`, by descending through children that `choose(n)` (below n) picks.
    pub fn sample(
        &self,
        _prefix: &[u8],
        _choose: &mut dyn FnMut(usize) -> usize,
    ) -> Option<(Vec<u8>, Location)> {
        todo!()
    }
}

/// An ordered walk that lends each key: no allocation per step.
#[derive(Debug)]
pub struct Walk<'a> {
    _keydir: &'a KeyDir,
}

impl Walk<'_> {
    /// The next key and its location.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<(&[u8], Location)> {
        todo!()
    }
}
