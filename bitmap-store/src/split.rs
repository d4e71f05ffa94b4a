//! Cutting a set of ids into pages, and joining small ones.

use crate::bitmap::Ids;
use crate::bitmap::ops::split_off;
use crate::layout::Span;

/// Cuts the ids of `span` into parts of at most `page_bytes` as encoded, empty ones left out. A single
/// container is never cut. Spans are halved, so that the parts of different bitmaps line up.
pub(crate) fn split(ids: Ids, span: Span, page_bytes: usize) -> Vec<(Span, Ids)> {
    let mut parts = Vec::new();
    let mut open = vec![(span, ids)];
    while let Some((span, mut ids)) = open.pop() {
        if ids.is_empty() {
            continue;
        }
        match span.halves().filter(|_| ids.serialized_size() > page_bytes) {
            None => parts.push((span, ids)),
            Some((low, high)) => {
                open.push((high, split_off(&mut ids, *high.ids().start())));
                open.push((low, ids));
            }
        }
    }
    parts
}

/// Joins neighbouring parts, in ascending order, while two halves of a span fit well into one page.
pub(crate) fn join(parts: Vec<(Span, Ids)>, page_bytes: usize) -> Vec<(Span, Ids)> {
    let mut joined: Vec<(Span, Ids)> = Vec::with_capacity(parts.len());
    for part in parts {
        let mut last = part;
        while let Some((span, ids)) = joined.last_mut() {
            let siblings = span.level == last.0.level && span.parent() == last.0.parent();
            if !siblings || 2 * (ids.serialized_size() + last.1.serialized_size()) > page_bytes {
                break;
            }
            let parent = span.parent().expect("siblings have a parent");
            let low = std::mem::take(ids);
            joined.pop();
            last = (parent, low | last.1);
        }
        joined.push(last);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_hold_every_id_once_in_their_spans_and_are_small(
            ids in btree_set(any::<u32>(), 0..400), dense in btree_set(0..1_000_000_u32, 0..400)
        ) {
            let ids: Ids = ids.into_iter().chain(dense).collect();
            let parts = split(ids.clone(), Span::ALL, 300);
            let mut before = None;
            for (span, part) in &parts {
                prop_assert!(part.iter().all(|id| span.contains((id >> 16) as u16)));
                prop_assert!(part.serialized_size() <= 300 || span.level == 0);
                prop_assert!(before < Some(span.lower) && !part.is_empty());
                before = Some(span.lower);
            }
            let joined = join(parts.clone(), 300);
            prop_assert!(joined.len() <= parts.len());
            for parts in [parts, joined] {
                let whole: Ids = parts.into_iter().flat_map(|(_, part)| part).collect();
                prop_assert_eq!(&whole, &ids);
            }
        }
    }
}
