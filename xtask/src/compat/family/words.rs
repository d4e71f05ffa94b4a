//! Arguments: keys, values, numbers; odd ones among them.

use crate::random::Random;
use std::time::{SystemTime, UNIX_EPOCH};

/// One of a few keys, so that commands meet; seldom an odd one.
pub fn key(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => Vec::new(),
        1 => b"nul\x00and\xff".to_vec(),
        2 => b"with space\r\n".to_vec(),
        3 => vec![b'l'; 300],
        4 => b"trackist_song:play_2026-11-20".to_vec(),
        5 => b"trackist_song:play_2026-11".to_vec(),
        6 => format!("many:{}", random.below(200)).into_bytes(),
        _ => format!("k{}", random.below(8)).into_bytes(),
    }
}

pub fn value(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => Vec::new(),
        1..=4 => random.between(-20, 200).to_string().into_bytes(),
        5 => integer(random),
        6 => float(random),
        7 => vec![0; random.below(40) as usize],
        8 => bytes(random, 43, 46),
        9 => bytes(random, 0, 300),
        10 if random.one_in(8) => bytes(random, 4_000, 20_000),
        11 => vec![0xff; random.below(40) as usize],
        12 => b"hello world".to_vec(),
        _ => bytes(random, 0, 24),
    }
}

pub fn bytes(random: &mut Random, least: u64, most: u64) -> Vec<u8> {
    let length = least + random.below(most - least + 1);
    // Mostly few different bytes, so that values have something in common.
    let plain = random.one_in(2);
    (0..length)
        .map(|_| if plain { b'a' + random.below(4) as u8 } else { random.below(256) as u8 })
        .collect()
}

/// A number as text, sometimes at the edge of what is one, or beyond.
pub fn integer(random: &mut Random) -> Vec<u8> {
    const EDGES: &[&str] = &[
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "4294967295",
        "4294967296",
        "2147483648",
        "-2147483649",
        "18446744073709551616",
        "0",
        "-0",
        "00",
        "01",
        "+1",
        " 1",
        "1 ",
        "",
        "1.0",
        "1e3",
        "0x10",
        "abc",
        "-",
        "99999999999999999999999",
    ];
    if random.one_in(6) {
        return random.pick(EDGES).as_bytes().to_vec();
    }
    let magnitude = random.pick(&[10, 100, 1000, 1_000_000]);
    random.between(-magnitude, magnitude).to_string().into_bytes()
}

/// A small number, seldom no number.
pub fn index(random: &mut Random, most: i64) -> Vec<u8> {
    if random.one_in(30) {
        return integer(random);
    }
    random.between(-most, most).to_string().into_bytes()
}

pub fn float(random: &mut Random) -> Vec<u8> {
    const EDGES: &[&str] = &[
        "3.14",
        "-0.5",
        "1e5",
        "1.5e-3",
        "0.1",
        "0.2",
        "5.0",
        "5.0e3",
        "inf",
        "-inf",
        "nan",
        "infinity",
        "+inf",
        "1e400",
        "abc",
        "",
        " 1.5",
        "1.5 ",
        "0x1p3",
        ".5",
        "5.",
        "1e",
        "--1",
        "10000000000",
        "0.000001",
        "123456789.125",
    ];
    if random.one_in(2) {
        return random.pick(EDGES).as_bytes().to_vec();
    }
    let (whole, part) = (random.between(-1000, 1000), random.below(10_000));
    format!("{whole}.{part}").into_bytes()
}

/// An offset in bits: mostly near, sometimes in another page, seldom impossible.
pub fn offset(random: &mut Random) -> Vec<u8> {
    match random.below(200) {
        0 => integer(random),
        1 => b"4294967296".to_vec(),
        2 => b"-1".to_vec(),
        3 => random.below(1 << 22).to_string().into_bytes(),
        4..=12 => random.below(1 << 18).to_string().into_bytes(),
        13..=80 => random.below(4096).to_string().into_bytes(),
        _ => random.below(200).to_string().into_bytes(),
    }
}

/// Seconds since 1970; only to make up expiries that are far ahead or long past.
pub fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// A time to live far enough ahead not to pass before both are emptied, or none at all. Two that
/// are drawn are hardly ever the same, since which of two equal ones is later would be up to chance.
pub fn seconds(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => integer_not_soon(random),
        1 => b"0".to_vec(),
        2 => (-random.between(1, 100)).to_string().into_bytes(),
        _ => random.between(1_000, 100_000_000).to_string().into_bytes(),
    }
}

pub fn milliseconds(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => integer_not_soon(random),
        1 => b"0".to_vec(),
        2 => (-random.between(1, 100)).to_string().into_bytes(),
        _ => random.between(1_000_000, 100_000_000_000).to_string().into_bytes(),
    }
}

pub fn time_s(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => integer_not_soon(random),
        1 => random.between(-5, 5).to_string().into_bytes(),
        2 => (now_s() - 1_000).to_string().into_bytes(),
        _ => (now_s() + random.between(1_000, 100_000_000)).to_string().into_bytes(),
    }
}

pub fn time_ms(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => integer_not_soon(random),
        1 => random.between(-5, 5).to_string().into_bytes(),
        2 => ((now_s() - 1_000) * 1000).to_string().into_bytes(),
        _ => {
            let ahead = random.between(1_000_000, 100_000_000_000);
            (now_s() * 1000 + ahead).to_string().into_bytes()
        }
    }
}

/// An odd number that is not a time to live of a moment.
fn integer_not_soon(random: &mut Random) -> Vec<u8> {
    let text = integer(random);
    match std::str::from_utf8(&text).ok().and_then(|text| text.parse::<i64>().ok()) {
        Some(n) if (1..1_000_000).contains(&n) => b"9223372036854775807".to_vec(),
        _ => text,
    }
}

/// The word in upper, lower or mixed case.
pub fn word(random: &mut Random, word: &str) -> Vec<u8> {
    match random.below(6) {
        0 => word.to_ascii_lowercase().into_bytes(),
        1 => {
            let mixed = |(i, c): (usize, u8)| {
                if i % 2 == 0 { c.to_ascii_lowercase() } else { c }
            };
            word.bytes().enumerate().map(mixed).collect()
        }
        _ => word.as_bytes().to_vec(),
    }
}

/// A glob for the keys above.
pub fn glob(random: &mut Random) -> Vec<u8> {
    const GLOBS: &[&str] = &[
        "*",
        "k*",
        "k?",
        "k[0-3]",
        "k[^0-3]",
        "many:*",
        "many:1?",
        "*_2026-11*",
        "trackist_*",
        "K*",
        "",
        "nothing",
        "k[3-0]",
        "k[",
        "k[]",
        "k[\\0]",
        "\\k1",
        "*\\",
        "**1",
        "?",
        "*k*1*",
        "k[^]",
        "l*l",
        "[a-z][0-9]",
        "nul*",
        "many:[12][0-9]",
        "k\\",
        "[",
        "k[0-",
        "?*?",
    ];
    random.pick(GLOBS).as_bytes().to_vec()
}

/// How long a client would wait: never for ever, and not at all unless that is an error.
pub fn timeout(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => random.pick(&["x", "", "-1", "nan", "inf", "1e100", "1 "]).as_bytes().to_vec(),
        1 => b"1e-3".to_vec(),
        2 => b"0.002".to_vec(),
        _ => b"0.001".to_vec(),
    }
}
