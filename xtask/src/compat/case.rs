//! A command to send, and what is expected of the two replies.

use super::compare::Compare;

/// One command.
#[derive(Clone, Debug)]
pub struct Case {
    pub args: Vec<Vec<u8>>,
    pub compare: Compare,
    /// False if the server is to stay silent (`CLIENT REPLY OFF`).
    pub replies: bool,
}

/// What the runner does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a command on the main connection.
    Send(Case),
    /// Sends a command on another connection, once all before it were answered.
    Aside(Case),
    /// A whole `SCAN` with these options on both; the keys must be the same.
    Scan(Vec<Vec<u8>>),
    /// Waits until keys that expire in a few milliseconds have.
    Pause,
}

impl Case {
    pub fn new<A: AsRef<[u8]>>(args: &[A]) -> Self {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_ref().to_vec()).collect();
        let compare = args.first().map_or(Compare::Exact, |name| Compare::of(name));
        Case { args, compare, replies: true }
    }

    pub fn compared(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }

    pub fn silent(mut self) -> Self {
        self.replies = false;
        self
    }

    /// The command's name in upper case, with the subcommand's where it has one.
    pub fn name(&self) -> String {
        let word =
            |i: usize| self.args.get(i).map(|arg| arg.escape_ascii().to_string().to_uppercase());
        let name = word(0).unwrap_or_default();
        match (name.as_str(), word(1)) {
            ("CLIENT" | "COMMAND" | "CONFIG" | "MEMORY" | "OBJECT" | "BITOP", Some(sub)) => {
                format!("{name} {sub}")
            }
            _ => name,
        }
    }
}

impl From<Case> for Vec<Step> {
    fn from(case: Case) -> Self {
        vec![Step::Send(case)]
    }
}

impl<A: AsRef<[u8]>> From<&[A]> for Case {
    fn from(args: &[A]) -> Self {
        Case::new(args)
    }
}
