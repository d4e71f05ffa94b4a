//! Sorted sets.

use super::words::{bytes, float, glob, index, integer, key, timeout, value, word};
use crate::compat::case::Case;
use crate::random::Random;

type Args = Vec<Vec<u8>>;

/// One of a few keys that mostly hold sorted sets; sometimes any.
fn zset(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => key(random),
        n => format!("zset:{}", n % 4).into_bytes(),
    }
}

/// A key whose members all have the score 0: only there does Redis say what a range by members is.
fn lex(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => b"zlex:missing".to_vec(),
        n => format!("zlex:{}", n % 2).into_bytes(),
    }
}

/// One of a few members, so that commands meet; seldom one of many, or an odd one.
fn member(random: &mut Random) -> Vec<u8> {
    match random.below(24) {
        0 => Vec::new(),
        1 => b"nul\x00and\xff".to_vec(),
        2 => vec![b'm'; random.between(63, 66) as usize],
        3 => integer(random),
        4..=7 => format!("member:{}", random.below(400)).into_bytes(),
        8 => bytes(random, 0, 12),
        _ => format!("m{}", random.below(8)).into_bytes(),
    }
}

/// Mostly small, so that many are the same.
fn score(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0 => integer(random),
        1 => float(random),
        2 => random.pick(&["inf", "-inf", "+inf", "-0", "0.1", "1e300", "-1e-300"]).into(),
        3 | 4 => format!("{}.5", random.between(-9, 9)).into_bytes(),
        5 => random.between(-1_000_000, 1_000_000).to_string().into_bytes(),
        _ => random.between(-6, 20).to_string().into_bytes(),
    }
}

/// One end of a range of scores.
fn score_end(random: &mut Random) -> Vec<u8> {
    let end = match random.below(8) {
        0 => b"-inf".to_vec(),
        1 => b"+inf".to_vec(),
        _ => score(random),
    };
    if random.one_in(4) { [b"(", &end[..]].concat() } else { end }
}

/// One end of a range of members.
fn lex_end(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0..=2 => b"-".to_vec(),
        3..=5 => b"+".to_vec(),
        6 => member(random),
        7 => b"+x".to_vec(),
        8..=11 => [b"(", &member(random)[..]].concat(),
        _ => [b"[", &member(random)[..]].concat(),
    }
}

pub fn make(random: &mut Random) -> Case {
    let weights = [24, 5, 10, 8, 3, 5, 4, 5, 5, 16, 6, 4, 12, 8, 6, 6, 14, 4, 6, 3, 5];
    let args: Args = match random.weighted(&weights) {
        0 => add(random),
        1 => vec![word(random, "ZINCRBY"), zset(random), score(random), member(random)],
        2 => many(random, "ZREM"),
        3 => vec![word(random, "ZSCORE"), zset(random), member(random)],
        4 => many(random, "ZMSCORE"),
        5 => vec![word(random, "ZCARD"), zset(random)],
        6 => vec![word(random, "ZCOUNT"), zset(random), score_end(random), score_end(random)],
        7 => vec![word(random, "ZRANK"), zset(random), member(random)],
        8 => vec![word(random, "ZREVRANK"), zset(random), member(random)],
        9 => range(random),
        10 => older_range(random),
        11 => store_range(random),
        12 => by_lex(random),
        13 => remove_range(random),
        14 => pop(random),
        15 => pop_of_many(random),
        16 => combine(random),
        17 => random_member(random),
        18 => scan(random),
        19 => count_common(random),
        _ => about(random),
    };
    Case::new(&args)
}

fn add(random: &mut Random) -> Args {
    let mut args = vec![word(random, "ZADD")];
    let lexical = random.one_in(4);
    args.push(if lexical { lex(random) } else { zset(random) });
    for _ in 0..random.below(6).saturating_sub(3) {
        let option = random.pick(&["NX", "XX", "GT", "LT", "CH", "CH", "INCR", "FOO"]);
        // Scores are to stay 0, and what is added is not to be added to.
        if !(lexical && option == "INCR") {
            args.push(word(random, option));
        }
    }
    // Sometimes so many that it gets larger than what Redis keeps packed.
    let count = if random.one_in(40) { 100 + random.below(100) } else { 1 + random.below(4) };
    for _ in 0..count {
        args.push(if lexical { b"0".to_vec() } else { score(random) });
        args.push(member(random));
    }
    if random.one_in(25) {
        args.push(score(random));
    }
    args
}

fn many(random: &mut Random, name: &str) -> Args {
    let mut args = vec![word(random, name), zset(random)];
    let most = if random.one_in(20) { 60 } else { 4 };
    for _ in 0..=random.below(most) {
        args.push(member(random));
    }
    args
}

fn limit(random: &mut Random, args: &mut Args) {
    args.extend([word(random, "LIMIT"), index(random, 9), index(random, 9)]);
    if random.one_in(15) {
        args.pop();
    }
}

fn options(random: &mut Random, args: &mut Args, words: &[&str]) {
    for _ in 0..random.below(3) {
        match random.below(4) {
            0 => limit(random, args),
            _ => {
                let option = random.pick(words);
                args.push(word(random, option));
            }
        }
    }
}

fn range(random: &mut Random) -> Args {
    let mut args = vec![word(random, "ZRANGE"), zset(random)];
    match random.below(3) {
        0 => {
            args.extend([score_end(random), score_end(random), word(random, "BYSCORE")]);
            options(random, &mut args, &["WITHSCORES", "REV", "REV", "BYSCORE"]);
        }
        _ => {
            args.extend([index(random, 12), index(random, 12)]);
            options(random, &mut args, &["WITHSCORES", "WITHSCORES", "REV", "FOO"]);
        }
    }
    args
}

fn older_range(random: &mut Random) -> Args {
    let name = random.pick(&["ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]);
    let mut args = vec![word(random, name), zset(random)];
    for _ in 0..2 {
        args.push(if name == "ZREVRANGE" { index(random, 12) } else { score_end(random) });
    }
    options(random, &mut args, &["WITHSCORES", "WITHSCORES", "WITHSCORES", "REV", "BYSCORE"]);
    args
}

fn store_range(random: &mut Random) -> Args {
    let mut args = vec![word(random, "ZRANGESTORE"), zset(random), zset(random)];
    if random.one_in(2) {
        args.extend([score_end(random), score_end(random), word(random, "BYSCORE")]);
    } else {
        args.extend([index(random, 30), index(random, 30)]);
    }
    options(random, &mut args, &["REV", "REV", "REV", "WITHSCORES"]);
    args
}

fn by_lex(random: &mut Random) -> Args {
    let name = random.pick(&[
        "ZRANGEBYLEX",
        "ZREVRANGEBYLEX",
        "ZLEXCOUNT",
        "ZREMRANGEBYLEX",
        "ZRANGE",
        "ZRANGESTORE",
    ]);
    let mut args = vec![word(random, name)];
    if name == "ZRANGESTORE" {
        args.push(format!("zlex:{}", random.below(2)).into_bytes());
    }
    args.extend([lex(random), lex_end(random), lex_end(random)]);
    match name {
        "ZLEXCOUNT" | "ZREMRANGEBYLEX" => {}
        "ZRANGE" | "ZRANGESTORE" => {
            args.push(word(random, "BYLEX"));
            options(random, &mut args, &["REV", "REV", "REV", "WITHSCORES"]);
        }
        _ => options(random, &mut args, &["WITHSCORES"]),
    }
    args
}

fn remove_range(random: &mut Random) -> Args {
    if random.one_in(2) {
        let (start, stop) = (index(random, 12), index(random, 4));
        return vec![word(random, "ZREMRANGEBYRANK"), zset(random), start, stop];
    }
    let (min, max) = (score_end(random), score_end(random));
    vec![word(random, "ZREMRANGEBYSCORE"), zset(random), min, max]
}

fn pop(random: &mut Random) -> Args {
    if random.one_in(4) {
        let name = random.pick(&["BZPOPMIN", "BZPOPMAX"]);
        let mut args = vec![word(random, name)];
        for _ in 0..=random.below(3) {
            args.push(zset(random));
        }
        args.push(timeout(random));
        return args;
    }
    let name = random.pick(&["ZPOPMIN", "ZPOPMAX"]);
    let mut args = vec![word(random, name), zset(random)];
    if random.one_in(2) {
        args.push(index(random, 6));
    }
    if random.one_in(20) {
        args.push(b"1".to_vec());
    }
    args
}

/// A number of keys, mostly the right one, and these.
fn keys(random: &mut Random, args: &mut Args) -> u64 {
    let count = 1 + random.below(3);
    args.push(match random.below(20) {
        0 => integer(random),
        1 => (count + 2).to_string().into_bytes(),
        2 => b"0".to_vec(),
        _ => count.to_string().into_bytes(),
    });
    for _ in 0..count {
        args.push(zset(random));
    }
    count
}

fn pop_of_many(random: &mut Random) -> Args {
    let mut args = match random.one_in(4) {
        true => vec![word(random, "BZMPOP"), timeout(random)],
        false => vec![word(random, "ZMPOP")],
    };
    keys(random, &mut args);
    let side = random.pick(&["MIN", "MAX", "MIN", "MAX", "MID"]);
    args.push(word(random, side));
    for _ in 0..random.below(5).saturating_sub(3) + random.below(2) {
        args.extend([word(random, "COUNT"), index(random, 5)]);
    }
    args
}

fn combine(random: &mut Random) -> Args {
    let name = random.pick(&["ZUNION", "ZINTER", "ZDIFF"]);
    let stores = random.one_in(2);
    let mut args = if stores {
        vec![word(random, &format!("{name}STORE")), zset(random)]
    } else {
        vec![word(random, name)]
    };
    let count = keys(random, &mut args);
    for _ in 0..random.below(3) {
        match random.below(5) {
            0 | 1 => {
                args.push(word(random, "WEIGHTS"));
                let odd = u64::from(random.one_in(12));
                for _ in 0..count + odd {
                    args.push(match random.below(4) {
                        0 => score(random),
                        _ => random.pick(&["1", "2", "-1", "0", "0.1"]).into(),
                    });
                }
            }
            2 | 3 => {
                let how = random.pick(&["SUM", "MIN", "MAX", "MAX", "AVG"]);
                args.extend([word(random, "AGGREGATE"), word(random, how)]);
            }
            _ => args.push(word(random, "WITHSCORES")),
        }
    }
    args
}

fn count_common(random: &mut Random) -> Args {
    let mut args = vec![word(random, "ZINTERCARD")];
    keys(random, &mut args);
    if random.one_in(2) {
        args.extend([word(random, "LIMIT"), index(random, 6)]);
    }
    args
}

/// Which members it answers is up to chance: as many of them, of an array of the same kind.
fn random_member(random: &mut Random) -> Args {
    let mut args = vec![word(random, "ZRANDMEMBER"), zset(random)];
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
        // A great negative number would be answered with as many members.
        0 | 1 if !large => args.push(word(random, "WITHSCORES")),
        2 => args.push(word(random, "WITHSCORE")),
        3 if random.one_in(4) => args.extend([word(random, "WITHSCORES"), b"x".to_vec()]),
        _ => {}
    }
    if large && args[2].starts_with(b"-") {
        args[2] = b"-9223372036854775808".to_vec();
    }
    args
}

fn scan(random: &mut Random) -> Args {
    let cursor = if random.one_in(8) { integer(random) } else { b"0".to_vec() };
    let mut args = vec![word(random, "ZSCAN"), zset(random), cursor];
    for _ in 0..random.below(3) {
        match random.below(5) {
            0 | 1 => args.extend([word(random, "COUNT"), index(random, 50)]),
            2 | 3 => args.extend([word(random, "MATCH"), glob(random)]),
            _ => args.push(word(random, "TYPE")),
        }
    }
    args
}

/// What other families ask of keys, asked of sorted sets.
fn about(random: &mut Random) -> Args {
    match random.below(8) {
        0 => vec![word(random, "TYPE"), zset(random)],
        1 => vec![word(random, "OBJECT"), b"ENCODING".to_vec(), zset(random)],
        2 => vec![word(random, "DEL"), zset(random)],
        3 => vec![word(random, "RENAME"), zset(random), zset(random)],
        4 => vec![word(random, "COPY"), zset(random), zset(random), b"REPLACE".to_vec()],
        5 => vec![word(random, "SET"), zset(random), value(random)],
        6 => vec![word(random, "GET"), zset(random)],
        _ => vec![word(random, "EXPIRE"), zset(random), b"100000".to_vec()],
    }
}
