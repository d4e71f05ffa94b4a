//! `cargo xtask`: everything a developer or the continuous integration runs.
//!
//! One file per command. It depends on none of our crates, so that what it measures and compares is
//! seen from outside: the binary, the wire, the manifests.
#![allow(clippy::disallowed_methods)] // a tool of the developer, not a part of the store

mod bench;
mod compat;
mod crash;
mod docs;
mod fuzz;
mod layers;
mod node;
mod process;
mod python;
mod random;
mod schedules;
mod test;
mod wire;
mod workspace;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Development tasks of bitmapistd.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything: format, lints, layers, all tests, documentation, Python clients, Redis.
    Test {
        /// Leaves out what takes minutes; it is listed as skipped.
        #[arg(long)]
        quick: bool,
    },
    /// Sends the same random commands to our server and to redis-server, and compares the replies.
    Compat {
        /// How many commands.
        #[arg(long, default_value_t = 100_000)]
        commands: u64,
        /// Which ones; the same seed sends the same commands.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// 2, 3 or both.
        #[arg(long, default_value = "both")]
        protocol: compat::Protocols,
        /// Only these, separated by commas: connection, server, keys, expire, strings, bitmaps,
        /// hyperloglog, dumps, hash, set, zset, list, transactions, pubsub, scripts, arity.
        #[arg(long, value_delimiter = ',')]
        families: Vec<compat::Family>,
        /// Compares the keyspace events that both publish, too.
        #[arg(long)]
        events: bool,
        /// Compares this server instead of ours.
        #[arg(long, value_name = "HOST:PORT", requires = "theirs")]
        ours: Option<SocketAddr>,
        /// Compares with this server instead of a redis-server of its own. It is emptied.
        #[arg(long, value_name = "HOST:PORT", requires = "ours")]
        theirs: Option<SocketAddr>,
        /// Uses this bitmapistd instead of building one.
        #[arg(long, value_name = "PATH")]
        server: Option<PathBuf>,
    },
    /// Measures our server beside redis-server, or the engine beside others, and prints a table in Markdown.
    Bench {
        /// commands, mark, always, bitop, dense, memory, keydir, logbytes, start; all of these if none is
        /// named. Or engine, by itself.
        names: Vec<bench::Name>,
        /// Shorter runs, smaller inputs.
        #[arg(long)]
        quick: bool,
        /// The file census1881.zip of the roaring bitmap data sets.
        #[arg(long, value_name = "ZIP")]
        census: Option<PathBuf>,
        /// Uses this bitmapistd instead of building one.
        #[arg(long, value_name = "PATH")]
        server: Option<PathBuf>,
        /// Keys, offsets and ids are drawn from this.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Of `engine`: keys of each store.
        #[arg(long, default_value_t = 1_000_000)]
        keys: u64,
        /// Of `engine`: only these of reads, writes, open, memory, amplification, compaction, backup.
        #[arg(long, value_delimiter = ',')]
        figures: Vec<String>,
    },
    /// Writes docs/commands.md from the table of commands in the binary.
    Docs,
    /// Runs the simulated crash tests with more seeds.
    Crash {
        /// How many.
        #[arg(long, default_value_t = 50_000)]
        seeds: u64,
    },
    /// Runs the engine's threads under schedules that a seed chooses.
    Schedules {
        /// How many of each kind, for each test.
        #[arg(long, default_value_t = 10 * schedules::COUNT)]
        count: u64,
        /// Chooses them.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Fuzzes formats, decoders and a whole store with libFuzzer; see tests/fuzz.
    Fuzz {
        /// Which; all but the canaries, which fail, if none is named.
        targets: Vec<String>,
        /// How long, each.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Runs the one target on this input alone, to repeat a failure.
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
    /// Proves that crates depend on each other and on others' as the design says.
    Layers,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test { quick } => test::run(quick),
        Command::Compat { commands, seed, protocol, families, events, ours, theirs, server } => {
            let plan = compat::Plan { commands, seed, protocol, families, events };
            compat::run(&plan, ours.zip(theirs), server)
        }
        Command::Bench { names, quick, census, server, seed, keys, figures } => {
            let settings = bench::Settings { quick, census, seed, keys, figures };
            bench::run(&names, &settings, server)
        }
        Command::Docs => docs::write(),
        Command::Crash { seeds } => crash::run(seeds),
        Command::Schedules { count, seed } => schedules::run(count, seed),
        Command::Fuzz { targets, seconds, input } => fuzz::run(&targets, seconds, input.as_deref()),
        Command::Layers => layers::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
