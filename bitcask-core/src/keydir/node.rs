//! Inner nodes of 4, 16, 48 and 256 children (Leis, Kemper, Neumann: The Adaptive Radix Tree, ICDE 2013).

use super::arena::Arena;
use super::handle::{Handle, Kind};

/// Bytes of a compressed path that fit into a node; a longer path takes nodes with a single child.
pub(super) const PREFIX_LEN: usize = 9;

/// What every node has.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// The leaf of the key that ends here, after the prefix.
    pub(super) own: Handle,
    pub(super) count: u16,
    prefix_len: u8,
    prefix: [u8; PREFIX_LEN],
}

impl Head {
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix[..usize::from(self.prefix_len)]
    }

    pub(super) fn set_prefix(&mut self, prefix: &[u8]) {
        self.prefix[..prefix.len()].copy_from_slice(prefix);
        self.prefix_len = prefix.len() as u8;
    }
}

/// Few children: their bytes in order, and beside each its handle.
#[derive(Clone, Debug)]
pub(super) struct Small<const N: usize> {
    head: Head,
    bytes: [u8; N],
    children: [Handle; N],
}

impl<const N: usize> Default for Small<N> {
    fn default() -> Self {
        Small { head: Head::default(), bytes: [0; N], children: [Handle::NONE; N] }
    }
}

impl<const N: usize> Small<N> {
    fn find(&self, byte: u8) -> Option<usize> {
        // All are compared, which vectorises; those beyond the count are masked.
        let mut mask = 0_u32;
        for (i, b) in self.bytes.iter().enumerate() {
            mask |= u32::from(*b == byte) << i;
        }
        mask &= (1 << self.head.count) - 1;
        (mask != 0).then(|| mask.trailing_zeros() as usize)
    }

    /// Position of the first child whose byte is not below `byte`.
    fn seek(&self, byte: u8) -> usize {
        self.bytes[..usize::from(self.head.count)].iter().take_while(|b| **b < byte).count()
    }

    fn insert(&mut self, byte: u8, child: Handle) {
        let (at, count) = (self.seek(byte), usize::from(self.head.count));
        self.bytes.copy_within(at..count, at + 1);
        self.children.copy_within(at..count, at + 1);
        self.bytes[at] = byte;
        self.children[at] = child;
        self.head.count += 1;
    }

    fn remove(&mut self, byte: u8) {
        let at = self.find(byte).expect("the child is there");
        self.bytes.copy_within(at + 1.., at);
        self.children.copy_within(at + 1.., at);
        self.head.count -= 1;
    }
}

const NO_SLOT: u8 = u8::MAX;

/// A slot number for each byte.
#[derive(Clone, Debug)]
pub(super) struct Node48 {
    head: Head,
    slots: [u8; 256],
    children: [Handle; 48],
}

impl Default for Node48 {
    fn default() -> Self {
        Node48 { head: Head::default(), slots: [NO_SLOT; 256], children: [Handle::NONE; 48] }
    }
}

/// A child for each byte.
#[derive(Clone, Debug)]
pub(super) struct Node256 {
    head: Head,
    children: [Handle; 256],
}

impl Default for Node256 {
    fn default() -> Self {
        Node256 { head: Head::default(), children: [Handle::NONE; 256] }
    }
}

/// All nodes of a keydir.
#[derive(Debug)]
pub(super) struct Nodes {
    n4: Arena<Small<4>>,
    n16: Arena<Small<16>>,
    n48: Arena<Node48>,
    n256: Arena<Node256>,
}

impl Nodes {
    pub(super) const fn new() -> Self {
        Nodes { n4: Arena::new(), n16: Arena::new(), n48: Arena::new(), n256: Arena::new() }
    }

    /// A node without children.
    pub(super) fn insert(&mut self, prefix: &[u8]) -> Handle {
        let mut node = Small::default();
        node.head.set_prefix(prefix);
        Handle::node(Kind::Node4, self.n4.insert(node))
    }

    pub(super) fn head(&self, node: Handle) -> &Head {
        match node.kind() {
            Kind::Node4 => &self.n4.get(node.index()).head,
            Kind::Node16 => &self.n16.get(node.index()).head,
            Kind::Node48 => &self.n48.get(node.index()).head,
            Kind::Node256 => &self.n256.get(node.index()).head,
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    pub(super) fn head_mut(&mut self, node: Handle) -> &mut Head {
        match node.kind() {
            Kind::Node4 => &mut self.n4.get_mut(node.index()).head,
            Kind::Node16 => &mut self.n16.get_mut(node.index()).head,
            Kind::Node48 => &mut self.n48.get_mut(node.index()).head,
            Kind::Node256 => &mut self.n256.get_mut(node.index()).head,
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    pub(super) fn child(&self, node: Handle, byte: u8) -> Handle {
        let index = node.index();
        match node.kind() {
            Kind::Node4 => {
                let node = self.n4.get(index);
                node.find(byte).map_or(Handle::NONE, |at| node.children[at])
            }
            Kind::Node16 => {
                let node = self.n16.get(index);
                node.find(byte).map_or(Handle::NONE, |at| node.children[at])
            }
            Kind::Node48 => {
                let node = self.n48.get(index);
                let slot = node.slots[usize::from(byte)];
                if slot == NO_SLOT { Handle::NONE } else { node.children[usize::from(slot)] }
            }
            Kind::Node256 => self.n256.get(index).children[usize::from(byte)],
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    /// Replaces a child that is there.
    pub(super) fn set_child(&mut self, node: Handle, byte: u8, child: Handle) {
        let index = node.index();
        match node.kind() {
            Kind::Node4 => {
                let node = self.n4.get_mut(index);
                let at = node.find(byte).expect("the child is there");
                node.children[at] = child;
            }
            Kind::Node16 => {
                let node = self.n16.get_mut(index);
                let at = node.find(byte).expect("the child is there");
                node.children[at] = child;
            }
            Kind::Node48 => {
                let node = self.n48.get_mut(index);
                node.children[usize::from(node.slots[usize::from(byte)])] = child;
            }
            Kind::Node256 => self.n256.get_mut(index).children[usize::from(byte)] = child,
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    /// Adds a child that is not there; the node may move to another handle, which is returned.
    pub(super) fn add_child(&mut self, node: Handle, byte: u8, child: Handle) -> Handle {
        let full = match node.kind() {
            Kind::Node4 => 4,
            Kind::Node16 => 16,
            Kind::Node48 => 48,
            _ => 257,
        };
        let node = if self.head(node).count == full { self.resize(node, full + 1) } else { node };
        let index = node.index();
        match node.kind() {
            Kind::Node4 => self.n4.get_mut(index).insert(byte, child),
            Kind::Node16 => self.n16.get_mut(index).insert(byte, child),
            Kind::Node48 => {
                let node = self.n48.get_mut(index);
                // Slots are freed anywhere, so a free one is searched for.
                let slot = node.children.iter().position(|child| child.is_none());
                let slot = slot.expect("there is room");
                node.slots[usize::from(byte)] = slot as u8;
                node.children[slot] = child;
                node.head.count += 1;
            }
            Kind::Node256 => {
                let node = self.n256.get_mut(index);
                node.children[usize::from(byte)] = child;
                node.head.count += 1;
            }
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
        node
    }

    /// Takes a child away; the node may move to another handle, which is returned.
    pub(super) fn remove_child(&mut self, node: Handle, byte: u8) -> Handle {
        let index = node.index();
        // A node shrinks somewhat below the size at which it grew, lest it go back and forth.
        let small = match node.kind() {
            Kind::Node4 => {
                self.n4.get_mut(index).remove(byte);
                return node;
            }
            Kind::Node16 => {
                self.n16.get_mut(index).remove(byte);
                3
            }
            Kind::Node48 => {
                let node = self.n48.get_mut(index);
                let slot = std::mem::replace(&mut node.slots[usize::from(byte)], NO_SLOT);
                node.children[usize::from(slot)] = Handle::NONE;
                node.head.count -= 1;
                13
            }
            Kind::Node256 => {
                let node = self.n256.get_mut(index);
                node.children[usize::from(byte)] = Handle::NONE;
                node.head.count -= 1;
                40
            }
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        };
        let count = self.head(node).count;
        if count <= small { self.resize(node, count) } else { node }
    }

    /// Moves a node into one of the kind for `count` children.
    fn resize(&mut self, node: Handle, count: u16) -> Handle {
        let mut moved = match count {
            0..=4 => Handle::node(Kind::Node4, self.n4.insert(Small::default())),
            5..=16 => Handle::node(Kind::Node16, self.n16.insert(Small::default())),
            17..=48 => Handle::node(Kind::Node48, self.n48.insert(Node48::default())),
            _ => Handle::node(Kind::Node256, self.n256.insert(Node256::default())),
        };
        *self.head_mut(moved) = self.head(node).clone();
        self.head_mut(moved).count = 0;
        let mut from = 0;
        while let Some((byte, child)) = self.next_child(node, from) {
            moved = self.add_child(moved, byte, child);
            from = u16::from(byte) + 1;
        }
        self.remove(node);
        moved
    }

    /// The first child whose byte is not below `from`.
    pub(super) fn next_child(&self, node: Handle, from: u16) -> Option<(u8, Handle)> {
        let from = u8::try_from(from).ok()?;
        let index = node.index();
        match node.kind() {
            Kind::Node4 => first(self.n4.get(index), from),
            Kind::Node16 => first(self.n16.get(index), from),
            Kind::Node48 => {
                let node = self.n48.get(index);
                let (byte, slot) = (from..=255)
                    .map(|b| (b, node.slots[usize::from(b)]))
                    .find(|(_, s)| *s != NO_SLOT)?;
                Some((byte, node.children[usize::from(slot)]))
            }
            Kind::Node256 => {
                let node = self.n256.get(index);
                (from..=255).map(|b| (b, node.children[usize::from(b)])).find(|(_, c)| !c.is_none())
            }
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    /// The last child whose byte is below `below`.
    pub(super) fn last_child(&self, node: Handle, below: u16) -> Option<(u8, Handle)> {
        let index = node.index();
        match node.kind() {
            Kind::Node4 => last(self.n4.get(index), below),
            Kind::Node16 => last(self.n16.get(index), below),
            Kind::Node48 => {
                let node = self.n48.get(index);
                let slots = &node.slots[..usize::from(below)];
                let byte = slots.iter().rposition(|slot| *slot != NO_SLOT)?;
                Some((byte as u8, node.children[usize::from(slots[byte])]))
            }
            Kind::Node256 => {
                let children = &self.n256.get(index).children[..usize::from(below)];
                let byte = children.iter().rposition(|child| !child.is_none())?;
                Some((byte as u8, children[byte]))
            }
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    pub(super) fn remove(&mut self, node: Handle) {
        let index = node.index();
        match node.kind() {
            Kind::Node4 => drop(self.n4.remove(index)),
            Kind::Node16 => drop(self.n16.remove(index)),
            Kind::Node48 => drop(self.n48.remove(index)),
            Kind::Node256 => drop(self.n256.remove(index)),
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.n4.memory_bytes()
            + self.n16.memory_bytes()
            + self.n48.memory_bytes()
            + self.n256.memory_bytes()
    }
}

fn first<const N: usize>(node: &Small<N>, from: u8) -> Option<(u8, Handle)> {
    let at = node.seek(from);
    (at < usize::from(node.head.count)).then(|| (node.bytes[at], node.children[at]))
}

fn last<const N: usize>(node: &Small<N>, below: u16) -> Option<(u8, Handle)> {
    let bytes = &node.bytes[..usize::from(node.head.count)];
    let at = bytes.iter().rposition(|byte| u16::from(*byte) < below)?;
    Some((bytes[at], node.children[at]))
}
