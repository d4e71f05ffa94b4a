//! Operations on whole bitmaps: the time of one command, on one connection.

use super::load::{Load, Until};
use super::request::{Requests, each};
use super::table::{Table, Target, Unit};
use super::{Bench, Pair, median};
use crate::process::Durability;
use crate::random::Random;
use std::time::{Duration, Instant};

/// What is measured: commands, one after the other. Our server answers BITOP before it has done the work, so
/// the same is measured with a question about the result.
const OPERATIONS: [&[&[&str]]; 7] = [
    &[&["BITOP", "AND", "into", "a", "b"]],
    &[&["BITOP", "OR", "into", "a", "b"]],
    &[&["BITOP", "XOR", "into", "a", "b"]],
    &[&["BITOP", "AND", "into", "a", "b"], &["BITCOUNT", "into"]],
    &[&["BITOP", "OR", "into", "a", "b"], &["BITCOUNT", "into"]],
    &[&["BITOP", "XOR", "into", "a", "b"], &["BITCOUNT", "into"]],
    &[&["BITCOUNT", "a"]],
];

/// One million random ids below 10^8.
pub fn sparse(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let pair = bench.pair(Durability::EverySecond)?;
    let (count, below) = (1_000_000_u64, 100_000_000_u64);
    for key in ["a", "b"] {
        for server in pair.all() {
            let mut random = Random::new(bench.settings.seed ^ u64::from(key.as_bytes()[0]));
            let mut ids = each((0..count).map(move |_| {
                let id = random.below(below).to_string();
                vec!["SETBIT".to_owned(), key.to_owned(), id, "1".to_owned()]
            }));
            fill(server.addr, &mut ids, count)?;
        }
    }
    measure(bench, &pair, table, &format!("{count} random ids below {below}"), [10.0, 50.0])
}

/// Every other id of ten million.
pub fn dense(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    const AT_ONCE: u64 = 32;
    let pair = bench.pair(Durability::EverySecond)?;
    let words: u64 = 10_000_000 / 32;
    for key in ["a", "b"] {
        for server in pair.all() {
            let mut random = Random::new(bench.settings.seed ^ u64::from(key.as_bytes()[0]));
            let count = words.div_ceil(AT_ONCE);
            let mut fields = each((0..count).map(move |at| {
                let mut args = vec!["BITFIELD".to_owned(), key.to_owned()];
                for word in at * AT_ONCE..((at + 1) * AT_ONCE).min(words) {
                    let bits = random.below(1 << 32).to_string();
                    args.extend(["SET".to_owned(), "u32".to_owned(), format!("#{word}"), bits]);
                }
                args
            }));
            fill(server.addr, &mut fields, count)?;
        }
    }
    measure(bench, &pair, table, &format!("half of {} ids", words * 32), [0.5, 10.0])
}

fn fill(addr: std::net::SocketAddr, what: &mut Requests<'_>, count: u64) -> Result<(), String> {
    // One connection: the order is the same on both, and it is fast enough.
    Load { connections: 1, pipeline: 500 }.run(addr, what, Until::Requests(count))?;
    Ok(())
}

/// `targets`: of BITOP, of BITCOUNT.
fn measure(
    bench: &Bench<'_>,
    pair: &Pair,
    table: &mut Table,
    of: &str,
    targets: [f64; 2],
) -> Result<(), String> {
    let turn = Duration::from_secs_f64(bench.settings.turn_seconds() / 2.0);
    for operation in OPERATIONS {
        let mut times = vec![Vec::new(); 2];
        let mut replies = Vec::new();
        for _ in 0..bench.settings.rounds() {
            for (index, server) in pair.all().into_iter().enumerate() {
                let mut connection = server.connect()?;
                let until = Instant::now() + turn;
                let mut done = 0;
                while done < 3 || (Instant::now() < until && done < 2_000) {
                    let started = Instant::now();
                    let mut reply = None;
                    for command in operation {
                        reply = Some(connection.call(command).map_err(|e| e.to_string())?);
                    }
                    times[index].push(started.elapsed().as_secs_f64() * 1e6);
                    done += 1;
                    if done == 1 {
                        replies.extend(reply);
                    }
                }
            }
        }
        if let Some(odd) = replies.iter().find(|reply| **reply != replies[0]) {
            return Err(format!("{operation:?} is {} here, {odd} there", replies[0]));
        }
        let theirs = times.pop().filter(|times| !times.is_empty()).map(median);
        let ours = times.pop().map_or(f64::NAN, median);
        let (name, target) = match operation {
            [["BITCOUNT", ..]] => ("BITCOUNT".into(), Target::Times(targets[1])),
            [bit_op] => (bit_op[..2].join(" "), Target::Times(targets[0])),
            [bit_op, ..] => {
                (format!("{}, then BITCOUNT of it", bit_op[..2].join(" ")), Target::Seen)
            }
            [] => continue,
        };
        table.add(&format!("{name}, {of}"), Unit::Microseconds, ours, theirs, target);
    }
    Ok(())
}
