//! HyperLogLogs: the replies, and the bytes of their strings.

use super::words::{integer, key, offset, value, word};
use crate::compat::case::Case;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

pub fn make(random: &mut Random) -> Case {
    let args: Args = match random.weighted(&[40, 20, 10, 12, 5, 3, 2, 1, 1, 2]) {
        0 => add(random),
        1 => several(random, "PFCOUNT"),
        2 => several(random, "PFMERGE"),
        3 => vec![word(random, "GET"), log(random)],
        4 => debug(random),
        5 => vec![word(random, "STRLEN"), log(random)],
        6 => vec![word(random, "DEL"), log(random)],
        7 => return damage(random),
        8 => vec![word(random, "PFADD"), key(random), value(random)],
        _ => vec![word(random, "OBJECT"), b"ENCODING".to_vec(), log(random)],
    };
    Case::new(&args)
}

/// One of a few, which are not otherwise written to; seldom any key.
fn log(random: &mut Random) -> Vec<u8> {
    match random.below(30) {
        0 => key(random),
        _ => format!("h{}", random.below(5)).into_bytes(),
    }
}

fn add(random: &mut Random) -> Args {
    let mut args = vec![word(random, "PFADD"), log(random)];
    let count = match random.below(40) {
        0 => 600,
        1 => 60,
        2 => 0,
        _ => 1 + random.below(6),
    };
    for _ in 0..count {
        args.push(match random.below(6) {
            0 => value(random),
            1 => random.below(100).to_string().into_bytes(),
            _ => random.below(100_000).to_string().into_bytes(),
        });
    }
    args
}

fn several(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), log(random)];
    for _ in 0..random.weighted(&[12, 6, 2, 1]) {
        args.push(log(random));
    }
    args
}

fn debug(random: &mut Random) -> Args {
    let what = random.pick(&["ENCODING", "DECODE", "DECODE", "TODENSE", "GETREG", "FOO"]);
    let mut args = vec![word(random, "PFDEBUG"), word(random, what), log(random)];
    if random.one_in(15) {
        args.push(integer(random));
    }
    args
}

/// Changes the string behind their backs: its header, since Redis trusts much of what is behind that.
fn damage(random: &mut Random) -> Case {
    match random.below(3) {
        0 => {
            let at = random.below(5).to_string();
            Case::new(&[b"SETRANGE", &log(random)[..], at.as_bytes(), b"\x07"])
        }
        1 => Case::new(&[b"SETBIT", &log(random)[..], &offset_in_header(random), b"1"]),
        _ => Case::new(&[&b"SET"[..], &log(random), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xfe"]),
    }
}

fn offset_in_header(random: &mut Random) -> Vec<u8> {
    let offset = offset(random);
    match std::str::from_utf8(&offset).ok().and_then(|text| text.parse::<u64>().ok()) {
        Some(bit) => (bit % 128).to_string().into_bytes(),
        None => offset,
    }
}
