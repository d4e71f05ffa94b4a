//! A batch of changes: all of them take effect, or none.

use crate::{Chain, Location, UnixMillis};

/// Names a record of a batch, to learn its location from [`crate::Committed::location`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordIndex(pub(crate) u32);

/// Changes that become visible and durable together, in the order in which they were added.
#[derive(Debug)]
pub struct Batch {
    pub(crate) now: UnixMillis,
    // private to fill in
}

impl Batch {
    /// An empty batch whose records will carry the timestamp `now`.
    pub fn new(_now: UnixMillis) -> Self {
        todo!()
    }
    /// Number of records.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// True without a record.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Sets `key` to `value`, and its expiry (`None`: it never expires).
    pub fn put(&mut self, _key: &[u8], _value: &[u8], _expires_at: Option<UnixMillis>) -> RecordIndex {
        todo!()
    }
    /// Removes `key`. Writes a tombstone even if the key is missing.
    pub fn delete(&mut self, _key: &[u8]) -> RecordIndex {
        todo!()
    }
    /// Removes every key that begins with `prefix`, at the cost of one record.
    pub fn delete_prefix(&mut self, _prefix: &[u8]) -> RecordIndex {
        todo!()
    }
    /// Appends `delta` to the value of `key`, whose live records are `chain`; the key's expiry becomes `expires_at`.
    ///
    /// If [`Chain::absorbs`] says n > 0, `delta` must include the changes of the newest n deltas.
    /// The write fails with [`crate::Error::ChainMoved`] if `chain` does not end at the key's newest
    /// record. Within a batch a key may take one put or one delta, not both. After the commit, tell the chain ([`Chain::push`]).
    pub fn delta(
        &mut self,
        _key: &[u8],
        _delta: &[u8],
        _chain: &Chain,
        _expires_at: Option<UnixMillis>,
    ) -> RecordIndex {
        let _ = Location { segment: 0, offset: 0, len: 0 };
        todo!()
    }
}
