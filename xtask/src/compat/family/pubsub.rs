//! Publish and subscribe: a few channels and patterns that meet, and what a subscriber may do.

use super::words::{glob, key, value, word};
use crate::compat::case::{Case, Step};
use crate::compat::compare::Compare;
use crate::random::Random;
use std::collections::BTreeSet;

const CHANNELS: &[&str] = &["a", "b", "ab", "news", ""];
const PATTERNS: &[&str] = &["*", "a*", "?", "[ab]", "news", "n\\ews", "[^a]*"];

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    match random.below(14) {
        0..=5 => session(random, out),
        6 | 7 => ask(random, out),
        8 => {
            let publish = random.pick(&["PUBLISH", "SPUBLISH"]);
            out.push(send(&[&word(random, publish), &channel(random), &value(random)]));
        }
        9 => in_transaction(random, out),
        10 => {
            // Nothing was subscribed to: one answer all the same.
            let name = random.pick(&["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"]);
            out.push(send(&[&word(random, name)]));
        }
        11 => {
            let name = random.pick(&["CHANNELS", "SHARDCHANNELS", "NUMPAT", "NUMSUB", "FOO"]);
            let extra: Vec<Vec<u8>> = (0..random.below(4)).map(|_| glob(random)).collect();
            let mut args = vec![b"PUBSUB".to_vec(), word(random, name)];
            args.extend(extra);
            out.push(Step::Send(Case::new(&args).compared(Compare::Unordered)));
        }
        12 => {
            let name = random.pick(&["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "PUBLISH", "PUBSUB"]);
            out.push(send(&[&word(random, name)]));
        }
        // Nobody sets it to what is wrong: Redis would then forget a part of what it was.
        _ => out.push(send(&[b"CONFIG", b"GET", b"notify-keyspace-events"])),
    }
}

fn send(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args))
}

fn channel(random: &mut Random) -> Vec<u8> {
    if random.one_in(8) { key(random) } else { random.pick(CHANNELS).as_bytes().to_vec() }
}

fn pattern(random: &mut Random) -> Vec<u8> {
    if random.one_in(6) { glob(random) } else { random.pick(PATTERNS).as_bytes().to_vec() }
}

/// Names of channels and patterns, what begins and what ends their subscriptions.
const KINDS: [(&str, &str); 3] =
    [("SUBSCRIBE", "UNSUBSCRIBE"), ("PSUBSCRIBE", "PUNSUBSCRIBE"), ("SSUBSCRIBE", "SUNSUBSCRIBE")];

fn name(random: &mut Random, kind: usize) -> Vec<u8> {
    if kind == 1 { pattern(random) } else { channel(random) }
}

/// Subscribes, listens, tries this and that, and leaves nothing subscribed.
fn session(random: &mut Random, out: &mut Vec<Step>) {
    let mut subscribed: [BTreeSet<Vec<u8>>; 3] = Default::default();
    for _ in 0..random.between(2, 12) {
        let kind = random.below(3) as usize;
        match random.below(8) {
            0..=2 => {
                let mut args = vec![word(random, KINDS[kind].0)];
                for _ in 0..random.between(1, 3) {
                    let name = name(random, kind);
                    subscribed[kind].insert(name.clone());
                    args.push(name);
                }
                out.push(Step::Send(Case::new(&args).answered(args.len() - 1)));
            }
            3 => {
                let mut args = vec![word(random, KINDS[kind].1)];
                for _ in 0..random.between(1, 3) {
                    let name = name(random, kind);
                    subscribed[kind].remove(&name);
                    args.push(name);
                }
                out.push(Step::Send(Case::new(&args).answered(args.len() - 1)));
            }
            4..=6 => {
                let sharded = random.one_in(3);
                out.push(Step::Publish { sharded, channel: channel(random), text: value(random) });
            }
            _ => {
                let tried: &[&[&[u8]]] = &[
                    &[b"PING"],
                    &[b"PING", b"hello"],
                    &[b"PING", b"a", b"b"],
                    &[b"GET", b"k1"],
                    &[b"GET"],
                    &[b"client", b"getname"],
                    &[b"NOSUCH"],
                    &[b"EXEC"],
                    &[b"DISCARD"],
                    &[b"PUBSUB", b"NUMPAT"],
                    &[b"SUBSCRIBE"],
                ];
                out.push(send(random.pick(tried)));
            }
        }
    }
    for (kind, names) in subscribed.iter().enumerate() {
        if names.len() < 2 && random.one_in(2) {
            // All of them, and one answer in any case.
            out.push(send(&[KINDS[kind].1.as_bytes()]));
        } else if !names.is_empty() {
            let mut args = vec![KINDS[kind].1.as_bytes().to_vec()];
            args.extend(names.iter().cloned());
            out.push(Step::Send(Case::new(&args).answered(args.len() - 1)));
        }
    }
}

fn ask(random: &mut Random, out: &mut Vec<Step>) {
    match random.below(6) {
        0 => out.push(send(&[b"PUBSUB", b"CHANNELS"])),
        1 => out.push(send(&[b"PUBSUB", &word(random, "NUMPAT")])),
        2 => out.push(send(&[b"PUBSUB", b"NUMSUB", &channel(random), &channel(random)])),
        3 => out.push(send(&[b"PUBSUB", b"SHARDNUMSUB", &channel(random)])),
        4 => out.push(send(&[b"PUBSUB", b"HELP"])),
        _ => out.push(send(&[b"CLIENT", b"LIST", b"TYPE", b"replica"])),
    }
}

fn in_transaction(random: &mut Random, out: &mut Vec<Step>) {
    let kind = random.below(3) as usize;
    let name = name(random, kind);
    out.push(send(&[b"MULTI"]));
    out.push(send(&[KINDS[kind].0.as_bytes(), &name]));
    // What is published to oneself comes at another place than in Redis 7.0.
    if kind != 1 && random.one_in(3) {
        out.push(send(&[b"PUBLISH", b"elsewhere", b"x"]));
    }
    if random.one_in(4) {
        out.push(send(&[b"DISCARD"]));
    } else {
        out.push(send(&[b"EXEC"]));
    }
    out.push(send(&[KINDS[kind].1.as_bytes(), &name]));
}
