//! `bitmapist`: looks into the data directory of a stopped `bitmapistd`, or of any `bitcask-core` store.

use bitcask_core::{Bitcask, Error, Options};
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

/// Looks into the data directory of a stopped bitmapistd.
#[derive(Parser)]
#[command(name = "bitmapist", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints what the directory holds.
    Stats { dir: PathBuf },
    /// Prints the keys of the log, in byte order, escaped.
    Keys {
        dir: PathBuf,
        /// Only those that begin so.
        #[arg(long, default_value = "")]
        prefix: String,
    },
    /// Reads every live record and checks it. Exits with 2 if one is damaged.
    Verify { dir: PathBuf },
}

/// The exit code that says "damaged", apart from 1, "could not be done".
const DAMAGED: u8 = 2;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Stats { dir } => stats(&dir),
        Command::Keys { dir, prefix } => keys(&dir, &prefix),
        Command::Verify { dir } => verify(&dir),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            eprintln!("bitmapist: {e}");
            ExitCode::from(if matches!(e, Error::Corrupt { .. }) { DAMAGED } else { 1 })
        }
    }
}

/// Opening makes a missing directory: right for a server, wrong for a look.
fn open(dir: &PathBuf) -> Result<Bitcask, Error> {
    if !dir.is_dir() {
        let source = io::ErrorKind::NotFound.into();
        return Err(Error::Io { op: "open the directory", path: dir.clone(), source });
    }
    Bitcask::open(dir, Options { background: false, ..Options::default() })
}

fn stats(dir: &PathBuf) -> Result<ExitCode, Error> {
    let store = open(dir)?;
    let stats = store.stats();
    println!("log keys      {}", stats.keys);
    println!("keydir bytes  {}", stats.keydir_bytes);
    println!("segments      {}", stats.segments);
    println!("disk bytes    {}", stats.disk_bytes);
    if let Some(torn) = &store.recovery().torn {
        println!(
            "cut           {} bytes of an unfinished write at {} of {}",
            torn.bytes, torn.offset, torn.segment
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn keys(dir: &PathBuf, prefix: &str) -> Result<ExitCode, Error> {
    let store = open(dir)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    // A closed pipe ends the listing, as a reader like `head` intends.
    store.walk(prefix.as_bytes(), b"", &mut |key| match writeln!(out, "{}", key.escape_ascii()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let _ = out.flush();
    Ok(ExitCode::SUCCESS)
}

fn verify(dir: &PathBuf) -> Result<ExitCode, Error> {
    let store = open(dir)?;
    let mut all = Vec::with_capacity(store.len());
    store.walk(b"", b"", &mut |key| {
        all.push(key.to_vec());
        ControlFlow::Continue(())
    });
    let mut damaged = 0_u64;
    for key in &all {
        if let Err(e) = store.entry(key) {
            eprintln!("{}: {e}", key.escape_ascii());
            damaged += 1;
        }
    }
    println!("{} keys checked, {damaged} damaged", all.len());
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}
