//! The integers of `BITFIELD`: types of 1 to 64 bits, and what happens to values that don't fit.

/// What to do with a value that does not fit its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Keep the low bits.
    #[default]
    Wrap,
    /// Take the greatest or the least value instead.
    Saturate,
    /// Leave the field as it is.
    Fail,
}

/// `u1` to `u63` and `i1` to `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldType {
    signed: bool,
    width: u32,
}

impl FieldType {
    /// Reads `i16`, `u8` and the like.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (signed, width) = match text {
            [b'i', width @ ..] => (true, width),
            [b'u', width @ ..] => (false, width),
            _ => return None,
        };
        let width = parse_u32(width)?;
        let max_width = if signed { 64 } else { 63 };
        (1..=max_width).contains(&width).then_some(FieldType { signed, width })
    }

    /// In bits.
    pub(super) fn width(self) -> u32 {
        self.width
    }

    /// The value of a field whose bits are the low ones of `raw`.
    pub(super) fn decode(self, raw: u64) -> i64 {
        let spare = 64 - self.width;
        let aligned = raw << spare;
        if self.signed { aligned as i64 >> spare } else { (aligned >> spare) as i64 }
    }

    /// The bits of `value`.
    pub(super) fn encode(self, value: i64) -> u64 {
        value as u64 & (u64::MAX >> (64 - self.width))
    }

    /// The value that `SET` stores for `wanted`; `None` if it must not store any.
    pub(super) fn assign(self, wanted: i64, overflow: Overflow) -> Option<i64> {
        if !self.signed {
            // A negative number counts as the great one that has the same bits.
            return self.fit(i128::from(wanted as u64), overflow);
        }
        // Redis asks whether there is room above a value by subtracting in 64 bits. For the lowest
        // values that wraps round, and it takes them for too great.
        let wraps_round = self.width < 64 && self.max() - i128::from(wanted) > i128::from(i64::MAX);
        if wraps_round && overflow == Overflow::Saturate {
            return Some(self.max() as i64);
        }
        self.fit(i128::from(wanted), overflow)
    }

    /// The value that `INCRBY` stores where `old` was; `None` if it must not store any.
    pub(super) fn increment(self, old: i64, by: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(old) + i128::from(by), overflow)
    }

    fn min(self) -> i128 {
        if self.signed { -(1 << (self.width - 1)) } else { 0 }
    }

    fn max(self) -> i128 {
        (1 << (self.width - u32::from(self.signed))) - 1
    }

    fn fit(self, exact: i128, overflow: Overflow) -> Option<i64> {
        if (self.min()..=self.max()).contains(&exact) {
            return Some(exact as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.decode(exact as u64)),
            Overflow::Saturate => Some(exact.clamp(self.min(), self.max()) as i64),
            Overflow::Fail => None,
        }
    }
}

/// The offset of a field in bits, below 2^32: a number, or `#` and the number of fields before it.
pub(super) fn parse_offset(text: &[u8], field: FieldType) -> Option<u64> {
    let offset = match text {
        [b'#', index @ ..] => u64::from(parse_u32(index)?) * u64::from(field.width),
        plain => u64::from(parse_u32(plain)?),
    };
    (offset <= u64::from(u32::MAX)).then_some(offset)
}

/// A number without sign, leading zeros or blanks.
fn parse_u32(text: &[u8]) -> Option<u32> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_types() -> impl Iterator<Item = FieldType> {
        let unsigned = (1..=63).map(|width| FieldType { signed: false, width });
        unsigned.chain((1..=64).map(|width| FieldType { signed: true, width }))
    }

    fn corner_values() -> impl Iterator<Item = i64> + Clone {
        (0..64).flat_map(|shift| {
            let power = 1_i64.wrapping_shl(shift);
            [power, power.wrapping_neg(), power.wrapping_sub(1), power.wrapping_add(1), !power]
        })
    }

    /// Congruent to `exact`, in range, found without shifting bits.
    fn wrapped(field: FieldType, exact: i128) -> i128 {
        let modulus = field.max() - field.min() + 1;
        (exact - field.min()).rem_euclid(modulus) + field.min()
    }

    #[test]
    fn increments_agree_with_arithmetic_in_128_bits() {
        for field in all_types() {
            for old in corner_values().map(|value| field.decode(value as u64)) {
                for by in corner_values() {
                    let exact = i128::from(old) + i128::from(by);
                    let fits = (field.min()..=field.max()).contains(&exact);
                    let result = |overflow| field.increment(old, by, overflow).map(i128::from);
                    let saturated = exact.max(field.min()).min(field.max());
                    assert_eq!(result(Overflow::Wrap), Some(wrapped(field, exact)));
                    assert_eq!(result(Overflow::Saturate), Some(saturated));
                    assert_eq!(result(Overflow::Fail), fits.then_some(exact));
                }
            }
        }
    }

    #[test]
    fn assignments_agree_with_arithmetic_in_128_bits() {
        for field in all_types() {
            for wanted in corner_values() {
                let exact =
                    if field.signed { i128::from(wanted) } else { i128::from(wanted as u64) };
                let fits = (field.min()..=field.max()).contains(&exact);
                let result = |overflow| field.assign(wanted, overflow).map(i128::from);
                assert_eq!(result(Overflow::Wrap), Some(wrapped(field, exact)));
                assert_eq!(result(Overflow::Fail), fits.then_some(exact));
                if field.max() - exact <= i128::from(i64::MAX) {
                    let saturated = exact.max(field.min()).min(field.max());
                    assert_eq!(result(Overflow::Saturate), Some(saturated));
                }
            }
        }
    }

    #[test]
    fn the_least_of_all_values_saturates_upwards_as_in_redis() {
        let field = |text: &str| FieldType::parse(text.as_bytes()).unwrap();
        assert_eq!(field("i8").assign(i64::MIN, Overflow::Saturate), Some(127));
        assert_eq!(field("i8").assign(i64::MIN + 128, Overflow::Saturate), Some(-128));
        assert_eq!(field("i63").assign(i64::MIN, Overflow::Saturate), Some((1 << 62) - 1));
        assert_eq!(field("i64").assign(i64::MIN, Overflow::Saturate), Some(i64::MIN));
        assert_eq!(field("u8").assign(-1, Overflow::Saturate), Some(255));
    }

    #[test]
    fn encoding_and_decoding_are_inverse() {
        for field in all_types() {
            for value in corner_values().map(|value| field.decode(value as u64)) {
                assert!((field.min()..=field.max()).contains(&i128::from(value)));
                assert_eq!(field.decode(field.encode(value)), value);
                assert!(field.width == 64 || field.encode(value) >> field.width == 0);
            }
        }
    }

    #[test]
    fn types_and_offsets_are_as_strict_as_those_of_redis() {
        for text in ["u0", "u64", "i65", "i0", "I8", "u08", "u+8", "u-8", "u", "", "x8", "u8 "] {
            assert_eq!(FieldType::parse(text.as_bytes()), None, "{text:?}");
        }
        let field = FieldType::parse(b"u8").unwrap();
        for (text, offset) in [
            ("0", Some(0)),
            ("#0", Some(0)),
            ("#3", Some(24)),
            ("4294967295", Some(4_294_967_295)),
            ("4294967296", None),
            ("#536870911", Some(4_294_967_288)),
            ("#536870912", None),
            ("#4294967295", None),
            ("#", None),
            ("", None),
            ("-1", None),
            ("#-1", None),
            ("01", None),
        ] {
            assert_eq!(parse_offset(text.as_bytes(), field), offset, "{text:?}");
        }
    }
}
