//! Strings.

use super::words::{
    float, glob, index, integer, key, milliseconds, seconds, time_ms, time_s, value, word,
};
use crate::compat::case::Case;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

pub fn make(random: &mut Random) -> Case {
    let weights = [20, 14, 3, 3, 3, 3, 3, 4, 4, 4, 3, 6, 4, 6, 2, 5, 6, 3, 5, 2];
    let args: Args = match random.weighted(&weights) {
        0 => set(random),
        1 => vec![word(random, "GET"), key(random)],
        2 => vec![word(random, "SETNX"), key(random), value(random)],
        3 => vec![word(random, "SETEX"), key(random), seconds(random), value(random)],
        4 => vec![word(random, "PSETEX"), key(random), milliseconds(random), value(random)],
        5 => vec![word(random, "GETSET"), key(random), value(random)],
        6 => vec![word(random, "GETDEL"), key(random)],
        7 => getex(random),
        8 => many(random, "MGET", |random, args| args.push(key(random))),
        9 => many(random, "MSET", pair),
        10 => many(random, "MSETNX", pair),
        11 => vec![word(random, "APPEND"), key(random), value(random)],
        12 => vec![word(random, "STRLEN"), key(random)],
        13 => vec![word(random, "GETRANGE"), key(random), index(random, 60), index(random, 60)],
        14 => vec![word(random, "SUBSTR"), key(random), index(random, 60), index(random, 60)],
        15 => setrange(random),
        16 => {
            let name = random.pick(&["INCR", "DECR"]);
            vec![word(random, name), key(random)]
        }
        17 => {
            let name = random.pick(&["INCRBY", "DECRBY"]);
            vec![word(random, name), key(random), integer(random)]
        }
        18 => vec![word(random, "INCRBYFLOAT"), key(random), float(random)],
        _ => lcs(random),
    };
    Case::new(&args)
}

fn set(random: &mut Random) -> Args {
    let mut args = vec![word(random, "SET"), key(random), value(random)];
    let count = random.weighted(&[50, 30, 12, 6, 2]);
    for _ in 0..count {
        match random.below(10) {
            0 => args.push(word(random, "NX")),
            1 => args.push(word(random, "XX")),
            2 | 3 => args.push(word(random, "GET")),
            4 => args.push(word(random, "KEEPTTL")),
            5 => args.extend([word(random, "EX"), seconds(random)]),
            6 => args.extend([word(random, "PX"), milliseconds(random)]),
            7 => args.extend([word(random, "EXAT"), time_s(random)]),
            8 => args.extend([word(random, "PXAT"), time_ms(random)]),
            _ => {
                let odd = random.pick(&["EX", "PX", "PERSIST", "FOO", "", "NXX", "EXAT"]);
                args.push(word(random, odd));
            }
        }
    }
    args
}

fn getex(random: &mut Random) -> Args {
    let mut args = vec![word(random, "GETEX"), key(random)];
    let count = random.weighted(&[30, 60, 10]);
    for _ in 0..count {
        match random.below(7) {
            0 => args.extend([word(random, "EX"), seconds(random)]),
            1 => args.extend([word(random, "PX"), milliseconds(random)]),
            2 => args.extend([word(random, "EXAT"), time_s(random)]),
            3 => args.extend([word(random, "PXAT"), time_ms(random)]),
            4 | 5 => args.push(word(random, "PERSIST")),
            _ => {
                let odd = random.pick(&["KEEPTTL", "NX", "EX", "FOO", "GET"]);
                args.push(word(random, odd));
            }
        }
    }
    args
}

fn many(random: &mut Random, name: &str, add: fn(&mut Random, &mut Args)) -> Args {
    let mut args = vec![word(random, name)];
    for _ in 0..=random.below(4) {
        add(random, &mut args);
    }
    if random.one_in(25) {
        args.push(value(random));
    }
    args
}

fn pair(random: &mut Random, args: &mut Args) {
    args.extend([key(random), value(random)]);
}

fn setrange(random: &mut Random) -> Args {
    let offset = match random.below(30) {
        0 => integer(random),
        1 => b"536870912".to_vec(),
        2 => random.below(100_000).to_string().into_bytes(),
        _ => random.below(80).to_string().into_bytes(),
    };
    // A number drawn at random may ask for half a gigabyte, which is legal and slow.
    let large = std::str::from_utf8(&offset).ok().and_then(|t| t.parse::<i64>().ok());
    let offset = match large {
        Some(n) if (1 << 20..536_870_000).contains(&n) => b"77".to_vec(),
        _ => offset,
    };
    vec![word(random, "SETRANGE"), key(random), offset, value(random)]
}

fn lcs(random: &mut Random) -> Args {
    let mut args = vec![word(random, "LCS"), key(random), key(random)];
    for _ in 0..random.below(4) {
        match random.below(6) {
            0 => args.push(word(random, "LEN")),
            1 | 2 => args.push(word(random, "IDX")),
            3 => args.push(word(random, "WITHMATCHLEN")),
            4 => args.extend([word(random, "MINMATCHLEN"), index(random, 5)]),
            _ => args.push(glob(random)),
        }
    }
    args
}
