//! The connection itself: database, name, protocol, silence.

use super::keys::database;
use super::words::{value, word};
use crate::compat::Protocols;
use crate::compat::case::{Case, Step};
use crate::compat::compare::Compare;
use crate::random::Random;

pub fn make(random: &mut Random, protocols: Protocols, out: &mut Vec<Step>) {
    match random.below(24) {
        0 => out.push(send(&[b"PING"])),
        1 => out.push(send(&[b"PING", &value(random)])),
        2 => out.push(send(&[b"ECHO", &value(random)])),
        3..=5 => out.push(send(&[b"SELECT", &database(random)])),
        6 => out.push(shape(&[b"CLIENT", b"ID"])),
        7 => out.push(send(&[b"CLIENT", &word(random, "GETNAME")])),
        8 | 9 => {
            let name = random.pick(&["me", "", "a b", "a\nb", "worker-1", "\u{e9}"]);
            out.push(send(&[b"CLIENT", b"SETNAME", name.as_bytes()]));
            out.push(send(&[b"CLIENT", b"GETNAME"]));
        }
        10 => out.push(shape(&[b"CLIENT", b"INFO"])),
        11 => out.push(shape(&[b"CLIENT", b"LIST"])),
        12 => {
            let listed: &[&[&[u8]]] = &[
                &[b"CLIENT", b"LIST", b"ID", b"999999"],
                &[b"CLIENT", b"LIST", b"ID", b"abc"],
                &[b"CLIENT", b"LIST", b"TYPE", b"foo"],
                &[b"CLIENT", b"LIST", b"TYPE", b"replica"],
                &[b"CLIENT", b"LIST", b"FOO"],
            ];
            out.push(send(random.pick(listed)));
        }
        13 => {
            let killed: &[&[&[u8]]] = &[
                &[b"CLIENT", b"KILL", b"ID", b"999999"],
                &[b"CLIENT", b"KILL", b"ID", b"abc"],
                &[b"CLIENT", b"KILL", b"ID", b"0"],
                &[b"CLIENT", b"KILL", b"1.2.3.4:5"],
                &[b"CLIENT", b"KILL", b"TYPE", b"foo"],
                &[b"CLIENT", b"KILL", b"SKIPME", b"maybe"],
                &[b"CLIENT", b"KILL", b"ADDR", b"1.2.3.4:5"],
                &[b"CLIENT", b"KILL", b"USER", b"nobody"],
                &[b"CLIENT", b"KILL", b"FOO", b"bar"],
            ];
            out.push(send(random.pick(killed)));
        }
        14 => {
            let way = random.pick(&["on", "OFF", "maybe", ""]);
            out.push(send(&[b"CLIENT", b"NO-EVICT", way.as_bytes()]));
        }
        15 => {
            out.push(Step::Send(Case::new(&["CLIENT", "REPLY", "SKIP"]).silent()));
            out.push(Step::Send(Case::new(&["PING"]).silent()));
            out.push(send(&[b"PING", b"heard"]));
        }
        16 => {
            out.push(Step::Send(Case::new(&["CLIENT", "REPLY", "OFF"]).silent()));
            out.push(Step::Send(Case::new(&["INCR", "silent"]).silent()));
            out.push(Step::Send(Case::new(&["NOSUCHCOMMAND"]).silent()));
            out.push(send(&[b"CLIENT", b"REPLY", b"ON"]));
            out.push(send(&[b"GET", b"silent"]));
        }
        17 => {
            let way = random.pick(&["ON", "foo", ""]);
            out.push(send(&[b"CLIENT", b"REPLY", way.as_bytes()]));
        }
        18 => out.push(send(&[b"CLIENT", b"NOSUCH", &value(random)])),
        19 => out.push(send(&[b"AUTH", &value(random)])),
        20 => {
            let user = random.pick(&["nobody", "Default", ""]);
            out.push(send(&[b"AUTH", user.as_bytes(), b"secret"]));
        }
        21 => out.push(send(&[b"AUTH", b"default", b"any"])),
        22 => hello(random, protocols, out),
        _ => reset(random, protocols, out),
    }
}

fn send(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args))
}

fn shape(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args).compared(Compare::Shape))
}

fn hello(random: &mut Random, protocols: Protocols, out: &mut Vec<Step>) {
    let version: &[u8] = match protocols {
        Protocols::Resp2 => b"2",
        Protocols::Resp3 => b"3",
        Protocols::Both => random.pick(&[b"2".as_slice(), b"3"]),
    };
    let forms: &[&[&[u8]]] = &[
        &[b"HELLO"],
        &[b"HELLO", version],
        &[b"HELLO", version, b"SETNAME", b"greeter"],
        &[b"HELLO", version, b"AUTH", b"default", b"any"],
        &[b"HELLO", version, b"AUTH", b"nobody", b"any"],
        &[b"HELLO", version, b"SETNAME", b"a b"],
        &[b"HELLO", version, b"SETNAME"],
        &[b"HELLO", version, b"FOO"],
        &[b"HELLO", b"1"],
        &[b"HELLO", b"4"],
        &[b"HELLO", b"abc"],
        &[b"HELLO", b"3.0"],
    ];
    out.push(send(random.pick(forms)));
}

/// RESET forgets the transaction, what is watched, the name, the database and the protocol.
fn reset(random: &mut Random, protocols: Protocols, out: &mut Vec<Step>) {
    if random.one_in(2) {
        out.push(send(&[b"MULTI"]));
        out.push(send(&[b"SET", b"k1", b"lost"]));
    }
    out.push(send(&[b"RESET"]));
    out.push(send(&[b"CLIENT", b"GETNAME"]));
    if protocols == Protocols::Resp3 {
        out.push(send(&[b"HELLO", b"3"]));
    }
}
