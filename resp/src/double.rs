//! Numbers as Redis 7.0 prints them.

/// The number with seventeen digits at most, as C's `%.17g`: whole numbers without a point, great and small ones with a
/// power of ten.
///
/// # Examples
/// ```
/// assert_eq!(resp::double_text(3.0), "3");
/// assert_eq!(resp::double_text(0.1), "0.10000000000000001");
/// assert_eq!(resp::double_text(1e300), "1.0000000000000001e+300");
/// assert_eq!(resp::double_text(f64::NEG_INFINITY), "-inf");
/// ```
pub fn double_text(n: f64) -> String {
    const DIGITS: i32 = 17;
    if n.is_nan() {
        return "nan".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    if n.fract() == 0.0 && n.abs() < 1e15 {
        let sign = if n == 0.0 && n.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", n as i64);
    }
    let text = format!("{:.*e}", DIGITS as usize - 1, n);
    let (digits, power) = text.split_once('e').expect("it was written so");
    let power: i32 = power.parse().expect("it was written so");
    if (-4..DIGITS).contains(&power) {
        return trimmed(&format!("{:.*}", (DIGITS - 1 - power) as usize, n)).to_owned();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), power.abs())
}

/// Without the zeros at the end of a fraction, nor a point after which there is nothing.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7.0.15 answers `ZSCORE`.
    #[test]
    fn numbers_are_printed_as_redis_prints_them() {
        for (n, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (3.25, "3.25"),
            (0.1, "0.10000000000000001"),
            (-0.3, "-0.29999999999999999"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e300, "1.0000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9007199254740993.5, "9007199254740994"),
            (999999.99999999999, "1000000"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(double_text(n), text);
        }
    }
}
