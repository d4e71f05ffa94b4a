//! Numbered databases, and the limits of what they hold.

/// A numbered database, below [`DATABASES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Db(pub u8);

/// Number of databases.
pub const DATABASES: u8 = 16;
/// Longest string, in bytes: Redis' default `proto-max-bulk-len`.
pub const MAX_VALUE_BYTES: u64 = 512 << 20;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 64 << 10;
