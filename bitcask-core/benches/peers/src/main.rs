//! `cargo xtask bench engine`: the store beside other embedded stores, in one table from one run.
//!
//! The parent plans, starts a child for each measurement, and prints; a child ([`measure`]) opens one [`engine`] and
//! measures one workload. Engines take turns, several times each, and the median counts: what else the machine does
//! then hits all alike.
#![allow(clippy::disallowed_methods)] // a tool of the developer, not a part of the store

mod child;
mod engine;
mod figures;
mod keys;
mod measure;
mod place;
mod table;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures everything and prints a table in Markdown.
    Run(Settings),
    /// Measures one thing in this process: the parent's business.
    Measure {
        #[command(subcommand)]
        workload: measure::Workload,
    },
}

/// How it is measured.
#[derive(clap::Args)]
pub struct Settings {
    /// Keys of the stores with values of 100 bytes; those with values of 4 KiB have a quarter.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Shorter turns, a tenth of the keys.
    #[arg(long)]
    quick: bool,
    /// Only these figures.
    #[arg(long, value_delimiter = ',')]
    figures: Vec<figures::Figure>,
    /// Only these engines.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<engine::Name>,
    /// A directory on a real disk; what is made there goes in the end.
    #[arg(long)]
    dir: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Said below the table.
    #[arg(long)]
    note: Vec<String>,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(settings) => figures::run(&settings),
        Command::Measure { workload } => workload.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
