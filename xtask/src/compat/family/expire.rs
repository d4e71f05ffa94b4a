//! Expiry: times far ahead or long past, compared with a tolerance; and keys that expire in a moment.

use super::words::{key, milliseconds, seconds, time_ms, time_s, value, word};
use crate::compat::case::{Case, Step};
use crate::random::Random;

type Args = Vec<Vec<u8>>;

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    if random.one_in(200) {
        return moment(random, out);
    }
    out.push(Step::Send(one(random)));
}

pub fn one(random: &mut Random) -> Case {
    let plain = |random: &mut Random, name: &str| -> Args { vec![word(random, name), key(random)] };
    let args = match random.below(12) {
        0 | 1 => set(random, "EXPIRE", seconds),
        2 | 3 => set(random, "PEXPIRE", milliseconds),
        4 => set(random, "EXPIREAT", time_s),
        5 => set(random, "PEXPIREAT", time_ms),
        6 => plain(random, "TTL"),
        7 | 8 => plain(random, "PTTL"),
        9 => plain(random, "EXPIRETIME"),
        10 => plain(random, "PEXPIRETIME"),
        _ => plain(random, "PERSIST"),
    };
    Case::new(&args)
}

fn set(random: &mut Random, name: &str, time: fn(&mut Random) -> Vec<u8>) -> Args {
    let mut args = vec![word(random, name), key(random), time(random)];
    for _ in 0..random.weighted(&[6, 4, 1]) {
        let option = random.pick(&["NX", "XX", "GT", "LT", "NX", "XX", "GT", "LT", "FOO"]);
        args.push(word(random, option));
    }
    args
}

/// A key that is gone after a moment, for every command that looks.
fn moment(random: &mut Random, out: &mut Vec<Step>) {
    let key = key(random);
    let ms = (1 + random.below(8)).to_string().into_bytes();
    let value = value(random);
    match random.below(4) {
        0 => out.push(send(&[b"SET", &key, &value, b"PX", &ms])),
        1 => out.push(send(&[b"PSETEX", &key, &ms, &value])),
        2 => {
            out.push(send(&[b"SET", &key, &value]));
            out.push(send(&[b"PEXPIRE", &key, &ms]));
        }
        _ => {
            out.push(send(&[b"SETBIT", &key, b"77", b"1"]));
            out.push(send(&[b"PEXPIRE", &key, &ms]));
        }
    }
    out.push(Step::Pause);
    let looks: &[&[&[u8]]] = &[
        &[b"GET", &key],
        &[b"EXISTS", &key],
        &[b"TTL", &key],
        &[b"PEXPIRETIME", &key],
        &[b"KEYS", b"*"],
        &[b"SETNX", &key, b"again"],
        &[b"APPEND", &key, b"again"],
        &[b"SETBIT", &key, b"3", b"1"],
        &[b"INCR", &key],
        &[b"RENAME", &key, b"k0"],
        &[b"COPY", &key, b"k0", b"REPLACE"],
        &[b"PERSIST", &key],
        &[b"DEL", &key],
        &[b"BITOP", b"OR", b"k0", &key, b"k1"],
        &[b"GETEX", &key, b"PERSIST"],
        &[b"TYPE", &key],
        &[b"SET", &key, b"x", b"XX", b"GET"],
        &[b"SETRANGE", &key, b"2", b"xy"],
        &[b"BITFIELD", &key, b"INCRBY", b"u8", b"0", b"1"],
        &[b"MOVE", &key, b"1"],
        &[b"TOUCH", &key],
        &[b"RANDOMKEY"],
    ];
    out.push(send(random.pick(looks)));
    // Whoever has not noticed yet does now, so that DBSIZE agrees from here on.
    out.push(send(&[b"EXISTS", &key]));
    out.push(send(&[b"GET", &key]));
}

fn send(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args))
}
