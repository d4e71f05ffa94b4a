//! Bitmaps.

use super::words::{glob, index, integer, key, offset, word};
use crate::compat::case::{Case, Step};
use crate::random::Random;

type Args = Vec<Vec<u8>>;

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    if random.one_in(20_000) {
        return widest(out);
    }
    out.push(Step::Send(one(random)));
}

pub fn one(random: &mut Random) -> Case {
    let args = match random.weighted(&[40, 14, 14, 14, 14, 8, 3]) {
        0 => {
            let bit = match random.below(40) {
                0 => integer(random),
                1 => b"2".to_vec(),
                n if n % 4 == 0 => b"0".to_vec(),
                _ => b"1".to_vec(),
            };
            vec![word(random, "SETBIT"), key(random), offset(random), bit]
        }
        1 => vec![word(random, "GETBIT"), key(random), offset(random)],
        2 => {
            let mut args = vec![word(random, "BITCOUNT"), key(random)];
            range(random, &mut args);
            args
        }
        3 => {
            let bit = if random.one_in(20) {
                integer(random)
            } else {
                random.below(2).to_string().into()
            };
            let mut args = vec![word(random, "BITPOS"), key(random), bit];
            if random.one_in(3) {
                args.push(index(random, 40));
            }
            if args.len() == 3 || random.one_in(2) {
                range(random, &mut args);
            }
            args
        }
        4 => bitop(random),
        5 => bitfield(random, "BITFIELD"),
        _ => bitfield(random, "BITFIELD_RO"),
    };
    Case::new(&args)
}

fn range(random: &mut Random, args: &mut Args) {
    if random.one_in(3) {
        return;
    }
    let most = random.pick(&[4, 40, 600, 40_000]);
    args.extend([index(random, most), index(random, most)]);
    match random.below(8) {
        0..=2 => args.push(word(random, "BIT")),
        3..=4 => args.push(word(random, "BYTE")),
        5 if random.one_in(8) => args.push(glob(random)),
        _ => {}
    }
}

fn bitop(random: &mut Random) -> Args {
    let name = match random.below(20) {
        0 => "NAND",
        1 => "",
        n => ["AND", "OR", "XOR", "NOT", "AND", "OR"][n as usize % 6],
    };
    let mut args = vec![word(random, "BITOP"), word(random, name), key(random)];
    let one_source = name == "NOT" && !random.one_in(10);
    for _ in 0..=if one_source { 0 } else { random.below(4) } {
        args.push(key(random));
    }
    args
}

fn bitfield(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), key(random)];
    for _ in 0..random.below(5) {
        let read_only = name == "BITFIELD_RO" && !random.one_in(12);
        match if read_only { 0 } else { random.below(8) } {
            0..=2 => args.extend([word(random, "GET"), field_type(random), field_offset(random)]),
            3..=4 => args.extend([
                word(random, "SET"),
                field_type(random),
                field_offset(random),
                integer(random),
            ]),
            5..=6 => {
                if random.one_in(2) {
                    let how = random.pick(&["WRAP", "SAT", "FAIL", "FAIL", "foo"]);
                    args.extend([word(random, "OVERFLOW"), word(random, how)]);
                }
                args.extend([
                    word(random, "INCRBY"),
                    field_type(random),
                    field_offset(random),
                    integer(random),
                ]);
            }
            _ if random.one_in(6) => args.push(word(random, "GET")),
            _ => {}
        }
    }
    args
}

fn field_type(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => b"u64".to_vec(),
        1 => b"i65".to_vec(),
        2 => b"u0".to_vec(),
        3 => b"x8".to_vec(),
        4 => b"u".to_vec(),
        n if n % 2 == 0 => format!("u{}", 1 + random.below(63)).into_bytes(),
        _ => format!("i{}", 1 + random.below(64)).into_bytes(),
    }
}

fn field_offset(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => b"-1".to_vec(),
        1 => b"#-1".to_vec(),
        2 => b"4294967296".to_vec(),
        3 => b"42949".to_vec(),
        4 => b"#".to_vec(),
        5 => format!("#{}", random.below(300)).into_bytes(),
        n if n % 3 == 0 => format!("#{}", random.below(8)).into_bytes(),
        _ => random.below(300).to_string().into_bytes(),
    }
}

/// The last bit there can be; half a gigabyte in Redis, so seldom.
fn widest(out: &mut Vec<Step>) {
    for command in [
        "SETBIT widest 4294967295 1",
        "STRLEN widest",
        "BITCOUNT widest",
        "BITPOS widest 1",
        "BITPOS widest 0",
        "GETBIT widest 4294967295",
        "GETBIT widest 4294967294",
        "GETRANGE widest 536870908 -1",
        "BITCOUNT widest -1 -1 BIT",
        "SETBIT widest 4294967295 0",
        "BITCOUNT widest",
        "STRLEN widest",
        "APPEND widest x",
        "DEL widest",
    ] {
        let args: Vec<&str> = command.split(' ').collect();
        out.push(Step::Send(Case::new(&args)));
    }
}
