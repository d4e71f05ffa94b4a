//! The commands, a file for each family.

mod backup;
mod bench;
mod check;
mod classic;
mod compact;
mod dump;
mod gc;
mod generate;
mod list;
mod read;
mod stats;
mod write;

use crate::arguments::{Arguments, Command};
use crate::exit::{Failure, Outcome};
use crate::output::Out;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Does what the command line asks for.
pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let mut out = Out::new(&arguments.format);
    let result = match arguments.command {
        Command::Get(args) => read::get(&args, &mut out),
        Command::Exists(args) => read::exists(&args, &mut out),
        Command::Put(args) => write::put(args, &mut out),
        Command::Del(args) => write::del(&args, &mut out),
        Command::Keys(args) => list::list(&args, false, &mut out),
        Command::Scan(args) => list::list(&args, true, &mut out),
        Command::Range(args) => list::range(&args, &mut out),
        Command::Stats(args) => stats::stats(&args, &mut out),
        Command::Reclaimable(args) => stats::reclaimable(&args, &mut out),
        Command::Compact(args) => compact::compact(&args, &mut out),
        Command::Verify(args) => check::verify(&args, &mut out),
        Command::Repair(args) => check::repair(&args, &mut out),
        Command::Salvage(args) => check::salvage(&args, &mut out),
        Command::Backup(args) => backup::backup(&args, &mut out),
        Command::Restore(args) => backup::restore(&args, &mut out),
        Command::Import(args) => classic::import(&args, &mut out),
        Command::Export(args) => classic::export(&args, &mut out),
        Command::Dump(args) => dump::dump(&args, &mut out),
        Command::Gc(args) => gc::gc(&args, &mut out),
        Command::Bench(args) => bench::bench(&args, &mut out),
        Command::Version(args) => stats::version(&args, &mut out),
        Command::Completions { shell } => generate::completions(shell, &mut out),
        Command::Man { to } => generate::man(to.as_deref(), &mut out),
        Command::Markdown => generate::markdown(&mut out),
    };
    // What was printed before something went wrong is printed all the same.
    let finished = out.finish();
    let outcome = result?;
    finished?;
    Ok(outcome)
}

/// A key or value as it was typed.
fn typed(argument: &OsStr, out: &Out) -> Result<Vec<u8>, Failure> {
    let parsed = out.spelling.parse(argument.as_bytes());
    parsed.map_err(|why| Failure::Usage(format!("{}: {why}", argument.display())))
}
