//! Numbers of 64 bits in strings, as Redis sorts by them.

use crate::strtod::strtod;

/// The number that all of `text` up to its first zero byte is: decimal, hexadecimal with a power of two, or infinity by
/// name; blanks may come before it, and nothing at all is 0. `None` if it is none, or not a number by name, or
/// does not fit: its magnitude is too large, or so small that bits are lost.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let number = strtod(text);
    let fits = !number.out_of_range && !number.bits_lost && !number.value.is_nan();
    (number.len == text.len() && fits).then_some(number.value)
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
