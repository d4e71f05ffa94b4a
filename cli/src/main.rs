//! `bitmapist`: works on the data directory of a `bitmapistd`, on any `bitcask-core` store, and on a server.
//!
//! A command is a file in `commands`, which says what it does; `arguments` is the parser, from which help,
//! completions, the man page and `docs/cli.md` are made; `stores` are the three kinds of things that hold keys.

mod arguments;
mod commands;
mod exit;
mod files;
mod holder;
mod json;
mod output;
mod progress;
mod report;
mod spelling;
mod stores;
mod target;
mod units;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let json = arguments.format.json;
    exit::code(commands::run(arguments), json)
}
