//! From the indexes of all segments to the keydir.
//!
//! Every index is in key order, so walking them side by side brings all records of a key together: the
//! sequence number decides among them, wherever compaction may have moved them, without a word of
//! memory per key; and the keydir is filled in key order, which is when it is fastest.

use crate::format::hint::HintEntry;
use crate::format::record::Kind;
use crate::keydir::KeyDir;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The first unread entry of one index.
struct Head<'a> {
    entry: HintEntry<'a>,
    source: usize,
}

impl Head<'_> {
    /// Keys ascend; the deletion of a prefix comes before records of the key that equals it.
    fn order(&self) -> (&[u8], bool) {
        (self.entry.key, self.entry.kind != Kind::DeletePrefix)
    }
}

impl Ord for Head<'_> {
    /// Reversed, since a heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}
impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Head<'_> {}

/// Fills `keydir` from indexes in key order. `met` is told each newest record that is a value, and each deletion.
pub(crate) fn merge<'a>(
    sources: Vec<Box<dyn Iterator<Item = HintEntry<'a>> + 'a>>,
    keydir: &mut KeyDir,
    met: &mut dyn FnMut(&HintEntry<'a>),
) {
    let mut sources = sources;
    let mut heads: BinaryHeap<Head<'a>> = BinaryHeap::new();
    for (source, entries) in sources.iter_mut().enumerate() {
        heads.extend(entries.next().map(|entry| Head { entry, source }));
    }
    // Deleted prefixes of the current key, each longer than the one below it, with the sequence number
    // below which everything under it is gone.
    let mut deleted: Vec<(&[u8], u64)> = Vec::new();
    let mut newest: Option<HintEntry<'a>> = None;
    while let Some(mut head) = heads.peek_mut() {
        let entry = head.entry;
        match sources[head.source].next() {
            Some(next) => {
                head.entry = next;
                drop(head);
            }
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        if matches!(entry.kind, Kind::Delete | Kind::DeletePrefix) {
            met(&entry);
        }
        match &mut newest {
            Some(best) if best.key == entry.key && entry.kind != Kind::DeletePrefix => {
                let age = |entry: &HintEntry<'_>| (entry.sequence, entry.kind.rank());
                if age(&entry) > age(best) {
                    *best = entry;
                }
                continue;
            }
            _ => settle(newest.take(), &mut deleted, keydir, met),
        }
        if entry.kind == Kind::DeletePrefix {
            while deleted.last().is_some_and(|(prefix, _)| !entry.key.starts_with(prefix)) {
                deleted.pop();
            }
            let outer = deleted.last().map_or(0, |(_, sequence)| *sequence);
            deleted.push((entry.key, entry.sequence.max(outer)));
        } else {
            newest = Some(entry);
        }
    }
    settle(newest, &mut deleted, keydir, met);
}

/// Puts the newest record of a key into the keydir, if it is a value that no deletion came after.
fn settle<'a>(
    newest: Option<HintEntry<'a>>,
    deleted: &mut Vec<(&[u8], u64)>,
    keydir: &mut KeyDir,
    met: &mut dyn FnMut(&HintEntry<'a>),
) {
    let Some(entry) = newest else { return };
    while deleted.last().is_some_and(|(prefix, _)| !entry.key.starts_with(prefix)) {
        deleted.pop();
    }
    let alive = deleted.last().is_none_or(|(_, sequence)| entry.sequence > *sequence);
    if alive && entry.kind != Kind::Delete {
        keydir.insert_record(entry.key, entry.location, entry.kind.has_link());
        met(&entry);
    }
}
