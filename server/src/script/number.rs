//! Numbers as C's `%.*g` prints them: Lua, cjson and Redis' arguments all do, with different precisions.

/// `number` with at most `precision` significant digits (1 to 17) and no trailing zeros.
pub(super) fn general(number: f64, precision: usize) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let precision = precision.max(1);
    // Rounded to that many digits, which decides about the exponent.
    let scientific = format!("{number:.*e}", precision - 1);
    let (digits, exponent) = scientific.split_once('e').expect("it was written so");
    let exponent: i32 = exponent.parse().expect("it was written so");
    if exponent < -4 || exponent >= precision as i32 {
        let digits = trimmed(digits);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    trimmed(&format!("{number:.decimals$}")).to_owned()
}

/// Without zeros at the end of the fraction, and without a point at its end.
fn trimmed(digits: &str) -> &str {
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    }
}

/// What C makes of a number that it casts to a 64-bit integer, on the machines that Redis runs on: what does
/// not fit is the least one.
pub(super) fn truncated(number: f64) -> i64 {
    // -2^63 fits, 2^63 does not.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_c_prints_them() {
        for (number, precision, text) in [
            (0.1, 17, "0.10000000000000001"),
            (1.5, 17, "1.5"),
            (1e17, 17, "1e+17"),
            (1e16, 17, "10000000000000000"),
            (-0.0, 17, "-0"),
            (0.0, 14, "0"),
            (1e14, 14, "1e+14"),
            (1e13, 14, "10000000000000"),
            (123_456_789_012_345_678.0, 14, "1.2345678901235e+17"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (9.999_999_999_999_999, 14, "10"),
            (2.5, 3, "2.5"),
            (f64::INFINITY, 14, "inf"),
            (1e300, 17, "1.0000000000000001e+300"),
        ] {
            assert_eq!(general(number, precision), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_the_least_integer() {
        assert_eq!(truncated(3.99), 3);
        assert_eq!(truncated(-3.99), -3);
        for number in [f64::NAN, f64::INFINITY, 1e30, -1e30, 9_223_372_036_854_775_808.0] {
            assert_eq!(truncated(number), i64::MIN);
        }
    }
}
