//! What a changed bit costs in the log.

use super::Bench;
use super::load::{Load, Until};
use super::request::each;
use super::table::{Table, Target, Unit};
use crate::process::{Durability, Server};
use crate::random::Random;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

const BELOW: u64 = 10_000_000;

/// Random SETBITs that change a bit, on a bitmap of many ids.
pub fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let count = bench.settings.size(1_000_000);
    let below = bench.settings.size(BELOW);
    let pair = bench.pair(Durability::EverySecond)?;
    let mut costs = Vec::new();
    for server in pair.all() {
        let random = Rc::new(RefCell::new(Random::new(bench.settings.seed)));
        let taken = Rc::new(RefCell::new(HashSet::new()));
        let new_ids = || {
            let (random, taken) = (Rc::clone(&random), Rc::clone(&taken));
            each((0..count).map(move |_| {
                let id = loop {
                    let id = random.borrow_mut().below(below);
                    if taken.borrow_mut().insert(id) {
                        break id.to_string();
                    }
                };
                vec!["SETBIT".to_owned(), "bitmap".to_owned(), id, "1".to_owned()]
            }))
        };
        let load = Load { connections: 50, pipeline: 16 };
        load.run(server.addr, &mut new_ids(), Until::Requests(count))?;
        let before = log_bytes(server)?;
        load.run(server.addr, &mut new_ids(), Until::Requests(count))?;
        costs.push((log_bytes(server)? - before) as f64 / count as f64);
    }
    let what = format!("log bytes per changed bit, {count} SETBITs on {count} ids below {below}");
    table.add(&what, Unit::Bytes, costs[0], costs.get(1).copied(), Target::AtMost(64.0));
    Ok(())
}

/// The bytes that were appended to the log since the start, as INFO has them.
fn log_bytes(server: &Server) -> Result<u64, String> {
    let info = server.connect()?.call(&["INFO", "all"]).map_err(|e| e.to_string())?;
    let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
    ["log_bytes_appended:", "aof_current_size:"]
        .iter()
        .find_map(|name| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()))
        .ok_or_else(|| "INFO does not say how many bytes are in the log".into())
}
