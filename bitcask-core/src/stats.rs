//! Figures of a running store.

/// One segment: see [`crate::Bitcask::segments`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentStats {
    /// Its number.
    pub id: u32,
    /// Name of its file.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Bytes of records that somebody may still need: exact without chains, an estimate with them.
    pub live_bytes: u64,
    /// Compaction wrote it.
    pub compacted: bool,
    /// It is the one that is appended to.
    pub active: bool,
}

/// What a store holds and has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys, expired ones included.
    pub keys: usize,
    /// Memory held by the keydir, in bytes.
    pub keydir_bytes: usize,
    /// Segments, the active one included.
    pub segments: usize,
    /// Bytes in the segments.
    pub disk_bytes: u64,
    /// Bytes appended to the log since open.
    pub appended_bytes: u64,
    /// Syncs of the active segment since open.
    pub syncs: u64,
    /// Records read from the log since open.
    pub reads: u64,
    /// Deltas appended since open.
    pub deltas: u64,
    /// Snapshots and transactions that are open.
    pub snapshots: usize,
}
