//! The commands, one file per family: rows on top, then one short function each.

mod bitmap;
mod client;
mod config;
mod connection;
mod dump;
mod expire;
mod function;
mod hash;
mod hyperloglog;
mod introspection;
mod keys;
mod list;
mod pubsub;
mod script;
mod server;
mod set;
mod sort;
mod string;
mod transaction;
mod zset;

use crate::command::{Args, CommandError, CommandSpec, Context};
use resp::Reply;

/// The rows of all families.
pub(crate) const FAMILIES: &[&[CommandSpec]] = &[
    keys::COMMANDS,
    expire::COMMANDS,
    dump::COMMANDS,
    string::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    hash::COMMANDS,
    zset::COMMANDS,
    set::COMMANDS,
    sort::COMMANDS,
    list::COMMANDS,
    transaction::COMMANDS,
    script::COMMANDS,
    function::COMMANDS,
    connection::COMMANDS,
    client::COMMANDS,
    pubsub::COMMANDS,
    server::COMMANDS,
    config::COMMANDS,
    introspection::COMMANDS,
];

/// The handler of a container, which is never called without a subcommand.
fn container(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Err(CommandError::SYNTAX)
}

/// The answer to `HELP` of a container.
fn help(container: &str, lines: &'static [&'static str]) -> Reply {
    let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let own = lines.iter().map(|line| Reply::Status((*line).into()));
    let last = ["HELP", "    Prints this help."].map(|line| Reply::Status(line.into()));
    Reply::Array([Reply::Status(first.into())].into_iter().chain(own).chain(last).collect())
}
