//! What a change to a leaf says in the log: keys that were given values, and keys that went.
//!
//! One after the other to the end of the bytes, each
//!
//! | field | size | meaning |
//! |---|---|---|
//! | key_len | varint | twice the length of the key, plus 1 if it was given a value |
//! | key | | |
//! | value_len | varint | if it was given one |
//! | value | value_len | |

use super::leaf::Leaf;
use crate::bitmap::varint;
use crate::touched::Composed;

/// A key that was changed. What has become of it, the leaf says.
pub(crate) type Changed = Box<[u8]>;

impl Composed for Changed {
    fn composed(changes: &[Self]) -> Vec<Self> {
        let mut composed = changes.to_vec();
        composed.sort_unstable();
        composed.dedup();
        composed
    }

    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

/// Keys and what they were changed to, `None` being gone; a later one wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ops<'a>(Vec<(&'a [u8], Option<&'a [u8]>)>);

impl<'a> Ops<'a> {
    /// What has become of the `changed` keys of `leaf`.
    pub(crate) fn of(leaf: &'a Leaf, changed: &'a [Changed]) -> Self {
        let mut keys: Vec<&[u8]> = changed.iter().map(|key| &**key).collect();
        if keys.len() > 1 {
            keys.sort_unstable();
            keys.dedup();
        }
        Ops(keys.into_iter().map(|key| (key, leaf.get(key))).collect())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (key, value) in &self.0 {
            varint::put(out, key.len() as u64 * 2 + u64::from(value.is_some()));
            out.extend_from_slice(key);
            if let Some(value) = value {
                varint::put(out, value.len() as u64);
                out.extend_from_slice(value);
            }
        }
    }

    /// Reads what [`Ops::encode`] wrote; the error says what is wrong with it.
    pub(crate) fn decode(mut bytes: &'a [u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "a changed entry is cut short";
        let part = |len: u64, bytes: &mut &'a [u8]| {
            let len = usize::try_from(len).map_err(|_| SHORT)?;
            let (part, rest) = bytes.split_at_checked(len).ok_or(SHORT)?;
            *bytes = rest;
            Ok::<_, &'static str>(part)
        };
        let mut ops = Vec::new();
        while !bytes.is_empty() {
            let head = varint::take(&mut bytes).ok_or(SHORT)?;
            let key = part(head >> 1, &mut bytes)?;
            let value = match head & 1 {
                0 => None,
                _ => {
                    let len = varint::take(&mut bytes).ok_or(SHORT)?;
                    Some(part(len, &mut bytes)?)
                }
            };
            ops.push((key, value));
        }
        Ok(Ops(ops))
    }

    pub(crate) fn apply_to(&self, leaf: &mut Leaf) {
        for (key, value) in &self.0 {
            match value {
                Some(value) => {
                    leaf.put(key, value);
                }
                None => {
                    leaf.remove(key);
                }
            }
        }
    }

    /// The one change that does what `self` and then `later` do.
    pub(crate) fn then(mut self, later: Ops<'a>) -> Ops<'a> {
        self.0.extend(later.0);
        // Stable: of one key, the last comes last.
        self.0.sort_by_key(|(key, _)| *key);
        let mut kept: Vec<(&[u8], Option<&[u8]>)> = Vec::with_capacity(self.0.len());
        for op in self.0 {
            match kept.last_mut().filter(|last| last.0 == op.0) {
                Some(last) => *last = op,
                None => kept.push(op),
            }
        }
        Ops(kept)
    }

    /// The keys that it changes.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Changed> {
        self.0.iter().map(|(key, _)| Changed::from(*key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::touched::Touched;
    use bitcask_core::{Chain, Location};
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Change = (Vec<u8>, Option<Vec<u8>>);

    fn change() -> impl Strategy<Value = Change> {
        (vec(0..3_u8, 0..3), prop::option::weighted(0.6, vec(any::<u8>(), 0..4)))
    }

    fn ops(changes: &[Change]) -> Ops<'_> {
        Ops(changes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect())
    }

    fn encoded(ops: &Ops<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        ops.encode(&mut out);
        out
    }

    #[test]
    fn changes_have_the_bytes_of_version_1() {
        let changes =
            [(b"a".to_vec(), Some(b"12".to_vec())), (b"bc".to_vec(), None), (vec![], Some(vec![]))];
        assert_eq!(encoded(&ops(&changes)), b"\x03a\x0212\x04bc\x01\x00");
    }

    proptest! {
        /// Folding deltas first and applying them one by one give the same leaf.
        #[test]
        fn folded_deltas_equal_deltas_in_turn(base in vec(change(), 0..20), deltas in vec(vec(change(), 0..6), 0..6)) {
            let mut in_turn = Leaf::default();
            ops(&base).apply_to(&mut in_turn);
            let mut at_once = in_turn.clone();
            deltas.iter().for_each(|delta| ops(delta).apply_to(&mut in_turn));
            let folded = deltas.iter().fold(Ops::default(), |older, newer| older.then(ops(newer)));
            folded.apply_to(&mut at_once);
            prop_assert_eq!(&at_once, &in_turn);
            let bytes = encoded(&folded);
            prop_assert_eq!(Ops::decode(&bytes), Ok(folded));
        }

        /// The base and the deltas of the chain give the leaf, whatever was absorbed on the way.
        #[test]
        fn deltas_rebuild_the_leaf(changes in vec(change(), 1..200)) {
            let mut chain = Chain::base(Location { segment: 1, offset: 0, len: 9 });
            let mut deltas: Vec<Vec<u8>> = Vec::new();
            let mut touched = Touched::<Changed>::default();
            let mut leaf = Leaf::default();
            for one in changes {
                ops(std::slice::from_ref(&one)).apply_to(&mut leaf);
                touched.push(one.0.into());
                let absorbs = chain.absorbs();
                deltas.truncate(deltas.len() - absorbs);
                deltas.push(encoded(&Ops::of(&leaf, touched.pending(absorbs))));
                touched.logged_delta(absorbs);
                chain.push(Location { segment: 1, offset: 9, len: 9 });
            }
            let mut again = Leaf::default();
            deltas.iter().for_each(|delta| Ops::decode(delta).unwrap().apply_to(&mut again));
            prop_assert_eq!(again, leaf);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(0..9_u8, 0..40), garbage in vec(any::<u8>(), 0..40)) {
            let _ = (Ops::decode(&bytes), Ops::decode(&garbage));
        }
    }
}
