//! SCAN cursors: numbers that name a place in key order, and depend on nothing but the keys.
//!
//! A cursor is a byte string at which the walk goes on: every key that is below it has been returned, and
//! every key that is not will be. So a key that is there throughout is returned exactly once, whatever
//! comes and goes, and after a restart, too. To fit a byte string into a number that every client can hold, its
//! beginning is one of the prefixes in a dictionary, which is kept in the log:
//!
//! | bits | meaning |
//! |-----:|---|
//! | 43 … 58 | index of the prefix in the dictionary; 0 is the empty one |
//! | 40 … 42 | length of the tail, 1 to 5 |
//! | 0 … 39 | tail, its first byte the most significant |
//!
//! The dictionary grows when SCAN first needs to stop below a prefix, by a few entries for thousands of
//! keys. Should it be full, SCAN returns more keys at a time, as COUNT is only a hint.

use crate::layout;
use bitcask_core::{Batch, Bitcask, UnixMillis};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Longest tail, in bytes.
const TAIL_LEN: usize = 5;
/// A new prefix ends so many bytes before the place that needs it, so that its neighbours fit, too.
const SPARE_LEN: usize = 4;
/// Longest prefix that is worth a place in memory.
const PREFIX_LEN: usize = 1 << 10;

/// The prefixes that cursors refer to.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    prefixes: Vec<Vec<u8>>,
    indexes: HashMap<Vec<u8>, u16>,
}

impl Dictionary {
    pub(crate) fn load(log: &Bitcask) -> Result<Self, bitcask_core::Error> {
        let mut names = Vec::new();
        log.walk(&layout::cursors(), b"", &mut |name| {
            names.push(name.to_vec());
            ControlFlow::Continue(())
        });
        let mut dictionary = Dictionary { prefixes: vec![Vec::new()], ..Dictionary::default() };
        dictionary.indexes.insert(Vec::new(), 0);
        for name in names {
            let index =
                layout::cursor_of(&name).filter(|i| usize::from(*i) == dictionary.prefixes.len());
            if let (Some(index), Some(prefix)) = (index, log.newest(&name)?) {
                dictionary.indexes.insert(prefix.clone(), index);
                dictionary.prefixes.push(prefix);
            }
        }
        Ok(dictionary)
    }

    /// The place that a cursor names, if it is one that was given out.
    pub(crate) fn place(&self, cursor: u64) -> Option<Vec<u8>> {
        let (index, len, tail) = (cursor >> 43, (cursor >> 40 & 7) as usize, cursor.to_be_bytes());
        let prefix = self.prefixes.get(usize::try_from(index).ok()?)?;
        let tail = tail[3..].get(..len).filter(|tail| !tail.is_empty())?;
        Some([prefix, tail].concat())
    }

    /// The cursor that names `place`, which is not empty, if the dictionary has a prefix for it.
    fn cursor(&self, place: &[u8]) -> Option<u64> {
        let shortest = place.len().saturating_sub(TAIL_LEN);
        (shortest..place.len()).find_map(|split| {
            let (prefix, tail) = place.split_at(split);
            let index = u64::from(*self.indexes.get(prefix)?);
            let mut bytes = [0; 8];
            bytes[3..3 + tail.len()].copy_from_slice(tail);
            Some(index << 43 | (tail.len() as u64) << 40 | u64::from_be_bytes(bytes))
        })
    }

    /// As [`Dictionary::cursor`], adding a prefix if there is room. `None` if there is not, or it cannot
    /// be written: then the walk must go on.
    pub(crate) fn make(&mut self, log: &Bitcask, place: &[u8], now: UnixMillis) -> Option<u64> {
        if let Some(cursor) = self.cursor(place) {
            return Some(cursor);
        }
        let prefix = &place[..place.len() - SPARE_LEN];
        let index = u16::try_from(self.prefixes.len()).ok()?;
        if prefix.len() > PREFIX_LEN {
            return None;
        }
        let mut batch = Batch::new(now);
        batch.put(&layout::cursor(index), prefix, None);
        log.write(&mut batch).ok()?;
        self.indexes.insert(prefix.to_vec(), index);
        self.prefixes.push(prefix.to_vec());
        self.cursor(place)
    }
}

/// The shortest string above `last` and not above `next`, which follows it.
pub(crate) fn between<'k>(last: &[u8], next: &'k [u8]) -> &'k [u8] {
    let shared = last.iter().zip(next).take_while(|(a, b)| a == b).count();
    &next[..shared + 1]
}
