//! What a key's entry in memory says of its collection.

use super::change::{Changed, Ops};
use super::directory::Directory;
use super::leaf::Leaf;
use super::{LARGE, is_large};
use crate::Kind;
use crate::layout::{Name, Part};
use crate::touched::Touched;
use std::collections::BTreeSet;

/// A collection in the key's own record.
pub(crate) struct Small {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// Its members. What else it is ordered by is made of them.
    pub(crate) leaf: Leaf,
    pub(crate) touched: Touched<Changed>,
}

/// A collection in pages.
pub(crate) struct Tree {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// The names of its pages begin with it.
    pub(crate) id: u64,
    /// Number of its members.
    pub(crate) count: u64,
    /// Pages that differ from the log, each once.
    pub(crate) dirty: Vec<Name>,
    /// The names of pages that the log does not have yet.
    pub(crate) fresh: BTreeSet<Box<[u8]>>,
    /// By part.
    pub(crate) directories: [Option<Directory>; Part::COUNT],
}

impl Small {
    pub(crate) fn new(kind: Kind, flags: u8, leaf: Leaf) -> Self {
        Small { kind, flags, leaf, touched: Touched::default() }
    }

    /// What the next delta must say, having absorbed so many links.
    pub(crate) fn pending(&self, absorbs: usize) -> Ops<'_> {
        Ops::of(&self.leaf, self.touched.pending(absorbs))
    }

    /// Notes that an entry came or was changed.
    pub(crate) fn grew(&mut self, key: &[u8], value: &[u8]) {
        self.touched.push(key.into());
        if is_large(self.kind, self.leaf.len() as u64, key, value) {
            self.flags |= LARGE;
        }
    }
}

impl Tree {
    pub(crate) fn new(kind: Kind, flags: u8, id: u64, count: u64) -> Self {
        Tree {
            kind,
            flags,
            id,
            count,
            dirty: Vec::new(),
            fresh: BTreeSet::new(),
            directories: [const { None }; Part::COUNT],
        }
    }

    pub(crate) fn directory(&mut self, part: Part) -> Option<&mut Directory> {
        self.directories[part.index()].as_mut()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let directories = self.directories.iter().flatten();
        directories.map(Directory::memory_bytes).sum::<usize>()
    }
}
