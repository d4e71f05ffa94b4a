//! Going through the entries of a collection in order, forwards and backwards, and scanning it by cursors.

use super::collection::{Shape, lower_bound};
use super::{At, Transaction};
use crate::cursor::between;
use crate::layout::{self, Part};
use crate::{Error, Kind};
use bitcask_core::KeyRange;
use std::ops::{Bound, ControlFlow};
use std::sync::PoisonError;

/// Where a walk begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// At the first entry that is not below the bound; backwards, at the last that is not above it.
    Key(Bound<&'a [u8]>),
    /// At the entry of this rank, counted from 0 in ascending order; backwards beyond the end, at the last.
    Rank(u64),
}

/// What is done with an entry: its key and its value.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An entry of a collection: its key, or field, or member, and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

impl Transaction<'_> {
    /// Visits entries in ascending order from `place` on, until `visit` breaks.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    pub(super) fn walk_forward(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        place: Place<'_>,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        let id = match self.shape(at, kind)? {
            Shape::Missing => return Ok(()),
            Shape::Small => {
                let leaf = &self.small(at)?.leaf;
                let from = match place {
                    Place::Key(bound) => lower_bound(leaf, bound),
                    Place::Rank(rank) => {
                        usize::try_from(rank).unwrap_or(usize::MAX).min(leaf.len())
                    }
                };
                for (key, value) in (from..leaf.len()).map(|index| leaf.entry(index)) {
                    if visit(key, value).is_break() {
                        break;
                    }
                }
                return Ok(());
            }
            Shape::Tree(id) => id,
        };
        let (mut name, mut from) = match place {
            Place::Key(bound) => {
                let (Bound::Included(key) | Bound::Excluded(key)) = bound else {
                    return self.walk_forward(
                        at,
                        kind,
                        part,
                        Place::Key(Bound::Included(b"")),
                        visit,
                    );
                };
                let name = self.page_of(at, id, part, key)?;
                let from = lower_bound(&self.tree_page(at, &name)?.leaf, bound);
                (name, from)
            }
            // The first needs no directory.
            Place::Rank(0) => (self.page_of(at, id, part, b"")?, 0),
            Place::Rank(rank) => match self.directory(at, id, part)?.at(rank) {
                Some((name, index)) => (name.to_vec(), index),
                None => return Ok(()),
            },
        };
        loop {
            let leaf = &self.tree_page(at, &name)?.leaf;
            for (key, value) in (from..leaf.len()).map(|index| leaf.entry(index)) {
                if visit(key, value).is_break() {
                    return Ok(());
                }
            }
            match self.page_after(at, id, part, &name)? {
                Some(next) => (name, from) = (next, 0),
                None => return Ok(()),
            }
        }
    }

    /// Visits entries in descending order from `place` on, until `visit` breaks.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    #[allow(dead_code)] // for sorted sets
    pub(super) fn walk_back(
        &mut self,
        at: &At,
        kind: Kind,
        part: Part,
        place: Place<'_>,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        // Counted from the bound down: the entries below the index are to be visited.
        let above = |leaf: &crate::collection::leaf::Leaf, bound: Bound<&[u8]>| match bound {
            Bound::Unbounded => leaf.len(),
            Bound::Included(key) => lower_bound(leaf, Bound::Excluded(key)),
            Bound::Excluded(key) => lower_bound(leaf, Bound::Included(key)),
        };
        let id = match self.shape(at, kind)? {
            Shape::Missing => return Ok(()),
            Shape::Small => {
                let leaf = &self.small(at)?.leaf;
                let to = match place {
                    Place::Key(bound) => above(leaf, bound),
                    Place::Rank(rank) => usize::try_from(rank)
                        .unwrap_or(usize::MAX)
                        .saturating_add(1)
                        .min(leaf.len()),
                };
                for (key, value) in (0..to).rev().map(|index| leaf.entry(index)) {
                    if visit(key, value).is_break() {
                        break;
                    }
                }
                return Ok(());
            }
            Shape::Tree(id) => id,
        };
        let (mut name, mut to) = match place {
            Place::Key(bound @ (Bound::Included(key) | Bound::Excluded(key))) => {
                let name = self.page_of(at, id, part, key)?;
                let to = above(&self.tree_page(at, &name)?.leaf, bound);
                (name, to)
            }
            Place::Key(Bound::Unbounded) => (self.last_page(at, id, part)?, usize::MAX),
            Place::Rank(rank) => match self.directory(at, id, part)?.at(rank) {
                Some((name, index)) => (name.to_vec(), index + 1),
                None => (self.last_page(at, id, part)?, usize::MAX),
            },
        };
        loop {
            let leaf = &self.tree_page(at, &name)?.leaf;
            for (key, value) in (0..to.min(leaf.len())).rev().map(|index| leaf.entry(index)) {
                if visit(key, value).is_break() {
                    return Ok(());
                }
            }
            match self.page_before(at, id, part, &name)? {
                Some(before) => (name, to) = (before, usize::MAX),
                None => return Ok(()),
            }
        }
    }

    /// One step of a scan of a collection's members: the next cursor, 0 at the end; its entries are shown to `visit`, about
    /// `count` of them. Begins at cursor 0; one that was never given out ends the scan at once. A small collection
    /// is gone through in one step.
    ///
    /// An entry that is there from the first step to the last is visited exactly once.
    ///
    /// # Errors
    /// As [`Transaction::shape`].
    pub(super) fn scan_elements(
        &mut self,
        at: &At,
        kind: Kind,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<u64, Error> {
        let shared = self.shared;
        let is_small = !matches!(self.shape(at, kind)?, Shape::Tree(_));
        let lock = || shared.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let start = match cursor {
            _ if is_small => Vec::new(),
            0 => Vec::new(),
            cursor => match lock().place(cursor) {
                Some(place) => place,
                None => return Ok(0),
            },
        };
        let (mut left, now) = (if is_small { usize::MAX } else { count.max(1) }, self.now);
        let (mut last, mut next) = (Vec::new(), 0);
        let place = Place::Key(Bound::Included(&start[..]));
        self.walk_forward(at, kind, Part::Members, place, &mut |key, value| {
            if left == 0 {
                // Should there be no cursor for this place, it goes on.
                let cursor = lock().make(&shared.backing.log, between(&last, key), now);
                if let Some(cursor) = cursor {
                    next = cursor;
                    return ControlFlow::Break(());
                }
            }
            left = left.saturating_sub(1);
            visit(key, value);
            if left == 0 {
                last.clear();
                last.extend_from_slice(key);
            }
            ControlFlow::Continue(())
        })?;
        if next != 0 {
            // The cursor may come back after a crash, and must still mean the same then.
            self.seen = shared.backing.log.position();
        }
        Ok(next)
    }

    /// The page after this one of a part of a tree.
    pub(super) fn page_after(
        &mut self,
        at: &At,
        id: u64,
        part: Part,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        let prefix = layout::tree_page(at.db, id, part, b"");
        let from = [name, b"\0"].concat();
        let mut found: Option<Vec<u8>> = None;
        self.shared.backing.log.walk(&prefix, &from, &mut |next| {
            found = Some(next.to_vec());
            ControlFlow::Break(())
        });
        let (_, tree) = self.tree(at)?;
        if !tree.fresh.is_empty() {
            let above = (Bound::Excluded(name), Bound::Unbounded);
            let fresh = tree.fresh.range::<[u8], _>(above).next();
            let fresh = fresh.filter(|next| next.starts_with(&prefix)).map(|next| next.to_vec());
            found = match (found, fresh) {
                (Some(logged), Some(fresh)) => Some(logged.min(fresh)),
                (logged, fresh) => logged.or(fresh),
            };
        }
        Ok(found)
    }

    /// The page before this one of a part of a tree.
    pub(super) fn page_before(
        &mut self,
        at: &At,
        id: u64,
        part: Part,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        let prefix = layout::tree_page(at.db, id, part, b"");
        let below = KeyRange::prefix(&*prefix).before(name);
        let mut found = self.shared.backing.log.keys(below).next_back();
        let (_, tree) = self.tree(at)?;
        if !tree.fresh.is_empty() {
            let below = (Bound::Unbounded, Bound::Excluded(name));
            let fresh = tree.fresh.range::<[u8], _>(below).next_back();
            let fresh = fresh.filter(|before| before.starts_with(&prefix));
            found = found.max(fresh.map(|before| before.to_vec()));
        }
        Ok(found)
    }

    /// The last page of a part of a tree.
    fn last_page(&mut self, at: &At, id: u64, part: Part) -> Result<Vec<u8>, Error> {
        let prefix = layout::tree_page(at.db, id, part, b"");
        let mut beyond = prefix.to_vec();
        *beyond.last_mut().expect("a part has a letter") += 1;
        self.page_upto(at, &prefix, &beyond)
    }
}
