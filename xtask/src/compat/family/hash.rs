//! Hashes.

use super::words::{bytes, float, glob, index, integer, key, value, word};
use crate::compat::case::Case;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

/// One of a few keys that mostly hold hashes; sometimes any.
fn hash(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => key(random),
        n => format!("hash:{}", n % 4).into_bytes(),
    }
}

/// One of a few fields, so that commands meet; seldom one of many, or an odd one.
fn field(random: &mut Random) -> Vec<u8> {
    match random.below(24) {
        0 => Vec::new(),
        1 => b"nul\x00and\xff".to_vec(),
        2 => vec![b'f'; random.between(63, 66) as usize],
        3 => integer(random),
        4..=7 => format!("field:{}", random.below(400)).into_bytes(),
        8 => bytes(random, 0, 12),
        _ => format!("f{}", random.below(8)).into_bytes(),
    }
}

fn content(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => vec![b'v'; random.between(63, 66) as usize],
        1 => integer(random),
        2 => float(random),
        3 | 4 => random.between(-20, 200).to_string().into_bytes(),
        _ => value(random),
    }
}

pub fn make(random: &mut Random) -> Case {
    let weights = [24, 5, 4, 12, 5, 8, 10, 6, 4, 3, 3, 4, 8, 5, 5, 5, 4];
    let args: Args = match random.weighted(&weights) {
        0 => set(random, "HSET"),
        1 => set(random, "HMSET"),
        2 => vec![word(random, "HSETNX"), hash(random), field(random), content(random)],
        3 => vec![word(random, "HGET"), hash(random), field(random)],
        4 => many(random, "HMGET"),
        5 => vec![word(random, "HGETALL"), hash(random)],
        6 => many(random, "HDEL"),
        7 => vec![word(random, "HLEN"), hash(random)],
        8 => vec![word(random, "HEXISTS"), hash(random), field(random)],
        9 => vec![word(random, "HKEYS"), hash(random)],
        10 => vec![word(random, "HVALS"), hash(random)],
        11 => vec![word(random, "HSTRLEN"), hash(random), field(random)],
        12 => vec![word(random, "HINCRBY"), hash(random), field(random), integer(random)],
        13 => vec![word(random, "HINCRBYFLOAT"), hash(random), field(random), float(random)],
        14 => random_field(random),
        15 => scan(random),
        _ => about(random),
    };
    Case::new(&args)
}

fn set(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), hash(random)];
    // Sometimes so many that it gets larger than what Redis keeps packed.
    let count = if random.one_in(40) { 100 + random.below(100) } else { 1 + random.below(4) };
    for _ in 0..count {
        args.extend([field(random), content(random)]);
    }
    if random.one_in(25) {
        args.push(field(random));
    }
    args
}

fn many(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), hash(random)];
    let most = if random.one_in(20) { 60 } else { 4 };
    for _ in 0..=random.below(most) {
        args.push(field(random));
    }
    args
}

/// Which fields it answers is up to chance: as many of them, of an array of the same kind.
fn random_field(random: &mut Random) -> Args {
    let mut args = vec![word(random, "HRANDFIELD"), hash(random)];
    if random.one_in(4) {
        return args;
    }
    args.push(match random.below(12) {
        0 => b"9223372036854775807".to_vec(),
        1 => b"-9223372036854775808".to_vec(),
        2 => b"x".to_vec(),
        _ => index(random, 12),
    });
    let large = args[2].len() > 5;
    match random.below(6) {
        // A great negative number would be answered with as many fields.
        0 | 1 if !large => args.push(word(random, "WITHVALUES")),
        2 => args.push(word(random, "WITHVALUE")),
        3 if random.one_in(4) => args.extend([word(random, "WITHVALUES"), b"x".to_vec()]),
        _ => {}
    }
    if large && args[2].starts_with(b"-") {
        args[2] = b"-9223372036854775808".to_vec();
    }
    args
}

fn scan(random: &mut Random) -> Args {
    let cursor = if random.one_in(8) { integer(random) } else { b"0".to_vec() };
    let mut args = vec![word(random, "HSCAN"), hash(random), cursor];
    for _ in 0..random.below(3) {
        match random.below(5) {
            0 | 1 => args.extend([word(random, "COUNT"), index(random, 50)]),
            2 | 3 => args.extend([word(random, "MATCH"), glob(random)]),
            _ => args.push(word(random, "TYPE")),
        }
    }
    args
}

/// What other families ask of keys, asked of hashes.
fn about(random: &mut Random) -> Args {
    match random.below(8) {
        0 => vec![word(random, "TYPE"), hash(random)],
        1 => vec![word(random, "OBJECT"), b"ENCODING".to_vec(), hash(random)],
        2 => vec![word(random, "DEL"), hash(random)],
        3 => vec![word(random, "RENAME"), hash(random), hash(random)],
        4 => vec![word(random, "COPY"), hash(random), hash(random), b"REPLACE".to_vec()],
        5 => vec![word(random, "SET"), hash(random), value(random)],
        6 => vec![word(random, "GET"), hash(random)],
        _ => vec![word(random, "EXPIRE"), hash(random), b"100000".to_vec()],
    }
}
