//! Resident memory with many sparse bitmaps.

use super::Bench;
use super::load::{Load, Until};
use super::request::each;
use super::table::{Table, Target, Unit};
use crate::process::{Durability, Scratch, Server};
use crate::random::Random;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BITMAPS: u64 = 20_000;
const IDS: u64 = 100;
const BELOW: u64 = 2_000_000;

/// census1881 and 20,000 bitmaps of 100 random ids below 2 × 10^6.
pub fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let Some(zip) = &bench.settings.census else {
        table.note("memory is skipped: --census census1881.zip is not given");
        return Ok(());
    };
    let scratch = Scratch::new("memory")?;
    let sets = extract(zip, &scratch.path().join("census"))?;
    let bitmaps = bench.settings.size(BITMAPS);
    // One after the other: Redis needs some gigabytes, and is stopped at once.
    let ours = {
        let more = ["--cache-size", "64mb"];
        let server = Server::ours(bench.binary, scratch.path(), Durability::EverySecond, &more)?;
        loaded(&server, &sets, bitmaps, bench.settings.seed)?
    };
    let theirs = if bench.has_redis {
        let server = Server::redis(scratch.path(), Durability::No)?;
        Some(loaded(&server, &sets, bitmaps, bench.settings.seed)?)
    } else {
        None
    };
    let what = format!("resident memory, census1881 and {bitmaps} bitmaps of {IDS} ids");
    table.add(&what, Unit::Mebibytes, ours, theirs, Target::Times(50.0));
    Ok(())
}

/// Loads everything, and returns the resident memory in MiB.
fn loaded(server: &Server, sets: &[PathBuf], bitmaps: u64, seed: u64) -> Result<f64, String> {
    let load = Load { connections: 8, pipeline: 200 };
    for (number, path) in sets.iter().enumerate() {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let ids: Vec<&str> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
        let key = format!("trackist_census1881:{number}_2026-11-20");
        let mut marks = each(ids.iter().map(|id| vec!["SETBIT", key.as_str(), id, "1"]));
        load.run(server.addr, &mut marks, Until::Requests(ids.len() as u64))?;
    }
    let mut random = Random::new(seed);
    let mut marks = each((0..bitmaps * IDS).map(move |at| {
        let key = format!("trackist_sparse:{}_2026-11-20", at / IDS);
        vec!["SETBIT".to_owned(), key, random.below(BELOW).to_string(), "1".to_owned()]
    }));
    load.run(server.addr, &mut marks, Until::Requests(bitmaps * IDS))?;
    Ok(server.resident_bytes()? as f64 / f64::from(1 << 20))
}

fn extract(zip: &Path, into: &Path) -> Result<Vec<PathBuf>, String> {
    fs::create_dir_all(into).map_err(|e| format!("{}: {e}", into.display()))?;
    let unzip = Command::new("unzip").arg("-q").arg(zip).arg("-d").arg(into).status();
    if !unzip.is_ok_and(|status| status.success()) {
        let python =
            Command::new("python3").args(["-m", "zipfile", "-e"]).arg(zip).arg(into).status();
        let done = python.is_ok_and(|status| status.success());
        if !done {
            return Err(format!("neither unzip nor python3 can open {}", zip.display()));
        }
    }
    let entries = fs::read_dir(into).map_err(|e| e.to_string())?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    files.sort();
    if files.is_empty() { Err(format!("{} has no sets", zip.display())) } else { Ok(files) }
}
