//! LZF: how longer strings are compressed.
//!
//! | first byte | then | is |
//! |---|---|---|
//! | `000lllll` | l + 1 bytes | these bytes |
//! | `lllooooo` | offset's low 8 bits | l + 2 bytes from offset + 1 bytes back |
//! | `111ooooo` | l − 7 (1), offset's low 8 bits | l + 2 bytes from offset + 1 bytes back |

/// Longest run of bytes as they are.
const LITERALS: usize = 32;
/// Longest copy, and its least length.
const LONGEST: usize = 264;
const SHORTEST: usize = 3;
/// A copy comes from no further back.
const FURTHEST: usize = 1 << 13;
/// A byte that is compressed is at most so many: a copy of the longest takes three.
const MOST_PER_BYTE: usize = LONGEST / 3;

/// The bytes in compressed form, if that is shorter by at least four bytes, as Redis wants it to pay.
pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let limit = bytes.len().checked_sub(4)?;
    if u32::try_from(bytes.len()).is_err() {
        return None;
    }
    // Where three bytes of each hash were seen last, plus one. A short string needs no large table.
    let bits = (usize::BITS - bytes.len().leading_zeros()).clamp(6, 15);
    let mut seen = vec![0_u32; 1 << bits];
    let (mut out, mut literals, mut at) = (Vec::new(), 0, 0);
    while let Some(&[a, b, c]) = bytes[at..].first_chunk() {
        let three = u32::from_be_bytes([0, a, b, c]);
        let slot = (three.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize;
        let before = std::mem::replace(&mut seen[slot], at as u32 + 1) as usize;
        let from = before.wrapping_sub(1);
        if before == 0 || at - from > FURTHEST || bytes[from..from + SHORTEST] != [a, b, c] {
            at += 1;
            if out.len() + (at - literals) > limit {
                return None;
            }
            continue;
        }
        let most = LONGEST.min(bytes.len() - at);
        let alike = bytes[from..].iter().zip(&bytes[at..at + most]);
        let len = alike.take_while(|(a, b)| a == b).count();
        put_literals(&bytes[literals..at], &mut out);
        let offset = at - from - 1;
        let (long, high) = (len - 2, (offset >> 8) as u8);
        if long < 7 {
            out.push((long as u8) << 5 | high);
        } else {
            out.extend_from_slice(&[7 << 5 | high, (long - 7) as u8]);
        }
        out.push(offset as u8);
        at += len;
        literals = at;
    }
    put_literals(&bytes[literals..], &mut out);
    (out.len() <= limit).then_some(out)
}

fn put_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(LITERALS) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

/// The `len` bytes that an LZF-compressed string is. A length that cannot be is refused before memory is taken for it.
///
/// # Errors
/// The string is broken, or of another length; the text says so.
///
/// # Examples
/// ```
/// // One `a` as it is, and nine copies of what is one byte back.
/// let compressed = b"\x00a\xe0\x00\x00";
/// assert_eq!(bitmap_store::rdb::decompress(compressed, 10).unwrap(), b"aaaaaaaaaa");
/// assert!(bitmap_store::rdb::decompress(compressed, 9).is_err());
/// ```
pub fn decompress(compressed: &[u8], len: usize) -> Result<Vec<u8>, &'static str> {
    const BROKEN: &str = "a compressed string is broken";
    if len / MOST_PER_BYTE > compressed.len() {
        return Err(BROKEN);
    }
    let (mut out, mut rest) = (Vec::with_capacity(len), compressed);
    let next = |rest: &mut &[u8]| {
        let (byte, after) = rest.split_first().ok_or(BROKEN)?;
        *rest = after;
        Ok::<usize, &'static str>(usize::from(*byte))
    };
    while !rest.is_empty() {
        let control = next(&mut rest)?;
        let mut count = control >> 5;
        if count == 0 {
            let (literals, after) = rest.split_at_checked(control + 1).ok_or(BROKEN)?;
            if out.len() + literals.len() > len {
                return Err(BROKEN);
            }
            out.extend_from_slice(literals);
            rest = after;
            continue;
        }
        if count == 7 {
            count += next(&mut rest)?;
        }
        let back = ((control & 0x1f) << 8 | next(&mut rest)?) + 1;
        let (count, from) = (count + 2, out.len().checked_sub(back).ok_or(BROKEN)?);
        if out.len() + count > len {
            return Err(BROKEN);
        }
        if back >= count {
            out.extend_from_within(from..from + count);
        } else {
            // It copies what it has just written.
            for i in from..from + count {
                out.push(out[i]);
            }
        }
    }
    if out.len() == len { Ok(out) } else { Err(BROKEN) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(bytes in vec(0..4_u8, 0..3000), from in 0..1500_usize) {
            let mut bytes = bytes;
            bytes.extend_from_within(from.min(bytes.len())..);
            if let Some(compressed) = compress(&bytes) {
                prop_assert!(compressed.len() + 4 <= bytes.len());
                prop_assert_eq!(decompress(&compressed, bytes.len()), Ok(bytes));
            }
        }

        #[test]
        fn any_bytes_are_decompressed_to_the_length_or_refused(bytes in vec(any::<u8>(), 0..60), len in 0..400_usize) {
            if let Ok(out) = decompress(&bytes, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }

    #[test]
    fn zeros_compress_as_far_as_the_format_allows_and_noise_not_at_all() {
        let zeros = vec![0; 1 << 20];
        let compressed = compress(&zeros).expect("nothing compresses better");
        assert!(compressed.len() < zeros.len() / 80, "{}", compressed.len());
        assert_eq!(decompress(&compressed, zeros.len()).as_ref(), Ok(&zeros));
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(2000).collect();
        assert_eq!(compress(&noise), None);
        assert_eq!((compress(b""), compress(b"aaaa")), (None, None));
    }

    #[test]
    fn a_length_that_cannot_be_takes_no_memory() {
        assert!(decompress(b"\x00a", usize::MAX).is_err());
        assert!(decompress(b"", 1).is_err());
    }
}
