//! What the end-to-end tests share: a real server as a child process, clients that talk to it, and
//! numbers that a seed repeats.
//!
//! Nothing here looks inside the server: tests see what a user sees, the command line, the socket, the
//! directory, signals.
#![allow(clippy::disallowed_methods)] // looks at the server's files from outside

mod binary;
mod census;
mod client;
mod random;
mod script;
mod server;

pub use binary::{binary, is_redis};
pub use census::census;
pub use client::Client;
pub use random::Random;
pub use script::{shown, words};
pub use server::{DataDir, Server, Started, until};
