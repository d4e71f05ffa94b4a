//! What FUNCTION DUMP answers and FUNCTION RESTORE takes: libraries in Redis' own format.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 245, then the code of a library: its length, and the code, perhaps compressed; as often as there are libraries |
//! | 2 | version of the format, 10; the least significant byte first |
//! | 8 | CRC-64 of all bytes before; the least significant byte first |

use crate::command::CommandError;
use bitmap_store::rdb;

const FUNCTION: u8 = 245;
const VERSION: u16 = 10;
/// A library is no longer than a request may be.
const CODE_BYTES: usize = 512 << 20;

/// Writes libraries, by their code.
pub(super) fn dump<'c>(codes: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(FUNCTION);
        match code.len() {
            len @ 0..64 => out.push(len as u8),
            len @ 0..16384 => out.extend_from_slice(&(len as u16 | 0x4000).to_be_bytes()),
            len => {
                out.push(0x80);
                out.extend_from_slice(&(len as u32).to_be_bytes());
            }
        }
        out.extend_from_slice(code);
    }
    out.extend_from_slice(&VERSION.to_le_bytes());
    let crc = rdb::checksum(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The code of each library in a payload.
pub(super) fn parse(payload: &[u8]) -> Result<Vec<Vec<u8>>, CommandError> {
    const WRONG: CommandError =
        CommandError::text("ERR DUMP payload version or checksum are wrong");
    let (signed, crc) = payload.split_last_chunk::<8>().ok_or(WRONG)?;
    let (mut rest, version) = signed.split_last_chunk::<2>().ok_or(WRONG)?;
    // Redis writes 0 where checksums are off.
    let crc = u64::from_le_bytes(*crc);
    if u16::from_le_bytes(*version) > VERSION || crc != 0 && crc != rdb::checksum(signed) {
        return Err(WRONG);
    }
    let mut codes = Vec::new();
    while let Some((kind, behind)) = rest.split_first() {
        if *kind != FUNCTION {
            return Err(CommandError::text("ERR given type is not a function"));
        }
        rest = behind;
        codes.push(string(&mut rest).ok_or(CommandError::text("ERR Failed loading library data"))?);
    }
    Ok(codes)
}

/// A string of the format.
fn string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    if let Some((0xc3, behind)) = rest.split_first() {
        *rest = behind;
        let (packed, len) = (length(rest)?, length(rest)?);
        let compressed = take(rest, packed)?;
        return if len > CODE_BYTES { None } else { rdb::decompress(compressed, len).ok() };
    }
    let len = length(rest)?;
    take(rest, len).map(<[u8]>::to_vec)
}

fn take<'p>(rest: &mut &'p [u8], count: usize) -> Option<&'p [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let first = take(rest, 1)?[0];
    Some(match first {
        0..0x40 => usize::from(first),
        0x40..0x80 => usize::from(first & 0x3f) << 8 | usize::from(take(rest, 1)?[0]),
        0x80 => u32::from_be_bytes(take(rest, 4)?.try_into().ok()?) as usize,
        0x81 => usize::try_from(u64::from_be_bytes(take(rest, 8)?.try_into().ok()?)).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_back_and_what_redis_wrote_is_read() {
        let codes = [&b"a"[..], &[b'x'; 100], &[b'y'; 20_000]];
        assert_eq!(parse(&dump(codes)).unwrap(), codes);
        // Of redis-server 7.0.15.
        let plain = b"\xf56#!lua name=l\nredis.register_function(1,function() end)\n\x00T`\x89\x89\x9d\xc0\x15$";
        let code = b"#!lua name=l\nredis.register_function(1,function() end)";
        assert_eq!(parse(plain).unwrap(), [code]);
        assert_eq!(dump([&code[..]]), plain);
    }

    #[test]
    fn compressed_code_is_read_and_lies_are_refused() {
        let seal = |body: &[u8]| {
            let signed = [body, &VERSION.to_le_bytes()].concat();
            [&*signed, &rdb::checksum(&signed).to_le_bytes()].concat()
        };
        // "aaaaaaaaaa": one as it is, and nine copies of what is one back.
        let codes = parse(&seal(b"\xf5\xc3\x05\x0a\x00a\xe0\x00\x00")).unwrap();
        assert_eq!(codes, [b"aaaaaaaaaa"]);
        for body in [
            &b"\xf5\xc3\x05\x09\x00a\xe0\x00\x00"[..],
            b"\xf5\xc3\x05\x0a\x00a\xe0\x00\x01",
            b"\xf5\xc3\x02\x06\x05a",
            b"\xf5\xc3\x00\x81\x00\x00\x01\x00\x00\x00\x00\x00",
        ] {
            assert!(parse(&seal(body)).is_err(), "{body:?}");
        }
        let whole = dump([&b"code"[..]]);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err());
        }
    }
}
