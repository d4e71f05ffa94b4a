//! What Redis calls types and encodings.

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A string of bytes; a bitmap is one, too.
    String,
    /// Elements in an order of their own.
    List,
    /// Members.
    Set,
    /// Members, each with a score that they are ordered by.
    SortedSet,
    /// Fields, each with a value.
    Hash,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::String, Kind::List, Kind::Set, Kind::SortedSet, Kind::Hash];

    /// The name that `TYPE` answers.
    pub const fn text(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Hash => "hash",
        }
    }
}

/// How a value is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// A string that is an integer.
    Int,
    /// A short string.
    Embstr,
    /// A long string, or one that was changed in place.
    Raw,
    /// A compressed bitmap.
    Bitmap,
    /// A small hash or sorted set.
    Listpack,
    /// A hash, or a set, that is or was larger.
    Hashtable,
    /// A small set of integers.
    Intset,
    /// A sorted set that is or was larger.
    Skiplist,
    /// A list.
    Quicklist,
}

impl Encoding {
    /// The name that `OBJECT ENCODING` answers. Redis knows no bitmaps: to it they are raw strings.
    pub const fn text(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw | Encoding::Bitmap => "raw",
            Encoding::Listpack => "listpack",
            Encoding::Hashtable => "hashtable",
            Encoding::Intset => "intset",
            Encoding::Skiplist => "skiplist",
            Encoding::Quicklist => "quicklist",
        }
    }
}
