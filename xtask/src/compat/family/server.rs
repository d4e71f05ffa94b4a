//! The server: sizes, configuration, the table of commands.

use super::arity::COMMANDS;
use super::words::{key, value, word};
use crate::compat::case::{Case, Step};
use crate::compat::compare::Compare;
use crate::random::Random;

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    match random.below(24) {
        0..=5 => out.push(Step::Size),
        6 => {
            let how: &[&[&[u8]]] = &[
                &[b"FLUSHDB"],
                &[b"FLUSHDB", b"ASYNC"],
                &[b"FLUSHALL", b"sync"],
                &[b"FLUSHALL"],
                &[b"FLUSHALL", b"foo"],
                &[b"FLUSHDB", b"foo"],
                &[b"FLUSHALL", b"ASYNC", b"SYNC"],
            ];
            out.push(send(random.pick(how)));
        }
        7 => out.push(send(&[b"TIME"])),
        8 => out.push(send(&[b"LASTSAVE"])),
        9..=11 => {
            let name = random.pick(COMMANDS);
            let case = Case::new(&["COMMAND", "INFO", name]);
            out.push(Step::Send(case.compared(Compare::CommandInfo)));
        }
        12 => out.push(send(&[b"COMMAND", b"INFO", b"nosuchcommand"])),
        13 => get_keys(random, out),
        14 => config(random, out),
        15 => out.push(shape(&[b"MEMORY", b"USAGE", &key(random)])),
        16 | 17 => {
            let sub = word(random, "ENCODING");
            out.push(send(&[b"OBJECT", &sub, &key(random)]));
        }
        18 => out.push(send(&[b"DEBUG", b"SLEEP", b"0"])),
        19 => {
            let section = random.pick(&["server", "clients", "memory", "stats", "nosuch", "all"]);
            out.push(shape(&[b"INFO", section.as_bytes()]));
        }
        20 => out.push(shape(&[b"LOLWUT"])),
        21 => out.push(send(&[&value(random), &key(random), &value(random)])),
        22 if random.one_in(20) => out.push(send(&[b"SAVE"])),
        22 => out.push(shape(&[b"COMMAND", b"COUNT"])),
        _ => {
            let odd: &[&[&[u8]]] = &[
                &[b"COMMAND", b"NOSUCH"],
                &[b"CONFIG", b"NOSUCH"],
                &[b"MEMORY", b"NOSUCH"],
                &[b"SHUTDOWN", b"foo"],
                &[b"OBJECT", b"NOSUCH", b"k"],
                &[b"DEBUG"],
                &[b"COMMAND", b"COUNT", b"x"],
                &[b"MEMORY", b"USAGE"],
                &[b"TIME", b"x"],
                &[b"MEMORY", b"USAGE", b"k1", b"SAMPLES", b"-1"],
                &[b"DBSIZE", b"x"],
                &[b"MEMORY", b"USAGE", b"k1", b"FOO", b"1"],
                &[b"LASTSAVE", b"x"],
                &[b"COMMAND", b"LIST", b"FILTERBY", b"FOO", b"x"],
                &[b"SAVE", b"x"],
            ];
            out.push(send(random.pick(odd)));
        }
    }
}

fn send(args: &[&[u8]]) -> Step {
    // The empty command is no request; Redis does not answer it.
    let name: &[u8] = if args[0].is_empty() { b"x" } else { args[0] };
    let args: Vec<&[u8]> = std::iter::once(name).chain(args[1..].iter().copied()).collect();
    Step::Send(Case::new(&args))
}

fn shape(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args).compared(Compare::Shape))
}

fn config(random: &mut Random, out: &mut Vec<Step>) {
    let forms: &[&[&[u8]]] = &[
        &[b"CONFIG", b"GET", b"databases"],
        &[b"CONFIG", b"GET", b"DataBases"],
        &[b"CONFIG", b"GET", b"nosuch*"],
        &[b"CONFIG", b"GET", b"maxmemory-policy"],
        &[b"CONFIG", b"GET", b"save"],
        &[b"CONFIG", b"GET"],
        &[b"CONFIG", b"SET"],
        &[b"CONFIG", b"SET", b"maxclients"],
        &[b"CONFIG", b"SET", b"nosuch", b"1"],
        &[b"CONFIG", b"SET", b"databases", b"3"],
        &[b"CONFIG", b"SET", b"maxclients", b"abc"],
        &[b"CONFIG", b"SET", b"appendfsync", b"sometimes"],
        &[b"CONFIG", b"SET", b"appendfsync", b"no", b"appendfsync", b"no"],
        &[b"CONFIG", b"RESETSTAT"],
        &[b"CONFIG", b"RESETSTAT", b"x"],
    ];
    out.push(send(random.pick(forms)));
}

fn get_keys(random: &mut Random, out: &mut Vec<Step>) {
    let forms: &[&[&[u8]]] = &[
        &[b"COMMAND", b"GETKEYS", b"MSET", b"a", b"1", b"b", b"2"],
        &[b"COMMAND", b"GETKEYS", b"GET", b"a"],
        &[b"COMMAND", b"GETKEYS", b"BITOP", b"AND", b"d", b"a", b"b"],
        &[b"COMMAND", b"GETKEYS", b"DEL", b"a", b"b", b"c"],
        &[b"COMMAND", b"GETKEYS", b"PING"],
        &[b"COMMAND", b"GETKEYS", b"NOSUCH", b"a"],
        &[b"COMMAND", b"GETKEYS", b"GET"],
        &[b"COMMAND", b"GETKEYS", b"SET", b"a", b"1", b"GET"],
        &[b"COMMAND", b"GETKEYS", b"RENAME", b"a", b"b"],
        &[b"COMMAND", b"GETKEYS"],
    ];
    out.push(send(random.pick(forms)));
}
