//! Figures of a running store.

/// One segment: see [`crate::Bitcask::segments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentStats {
    /// Its number.
    pub id: u32,
    /// Its length.
    pub bytes: u64,
    /// Bytes of records that somebody may still need: exact without chains, an estimate with them.
    pub live_bytes: u64,
    /// Compaction wrote it.
    pub compacted: bool,
    /// Nothing is appended to it any more.
    pub sealed: bool,
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
}
