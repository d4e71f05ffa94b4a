//! Reading a key's records: the newest, its head, and the chain that it ends.

use super::Store;
use crate::classic::adopted::segment_name;
use crate::format::record::{self, Head, Invalid, Kind};
use crate::log::OwnedRecord;
use crate::metadata::{Carrier, Metadata};
use crate::{Chain, Error, Location, UnixMillis};

/// A record whose length is not known is read with so many bytes at first: enough for most deltas.
const GUESS_BYTES: usize = 256;
/// A record up to this length is read whole where only its head is asked for, so that its checksum is verified.
const SHORT_BYTES: usize = 4 << 10;

/// A key's value as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value of the base record.
    pub base: Vec<u8>,
    /// The deltas that follow it, oldest first; one for each further link of `chain`.
    pub deltas: Vec<Vec<u8>>,
    /// Its records.
    pub chain: Chain,
    /// The key's expiry. An entry past it is still returned: the caller knows the time.
    pub expires_at: Option<UnixMillis>,
    /// Sequence number of the newest record.
    pub sequence: u64,
    /// When the newest record was written, by the writer's clock.
    pub written_at: UnixMillis,
    /// Whether a record of it was said to mention places of others: see [`crate::Batch::refers`].
    pub refers: bool,
}

/// A value, its expiry, its sequence number.
pub(crate) type Value = (Vec<u8>, Option<UnixMillis>, u64);

impl Store {
    pub(crate) fn damaged(&self, at: Location, reason: &'static str) -> Error {
        let name = segment_name(self.adopted.as_deref(), at.segment);
        crate::log::corrupt(&*self.log.dir, &name, u64::from(at.offset), reason)
    }

    /// Reads the head of a record that must be one of `key`, and checks all of the record if it is short.
    fn head(&self, key: &[u8], segment: u32, offset: u32) -> Result<Head, Error> {
        let at = Location { segment, offset, len: 0 };
        self.reads.add(1);
        let wanted = record::MAX_HEAD_LEN + key.len();
        let (front, growth) = self.log.front(segment, offset, wanted)?;
        let mut head = Head::parse(&front).map_err(|invalid| match invalid {
            Invalid::Short(_) => self.damaged(at, "the segment ends within a record"),
            Invalid::Bad(reason) => self.damaged(at, reason),
        })?;
        let found = front.get(head.key_start..head.key_start + head.key_len);
        if found != Some(key) || !head.kind.is_value() {
            return Err(self.damaged(at, "the record is not the one that the index says"));
        }
        // What the index says, and what links say, is a record's length in its file.
        head.len -= growth;
        if head.len <= SHORT_BYTES {
            self.read(key, segment, offset, head.len)?;
        }
        Ok(head)
    }

    /// See [`crate::Bitcask::metadata`].
    pub(crate) fn metadata(&self, key: &[u8], location: Location) -> Result<Metadata, Error> {
        let newest = self.head(key, location.segment, location.offset)?;
        if newest.len != location.len as usize {
            return Err(self.damaged(location, "the record is not the one that the index says"));
        }
        let (mut segment, mut offset, mut carrying) = (location.segment, location.offset, newest);
        if newest.kind == Kind::Expiry {
            let link = newest.link.expect("an expiry has a link");
            (segment, offset) = (link.segment, link.offset);
            carrying = self.carrier(key, location, segment, offset)?;
        }
        let own_bytes = u32::try_from(carrying.len).expect("a record is shorter than 4 GiB");
        let (records, bytes) =
            carrying.link.map_or((1, own_bytes), |link| (link.records, link.bytes));
        let expiry_bytes = if newest.kind == Kind::Expiry { location.len } else { 0 };
        Ok(Metadata {
            sequence: newest.sequence,
            written_at: newest.timestamp,
            expires_at: newest.expires_at,
            value_bytes: (carrying.kind == Kind::Put).then_some(carrying.raw_len as u64),
            chain_records: u32::from(records),
            log_bytes: u64::from(bytes) + u64::from(expiry_bytes),
            location,
            refers: newest.refers,
            carrier: Carrier { segment, offset, records, bytes },
        })
    }

    /// The head of the record that an expiry links to.
    fn carrier(&self, key: &[u8], at: Location, segment: u32, offset: u32) -> Result<Head, Error> {
        let head = self.head(key, segment, offset)?;
        if head.kind == Kind::Expiry {
            return Err(self.damaged(at, "a record follows one that only sets an expiry"));
        }
        Ok(head)
    }

    /// See [`crate::Bitcask::newest`].
    pub(crate) fn newest(&self, key: &[u8], location: Location) -> Result<Vec<u8>, Error> {
        let read = self.read(key, location.segment, location.offset, location.len as usize)?;
        let record = read.record();
        if record.kind != Kind::Expiry {
            return self.value_of(read, location);
        }
        let link = record.link.expect("an expiry has a link");
        let at = Location { segment: link.segment, offset: link.offset, len: 0 };
        self.value_of(self.read(key, at.segment, at.offset, GUESS_BYTES)?, at)
    }

    /// Reads a record that must be one of `key`.
    pub(crate) fn read(
        &self,
        key: &[u8],
        segment: u32,
        offset: u32,
        guess: usize,
    ) -> Result<OwnedRecord, Error> {
        self.check(key, segment, offset, self.log.read(segment, offset, guess)?)
    }

    /// Counts a record that was read, and checks that it is one of `key`.
    fn check(
        &self,
        key: &[u8],
        segment: u32,
        offset: u32,
        read: OwnedRecord,
    ) -> Result<OwnedRecord, Error> {
        self.reads.add(1);
        let record = read.record();
        if record.key == key && record.kind.is_value() {
            return Ok(read);
        }
        let at = Location { segment, offset, len: 0 };
        Err(self.damaged(at, "the record is not the one that the index says"))
    }

    /// The value of a record that was read from `at`.
    fn value_of(&self, read: OwnedRecord, at: Location) -> Result<Vec<u8>, Error> {
        read.into_value().map_err(|reason| self.damaged(at, reason))
    }

    /// The value that a key's records come to, unless it has `expired`.
    pub(crate) fn value(
        &self,
        key: &[u8],
        newest: Location,
        expired: &dyn Fn(Option<UnixMillis>) -> bool,
    ) -> Result<Option<Value>, Error> {
        let read = self.read(key, newest.segment, newest.offset, newest.len as usize)?;
        let (expires_at, sequence) = (read.record().expires_at, read.record().sequence);
        if expired(expires_at) {
            return Ok(None);
        }
        let value = match read.record().link {
            None => self.value_of(read, newest)?,
            Some(_) => self.fold(self.entry(key, newest)?)?,
        };
        Ok(Some((value, expires_at, sequence)))
    }

    /// Follows a chain from its newest record to its base.
    pub(crate) fn entry(&self, key: &[u8], newest: Location) -> Result<Entry, Error> {
        self.entry_through(key, newest, &|segment, offset, guess| {
            self.log.read(segment, offset, guess)
        })
    }

    /// (segment, offset) of the records of a chain, the newest first. Its base is not read.
    pub(crate) fn chain_places(
        &self,
        key: &[u8],
        newest: Location,
    ) -> Result<Vec<(u32, u32)>, Error> {
        let mut places = vec![(newest.segment, newest.offset)];
        let mut guess = newest.len as usize;
        let mut later = u64::MAX;
        loop {
            let (segment, offset) = places[places.len() - 1];
            let read = self.read(key, segment, offset, guess)?;
            let record = read.record();
            if record.sequence >= later {
                let at = Location { segment, offset, len: 0 };
                return Err(self.damaged(at, "a delta follows a later record"));
            }
            later = record.sequence;
            let Some(link) = record.link else { return Ok(places) };
            places.push((link.segment, link.offset));
            // Of two records, the other one is the base.
            if link.records == 2 {
                return Ok(places);
            }
            guess = GUESS_BYTES;
        }
    }

    /// As [`Store::entry`], with records as `read` gives them.
    pub(crate) fn entry_through(
        &self,
        key: &[u8],
        newest: Location,
        read: &dyn Fn(u32, u32, usize) -> Result<OwnedRecord, Error>,
    ) -> Result<Entry, Error> {
        let read = |segment, offset, guess| {
            self.check(key, segment, offset, read(segment, offset, guess)?)
        };
        let mut found = read(newest.segment, newest.offset, newest.len as usize)?;
        let (sequence, expires_at, written_at) = {
            let record = found.record();
            (record.sequence, record.expires_at, record.timestamp)
        };
        // Newest first; the level of a link is known only of deltas, that is, of all but the last.
        let (mut links, mut values) = (Vec::new(), Vec::new());
        let mut expiry = None;
        let (mut at, mut later, mut refers) = (newest, sequence, false);
        loop {
            let record = found.record();
            let previous = record.link;
            refers |= record.refers;
            if record.kind == Kind::Expiry {
                if at != newest {
                    return Err(self.damaged(at, "a record follows one that only sets an expiry"));
                }
                expiry = Some(at);
            } else {
                links.extend(previous.map(|link| (at, link.level)));
                values.push(self.value_of(found, at)?);
            }
            let Some(link) = previous else { break };
            found = read(link.segment, link.offset, GUESS_BYTES)?;
            let record = found.record();
            // A record follows one that is older, wherever that lies, so a chain ends; a damaged link that
            // passed its CRC must not lead in circles.
            if record.sequence >= later {
                return Err(self.damaged(at, "a delta follows a later record"));
            }
            later = record.sequence;
            let len = u32::try_from(record.len).expect("a record is shorter than 4 GiB");
            at = Location { segment: link.segment, offset: link.offset, len };
        }
        values.reverse();
        let chain = Chain::from_links(at, links.into_iter().rev(), expiry);
        let deltas = values.split_off(1);
        let base = values.pop().expect("a chain has a base");
        Ok(Entry { base, deltas, chain, expires_at, sequence, written_at, refers })
    }

    /// The value that an entry's records come to.
    pub(crate) fn fold(&self, entry: Entry) -> Result<Vec<u8>, Error> {
        let mut deltas = entry.deltas.iter();
        let Some(first) = deltas.next() else { return Ok(entry.base) };
        let fold = self.fold.as_ref().ok_or(Error::NoFold)?;
        let folded = deltas
            .try_fold(first.clone(), |older, newer| fold.compose(&older, newer))
            .and_then(|delta| fold.apply(&entry.base, &delta));
        folded.map_err(|reason| self.damaged(entry.chain.newest(), reason))
    }
}
