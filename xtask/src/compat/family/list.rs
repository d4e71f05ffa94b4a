//! Lists, and what waits for them without having to.

use super::words::{bytes, index, integer, key, timeout, value, word};
use crate::compat::case::Case;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

/// One of a few keys that mostly hold lists; sometimes any.
fn list(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => key(random),
        n => format!("list:{}", n % 4).into_bytes(),
    }
}

/// One of a few elements, so that they meet; seldom an odd one.
fn element(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0 => Vec::new(),
        1 => b"nul\x00and\xff".to_vec(),
        2 => integer(random),
        3 => bytes(random, 0, 90),
        4 => value(random),
        _ => format!("e{}", random.below(6)).into_bytes(),
    }
}

fn end(random: &mut Random) -> Vec<u8> {
    match random.below(30) {
        0 => b"middle".to_vec(),
        n if n % 2 == 0 => word(random, "LEFT"),
        _ => word(random, "RIGHT"),
    }
}

fn count(random: &mut Random) -> Vec<u8> {
    if random.one_in(10) { integer(random) } else { index(random, 8) }
}

pub fn make(random: &mut Random) -> Case {
    let weights = [14, 14, 4, 4, 8, 8, 5, 12, 8, 6, 8, 5, 4, 8, 8, 4, 5, 5, 3, 4, 5];
    let args: Args = match random.weighted(&weights) {
        0 => push(random, "LPUSH"),
        1 => push(random, "RPUSH"),
        2 => push(random, "LPUSHX"),
        3 => push(random, "RPUSHX"),
        4 => pop(random, "LPOP"),
        5 => pop(random, "RPOP"),
        6 => vec![word(random, "LLEN"), list(random)],
        7 => vec![word(random, "LRANGE"), list(random), index(random, 12), index(random, 12)],
        8 => vec![word(random, "LINDEX"), list(random), index(random, 12)],
        9 => vec![word(random, "LSET"), list(random), index(random, 12), element(random)],
        10 => insert(random),
        11 => vec![word(random, "LREM"), list(random), index(random, 4), element(random)],
        12 => vec![word(random, "LTRIM"), list(random), index(random, 12), index(random, 12)],
        13 => positions(random),
        14 => vec![word(random, "LMOVE"), list(random), list(random), end(random), end(random)],
        15 => vec![word(random, "RPOPLPUSH"), list(random), list(random)],
        16 => pop_of_many(random, "LMPOP", None),
        17 => {
            let name = random.pick(&["BLPOP", "BRPOP"]);
            let mut args = vec![word(random, name)];
            for _ in 0..=random.below(3) {
                args.push(list(random));
            }
            args.push(timeout(random));
            args
        }
        18 => {
            let timeout = timeout(random);
            pop_of_many(random, "BLMPOP", Some(timeout))
        }
        19 if random.one_in(2) => {
            let mut args = vec![word(random, "BLMOVE"), list(random), list(random)];
            args.extend([end(random), end(random), timeout(random)]);
            args
        }
        19 => vec![word(random, "BRPOPLPUSH"), list(random), list(random), timeout(random)],
        _ => about(random),
    };
    Case::new(&args)
}

fn push(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), list(random)];
    // Sometimes so many that it does not fit into one record.
    let count = if random.one_in(60) { 100 + random.below(400) } else { 1 + random.below(5) };
    for _ in 0..count {
        args.push(element(random));
    }
    args
}

fn pop(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), list(random)];
    if random.one_in(3) {
        args.push(count(random));
    }
    if random.one_in(40) {
        args.push(count(random));
    }
    args
}

fn insert(random: &mut Random) -> Args {
    let side = random.pick(&["BEFORE", "AFTER", "BEFORE", "AFTER", "beside"]);
    vec![
        word(random, "LINSERT"),
        list(random),
        word(random, side),
        element(random),
        element(random),
    ]
}

fn positions(random: &mut Random) -> Args {
    let mut args = vec![word(random, "LPOS"), list(random), element(random)];
    for _ in 0..random.below(4) {
        let option = random.pick(&["RANK", "COUNT", "MAXLEN", "RANK", "COUNT", "MAXLEN", "FOO"]);
        args.push(word(random, option));
        if !random.one_in(20) {
            args.push(count(random));
        }
    }
    args
}

fn pop_of_many(random: &mut Random, name: &str, timeout: Option<Vec<u8>>) -> Args {
    let mut args = vec![word(random, name)];
    args.extend(timeout);
    let keys = 1 + random.below(3);
    args.push(if random.one_in(15) { integer(random) } else { keys.to_string().into_bytes() });
    for _ in 0..keys {
        args.push(list(random));
    }
    args.push(end(random));
    if random.one_in(3) {
        args.extend([word(random, "COUNT"), count(random)]);
    }
    if random.one_in(40) {
        args.push(word(random, "COUNT"));
    }
    args
}

/// What other families ask of keys, asked of lists.
fn about(random: &mut Random) -> Args {
    match random.below(8) {
        0 => vec![word(random, "TYPE"), list(random)],
        1 => vec![word(random, "OBJECT"), b"ENCODING".to_vec(), list(random)],
        2 => vec![word(random, "DEL"), list(random)],
        3 => vec![word(random, "RENAME"), list(random), list(random)],
        4 => vec![word(random, "COPY"), list(random), list(random), b"REPLACE".to_vec()],
        5 => vec![word(random, "SET"), list(random), value(random)],
        6 => vec![word(random, "GET"), list(random)],
        _ => vec![word(random, "EXPIRE"), list(random), b"100000".to_vec()],
    }
}
