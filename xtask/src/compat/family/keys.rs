//! Keys, whatever they hold.

use super::words::{glob, index, integer, key, value, word};
use crate::compat::case::{Case, Step};
use crate::compat::state::DATABASES;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    if random.one_in(60) {
        return out.push(Step::Scan(scan_options(random)));
    }
    out.push(Step::Send(one(random)));
}

pub fn one(random: &mut Random) -> Case {
    let args: Args = match random.weighted(&[12, 6, 10, 8, 5, 2, 3, 12, 6, 10, 8, 4, 2]) {
        0 => several(random, "DEL"),
        1 => several(random, "UNLINK"),
        2 => several(random, "EXISTS"),
        3 => vec![word(random, "TYPE"), key(random)],
        4 => vec![word(random, "KEYS"), glob(random)],
        5 => wrong_scan(random),
        6 => vec![word(random, "RANDOMKEY")],
        7 => vec![word(random, "RENAME"), key(random), key(random)],
        8 => vec![word(random, "RENAMENX"), key(random), key(random)],
        9 => copy(random),
        10 => vec![word(random, "MOVE"), key(random), database(random)],
        11 => several(random, "TOUCH"),
        _ => {
            let odd = random.pick(&["ENCODING", "FOO", "HELP2"]);
            vec![word(random, "OBJECT"), word(random, odd), key(random)]
        }
    };
    Case::new(&args)
}

pub fn database(random: &mut Random) -> Vec<u8> {
    if random.one_in(15) {
        return random.pick(&["16", "-1", "abc", "", "99999999999999999999"]).as_bytes().to_vec();
    }
    random.below(u64::from(DATABASES)).to_string().into_bytes()
}

fn several(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name)];
    for _ in 0..=random.weighted(&[6, 2, 1, 1]) {
        args.push(key(random));
    }
    args
}

fn copy(random: &mut Random) -> Args {
    let mut args = vec![word(random, "COPY"), key(random), key(random)];
    for _ in 0..random.weighted(&[5, 5, 2]) {
        match random.below(8) {
            0..=2 => args.extend([word(random, "DB"), database(random)]),
            3..=6 => args.push(word(random, "REPLACE")),
            _ => args.push(value(random)),
        }
    }
    args
}

/// Options of a SCAN that is right.
fn scan_options(random: &mut Random) -> Args {
    let mut args = Args::new();
    if random.one_in(2) {
        args.extend([word(random, "MATCH"), glob(random)]);
    }
    if random.one_in(2) {
        let count = 1 + random.below(50);
        args.extend([word(random, "COUNT"), count.to_string().into_bytes()]);
    }
    if random.one_in(4) {
        let kind = random.pick(&["string", "hash", "STRING", "zset"]);
        args.extend([word(random, "TYPE"), kind.as_bytes().to_vec()]);
    }
    args
}

/// A SCAN that is wrong: the cursor is not one, or an option is not.
fn wrong_scan(random: &mut Random) -> Args {
    let mut args = vec![word(random, "SCAN")];
    if random.one_in(2) {
        let cursor = random.pick(&["abc", "-", "1x", "18446744073709551616", " 0"]);
        args.push(cursor.as_bytes().to_vec());
        return args;
    }
    args.push(b"0".to_vec());
    match random.below(5) {
        0 => args.extend([word(random, "COUNT"), b"0".to_vec()]),
        1 => args.extend([word(random, "COUNT"), b"x".to_vec()]),
        2 => args.push(word(random, "MATCH")),
        3 => args.extend([b"FOO".to_vec(), integer(random)]),
        _ => args.extend([word(random, "COUNT"), b"-5".to_vec(), index(random, 3)]),
    }
    args
}
