//! Which figures there are, in which order they are measured, and what they are to be.

use crate::Settings;
use crate::child::{Found, Job};
use crate::engine::{GENTLE_BYTES, Name, Outcome, Promise};
use crate::place::{self, Place};
use crate::table::{Cell, Row, Table, Target, Unit, shown};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Figure {
    Reads,
    Writes,
    Open,
    Memory,
    Amplification,
    Compaction,
    Backup,
}

/// Values, their name, and the part of the keys that has them.
const SIZES: [(usize, &str, u64); 2] = [(100, "100 B", 1), (4096, "4 KiB", 4)];
/// With more keys than that, only the small values.
const MOST_KEYS_OF_LARGE: u64 = 2_000_000;
const BACKUP_VALUE_BYTES: usize = 4096;
const OPENINGS: usize = 3;
/// How long a store is written before it is killed.
const SCRIBBLING: Duration = Duration::from_secs(2);

struct Plan<'a> {
    settings: &'a Settings,
    engines: Vec<Name>,
    place: Place,
    table: Table,
}

/// Stores of one size.
#[derive(Clone, Copy)]
struct Size {
    keys: u64,
    value_bytes: usize,
    name: &'static str,
}

/// Measures what the settings ask for, and prints the table.
///
/// # Errors
/// There is no room. A measurement that fails is a note below the table.
pub fn run(settings: &Settings) -> Outcome<()> {
    let mut engines = settings.engines.clone();
    if engines.is_empty() {
        engines = Name::value_variants().to_vec();
    }
    let keys = if settings.quick { settings.keys / 10 } else { settings.keys };
    if keys == 0 {
        return Err("there is nothing to measure without keys".into());
    }
    let place = Place::new(settings.dir.join(format!("engine-{}", std::process::id())))?;
    // All engines have their stores at once, some of them need thrice the space of what is alive, and the writers
    // add to it.
    let sizes = SIZES.iter().filter(|(_, _, part)| is_measured(keys, *part));
    let largest = sizes.map(|(bytes, _, part)| keys / part * (*bytes as u64 + 30)).max();
    let needed = engines.len() as u64 * (largest.unwrap_or(0) * 3 + (2 << 30));
    place::check(place.path(), needed)?;
    let table = Table::new(&engines);
    let mut plan = Plan { settings, engines, place, table };
    for (value_bytes, name, part) in SIZES {
        if is_measured(keys, part) {
            plan.measure(Size { keys: (keys / part).max(1000), value_bytes, name })?;
        } else {
            plan.table.note(format!("values of {name} are left out with {keys} keys"));
        }
    }
    if plan.wants(Figure::Backup) {
        let keys = if settings.quick { 50_000 } else { 500_000 };
        plan.backup(Size { keys, value_bytes: BACKUP_VALUE_BYTES, name: "4 KiB" })?;
    }
    for note in &settings.note {
        plan.table.note(note.clone());
    }
    plan.table.note(machine());
    println!("{}", plan.table.markdown());
    Ok(())
}

/// Whether values that this part of the keys has are measured.
fn is_measured(keys: u64, part: u64) -> bool {
    part == 1 || keys <= MOST_KEYS_OF_LARGE
}

/// What the figures depend on besides.
fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} cores; load averages in the end: {load}; the benchmark itself is in them")
}

impl Plan<'_> {
    fn wants(&self, figure: Figure) -> bool {
        self.settings.figures.is_empty() || self.settings.figures.contains(&figure)
    }

    fn rounds(&self) -> usize {
        if self.settings.quick { 3 } else { 5 }
    }

    fn dir(&self, engine: Name) -> PathBuf {
        self.place.path().join(format!("{engine:?}").to_lowercase())
    }

    fn job<'a>(&self, engine: Name, dir: &'a Path, size: Size, round: usize) -> Job<'a> {
        Job {
            engine,
            dir,
            keys: size.keys,
            value_bytes: size.value_bytes,
            seconds: if self.settings.quick { 0.5 } else { 1.2 },
            seed: self.settings.seed + 100 * round as u64,
        }
    }

    /// Lets every engine of `engines` have a turn, `rounds` times, and takes the medians of what is found.
    fn turns(
        &mut self,
        what: &str,
        engines: &[Name],
        size: Size,
        rounds: usize,
        one: &dyn Fn(&Job<'_>) -> Outcome<Found>,
    ) -> Vec<(Name, Found)> {
        eprintln!("measuring {what}, {} …", size.name);
        let mut all: Vec<(Name, Vec<Found>)> = Vec::new();
        for round in 0..rounds {
            for &engine in engines {
                let dir = self.dir(engine);
                let outcome = one(&self.job(engine, &dir, size, round));
                match outcome {
                    Ok(found) => match all.iter_mut().find(|(name, _)| *name == engine) {
                        Some((_, others)) => others.push(found),
                        None => all.push((engine, vec![found])),
                    },
                    Err(problem) => {
                        let (name, size) = (engine.shown(), size.name);
                        self.table.note(format!("{name}, {what}, {size}: {problem}"));
                    }
                }
            }
        }
        all.into_iter().map(|(engine, found)| (engine, medians(&found))).collect()
    }

    /// A row from what the engines have found by one name.
    fn row(&mut self, what: String, unit: Unit, target: Target, found: &[(Name, Found)], by: &str) {
        let cell = |(name, found): &(Name, Found)| (*name, Cell::from(found.get(by).copied()));
        let cells = found.iter().map(cell).collect();
        self.table.add(&Row { what, unit, target, cells });
    }

    fn measure(&mut self, size: Size) -> Outcome<()> {
        let shared = [Figure::Reads, Figure::Writes, Figure::Open, Figure::Memory];
        if shared.iter().any(|figure| self.wants(*figure)) || self.wants(Figure::Compaction) {
            let engines = self.fill(size)?;
            if self.wants(Figure::Open) {
                self.open(size, &engines, "after a clean close", |job| job.run("open", &[]));
            }
            if self.wants(Figure::Memory) {
                self.memory(size, &engines);
            }
            if self.wants(Figure::Reads) {
                self.reads(size, &engines);
            }
            if self.wants(Figure::Writes) {
                self.writes(size, &engines);
            }
            if self.wants(Figure::Open) {
                self.open(size, &engines, "after kill -9 of a writer", |job| {
                    job.kill("scribble", SCRIBBLING)?;
                    job.run("open", &[])
                });
            }
            if self.wants(Figure::Compaction) {
                self.compaction(size, &engines);
            }
            self.clear()?;
        }
        if self.wants(Figure::Amplification) {
            self.amplification(size)?;
        }
        Ok(())
    }

    /// Fills a store for each engine, and says which could.
    fn fill(&mut self, size: Size) -> Outcome<Vec<Name>> {
        for engine in &self.engines {
            std::fs::create_dir(self.dir(*engine))?;
        }
        let all = self.engines.clone();
        let found = self.turns("loading", &all, size, 1, &|job| job.run("load", &[]));
        let Size { keys, name, .. } = size;
        let what = format!("load of {keys} keys, {name}, 1,000 at once, then a sync");
        self.row(what, Unit::PerSecond, Target::Seen, &found, "per_second");
        let what = format!("space on disk, {keys} keys, {name}");
        self.row(what, Unit::Bytes, Target::Seen, &found, "disk_bytes");
        Ok(found.into_iter().map(|(engine, _)| engine).collect())
    }

    /// Removes all stores.
    fn clear(&self) -> Outcome<()> {
        for entry in std::fs::read_dir(self.place.path())?.flatten() {
            std::fs::remove_dir_all(entry.path())?;
        }
        Ok(())
    }

    fn reads(&mut self, size: Size, engines: &[Name]) {
        let rounds = self.rounds();
        let found =
            self.turns("reads", engines, size, rounds, &|job| job.run("reads", &["--mapped"]));
        for (by, what) in [
            ("uniform_1", "uniform, 1 thread"),
            ("uniform_2", "uniform, 2 threads"),
            ("zipf_1", "Zipf, 1 thread"),
            ("zipf_2", "Zipf, 2 threads"),
        ] {
            let what = format!("point reads, {}, {what}", size.name);
            self.row(what, Unit::PerSecond, Target::NearLmdb(1.2), &found, by);
        }
        let what = format!("point reads, {}, uniform, 1,000 in a transaction", size.name);
        self.row(what, Unit::PerSecond, Target::Seen, &found, "transaction");
        if engines.contains(&Name::Bitcask) {
            let ours = [Name::Bitcask];
            let found = self
                .turns("reads without mappings", &ours, size, rounds, &|job| job.run("reads", &[]));
            for (by, what) in
                [("uniform_1", "uniform, 1 thread"), ("uniform_2", "uniform, 2 threads")]
            {
                let what =
                    format!("point reads, {}, {what}, without mappings (default)", size.name);
                self.row(what, Unit::PerSecond, Target::Seen, &found, by);
            }
        }
    }

    fn writes(&mut self, size: Size, engines: &[Name]) {
        for (promise, threads, what) in [
            (Promise::Disk, 1, "durable, 1 thread"),
            (Promise::Disk, 16, "durable, 16 threads"),
            (Promise::System, 1, "handed to the system, 1 thread"),
            (Promise::Memory, 1, "in memory, 1 thread"),
        ] {
            let offering: Vec<Name> =
                engines.iter().copied().filter(|engine| engine.offers(promise)).collect();
            let how = format!("{promise:?}").to_lowercase();
            let args = ["--promise", &how, "--threads", &threads.to_string()];
            let rounds = self.rounds();
            let found = self.turns(&format!("writes, {what}"), &offering, size, rounds, &|job| {
                job.run("writes", &args)
            });
            let cell = |(name, found): &(Name, Found)| {
                let value = found["per_second"];
                // See the table of settings.
                let lesser = promise == Promise::Disk && *name == Name::Sled;
                (*name, if lesser { Cell::Lesser(value) } else { Cell::Value(value) })
            };
            let cells: Vec<_> = found.iter().map(cell).collect();
            let what = format!("writes, {}, {what}", size.name);
            self.table.add(&Row { what, unit: Unit::PerSecond, target: Target::Fastest, cells });
        }
        if engines.contains(&Name::Sled) {
            self.table.note(
                "sled's durable writes (in brackets) do not wait for the drive's cache".into(),
            );
        }
    }

    fn open(
        &mut self,
        size: Size,
        engines: &[Name],
        when: &str,
        one: fn(&Job<'_>) -> Outcome<Found>,
    ) {
        let found = self.turns(&format!("open {when}"), engines, size, OPENINGS, &one);
        let what = format!("open, {} keys, {}, {when}", size.keys, size.name);
        self.row(what, Unit::Seconds, Target::AtMost(5.0), &found, "seconds");
    }

    fn memory(&mut self, size: Size, engines: &[Name]) {
        let found = self.turns("memory", engines, size, 1, &|job| job.run("memory", &[]));
        let Size { keys, name, .. } = size;
        let cells = found.iter().map(|(engine, found)| {
            let own = shown(Unit::Bytes, found["anonymous"]);
            (*engine, Cell::Explained(found["resident"], format!("({own} its own)")))
        });
        let what = format!("resident memory, {keys} keys, {name}, 1 % read");
        let cells = cells.collect();
        self.table.add(&Row { what, unit: Unit::Bytes, target: Target::Seen, cells });
        let what = format!("keydir, {keys} keys, {name}, memory per key");
        self.row(what, Unit::Bytes, Target::AtMost(48.0), &found, "index_per_key");
    }

    fn compaction(&mut self, size: Size, engines: &[Name]) {
        let gentle = format!("at {} MiB a second", GENTLE_BYTES >> 20);
        for (promise, pace, what) in [
            ("disk", "gentle", format!("{gentle}, durable")),
            ("system", "gentle", format!("{gentle}, not durable")),
            ("system", "full", "as fast as it can, not durable".to_owned()),
        ] {
            let able = |name: &&Name| match name {
                Name::Bitcask => true,
                Name::Lmdb | Name::Redb | Name::Sled => false,
                _ => pace == "full",
            };
            let engines: Vec<Name> = engines.iter().filter(able).copied().collect();
            let title = format!("compaction, {what}");
            let found = self.turns(&title, &engines, size, 1, &|job| {
                job.run("latency", &["--promise", promise, "--pace", pace])
            });
            for kind in ["read", "write"] {
                let cells = found.iter().map(|(engine, found)| {
                    let (quiet, busy) =
                        (found[&format!("quiet_{kind}_p99")], found[&format!("busy_{kind}_p99")]);
                    let [quiet_shown, busy_shown] =
                        [quiet, busy].map(|time| shown(Unit::Seconds, time));
                    let why = format!("({quiet_shown} → {busy_shown})");
                    (*engine, Cell::Explained(busy / quiet, why))
                });
                let what = format!("p99 of {kind}s while compacting {what}, {}", size.name);
                let (cells, unit) = (cells.collect(), Unit::Times);
                self.table.add(&Row { what, unit, target: Target::AtMost(2.0), cells });
            }
            if promise == "disk" {
                let cells = found.iter().map(|(engine, found)| {
                    let [quiet, busy, most] = ["quiet_bare_p99", "busy_bare_p99", "busy_bare_most"]
                        .map(|name| found[name]);
                    let [quiet_shown, busy_shown, most] =
                        [quiet, busy, most].map(|time| shown(Unit::Seconds, time));
                    let why = format!("({quiet_shown} → {busy_shown}, at most {most})");
                    (*engine, Cell::Explained(busy / quiet, why))
                });
                let what = format!(
                    "the same of a bare file's syncs beside {} MiB a second, {}",
                    GENTLE_BYTES >> 21,
                    size.name
                );
                let (cells, unit) = (cells.collect(), Unit::Times);
                self.table.add(&Row { what, unit, target: Target::Seen, cells });
            }
            let cells = found.iter().map(|(engine, found)| {
                let most = |phase: &str| {
                    found[&format!("{phase}_read_most")].max(found[&format!("{phase}_write_most")])
                };
                let why = format!("(quiet {})", shown(Unit::Seconds, most("quiet")));
                (*engine, Cell::Explained(most("busy"), why))
            });
            let what = format!("longest stall while compacting {what}, {}", size.name);
            let (cells, unit) = (cells.collect(), Unit::Seconds);
            self.table.add(&Row { what, unit, target: Target::AtMost(0.1), cells });
        }
    }

    fn amplification(&mut self, size: Size) -> Outcome<()> {
        let all = self.engines.clone();
        let found = self.turns("amplification", &all, size, 1, &|job| {
            std::fs::create_dir(job.dir)?;
            let found = job.run("amplification", &[]);
            std::fs::remove_dir_all(job.dir)?;
            found
        });
        let cells = found.iter().map(|(engine, found)| {
            let alive = shown(Unit::Percent, found["alive_percent"]);
            let why = match found.get("needed_percent") {
                Some(needed) => format!("({alive}; {} of records)", shown(Unit::Percent, *needed)),
                None => format!("({alive})"),
            };
            (*engine, Cell::Explained(found["amplification"], why))
        });
        let what =
            format!("write amplification, uniform overwrites, {} (alive of the disk)", size.name);
        let (cells, unit) = (cells.collect(), Unit::Times);
        self.table.add(&Row { what, unit, target: Target::AtMost(3.0), cells });
        for (engine, found) in &found {
            if found["passes"] < 2.9 {
                let (name, passes) = (engine.shown(), found["passes"]);
                let size = size.name;
                self.table.note(format!(
                    "{name}, write amplification, {size}: measured over {passes:.1} passes of the keys, not 3, as they took too long"
                ));
            }
        }
        Ok(())
    }

    fn backup(&mut self, size: Size) -> Outcome<()> {
        let able = |name: &&Name| matches!(name, Name::Bitcask | Name::Lmdb);
        let engines: Vec<Name> = self.engines.iter().filter(able).copied().collect();
        for engine in &engines {
            std::fs::create_dir(self.dir(*engine))?;
        }
        let loaded =
            self.turns("loading for the backup", &engines, size, 1, &|job| job.run("load", &[]));
        let ours = loaded.iter().find(|(engine, _)| *engine == Name::Bitcask);
        let bytes = ours.map_or(f64::NAN, |(_, found)| found["disk_bytes"]);
        for (how, named) in [("links", "by hard links, one a second"), ("copy", "as one file")] {
            for (promise, what) in
                [("disk", "16 durable writers"), ("system", "a writer, not durable")]
            {
                let found =
                    self.turns(&format!("backup {named}, {what}"), &engines, size, 1, &|job| {
                        let found = job.run("backup", &["--promise", promise, "--how", how]);
                        // It is not there if the child has failed before.
                        let _ = std::fs::remove_dir_all(job.dir.with_extension("backup"));
                        found
                    });
                let cell = |(engine, found): &(Name, Found)| {
                    let share = found.get("beside")? / found.get("alone")?;
                    let seconds = shown(Unit::Seconds, *found.get("seconds")?);
                    Some((*engine, Cell::Explained(share, format!("({seconds} each)"))))
                };
                let cells = found.iter().filter_map(cell).collect();
                let what =
                    format!("{what} beside a backup {named} of {}", shown(Unit::Bytes, bytes));
                self.table.add(&Row {
                    what,
                    unit: Unit::Share,
                    target: Target::AtLeast(0.7),
                    cells,
                });
            }
        }
        self.clear()
    }
}

/// Each figure's median.
fn medians(found: &[Found]) -> Found {
    let names = found.iter().flat_map(Found::keys);
    names
        .map(|name| {
            let mut values: Vec<f64> =
                found.iter().filter_map(|one| one.get(name).copied()).collect();
            values.sort_by(f64::total_cmp);
            (name.clone(), values[values.len() / 2])
        })
        .collect()
}
