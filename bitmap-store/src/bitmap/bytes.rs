//! Ids as the bytes of a string, and back.

use super::{Ids, containers};
use std::ops::Range;

/// The bytes `range` of the string whose set bits are `ids`.
pub(crate) fn to_bytes(ids: &Ids, range: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)];
    fill(ids, range.start, &mut bytes);
    bytes
}

/// From this many ids on, whole words are worth their set-up.
const MANY_IDS: u64 = 4096;

/// Sets the bits of `ids` in `bytes`, which is the string from byte `first` on. Ids outside of it are left
/// out.
pub(crate) fn fill(ids: &Ids, first: u64, bytes: &mut [u8]) {
    if bytes.is_empty() {
        return;
    }
    if ids.len() >= MANY_IDS {
        return containers::fill(ids, first, bytes);
    }
    let start = u32::try_from(first * 8).unwrap_or(u32::MAX);
    let end = u32::try_from((first + bytes.len() as u64) * 8 - 1).unwrap_or(u32::MAX);
    for id in ids.range(start..=end) {
        let at = (u64::from(id) / 8 - first) as usize;
        bytes[at] |= 0x80 >> (id % 8);
    }
}

/// The set bits of `bytes`, the first of which is bit `first_bit`, a multiple of 8. Bits beyond 2^32 − 1
/// are not representable; callers limit the length.
pub(crate) fn from_bytes(bytes: &[u8], first_bit: u32) -> Ids {
    /// In pieces, since the crate counts a string's bits in 32 bits, and so that the copy stays small.
    const PIECE_BYTES: usize = 1 << 24;
    let mut ids = Ids::new();
    let mut reversed = Vec::with_capacity(bytes.len().min(PIECE_BYTES));
    for (i, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        reversed.clear();
        reversed.extend(piece.iter().map(|byte| byte.reverse_bits()));
        ids |= Ids::from_lsb0_bytes(first_bit + (i * PIECE_BYTES * 8) as u32, &reversed);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn bits_count_from_the_most_significant_as_in_redis() {
        assert_eq!(to_bytes(&Ids::from([7, 10]), 0..2), b"\x01\x20");
        assert_eq!(to_bytes(&Ids::from([8]), 0..2), b"\x00\x80");
        assert_eq!(from_bytes(b"\x00\x80", 0), Ids::from([8]));
        assert_eq!(from_bytes(b"\x80", 65_536), Ids::from([65_536]));
        assert_eq!(to_bytes(&Ids::from([u32::MAX]), (1 << 29) - 1..1 << 29), b"\x01");
    }

    #[test]
    fn the_longest_string_becomes_ids() {
        let mut longest = vec![0; 1 << 29];
        longest[0] = 0x80;
        longest[(1 << 29) - 1] = 0x01;
        assert_eq!(from_bytes(&longest, 0), Ids::from([0, u32::MAX]));
    }

    proptest! {
        /// Containers of every kind, and strings that begin and end within them.
        #[test]
        fn many_ids_give_the_bytes_that_they_give_one_by_one(
            sparse in vec(any::<u32>(), 0..20), from in 0..40_000_u64, len in 0..40_000_u64, step in 2..40_u32
        ) {
            let mut ids: Ids = sparse.into_iter().map(|id| id % 400_000).collect();
            ids.extend((0..130_000).step_by(step as usize));
            ids.insert_range(150_000..230_000);
            ids.optimize();
            let mut found = vec![0; len as usize];
            containers::fill(&ids, from, &mut found);
            let mut wanted = vec![0_u8; len as usize];
            for id in &ids {
                if let Some(byte) = (u64::from(id) / 8).checked_sub(from).and_then(|at| wanted.get_mut(at as usize)) {
                    *byte |= 0x80 >> (id % 8);
                }
            }
            prop_assert_eq!(found, wanted);
        }

        /// A string becomes ids and the same string again; every bit is where GETBIT looks for it.
        #[test]
        fn bytes_become_ids_and_the_same_bytes_again(
            bytes in vec(any::<u8>(), 0..400), from in 0..400_u64, skip in 0..4_u32
        ) {
            let ids = from_bytes(&bytes, skip << 16);
            let first = u64::from(skip) << 13;
            prop_assert_eq!(to_bytes(&ids, first..first + bytes.len() as u64), &bytes[..]);
            let from = from.min(bytes.len() as u64);
            prop_assert_eq!(to_bytes(&ids, first + from..first + bytes.len() as u64), &bytes[from as usize..]);
            let set = bytes.iter().map(|b| u64::from(b.count_ones())).sum::<u64>();
            prop_assert_eq!(ids.len(), set);
        }
    }
}
