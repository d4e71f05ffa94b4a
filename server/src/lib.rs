//! A server that speaks the Redis protocol over a [`bitmap_store::Keyspace`].
//!
//! The binary `bitmapistd` is [`Server::start`] with the configuration of its command line; a test starts
//! as many servers in its own process as it likes:
//!
//! ```no_run
//! use bitmapistd::{Config, Server};
//!
//! let config = Config { addr: "localhost:0".into(), dir: "data".into(), ..Config::default() };
//! let server = Server::start(config)?;
//! println!("serving on {}", server.addr().expect("TCP is on"));
//! server.shutdown()?;
//! # Ok::<(), bitmapistd::Error>(())
//! ```
//!
//! A connection's task reads, runs commands in place, waits for the sync that covers them, and replies
//! (`net`); a command is a row of a table and a short function (`command`, `commands`).

pub mod config;
pub mod logging;

mod background;
mod backup;
mod clients;
mod clock;
mod command;
mod commands;
mod error;
mod events;
mod info;
mod net;
mod nudge;
mod open_files;
mod pubsub;
mod script;
mod server;
mod session;
mod shared;
mod stats;
mod trouble;
mod waiting;
mod warned;

pub use config::Config;
pub use error::Error;
pub use server::{Handle, Server};

/// The table of commands in Markdown, for the documentation.
pub fn commands_markdown() -> String {
    command::markdown()
}

/// What the fuzzer runs; for the tests of this repository only.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use script::fuzzing;

#[cfg(test)]
mod tests;
