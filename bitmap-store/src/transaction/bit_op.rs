//! BITOP: one bitmap out of several, page by page.

use super::{At, Transaction};
use crate::bitmap::Ids;
use crate::bitmap::bytes::from_bytes;
use crate::bitmap::ops::{BitOp, combine, slice};
use crate::derivation::{self, Derivation, SourcePage};
use crate::layout::{self, Span};
use crate::split::{join, split};
use crate::value::{Bitmap, Cached, Collection, Page, PageRef, Paged, Value, damaged};
use crate::{Db, Error};
use std::sync::Arc;

/// A source, as far as it is read before the pages are gone through.
enum Source {
    Whole(Arc<Ids>),
    Paged {
        at: At,
        collection: Collection,
        pages: Vec<PageRef>,
        /// The log has it as it is.
        logged: bool,
    },
}

impl Transaction<'_> {
    /// Combines `sources`, of which a missing one is all zeros, into `dst`, which may be one of them. Returns
    /// the length of the result in bytes, that of the longest source; if it is 0, `dst` is deleted. The result
    /// never expires. `Not` takes one source, `Diff`, `Diff1` and `AndOr` two or more.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if a source cannot be read.
    pub fn bit_op(
        &mut self,
        op: BitOp,
        db: Db,
        dst: &[u8],
        sources: &[&[u8]],
    ) -> Result<u64, Error> {
        let dst = self.at(db, dst)?;
        let mut byte_len = 0;
        let mut operands = Vec::with_capacity(sources.len());
        for key in sources {
            let at = self.at(db, key)?;
            let Some(entry) = self.read_string(&at)? else {
                operands.push(Source::Whole(Arc::default()));
                continue;
            };
            byte_len = byte_len.max(entry.value.byte_len());
            operands.push(match &entry.value {
                Value::Absent => Source::Whole(Arc::default()),
                Value::String(text) => Source::Whole(Arc::new(from_bytes(&text.bytes, 0))),
                Value::Bitmap(bitmap) => Source::Whole(bitmap.ids.clone()),
                Value::Paged(paged) => {
                    let (collection, pages) = (paged.collection.clone(), paged.pages.clone());
                    Source::Paged { at, collection, pages, logged: !entry.touched }
                }
                Value::Small(_) | Value::Tree(_) => return Err(Error::WrongType),
            });
        }
        if byte_len == 0 {
            self.delete_if_there(&dst)?;
            return Ok(0);
        }
        if let Some(derivation) = self.derive(op, &operands)? {
            let id = self.shared.backing.log.reserve_sequence();
            let paged = Paged::derived(id, byte_len, Arc::new(derivation));
            let value = match paged.pages.is_empty() {
                true => Value::Bitmap(Bitmap { byte_len, ..Bitmap::default() }),
                false => Value::Paged(paged),
            };
            self.replace(&dst, value, None)?;
            return Ok(byte_len);
        }
        let spans = if op == BitOp::Not { vec![Span::ALL] } else { spans(&operands) };
        let mut parts = Vec::with_capacity(spans.len());
        for span in spans {
            let mut inputs = Vec::with_capacity(operands.len());
            for operand in &operands {
                inputs.push(self.ids_in(operand, span)?);
            }
            let ids =
                combine(op, &inputs.iter().map(|ids| &**ids).collect::<Vec<_>>(), byte_len * 8);
            parts.extend(split(ids, span, self.shared.sizes.page));
        }
        let parts = join(parts, self.shared.sizes.page);
        let size: usize = parts.iter().map(|(_, ids)| ids.serialized_size()).sum();
        if size > self.shared.sizes.inline {
            self.put_pages(&dst, byte_len, parts, None)?;
        } else {
            let ids = parts.into_iter().fold(Ids::new(), |all, (_, part)| all | part);
            let bitmap = Bitmap { ids: Arc::new(ids), byte_len, ..Bitmap::default() };
            self.replace(&dst, Value::Bitmap(bitmap), None)?;
        }
        Ok(byte_len)
    }

    /// What the result is made of, if that is worth it and all of it is in pages that the log has. The
    /// result of small bitmaps is small itself; of results that have no pages of their own, the pages are
    /// made, so that no reader has to follow one derivation after another.
    fn derive(&mut self, op: BitOp, operands: &[Source]) -> Result<Option<Derivation>, Error> {
        if !Derivation::is_of(op) {
            return Ok(None);
        }
        let mut sources = Vec::with_capacity(operands.len());
        for operand in operands {
            let (at, collection, pages) = match operand {
                Source::Whole(ids) if ids.is_empty() => {
                    sources.push(derivation::Source { db: Db(0), id: 0, pages: Vec::new() });
                    continue;
                }
                Source::Paged { at, collection, pages, logged: true }
                    if collection.derivation.is_none() =>
                {
                    (at, collection, pages)
                }
                Source::Whole(_) | Source::Paged { .. } => return Ok(None),
            };
            let log = &self.shared.backing.log;
            let stripe = self.guards.stripe(at.stripe);
            let mut taken = Vec::with_capacity(pages.len());
            for page in pages {
                let name = layout::page(at.db, collection.id, page.span);
                let (newest, ids) = match stripe.cache.peek(&name) {
                    Some(Cached::Page(Page { ids, links: Some(links), .. })) => {
                        (links.newest_if_unmoved(log), Some(ids.clone()))
                    }
                    _ => (None, None),
                };
                let missing = || damaged(&name, "a page of a bitmap is missing");
                let newest = newest.or_else(|| log.location(&name)).ok_or_else(missing)?;
                taken.push(SourcePage { span: page.span, newest, ids });
            }
            sources.push(derivation::Source { db: at.db, id: collection.id, pages: taken });
        }
        Ok(Some(Derivation::new(op, sources)))
    }

    fn delete_if_there(&mut self, at: &At) -> Result<(), Error> {
        if self.entry(at)?.exists() {
            self.touch(at)?;
            self.replace(at, Value::Absent, None)?;
        }
        Ok(())
    }

    /// The ids of a source in `span`, which is no smaller than any of its pages in it.
    fn ids_in(&mut self, source: &Source, span: Span) -> Result<Arc<Ids>, Error> {
        match source {
            Source::Whole(ids) if span == Span::ALL => Ok(ids.clone()),
            Source::Whole(ids) => Ok(Arc::new(slice(ids, span.ids()))),
            Source::Paged { at, collection, pages, .. } => {
                let mut inside = pages.iter().filter(|page| span.overlaps(page.span));
                let Some(first) = inside.next() else { return Ok(Arc::default()) };
                let mut ids = self.page(at, collection, first.span)?.ids.clone();
                for page in inside {
                    let more = self.page(at, collection, page.span)?.ids.clone();
                    *Arc::make_mut(&mut ids) |= &*more;
                }
                Ok(ids)
            }
        }
    }
}

/// The widest spans of the sources' pages: they do not overlap, and every page is in one of them. All ids, if
/// a source that is not in pages has any of its own.
fn spans(sources: &[Source]) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    for source in sources {
        match source {
            Source::Paged { pages, .. } => all.extend(pages.iter().map(|page| page.span)),
            Source::Whole(ids) if ids.is_empty() => {}
            Source::Whole(_) => return vec![Span::ALL],
        }
    }
    all.sort_unstable_by_key(|span| (span.lower, std::cmp::Reverse(span.level)));
    all.dedup_by(|next, kept| kept.overlaps(*next));
    all
}
