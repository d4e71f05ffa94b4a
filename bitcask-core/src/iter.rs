//! Iteration over keys and entries, in both directions, while writes go on.
//!
//! An iterator holds no lock between two steps: it fetches a few keys at a time, under the keydir's
//! read lock, and remembers the last one it gave as the place to go on from.

use crate::view::View;
use crate::{Error, KeyRange, UnixMillis};
use std::collections::VecDeque;
use std::fmt;

/// Keys fetched at first; each time more, up to the greatest number, so that a short look costs little.
const FEWEST_KEYS: usize = 16;
const MOST_KEYS: usize = 512;

/// The keys of a range, from both ends. See [`crate::Bitcask::keys`].
pub struct Keys<'a> {
    view: View<'a>,
    /// What is left.
    range: KeyRange,
    front: VecDeque<Vec<u8>>,
    back: VecDeque<Vec<u8>>,
    fetch: usize,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(view: View<'a>, range: KeyRange) -> Self {
        let (front, back) = Default::default();
        Keys { view, range, front, back, fetch: FEWEST_KEYS }
    }

    fn fetch(&mut self, backwards: bool) -> VecDeque<Vec<u8>> {
        let most = self.fetch;
        self.fetch = (most * 2).min(MOST_KEYS);
        self.view.keys(&self.range, backwards, most)
    }
}

impl Iterator for Keys<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.front.is_empty() {
            self.front = self.fetch(false);
        }
        // What was fetched may have been given from the other end meanwhile.
        let key = self.front.pop_front().filter(|key| !self.range.is_beyond(key))?;
        self.range.start_after(&key);
        Some(key)
    }
}

impl DoubleEndedIterator for Keys<'_> {
    fn next_back(&mut self) -> Option<Vec<u8>> {
        if self.back.is_empty() {
            self.back = self.fetch(true);
        }
        let key = self.back.pop_front().filter(|key| self.range.contains(key))?;
        self.range.end_before(&key);
        Some(key)
    }
}

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("left", &self.range).finish_non_exhaustive()
    }
}

/// A key with its value, as [`Entries`] gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyValue {
    /// The key.
    pub key: Vec<u8>,
    /// Its value, folded.
    pub value: Vec<u8>,
    /// When it expires, if ever.
    pub expires_at: Option<UnixMillis>,
    /// Sequence number of its newest record; 0 for what a transaction has yet to write.
    pub sequence: u64,
}

/// The entries of a range, from both ends. See [`crate::Bitcask::entries`].
#[derive(Debug)]
pub struct Entries<'a> {
    keys: Keys<'a>,
    now: UnixMillis,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(view: View<'a>, range: KeyRange, now: UnixMillis) -> Self {
        Entries { keys: Keys::new(view, range), now }
    }

    /// The entry of a key, unless it has expired, or gone since its name was fetched.
    fn read(&self, key: Vec<u8>) -> Option<Result<KeyValue, Error>> {
        self.keys.view.read(key, self.now).transpose()
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<KeyValue, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.keys.next()?;
            if let Some(found) = self.read(key) {
                return Some(found);
            }
        }
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.keys.next_back()?;
            if let Some(found) = self.read(key) {
                return Some(found);
            }
        }
    }
}
