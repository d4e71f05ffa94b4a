//! Collections: hashes, sets and sorted sets as ordered entries of a key and a value, each any bytes.
//!
//! A small one is a [`leaf::Leaf`] in the key's own record. A larger one is a tree of pages, each a leaf in a record
//! of its own, which holds the entries from its lower bound up to that of the next page. The log's ordered
//! index finds the page of an entry; there is no directory to be read for that. How they are changed is in
//! `transaction/collection.rs`.

pub(crate) mod change;
pub(crate) mod directory;
pub(crate) mod leaf;
pub(crate) mod page;
pub(crate) mod tree;

use crate::Kind;

/// A collection's sticky flag: it has been larger, once, than what Redis keeps packed. Its encoding never turns back.
pub(crate) const LARGE: u8 = 1;

/// Greatest number of entries, and greatest length of one, that Redis keeps in a listpack.
const LISTPACK_ENTRIES: u64 = 128;
const LISTPACK_VALUE_BYTES: usize = 64;
/// Greatest number of members of a set of integers that Redis keeps packed.
const INTSET_ENTRIES: u64 = 512;

/// Whether a collection of `count` entries, one of which is this, is larger than what Redis keeps packed.
pub(crate) fn is_large(kind: Kind, count: u64, key: &[u8], value: &[u8]) -> bool {
    match kind {
        Kind::String | Kind::List => false,
        Kind::Set => count > INTSET_ENTRIES || crate::transaction::integer(key).is_none(),
        Kind::Hash => count > LISTPACK_ENTRIES || key.len().max(value.len()) > LISTPACK_VALUE_BYTES,
        Kind::SortedSet => count > LISTPACK_ENTRIES || key.len() > LISTPACK_VALUE_BYTES,
    }
}
