//! Numbers of 64 bits in strings, as C's `strtod` reads them, which is what Redis sorts by.

/// The number that all of `text` up to its first zero byte is: decimal, hexadecimal with a power of two, or infinity by
/// name; blanks may come before it, and nothing at all is 0. `None` if it is none, or not a number by name, or
/// does not fit: its magnitude is too large, or so small that bits are lost.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = &text[blanks..];
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let number = match digits {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
        [b'0'..=b'9' | b'.', ..] => decimal(digits)?,
        name => {
            let named = [&b"inf"[..], b"infinity"].iter().any(|inf| name.eq_ignore_ascii_case(inf));
            return named.then_some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        }
    };
    Some(if negative { -number } else { number })
}

fn decimal(text: &[u8]) -> Option<f64> {
    let plain = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.iter().all(plain) {
        return None;
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let digits = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let is_zero = digits.iter().all(|byte| matches!(byte, b'0' | b'.'));
    (is_zero || number.is_normal()).then_some(number)
}

fn hexadecimal(text: &[u8]) -> Option<f64> {
    let mut parts = text.splitn(2, |byte| matches!(byte, b'p' | b'P'));
    let digits = parts.next().unwrap_or_default();
    let mut power = match parts.next() {
        None => 0,
        Some(text) => exponent(text)?,
    };
    // The first digits that fit, the last bit standing for all that do not.
    let (mut bits, mut point, mut any) = (0_u64, false, false);
    for byte in digits {
        match char::from(*byte).to_digit(16) {
            Some(digit) if bits >> 60 == 0 => {
                bits = bits << 4 | u64::from(digit);
                power -= i64::from(point) * 4;
                any = true;
            }
            Some(digit) => {
                bits |= u64::from(digit != 0);
                power += i64::from(!point) * 4;
            }
            None if *byte == b'.' && !point => point = true,
            None => return None,
        }
    }
    if !any || bits == 0 {
        return any.then_some(0.0);
    }
    let number = scaled(bits as f64, power);
    let is_exact = || (bits as f64) as u64 == bits && scaled(number, -power) == bits as f64;
    (number.is_normal() || number.is_subnormal() && is_exact()).then_some(number)
}

/// A power that is written out; one beyond any use is as good as a great one.
fn exponent(text: &[u8]) -> Option<i64> {
    const MOST: i64 = 1 << 40;
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let least = |power: i64, digit: &u8| (power * 10 + i64::from(digit - b'0')).min(MOST);
    let power = digits.iter().fold(0, least);
    Some(if text[0] == b'-' { -power } else { power })
}

/// number × 2^power.
fn scaled(mut number: f64, power: i64) -> f64 {
    const STEP: i64 = 500;
    let mut left = power.clamp(-8 * STEP, 8 * STEP);
    while left != 0 {
        let step = left.clamp(-STEP, STEP);
        number *= 2_f64.powi(step as i32);
        left -= step;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7.0.15 sorts by them.
    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, wanted) in [
            ("", 0.0),
            ("5", 5.0),
            (" \t\n5", 5.0),
            ("+7", 7.0),
            ("-0", 0.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e5", 100_000.0),
            ("1E-3", 0.001),
            ("007", 7.0),
            ("0e99999", 0.0),
            ("0x10", 16.0),
            ("-0X1.8p3", -12.0),
            ("0x.8", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x123456789abcdef01", 0x1234_5678_9abc_def0_u64 as f64 * 16.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("1\0abc", 1.0),
            ("\0", 0.0),
        ] {
            assert_eq!(double(text.as_bytes()), Some(wanted), "{text:?}");
        }
        for text in [
            " ",
            "abc",
            "5 ",
            "1e",
            "0x",
            "0x.",
            "0x1p",
            "0xg",
            "1e400",
            "-1e400",
            "1e-400",
            "4e-320",
            "nan",
            "nan(1)",
            "--1",
            "1.2.3",
            ".",
            "e5",
            "+",
            "0x1p1024",
            "0x1p-1075",
            "0x1.8p-1074",
            "infi",
            "1_0",
            "0x1p99999999999999999999",
            "0x1p-99999999999999999999",
        ] {
            assert_eq!(double(text.as_bytes()), None, "{text:?}");
        }
    }
}
