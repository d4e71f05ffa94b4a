//! A command to send, and what is expected of the two replies.

use super::compare::Compare;
use super::family::COMMANDS;

/// One command.
#[derive(Clone, Debug)]
pub struct Case {
    pub args: Vec<Vec<u8>>,
    pub compare: Compare,
    /// Replies: 0 if the server is to stay silent (`CLIENT REPLY OFF`), one for each name that is subscribed to.
    pub replies: usize,
}

/// What the runner does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a command on the main connection.
    Send(Case),
    /// Sends a command on another connection, once all before it were answered.
    Aside(Case),
    /// Publishes a message on another connection; the main one is to hear the same on both.
    Publish { sharded: bool, channel: Vec<u8>, text: Vec<u8> },
    /// A whole `SCAN` with these options on both; the keys must be the same.
    Scan(Vec<Vec<u8>>),
    /// What each DUMPs of this key, the other RESTOREs; then both print what they have got.
    Carry(Vec<u8>),
    /// `DBSIZE` on both; expired keys count until they are removed, which may take a moment.
    Size,
    /// Waits until keys that expire in a few milliseconds have.
    Pause,
}

impl Case {
    pub fn new<A: AsRef<[u8]>>(args: &[A]) -> Self {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_ref().to_vec()).collect();
        let compare = args.first().map_or(Compare::Exact, |name| Compare::of(name));
        Case { args, compare, replies: 1 }
    }

    pub fn compared(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }

    pub fn silent(mut self) -> Self {
        self.replies = 0;
        self
    }

    /// Expects so many replies.
    pub fn answered(mut self, replies: usize) -> Self {
        self.replies = replies;
        self
    }

    /// The command's name in upper case, with the subcommand's where it has one.
    pub fn name(&self) -> String {
        let word = |i: usize| {
            let text = self.args.get(i)?.to_ascii_uppercase();
            let plain = |c: &u8| c.is_ascii_alphabetic() || b"-_".contains(c);
            (text.len() < 16 && text.iter().all(plain)).then(|| String::from_utf8(text).ok())?
        };
        let known = |name: &String| {
            COMMANDS
                .iter()
                .chain(&["save", "info", "debug", "shutdown", "lolwut"])
                .any(|c| name.eq_ignore_ascii_case(c))
        };
        match (word(0).filter(known), word(1)) {
            (None, _) => "an unknown command".into(),
            (Some(name), Some(sub)) if FAMILIES.contains(&name.as_str()) => format!("{name} {sub}"),
            (Some(name), _) => name,
        }
    }
}

/// Commands whose second word says what they do.
const FAMILIES: &[&str] = &["CLIENT", "COMMAND", "CONFIG", "MEMORY", "OBJECT", "BITOP", "PUBSUB"];
