//! Values in memory: what the cache holds, and what of them the log holds already.

use crate::bitmap::assignment::{Assignment, Change as BitChange};
use crate::bitmap::{Ids, bytes};
use crate::collection::page::TreePage;
use crate::collection::tree::{Small, Tree};
use crate::derivation::Derivation;
use crate::layout::{self, Span};
use crate::record::{self, Base, Delta};
use crate::text::Text;
use crate::touched::Touched;
use crate::{Error, Kind};
use ::bytes::Bytes;
use bitcask_core::Held;
use bitcask_core::{Batch, Bitcask, Chain, Entry, Location, RecordIndex, UnixMillis};
use std::sync::Arc;

/// What the cache holds under a name of the log.
pub(crate) enum Cached {
    Key(KeyEntry),
    Page(Page),
    TreePage(TreePage),
}

impl Cached {
    /// Whether it may differ from the log.
    pub(crate) fn is_touched(&self) -> bool {
        match self {
            Cached::Key(entry) => entry.touched,
            Cached::Page(page) => page.dirty,
            Cached::TreePage(page) => page.dirty,
        }
    }
}

/// A key, present or not.
#[derive(Default)]
pub(crate) struct KeyEntry {
    pub(crate) value: Value,
    pub(crate) expires_at: Option<UnixMillis>,
    /// What the log holds. Differs from the rest only while a transaction has the key touched.
    pub(crate) stored: Stored,
    pub(crate) change: Change,
    /// In the transaction's list of touched keys.
    pub(crate) touched: bool,
}

/// What the log holds of a key.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) exists: bool,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) links: Option<Links>,
}

/// How a touched value differs from what the log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    #[default]
    None,
    /// In what a delta can say.
    Delta,
    /// In any way.
    Base,
}

/// A key's value.
#[derive(Default)]
pub(crate) enum Value {
    #[default]
    Absent,
    String(Text),
    Bitmap(Bitmap),
    Paged(Paged),
    Small(Small),
    Tree(Tree),
}

/// A small bitmap.
#[derive(Default)]
pub(crate) struct Bitmap {
    pub(crate) ids: Arc<Ids>,
    pub(crate) byte_len: u64,
    pub(crate) touched: Touched<BitChange>,
}

/// A bitmap in pages.
pub(crate) struct Paged {
    pub(crate) collection: Collection,
    pub(crate) byte_len: u64,
    /// In order. Spans do not overlap; ids outside all of them are not set.
    pub(crate) pages: Vec<PageRef>,
    /// Pages that differ from the log.
    pub(crate) dirty: Vec<Span>,
}

/// Where the pages of a bitmap are found.
#[derive(Clone)]
pub(crate) struct Collection {
    /// Their names begin with it.
    pub(crate) id: u64,
    /// If the log does not have them: what they are made of.
    pub(crate) derivation: Option<Arc<Derivation>>,
}

/// An entry of a bitmap's directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageRef {
    pub(crate) span: Span,
    /// Number of ids, once known.
    pub(crate) count: Option<u64>,
}

/// A page.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) ids: Arc<Ids>,
    pub(crate) touched: Touched<BitChange>,
    pub(crate) links: Option<Links>,
    /// In its bitmap's list of dirty pages.
    pub(crate) dirty: bool,
}

/// What a record of the log takes beside its key and value, about.
const RECORD_BYTES: usize = 26;

/// A value's records in the log.
pub(crate) struct Links {
    pub(crate) chain: Chain,
    base_len: usize,
    /// [`Bitcask::moves`] when the chain was known to be where it is.
    moves: u64,
}

impl Links {
    fn base(at: Location, base_len: usize, moves: u64) -> Self {
        Links { chain: Chain::base(at), base_len, moves }
    }

    /// `moves` was asked before `entry`.
    pub(crate) fn of(entry: &Entry, moves: u64) -> Self {
        Links { chain: entry.chain.clone(), base_len: entry.base.len(), moves }
    }

    /// The newest record, if it still lies where it lay.
    pub(crate) fn newest_if_unmoved(&self, log: &Bitcask) -> Option<Location> {
        (self.moves == log.moves()).then(|| self.chain.newest())
    }

    /// Makes sure that the chain is where it is, before a delta follows it: compaction may have moved it, and
    /// then has made one base of it. True if so. `held` keeps it from moving again.
    pub(crate) fn refresh(&mut self, log: &Bitcask, held: &Held<'_>, name: &[u8]) -> bool {
        if self.moves == held.moves() {
            return false;
        }
        self.moves = held.moves();
        match log.location(name) {
            Some(at) if at != self.chain.newest() => {
                // About: a header and the key are no part of it. It decides only how long deltas pay.
                let base_len = (at.len as usize).saturating_sub(RECORD_BYTES + name.len());
                *self = Links::base(at, base_len, self.moves);
                true
            }
            _ => false,
        }
    }

    /// Whether a delta of `len` bytes is worth it: not if the base is hardly longer, nor once deltas weigh
    /// half of it.
    pub(crate) fn worth(&self, len: usize) -> bool {
        let kept = self.chain.kept_delta_bytes() as usize;
        2 * len <= self.base_len && 2 * (kept + len) <= self.base_len
    }
}

/// A record that was added to a batch: what is to be noted once it is written.
pub(crate) enum Written {
    Base { record: RecordIndex, len: usize },
    Delta { record: RecordIndex },
}

impl Written {
    /// Notes where the record went.
    /// `moves` was asked before the batch was written.
    pub(crate) fn note(
        self,
        links: &mut Option<Links>,
        moves: u64,
        locate: impl Fn(RecordIndex) -> Location,
    ) {
        match (self, links) {
            (Written::Base { record, len }, links) => {
                *links = Some(Links::base(locate(record), len, moves));
            }
            (Written::Delta { record }, Some(links)) => {
                links.chain.push(locate(record));
            }
            (Written::Delta { .. }, None) => unreachable!("a delta follows a base"),
        }
    }
}

/// Memory of a set of ids: its containers, and what the allocator adds to each.
pub(crate) fn ids_memory(ids: &Ids) -> usize {
    /// The crate counts an array's ids as four bytes each, and a block's as a byte each.
    const ARRAY_SHARE: u64 = 2;
    const BLOCK_SHARE: u64 = 8;
    let statistics = ids.statistics();
    let containers = statistics.n_containers as usize;
    let bytes = statistics.n_bytes_array_containers / ARRAY_SHARE
        + statistics.n_bytes_bitset_containers / BLOCK_SHARE
        + statistics.n_bytes_run_containers;
    size_of::<Ids>() + containers * 64 + bytes as usize
}

impl KeyEntry {
    /// The entry of a key that the log does not have.
    pub(crate) fn absent() -> Self {
        KeyEntry::default()
    }

    /// The entry of a key whose record cannot be read: something that can be replaced or deleted.
    pub(crate) fn unreadable() -> Self {
        let stored = Stored { exists: true, ..Stored::default() };
        KeyEntry { stored, ..KeyEntry::default() }
    }

    /// The entry that a record says, which was read after `moves` was asked; `pages` lists the pages of a
    /// collection.
    pub(crate) fn load(
        entry: &Entry,
        moves: u64,
        pages: impl FnOnce(u64) -> Vec<PageRef>,
    ) -> Result<Self, &'static str> {
        let mut value = match record::base(&entry.base)? {
            Base::String { bytes, raw } => {
                Value::String(Text::new(Bytes::copy_from_slice(bytes), raw))
            }
            Base::Bitmap { byte_len, ids } => {
                Value::Bitmap(Bitmap { ids: Arc::new(ids), byte_len, touched: Touched::default() })
            }
            Base::Paged { byte_len, id } => {
                Value::Paged(Paged { pages: pages(id), ..Paged::new(id, byte_len) })
            }
            Base::Derived { byte_len, id, derivation } => {
                Value::Paged(Paged::derived(id, byte_len, Arc::new(derivation)))
            }
            Base::Small { kind, flags, leaf } => Value::Small(Small::new(kind, flags, leaf)),
            Base::Tree { kind, flags, id, count } => Value::Tree(Tree::new(kind, flags, id, count)),
            Base::Page { .. } | Base::TreePage { .. } => {
                return Err("the key's record is one of a page");
            }
        };
        for delta in &entry.deltas {
            match (&mut value, record::delta(delta)?) {
                (Value::String(text), Delta::Written(writes)) => text.load(&writes),
                (Value::Bitmap(bitmap), Delta::Bits { byte_len, assignment }) => {
                    bitmap.byte_len = byte_len;
                    assignment.apply_to(Arc::make_mut(&mut bitmap.ids));
                    record::check_byte_len(&bitmap.ids, byte_len)?;
                    bitmap.touched.load(assignment.changes());
                }
                (Value::Paged(paged), Delta::Length(byte_len)) => paged.byte_len = byte_len,
                (Value::Small(small), Delta::Small { kind, flags, ops }) if small.kind == kind => {
                    ops.apply_to(&mut small.leaf);
                    record::check_some(&small.leaf)?;
                    small.flags = flags;
                    small.touched.load(ops.keys());
                }
                _ => return Err("a change does not fit the record that it follows"),
            }
        }
        let (expires_at, links) = (entry.expires_at, Some(Links::of(entry, moves)));
        let stored = Stored { exists: true, expires_at, links };
        Ok(KeyEntry { value, expires_at, stored, ..KeyEntry::default() })
    }

    pub(crate) fn exists(&self) -> bool {
        !matches!(self.value, Value::Absent)
    }

    pub(crate) fn expired(&self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether the log has the key's own record as it is; pages are another matter.
    pub(crate) fn is_logged(&self) -> bool {
        self.change == Change::None
            && self.exists() == self.stored.exists
            && self.expires_at == self.stored.expires_at
    }

    /// Adds the record of a touched key to `batch`, unless the log has it already. Says whether the value
    /// is in the log as a base or a delta.
    pub(crate) fn log(
        &mut self,
        log: &Bitcask,
        held: &Held<'_>,
        name: &[u8],
        batch: &mut Batch,
    ) -> Option<Written> {
        let expires_at = self.expires_at;
        let moved = expires_at != self.stored.expires_at;
        if self.change == Change::None && !moved {
            return None;
        }
        // The record of a tree is hardly longer than a change to it.
        if self.change != Change::Base
            && !matches!(self.value, Value::Tree(_))
            && let Some(links) = &mut self.stored.links
        {
            if links.refresh(log, held, name) {
                self.value.folded();
            }
            let mut delta = Vec::new();
            self.value.delta(links.chain.absorbs(), &mut delta);
            if links.worth(delta.len()) {
                let record = batch.delta(name, &delta, &links.chain, expires_at);
                if self.value.refers() {
                    batch.refers(record);
                }
                self.value.logged_delta(links.chain.absorbs());
                return Some(Written::Delta { record });
            }
        }
        let value = &mut self.value;
        let mut len = 0;
        let record = batch.put_with(name, expires_at, |out| {
            let start = out.len();
            value.encode(out);
            len = out.len() - start;
        });
        if value.refers() {
            batch.refers(record);
        }
        value.logged_base();
        Some(Written::Base { record, len })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Cached>()
            + self.stored.links.as_ref().map_or(0, |links| links.chain.len() * 16)
            + match &self.value {
                Value::Absent => 0,
                Value::String(text) => text.memory_bytes(),
                Value::Bitmap(bitmap) => ids_memory(&bitmap.ids) + bitmap.touched.memory_bytes(),
                Value::Paged(paged) => {
                    let derivation = paged.collection.derivation.as_ref();
                    paged.pages.capacity() * size_of::<PageRef>()
                        + derivation.map_or(0, |derivation| derivation.memory_bytes())
                }
                Value::Small(small) => small.leaf.memory_bytes() + small.touched.memory_bytes(),
                Value::Tree(tree) => tree.memory_bytes(),
            }
    }
}

impl Value {
    fn encode(&mut self, out: &mut Vec<u8>) {
        match self {
            Value::Absent => unreachable!("an absent key has no record"),
            Value::String(text) => record::put_string(out, &text.bytes, text.raw),
            Value::Bitmap(bitmap) => {
                record::put_bitmap(out, bitmap.byte_len, Arc::make_mut(&mut bitmap.ids));
            }
            Value::Paged(Paged { collection, byte_len, .. }) => match &collection.derivation {
                None => record::put_paged(out, *byte_len, collection.id),
                Some(made_of) => record::put_derived(out, *byte_len, collection.id, made_of),
            },
            Value::Small(small) => record::put_small(out, small.kind, small.flags, &small.leaf),
            Value::Tree(tree) => {
                record::put_tree(out, tree.kind, tree.flags, tree.id, tree.count);
            }
        }
    }

    fn delta(&self, absorbs: usize, out: &mut Vec<u8>) {
        match self {
            Value::Absent => unreachable!("an absent key has no record"),
            Value::String(text) => Delta::Written(text.pending(absorbs)).encode(out),
            Value::Bitmap(bitmap) => {
                let assignment = Assignment::of(bitmap.touched.pending(absorbs));
                Delta::Bits { byte_len: bitmap.byte_len, assignment }.encode(out);
            }
            Value::Paged(paged) => Delta::Length(paged.byte_len).encode(out),
            Value::Small(small) => {
                let (kind, flags) = (small.kind, small.flags);
                Delta::Small { kind, flags, ops: small.pending(absorbs) }.encode(out);
            }
            Value::Tree(_) => unreachable!("the record of a tree is written whole"),
        }
    }

    fn logged_delta(&mut self, absorbed: usize) {
        match self {
            Value::String(text) => text.touched.logged_delta(absorbed),
            Value::Bitmap(bitmap) => bitmap.touched.logged_delta(absorbed),
            Value::Small(small) => small.touched.logged_delta(absorbed),
            Value::Absent | Value::Paged(_) | Value::Tree(_) => {}
        }
    }

    /// Whether its record says where others lie.
    pub(crate) fn refers(&self) -> bool {
        matches!(self, Value::Paged(paged) if paged.collection.derivation.is_some())
    }

    /// Notes that what the log has of it is one base now.
    fn folded(&mut self) {
        match self {
            Value::String(text) => text.touched.folded(),
            Value::Bitmap(bitmap) => bitmap.touched.folded(),
            Value::Small(small) => small.touched.folded(),
            Value::Absent | Value::Paged(_) | Value::Tree(_) => {}
        }
    }

    fn logged_base(&mut self) {
        match self {
            Value::String(text) => text.touched.logged_base(),
            Value::Bitmap(bitmap) => bitmap.touched.logged_base(),
            Value::Small(small) => small.touched.logged_base(),
            Value::Absent | Value::Paged(_) | Value::Tree(_) => {}
        }
    }

    /// Its type; `None` if it is absent.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Value::Absent => None,
            Value::String(_) | Value::Bitmap(_) | Value::Paged(_) => Some(Kind::String),
            Value::Small(small) => Some(small.kind),
            Value::Tree(tree) => Some(tree.kind),
        }
    }

    /// Length of the string that this is; 0 of what is none.
    pub(crate) fn byte_len(&self) -> u64 {
        match self {
            Value::Absent | Value::Small(_) | Value::Tree(_) => 0,
            Value::String(text) => text.bytes.len() as u64,
            Value::Bitmap(bitmap) => bitmap.byte_len,
            Value::Paged(paged) => paged.byte_len,
        }
    }
}

impl Bitmap {
    /// A string's bits.
    pub(crate) fn from_bytes(string: &[u8]) -> Self {
        Bitmap {
            ids: Arc::new(bytes::from_bytes(string, 0)),
            byte_len: string.len() as u64,
            touched: Touched::default(),
        }
    }
}

impl Paged {
    /// A bitmap without pages.
    pub(crate) fn new(id: u64, byte_len: u64) -> Self {
        let collection = Collection { id, derivation: None };
        Paged { collection, byte_len, pages: Vec::new(), dirty: Vec::new() }
    }

    /// A bitmap whose pages are made when they are read.
    pub(crate) fn derived(id: u64, byte_len: u64, derivation: Arc<Derivation>) -> Self {
        let spans = derivation.spans().into_iter();
        Paged {
            collection: Collection { id, derivation: Some(derivation) },
            byte_len,
            pages: spans.map(|span| PageRef { span, count: None }).collect(),
            dirty: Vec::new(),
        }
    }

    /// Position in the directory of the page that holds `container`, or where it would be.
    pub(crate) fn find(&self, container: u16) -> Result<usize, usize> {
        let after = self.pages.partition_point(|page| page.span.lower <= container);
        match after.checked_sub(1) {
            Some(at) if self.pages[at].span.contains(container) => Ok(at),
            _ => Err(after),
        }
    }

    pub(crate) fn page(&mut self, span: Span) -> &mut PageRef {
        let at = self.find(span.lower).expect("the page is in its bitmap's directory");
        &mut self.pages[at]
    }

    /// The widest span for a new page at `container` that leaves the others alone.
    pub(crate) fn free_span(&self, container: u16) -> Span {
        let mut span = Span { lower: container, level: 0 };
        while let Some(parent) = span.parent() {
            if self.pages.iter().any(|page| page.span.overlaps(parent)) {
                break;
            }
            span = parent;
        }
        span
    }
}

impl Page {
    pub(crate) fn new(ids: Ids) -> Self {
        Page { ids: Arc::new(ids), ..Page::default() }
    }

    /// The page that a record says, which was read after `moves` was asked.
    pub(crate) fn load(entry: &Entry, moves: u64) -> Result<Self, &'static str> {
        let Base::Page { mut ids, lower } = record::base(&entry.base)? else {
            return Err("the page's record is one of a key");
        };
        let mut touched = Touched::default();
        for delta in &entry.deltas {
            let Delta::Page { assignment, .. } = record::delta(delta)? else {
                return Err("a change does not fit the page that it follows");
            };
            let assignment = assignment.counted_from_zero(u32::from(lower) << 16)?;
            assignment.apply_to(&mut ids);
            touched.load(assignment.changes());
        }
        let links = Some(Links::of(entry, moves));
        Ok(Page { ids: Arc::new(ids), touched, links, dirty: false })
    }

    /// Adds the record of a dirty page to `batch` as a delta, if that is worth it.
    pub(crate) fn log_delta(
        &mut self,
        log: &Bitcask,
        held: &Held<'_>,
        name: &[u8],
        span: Span,
        batch: &mut Batch,
    ) -> Option<Written> {
        let links = self.links.as_mut()?;
        if links.refresh(log, held, name) {
            self.touched.folded();
        }
        let absorbs = links.chain.absorbs();
        let assignment = Assignment::of(self.touched.pending(absorbs));
        let assignment = assignment.counted_from(*span.ids().start());
        let mut delta = Vec::new();
        Delta::Page { count: self.ids.len(), assignment }.encode(&mut delta);
        if !links.worth(delta.len()) {
            return None;
        }
        let record = batch.delta(name, &delta, &links.chain, None);
        self.touched.logged_delta(absorbs);
        Some(Written::Delta { record })
    }

    /// Adds the record of a dirty page to `batch`, whole.
    pub(crate) fn log_base(&mut self, name: &[u8], span: Span, batch: &mut Batch) -> Written {
        let ids = Arc::make_mut(&mut self.ids);
        let mut len = 0;
        let record = batch.put_with(name, None, |out| {
            let start = out.len();
            record::put_page(out, span.lower, ids);
            len = out.len() - start;
        });
        self.touched.logged_base();
        Written::Base { record, len }
    }

    /// Whether it is to be weighed anew once this is written: weighing takes time, and a few bits weigh
    /// little.
    pub(crate) fn weigh_after(&self, written: &Written) -> bool {
        const SELDOM: usize = 32;
        matches!(written, Written::Base { .. }) || self.touched.len().is_multiple_of(SELDOM)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Cached>()
            + ids_memory(&self.ids)
            + self.touched.memory_bytes()
            + self.links.as_ref().map_or(0, |links| links.chain.len() * 16)
    }
}

/// The error of a record under `name` that does not decode.
pub(crate) fn damaged(name: &[u8], reason: &'static str) -> Error {
    let key = if name.len() > 2 { layout::key_of(name) } else { name };
    Error::Damaged { key: key.to_vec(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_weigh_what_their_containers_hold() {
        let block: Ids = (0..60_000).filter(|id| id % 3 != 0).collect();
        assert!((8192..8400).contains(&ids_memory(&block)), "{}", ids_memory(&block));
        let array: Ids = (0..4000).map(|id| id * 16).collect();
        assert!((8000..8400).contains(&ids_memory(&array)), "{}", ids_memory(&array));
        let mut run = Ids::new();
        run.insert_range(0..60_000);
        run.optimize();
        assert!(ids_memory(&run) < 200, "{}", ids_memory(&run));
    }
}
