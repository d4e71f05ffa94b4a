//! Sets, and SORT of them.

use super::words::{float, glob, index, integer, key, value, word};
use crate::compat::case::{Case, Step};
use crate::compat::compare::Compare;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

/// One of a few keys that mostly hold sets; sometimes any.
fn set(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => key(random),
        n => format!("set:{}", n % 5).into_bytes(),
    }
}

/// One of a few members, so that commands meet: mostly integers, as Redis keeps them in its own way.
fn member(random: &mut Random) -> Vec<u8> {
    match random.below(60) {
        0 => Vec::new(),
        1 => b"nul\x00and\xff".to_vec(),
        2 => vec![b'm'; random.between(63, 66) as usize],
        3 => integer(random),
        4 => float(random),
        5..=7 => format!("m{}", random.below(8)).into_bytes(),
        8..=12 => random.between(-300, 300).to_string().into_bytes(),
        _ => random.below(12).to_string().into_bytes(),
    }
}

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    let weights = [30, 10, 6, 4, 5, 5, 6, 4, 10, 10, 12, 6, 4, 14, 8, 5];
    let args: Args = match random.weighted(&weights) {
        0 => add(random),
        1 => many(random, "SREM"),
        2 => vec![word(random, "SISMEMBER"), set(random), member(random)],
        3 => many(random, "SMISMEMBER"),
        4 => vec![word(random, "SMEMBERS"), set(random)],
        5 => vec![word(random, "SCARD"), set(random)],
        6 => return pop(random, out),
        7 => random_member(random),
        8 => vec![word(random, "SMOVE"), set(random), set(random), member(random)],
        9 => {
            let name = random.pick(&["SINTER", "SUNION", "SDIFF"]);
            let mut args = vec![word(random, name)];
            sets(random, &mut args);
            args
        }
        10 => {
            let name = random.pick(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
            let mut args = vec![word(random, name), set(random)];
            sets(random, &mut args);
            args
        }
        11 => intersection_len(random),
        12 => scan(random),
        13 => return out.push(Step::Send(sort(random))),
        14 => weigh(random),
        _ => about(random),
    };
    out.push(Step::Send(Case::new(&args)));
}

fn sets(random: &mut Random, args: &mut Args) {
    for _ in 0..=random.below(4) {
        args.push(set(random));
    }
}

fn add(random: &mut Random) -> Args {
    let mut args = vec![word(random, "SADD"), set(random)];
    if random.one_in(40) {
        // Larger than what Redis keeps packed, or nearly.
        let count = 505 + random.below(20);
        args.extend((0..count).map(|n| n.to_string().into_bytes()));
        return args;
    }
    let most = if random.one_in(10) { 60 } else { 5 };
    for _ in 0..=random.below(most) {
        args.push(member(random));
    }
    args
}

fn many(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), set(random)];
    let most = if random.one_in(20) { 60 } else { 4 };
    for _ in 0..=random.below(most) {
        args.push(member(random));
    }
    args
}

/// Which members are taken is up to chance: as many are left, and then none.
fn pop(random: &mut Random, out: &mut Vec<Step>) {
    let set = set(random);
    let send = |args: Args| Step::Send(Case::new(&args));
    let mut args = vec![word(random, "SPOP"), set.clone()];
    match random.below(8) {
        0 => {
            // All of them: chance has no say.
            args.push(b"100000".to_vec());
            return out.push(Step::Send(Case::new(&args).compared(Compare::Unordered)));
        }
        1 => {
            return out
                .push(send([args, vec![random.pick(&["0", "-1", "x", ""]).into()]].concat()));
        }
        2 => return out.push(send([args, vec![b"1".to_vec(), b"2".to_vec()]].concat())),
        3 | 4 => {}
        _ => args.push(random.between(1, 40).to_string().into_bytes()),
    }
    out.push(send(args));
    out.push(send(vec![b"SCARD".to_vec(), set.clone()]));
    out.push(send(vec![b"DEL".to_vec(), set]));
}

fn random_member(random: &mut Random) -> Args {
    let mut args = vec![word(random, "SRANDMEMBER"), set(random)];
    match random.below(8) {
        0 | 1 => {}
        2 => args.push(b"9223372036854775807".to_vec()),
        3 => args.push(b"-9223372036854775808".to_vec()),
        4 => args.push(b"x".to_vec()),
        5 => args.extend([b"1".to_vec(), b"2".to_vec()]),
        // A great negative number would be answered with as many members.
        _ => args.push(random.between(-12, 12).to_string().into_bytes()),
    }
    args
}

fn intersection_len(random: &mut Random) -> Args {
    let count = 1 + random.below(3);
    let mut args = vec![word(random, "SINTERCARD")];
    args.push(if random.one_in(8) { integer(random) } else { count.to_string().into_bytes() });
    for _ in 0..count {
        args.push(set(random));
    }
    if random.one_in(2) {
        args.extend([word(random, "LIMIT"), index(random, 6)]);
    }
    if random.one_in(12) {
        args.push(word(random, "LIMIT"));
    }
    args
}

fn scan(random: &mut Random) -> Args {
    let cursor = if random.one_in(8) { integer(random) } else { b"0".to_vec() };
    let mut args = vec![word(random, "SSCAN"), set(random), cursor];
    for _ in 0..random.below(3) {
        match random.below(5) {
            0 | 1 => args.extend([word(random, "COUNT"), index(random, 50)]),
            2 | 3 => args.extend([word(random, "MATCH"), glob(random)]),
            _ => args.push(word(random, "TYPE")),
        }
    }
    args
}

/// Gives a member a weight in a key of its own.
fn weigh(random: &mut Random) -> Args {
    let member = member(random);
    let weight = match random.below(12) {
        0 => float(random),
        1 => b"heavy".to_vec(),
        2 => Vec::new(),
        _ => random.between(-5, 50).to_string().into_bytes(),
    };
    if random.one_in(3) {
        return vec![b"HSET".to_vec(), [b"wh:", &member[..]].concat(), b"f".to_vec(), weight];
    }
    vec![b"SET".to_vec(), [b"w:", &member[..]].concat(), weight]
}

/// Where the order is nobody's business, or that of equal weights, it is not compared.
fn sort(random: &mut Random) -> Case {
    let name = random.pick(&["SORT", "SORT", "SORT_RO"]);
    let mut args = vec![word(random, name), set(random)];
    let (mut alphabetic, mut by, mut unsorted, mut cut, mut got) =
        (false, false, false, false, false);
    if random.one_in(2) {
        alphabetic = true;
        args.push(word(random, "ALPHA"));
    }
    if random.one_in(3) {
        let pattern = random.pick(&["w:*", "w:*", "wh:*->f", "nosort", "*", "w:*->", "wh:*->none"]);
        (by, unsorted) = (true, !pattern.contains('*'));
        args.extend([word(random, "BY"), pattern.into()]);
    }
    if random.one_in(3) {
        let direction = random.pick(&["ASC", "DESC"]);
        args.push(word(random, direction));
    }
    if random.one_in(3) {
        cut = true;
        args.extend([word(random, "LIMIT"), index(random, 8), index(random, 8)]);
    }
    for _ in 0..random.below(6).saturating_sub(3) {
        got = true;
        let pattern = random.pick(&["#", "w:*", "wh:*->f", "*", "k*", "fixed", "wh:*", "->*"]);
        args.extend([word(random, "GET"), pattern.into()]);
    }
    if random.one_in(30) {
        args.push(random.pick(&["BY", "GET", "LIMIT", "STORE", "foo"]).into());
    }
    let stored = name == "SORT" && !(alphabetic && by) && random.one_in(5);
    if stored {
        args.extend([word(random, "STORE"), set(random)]);
    }
    let case = Case::new(&args);
    // A set without an order is sorted if it is stored.
    match (unsorted && !stored || alphabetic && by, cut || got) {
        (false, _) => case,
        (true, false) => case.compared(Compare::Unordered),
        (true, true) => case.compared(Compare::Shape),
    }
}

/// What other families ask of keys, asked of sets.
fn about(random: &mut Random) -> Args {
    match random.below(10) {
        0 => vec![word(random, "TYPE"), set(random)],
        1..=3 => vec![word(random, "OBJECT"), b"ENCODING".to_vec(), set(random)],
        4 => vec![word(random, "DEL"), set(random)],
        5 => vec![word(random, "RENAME"), set(random), set(random)],
        6 => vec![word(random, "COPY"), set(random), set(random), b"REPLACE".to_vec()],
        7 => vec![word(random, "SET"), set(random), value(random)],
        8 => vec![word(random, "HGET"), set(random), member(random)],
        _ => vec![word(random, "EXPIRE"), set(random), b"100000".to_vec()],
    }
}
