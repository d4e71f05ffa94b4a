//! Numbers in strings, read and written as Redis does.

use crate::Error;

/// The integer that `text` is, if it is written as Redis writes it: no sign but a minus, no leading zeros.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [] => false,
        [b'0'] => text.len() == 1,
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    };
    if !plain || text.len() > 20 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A number in 80 bits, as Redis' `long double` on x86: ± mantissa × 2^exponent, the mantissa's highest bit
/// set unless it is zero.
///
/// Redis adds these in INCRBYFLOAT and prints seventeen decimals, so that doing it in 64 bits shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// An unsigned integer of any size, the least significant limb first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Big(Vec<u32>);

impl Big {
    fn from(n: u64) -> Self {
        Big(vec![n as u32, (n >> 32) as u32])
    }

    /// × factor + carry.
    fn multiply(&mut self, factor: u32, mut carry: u32) {
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + u64::from(carry);
            *limb = product as u32;
            carry = (product >> 32) as u32;
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    /// ÷ divisor; returns the remainder.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut remainder = 0_u64;
        for limb in self.0.iter_mut().rev() {
            let value = remainder << 32 | u64::from(*limb);
            *limb = (value / u64::from(divisor)) as u32;
            remainder = value % u64::from(divisor);
        }
        remainder as u32
    }

    fn bits(&self) -> u32 {
        let top = self.0.iter().rposition(|limb| *limb != 0);
        top.map_or(0, |i| i as u32 * 32 + 32 - self.0[i].leading_zeros())
    }

    fn bit(&self, at: u32) -> bool {
        self.0.get(at as usize / 32).is_some_and(|limb| limb >> (at % 32) & 1 == 1)
    }

    fn shift_left(&mut self, by: u32) {
        let (limbs, bits) = (by as usize / 32, by % 32);
        if bits > 0 {
            self.multiply(1 << bits, 0);
        }
        self.0.splice(0..0, std::iter::repeat_n(0, limbs));
    }

    /// Whether any bit below `at` is set.
    fn any_below(&self, at: u32) -> bool {
        (0..at).any(|i| self.bit(i))
    }

    /// The integer part of this ÷ 2^by, rounded half to even.
    fn rounded(&self, by: u32) -> Big {
        let mut out = Big(vec![0; self.0.len() + 1]);
        for at in by..self.bits() {
            if self.bit(at) {
                let to = (at - by) as usize;
                out.0[to / 32] |= 1 << (to % 32);
            }
        }
        let half = by > 0 && self.bit(by - 1);
        if half && (self.any_below(by - 1) || out.bit(0)) {
            out.add_one();
        }
        out
    }

    fn add_one(&mut self) {
        for limb in &mut self.0 {
            *limb = limb.wrapping_add(1);
            if *limb != 0 {
                return;
            }
        }
        self.0.push(1);
    }

    fn compare(&self, other: &Big) -> std::cmp::Ordering {
        let len = self.0.len().max(other.0.len());
        let limb = |big: &Big, i: usize| big.0.get(i).copied().unwrap_or(0);
        (0..len)
            .rev()
            .map(|i| limb(self, i).cmp(&limb(other, i)))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    }

    fn add(&mut self, other: &Big) {
        self.0.resize(self.0.len().max(other.0.len()) + 1, 0);
        let mut carry = 0_u64;
        for (i, limb) in self.0.iter_mut().enumerate() {
            let sum = u64::from(*limb) + u64::from(other.0.get(i).copied().unwrap_or(0)) + carry;
            *limb = sum as u32;
            carry = sum >> 32;
        }
    }

    /// − other, which is not greater.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = 0_i64;
        for (i, limb) in self.0.iter_mut().enumerate() {
            let rest = i64::from(*limb) - i64::from(other.0.get(i).copied().unwrap_or(0)) - borrow;
            *limb = rest as u32;
            borrow = i64::from(rest < 0);
        }
    }

    fn decimal(mut self) -> Vec<u8> {
        let mut digits = Vec::new();
        while self.bits() > 0 {
            let mut nine = self.divide(1_000_000_000);
            for _ in 0..9 {
                digits.push(b'0' + (nine % 10) as u8);
                nine /= 10;
            }
        }
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        digits.reverse();
        digits
    }
}

/// `digits[.digits][mark power]`: all digits as one number, how many come after the point, the power.
fn digits(text: &[u8], radix: u32, mark: u8) -> Option<(Big, i32, i32)> {
    let (number, power) = match text.iter().position(|byte| byte.eq_ignore_ascii_case(&mark)) {
        None => (text, 0),
        Some(at) => (&text[..at], power(&text[at + 1..])?),
    };
    let (mut big, mut places, mut point, mut any) = (Big::from(0), 0, false, false);
    if number.len() > MAX_DIGITS {
        return None;
    }
    for byte in number {
        match char::from(*byte).to_digit(radix) {
            Some(digit) => {
                big.multiply(radix, digit);
                places += i32::from(point);
                any = true;
            }
            None if *byte == b'.' && !point => point = true,
            None => return None,
        }
    }
    any.then_some((big, places, power))
}

/// The power after `e` or `p`; one beyond any use is the greatest or least that is worked with.
fn power(text: &[u8]) -> Option<i32> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let beyond = if text[0] == b'-' { -MAX_POWER } else { MAX_POWER };
    let power = std::str::from_utf8(text).ok()?.parse().unwrap_or(beyond);
    Some(power.clamp(-MAX_POWER, MAX_POWER))
}

/// Redis reads numbers from a buffer of this size.
const MAX_DIGITS: usize = 5 * 1024 - 1;

/// Greatest power of ten and of two that is worked with; beyond, Redis' numbers end, too.
const MAX_EXPONENT: i32 = 4932;

/// Greatest power that is told from a greater one: more than all digits and exponents together.
const MAX_POWER: i32 = 100_000;

/// The power of two that is half the least number above zero: what is no more is rounded to zero.
const VANISHING: i32 = -16_446;

impl LongDouble {
    /// big × 2^exponent, rounded to 64 bits.
    fn round(negative: bool, big: &Big, exponent: i32, sticky: bool) -> Self {
        let bits = big.bits();
        if bits <= 64 {
            let mut mantissa = (0..bits).filter(|i| big.bit(*i)).fold(0_u64, |m, i| m | 1 << i);
            let shift = mantissa.leading_zeros() % 64;
            mantissa <<= shift;
            return LongDouble { negative, mantissa, exponent: exponent - shift as i32 };
        }
        let cut = bits - 64;
        let mut rounded = big.clone();
        if sticky {
            // Whatever was lost lies below the last bit: it only breaks ties.
            rounded.shift_left(1);
            rounded.add_one();
            return Self::round(negative, &rounded, exponent - 1, false);
        }
        let kept = rounded.rounded(cut);
        Self::round(negative, &kept, exponent + cut as i32, false)
    }

    const INFINITY: LongDouble =
        LongDouble { negative: false, mantissa: 1 << 63, exponent: 2 * 16_384 };

    /// The number that `text` is, as `strtold` reads it: decimal, hexadecimal with a power of two, or
    /// infinity by name. `None` if it is none, or too large to be one, or so small that it would be zero.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if [&b"inf"[..], b"infinity"].iter().any(|name| digits.eq_ignore_ascii_case(name)) {
            return Some(LongDouble { negative, ..Self::INFINITY });
        }
        let number = match digits {
            [b'0', b'x' | b'X', digits @ ..] => Self::parse_hexadecimal(negative, digits)?,
            _ => Self::parse_decimal(negative, digits)?,
        };
        (number.is_finite() && !number.vanishes()).then_some(number)
    }

    fn parse_decimal(negative: bool, text: &[u8]) -> Option<Self> {
        let (big, places, power) = digits(text, 10, b'e')?;
        let ten = power.checked_sub(places)?;
        if big.bits() == 0 {
            return Some(LongDouble { negative, mantissa: 0, exponent: 0 });
        }
        // All digits and the least number above zero: 10^-4951 and a little.
        if !(-MAX_EXPONENT - 20 - MAX_DIGITS as i32..=MAX_EXPONENT).contains(&ten) {
            return None;
        }
        if ten >= 0 {
            let mut big = big;
            (0..ten).for_each(|_| big.multiply(10, 0));
            return Some(Self::round(negative, &big, 0, false));
        }
        // ÷ 10^n: enough bits that the quotient has more than 64, and the remainder breaks ties.
        let shift = (ten.unsigned_abs() * 10).div_ceil(3) + 70;
        let mut big = big;
        big.shift_left(shift);
        let mut sticky = false;
        for _ in 0..ten.unsigned_abs() {
            sticky |= big.divide(10) != 0;
        }
        Some(Self::round(negative, &big, -(shift as i32), sticky))
    }

    fn parse_hexadecimal(negative: bool, text: &[u8]) -> Option<Self> {
        let (big, places, power) = digits(text, 16, b'p')?;
        let exponent = power.checked_sub(places.checked_mul(4)?)?;
        let bounded = exponent.clamp(-8 * MAX_EXPONENT, 8 * MAX_EXPONENT);
        Some(Self::round(negative, &big, bounded, false))
    }

    pub(super) fn add(self, other: LongDouble) -> Self {
        let exponent = self.exponent.min(other.exponent);
        // So far apart, the smaller is less than half a unit in the last place.
        if self.mantissa != 0 && other.mantissa != 0 && (self.exponent - other.exponent).abs() > 200
        {
            return if self.exponent > other.exponent { self } else { other };
        }
        if self.mantissa == 0 || other.mantissa == 0 {
            return if self.mantissa == 0 { other } else { self };
        }
        let scaled = |number: LongDouble| {
            let mut big = Big::from(number.mantissa);
            big.shift_left((number.exponent - exponent) as u32);
            big
        };
        let (mut a, mut b) = (scaled(self), scaled(other));
        if self.negative == other.negative {
            a.add(&b);
            return Self::round(self.negative, &a, exponent, false);
        }
        if a.compare(&b).is_lt() {
            b.subtract(&a);
            return Self::round(other.negative, &b, exponent, false);
        }
        a.subtract(&b);
        let negative = self.negative && a.bits() > 0;
        Self::round(negative, &a, exponent, false)
    }

    pub(super) fn is_finite(self) -> bool {
        self.mantissa == 0 || self.exponent + 64 <= 16_384
    }

    /// Whether it is so small that no bit of it is left in a `long double`.
    fn vanishes(self) -> bool {
        let top = self.exponent + 63;
        let is_power = self.mantissa == 1 << 63;
        self.mantissa != 0 && (top < VANISHING || top == VANISHING && is_power)
    }

    /// As Redis prints it: `%.17Lf` without trailing zeros.
    pub(super) fn format(self) -> Vec<u8> {
        const DECIMALS: usize = 17;
        let mut big = Big::from(self.mantissa);
        for _ in 0..DECIMALS {
            big.multiply(10, 0);
        }
        if self.exponent >= 0 {
            big.shift_left(self.exponent as u32);
        } else {
            big = big.rounded(self.exponent.unsigned_abs());
        }
        let mut digits = big.decimal();
        while digits.len() <= DECIMALS {
            digits.insert(0, b'0');
        }
        let fraction = digits.split_off(digits.len() - DECIMALS);
        let kept = fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        let mut out = Vec::new();
        if self.negative && (kept > 0 || digits != b"0") {
            out.push(b'-');
        }
        out.extend_from_slice(&digits);
        if kept > 0 {
            out.push(b'.');
            out.extend_from_slice(&fraction[..kept]);
        }
        out
    }
}

/// The sum of two numbers in decimal, as INCRBYFLOAT gives it.
pub(super) fn sum(value: &[u8], by: &[u8]) -> Result<Vec<u8>, Error> {
    let value = LongDouble::parse(value).ok_or(Error::NotFloat)?;
    let by = LongDouble::parse(by).ok_or(Error::NotFloat)?;
    if !value.is_finite() || !by.is_finite() {
        return Err(Error::NanOrInfinity);
    }
    let sum = value.add(by);
    if sum.is_finite() { Ok(sum.format()) } else { Err(Error::NanOrInfinity) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_that_redis_would_have_written() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("01", None),
            ("-0", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("", None),
            ("-", None),
            ("1.0", None),
        ] {
            assert_eq!(integer(text.as_bytes()), wanted, "{text:?}");
        }
    }

    /// As redis-server 7.0.15 on x86-64 answers.
    #[test]
    fn sums_are_those_of_eighty_bits() {
        for (value, by, wanted) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "200", "5200"),
            ("1000", "0.1", "1000.09999999999999998"),
            ("0", "0.1", "0.1"),
            ("0.1", "0.2", "0.3"),
            ("3", "-3", "0"),
            ("-1.5", "1", "-0.5"),
            ("9223372036854775807", "1e3", "9223372036854776807"),
            ("0", "1e-17", "0.00000000000000001"),
            ("0", "1e-18", "0"),
            ("1", "1e20", "100000000000000000000"),
        ] {
            let found = sum(value.as_bytes(), by.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), wanted, "{value} + {by}");
        }
        for (value, by, wanted) in [("0x1F", "0x.8p1", "32"), ("0", "-0x10", "-16")] {
            assert_eq!(sum(value.as_bytes(), by.as_bytes()).unwrap(), wanted.as_bytes());
        }
        for small in
            ["4e-4951", "2e-4951", "0x1p-16445", "0e-9999", "0e99999999999", "-0e-99999999999"]
        {
            assert_eq!(sum(b"1", small.as_bytes()).unwrap(), b"1", "{small}");
        }
        for (long, wanted) in [
            (format!("1{}e-9900", "0".repeat(4990)), "1"),
            (format!("0x1{}p-20000", "0".repeat(5000)), "2"),
        ] {
            assert_eq!(sum(b"1", long.as_bytes()).unwrap(), wanted.as_bytes());
        }
        for vanishing in ["1e-5000", "-1e-4951", "0x1p-16446", "0x1p-20000", "1e-99999999999"] {
            assert!(matches!(sum(b"1", vanishing.as_bytes()), Err(Error::NotFloat)), "{vanishing}");
        }
        for bad in ["", "abc", "1e", ".", "1 ", "--1", "1e5000", "nan", "0x", "1x", "i", "-infi"] {
            assert!(matches!(sum(bad.as_bytes(), b"1"), Err(Error::NotFloat)), "{bad:?}");
        }
        for endless in ["inf", "-inf", "Infinity", "+INF"] {
            assert!(matches!(sum(endless.as_bytes(), b"1"), Err(Error::NanOrInfinity)));
            assert!(matches!(sum(b"-inf", endless.as_bytes()), Err(Error::NanOrInfinity)));
        }
    }
}
