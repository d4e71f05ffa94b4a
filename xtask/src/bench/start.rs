//! How long a start takes, after a clean stop and after kill −9.

use super::load::{Load, Until};
use super::request::each;
use super::table::{Table, Target, Unit};
use super::{Bench, median};
use crate::process::Durability;

pub fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let keys = bench.settings.size(1_000_000);
    let mut pair = bench.pair(Durability::EverySecond)?;
    for server in pair.all() {
        let mut sets = each((0..keys).map(|number| {
            let key =
                format!("trackist_event{}:play_2026-{:02}-{:02}", number % 40, number % 12, number);
            vec!["SET".to_owned(), key, number.to_string()]
        }));
        Load { connections: 1, pipeline: 500 }.run(
            server.addr,
            &mut sets,
            Until::Requests(keys),
        )?;
        let saved = server.connect()?.call(&["SAVE"]).map_err(|e| e.to_string())?;
        if let Some(error) = saved.error() {
            return Err(String::from_utf8_lossy(error).into_owned());
        }
    }
    for clean in [true, false] {
        let mut times = vec![Vec::new(); 2];
        for _ in 0..bench.settings.rounds() {
            let servers = std::iter::once(&mut pair.ours).chain(&mut pair.theirs);
            for (index, server) in servers.enumerate() {
                if clean {
                    server.stop()?;
                } else {
                    server.kill();
                }
                times[index].push(server.restart(keys as i64)?.as_secs_f64() * 1e3);
            }
        }
        let theirs = times.pop().filter(|times| !times.is_empty()).map(median);
        let ours = times.pop().map_or(f64::NAN, median);
        let after = if clean { "a clean stop" } else { "kill −9" };
        let what = format!("start with {keys} keys, after {after}");
        table.add(&what, Unit::Milliseconds, ours, theirs, Target::AtMost(1000.0));
    }
    Ok(())
}
