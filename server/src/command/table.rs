//! The one table of all commands, and finding a request's row in it.
//!
//! A look-up allocates nothing: names are hashed and compared without regard to case.

use super::{CommandError, CommandSpec};
use crate::commands::FAMILIES;
use resp::Args;
use std::sync::LazyLock;

/// The position of a command in the table; counters of commands are kept in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandId(pub u16);

impl CommandId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A command or subcommand, with its place in the table.
pub(crate) struct Command {
    pub id: CommandId,
    pub spec: &'static CommandSpec,
    /// `get`, `client|setname`.
    pub full_name: String,
    /// Number of arguments that name it: 1, for a subcommand 2.
    pub words: usize,
    /// Positions of its subcommands in the table.
    children: std::ops::Range<usize>,
}

/// All commands; each container is followed by its subcommands.
pub(crate) struct Table {
    commands: Vec<Command>,
    /// Open addressing: positions of top-level commands by the hash of their names.
    slots: [u16; SLOTS],
}

/// What a request's first arguments name.
pub(crate) enum Lookup {
    Found(&'static Command),
    Unknown,
    /// The container is known, its subcommand is not.
    UnknownSubcommand(&'static Command),
}

const SLOTS: usize = 1024;
const EMPTY: u16 = u16::MAX;

/// The table, made at first use.
pub(crate) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
    &TABLE
}

impl Table {
    fn new() -> Self {
        let mut commands = Vec::new();
        let mut slots = [EMPTY; SLOTS];
        for spec in FAMILIES.iter().copied().flatten() {
            let parent = commands.len();
            let mut slot = hash(spec.name.as_bytes());
            while slots[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = parent as u16;
            let children = parent + 1..parent + 1 + spec.subcommands.len();
            commands.push(Command::new(parent, spec, spec.name.to_owned(), 1, children));
            for sub in spec.subcommands {
                let id = commands.len();
                let full_name = format!("{}|{}", spec.name, sub.name);
                commands.push(Command::new(id, sub, full_name, 2, 0..0));
            }
        }
        assert!(commands.len() < SLOTS / 2, "the table of commands needs more slots");
        Table { commands, slots }
    }

    /// All commands and subcommands, in the order of their ids.
    pub(crate) fn all(&self) -> &[Command] {
        &self.commands
    }

    /// The commands that are not subcommands.
    pub(crate) fn top_level(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(|command| command.words == 1)
    }

    pub(crate) fn get(&'static self, id: CommandId) -> &'static Command {
        &self.commands[id.index()]
    }

    /// The subcommands of a container.
    pub(crate) fn children(&self, container: &Command) -> &[Command] {
        &self.commands[container.children.clone()]
    }

    /// The command called `name`, in any case.
    pub(crate) fn find(&'static self, name: &[u8]) -> Option<&'static Command> {
        let mut slot = hash(name);
        while self.slots[slot] != EMPTY {
            let command = &self.commands[usize::from(self.slots[slot])];
            if command.spec.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(command);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// The command called `name`, or the subcommand called `container|name`.
    pub(crate) fn find_full(&'static self, name: &[u8]) -> Option<&'static Command> {
        match name.iter().position(|&byte| byte == b'|') {
            None => self.find(name),
            Some(bar) => self.find_child(self.find(&name[..bar])?, &name[bar + 1..]),
        }
    }

    fn find_child(&'static self, container: &Command, name: &[u8]) -> Option<&'static Command> {
        self.commands[container.children.clone()]
            .iter()
            .find(|child| child.spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The command that a request names.
    pub(crate) fn lookup(&'static self, request: Args<'_>) -> Lookup {
        let Some(command) = request.get(0).and_then(|name| self.find(name)) else {
            return Lookup::Unknown;
        };
        if command.children.is_empty() {
            return Lookup::Found(command);
        }
        match request.get(1) {
            None => Lookup::Found(command),
            Some(name) => match self.find_child(command, name) {
                Some(child) => Lookup::Found(child),
                None => Lookup::UnknownSubcommand(command),
            },
        }
    }

    /// The command that a request names, with its arity checked; the error is what Redis says.
    pub(crate) fn resolve(&'static self, request: Args<'_>) -> Result<&'static Command, Rejected> {
        match self.lookup(request) {
            Lookup::Found(command) if command.spec.accepts(request.len()) => Ok(command),
            Lookup::Found(command) => {
                Err(Rejected { by: Some(command), error: CommandError::arity(&command.full_name) })
            }
            Lookup::UnknownSubcommand(container) => Err(Rejected {
                by: None,
                error: CommandError::unknown_subcommand(
                    container.spec.name,
                    request.get(1).unwrap_or_default(),
                ),
            }),
            Lookup::Unknown => Err(Rejected { by: None, error: unknown_command(request) }),
        }
    }
}

/// A request that no handler sees.
pub(crate) struct Rejected {
    /// The command that did not accept it.
    pub by: Option<&'static Command>,
    pub error: CommandError,
}

impl Command {
    fn new(
        id: usize,
        spec: &'static CommandSpec,
        full_name: String,
        words: usize,
        children: std::ops::Range<usize>,
    ) -> Self {
        Command { id: CommandId(id as u16), spec, full_name, words, children }
    }
}

/// FNV-1a of the name in lower case, as a slot.
fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    for byte in name {
        hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193);
    }
    (hash ^ (hash >> 15)) as usize % SLOTS
}

/// What Redis says to a command it does not know: it quotes at most 128 bytes of arguments.
fn unknown_command(request: Args<'_>) -> CommandError {
    let mut shown = String::new();
    for arg in request.iter().skip(1) {
        if shown.len() >= 128 {
            break;
        }
        let arg = super::error::excerpt(arg, 128 - shown.len());
        shown.push('\'');
        shown.push_str(&arg);
        shown.push_str("' ");
    }
    let name = super::error::excerpt(request.get(0).unwrap_or_default(), 128);
    CommandError::new(format!("ERR unknown command '{name}', with args beginning with: {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case_and_names_are_unique() {
        let mut seen = HashSet::new();
        for command in table().all() {
            assert!(seen.insert(&command.full_name), "{} is listed twice", command.full_name);
            let name = command.full_name.to_ascii_uppercase();
            let found = table().find_full(name.as_bytes()).expect("listed");
            assert_eq!(found.id, command.id);
            assert_eq!(command.spec.name, command.spec.name.to_ascii_lowercase());
            assert_ne!(command.spec.arity, 0);
            assert!(!command.spec.summary.is_empty(), "{} lacks a summary", command.full_name);
        }
        assert!(table().find(b"").is_none());
    }
}
