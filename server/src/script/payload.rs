//! What FUNCTION DUMP answers and FUNCTION RESTORE takes: libraries in Redis' own format.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 245, then the code of a library: its length, and the code, perhaps compressed; as often as there are libraries |
//! | 2 | version of the format, 10; the least significant byte first |
//! | 8 | CRC-64 of all bytes before; the least significant byte first |

use crate::command::CommandError;
use std::sync::LazyLock;

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
    let crc = crc64(&out);
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
    if u16::from_le_bytes(*version) > VERSION || crc != 0 && crc != crc64(signed) {
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
        return decompress(take(rest, packed)?, len);
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

/// Undoes LZF: runs of bytes as they are, and copies of what came before.
fn decompress(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    // A byte stands for at most 264: what promises more lies.
    if len > CODE_BYTES || len / 264 > packed.len() {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = packed;
    while !rest.is_empty() {
        let control = usize::from(take(&mut rest, 1)?[0]);
        if control < 32 {
            out.extend_from_slice(take(&mut rest, control + 1)?);
        } else {
            let mut count = control >> 5;
            if count == 7 {
                count += usize::from(take(&mut rest, 1)?[0]);
            }
            let back = (control & 31) << 8 | usize::from(take(&mut rest, 1)?[0]);
            let from = out.len().checked_sub(back + 1)?;
            // It may run into what it makes.
            for i in from..from + count + 2 {
                out.push(out[i]);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// The CRC-64 of Redis: of Jones, reflected.
fn crc64(bytes: &[u8]) -> u64 {
    static TABLE: LazyLock<[u64; 256]> = LazyLock::new(|| {
        std::array::from_fn(|byte| {
            (0..8).fold(byte as u64, |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x95ac_9329_ac4b_c9b5 } else { crc >> 1 }
            })
        })
    });
    bytes.iter().fold(0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

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
        // "aaaaaaaaaa": one as it is, and nine copies of what is one back.
        assert_eq!(decompress(b"\x00a\xe0\x00\x00", 10).unwrap(), b"aaaaaaaaaa");
        for (packed, len) in [
            (&b"\x00a\xe0\x00\x00"[..], 9),
            (b"\x00a\xe0\x00\x01", 10),
            (b"\x05a", 6),
            (b"", 1 << 40),
        ] {
            assert_eq!(decompress(packed, len), None, "{packed:?}");
        }
        let whole = dump([&b"code"[..]]);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err());
        }
    }
}
