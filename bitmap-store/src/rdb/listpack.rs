//! Listpacks: short lists in one string, since Redis 7.
//!
//! | size | field | meaning |
//! |---:|---|---|
//! | 4 | length | of the whole in bytes, little endian |
//! | 2 | count | of elements, little endian; 65,535: there may be more |
//! | … | elements | each behind one another |
//! | 1 | end | `0xff` |
//!
//! An element is:
//!
//! | first byte | then | is |
//! |---|---|---|
//! | `0nnnnnnn` | | a number from 0 to 127 |
//! | `10llllll` | l bytes | a string |
//! | `110nnnnn` | low 8 bits of n | a number of 13 bits, signed |
//! | `1110llll` | low 8 bits of l, l bytes | a string |
//! | `f0` | l (4, little endian), l bytes | a string |
//! | `f1`, `f2`, `f3`, `f4` | 2, 3, 4, 8 bytes, little endian | a number, signed |
//!
//! and behind it its length, for whoever goes backwards: seven bits to a byte, the last byte being the least
//! significant, and all but the first marked by their highest bit.

use super::input::{Element, Input};
use crate::transaction::integer;

const HEADER_LEN: usize = 6;
const END: u8 = 0xff;
/// The count that says nothing.
const UNKNOWN: usize = u16::MAX as usize;

/// Visits the elements of a listpack in order; what it returns is how many there are.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    visit: &mut dyn FnMut(Element<'a>) -> Result<(), &'static str>,
) -> Result<usize, &'static str> {
    let mut input = Input(bytes);
    let len = u32::from_le_bytes(input.array()?) as usize;
    let said = usize::from(u16::from_le_bytes(input.array()?));
    if len != bytes.len() {
        return Err("a listpack has another length than it says");
    }
    let mut count = 0;
    loop {
        let start = input.len();
        let first = input.byte()?;
        let element = match first {
            END if input.is_empty() => break,
            END => return Err("a listpack ends before its end"),
            0x00..=0x7f => Element::Int(i64::from(first)),
            0x80..=0xbf => Element::Bytes(input.take(usize::from(first & 0x3f))?),
            0xc0..=0xdf => {
                let bits = i64::from(first & 0x1f) << 8 | i64::from(input.byte()?);
                // The highest of 13 bits is the sign.
                Element::Int((bits << 51) >> 51)
            }
            0xe0..=0xef => {
                let len = usize::from(first & 0x0f) << 8 | usize::from(input.byte()?);
                Element::Bytes(input.take(len)?)
            }
            0xf0 => {
                let len = u32::from_le_bytes(input.array()?) as usize;
                Element::Bytes(input.take(len)?)
            }
            0xf1 => Element::Int(input.signed(2)?),
            0xf2 => Element::Int(input.signed(3)?),
            0xf3 => Element::Int(input.signed(4)?),
            0xf4 => Element::Int(input.signed(8)?),
            _ => return Err("a listpack has an element of an unknown kind"),
        };
        let (wanted, wanted_len) = back_link(start - input.len());
        if input.take(wanted_len)? != &wanted[..wanted_len] {
            return Err("a listpack has a wrong link backwards");
        }
        count += 1;
        visit(element)?;
    }
    if said != UNKNOWN && said != count {
        return Err("a listpack has another count than it says");
    }
    Ok(count)
}

/// The length of an element behind it, and how many bytes that takes.
fn back_link(len: usize) -> ([u8; 5], usize) {
    // The largest number of each size is written with a byte more than it needs, but for 127.
    let size = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut out = [0; 5];
    for (at, byte) in out[..size].iter_mut().enumerate() {
        let bits = (len >> (7 * (size - 1 - at))) as u8 & 0x7f;
        *byte = if at == 0 { bits } else { bits | 0x80 };
    }
    (out, size)
}

/// A listpack that is being written.
pub(super) struct Listpack {
    bytes: Vec<u8>,
    count: usize,
}

impl Listpack {
    pub(super) fn new() -> Self {
        Listpack { bytes: vec![0; HEADER_LEN], count: 0 }
    }

    /// Bytes that it takes as it is.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + 1
    }

    /// Adds an element; one that is written as a number is kept as one.
    pub(super) fn push(&mut self, element: &[u8]) {
        let start = self.bytes.len();
        let out = &mut self.bytes;
        match (integer(element), element.len()) {
            (Some(n), _) => put_number(n, out),
            (None, len @ 0..64) => out.push(0x80 | len as u8),
            (None, len @ 64..4096) => {
                out.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]);
            }
            (None, len) => {
                out.push(0xf0);
                out.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
        if integer(element).is_none() {
            out.extend_from_slice(element);
        }
        let (link, len) = back_link(self.bytes.len() - start);
        self.bytes.extend_from_slice(&link[..len]);
        self.count += 1;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        let count = self.count.min(UNKNOWN) as u16;
        self.bytes[4..HEADER_LEN].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }
}

fn put_number(n: i64, out: &mut Vec<u8>) {
    let bytes = n.to_le_bytes();
    let (kind, len) = match n {
        0..=127 => return out.push(n as u8),
        -4096..=4095 => {
            return out.extend_from_slice(&[0xc0 | ((n >> 8) as u8 & 0x1f), n as u8]);
        }
        -0x8000..=0x7fff => (0xf1, 2),
        -0x80_0000..=0x7f_ffff => (0xf2, 3),
        -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
        _ => (0xf4, 8),
    };
    out.push(kind);
    out.extend_from_slice(&bytes[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
        let mut found = Vec::new();
        let count = each(bytes, &mut |element| {
            found.push(element.to_vec());
            Ok(())
        })?;
        assert_eq!(count, found.len());
        Ok(found)
    }

    fn packed(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut pack = Listpack::new();
        elements.iter().for_each(|element| pack.push(element));
        let len = pack.len();
        let bytes = pack.finish();
        assert_eq!(bytes.len(), len);
        bytes
    }

    proptest! {
        #[test]
        fn elements_come_back(
            strings in vec(vec(any::<u8>(), 0..200), 0..8), numbers in vec((any::<i64>(), 0..64_u32), 0..8)
        ) {
            let mut elements = strings;
            elements.extend(numbers.iter().map(|(n, shift)| (n >> shift).to_string().into_bytes()));
            prop_assert_eq!(read(&packed(&elements)), Ok(elements));
        }

        /// No byte of it is without a meaning.
        #[test]
        fn a_changed_byte_is_refused_or_changes_an_element(
            elements in vec(vec(b'0'..=b'9', 0..6), 1..6), at in any::<prop::sample::Index>(), bit in 0..8_u8
        ) {
            let good = packed(&elements);
            let mut bad = good.clone();
            bad[at.index(good.len())] ^= 1 << bit;
            prop_assert!(read(&bad) != Ok(elements) || bad[4..6] == [0xff; 2]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..40)) {
            let _ = read(&bytes);
            let whole = [&(bytes.len() as u32 + 7).to_le_bytes()[..], &[0xff, 0xff], &bytes, &[END]].concat();
            let _ = read(&whole);
        }
    }

    #[test]
    fn long_elements_and_their_links_come_back() {
        for len in [
            126, 127, 128, 4093, 4095, 4096, 16_376, 16_377, 16_378, 16_379, 2_097_145, 2_097_146,
            2_097_147,
        ] {
            let elements = vec![vec![b'x'; len], b"y".to_vec()];
            assert_eq!(read(&packed(&elements)).as_ref(), Ok(&elements), "{len}");
        }
    }

    #[test]
    fn more_elements_than_the_header_can_count_are_counted() {
        let elements = vec![b"7".to_vec(); 70_000];
        assert_eq!(read(&packed(&elements)), Ok(elements));
    }

    #[test]
    fn what_is_cut_anywhere_is_refused() {
        let good = packed(&[b"a".to_vec(), b"-5".to_vec(), vec![b'b'; 70]]);
        for len in 0..good.len() {
            let mut cut = good[..len].to_vec();
            assert!(read(&cut).is_err(), "cut to {len}");
            if len > 4 {
                cut[..4].copy_from_slice(&(len as u32).to_le_bytes());
                assert!(read(&cut).is_err(), "cut to {len}, and it says so");
            }
        }
    }
}
