//! What is sent: families of random commands over a few keys, so that they meet; right and wrong ones.

mod arity;
mod bitmaps;
mod connection;
mod dumps;
mod expire;
mod hash;
mod hyperloglog;
mod keys;
mod list;
mod pubsub;
mod scripts;
mod server;
mod set;
mod strings;
mod transactions;
mod words;
mod zset;

use super::Protocols;
use super::case::Step;
use crate::random::Random;
pub use arity::COMMANDS;
use std::str::FromStr;

/// A group of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Connection,
    Server,
    Keys,
    Expire,
    Strings,
    Bitmaps,
    HyperLogLog,
    Dumps,
    Hash,
    Zset,
    Set,
    List,
    Transactions,
    Scripts,
    PubSub,
    Arity,
}

impl Family {
    pub const ALL: &[Family] = &[
        Family::Connection,
        Family::Server,
        Family::Keys,
        Family::Expire,
        Family::Strings,
        Family::Bitmaps,
        Family::HyperLogLog,
        Family::Dumps,
        Family::Hash,
        Family::Zset,
        Family::Set,
        Family::List,
        Family::Transactions,
        Family::Scripts,
        Family::PubSub,
        Family::Arity,
    ];

    /// How often one is sent, in comparison with the others.
    pub fn weight(self) -> u32 {
        match self {
            Family::Connection => 4,
            Family::Server => 4,
            Family::Keys => 16,
            Family::Expire => 14,
            Family::Strings => 34,
            Family::Bitmaps => 40,
            Family::HyperLogLog => 12,
            Family::Dumps => 6,
            Family::Hash => 34,
            Family::Zset => 40,
            Family::Set => 34,
            Family::List => 30,
            Family::Transactions => 5,
            Family::Scripts => 14,
            Family::PubSub => 3,
            Family::Arity => 8,
        }
    }
}

impl FromStr for Family {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Family::ALL.iter().find(|f| format!("{f:?}").eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| format!("one of {:?}", Family::ALL).to_lowercase())
    }
}

/// Makes up commands.
pub struct Maker {
    protocols: Protocols,
}

impl Maker {
    pub fn new(protocols: Protocols) -> Self {
        Maker { protocols }
    }

    /// Appends one command of the family, or a few that belong together.
    pub fn make(&mut self, family: Family, random: &mut Random, out: &mut Vec<Step>) {
        match family {
            Family::Connection => connection::make(random, self.protocols, out),
            Family::Server => server::make(random, out),
            Family::Keys => keys::make(random, out),
            Family::Expire => expire::make(random, out),
            Family::Strings => out.push(Step::Send(strings::make(random))),
            Family::Bitmaps => bitmaps::make(random, out),
            Family::HyperLogLog => out.push(Step::Send(hyperloglog::make(random))),
            Family::Dumps => dumps::make(random, out),
            Family::Hash => out.push(Step::Send(hash::make(random))),
            Family::Zset => out.push(Step::Send(zset::make(random))),
            Family::Set => set::make(random, out),
            Family::List => out.push(Step::Send(list::make(random))),
            Family::Transactions => transactions::make(random, out),
            Family::Scripts => scripts::make(random, out),
            Family::PubSub => pubsub::make(random, out),
            Family::Arity => out.push(Step::Send(arity::make(random))),
        }
    }
}
