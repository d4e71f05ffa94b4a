//! `cargo xtask compat`: the same seeded random commands on two servers, and every reply compared byte by
//! byte; at intervals the whole contents, too.
//!
//! What time or chance decides is compared as loosely as it must be ([`compare`]); what differs for a
//! reason is in [`rules`], and in docs/compatibility.md. After a difference both are emptied, so that one
//! does not cause the next.

mod case;
mod compare;
mod family;
mod history;
mod rules;
mod runner;
mod state;

use crate::process::{Durability, Scratch, Server};
use crate::workspace;
pub use family::Family;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The protocols that replies are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    Resp2,
    Resp3,
    Both,
}

impl FromStr for Protocols {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "2" => Ok(Protocols::Resp2),
            "3" => Ok(Protocols::Resp3),
            "both" => Ok(Protocols::Both),
            _ => Err("2, 3 or both".into()),
        }
    }
}

/// What is to be sent.
pub struct Plan {
    pub commands: u64,
    pub seed: u64,
    pub protocol: Protocols,
    /// All, if empty.
    pub families: Vec<Family>,
    /// Whether what the servers tell of their keys (`notify-keyspace-events`) is compared, too.
    pub events: bool,
}

/// Compares the servers at `addrs` (ours, theirs), or starts one of each.
///
/// # Errors
/// There are differences, a server does not start, or a connection breaks.
pub fn run(
    plan: &Plan,
    addrs: Option<(SocketAddr, SocketAddr)>,
    binary: Option<PathBuf>,
) -> Result<(), String> {
    if let Some((ours, theirs)) = addrs {
        return runner::compare(plan, ours, theirs);
    }
    let binary = binary.map_or_else(|| workspace::build_server(false), Ok)?;
    let scratch = Scratch::new("compat")?;
    let theirs = Server::redis(scratch.path(), Durability::No)?;
    let ours = Server::ours(&binary, scratch.path(), Durability::No, &[])?;
    runner::compare(plan, ours.addr, theirs.addr)
        .map_err(|problem| if problem.contains("hung up") { ours.blame(&problem) } else { problem })
}
