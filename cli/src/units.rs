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

/// What [`moment`] prints, with or without its end, or milliseconds since 1970.
pub fn parse_moment(text: &str) -> Result<UnixMillis, String> {
    if let Ok(ms) = text.parse() {
        return Ok(UnixMillis(ms));
    }
    let wrong = || "not a time such as 2026-11-20, 2026-11-20 13:05:09 or 1795179909000".to_owned();
    let text = text.trim_end_matches("UTC").trim_end_matches('Z').trim();
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let numbers = |text: &str, separator| {
        text.split(separator).map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let fraction = format!("{fraction:0<3}");
    let (Some(date), Some(time), Ok(ms)) =
        (numbers(date, '-'), numbers(time, ':'), fraction.parse::<u64>())
    else {
        return Err(wrong());
    };
    let ([year, month, day], [hour, minute, second]) = (&date[..], &time[..]) else {
        return Err(wrong());
    };
    if !(1970..10_000).contains(year) || !(1..=12).contains(month) || !(1..=31).contains(day) {
        return Err(wrong());
    }
    // As in `moment`: years begin in March.
    let year = if *month <= 2 { year - 1 } else { *year };
    let month = (month + 9) % 12;
    let (era, year) = (year / 400, year % 400);
    let day = (153 * month + 2) / 5 + day - 1 + 365 * year + year / 4 - year / 100;
    if *hour > 23 || *minute > 59 || *second > 59 || ms > 999 {
        return Err(wrong());
    }
    let at = (era * 146_097 + day - 719_468) * 86_400_000;
    let at = UnixMillis(at + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms);
    // A day or an hour that there is not would be another one.
    let is_real = moment(at).starts_with(text.replace('T', " ").as_str());
    if is_real && fraction.len() == 3 { Ok(at) } else { Err(wrong()) }
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
    fn a_moment_that_is_printed_can_be_typed() {
        for ms in [0, 1, 951_782_400_000, 1_709_251_199_999, 4_107_542_400_000, 1_795_179_909_120] {
            assert_eq!(parse_moment(&moment(UnixMillis(ms))), Ok(UnixMillis(ms)));
        }
        assert_eq!(parse_moment("1970-01-02"), Ok(UnixMillis(86_400_000)));
        assert_eq!(parse_moment("1970-01-01T00:00:01.5Z"), Ok(UnixMillis(1500)));
        assert_eq!(parse_moment("1234"), Ok(UnixMillis(1234)));
        let wrong = [
            "",
            "x",
            "1970-02-30",
            "1970-13-01",
            "1970-01-01 25:00:00",
            "1969-12-31",
            "1970-01-01 1:2",
        ];
        for wrong in wrong {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
        assert!(parse_moment("1970-01-01 00:00:00.0001").is_err());
        assert!(parse_moment("1970-01-01 99999999999999999999:00:00").is_err());
        assert!(parse_moment("1970-01-01 9999999999999999999:00:00").is_err());
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
