//! Zipmaps: small hashes in one string, before Redis 2.6. They are read, and never written.
//!
//! A byte with the count of fields (254: not known), then for each the length of its name, its
//! name, the length of its value, a byte that says how many unused bytes are behind the value, the value, and these;
//! at the end `0xff`. A length is a byte below 254, or 254 and four bytes, little endian.

use super::input::Input;

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// Visits the fields of a zipmap and their values in order.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    visit: &mut dyn FnMut(&'a [u8], &'a [u8]) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    let mut input = Input(bytes);
    let said = input.byte()?;
    let mut count = 0;
    while input.0.first() != Some(&END) {
        let len = length(&mut input)?;
        let field = input.take(len)?;
        let len = length(&mut input)?;
        let unused = usize::from(input.byte()?);
        let value = input.take(len)?;
        input.take(unused)?;
        count += 1;
        visit(field, value)?;
    }
    if input.len() != 1 {
        return Err("a zipmap ends before its end");
    }
    if said != LONG && usize::from(said) != count {
        return Err("a zipmap has another count than it says");
    }
    Ok(())
}

fn length(input: &mut Input<'_>) -> Result<usize, &'static str> {
    match input.byte()? {
        END => Err("a zipmap has an end in its middle"),
        LONG => match u32::from_le_bytes(input.array()?) {
            long if long >= u32::from(LONG) => Ok(long as usize),
            _ => Err("a zipmap has a short length in the long form"),
        },
        short => Ok(usize::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

    fn read(bytes: &[u8]) -> Result<Pairs<'_>, &'static str> {
        let mut found = Vec::new();
        each(bytes, &mut |field, value| {
            found.push((field, value));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn fields_are_read_and_unused_bytes_are_skipped() {
        let map = b"\x02\x03foo\x03\x02bar..\x05hello\x05\0world\xff";
        assert_eq!(read(map), Ok(vec![(&b"foo"[..], &b"bar"[..]), (b"hello", b"world")]));
        for len in 0..map.len() {
            assert!(read(&map[..len]).is_err(), "cut to {len}");
        }
        assert!(read(b"\x01\x03foo\x03\x02bar..\x05hello\x05\0world\xff").is_err(), "the count");
        assert!(read(b"\x01\x03foo\xfe\x03\0\0\0\0bar\xff").is_err(), "a long length");
        let long = [&b"\x01\x03foo\xfe\xfe\0\0\0\0"[..], &[b'x'; 254], &[END]].concat();
        assert_eq!(read(&long), Ok(vec![(&b"foo"[..], &[b'x'; 254][..])]));
        assert!(read(b"\xfe\x03foo\x03\0bar\xff").is_ok(), "no count");
        assert!(read(b"\x01\x03foo\x03\0bar\xff\xff").is_err(), "more behind it");
        assert_eq!(read(b"\x00\xff"), Ok(vec![]));
    }
}
