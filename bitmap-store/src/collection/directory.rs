//! How many entries lie before a page of a tree: made when ranks are first asked for, and kept up while it is cached.

/// The pages of a tree, in order, with their counts; in blocks, so that neither finding nor inserting one goes
/// through all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory {
    /// None is empty.
    blocks: Vec<Block>,
    /// Names' lengths and the like.
    heap_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    pages: Vec<Page>,
    count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    name: Box<[u8]>,
    count: u32,
}

/// A block with more pages is halved.
const BLOCK_PAGES: usize = 256;

impl Directory {
    /// A directory of `pages`, which are in order: names of their records, and how many entries they have.
    pub(crate) fn new(pages: impl IntoIterator<Item = (Box<[u8]>, u64)>) -> Self {
        let mut directory = Directory::default();
        for (name, count) in pages {
            directory.heap_bytes += name.len();
            let page = Page { name, count: count as u32 };
            match directory.blocks.last_mut().filter(|last| last.pages.len() < BLOCK_PAGES / 2) {
                Some(last) => {
                    last.count += count;
                    last.pages.push(page);
                }
                None => directory.blocks.push(Block { pages: vec![page], count }),
            }
        }
        directory
    }

    /// Number of entries in all pages.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.blocks.iter().map(|block| block.count).sum()
    }

    /// Where the page of this name is, or would be: block, and page in it.
    fn find(&self, name: &[u8]) -> (usize, Result<usize, usize>) {
        let after = self.blocks.partition_point(|block| *block.pages[0].name <= *name);
        let block = after.saturating_sub(1);
        let found = self.blocks.get(block).map_or(Err(0), |block| {
            block.pages.binary_search_by(|page| page.name.as_ref().cmp(name))
        });
        (block, found)
    }

    /// Notes that the page of this name has another number of entries.
    pub(crate) fn set(&mut self, name: &[u8], count: usize) {
        if let (block, Ok(at)) = self.find(name) {
            let block = &mut self.blocks[block];
            let page = &mut block.pages[at];
            block.count = block.count - u64::from(page.count) + count as u64;
            page.count = count as u32;
        }
    }

    /// Notes a new page.
    pub(crate) fn insert(&mut self, name: &[u8], count: usize) {
        let (block, found) = self.find(name);
        let page = Page { name: name.into(), count: count as u32 };
        self.heap_bytes += name.len();
        let Some(own) = self.blocks.get_mut(block) else {
            self.blocks.push(Block { pages: vec![page], count: count as u64 });
            return;
        };
        own.pages.insert(found.unwrap_or_else(|at| at), page);
        own.count += count as u64;
        if own.pages.len() > BLOCK_PAGES {
            let pages = own.pages.split_off(BLOCK_PAGES / 2);
            let count = pages.iter().map(|page| u64::from(page.count)).sum();
            own.count -= count;
            self.blocks.insert(block + 1, Block { pages, count });
        }
    }

    /// Notes that a page is gone.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        if let (at, Ok(page)) = self.find(name) {
            let block = &mut self.blocks[at];
            let gone = block.pages.remove(page);
            block.count -= u64::from(gone.count);
            self.heap_bytes -= gone.name.len();
            if block.pages.is_empty() {
                self.blocks.remove(at);
            }
        }
    }

    /// Number of entries in the pages before the one of this name.
    pub(crate) fn before(&self, name: &[u8]) -> u64 {
        let (block, found) = self.find(name);
        let at = found.unwrap_or_else(|at| at);
        let blocks: u64 = self.blocks[..block].iter().map(|block| block.count).sum();
        let pages = self.blocks.get(block).map_or(&[][..], |block| &block.pages[..at]);
        blocks + pages.iter().map(|page| u64::from(page.count)).sum::<u64>()
    }

    /// The page that has the entry of this rank, and the entry's index in it; `None` beyond the last.
    pub(crate) fn at(&self, mut rank: u64) -> Option<(&[u8], usize)> {
        for block in &self.blocks {
            if rank >= block.count {
                rank -= block.count;
                continue;
            }
            for page in &block.pages {
                if rank < u64::from(page.count) {
                    return Some((&page.name, rank as usize));
                }
                rank -= u64::from(page.count);
            }
        }
        None
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let pages: usize = self.blocks.iter().map(|block| block.pages.capacity()).sum();
        // What the allocator adds to each name.
        const NAME_BYTES: usize = 16;
        self.blocks.capacity() * size_of::<Block>()
            + pages * (size_of::<Page>() + NAME_BYTES)
            + self.heap_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// The oracle is a map of all pages.
        #[test]
        fn ranks_are_those_found_by_counting(
            start in 0..600_u16, ops in vec((any::<u16>(), 0..4_u8, 0..5_usize), 0..700), probe in any::<u64>()
        ) {
            let name = |n: u16| Box::<[u8]>::from(n.to_be_bytes());
            let mut model: BTreeMap<Box<[u8]>, usize> = (0..start).map(|n| (name(n * 50), 3)).collect();
            let mut directory = Directory::new(model.iter().map(|(name, count)| (name.clone(), *count as u64)));
            for (n, what, count) in ops {
                let name = name(n % 3000);
                match (what, model.contains_key(&name)) {
                    (0, true) => {
                        model.remove(&name);
                        directory.remove(&name);
                    }
                    (_, true) => {
                        model.insert(name.clone(), count);
                        directory.set(&name, count);
                    }
                    (_, false) => {
                        model.insert(name.clone(), count);
                        directory.insert(&name, count);
                    }
                }
                let before: usize = model.range(..name.clone()).map(|(_, count)| count).sum();
                prop_assert_eq!(directory.before(&name), before as u64);
            }
            let all: Vec<(&[u8], usize)> =
                model.iter().flat_map(|(name, count)| (0..*count).map(move |i| (&**name, i))).collect();
            prop_assert_eq!(directory.count(), all.len() as u64);
            let rank = probe % (all.len() as u64 + 2);
            prop_assert_eq!(directory.at(rank), all.get(rank as usize).copied());
        }
    }
}
