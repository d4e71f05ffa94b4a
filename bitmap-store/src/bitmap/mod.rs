//! Bitmaps without I/O: sets of ids, their bytes in the log and in a string, and what can be asked of them.
//!
//! Bit 0 is the most significant bit of the first byte, as in Redis. The crate `roaring` is named here and
//! in the types of values, nowhere else.

pub(crate) mod assignment;
pub(crate) mod bytes;
mod containers;
pub(crate) mod encoding;
pub(crate) mod ops;
pub(crate) mod varint;

pub(crate) use roaring::RoaringBitmap as Ids;
