//! What is known of a key without its value.

use crate::format::record::ChainLink;
use crate::{Location, UnixMillis};

/// What [`crate::Bitcask::metadata`] says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Sequence number of the key's newest record: it changes with every change of the key, and grows.
    pub sequence: u64,
    /// When that record was written, by the writer's clock.
    pub written_at: UnixMillis,
    /// When the key expires, if ever.
    pub expires_at: Option<UnixMillis>,
    /// Length of the value in bytes; `None` if there are deltas, since only folding them tells.
    pub value_bytes: Option<u64>,
    /// Records that make up the value: a base and the deltas that follow it.
    pub chain_records: u32,
    /// Bytes that the key's live records take in the log.
    pub log_bytes: u64,
    /// The newest record.
    pub(crate) location: Location,
    /// Whether a value that is at the end of it was said to mention places of others.
    pub(crate) refers: bool,
    /// The newest record that carries a value: another one if the newest only sets the expiry.
    pub(crate) carrier: Carrier,
}

/// The put or delta at the end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Records and bytes of the chain up to and with it.
    pub(crate) records: u8,
    pub(crate) bytes: u32,
}

impl Metadata {
    /// Whether the key has expired by `now`: then [`crate::Bitcask::get`] does not find it.
    pub fn is_expired(&self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The newest record, if that only sets the expiry: another one takes its place.
    pub(crate) fn expiry_record(&self) -> Option<Location> {
        let Carrier { segment, offset, .. } = self.carrier;
        let carries = (segment, offset) == (self.location.segment, self.location.offset);
        (!carries).then_some(self.location)
    }

    /// What an expiry record of `len` bytes says of its place.
    pub(crate) fn link_of_expiry(&self, len: usize) -> ChainLink {
        let Carrier { segment, offset, records, bytes } = self.carrier;
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let (records, bytes) = (records.saturating_add(1), bytes.saturating_add(len));
        ChainLink { segment, offset, level: 0, records, bytes }
    }
}
