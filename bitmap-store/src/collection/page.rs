//! A page of a tree in memory, and what of it the log holds already.

use super::change::{Changed, Ops};
use super::leaf::Leaf;
use crate::record::{self, Base, Delta};
use crate::touched::Touched;
use crate::value::{Cached, Links, Written};
use bitcask_core::{Batch, Bitcask, Entry, Held};

/// A page of a tree.
#[derive(Default)]
pub(crate) struct TreePage {
    pub(crate) leaf: Leaf,
    touched: Touched<Changed>,
    pub(crate) links: Option<Links>,
    /// In its tree's list of dirty pages.
    pub(crate) dirty: bool,
    /// Something was taken out of it since it was logged.
    pub(crate) shrank: bool,
    /// It has lost or won entries that `touched` does not know: its next record says all of it.
    whole: bool,
}

impl TreePage {
    /// A page that the log does not have.
    pub(crate) fn fresh(leaf: Leaf) -> Self {
        TreePage { leaf, dirty: true, whole: true, ..TreePage::default() }
    }

    /// The page that a record says, which was read after `moves` was asked.
    pub(crate) fn load(entry: &Entry, moves: u64) -> Result<Self, &'static str> {
        let Base::TreePage { mut leaf } = record::base(&entry.base)? else {
            return Err("the page's record is none of a collection's page");
        };
        let mut touched = Touched::default();
        for delta in &entry.deltas {
            let Delta::TreePage { count, ops } = record::delta(delta)? else {
                return Err("a change does not fit the page that it follows");
            };
            ops.apply_to(&mut leaf);
            record::check_count(&leaf, count)?;
            touched.load(ops.keys());
        }
        let links = Some(Links::of(entry, moves));
        Ok(TreePage { leaf, touched, links, ..TreePage::default() })
    }

    /// Notes that the entry of `key` is another one, or gone. True if the page has become dirty by that.
    pub(crate) fn changed(&mut self, key: &[u8]) -> bool {
        if !self.whole {
            self.touched.push(key.into());
        }
        !std::mem::replace(&mut self.dirty, true)
    }

    /// Notes that entries have come or gone with another page. True if the page has become dirty by that.
    pub(crate) fn rearranged(&mut self) -> bool {
        self.whole = true;
        self.touched = Touched::default();
        !std::mem::replace(&mut self.dirty, true)
    }

    /// Adds the page's record to `batch`: as a delta, if that is worth it.
    pub(crate) fn log(
        &mut self,
        log: &Bitcask,
        held: &Held<'_>,
        name: &[u8],
        batch: &mut Batch,
    ) -> Written {
        if !self.whole
            && let Some(links) = &mut self.links
        {
            if links.refresh(log, held, name) {
                self.touched.folded();
            }
            let absorbs = links.chain.absorbs();
            let ops = Ops::of(&self.leaf, self.touched.pending(absorbs));
            let mut delta = Vec::new();
            Delta::TreePage { count: self.leaf.len() as u64, ops }.encode(&mut delta);
            if links.worth(delta.len()) {
                let record = batch.delta(name, &delta, &links.chain, None);
                self.touched.logged_delta(absorbs);
                return Written::Delta { record };
            }
        }
        let mut len = 0;
        let record = batch.put_with(name, None, |out| {
            let start = out.len();
            record::put_tree_page(out, &self.leaf);
            len = out.len() - start;
        });
        self.touched.logged_base();
        Written::Base { record, len }
    }

    /// Notes that its record is in the log.
    pub(crate) fn logged(&mut self) {
        (self.dirty, self.shrank, self.whole) = (false, false, false);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Cached>()
            + self.leaf.memory_bytes()
            + self.touched.memory_bytes()
            + self.links.as_ref().map_or(0, |links| links.chain.len() * 16)
    }
}
