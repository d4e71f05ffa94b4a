//! The keydir: an ordered map from key to the location of its newest record.
//!
//! An adaptive radix tree (Leis et al., ICDE 2013): a node has one child for each byte that follows the
//! path to it, and grows from 4 to 16, 48 and 256 of them; paths without a branch are compressed into
//! their node; a leaf holds only what of its key the path does not say. Nodes and leaves live in arenas and name each
//! other by four bytes. So a key among millions that share prefixes costs about forty bytes in
//! all, and walking the tree gives the keys back in byte order.
//!
//! No terminator is needed, and any byte string is a key: one that ends at an inner node has its leaf in
//! the node's `own` slot. Nothing here recurses, so that keys may be as long and as nested as they like.

mod arena;
mod handle;
mod leaf;
mod node;
mod walk;

pub use walk::{Walk, WalkBack};

use crate::Location;
use handle::{Handle, Kind};
use leaf::Leaves;
use node::{Nodes, PREFIX_LEN};

/// The bit of a stored location's length that says that the record is a delta: lengths are below 2³⁰.
const DELTA: u32 = 1 << 31;

/// A record as the keydir knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) location: Location,
    /// It is a delta, so that the key has further records.
    pub(crate) is_linked: bool,
}

/// From a location as it is stored.
fn place(stored: Location) -> Place {
    Place { location: clean(stored), is_linked: stored.len & DELTA != 0 }
}

/// A stored location without what else is in it.
fn clean(stored: Location) -> Location {
    Location { len: stored.len & !DELTA, ..stored }
}

/// An adaptive radix tree from byte strings to [`Location`]s.
#[derive(Debug)]
pub struct KeyDir {
    nodes: Nodes,
    leaves: Leaves,
    root: Handle,
    len: usize,
}

impl Default for KeyDir {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a handle is kept.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Root,
    Own(Handle),
    Child(Handle, u8),
}

/// How many bytes two strings have in common at their start.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl KeyDir {
    /// An empty keydir.
    pub const fn new() -> Self {
        KeyDir { nodes: Nodes::new(), leaves: Leaves::new(), root: Handle::NONE, len: 0 }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory held, the arenas' spare room included.
    pub fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.leaves.memory_bytes()
    }

    /// The location of `key`.
    pub fn get(&self, key: &[u8]) -> Option<Location> {
        self.stored(key).map(clean)
    }

    /// As [`KeyDir::get`], and says what kind of record it is.
    pub(crate) fn record(&self, key: &[u8]) -> Option<Place> {
        self.stored(key).map(place)
    }

    fn stored(&self, key: &[u8]) -> Option<Location> {
        let mut rest = key;
        let mut handle = self.root;
        loop {
            match handle.kind() {
                Kind::None => return None,
                Kind::Leaf(_) => {
                    let (location, suffix) = self.leaves.get(handle);
                    return (suffix == rest).then_some(location);
                }
                _ => {
                    let head = self.nodes.head(handle);
                    rest = rest.strip_prefix(head.prefix())?;
                    match rest.split_first() {
                        None => handle = head.own,
                        Some((byte, after)) => {
                            handle = self.nodes.child(handle, *byte);
                            rest = after;
                        }
                    }
                }
            }
        }
    }

    /// Sets the location of `key`, and returns the one before.
    ///
    /// # Panics
    /// Beyond 2²⁸ leaves of one size: about 11 GB of them.
    pub fn insert(&mut self, key: &[u8], location: Location) -> Option<Location> {
        self.insert_record(key, location, false).map(|before| before.location)
    }

    /// As [`KeyDir::insert`], of a record that is a delta, or is none.
    pub(crate) fn insert_record(
        &mut self,
        key: &[u8],
        location: Location,
        is_linked: bool,
    ) -> Option<Place> {
        debug_assert!(location.len & DELTA == 0, "no record is so long");
        let len = location.len | if is_linked { DELTA } else { 0 };
        self.store(key, Location { len, ..location }).map(place)
    }

    fn store(&mut self, key: &[u8], location: Location) -> Option<Location> {
        let mut rest = key;
        let mut slot = Slot::Root;
        let mut handle = self.root;
        loop {
            match handle.kind() {
                Kind::None => {
                    let leaf = self.leaves.insert(rest, location);
                    self.put(slot, leaf);
                    break;
                }
                Kind::Leaf(_) => {
                    let (_, suffix) = self.leaves.get(handle);
                    if suffix == rest {
                        return Some(self.leaves.replace(handle, location));
                    }
                    // Both keys go on from a node for what they have in common.
                    let suffix = suffix.to_vec();
                    let old = self.leaves.remove(handle);
                    let shared = common(&suffix, rest);
                    let (top, bottom) = self.path(&rest[..shared]);
                    self.put(slot, top);
                    self.hang(bottom, &suffix[shared..], old);
                    self.hang(bottom, &rest[shared..], location);
                    break;
                }
                _ => {
                    let prefix = self.nodes.head(handle).prefix();
                    let shared = common(prefix, rest);
                    if shared < prefix.len() {
                        self.split(slot, handle, shared);
                        handle = self.at(slot);
                    }
                    rest = &rest[shared..];
                    match rest.split_first() {
                        None => {
                            slot = Slot::Own(handle);
                            handle = self.nodes.head(handle).own;
                        }
                        Some((byte, after)) => {
                            let child = self.nodes.child(handle, *byte);
                            if child.is_none() {
                                let leaf = self.leaves.insert(after, location);
                                let node = self.nodes.add_child(handle, *byte, leaf);
                                self.put(slot, node);
                                break;
                            }
                            slot = Slot::Child(handle, *byte);
                            (handle, rest) = (child, after);
                        }
                    }
                }
            }
        }
        self.len += 1;
        None
    }

    /// Removes `key`, and returns where it was.
    pub fn remove(&mut self, key: &[u8]) -> Option<Location> {
        self.remove_record(key).map(|removed| removed.location)
    }

    /// As [`KeyDir::remove`], and says what kind of record it was.
    pub(crate) fn remove_record(&mut self, key: &[u8]) -> Option<Place> {
        let mut rest = key;
        let mut handle = self.root;
        let mut path = Vec::new();
        let mut slot = Slot::Root;
        loop {
            match handle.kind() {
                Kind::None => return None,
                Kind::Leaf(_) => {
                    let (_, suffix) = self.leaves.get(handle);
                    if suffix != rest {
                        return None;
                    }
                    let location = self.leaves.remove(handle);
                    self.len -= 1;
                    self.unlink(slot, path);
                    return Some(place(location));
                }
                _ => {
                    path.push(slot);
                    rest = rest.strip_prefix(self.nodes.head(handle).prefix())?;
                    (slot, handle, rest) = self.step(handle, rest);
                }
            }
        }
    }

    /// Removes every key that begins with `prefix`, telling `dropped` each location; returns how many.
    pub fn remove_prefix(&mut self, prefix: &[u8], dropped: &mut dyn FnMut(Location)) -> usize {
        self.remove_prefix_records(prefix, &mut |place| dropped(place.location))
    }

    /// As [`KeyDir::remove_prefix`], and says what kinds of records they were.
    pub(crate) fn remove_prefix_records(
        &mut self,
        prefix: &[u8],
        dropped: &mut dyn FnMut(Place),
    ) -> usize {
        let mut rest = prefix;
        let mut handle = self.root;
        let mut path = Vec::new();
        let mut slot = Slot::Root;
        loop {
            let here = match handle.kind() {
                Kind::None => return 0,
                Kind::Leaf(_) => self.leaves.get(handle).1,
                _ => self.nodes.head(handle).prefix(),
            };
            if here.starts_with(rest) {
                break;
            }
            if handle.is_leaf() || !rest.starts_with(here) {
                return 0;
            }
            path.push(slot);
            rest = &rest[here.len()..];
            (slot, handle, rest) = self.step(handle, rest);
        }
        let mut count = 0;
        let mut open = vec![handle];
        while let Some(handle) = open.pop() {
            if handle.is_leaf() {
                dropped(place(self.leaves.remove(handle)));
                count += 1;
                continue;
            }
            let own = self.nodes.head(handle).own;
            open.extend((!own.is_none()).then_some(own));
            let mut from = 0;
            while let Some((byte, child)) = self.nodes.next_child(handle, from) {
                open.push(child);
                from = u16::from(byte) + 1;
            }
            self.nodes.remove(handle);
        }
        self.len -= count;
        self.unlink(slot, path);
        count
    }

    /// From a node whose prefix was matched to what `rest` leads to. With nothing left that is the
    /// node's own leaf.
    fn step<'k>(&self, node: Handle, rest: &'k [u8]) -> (Slot, Handle, &'k [u8]) {
        match rest.split_first() {
            None => (Slot::Own(node), self.nodes.head(node).own, rest),
            Some((byte, after)) => (Slot::Child(node, *byte), self.nodes.child(node, *byte), after),
        }
    }

    fn at(&self, slot: Slot) -> Handle {
        match slot {
            Slot::Root => self.root,
            Slot::Own(node) => self.nodes.head(node).own,
            Slot::Child(node, byte) => self.nodes.child(node, byte),
        }
    }

    fn put(&mut self, slot: Slot, handle: Handle) {
        match slot {
            Slot::Root => self.root = handle,
            Slot::Own(node) => self.nodes.head_mut(node).own = handle,
            Slot::Child(node, byte) => self.nodes.set_child(node, byte, handle),
        }
    }

    /// Nodes for a path without branches: the first and the last of them.
    fn path(&mut self, mut path: &[u8]) -> (Handle, Handle) {
        let (mut top, mut above) = (Handle::NONE, None);
        loop {
            let (prefix, after) = path.split_at(path.len().min(PREFIX_LEN));
            let node = self.nodes.insert(prefix);
            match above {
                None => top = node,
                Some((above, byte)) => self.add_first_child(above, byte, node),
            }
            let Some((byte, after)) = after.split_first() else { return (top, node) };
            above = Some((node, *byte));
            path = after;
        }
    }

    /// Adds a child to a node that has fewer than four, and so does not move.
    fn add_first_child(&mut self, node: Handle, byte: u8, child: Handle) {
        let same = self.nodes.add_child(node, byte, child);
        debug_assert_eq!(same, node);
    }

    /// Hangs a leaf below the last node of a [`KeyDir::path`].
    fn hang(&mut self, node: Handle, key: &[u8], location: Location) {
        match key.split_first() {
            None => {
                let leaf = self.leaves.insert(b"", location);
                self.nodes.head_mut(node).own = leaf;
            }
            Some((byte, suffix)) => {
                let leaf = self.leaves.insert(suffix, location);
                self.add_first_child(node, *byte, leaf);
            }
        }
    }

    /// Puts a node above the one at `slot`, for the first `shared` bytes of its prefix.
    fn split(&mut self, slot: Slot, node: Handle, shared: usize) {
        let prefix = self.nodes.head(node).prefix().to_vec();
        let above = self.nodes.insert(&prefix[..shared]);
        self.nodes.head_mut(node).set_prefix(&prefix[shared + 1..]);
        let above = self.nodes.add_child(above, prefix[shared], node);
        self.put(slot, above);
    }

    /// Forgets what was at `slot`, and tidies the nodes on the way there, whose places are `path`.
    fn unlink(&mut self, slot: Slot, mut path: Vec<Slot>) {
        match slot {
            Slot::Root | Slot::Own(_) => self.put(slot, Handle::NONE),
            Slot::Child(node, byte) => {
                let moved = self.nodes.remove_child(node, byte);
                let above = path[path.len() - 1];
                self.put(above, moved);
            }
        }
        // Nodes that lead to one leaf alone give way to it: what their prefixes add to its suffix, the last
        // first, so that a long key is put together once.
        let mut leaf: Option<(Location, Vec<Vec<u8>>)> = None;
        let mut hole = Slot::Root;
        while let Some(slot) = path.pop() {
            let node = self.at(slot);
            let head = self.nodes.head(node);
            let ways = (head.count, head.own);
            let prefix = head.prefix().to_vec();
            match (&mut leaf, ways) {
                (Some((_, suffix)), (1, Handle::NONE)) => {
                    let (byte, _) = self.nodes.next_child(node, 0).expect("it has a child");
                    suffix.push(joined(&prefix, byte));
                }
                (None, (0, Handle::NONE)) => {
                    self.nodes.remove(node);
                    if let Slot::Child(above, byte) = slot {
                        let moved = self.nodes.remove_child(above, byte);
                        self.put(path[path.len() - 1], moved);
                    } else {
                        self.put(slot, Handle::NONE);
                    }
                    continue;
                }
                (None, (0, own)) => leaf = Some((self.leaves.remove(own), vec![prefix])),
                (None, (1, Handle::NONE)) => {
                    let (byte, child) = self.nodes.next_child(node, 0).expect("it has a child");
                    if child.is_leaf() {
                        let suffix = self.leaves.get(child).1.to_vec();
                        let location = self.leaves.remove(child);
                        leaf = Some((location, vec![suffix, joined(&prefix, byte)]));
                    } else if self.merge(&joined(&prefix, byte), child) {
                        self.put(slot, child);
                        self.nodes.remove(node);
                        return;
                    } else {
                        return;
                    }
                }
                _ => break,
            }
            self.nodes.remove(node);
            hole = slot;
        }
        if let Some((location, mut suffix)) = leaf {
            suffix.reverse();
            let leaf = self.leaves.insert(&suffix.concat(), location);
            self.put(hole, leaf);
        }
    }

    /// Puts `path` before the prefix of a node, if there is room for it.
    fn merge(&mut self, path: &[u8], node: Handle) -> bool {
        let prefix = [path, self.nodes.head(node).prefix()].concat();
        if prefix.len() > PREFIX_LEN {
            return false;
        }
        self.nodes.head_mut(node).set_prefix(&prefix);
        true
    }
}

fn joined(prefix: &[u8], byte: u8) -> Vec<u8> {
    [prefix, &[byte]].concat()
}
