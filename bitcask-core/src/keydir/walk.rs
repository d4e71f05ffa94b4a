//! Going through the keydir in key order: walks forwards and backwards, floors and samples.

use super::handle::{Handle, Kind};
use super::{KeyDir, clean, common};
use crate::Location;

/// An ordered walk that lends each key: no allocation per step.
#[derive(Debug)]
pub struct Walk<'a> {
    keydir: &'a KeyDir,
    prefix: Vec<u8>,
    /// The nodes on the way to the current key.
    frames: Vec<Frame>,
    /// A leaf that is next, whose key is complete in `key`.
    ready: Option<Location>,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Frame {
    node: Handle,
    /// The node's own key is next.
    own: bool,
    /// The next child's byte is not below this.
    from: u16,
    /// Length of the path up to and with the node's prefix.
    depth: usize,
}

/// An ordered walk from the greatest key down. It lends each key: no allocation per step.
#[derive(Debug)]
pub struct WalkBack<'a> {
    keydir: &'a KeyDir,
    /// The nodes on the way to the current key.
    frames: Vec<BackFrame>,
    /// A leaf that is next, whose key is complete in `key`.
    ready: Option<Location>,
    key: Vec<u8>,
}

#[derive(Debug)]
struct BackFrame {
    node: Handle,
    /// The node's own key comes after its children.
    own: bool,
    /// The next child's byte is below this.
    below: u16,
    /// Length of the path up to and with the node's prefix.
    depth: usize,
}

impl KeyDir {
    /// All keys below `bound`, or all there are, the greatest first.
    pub fn walk_back(&self, bound: Option<&[u8]>) -> WalkBack<'_> {
        let mut walk =
            WalkBack { keydir: self, frames: Vec::new(), ready: None, key: Vec::with_capacity(64) };
        match bound {
            Some(bound) => walk.seek(bound),
            None => walk.visit(self.root),
        }
        walk
    }

    /// Keys that begin with `prefix`, in byte order, from the first that is not below `from`.
    pub fn walk<'a>(&'a self, prefix: &[u8], from: &[u8]) -> Walk<'a> {
        let bound = from.max(prefix);
        let mut walk = Walk {
            keydir: self,
            prefix: prefix.to_vec(),
            frames: Vec::new(),
            ready: None,
            key: Vec::with_capacity(64),
        };
        walk.seek(bound);
        walk
    }

    /// The greatest key that is not above `key`, among those that begin with `prefix`.
    pub fn floor(&self, prefix: &[u8], key: &[u8]) -> Option<(Vec<u8>, Location)> {
        if key > prefix && !key.starts_with(prefix) {
            // It is beyond all that begin so: the last of them.
            return self.last_of(prefix);
        }
        // The greatest subtree below the key met on the way to it: (what is under it, path to it).
        let mut below: Option<(Handle, usize, Option<u8>)> = None;
        let mut depth = 0;
        let mut handle = self.root;
        let found = loop {
            let rest = &key[depth..];
            match handle.kind() {
                Kind::None => break below,
                Kind::Leaf(_) => {
                    let (_, suffix) = self.leaves.get(handle);
                    break if suffix <= rest { Some((handle, depth, None)) } else { below };
                }
                _ => {
                    let head = self.nodes.head(handle);
                    let shared = common(head.prefix(), rest);
                    if shared < head.prefix().len() {
                        let all_below =
                            rest.get(shared).is_some_and(|byte| head.prefix()[shared] < *byte);
                        break if all_below { Some((handle, depth, None)) } else { below };
                    }
                    let prefix_end = depth + shared;
                    if !head.own.is_none() {
                        below = Some((head.own, prefix_end, None));
                    }
                    let Some(&byte) = rest.get(shared) else { break below };
                    if let Some((smaller, child)) = self.nodes.last_child(handle, u16::from(byte)) {
                        below = Some((child, prefix_end, Some(smaller)));
                    }
                    handle = self.nodes.child(handle, byte);
                    depth = prefix_end + 1;
                }
            }
        };
        let (handle, depth, byte) = found?;
        let mut path = key[..depth].to_vec();
        path.extend(byte);
        let (path, location) = self.last(handle, path);
        path.starts_with(prefix).then_some((path, location))
    }

    /// The greatest key that begins with `prefix`.
    fn last_of(&self, prefix: &[u8]) -> Option<(Vec<u8>, Location)> {
        let mut handle = self.root;
        let mut depth = 0;
        loop {
            let rest = &prefix[depth..];
            let here = match handle.kind() {
                Kind::None => return None,
                Kind::Leaf(_) => self.leaves.get(handle).1,
                _ => self.nodes.head(handle).prefix(),
            };
            if here.starts_with(rest) {
                return Some(self.last(handle, prefix[..depth].to_vec()));
            }
            let (below, byte) = match rest.strip_prefix(here).and_then(<[u8]>::split_first) {
                Some((byte, _)) if !handle.is_leaf() => (depth + here.len(), *byte),
                _ => return None,
            };
            handle = self.nodes.child(handle, byte);
            depth = below + 1;
        }
    }

    /// The greatest key under `handle`, to which `path` leads.
    fn last(&self, mut handle: Handle, mut path: Vec<u8>) -> (Vec<u8>, Location) {
        loop {
            if handle.is_leaf() {
                let (location, suffix) = self.leaves.get(handle);
                path.extend_from_slice(suffix);
                return (path, clean(location));
            }
            let head = self.nodes.head(handle);
            path.extend_from_slice(head.prefix());
            match self.nodes.last_child(handle, 256) {
                Some((byte, child)) => {
                    path.push(byte);
                    handle = child;
                }
                None => handle = head.own,
            }
        }
    }

    /// A key that begins with `prefix`, found by descending through what `choose(n)`, a number below n,
    /// picks among n ways. Keys behind few branches are likelier than others.
    pub fn sample(
        &self,
        prefix: &[u8],
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Option<(Vec<u8>, Location)> {
        let mut path = Vec::new();
        let mut handle = self.root;
        loop {
            let rest = prefix.get(path.len()..).unwrap_or_default();
            match handle.kind() {
                Kind::None => return None,
                Kind::Leaf(_) => {
                    let (location, suffix) = self.leaves.get(handle);
                    path.extend_from_slice(suffix);
                    return path.starts_with(prefix).then_some((path, clean(location)));
                }
                _ => {
                    let head = self.nodes.head(handle);
                    let here = head.prefix();
                    if common(here, rest) < here.len().min(rest.len()) {
                        return None;
                    }
                    path.extend_from_slice(here);
                    if let Some(&byte) = rest.get(here.len()) {
                        path.push(byte);
                        handle = self.nodes.child(handle, byte);
                        continue;
                    }
                    let ways = usize::from(head.count) + usize::from(!head.own.is_none());
                    let mut way = choose(ways).min(ways - 1);
                    if !head.own.is_none() {
                        if way == 0 {
                            handle = head.own;
                            continue;
                        }
                        way -= 1;
                    }
                    let mut from = 0;
                    let (byte, child) = loop {
                        let (byte, child) =
                            self.nodes.next_child(handle, from).expect("there are that many");
                        if way == 0 {
                            break (byte, child);
                        }
                        way -= 1;
                        from = u16::from(byte) + 1;
                    };
                    path.push(byte);
                    handle = child;
                }
            }
        }
    }
}

impl Walk<'_> {
    /// The next key and its location.
    #[allow(clippy::should_implement_trait)] // it lends, which an iterator cannot
    pub fn next(&mut self) -> Option<(&[u8], Location)> {
        let location = match self.ready.take() {
            Some(location) => location,
            None => self.advance()?,
        };
        if !self.key.starts_with(&self.prefix) {
            self.frames.clear();
            return None;
        }
        Some((&self.key, clean(location)))
    }

    /// Positions the walk before the first key not below `bound`.
    fn seek(&mut self, bound: &[u8]) {
        let mut handle = self.keydir.root;
        loop {
            let rest = &bound[self.key.len()..];
            match handle.kind() {
                Kind::None => return,
                Kind::Leaf(_) => {
                    let (location, suffix) = self.keydir.leaves.get(handle);
                    if suffix >= rest {
                        self.key.extend_from_slice(suffix);
                        self.ready = Some(location);
                    }
                    return;
                }
                _ => {
                    let head = self.keydir.nodes.head(handle);
                    let here = head.prefix();
                    let shared = common(here, rest);
                    if shared == rest.len() || (shared < here.len() && here[shared] > rest[shared])
                    {
                        self.enter(handle);
                        return;
                    }
                    if shared < here.len() {
                        return;
                    }
                    // The bound goes on below this node, whose own key is therefore below the bound.
                    let byte = rest[shared];
                    self.key.extend_from_slice(here);
                    let (depth, from) = (self.key.len(), u16::from(byte) + 1);
                    self.frames.push(Frame { node: handle, own: false, from, depth });
                    self.key.push(byte);
                    handle = self.keydir.nodes.child(handle, byte);
                }
            }
        }
    }

    fn enter(&mut self, node: Handle) {
        let head = self.keydir.nodes.head(node);
        self.key.extend_from_slice(head.prefix());
        let (own, depth) = (!head.own.is_none(), self.key.len());
        self.frames.push(Frame { node, own, from: 0, depth });
    }

    /// Moves on to the next leaf, and completes its key.
    fn advance(&mut self) -> Option<Location> {
        let keydir = self.keydir;
        loop {
            let frame = self.frames.last_mut()?;
            self.key.truncate(frame.depth);
            if std::mem::replace(&mut frame.own, false) {
                return Some(keydir.leaves.get(keydir.nodes.head(frame.node).own).0);
            }
            let Some((byte, child)) = keydir.nodes.next_child(frame.node, frame.from) else {
                self.frames.pop();
                continue;
            };
            frame.from = u16::from(byte) + 1;
            self.key.push(byte);
            if child.is_leaf() {
                let (location, suffix) = keydir.leaves.get(child);
                self.key.extend_from_slice(suffix);
                return Some(location);
            }
            self.enter(child);
        }
    }
}

impl WalkBack<'_> {
    /// The next smaller key and its location.
    #[allow(clippy::should_implement_trait)] // it lends, which an iterator cannot
    pub fn next(&mut self) -> Option<(&[u8], Location)> {
        let location = match self.ready.take() {
            Some(location) => location,
            None => self.advance()?,
        };
        Some((&self.key, location))
    }

    /// Positions the walk before the last key below `bound`.
    fn seek(&mut self, bound: &[u8]) {
        let keydir = self.keydir;
        let mut handle = keydir.root;
        loop {
            let rest = &bound[self.key.len()..];
            match handle.kind() {
                Kind::None => return,
                Kind::Leaf(_) => {
                    if keydir.leaves.get(handle).1 < rest {
                        self.visit(handle);
                    }
                    return;
                }
                _ => {
                    let head = keydir.nodes.head(handle);
                    let here = head.prefix();
                    let shared = common(here, rest);
                    // With nothing left, everything here is the bound or beyond it.
                    let Some(&byte) = rest.get(shared) else { return };
                    if shared < here.len() {
                        if here[shared] < byte {
                            self.visit(handle);
                        }
                        return;
                    }
                    self.key.extend_from_slice(here);
                    let (own, depth) = (!head.own.is_none(), self.key.len());
                    self.frames.push(BackFrame {
                        node: handle,
                        own,
                        below: u16::from(byte),
                        depth,
                    });
                    self.key.push(byte);
                    handle = keydir.nodes.child(handle, byte);
                }
            }
        }
    }

    /// What is below `handle`, to which `key` leads, is next.
    fn visit(&mut self, handle: Handle) {
        let keydir = self.keydir;
        match handle.kind() {
            Kind::None => {}
            Kind::Leaf(_) => {
                let (location, suffix) = keydir.leaves.get(handle);
                self.key.extend_from_slice(suffix);
                self.ready = Some(location);
            }
            _ => {
                let head = keydir.nodes.head(handle);
                self.key.extend_from_slice(head.prefix());
                let (own, depth) = (!head.own.is_none(), self.key.len());
                self.frames.push(BackFrame { node: handle, own, below: 256, depth });
            }
        }
    }

    /// Moves on to the leaf before, and completes its key.
    fn advance(&mut self) -> Option<Location> {
        let keydir = self.keydir;
        loop {
            let frame = self.frames.last_mut()?;
            self.key.truncate(frame.depth);
            if let Some((byte, child)) = keydir.nodes.last_child(frame.node, frame.below) {
                frame.below = u16::from(byte);
                self.key.push(byte);
                self.visit(child);
                if let Some(location) = self.ready.take() {
                    return Some(location);
                }
            } else if std::mem::replace(&mut frame.own, false) {
                return Some(keydir.leaves.get(keydir.nodes.head(frame.node).own).0);
            } else {
                self.frames.pop();
            }
        }
    }
}
