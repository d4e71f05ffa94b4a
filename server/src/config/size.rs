//! Numbers of bytes as people write them.

/// Reads a number of bytes with an optional unit, in any case: `b`; `k`, `m`, `g` are powers of 1000 and
/// `kb`, `mb`, `gb`, `KiB`, `MiB`, `GiB` powers of 1024, as in the configuration of Redis.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" | "kib" => 1 << 10,
        "m" => 1_000_000,
        "mb" | "mib" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn units_are_those_of_redis_and_the_binary_ones() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("64mb", Some(64 << 20)),
            ("64MiB", Some(64 << 20)),
            ("1 GB", Some(1 << 30)),
            ("5k", Some(5000)),
            ("12b", Some(12)),
            ("", None),
            ("mb", None),
            ("1.5mb", None),
            ("-1", None),
            ("1tb", None),
            ("99999999999999999999", None),
            ("99999999999gb", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }
}
