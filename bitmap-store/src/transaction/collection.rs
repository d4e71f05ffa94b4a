//! The entries of a collection, whether it is small or a tree of pages: getting, putting, taking one; ranks; all at once.
//!
//! A type of values is methods of its own over these. Each looks at the key anew, and says [`Error::WrongType`] if
//! that holds another type. A collection that gets empty is gone with its key. What is ordered by
//! [`Part::Members`] is the collection itself: its entries are counted, and alone kept in the key's record while the
//! collection is small. [`Part::Scores`] is there only in trees of sorted sets, whose members' values are their scores in
//! bytes that sort as they do: its keys are a member's score and the member, its values empty. A collection that
//! becomes a tree has it from then on.

use super::walk::{Pair, Place};
use super::{At, Transaction};
use crate::collection::leaf::{Leaf, Put};
use crate::collection::page::TreePage;
use crate::collection::tree::{Small, Tree};
use crate::collection::{LARGE, directory::Directory, is_large};
use crate::cursor::between;
use crate::layout::{self, MAX_LOWER_BYTES, Name, Part};
use crate::value::{Cached, Change, KeyEntry, Value, damaged};
use crate::{Error, Kind, MAX_VALUE_BYTES, record};
use bitcask_core::UnixMillis;
use std::ops::{Bound, ControlFlow};

/// How a collection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Missing,
    Small,
    /// In pages, of this id.
    Tree(u64),
}

impl Transaction<'_> {
    /// How the collection of this kind at a key is kept.
    ///
    /// # Errors
    /// [`Error::WrongType`]; else as all that read.
    pub(super) fn shape(&mut self, at: &At, kind: Kind) -> Result<Shape, Error> {
        let Some(entry) = self.read(at)? else { return Ok(Shape::Missing) };
        match &entry.value {
            Value::Small(small) if small.kind == kind => Ok(Shape::Small),
            Value::Tree(tree) if tree.kind == kind => Ok(Shape::Tree(tree.id)),
            _ => Err(Error::WrongType),
        }
    }

    /// Number of members; 0 of a missing key. Reads the key's record only.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    pub(super) fn members(&mut self, at: &At, kind: Kind) -> Result<u64, Error> {
        let Some(entry) = self.read(at)? else { return Ok(0) };
        match &entry.value {
            Value::Small(small) if small.kind == kind => Ok(small.leaf.len() as u64),
            Value::Tree(tree) if tree.kind == kind => Ok(tree.count),
            _ => Err(Error::WrongType),
        }
    }

    /// The value of an entry. Reads the key's record and one page.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    pub(super) fn element(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        key: &[u8],
    ) -> Result<Option<&[u8]>, Error> {
        match self.shape(at, kind)? {
            Shape::Missing => Ok(None),
            Shape::Small => Ok(self.small(at)?.leaf.get(key)),
            Shape::Tree(id) => {
                let name = self.page_of(at, id, part, key)?;
                Ok(self.tree_page(at, &name)?.leaf.get(key))
            }
        }
    }

    /// Gives the entry of `key` a value; true if there was none. A missing collection is made.
    ///
    /// # Errors
    /// [`Error::StringTooLong`]; else as [`Transaction::shape`].
    pub(super) fn put_element(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, Error> {
        if (key.len() + value.len()) as u64 > MAX_VALUE_BYTES {
            return Err(Error::StringTooLong);
        }
        match self.shape(at, kind)? {
            Shape::Missing => {
                let mut small = Small::new(kind, 0, Leaf::default());
                small.leaf.put(key, value);
                small.grew(key, value);
                self.replace(at, Value::Small(small), None)?;
                self.outgrow(at)?;
                Ok(true)
            }
            Shape::Small => {
                self.touch_live(at)?;
                let small = self.small(at)?;
                let put = small.leaf.put(key, value).1;
                if put != Put::Same {
                    small.grew(key, value);
                    self.change(at, Change::Delta)?;
                    self.outgrow(at)?;
                }
                Ok(put == Put::New)
            }
            Shape::Tree(id) => self.put_in_tree(at, id, part, key, value),
        }
    }

    /// Takes the entry of `key` out; its value, or `None` if there is none. With its last member a collection is gone:
    /// what else it is ordered by is to be taken before that.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    pub(super) fn take_element(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.shape(at, kind)? {
            Shape::Missing => Ok(None),
            Shape::Small => {
                let Some(value) = self.small(at)?.leaf.get(key).map(<[u8]>::to_vec) else {
                    return Ok(None);
                };
                self.touch_live(at)?;
                let small = self.small(at)?;
                small.leaf.remove(key);
                if small.leaf.is_empty() {
                    self.replace(at, Value::Absent, None)?;
                } else {
                    small.touched.push(key.into());
                    self.change(at, Change::Delta)?;
                }
                Ok(Some(value))
            }
            Shape::Tree(id) => {
                let name = self.page_of(at, id, part, key)?;
                let page = self.tree_page(at, &name)?;
                let Some(value) = page.leaf.get(key).map(<[u8]>::to_vec) else { return Ok(None) };
                // From here on neither the key nor the page leaves the cache.
                self.touch_live(at)?;
                let page = self.tree_page(at, &name)?;
                page.leaf.remove(key);
                page.shrank = true;
                let (newly, len) = (page.changed(key), page.leaf.len());
                let (entry, tree) = self.tree(at)?;
                if newly {
                    tree.dirty.push(Name::of(&name));
                }
                if let Some(directory) = tree.directory(part) {
                    directory.set(&name, len);
                }
                if part == Part::Members {
                    tree.count -= 1;
                    *entry = Change::Base;
                    if tree.count == 0 {
                        self.replace(at, Value::Absent, None)?;
                    }
                }
                Ok(Some(value))
            }
        }
    }

    /// Number of entries whose keys are below `key`, or not above it if it is `Excluded`: the rank of the first of the
    /// others.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    #[allow(dead_code)] // for sorted sets
    pub(super) fn rank(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        key: Bound<&[u8]>,
    ) -> Result<u64, Error> {
        let (Bound::Included(bound) | Bound::Excluded(bound)) = key else { return Ok(0) };
        match self.shape(at, kind)? {
            Shape::Missing => Ok(0),
            Shape::Small => Ok(lower_bound(&self.small(at)?.leaf, key) as u64),
            Shape::Tree(id) => {
                let name = self.page_of(at, id, part, bound)?;
                let within = lower_bound(&self.tree_page(at, &name)?.leaf, key) as u64;
                Ok(self.directory(at, id, part)?.before(&name) + within)
            }
        }
    }

    /// The entry of a rank, counted from 0; `None` beyond the last.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    pub(super) fn element_at(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        rank: u64,
    ) -> Result<Option<Pair>, Error> {
        let mut found = None;
        self.walk_forward(at, kind, part, Place::Rank(rank), &mut |key, value| {
            found = Some((key.to_vec(), value.to_vec()));
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Gives a key a collection of these members, whatever it had; they ascend, each comes once. Without any, the key
    /// is gone. Pages are packed.
    ///
    /// # Errors
    /// [`Error::Storage`] if what the key had cannot be replaced.
    #[allow(dead_code)] // for the commands that store what they make
    pub(super) fn store<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        at: &At,
        kind: Kind,
        members: impl IntoIterator<Item = (K, V)>,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let (mut count, mut flags) = (0, 0);
        let leaf_bytes = self.shared.sizes.leaf;
        let members = packed(leaf_bytes, members, |key, value| {
            count += 1;
            if is_large(kind, count, key, value) {
                flags = LARGE;
            }
        });
        let bytes: usize = members.iter().map(Leaf::encoded_len).sum();
        if count == 0 {
            if self.entry(at).map_or(true, |entry| entry.exists()) {
                self.replace(at, Value::Absent, None)?;
            }
            return Ok(());
        }
        if bytes <= self.shared.sizes.inline {
            let mut leaf = Leaf::default();
            members.iter().for_each(|part| leaf.append(part));
            return self.replace(at, Value::Small(Small::new(kind, flags, leaf)), expires_at);
        }
        let id = self.shared.backing.log.reserve_sequence();
        self.replace(at, Value::Tree(Tree::new(kind, flags, id, count)), expires_at)?;
        let scores = (kind == Kind::SortedSet).then(|| by_score(leaf_bytes, &members));
        self.add_pages(at, id, Part::Members, members)?;
        self.add_pages(at, id, Part::Scores, scores.unwrap_or_default())
    }

    /// Gives `to` a copy of the tree at `from`.
    pub(super) fn copy_tree(
        &mut self,
        from: &At,
        to: &At,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let Value::Tree(tree) = &self.entry(from)?.value else {
            unreachable!("whoever copies a tree has looked")
        };
        let (kind, flags, old, count) = (tree.kind, tree.flags, tree.id, tree.count);
        let id = self.shared.backing.log.reserve_sequence();
        let mut copies = Vec::new();
        for part in [Part::Members, Part::Scores] {
            for name in self.page_names(from, old, part)? {
                let leaf = self.tree_page(from, &name)?.leaf.clone();
                copies.push((layout::tree_page(to.db, id, part, layout::lower_of(&name)), leaf));
            }
        }
        self.replace(to, Value::Tree(Tree::new(kind, flags, id, count)), expires_at)?;
        for (name, leaf) in copies {
            self.add_page(to, &name, leaf)?;
        }
        Ok(())
    }

    /// The small collection at a key.
    pub(super) fn small(&mut self, at: &At) -> Result<&mut Small, Error> {
        match &mut self.entry(at)?.value {
            Value::Small(small) => Ok(small),
            _ => unreachable!("whoever asks has looked"),
        }
    }

    /// The tree at a key, and how it differs from the log.
    pub(super) fn tree(&mut self, at: &At) -> Result<(&mut Change, &mut Tree), Error> {
        let KeyEntry { change, value, .. } = self.entry(at)?;
        match value {
            Value::Tree(tree) => Ok((change, tree)),
            _ => unreachable!("whoever asks has looked"),
        }
    }

    fn change(&mut self, at: &At, change: Change) -> Result<(), Error> {
        let entry = self.entry(at)?;
        entry.change = entry.change.max(change);
        Ok(())
    }

    /// Turns a small collection that is no longer small into a tree.
    fn outgrow(&mut self, at: &At) -> Result<(), Error> {
        let inline = self.shared.sizes.inline;
        let small = self.small(at)?;
        if small.leaf.encoded_len() <= inline {
            return Ok(());
        }
        let (kind, flags) = (small.kind, small.flags);
        let leaf = std::mem::take(&mut small.leaf);
        let id = self.shared.backing.log.reserve_sequence();
        let entry = self.entry(at)?;
        entry.value = Value::Tree(Tree::new(kind, flags, id, leaf.len() as u64));
        entry.change = Change::Base;
        let name = layout::tree_page(at.db, id, Part::Members, b"");
        if kind == Kind::SortedSet {
            let scores = by_score(self.shared.sizes.leaf, std::slice::from_ref(&leaf));
            self.add_pages(at, id, Part::Scores, scores)?;
        }
        self.add_page(at, &name, leaf)?;
        self.split(at, Part::Members, &name, None)
    }

    /// A page of the tree at a key.
    pub(super) fn tree_page(&mut self, at: &At, name: &[u8]) -> Result<&mut TreePage, Error> {
        self.make_room();
        self.guards.stripe(at.stripe).tree_page(&self.shared.backing, name)
    }

    /// The name of the page that the entry of `key` belongs to.
    pub(super) fn page_of(
        &mut self,
        at: &At,
        id: u64,
        part: Part,
        key: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let probe = layout::tree_page(at.db, id, part, key);
        let prefix = &probe[..probe.len() - layout::lower_of(&probe).len()];
        self.page_upto(at, prefix, &probe)
    }

    /// The name of the last page that is not above `upto`, of those that begin with `prefix`.
    pub(super) fn page_upto(
        &mut self,
        at: &At,
        prefix: &[u8],
        upto: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut found = self.shared.backing.log.floor(prefix, upto);
        // Only a transaction that has changed something has pages that the log does not know.
        if !self.pending.touched.is_empty() {
            let (_, tree) = self.tree(at)?;
            let upto = (Bound::Unbounded, Bound::Included(upto));
            let fresh = tree.fresh.range::<[u8], _>(upto).next_back();
            let fresh = fresh.filter(|name| name.starts_with(prefix)).map(|name| name.to_vec());
            found = found.max(fresh);
        }
        found.ok_or_else(|| damaged(&at.name, "a collection has lost its first page"))
    }

    fn put_in_tree(
        &mut self,
        at: &At,
        id: u64,
        part: Part,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, Error> {
        let name = self.page_of(at, id, part, key)?;
        // From here on the key does not leave the cache.
        self.touch_live(at)?;
        let leaf_bytes = self.shared.sizes.leaf;
        let page = self.tree_page(at, &name)?;
        let (index, put) = page.leaf.put(key, value);
        if put == Put::Same {
            return Ok(false);
        }
        let (newly, len) = (page.changed(key), page.leaf.len());
        let large = page.leaf.encoded_len() > leaf_bytes && len > 1;
        let end =
            if index + 1 == len { Some(End::Last) } else { (index == 0).then_some(End::First) };
        let (change, tree) = self.tree(at)?;
        if newly {
            tree.dirty.push(Name::of(&name));
        }
        if put == Put::New
            && let Some(directory) = tree.directory(part)
        {
            directory.set(&name, len);
        }
        if part == Part::Members {
            if put == Put::New {
                tree.count += 1;
                *change = Change::Base;
            }
            if tree.flags & LARGE == 0 && is_large(tree.kind, tree.count, key, value) {
                tree.flags |= LARGE;
                *change = Change::Base;
            }
        }
        if large {
            self.split(at, part, &name, end)?;
        }
        Ok(put == Put::New)
    }

    /// Adds pages that hold these leaves to a tree that has none in this part.
    fn add_pages(&mut self, at: &At, id: u64, part: Part, leaves: Vec<Leaf>) -> Result<(), Error> {
        let mut before: Option<Vec<u8>> = None;
        for leaf in leaves {
            let first = leaf.entry(0).0;
            let lower = before.as_ref().map_or(&b""[..], |before| between(before, first));
            let name = layout::tree_page(at.db, id, part, lower);
            before = Some(leaf.entry(leaf.len() - 1).0.to_vec());
            self.add_page(at, &name, leaf)?;
        }
        Ok(())
    }

    /// Adds a page that the log does not have.
    fn add_page(&mut self, at: &At, name: &[u8], leaf: Leaf) -> Result<(), Error> {
        let (_, tree) = self.tree(at)?;
        tree.fresh.insert(name.into());
        tree.dirty.push(Name::of(name));
        let page = TreePage::fresh(leaf);
        let weight = page.memory_bytes();
        let budget = &self.shared.backing.budget;
        let cache = &mut self.guards.stripe(at.stripe).cache;
        cache.insert(budget, name, Cached::TreePage(page), weight);
        Ok(())
    }

    /// Splits a dirty page of a touched key until each part is small enough. An entry was put at its `end`, if any: there
    /// more are expected, and the other part is left full.
    fn split(
        &mut self,
        at: &At,
        part: Part,
        name: &[u8],
        mut end: Option<End>,
    ) -> Result<(), Error> {
        let leaf_bytes = self.shared.sizes.leaf;
        let mut open = vec![name.to_vec()];
        while let Some(name) = open.pop() {
            let page = self.tree_page(at, &name)?;
            let leaf = &mut page.leaf;
            if leaf.encoded_len() <= leaf_bytes || leaf.len() < 2 {
                continue;
            }
            let tenths = match end.take() {
                Some(End::Last) => 9,
                Some(End::First) => 1,
                None => 5,
            };
            let wanted = leaf.cut_near(leaf.encoded_len() * tenths / 10);
            let Some(cut) = place_to_cut(leaf, wanted) else { continue };
            let right = leaf.split_off(cut);
            page.rearranged();
            let (len, right_len) = (page.leaf.len(), right.len());
            let last = page.leaf.entry(len - 1).0;
            let lower = between(last, right.entry(0).0);
            let prefix = name.len() - layout::lower_of(&name).len();
            let right_name = [&name[..prefix], lower].concat();
            self.add_page(at, &right_name, right)?;
            let (_, tree) = self.tree(at)?;
            if let Some(directory) = tree.directory(part) {
                directory.set(&name, len);
                directory.insert(&right_name, right_len);
            }
            open.extend([name, right_name]);
        }
        Ok(())
    }

    /// The names of all pages of a part of a tree, in order.
    pub(super) fn page_names(
        &mut self,
        at: &At,
        id: u64,
        part: Part,
    ) -> Result<Vec<Box<[u8]>>, Error> {
        let prefix = layout::tree_page(at.db, id, part, b"");
        let mut names: Vec<Box<[u8]>> = Vec::new();
        self.shared.backing.log.walk(&prefix, b"", &mut |name| {
            names.push(name.into());
            ControlFlow::Continue(())
        });
        let (_, tree) = self.tree(at)?;
        if !tree.fresh.is_empty() {
            let from = (Bound::Included(&prefix[..]), Bound::Unbounded);
            let fresh = tree.fresh.range::<[u8], _>(from);
            names.extend(fresh.take_while(|name| name.starts_with(&prefix)).cloned());
            names.sort_unstable();
        }
        Ok(names)
    }

    /// The directory of a part of a tree. Made, if it is not there, of the counts at the front of the pages' newest
    /// records.
    pub(super) fn directory(
        &mut self,
        at: &At,
        id: u64,
        part: Part,
    ) -> Result<&mut Directory, Error> {
        if self.tree(at)?.1.directory(part).is_none() {
            let mut pages = Vec::new();
            for name in self.page_names(at, id, part)? {
                let cached = self.guards.stripe(at.stripe).cache.peek(&name);
                let count = match cached {
                    Some(Cached::TreePage(page)) => page.leaf.len() as u64,
                    _ => {
                        let newest = self.shared.backing.log.newest(&name)?;
                        let missing = || damaged(&at.name, "a page of a collection is missing");
                        let newest = newest.ok_or_else(missing)?;
                        record::page_count(&newest).map_err(|reason| damaged(&at.name, reason))?
                    }
                };
                pages.push((name, count));
            }
            let directory = Directory::new(pages);
            self.tree(at)?.1.directories[part.index()] = Some(directory);
            let budget = &self.shared.backing.budget;
            self.guards.stripe(at.stripe).cache.update(budget, &at.name, |cached| match cached {
                Cached::Key(entry) => Some(entry.memory_bytes()),
                Cached::Page(_) | Cached::TreePage(_) => None,
            });
        }
        Ok(self.tree(at)?.1.directory(part).expect("it has just been made"))
    }
}

/// Where in a page an entry was put.
#[derive(Clone, Copy, Debug)]
enum End {
    First,
    Last,
}

/// The index of the first entry that is not below the bound; past `Excluded` itself.
pub(super) fn lower_bound(leaf: &Leaf, bound: Bound<&[u8]>) -> usize {
    match bound {
        Bound::Unbounded => 0,
        Bound::Included(key) => leaf.find(key).unwrap_or_else(|at| at),
        Bound::Excluded(key) => leaf.find(key).map_or_else(|at| at, |at| at + 1),
    }
}

/// The index nearest to `wanted` before which the leaf can be cut: where a lower bound that is not too long tells both
/// sides apart. `None` if all keys begin with the same so many bytes.
fn place_to_cut(leaf: &Leaf, wanted: usize) -> Option<usize> {
    let fits = |index: &usize| {
        let (last, first) = (leaf.entry(index - 1).0, leaf.entry(*index).0);
        first.len() <= MAX_LOWER_BYTES || between(last, first).len() <= MAX_LOWER_BYTES
    };
    let below = (1..wanted).rev();
    std::iter::once(wanted).chain(below).chain(wanted + 1..leaf.len()).find(fits)
}

/// The members of a sorted set by their scores, which their values are.
fn by_score(leaf_bytes: usize, members: &[Leaf]) -> Vec<Leaf> {
    let entries = members.iter().flat_map(Leaf::iter);
    let mut scored: Vec<Vec<u8>> =
        entries.map(|(member, score)| [score, member].concat()).collect();
    scored.sort_unstable();
    packed(leaf_bytes, scored.iter().map(|key| (key, b"")), |_, _| ())
}

/// Packs entries, which ascend, into leaves that are nearly full. Each entry is shown to `see`.
fn packed<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    leaf_bytes: usize,
    entries: impl IntoIterator<Item = (K, V)>,
    mut see: impl FnMut(&[u8], &[u8]),
) -> Vec<Leaf> {
    let full = leaf_bytes * 9 / 10;
    let mut leaves: Vec<Leaf> = Vec::new();
    for (key, value) in entries {
        let (key, value) = (key.as_ref(), value.as_ref());
        see(key, value);
        let room = leaves.last().filter(|leaf| {
            let last = leaf.entry(leaf.len() - 1).0;
            debug_assert!(last < key, "entries ascend");
            leaf.encoded_len() + Leaf::entry_len(key, value) <= full
                || (key.len() > MAX_LOWER_BYTES && between(last, key).len() > MAX_LOWER_BYTES)
        });
        if room.is_none() {
            leaves.push(Leaf::default());
        }
        leaves.last_mut().expect("there is one").push(key, value);
    }
    leaves
}
