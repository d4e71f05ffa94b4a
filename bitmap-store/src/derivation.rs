//! What a bitmap is before it has pages of its own: an operation on pages of others.
//!
//! `BITOP` is answered without looking at a single id: the length of the result is that of the longest
//! source, and what is logged is which operation was asked of which pages. The log only grows, so a page's
//! record stays what it was whatever becomes of its bitmap: changed, deleted, flushed; until compaction asks for
//! its segment, and then the result gets pages of its own ([`crate::letting_go`]). A page of the result
//! is made when somebody reads in it, and counted without being made; the result gets pages of its own, in
//! the log too, when somebody changes it.
//!
//! | bytes | is |
//! |---|---|
//! | 1 | the operation: 0 AND, 1 OR, 2 XOR, 3 DIFF, 4 DIFF1, 5 ANDOR, 6 ONE |
//! | varint | number of sources; of each: |
//! | 1 | · its database |
//! | varint | · its collection id |
//! | varint | · number of its pages, ascending; of each: |
//! | 2, 1 | ·· lower, level: see [`crate::layout`] |
//! | varint, varint, varint | ·· where the newest record of the page lay: segment, offset, length |

use crate::bitmap::ops::{BitOp, combine, count_combined, slice};
use crate::bitmap::{Ids, varint};
use crate::layout::{self, Span};
use crate::value::{Page, damaged, ids_memory};
use crate::{Db, Error};
use bitcask_core::{Bitcask, Location};
use std::sync::Arc;

/// By their codes. `NOT` is not among them: it has ids where its source has no page.
const OPERATIONS: [BitOp; 7] =
    [BitOp::And, BitOp::Or, BitOp::Xor, BitOp::Diff, BitOp::Diff1, BitOp::AndOr, BitOp::One];

/// An operation, and the pages of the bitmaps that it is done on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Derivation {
    op: BitOp,
    sources: Vec<Source>,
}

/// A bitmap as it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) db: Db,
    pub(crate) id: u64,
    /// In ascending order; they do not overlap.
    pub(crate) pages: Vec<SourcePage>,
}

/// A page as it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourcePage {
    pub(crate) span: Span,
    /// Its newest record then.
    pub(crate) newest: Location,
    /// Its ids, if they were in memory then: whoever changes them changes a copy.
    pub(crate) ids: Option<Arc<Ids>>,
}

impl Derivation {
    /// False for operations whose result may have ids where no source has a page.
    pub(crate) fn is_of(op: BitOp) -> bool {
        OPERATIONS.contains(&op)
    }

    /// What `op`, of which [`Derivation::is_of`] is true, makes of `sources`.
    pub(crate) fn new(op: BitOp, sources: Vec<Source>) -> Self {
        Derivation { op, sources }
    }

    /// Where the result may have ids, in ascending order: spans in which no source has more than one page.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let all = self.sources.iter().flat_map(|source| source.pages.iter().map(|page| page.span));
        let mut spans = Vec::new();
        cut(Span::ALL, &all.collect::<Vec<_>>(), &mut spans);
        let has = |source: &Source, span| source.page(span).is_some();
        spans.retain(|span| match self.op {
            BitOp::And => self.sources.iter().all(|source| has(source, *span)),
            BitOp::Diff | BitOp::AndOr => has(&self.sources[0], *span),
            _ => true,
        });
        spans
    }

    /// The ids in one of [`Derivation::spans`].
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if a source cannot be read.
    pub(crate) fn ids(&self, log: &Bitcask, span: Span) -> Result<Ids, Error> {
        let inputs = self.sources.iter().map(|source| match source.page(span) {
            Some(page) if page.span != span => {
                Ok(Arc::new(slice(&*page.ids(log, source)?, span.ids())))
            }
            Some(page) => page.ids(log, source),
            None => Ok(Arc::default()),
        });
        // None of the operations asks where the bitmap ends.
        Ok(combine(self.op, &inputs.collect::<Result<Vec<_>, Error>>()?, 0))
    }

    /// The number of ids in one of [`Derivation::spans`].
    ///
    /// # Errors
    /// As [`Derivation::ids`].
    pub(crate) fn count(&self, log: &Bitcask, span: Span) -> Result<u64, Error> {
        let [first, second] = &self.sources[..] else { return Ok(self.ids(log, span)?.len()) };
        let ids = |source: &Source| match source.page(span) {
            Some(page) => page.ids(log, source),
            None => Ok(Arc::default()),
        };
        // Had both a page wider than the span, the span would be as wide: only a finer page cuts it.
        Ok(count_combined(self.op, [&*ids(first)?, &*ids(second)?], span.ids()))
    }

    /// Whether a record of a page lies in one of these segments of the log.
    pub(crate) fn refers_to(&self, log: &Bitcask, segments: &[u32]) -> bool {
        let pages = self.sources.iter().flat_map(|source| {
            let name = |page: &SourcePage| layout::page(source.db, source.id, page.span);
            source.pages.iter().map(move |page| (name(page), page.newest))
        });
        let mut held = pages.map(|(name, newest)| log.segments_at(&name, newest));
        // What cannot be read may lie there, too: whoever gives it pages of its own will see.
        held.any(|held| held.map_or(true, |held| held.iter().any(|held| segments.contains(held))))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let pages = self.sources.iter().flat_map(|source| &source.pages);
        let ids = pages.map(|page| page.ids.as_deref().map_or(0, ids_memory));
        ids.map(|ids| size_of::<SourcePage>() + ids).sum()
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let code = OPERATIONS.iter().position(|op| *op == self.op);
        out.push(code.expect("every operation of a derivation has a code") as u8);
        varint::put(out, self.sources.len() as u64);
        for source in &self.sources {
            out.push(source.db.0);
            varint::put(out, source.id);
            varint::put(out, source.pages.len() as u64);
            for SourcePage { span, newest, .. } in &source.pages {
                out.extend_from_slice(&span.lower.to_be_bytes());
                out.push(span.level);
                for number in [newest.segment, newest.offset, newest.len] {
                    varint::put(out, u64::from(number));
                }
            }
        }
    }

    /// Reads what [`Derivation::encode`] wrote; the error says what is wrong with it.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "a derivation is cut short";
        let bytes = &mut bytes;
        let op = OPERATIONS.get(usize::from(take(bytes).ok_or(SHORT)?));
        let op = *op.ok_or("a derivation by an unknown operation")?;
        let mut sources = Vec::new();
        for _ in 0..varint::take(bytes).ok_or(SHORT)? {
            let db = Db(take(bytes).ok_or(SHORT)?);
            let id = varint::take(bytes).ok_or(SHORT)?;
            let mut pages: Vec<SourcePage> = Vec::new();
            for _ in 0..varint::take(bytes).ok_or(SHORT)? {
                let page = SourcePage::take(bytes).ok_or(SHORT)?;
                if pages.last().is_some_and(|last| last.span.end() > u32::from(page.span.lower)) {
                    return Err("a derivation's pages are out of order");
                }
                pages.push(page);
            }
            sources.push(Source { db, id, pages });
        }
        if sources.is_empty() {
            return Err("a derivation from nothing");
        }
        if !bytes.is_empty() {
            return Err("a derivation is too long");
        }
        Ok(Derivation { op, sources })
    }
}

impl Source {
    /// The page that all of `span` is in.
    fn page(&self, span: Span) -> Option<&SourcePage> {
        let after = self.pages.partition_point(|page| page.span.lower <= span.lower);
        let page = &self.pages[after.checked_sub(1)?];
        page.span.contains(span.lower).then_some(page)
    }
}

impl SourcePage {
    fn ids(&self, log: &Bitcask, source: &Source) -> Result<Arc<Ids>, Error> {
        if let Some(ids) = &self.ids {
            return Ok(ids.clone());
        }
        let name = layout::page(source.db, source.id, self.span);
        let entry = log.entry_at(&name, self.newest)?;
        Ok(Page::load(&entry, 0).map_err(|reason| damaged(&name, reason))?.ids)
    }

    /// Takes a page off the front of `bytes`.
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let lower = u16::from_be_bytes([take(bytes)?, take(bytes)?]);
        let span = Span::new(lower, take(bytes)?)?;
        let mut number = || u32::try_from(varint::take(bytes)?).ok();
        let newest = Location { segment: number()?, offset: number()?, len: number()? };
        Some(SourcePage { span, newest, ids: None })
    }
}

fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// Cuts `span` until no page begins or ends within a part, leaving out the parts without any.
fn cut(span: Span, pages: &[Span], parts: &mut Vec<Span>) {
    if pages.is_empty() {
        return;
    }
    match span.halves().filter(|_| pages.iter().any(|page| page.level < span.level)) {
        None => parts.push(span),
        Some((low, high)) => {
            for half in [low, high] {
                let inside: Vec<Span> =
                    pages.iter().filter(|page| page.overlaps(half)).copied().collect();
                cut(half, &inside, parts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn page(lower: u16, level: u8) -> SourcePage {
        let newest = Location { segment: 1, offset: 300, len: 9 };
        SourcePage { span: Span::new(lower, level).unwrap(), newest, ids: None }
    }

    fn of(op: BitOp, pages: [&[(u16, u8)]; 2]) -> Derivation {
        let source = |pages: &[(u16, u8)]| {
            let pages = pages.iter().map(|(lower, level)| page(*lower, *level)).collect();
            Source { db: Db(2), id: 5, pages }
        };
        Derivation::new(op, pages.map(source).to_vec())
    }

    #[test]
    fn derivations_have_the_bytes_of_version_1() {
        let mut bytes = Vec::new();
        of(BitOp::Xor, [&[(4, 2)], &[]]).encode(&mut bytes);
        assert_eq!(bytes, b"\x02\x02\x02\x05\x01\x00\x04\x02\x01\xac\x02\x09\x02\x05\x00");
        assert_eq!(Derivation::decode(&bytes), Ok(of(BitOp::Xor, [&[(4, 2)], &[]])));
        for len in 0..bytes.len() {
            assert!(Derivation::decode(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn pages_out_of_order_or_out_of_place_are_refused() {
        for pages in [&[(4, 2), (4, 2)][..], &[(4, 2), (0, 2)], &[(0, 3), (4, 2)]] {
            let mut bytes = Vec::new();
            of(BitOp::And, [pages, &[]]).encode(&mut bytes);
            let found = Derivation::decode(&bytes);
            assert_eq!(found, Err("a derivation's pages are out of order"), "{pages:?}");
        }
        let crooked = b"\x00\x01\x00\x05\x01\x00\x03\x02\x01\x01\x01";
        assert_eq!(Derivation::decode(crooked), Err("a derivation is cut short"));
    }

    #[test]
    fn the_result_has_spans_where_it_may_have_ids_and_each_is_in_one_page_of_a_source() {
        let spans = |op, a, b| -> Vec<(u16, u8)> {
            of(op, [a, b]).spans().into_iter().map(|span| (span.lower, span.level)).collect()
        };
        let (wide, narrow): (&[_], &[_]) = (&[(0, 3)], &[(0, 1), (8, 0)]);
        assert_eq!(spans(BitOp::Or, wide, narrow), [(0, 1), (2, 1), (4, 2), (8, 0)]);
        assert_eq!(spans(BitOp::And, wide, narrow), [(0, 1)]);
        assert_eq!(spans(BitOp::Diff, wide, narrow), [(0, 1), (2, 1), (4, 2)]);
        assert_eq!(spans(BitOp::Diff, narrow, wide), [(0, 1), (8, 0)]);
        assert_eq!(spans(BitOp::One, &[(0, 16)], &[(0, 16)]), [(0, 16)]);
        assert_eq!(spans(BitOp::And, &[], narrow), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_never_panic(bytes in vec(any::<u8>(), 0..60)) {
            if let Ok(derivation) = Derivation::decode(&bytes) {
                derivation.spans();
            }
        }
    }
}
