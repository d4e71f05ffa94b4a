//! Figures of a running store.

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

/// Figures of one segment of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentStats {
    /// Name of its file.
    pub file: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Bytes of the records that are still needed; `None` if that is not known.
    pub live_bytes: Option<u64>,
    /// Whether it is being appended to.
    pub active: bool,
}
