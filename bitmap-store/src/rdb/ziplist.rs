//! Ziplists: short lists in one string, before Redis 7. They are read, and never written.
//!
//! | size | field | meaning |
//! |---:|---|---|
//! | 4 | length | of the whole in bytes |
//! | 4 | tail | where the last element begins |
//! | 2 | count | of elements; 65,535: there may be more |
//! | … | elements | each behind one another |
//! | 1 | end | `0xff` |
//!
//! Little endian. An element begins with the length of the one before it: a byte below 254, or 254 and four
//! bytes. Then:
//!
//! | first byte | then | is |
//! |---|---|---|
//! | `00llllll` | l bytes | a string |
//! | `01llllll` | low 8 bits of l, l bytes | a string |
//! | `80` | l (4, big endian), l bytes | a string |
//! | `c0`, `d0`, `e0`, `f0`, `fe` | 2, 4, 8, 3, 1 bytes, little endian | a number, signed |
//! | `f1` … `fd` | | a number from 0 to 12 |

use super::input::{Element, Input};

const HEADER_LEN: usize = 10;
const END: u8 = 0xff;
const UNKNOWN: usize = u16::MAX as usize;
/// The length of the element before follows in four bytes.
const LONG: u8 = 0xfe;

/// Visits the elements of a ziplist in order; what it returns is how many there are.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    visit: &mut dyn FnMut(Element<'a>) -> Result<(), &'static str>,
) -> Result<usize, &'static str> {
    let mut input = Input(bytes);
    let len = u32::from_le_bytes(input.array()?) as usize;
    let tail = u32::from_le_bytes(input.array()?) as usize;
    let said = usize::from(u16::from_le_bytes(input.array()?));
    if len != bytes.len() {
        return Err("a ziplist has another length than it says");
    }
    let (mut count, mut last, mut last_len) = (0, HEADER_LEN, 0);
    loop {
        let start = bytes.len() - input.len();
        let before = match input.byte()? {
            END if input.is_empty() => break,
            END => return Err("a ziplist ends before its end"),
            LONG => u32::from_le_bytes(input.array()?) as usize,
            short => usize::from(short),
        };
        if before != last_len {
            return Err("a ziplist has a wrong link backwards");
        }
        let element = match input.byte()? {
            first @ 0x00..=0x3f => Element::Bytes(input.take(usize::from(first))?),
            first @ 0x40..=0x7f => {
                let len = usize::from(first & 0x3f) << 8 | usize::from(input.byte()?);
                Element::Bytes(input.take(len)?)
            }
            0x80 => {
                let len = u32::from_be_bytes(input.array()?) as usize;
                Element::Bytes(input.take(len)?)
            }
            0xc0 => Element::Int(input.signed(2)?),
            0xd0 => Element::Int(input.signed(4)?),
            0xe0 => Element::Int(input.signed(8)?),
            0xf0 => Element::Int(input.signed(3)?),
            0xfe => Element::Int(input.signed(1)?),
            first @ 0xf1..=0xfd => Element::Int(i64::from(first & 0x0f) - 1),
            _ => return Err("a ziplist has an element of an unknown kind"),
        };
        (last, last_len) = (start, bytes.len() - input.len() - start);
        count += 1;
        visit(element)?;
    }
    if said != UNKNOWN && said != count {
        return Err("a ziplist has another count than it says");
    }
    if tail != last {
        return Err("a ziplist has its tail elsewhere than it says");
    }
    Ok(count)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A ziplist of any elements, for tests of what reads one. Numbers are kept as such if asked to.
    pub(in crate::rdb) fn packed(elements: &[Element<'_>]) -> Vec<u8> {
        let (mut body, mut tail, mut last_len) = (Vec::new(), HEADER_LEN, 0_usize);
        for element in elements {
            tail = HEADER_LEN + body.len();
            match u8::try_from(last_len) {
                Ok(short @ 0..LONG) => body.push(short),
                _ => {
                    body.push(LONG);
                    body.extend_from_slice(&(last_len as u32).to_le_bytes());
                }
            }
            match *element {
                Element::Int(n @ 0..=12) => body.push(0xf1 + n as u8),
                Element::Int(n) => {
                    let (kind, len) = match n {
                        -0x80..=0x7f => (0xfe, 1),
                        -0x8000..=0x7fff => (0xc0, 2),
                        -0x80_0000..=0x7f_ffff => (0xf0, 3),
                        -0x8000_0000..=0x7fff_ffff => (0xd0, 4),
                        _ => (0xe0, 8),
                    };
                    body.push(kind);
                    body.extend_from_slice(&n.to_le_bytes()[..len]);
                }
                Element::Bytes(bytes) => {
                    match bytes.len() {
                        len @ 0..64 => body.push(len as u8),
                        len @ 64..16_384 => body.extend([0x40 | (len >> 8) as u8, len as u8]),
                        len => {
                            body.push(0x80);
                            body.extend_from_slice(&(len as u32).to_be_bytes());
                        }
                    }
                    body.extend_from_slice(bytes);
                }
            }
            last_len = HEADER_LEN + body.len() - tail;
        }
        let len = (HEADER_LEN + body.len() + 1) as u32;
        let count = elements.len().min(UNKNOWN) as u16;
        let mut out = [len.to_le_bytes(), (tail as u32).to_le_bytes()].concat();
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&body);
        out.push(END);
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
        let mut found = Vec::new();
        each(bytes, &mut |element| {
            found.push(element.to_vec());
            Ok(())
        })?;
        Ok(found)
    }

    proptest! {
        #[test]
        fn elements_come_back(
            strings in vec(vec(any::<u8>(), 0..400), 0..8), numbers in vec((any::<i64>(), 0..64_u32), 0..8)
        ) {
            let numbers: Vec<i64> = numbers.iter().map(|(n, shift)| n >> shift).collect();
            let mut elements: Vec<Element<'_>> = strings.iter().map(|s| Element::Bytes(s)).collect();
            elements.extend(numbers.iter().map(|n| Element::Int(*n)));
            let wanted: Vec<Vec<u8>> = elements.iter().map(|element| element.to_vec()).collect();
            let bytes = packed(&elements);
            prop_assert_eq!(read(&bytes), Ok(wanted));
            for cut in [bytes.len() - 1, bytes.len() / 2, HEADER_LEN] {
                let mut cut = bytes[..cut].to_vec();
                prop_assert!(read(&cut).is_err());
                let len = (cut.len() as u32).to_le_bytes();
                cut[..4].copy_from_slice(&len);
                prop_assert!(read(&cut).is_err());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..40)) {
            let _ = read(&bytes);
            let len = bytes.len() as u32 + 11;
            let whole = [&len.to_le_bytes()[..], &[10, 0, 0, 0, 0xff, 0xff], &bytes, &[END]].concat();
            let _ = read(&whole);
        }
    }

    #[test]
    fn an_element_whose_predecessor_is_another_length_is_refused() {
        let mut bytes = packed(&[Element::Bytes(b"abc"), Element::Bytes(b"de")]);
        assert_eq!(bytes[HEADER_LEN + 5], 5);
        bytes[HEADER_LEN + 5] = 4;
        assert!(read(&bytes).is_err());
        let mut bytes = packed(&[Element::Bytes(b"abc"), Element::Bytes(b"de")]);
        bytes[4] = 10;
        assert!(read(&bytes).is_err(), "the tail");
    }
}
