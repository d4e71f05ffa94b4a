//! Scores as text, as Redis 7.0 writes them into listpacks and reads them from there.

/// Longest text that Redis reads.
const LONGEST: usize = 127;

/// The number that `text` is; `None` for what is none, and for NaN.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST)?;
    let score: f64 = text.parse().ok()?;
    (!score.is_nan()).then_some(score)
}

/// `score` with up to 17 significant digits, which any number comes back from: C's `%.17g`.
pub(super) fn text(score: f64) -> String {
    const DIGITS: i32 = 17;
    if score.is_infinite() {
        return if score > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if score == 0.0 {
        return if score.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let scientific = format!("{score:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if !(-4..DIGITS).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs());
    }
    let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{score:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scores_are_written_as_c_writes_them() {
        for (score, wanted) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (1.5, "1.5"),
            (0.1, "0.10000000000000001"),
            (100.0, "100"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e300, "1.0000000000000001e+300"),
            (1e-4, "0.0001"),
            (1e-5, "1.0000000000000001e-05"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (123_456_789.125, "123456789.125"),
        ] {
            assert_eq!(text(score), wanted);
        }
    }

    proptest! {
        #[test]
        fn a_score_comes_back_from_its_text(bits in any::<u64>()) {
            let score = f64::from_bits(bits);
            let back = parse(text(score).as_bytes());
            prop_assert_eq!(back.map(f64::to_bits), (!score.is_nan()).then_some(bits));
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "nan", "NaN", "abc", "1 ", " 1", "1,5", &"1".repeat(200)] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
