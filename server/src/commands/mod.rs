//! The commands, one file per family: rows on top, then one short function each.

mod bitmap;
mod client;
mod config;
mod connection;
mod expire;
mod introspection;
mod keys;
mod server;
mod string;
mod transaction;

use crate::command::CommandSpec;

/// The rows of all families.
pub(crate) const FAMILIES: [&[CommandSpec]; 10] = [
    keys::COMMANDS,
    expire::COMMANDS,
    string::COMMANDS,
    bitmap::COMMANDS,
    transaction::COMMANDS,
    connection::COMMANDS,
    client::COMMANDS,
    server::COMMANDS,
    config::COMMANDS,
    introspection::COMMANDS,
];
