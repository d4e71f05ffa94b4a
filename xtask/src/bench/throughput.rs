//! Requests per second: single commands, marks of bitmapist, and writes that are on disk when answered.

use super::load::{Load, Until};
use super::request::{self, Requests};
use super::table::{Table, Target, Unit};
use super::{Bench, Pair, median};
use crate::process::Durability;

/// Requests from a seed.
type Make<'a> = &'a dyn Fn(u64) -> Requests<'static>;

const AS_FAST: Target = Target::Times(1.0);

/// SETBIT, GETBIT, SET, GET with 50 connections.
pub fn commands(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let pair = bench.pair(Durability::EverySecond)?;
    let filling = Load { connections: 8, pipeline: 200 };
    for server in pair.all() {
        filling.run(server.addr, &mut request::setbit(0), Until::Requests(1_000_000))?;
        filling.run(server.addr, &mut request::set(0), Until::Requests(2 * request::KEYS))?;
    }
    let makes: [(&str, Make<'_>); 4] = [
        ("SETBIT", &request::setbit),
        ("GETBIT", &request::getbit),
        ("SET", &request::set),
        ("GET", &request::get),
    ];
    for (name, make) in makes {
        for pipeline in [1, 16] {
            let load = Load { connections: 50, pipeline };
            let what = format!("{name}, 50 connections, pipeline {pipeline}, everysec");
            compare(bench, &pair, table, &what, load, AS_FAST, make)?;
        }
    }
    Ok(())
}

/// MULTI, four SETBITs, EXEC.
pub fn mark(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    for (sync, name) in [(Durability::EverySecond, "everysec"), (Durability::Always, "always")] {
        let pair = bench.pair(sync)?;
        for pipeline in [1, 16] {
            let load = Load { connections: 50, pipeline };
            let what = format!("mark, 50 connections, pipeline {pipeline}, {name}");
            compare(bench, &pair, table, &what, load, AS_FAST, &request::mark)?;
        }
    }
    Ok(())
}

/// SETBIT and SET that are on disk when answered.
pub fn always(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let pair = bench.pair(Durability::Always)?;
    let makes: [(&str, Make<'_>); 2] = [("SETBIT", &request::setbit), ("SET", &request::set)];
    for (name, make) in makes {
        for (connections, pipeline) in [(1, 1), (50, 1), (50, 16)] {
            let plural = if connections == 1 { "" } else { "s" };
            let what =
                format!("{name}, {connections} connection{plural}, pipeline {pipeline}, always");
            let load = Load { connections, pipeline };
            compare(bench, &pair, table, &what, load, AS_FAST, make)?;
        }
    }
    Ok(())
}

/// Adds a row: both servers answer the same requests, in turns.
pub(super) fn compare(
    bench: &Bench<'_>,
    pair: &Pair,
    table: &mut Table,
    what: &str,
    load: Load,
    target: Target,
    make: Make<'_>,
) -> Result<(), String> {
    let settings = bench.settings;
    let mut rates = vec![Vec::new(); 2];
    for round in 0..settings.rounds() {
        // First one, then the other: what comes and goes on the machine meets both.
        let mut turns: Vec<_> = pair.all().into_iter().enumerate().collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (index, server) in turns {
            // Both get the same requests.
            let mut requests = make(settings.seed + round as u64);
            load.run(server.addr, &mut requests, Until::Seconds(0.2))?;
            let turn = Until::Seconds(settings.turn_seconds());
            rates[index].push(load.run(server.addr, &mut requests, turn)?);
        }
    }
    let theirs = rates.pop().filter(|rates| !rates.is_empty()).map(median);
    let ours = rates.pop().map_or(f64::NAN, median);
    table.add(what, Unit::PerSecond, ours, theirs, target);
    Ok(())
}
