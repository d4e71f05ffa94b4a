//! From the bytes of one segment to its index: every key's newest record, in key order.

use crate::Location;
use crate::format::hint::{self, HintEntry, HintLink, Totals};
use crate::format::record::{self, HEADER_LEN, Invalid, Kind, MARK_LEN, Record};
use crate::format::retired::Retired;
use crate::format::segment::{self as format, Salt};
use std::cmp::Reverse;

/// The index is thinned out to one record per key whenever it has grown by this many records.
const THIN_RECORDS: usize = 1 << 20;

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    segment: u32,
    bytes: &'a [u8],
    found: Vec<Found>,
    /// Length of `found` after it was last thinned out.
    thinned: usize,
    pub(crate) totals: Totals,
    /// Records read, superseded ones included.
    pub(crate) records: u64,
    /// Where the whole records end.
    pub(crate) end: usize,
    /// Up to where a mark says that the segment was on disk; 0 without any.
    pub(crate) synced: usize,
}

/// A record of the segment.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Scratch for sorting: sixteen bytes of the key.
    head: u128,
    offset: u32,
    len: u32,
    /// Where the key begins in the segment, so that nothing else of the record has to be looked at for it.
    key_start: u32,
    key_len: u32,
    kind: Kind,
}

/// Damage: where, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) offset: usize,
    pub(crate) reason: &'static str,
}

impl<'a> Index<'a> {
    /// Reads records from `from` on. What ends the walk, if it is not the end of the bytes, is returned
    /// beside the index of what came before it; a batch that is not whole is not in the index.
    pub(crate) fn scan(segment: u32, bytes: &'a [u8], from: usize) -> (Self, Option<Damage>) {
        let mut index = Index {
            segment,
            bytes,
            found: Vec::new(),
            thinned: 0,
            totals: Totals::default(),
            records: 0,
            end: from,
            synced: 0,
        };
        let mut at = from;
        // (first of the batch in `found`, its sequence number) while a batch is open
        let mut batch: Option<(usize, u64)> = None;
        let damage = loop {
            if at == bytes.len() {
                let reason = "the segment ends within a batch";
                break batch.map(|_| Damage { offset: index.end, reason });
            }
            let record = match Record::parse(&bytes[at..]) {
                Ok(record) => record,
                Err(invalid) => break Some(Damage { offset: at, reason: reason(invalid) }),
            };
            if let Some((first, sequence)) = batch {
                let expected = sequence.wrapping_add((index.found.len() - first) as u64);
                let alone = matches!(record.kind, Kind::Mark | Kind::Retired | Kind::Void);
                if alone || record.sequence != expected {
                    let reason = "a batch is interrupted by another record";
                    break Some(Damage { offset: at, reason });
                }
            }
            if let Some(synced) = record.mark() {
                index.synced = index.synced.max(synced as usize);
            } else if record.kind == Kind::Retired {
                match Retired::decode(record.value) {
                    Ok(retired) => index.totals.retired.extend(&retired),
                    Err(reason) => break Some(Damage { offset: at, reason }),
                }
                index.totals.max_sequence = index.totals.max_sequence.max(record.sequence);
            } else if record.kind != Kind::Void {
                let (offset, len) = (at as u32, record.len as u32);
                batch.get_or_insert((index.found.len(), record.sequence));
                let key_start = (record.key.as_ptr().addr() - bytes.as_ptr().addr()) as u32;
                let key_len = record.key.len() as u32;
                let kind = record.kind;
                index.found.push(Found { head: 0, offset, len, key_start, key_len, kind });
                let totals = &mut index.totals;
                totals.max_sequence = totals.max_sequence.max(record.sequence);
                totals.min_sequence = totals.min_sequence.min(record.sequence);
                index.records += 1;
            }
            at += record.len;
            if !record.more {
                index.end = at;
                batch = None;
                if index.found.len() > index.thinned + THIN_RECORDS.max(index.thinned) {
                    index.thin();
                }
            }
        };
        if let Some((first, _)) = batch {
            index.found.truncate(first);
        }
        index.thin();
        (index, damage)
    }

    fn key(&self, found: &Found) -> &'a [u8] {
        &self.bytes[found.key_start as usize..][..found.key_len as usize]
    }

    /// Keeps the newest record of each key. A deleted prefix is not a deleted key.
    fn thin(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        self.sort(&mut found);
        found.dedup_by(|older, kept| {
            is_key(older) == is_key(kept) && self.key(older) == self.key(kept)
        });
        self.thinned = found.len();
        self.found = found;
    }

    /// Sorts by key, deleted prefixes before keys, the newest first.
    ///
    /// Keys lie anywhere in the segment, so that looking at one costs a cache miss: what is compared is
    /// the sixteen bytes after the prefix common to all, and what these leave equal is sorted again by
    /// the next sixteen.
    fn sort(&self, found: &mut [Found]) {
        let mut ranges = Vec::new();
        ranges.push(0..found.len());
        while let Some(range) = ranges.pop() {
            let start = range.start;
            let part = &mut found[range];
            let Some((common, longest)) = self.common_prefix(part) else { continue };
            if common == longest {
                part.sort_unstable_by_key(|entry| (is_key(entry), Reverse(self.age(entry))));
                continue;
            }
            for entry in &mut *part {
                let key = &self.key(entry)[common..];
                let mut head = [0; 16];
                let len = key.len().min(16);
                head[..len].copy_from_slice(&key[..len]);
                entry.head = u128::from_be_bytes(head);
            }
            part.sort_unstable_by_key(|entry| entry.head);
            if part[0].head == part[part.len() - 1].head {
                // Keys that differ in trailing zeros only.
                let order =
                    |entry: &Found| (self.key(entry), is_key(entry), Reverse(self.age(entry)));
                part.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
                continue;
            }
            let mut at = start;
            for run in part.chunk_by(|a, b| a.head == b.head) {
                if run.len() > 1 {
                    ranges.push(at..at + run.len());
                }
                at += run.len();
            }
        }
    }

    /// What says which of a key's records is the newest. Not their order alone: what compaction has brought
    /// together may come from anywhere.
    fn age(&self, found: &Found) -> (u64, u8, u32) {
        let record = &self.bytes[found.offset as usize..][..found.len as usize];
        let sequence = Record::parse_unchecked(record).sequence;
        (sequence, found.kind.rank(), found.offset)
    }

    /// Lengths of the prefix common to all keys, and of the longest key; `None` without keys.
    fn common_prefix(&self, found: &[Found]) -> Option<(usize, usize)> {
        let first = self.key(found.first()?);
        Some(found.iter().fold((first.len(), first.len()), |(common, longest), entry| {
            let key = self.key(entry);
            let same = first[..common].iter().zip(key).take_while(|(a, b)| a == b).count();
            (same, longest.max(key.len()))
        }))
    }

    /// The index, in the order of a hint.
    pub(crate) fn entries(&self) -> impl Iterator<Item = HintEntry<'a>> {
        self.found.iter().map(|found| {
            let record = &self.bytes[found.offset as usize..][..found.len as usize];
            let record = Record::parse_unchecked(record);
            let Found { offset, len, kind, .. } = *found;
            let location = Location { segment: self.segment, offset, len };
            let link =
                record.link.map(|link| HintLink { segment: link.segment, bytes: link.bytes });
            let (key, sequence, refers) = (record.key, record.sequence, record.refers);
            HintEntry { key, kind, sequence, location, refers, link }
        })
    }
}

fn is_key(found: &Found) -> bool {
    found.kind != Kind::DeletePrefix
}

/// The hint of a whole segment, whose bytes must be sound.
pub(crate) fn build_hint(segment: u32, bytes: &[u8]) -> Result<Vec<u8>, Damage> {
    let head = format::check_header(bytes, segment);
    let of = hint::Of::native(segment, head.map_err(|reason| Damage { offset: 0, reason })?.salt);
    let (index, damage) = Index::scan(segment, bytes, format::HEADER_LEN);
    match damage {
        Some(damage) => Err(damage),
        None => Ok(hint::encode(of, index.end as u32, &index.totals, index.entries())),
    }
}

/// True if `bytes` hold a later mark that says that the segment was on disk beyond `offset`: then what
/// is damaged there had been acknowledged, and is no torn tail.
pub(crate) fn was_synced(bytes: &[u8], salt: Salt, offset: usize) -> bool {
    let tail = &bytes[offset..];
    (HEADER_LEN..tail.len().saturating_sub(salt.len()))
        .filter(|&at| tail[at] == salt[0] && tail[at..].starts_with(&salt))
        .map(|at| at - HEADER_LEN)
        .filter(|&at| record::claimed_len(&tail[at..]) == Ok(MARK_LEN))
        .filter_map(|at| Some((at, Record::parse(&tail[at..]).ok()?.mark()? as usize)))
        .any(|(at, synced_to)| synced_to > offset && synced_to <= offset + at)
}

fn reason(invalid: Invalid) -> &'static str {
    match invalid {
        Invalid::Short(_) => "the segment ends within a record",
        Invalid::Bad(reason) => reason,
    }
}
