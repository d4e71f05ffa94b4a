//! What a key's entry in memory says of its collection.

use super::change::{Changed, Ops};
use super::directory::Directory;
use super::leaf::{Leaf, Put};
use super::{LARGE, is_large, score};
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
    /// The members by score, once they were asked for.
    scores: Option<Leaf>,
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
        Small { kind, flags, leaf, scores: None, touched: Touched::default() }
    }

    /// Its entries in the order of `part`; those by score are made when they are first asked for.
    pub(crate) fn part(&mut self, part: Part) -> &Leaf {
        match part {
            Part::Members => &self.leaf,
            Part::Scores => self.scores.get_or_insert_with(|| {
                let mut leaf = Leaf::default();
                for (key, value) in score::by_score(self.leaf.iter()) {
                    leaf.push(&key, value);
                }
                leaf
            }),
        }
    }

    /// Whether its entries in the order of `part` are still to be made.
    pub(crate) fn lacks(&self, part: Part) -> bool {
        part == Part::Scores && self.scores.is_none()
    }

    /// Gives `key` a value.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Put {
        self.forget_score(key);
        let put = self.leaf.put(key, value).1;
        if let (Some(scores), Some(score)) = (&mut self.scores, score::decode(value)) {
            scores.put(&score::key(score, key), score::mark(score));
        }
        if put != Put::Same {
            self.grew(key, value);
        }
        put
    }

    /// Takes the entry of `key` out.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.forget_score(key);
        self.leaf.remove(key);
        self.touched.push(key.into());
    }

    /// Takes a member out of those by score.
    fn forget_score(&mut self, member: &[u8]) {
        if let (Some(scores), Some(value)) = (&mut self.scores, self.leaf.get(member)) {
            match score::decode(value) {
                Some(score) => drop(scores.remove(&score::key(score, member))),
                None => self.scores = None,
            }
        }
    }

    /// What the next delta must say, having absorbed so many links.
    pub(crate) fn pending(&self, absorbs: usize) -> Ops<'_> {
        Ops::of(&self.leaf, self.touched.pending(absorbs))
    }

    /// Notes that an entry came or was changed.
    fn grew(&mut self, key: &[u8], value: &[u8]) {
        self.touched.push(key.into());
        if is_large(self.kind, self.leaf.len() as u64, key, value) {
            self.flags |= LARGE;
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.leaf.memory_bytes()
            + self.scores.as_ref().map_or(0, Leaf::memory_bytes)
            + self.touched.memory_bytes()
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
