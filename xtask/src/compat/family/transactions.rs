//! Transactions: what is queued, what aborts, and what another client does to watched keys.

use super::words::{key, value, word};
use super::{arity, bitmaps, expire, hyperloglog, keys, strings};
use crate::compat::case::{Case, Step};
use crate::compat::compare::Compare;
use crate::random::Random;

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    match random.below(12) {
        0 => {
            let name = random.pick(&["EXEC", "DISCARD", "UNWATCH"]);
            out.push(Step::Send(Case::new(&[word(random, name)])));
        }
        1..=5 => whole(random, out),
        6 => aborted(random, out),
        7..=10 => watched(random, out),
        _ => mark(random, out),
    }
}

fn send(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args))
}

/// Any command that may be queued and leaves the connection as it is.
fn any(random: &mut Random) -> Case {
    match random.below(9) {
        0..=2 => strings::make(random),
        3..=5 => bitmaps::one(random),
        6 => expire::one(random),
        7 => hyperloglog::make(random),
        _ => keys::one(random),
    }
}

fn whole(random: &mut Random, out: &mut Vec<Step>) {
    out.push(Step::Send(Case::new(&[word(random, "MULTI")])));
    let mut each = Vec::new();
    for _ in 0..random.below(8) {
        match random.below(30) {
            // Refused at once, and not queued.
            0 => out.push(send(&[b"MULTI"])),
            1 => out.push(send(&[b"WATCH", b"k1"])),
            _ => {
                let case = any(random);
                each.push(case.compare.clone());
                out.push(Step::Send(case.compared(Compare::Exact)));
            }
        }
    }
    if random.one_in(6) {
        out.push(Step::Send(Case::new(&[word(random, "DISCARD")])));
    } else {
        let exec = Case::new(&[word(random, "EXEC")]);
        out.push(Step::Send(exec.compared(Compare::Exec(each))));
    }
}

fn aborted(random: &mut Random, out: &mut Vec<Step>) {
    out.push(send(&[b"MULTI"]));
    out.push(send(&[b"SET", &key(random), b"lost"]));
    match random.below(3) {
        0 => out.push(send(&[b"NOSUCHCOMMAND", &value(random)])),
        1 => out.push(send(&[b"GET"])),
        _ => out.push(Step::Send(arity::wrong_count(random))),
    }
    out.push(send(&[b"INCR", b"k1"]));
    out.push(send(&[if random.one_in(4) { b"DISCARD".as_slice() } else { b"EXEC" }]));
}

/// A mark as bitmapist sends it.
fn mark(random: &mut Random, out: &mut Vec<Step>) {
    let id = random.below(100_000).to_string();
    out.push(send(&[b"MULTI"]));
    for key in ["trackist_song:play_2026-11", "trackist_song:play_W2026-47", "k1", "k2"] {
        out.push(send(&[b"SETBIT", key.as_bytes(), id.as_bytes(), b"1"]));
    }
    out.push(send(&[b"EXEC"]));
}

fn watched(random: &mut Random, out: &mut Vec<Step>) {
    let key = key(random);
    let other = super::words::key(random);
    if random.one_in(5) {
        return expires_while_watched(random, &key, out);
    }
    if random.one_in(2) {
        out.push(send(&[b"SET", &key, b"here"]));
    }
    out.push(send(&[b"WATCH", &key, &other]));
    if random.one_in(6) {
        out.push(send(&[b"UNWATCH"]));
    }
    let bit = random.below(20).to_string().into_bytes();
    let changes: &[&[&[u8]]] = &[
        &[b"SET", &key, b"changed"],
        &[b"GET", &key],
        &[b"DEL", &key],
        &[b"SETBIT", &key, &bit, b"1"],
        &[b"SETBIT", &key, &bit, b"0"],
        &[b"APPEND", &key, b""],
        &[b"APPEND", &key, b"x"],
        &[b"EXPIRE", &key, b"100000"],
        &[b"PERSIST", &key],
        &[b"EXPIRE", &key, b"-1"],
        &[b"SETRANGE", &key, b"0", b""],
        &[b"SETRANGE", &key, b"1", b"y"],
        &[b"RENAME", &key, b"k0"],
        &[b"RENAME", b"k0", &key],
        &[b"COPY", b"k0", &key, b"REPLACE"],
        &[b"MOVE", &key, b"1"],
        &[b"BITOP", b"NOT", &key, b"k1"],
        &[b"BITOP", b"AND", &key, b"nothing", b"nothere"],
        &[b"BITFIELD", &key, b"SET", b"u4", b"0", b"3"],
        &[b"BITFIELD", &key, b"GET", b"u4", b"0"],
        &[b"SETNX", &key, b"new"],
        &[b"GETDEL", &key],
        &[b"GETEX", &key, b"PERSIST"],
        &[b"INCR", &key],
        &[b"FLUSHDB"],
        &[b"FLUSHALL"],
        &[b"TOUCH", &key],
        &[b"PFADD", &key, b"a"],
        &[b"PFCOUNT", &key],
        &[b"PFMERGE", &key, b"h1"],
        &[b"SET", &other, b"changed"],
        &[b"UNLINK", &other],
        &[b"MSET", &other, b"1", b"k5", b"2"],
    ];
    let change = Case::new(random.pick(changes));
    match random.below(4) {
        // Its own change counts, too.
        0 => out.push(Step::Send(change)),
        1 => {}
        _ => out.push(Step::Aside(change)),
    }
    out.push(send(&[b"MULTI"]));
    out.push(send(&[b"INCRBY", b"counter", b"1"]));
    out.push(send(&[b"STRLEN", &key]));
    if random.one_in(5) {
        // While it is queued.
        out.push(Step::Aside(Case::new(random.pick(changes))));
    }
    out.push(send(&[b"EXEC"]));
    out.push(send(&[b"UNWATCH"]));
}

fn expires_while_watched(random: &mut Random, key: &[u8], out: &mut Vec<Step>) {
    if !random.one_in(8) {
        return;
    }
    out.push(send(&[b"SET", key, b"soon gone", b"PX", b"6"]));
    if random.one_in(3) {
        out.push(Step::Pause);
    }
    out.push(send(&[b"WATCH", key]));
    out.push(Step::Pause);
    out.push(send(&[b"MULTI"]));
    out.push(send(&[b"EXISTS", key]));
    out.push(send(&[b"EXEC"]));
    out.push(send(&[b"EXISTS", key]));
    out.push(send(&[b"UNWATCH"]));
}
