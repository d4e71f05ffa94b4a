//! Hashes, sets, sorted sets, lists, counters and scripts: requests per second warm, memory and latency cold.

use super::load::{Load, Until};
use super::request::{each, numbered};
use super::table::{Table, Target, Unit};
use super::throughput::compare;
use super::{Bench, median};
use crate::process::{Durability, Scratch, Server};
use crate::random::Random;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Members that are added by one request when a collection is filled.
const AT_ONCE: u64 = 100;
/// Members of each collection whose cold members are looked at.
const COLD_MEMBERS: u64 = 10_000_000;
const LOOKS: usize = 1000;

/// `$` stands for the number of members; each `#` is a number below it.
const COMMANDS: [&str; 9] = [
    "HSET hash:$ field:# value-of-16-byte",
    "HGET hash:$ field:#",
    "SADD set:$ member:#",
    "SISMEMBER set:$ member:#",
    "ZADD zset:$ # member:#",
    "ZSCORE zset:$ member:#",
    "ZRANK zset:$ member:#",
    "ZRANGE zset:$ 0 9",
    // A list that stays as long as it is.
    "LPUSH list:$ value-of-16-byte; LPOP list:$",
];

/// What does not depend on a collection's size.
const OTHERS: [&str; 2] = ["INCR counter:#", "EVAL return·redis.call('incr',KEYS[1]) 1 counter:#"];

/// Warm collections of a thousand and of a million members.
pub fn warm(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let pair = bench.pair(Durability::EverySecond)?;
    let sizes = [1000, bench.settings.size(1_000_000)];
    for server in pair.all() {
        sizes.iter().try_for_each(|members| fill(server, *members, Some("list")))?;
    }
    let mut measure = |command: &str, members: u64, what: &str| {
        for pipeline in [1, 16] {
            let load = Load { connections: 50, pipeline };
            let what = format!("{what}, pipeline {pipeline}");
            let make = |seed| numbered(command, members, seed);
            compare(bench, &pair, table, &what, load, Target::Times(0.9), &make)?;
        }
        Ok::<_, String>(())
    };
    for command in COMMANDS {
        for members in sizes {
            let command = command.replace('$', &members.to_string());
            let words = command.split("; ").filter_map(|one| one.split(' ').next());
            let name = words.collect::<Vec<_>>().join(" and ");
            let range = if name == "ZRANGE" { " 0 9" } else { "" };
            measure(&command, members, &format!("{name}{range}, {members} members"))?;
        }
    }
    for command in OTHERS {
        let name = command.split(' ').next().unwrap_or_default();
        measure(command, 10_000, name)?;
    }
    Ok(())
}

/// A hash, a set and a sorted set of ten million members each: memory once nobody has touched them since the start,
/// and how long it takes to touch one.
pub fn cold(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let members = bench.settings.size(COLD_MEMBERS);
    let scratch = Scratch::new("types")?;
    let mut ours = Server::ours(bench.binary, scratch.path(), Durability::EverySecond, &[])?;
    fill(&ours, members, None)?;
    ours.stop()?;
    ours.restart(3)?;
    let resident = ours.resident_bytes()? as f64;
    let theirs = if bench.has_redis {
        let server = Server::redis(scratch.path(), Durability::No)?;
        fill(&server, members, None)?;
        Some(server.resident_bytes()? as f64)
    } else {
        None
    };
    let mib = f64::from(1 << 20);
    let what = format!("resident memory, a hash, a set, a sorted set of {members}, cold");
    let theirs = theirs.map(|bytes| bytes / mib);
    table.add(&what, Unit::Mebibytes, resident / mib, theirs, Target::Times(20.0));
    for command in ["HGET hash:$ field:#", "SISMEMBER set:$ member:#", "ZRANK zset:$ member:#"] {
        // Nothing of it is in the server's memory, nor in the system's.
        ours.stop()?;
        forget(&scratch.path().join("data"))?;
        ours.restart(3)?;
        let mut connection = ours.connect()?;
        let mut random = Random::new(bench.settings.seed);
        let mut times = Vec::with_capacity(LOOKS);
        for _ in 0..LOOKS {
            let command = command.replace('$', &members.to_string());
            let command = command.replace('#', &format!("{:08}", random.below(members)));
            let args: Vec<&str> = command.split(' ').collect();
            let start = Instant::now();
            let reply = connection.call(&args).map_err(|e| ours.blame(&e.to_string()))?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
            if reply.error().is_some() || (reply.text().is_none() && reply.integer().is_none()) {
                return Err(format!("{command} replied {reply}"));
            }
        }
        let name = command.split(' ').next().unwrap_or_default();
        let first = times[0];
        let what = format!("median of {LOOKS} {name}, cold, of {members}");
        table.add(&what, Unit::Microseconds, median(times), None, Target::AtMost(1000.0));
        let what = format!("the first {name}, cold, of {members}");
        table.add(&what, Unit::Microseconds, first, None, Target::Seen);
    }
    Ok(())
}

/// Makes a hash, a set, a sorted set, and perhaps a list, of so many members.
fn fill(server: &Server, members: u64, list: Option<&str>) -> Result<(), String> {
    let load = Load { connections: 4, pipeline: 10 };
    let kinds = ["hash", "set", "zset"].into_iter().chain(list);
    for kind in kinds {
        let requests = members.div_ceil(AT_ONCE);
        let mut commands = each((0..requests).map(|n| {
            let (name, key) = match kind {
                "hash" => ("HSET", format!("hash:{members}")),
                "set" => ("SADD", format!("set:{members}")),
                "zset" => ("ZADD", format!("zset:{members}")),
                _ => ("RPUSH", format!("list:{members}")),
            };
            let mut args = vec![name.to_owned(), key];
            // Not in order, as it is with ids from anywhere: the multiplier has no factor in common with a power of ten.
            let numbers = (n * AT_ONCE..((n + 1) * AT_ONCE).min(members))
                .map(|at| at.wrapping_mul(7_368_787) % members);
            for number in numbers {
                match kind {
                    "hash" => {
                        args.extend([format!("field:{number:08}"), "value-of-16-byte".into()]);
                    }
                    "set" => args.push(format!("member:{number:08}")),
                    "zset" => {
                        args.extend([number.to_string(), format!("member:{number:08}")]);
                    }
                    _ => args.push("value-of-16-byte".into()),
                }
            }
            args
        }));
        load.run(server.addr, &mut commands, Until::Requests(requests))?;
    }
    Ok(())
}

/// Lets the system forget what it keeps of the files in `dir`.
fn forget(dir: &Path) -> Result<(), String> {
    for entry in fs::read_dir(dir).map_err(|e| e.to_string())?.flatten() {
        let mut dd = Command::new("dd");
        dd.arg(format!("of={}", entry.path().display()));
        dd.args(["oflag=nocache", "conv=notrunc,fdatasync", "count=0"]).stderr(Stdio::null());
        if entry.path().is_file() && !dd.status().is_ok_and(|status| status.success()) {
            return Err("dd could not make the system forget the files".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::request::Requests;
    use super::*;

    #[test]
    fn every_command_of_the_table_has_its_numbers() {
        for command in COMMANDS.iter().chain(&OTHERS) {
            let mut out = Vec::new();
            let Requests { mut make, replies } = numbered(&command.replace('$', "1000"), 1000, 1);
            make(&mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains(['#', ';', '·']), "{text}");
            assert_eq!(replies as usize, command.split("; ").count());
        }
    }
}
