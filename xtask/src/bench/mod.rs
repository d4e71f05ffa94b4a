//! `cargo xtask bench`: our server beside redis-server, from one client, in one run; and, with a table of its own, the
//! engine beside other embedded stores.
//!
//! The two take turns, several times each, and the median counts: what else the machine does then hits
//! both alike. Every figure has its target; the table says which are met.

mod bitop;
mod engine;
mod keydir;
mod load;
mod logbytes;
mod memory;
mod request;
mod start;
mod table;
mod throughput;
mod types;

use crate::process::{Durability, Scratch, Server};
use crate::workspace;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use table::Table;

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Commands,
    Mark,
    Always,
    Bitop,
    Dense,
    LogBytes,
    Start,
    Keydir,
    Memory,
    /// Warm collections, counters and scripts.
    Types,
    /// Cold collections.
    Cold,
    /// The store beside other embedded stores: another table, and it takes much longer.
    Engine,
}

impl Name {
    /// All that go into the table with Redis.
    const ALL: &[Name] = &[
        Name::Commands,
        Name::Mark,
        Name::Always,
        Name::Bitop,
        Name::Dense,
        Name::LogBytes,
        Name::Start,
        Name::Keydir,
        Name::Memory,
        Name::Types,
        Name::Cold,
    ];
}

impl FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut names = Name::ALL.iter().chain([&Name::Engine]);
        let found = names.find(|name| format!("{name:?}").eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| format!("one of {:?}, or Engine", Name::ALL).to_lowercase())
    }
}

/// How it is measured.
pub struct Settings {
    pub quick: bool,
    pub census: Option<PathBuf>,
    pub seed: u64,
    /// Of the engine's stores.
    pub keys: u64,
    /// Which of the engine's figures; all if none is named.
    pub figures: Vec<String>,
}

impl Settings {
    /// How often the two take turns.
    fn rounds(&self) -> usize {
        if self.quick { 3 } else { 9 }
    }

    /// How long one turn takes.
    fn turn_seconds(&self) -> f64 {
        if self.quick { 0.5 } else { 1.2 }
    }

    /// `full`, or a tenth of it if it is to be quick.
    fn size(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}

/// What every group of figures needs.
struct Bench<'a> {
    settings: &'a Settings,
    binary: &'a Path,
    has_redis: bool,
}

/// A pair of servers with the same durability, ours first. Dropped, both are gone.
struct Pair {
    ours: Server,
    theirs: Option<Server>,
    _scratch: Scratch,
}

impl Pair {
    fn all(&self) -> Vec<&Server> {
        std::iter::once(&self.ours).chain(&self.theirs).collect()
    }
}

impl Bench<'_> {
    fn pair(&self, sync: Durability) -> Result<Pair, String> {
        let scratch = Scratch::new("bench")?;
        let theirs = self.has_redis.then(|| Server::redis(scratch.path(), sync)).transpose()?;
        let ours = Server::ours(self.binary, scratch.path(), sync, &[])?;
        Ok(Pair { ours, theirs, _scratch: scratch })
    }
}

/// Measures `names`, or everything that goes into one table, and prints it. The engine has a table of its own.
///
/// # Errors
/// A server does not start, or answers with an error.
pub fn run(names: &[Name], settings: &Settings, binary: Option<PathBuf>) -> Result<(), String> {
    match names {
        [Name::Engine] => engine::run(settings),
        [] => beside_redis(Name::ALL, settings, binary),
        names if names.contains(&Name::Engine) => {
            Err("the engine has a table of its own: name nothing else beside it".into())
        }
        names => beside_redis(names, settings, binary),
    }
}

fn beside_redis(
    names: &[Name],
    settings: &Settings,
    binary: Option<PathBuf>,
) -> Result<(), String> {
    let binary = binary.map_or_else(|| workspace::build_server(true), Ok)?;
    let has_redis = workspace::which("redis-server").is_some();
    let bench = Bench { settings, binary: &binary, has_redis };
    let mut table = Table::default();
    if !has_redis {
        table.note("redis-server is not on this machine: no ratios");
    }
    for name in names {
        eprintln!("measuring {name:?} …");
        let before = table.len();
        let outcome = match name {
            Name::Commands => throughput::commands(&bench, &mut table),
            Name::Mark => throughput::mark(&bench, &mut table),
            Name::Always => throughput::always(&bench, &mut table),
            Name::Bitop => bitop::sparse(&bench, &mut table),
            Name::Dense => bitop::dense(&bench, &mut table),
            Name::LogBytes => logbytes::measure(&bench, &mut table),
            Name::Start => start::measure(&bench, &mut table),
            Name::Keydir => keydir::measure(&bench, &mut table),
            Name::Memory => memory::measure(&bench, &mut table),
            Name::Types => types::warm(&bench, &mut table),
            Name::Cold => types::cold(&bench, &mut table),
            Name::Engine => unreachable!("it has a table of its own"),
        };
        if let Err(problem) = outcome {
            table.note(&format!("{name:?} could not be measured: {problem}"));
        }
        eprint!("{}", table.rows_from(before));
    }
    println!("{}", table.markdown());
    if table.failed() { Err("not everything could be measured".into()) } else { Ok(()) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
