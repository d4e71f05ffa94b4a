//! A batch of changes: all of them take effect, or none.

use crate::compression::Codec;
use crate::format::record::{self, ChainLink, Kind, MAX_KEY_LEN, MAX_VALUE_LEN};
use crate::{Chain, Error, Location, Metadata, UnixMillis};

/// Names a record of a batch, to learn its location from [`crate::Committed::location`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordIndex(pub(crate) u32);

/// Changes that become visible and durable together, in the order in which they were added.
///
/// Records are encoded as they are added, so that a commit has little left to do.
#[derive(Debug)]
pub struct Batch {
    now: UnixMillis,
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Pending>,
    too_large: Option<(&'static str, usize, usize)>,
    has_empty_key: bool,
    /// The sequence number that the batch's only record keeps: compaction's, which writes anew what is there.
    pub(crate) keeps: Option<u64>,
    /// Records that die of the batch's deltas: these carry their changes.
    pub(crate) absorbed: Vec<Location>,
    pub(crate) expected: Vec<Expected>,
    /// Sequence number of the first record, once it was written.
    pub(crate) first_sequence: u64,
    /// A record of it refers: see [`Batch::refers`].
    pub(crate) has_referring: bool,
}

/// See [`Batch::expect`].
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) key: Vec<u8>,
    pub(crate) sequence: Option<u64>,
}

/// A record in a batch: where it lies in the batch's bytes, and what the keydir must know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    key_start: usize,
    key_len: usize,
    /// For a delta or an expiry: the record that must be its key's newest.
    pub(crate) follows: Option<Location>,
}

impl Pending {
    fn value_start(&self) -> usize {
        self.key_start + self.key_len
    }
}

impl Batch {
    /// An empty batch whose records will carry the timestamp `now`.
    pub fn new(now: UnixMillis) -> Self {
        Batch {
            now,
            bytes: Vec::new(),
            records: Vec::new(),
            too_large: None,
            has_empty_key: false,
            keeps: None,
            absorbed: Vec::new(),
            expected: Vec::new(),
            has_referring: false,
            first_sequence: 0,
        }
    }

    /// Empties the batch for another use, keeping its memory.
    pub fn reset(&mut self, now: UnixMillis) {
        self.now = now;
        self.bytes.clear();
        self.records.clear();
        self.too_large = None;
        self.has_empty_key = false;
        self.keeps = None;
        self.absorbed.clear();
        self.expected.clear();
        self.has_referring = false;
    }

    /// Gives the records that are added from now on the timestamp `at`: for entries that were written elsewhere, and
    /// earlier.
    pub fn set_timestamp(&mut self, at: UnixMillis) {
        self.now = at;
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without a record, whatever it expects.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes that the batch adds to the log. Before it is written: at most, since
    /// [compression](crate::Options::compression) makes them fewer.
    pub fn log_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Sets `key` to `value`, and its expiry (`None`: it never expires). A batch that sets the empty key is not
    /// written: [`Error::EmptyKey`].
    pub fn put(&mut self, key: &[u8], value: &[u8], expires_at: Option<UnixMillis>) -> RecordIndex {
        self.has_empty_key |= key.is_empty();
        self.push(Kind::Put, key, value, expires_at, None, None)
    }

    /// As [`Batch::put`], with a value that `write` appends to the given vector (and nothing else does):
    /// for large values, which are so encoded in their place.
    pub fn put_with(
        &mut self,
        key: &[u8],
        expires_at: Option<UnixMillis>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> RecordIndex {
        let index = self.put(key, b"", expires_at);
        if self.too_large.is_some() {
            return index;
        }
        write(&mut self.bytes);
        let record = &mut self.records[index.0 as usize];
        let value_len = self.bytes.len() - record.end;
        record.end = self.bytes.len();
        if value_len > MAX_VALUE_LEN {
            self.too_large = Some(("a value", value_len, MAX_VALUE_LEN));
        } else {
            record::set_value_len(&mut self.bytes[record.start..], value_len);
        }
        index
    }

    /// Removes `key`. Writes a tombstone even if the key is missing.
    pub fn delete(&mut self, key: &[u8]) -> RecordIndex {
        self.push(Kind::Delete, key, b"", None, None, None)
    }

    /// Removes every key that begins with `prefix`, at the cost of one record.
    pub fn delete_prefix(&mut self, prefix: &[u8]) -> RecordIndex {
        self.push(Kind::DeletePrefix, prefix, b"", None, None, None)
    }

    /// Lets the batch be written only if the newest record of `key` has this sequence number, or if there is no
    /// `key` (`None`): else the write fails with [`crate::Error::Conflict`], and nothing of the batch is
    /// applied. A key that has expired by the batch's time is not there. Whatever the batch itself does
    /// comes after; a batch of expectations alone is a check.
    ///
    /// Costs one short read of each key when the batch is written.
    ///
    /// # Examples
    /// ```
    /// use bitcask_core::{Batch, Bitcask, Error, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// store.put(b"stock:pears", b"3", now)?;
    /// let seen = store.metadata(b"stock:pears")?.expect("it was just put");
    ///
    /// let mut batch = Batch::new(now);
    /// batch.expect(b"stock:pears", Some(seen.sequence)).expect(b"order:1", None);
    /// batch.put(b"stock:pears", b"2", None);
    /// batch.put(b"order:1", b"a pear", None);
    /// store.write(&mut batch)?;
    /// assert!(matches!(store.write(&mut batch), Err(Error::Conflict { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expect(&mut self, key: &[u8], sequence: Option<u64>) -> &mut Self {
        self.expected.push(Expected { key: key.to_vec(), sequence });
        self
    }

    /// Sets when `key` expires (`None`: never), and leaves its value where it is: one record of some fifty
    /// bytes and the key, however large the value.
    ///
    /// `metadata` is what [`crate::Bitcask::metadata`] said of the key. The write fails with
    /// [`Error::ChainMoved`] if the key has changed since (or compaction has moved it: ask again), or if the
    /// batch has another record for it. A later put or delta says anew when the key expires. One key at a time:
    /// [`crate::Bitcask::set_expiry`].
    ///
    /// # Examples
    /// ```
    /// # use bitcask_core::{Batch, Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let store = Bitcask::open(temporary.path(), Options::default())?;
    /// # let now = UnixMillis(0);
    /// store.put(b"session", b"much", now)?;
    /// let metadata = store.metadata(b"session")?.expect("it was just put");
    /// let mut batch = Batch::new(now);
    /// batch.set_expiry(b"session", &metadata, Some(UnixMillis(60_000)));
    /// batch.put(b"seen", b"now", None);
    /// store.write(&mut batch)?;
    /// assert_eq!(store.expiry(b"session")?, Some(UnixMillis(60_000)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_expiry(
        &mut self,
        key: &[u8],
        metadata: &Metadata,
        expires_at: Option<UnixMillis>,
    ) -> RecordIndex {
        let len = record::encoded_len(Kind::Expiry, expires_at.is_some(), key.len(), 0);
        let link = metadata.link_of_expiry(len);
        self.absorbed.extend(metadata.expiry_record());
        let place = Some(metadata.location);
        let record = self.push(Kind::Expiry, key, b"", expires_at, Some(link), place);
        if metadata.refers {
            self.refers(record);
        }
        record
    }

    /// Appends `delta` to the value of `key`, whose live records are `chain`; the key's expiry becomes
    /// `expires_at`.
    ///
    /// If [`Chain::absorbs`] says n > 0, `delta` must include the changes of the newest n deltas. The
    /// write fails with [`Error::ChainMoved`] if `chain` does not end at the key's newest record, or if the
    /// batch has another record for the key, a deleted prefix included. After the commit, tell the
    /// chain: [`Chain::push`].
    pub fn delta(
        &mut self,
        key: &[u8],
        delta: &[u8],
        chain: &Chain,
        expires_at: Option<UnixMillis>,
    ) -> RecordIndex {
        self.has_empty_key |= key.is_empty();
        let next = chain.next_link();
        let len = record::encoded_len(Kind::Delta, expires_at.is_some(), key.len(), delta.len());
        let bytes = next.kept_bytes + len as u64;
        let link = ChainLink::after(next.previous, next.level, next.kept + 1, bytes);
        self.absorbed.extend(chain.absorbed());
        self.push(Kind::Delta, key, delta, expires_at, Some(link), Some(chain.newest()))
    }

    /// Says that the value of `record` mentions places of other records, as [`crate::Batch`]'s user knows
    /// them from [`crate::Bitcask::location`]: before compaction lets go of a segment, it asks
    /// [`crate::Guard::let_go`], which finds such keys with [`crate::Bitcask::take_referring`]. A delta that follows
    /// the record is to say so anew; an expiry does by itself. Without a guard, such a store is not compacted.
    pub fn refers(&mut self, record: RecordIndex) {
        let pending = &self.records[record.0 as usize];
        self.has_referring = true;
        if self.too_large.is_none() {
            record::set_refers(&mut self.bytes[pending.start..pending.end]);
        }
    }

    /// The list of the segments that have gone.
    pub(crate) fn retired(&mut self, list: &[u8]) {
        self.push(Kind::Retired, b"", list, None, None, None);
    }

    /// A batch of one put that stands for what is there already: it keeps the sequence number, and takes
    /// the place of the record at `follows`, which must be the newest still.
    pub(crate) fn rewrite(
        &mut self,
        key: &[u8],
        value: &[u8],
        expires_at: Option<UnixMillis>,
        sequence: u64,
        follows: Location,
    ) -> RecordIndex {
        self.keeps = Some(sequence);
        self.push(Kind::Put, key, value, expires_at, None, Some(follows))
    }

    fn push(
        &mut self,
        kind: Kind,
        key: &[u8],
        value: &[u8],
        expires_at: Option<UnixMillis>,
        link: Option<ChainLink>,
        follows: Option<Location>,
    ) -> RecordIndex {
        let start = self.bytes.len();
        let index = RecordIndex(u32::try_from(self.records.len()).expect("a batch fits in memory"));
        if key.len() > MAX_KEY_LEN {
            self.too_large = Some(("a key", key.len(), MAX_KEY_LEN));
        } else if value.len() > MAX_VALUE_LEN {
            self.too_large = Some(("a value", value.len(), MAX_VALUE_LEN));
        } else {
            record::encode(&mut self.bytes, kind, self.now, expires_at, link, key, value);
        }
        let end = self.bytes.len();
        let key_start = end.saturating_sub(value.len() + key.len());
        let key_len = key.len();
        self.records.push(Pending { kind, start, end, key_start, key_len, follows });
        index
    }

    /// Compresses the values of at least `from_bytes` bytes, those that become shorter. Twice does no harm.
    pub(crate) fn compress(&mut self, codec: Codec, from_bytes: usize) {
        if self.too_large.is_some() {
            return;
        }
        let due = |pending: &Pending, bytes: &[u8]| {
            matches!(pending.kind, Kind::Put | Kind::Delta)
                && pending.end - pending.value_start() >= from_bytes.max(1)
                && !record::is_compressed(&bytes[pending.start..])
        };
        if !self.records.iter().any(|pending| due(pending, &self.bytes)) {
            return;
        }
        let plain = std::mem::take(&mut self.bytes);
        let out = &mut self.bytes;
        for pending in &mut self.records {
            let start = out.len();
            let record = &plain[pending.start..pending.end];
            if due(pending, &plain) {
                let key_at = pending.key_start - pending.start;
                let value_at = key_at + pending.key_len;
                record::append_compressed(out, record, key_at, value_at, codec);
                let added = record::compressed_head_len(&out[start..]);
                pending.key_start = start + key_at + added;
            } else {
                out.extend_from_slice(record);
                pending.key_start = start + pending.key_start - pending.start;
            }
            (pending.start, pending.end) = (start, out.len());
        }
    }

    pub(crate) fn key(&self, pending: &Pending) -> &[u8] {
        &self.bytes[pending.key_start..pending.key_start + pending.key_len]
    }

    pub(crate) fn timestamp(&self) -> UnixMillis {
        self.now
    }

    /// Whether a delta or an expiry shares the batch with another record for its key: then it would follow a record that
    /// is no longer the newest.
    pub(crate) fn has_conflict(&self) -> bool {
        let no_delta = self.records.iter().all(|record| record.follows.is_none());
        if self.records.len() < 2 || no_delta || self.too_large.is_some() {
            return false;
        }
        let mut keys: Vec<(&[u8], &Pending)> =
            self.records.iter().map(|record| (self.key(record), record)).collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        let deltas = |keys: &[(&[u8], &Pending)]| keys.iter().any(|(_, r)| r.follows.is_some());
        keys.windows(2).any(|pair| pair[0].0 == pair[1].0 && deltas(pair))
            || keys.iter().enumerate().any(|(at, (prefix, record))| {
                let below = keys[at..].partition_point(|(key, _)| key.starts_with(prefix));
                record.kind == Kind::DeletePrefix && deltas(&keys[at..at + below])
            })
    }

    /// Refuses what no segment can hold.
    pub(crate) fn check(&self, max_bytes: usize) -> Result<(), Error> {
        let too_large = |what, len: usize, max: usize| {
            Err(Error::TooLarge { what, len: len as u64, max: max as u64 })
        };
        match self.too_large {
            _ if self.has_empty_key => Err(Error::EmptyKey),
            Some((what, len, max)) => too_large(what, len, max),
            None if self.bytes.len() > max_bytes => {
                too_large("a batch", self.bytes.len(), max_bytes)
            }
            None => Ok(()),
        }
    }

    /// Gives every record its sequence number and CRC.
    /// Returns the next number.
    pub(crate) fn seal(&mut self, next_sequence: u64) -> u64 {
        let first_sequence = self.keeps.unwrap_or(next_sequence);
        self.first_sequence = first_sequence;
        let last = self.records.len().saturating_sub(1);
        for (i, pending) in self.records.iter().enumerate() {
            let record = &mut self.bytes[pending.start..pending.end];
            record::seal(record, first_sequence + i as u64, i != last);
        }
        if self.keeps.is_some() { next_sequence } else { next_sequence + self.records.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_or_value_beyond_the_limits_makes_the_batch_one_that_is_refused() {
        let mut batch = Batch::new(UnixMillis(0));
        batch.put(b"first", b"v", None);
        batch.put_with(&vec![0; MAX_KEY_LEN + 1], None, |out| out.extend_from_slice(b"value"));
        batch.put(b"last", b"v", None);
        assert!(!batch.has_conflict());
        assert!(matches!(batch.check(usize::MAX), Err(Error::TooLarge { what: "a key", .. })));
    }
}
