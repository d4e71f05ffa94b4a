//! Where a record lies.

/// The place of one record: its segment, where it begins in it, and how long it is, header included.
///
/// Segment ids are never used twice, so a location names the same bytes for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The segment that holds the record.
    pub segment: u32,
    /// Offset of the record's first byte in the segment.
    pub offset: u32,
    /// Length of the record in bytes: header, key and value.
    pub len: u32,
}
