//! A set of ids in the log.
//!
//! | tag (1) | then |
//! |---|---|
//! | 1 | the portable Roaring format (<https://github.com/RoaringBitmap/RoaringFormatSpec>), absolute ids |
//! | 2 | the bytes of the string from the page's first bit on, up to the last that is not zero |
//!
//! The shorter is chosen, so that a bitmap never takes more room than its string but for a header: that of
//! the Roaring format, a few bytes for each of its containers of 8 KiB, is tolerated, since it is much
//! quicker to write and to read.

use super::{Ids, bytes};

const ROARING: u8 = 1;
const BYTES: u8 = 2;
/// Of the Roaring format: its own header, and what it says of a container and its place.
const HEADER_LEN: u64 = 16;
const CONTAINER_LEN: u64 = 8192;
const CONTAINER_HEADER_LEN: u64 = 9;

/// Appends the encoding of `ids`, none of which is below `first_bit`, a multiple of 8.
///
/// Brings the ids into their best form first: run containers never turn back by themselves.
pub(crate) fn encode(ids: &mut Ids, first_bit: u32, out: &mut Vec<u8>) {
    ids.optimize();
    let end_byte = ids.max().map_or(0, |max| u64::from(max) / 8 + 1);
    let first_byte = u64::from(first_bit) / 8;
    let string_len = end_byte.saturating_sub(first_byte);
    let tolerated = match string_len / CONTAINER_LEN {
        0 => 0,
        containers => HEADER_LEN + containers * CONTAINER_HEADER_LEN,
    };
    if string_len + tolerated < ids.serialized_size() as u64 {
        out.push(BYTES);
        out.extend_from_slice(&bytes::to_bytes(ids, first_byte..first_byte + string_len));
    } else {
        out.push(ROARING);
        ids.serialize_into(out).expect("a vector takes everything");
    }
}

/// Reads what [`encode`] wrote. Any bytes may come; the error says what is wrong with them.
pub(crate) fn decode(encoded: &[u8], first_bit: u32) -> Result<Ids, &'static str> {
    let (tag, mut rest) = encoded.split_first().ok_or("a bitmap without its tag")?;
    match *tag {
        ROARING => {
            let ids = Ids::deserialize_from(&mut rest).map_err(|_| "a bitmap does not decode")?;
            if !rest.is_empty() {
                return Err("a bitmap is followed by other bytes");
            }
            if ids.min().is_some_and(|min| min < first_bit) {
                return Err("a bitmap has ids below its first");
            }
            Ok(ids)
        }
        BYTES if u64::from(first_bit) + rest.len() as u64 * 8 <= 1 << 32 => {
            Ok(bytes::from_bytes(rest, first_bit))
        }
        BYTES => Err("a bitmap has ids beyond the last"),
        _ => Err("a bitmap of an unknown form"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    #[test]
    fn encodings_have_the_bytes_of_version_1() {
        let encoded = |ids: &[u32]| {
            let mut out = Vec::new();
            encode(&mut Ids::from_iter(ids), 0, &mut out);
            out
        };
        assert_eq!(encoded(&[7, 10]), [2, 0x01, 0x20]);
        assert_eq!(encoded(&[]), [2]);
        let far = [1, 0x3a, 0x30, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 5, 0];
        assert_eq!(encoded(&[65_541]), far);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_and_is_never_longer_than_the_string(
            ids in btree_set(0..200_000_u32, 0..3000), first in 0..3_u32
        ) {
            let first_bit = first << 16;
            let ids: Ids = ids.into_iter().map(|id| id + first_bit).collect();
            let mut out = Vec::new();
            encode(&mut ids.clone(), first_bit, &mut out);
            let string = ids.max().map_or(0, |max| (max - first_bit) as usize / 8 + 1);
            prop_assert!(out.len() <= 1 + string + 16 + string / 8192 * 9);
            prop_assert_eq!(decode(&out, first_bit), Ok(ids));
        }

        #[test]
        fn garbage_is_refused_or_decodes_to_something_but_never_panics(bytes in vec(any::<u8>(), 0..200), tag in 0..4_u8) {
            let _ = decode(&bytes, 0);
            let _ = decode(&[&[tag][..], &bytes].concat(), 1 << 16);
        }
    }
}
