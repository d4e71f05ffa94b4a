//! Numbers as C's `strtod` reads them, which is what Redis does with scores and sorts by.

/// What the beginning of a text says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// 0 if there is no number.
    pub value: f64,
    /// Length of what was read, blanks before it included; 0 if there is no number.
    pub len: usize,
    /// It is too large to be one, or so small that it became 0.
    pub out_of_range: bool,
    /// It is so small that bits of it were lost.
    pub bits_lost: bool,
}

const NONE: Number = Number { value: 0.0, len: 0, out_of_range: false, bits_lost: false };

/// Reads the number that `text` begins with: decimal, hexadecimal, `inf`, `infinity` or `nan`, after blanks and a sign.
pub fn strtod(text: &[u8]) -> Number {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let (negative, start) = match text.get(blanks) {
        Some(b'-') => (true, blanks + 1),
        Some(b'+') => (false, blanks + 1),
        _ => (false, blanks),
    };
    let rest = &text[start..];
    let begins =
        |name: &[u8]| rest.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
    let (magnitude, len, is_exact) = if begins(b"infinity") {
        (f64::INFINITY, 8, true)
    } else if begins(b"inf") {
        (f64::INFINITY, 3, true)
    } else if begins(b"nan") {
        (f64::NAN, 3, true)
    } else {
        let hexadecimal = if begins(b"0x") { hexadecimal(&rest[2..]) } else { None };
        match hexadecimal
            .map(|(value, len, exact)| (value, len + 2, exact))
            .or_else(|| decimal(rest))
        {
            Some(found) => found,
            None => return NONE,
        }
    };
    let value = if negative { -magnitude } else { magnitude };
    // Only what is read from digits is not exact.
    let out_of_range = !is_exact && (value.is_infinite() || value == 0.0);
    Number { value, len: start + len, out_of_range, bits_lost: !is_exact && value.is_subnormal() }
}

/// Digits with a point somewhere, and how many there are before and after it; `None` without any.
fn mantissa(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<(usize, usize, usize)> {
    let whole = text.iter().take_while(|byte| is_digit(byte)).count();
    if text.get(whole) != Some(&b'.') {
        return (whole > 0).then_some((whole, whole, 0));
    }
    let part = text[whole + 1..].iter().take_while(|byte| is_digit(byte)).count();
    (whole + part > 0).then_some((whole + 1 + part, whole, part))
}

/// The power after `mark` at the beginning of `text`, and its length; one beyond any use is the greatest or least.
fn power(text: &[u8], mark: u8) -> (i64, usize) {
    if !text.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&mark)) {
        return (0, 0);
    }
    let sign = usize::from(matches!(text.get(1), Some(b'-' | b'+')));
    let digits = text[1 + sign..].iter().take_while(|byte| byte.is_ascii_digit());
    let (mut value, mut count) = (0_i64, 0);
    for digit in digits {
        value = (value * 10 + i64::from(digit - b'0')).min(1 << 32);
        count += 1;
    }
    match (count, text.get(1)) {
        (0, _) => (0, 0),
        (_, Some(b'-')) => (-value, 1 + sign + count),
        _ => (value, 1 + sign + count),
    }
}

/// A number, its length, and whether it is exact, if it is no normal one.
fn decimal(text: &[u8]) -> Option<(f64, usize, bool)> {
    let (len, ..) = mantissa(text, u8::is_ascii_digit)?;
    let (_, power_len) = power(&text[len..], b'e');
    let number = &text[..len + power_len];
    let value: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let is_zero = !number[..len].iter().any(|byte| matches!(byte, b'1'..=b'9'));
    // Nobody writes the 700 digits of a tiny number that is exact.
    Some((value, number.len(), is_zero))
}

/// The same of what is behind `0x`.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize, bool)> {
    let (len, _, part) = mantissa(text, u8::is_ascii_hexdigit)?;
    let (power, power_len) = power(&text[len..], b'p');
    let (mut bits, mut exponent, mut sticky) = (0_u128, power - 4 * part as i64, false);
    for digit in text[..len].iter().filter_map(|byte| char::from(*byte).to_digit(16)) {
        // What does not fit only breaks ties.
        if bits >> 120 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            sticky |= digit != 0;
            exponent += 4;
        }
    }
    if bits == 0 {
        return Some((0.0, len + power_len, true));
    }
    let (value, is_exact) = rounded(bits, exponent, sticky);
    Some((value, len + power_len, is_exact && !sticky && value.is_finite()))
}

/// bits × 2^exponent and a little more if `sticky`, rounded half to even, and whether none of `bits` was lost; `bits` is not 0.
fn rounded(bits: u128, exponent: i64, sticky: bool) -> (f64, bool) {
    /// The power of the last bit of the least numbers.
    const LEAST: i64 = -1074;
    const DIGITS: i64 = 53;
    let top = i64::from(128 - bits.leading_zeros()) + exponent;
    let last = (top - DIGITS).max(LEAST);
    let shift = last - exponent;
    let (kept, is_exact) = match shift {
        ..=0 => (bits << -shift, true),
        1..128 => {
            let (kept, lost) = (bits >> shift, bits & ((1 << shift) - 1));
            let half = 1 << (shift - 1);
            let up = lost > half || lost == half && (sticky || kept & 1 == 1);
            (kept + u128::from(up), lost == 0)
        }
        // Less than a half of the least number.
        _ => (0, false),
    };
    if top > 1025 {
        return (f64::INFINITY, false);
    }
    // Exact: fewer than 54 bits, and a power of two in two steps, neither of which leaves the range early.
    let half = last / 2;
    (kept as f64 * 2_f64.powi(half as i32) * 2_f64.powi((last - half) as i32), is_exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value, len) in [
            ("1", 1.0, 1),
            (" \t1.5x", 1.5, 5),
            ("-.5", -0.5, 3),
            ("5.", 5.0, 2),
            (".", 0.0, 0),
            ("", 0.0, 0),
            ("abc", 0.0, 0),
            ("-", 0.0, 0),
            ("1e5", 1e5, 3),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            ("1E-2 ", 0.01, 4),
            ("inf", f64::INFINITY, 3),
            ("-Infinity", f64::NEG_INFINITY, 9),
            ("infinit", f64::INFINITY, 3),
            ("0x10", 16.0, 4),
            ("0x", 0.0, 1),
            ("0xg", 0.0, 1),
            ("0x.8p1", 1.0, 6),
            ("0x1p", 1.0, 3),
            ("0x1P-2", 0.25, 6),
            ("0x1fffffffffffff8", 144_115_188_075_855_872.0, 17),
            ("0x1p-1074", 5e-324, 9),
            ("0x1.8p-1074", 1e-323, 11),
            (
                "0x123456789abcdef0123456789abcdef0123456789p-100",
                f64::from_bits(0x43b2_3456_789a_bcdf),
                48,
            ),
            ("0.1", 0.1, 3),
            ("5e-324", 5e-324, 6),
            ("0e99999999999999999999", 0.0, 22),
        ] {
            let found = strtod(text.as_bytes());
            assert_eq!(
                (found.value, found.len, found.out_of_range),
                (value, len, false),
                "{text:?}"
            );
        }
        for (text, value) in [
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("1e-400", 0.0),
            ("0x1p5000", f64::INFINITY),
            ("0x1p-5000", 0.0),
            ("0x1p-1075", 0.0),
            ("0x1p99999999999999999999", f64::INFINITY),
        ] {
            let found = strtod(text.as_bytes());
            assert_eq!(
                (found.value, found.len, found.out_of_range),
                (value, text.len(), true),
                "{text:?}"
            );
        }
        assert!(strtod(b"nan").value.is_nan());
        assert!(strtod(b"-0").value.is_sign_negative());
    }
}
