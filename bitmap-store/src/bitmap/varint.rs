//! Unsigned numbers in as few bytes as they need: seven bits each, the least significant first (LEB128).

pub(crate) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes a number off the front of `bytes`.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        n |= bits.checked_shl(7 * i as u32).filter(|shifted| shifted >> (7 * i) == bits)?;
        if byte & 0x80 == 0 {
            *bytes = &bytes[i + 1..];
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_read_back_and_cut_or_endless_ones_are_refused() {
        for n in [0, 1, 127, 128, 300, 65_535, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            super::put(&mut bytes, n);
            bytes.push(9);
            let mut rest = &bytes[..];
            assert_eq!((super::take(&mut rest), rest), (Some(n), &[9][..]));
            assert_eq!(super::take(&mut &bytes[..bytes.len() - 2]), None);
        }
        assert_eq!(super::take(&mut &[0xff; 11][..]), None);
    }
}
