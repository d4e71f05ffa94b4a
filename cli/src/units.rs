//! Numbers as people write them: bytes, counts, durations, moments.

use bitcask_core::UnixMillis;
use std::time::Duration;

/// `12.3 MiB`
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1,234,567`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `2026-11-20 13:05:09.123 UTC`
pub fn moment(at: UnixMillis) -> String {
    let (days, ms) = (at.0 / 86_400_000, at.0 % 86_400_000);
    // Years that begin in March, so that the odd day comes last, in eras of four hundred.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03} UTC", ms % 1000)
}

/// `64kb`, `1GiB`, `100`: the units of Redis' configuration, upper or lower case; `kb` and `KiB` are 1024.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = split(&lower);
    let factor = match unit {
        "" | "b" => 1,
        "k" => 1000,
        "kb" | "kib" => 1 << 10,
        "m" => 1_000_000,
        "mb" | "mib" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" | "gib" => 1 << 30,
        _ => return Err("not a number of bytes such as 4096, 64mb or 1GiB".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes such as 64mb")?;
    number.checked_mul(factor).ok_or_else(|| "too many bytes".into())
}

/// `90`, `90s`, `500ms`, `15m`, `2h`, `7d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split(text);
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("not a duration such as 90, 500ms, 15m, 2h or 7d".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "not a duration such as 90 or 15m")?;
    let ms = number.checked_mul(factor).filter(|ms| *ms < 1 << 47);
    ms.map(Duration::from_millis).ok_or_else(|| "too long".into())
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [bytes(1023), bytes(1536), bytes((1 << 20) - 1)],
            ["1023 B", "1.5 KiB", "1.0 MiB"]
        );
        assert_eq!([count(999), count(1_000), count(1_234_567)], ["999", "1,000", "1,234,567"]);
        assert_eq!(moment(UnixMillis(0)), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(moment(UnixMillis(1_709_251_199_999)), "2024-02-29 23:59:59.999 UTC");
        assert_eq!(moment(UnixMillis(4_107_542_400_000)), "2100-03-01 00:00:00.000 UTC");
    }

    #[test]
    fn units_are_understood_and_nonsense_is_not() {
        assert_eq!(parse_bytes("64mb"), Ok(64 << 20));
        assert_eq!(parse_bytes("1GiB"), Ok(1 << 30));
        assert_eq!(parse_bytes("5 k"), Ok(5000));
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "x", "-1", "1y", "99999999999999999999"] {
            assert!(parse_bytes(wrong).is_err() && parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
