//! What the table says about itself: the shapes of `COMMAND INFO` and `COMMAND DOCS`, ACL categories,
//! and the page of all commands.

use super::{Command, CommandSpec, Flags, Group, Keys, table};
use bitmap_store::Bytes;
use resp::Reply;
use std::fmt::Write;

/// Redis' ACL categories that a command of ours may be in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Category {
    Keyspace,
    Read,
    Write,
    String,
    Bitmap,
    PubSub,
    Admin,
    Fast,
    Slow,
    Blocking,
    Dangerous,
    Connection,
    Transaction,
    Set,
    SortedSet,
    List,
    Hash,
    HyperLogLog,
    Scripting,
}

impl Category {
    /// In Redis' order.
    pub(crate) const ALL: &[Category] = &[
        Category::Keyspace,
        Category::Read,
        Category::Write,
        Category::Set,
        Category::SortedSet,
        Category::List,
        Category::Hash,
        Category::String,
        Category::Bitmap,
        Category::HyperLogLog,
        Category::PubSub,
        Category::Admin,
        Category::Fast,
        Category::Slow,
        Category::Blocking,
        Category::Dangerous,
        Category::Connection,
        Category::Transaction,
        Category::Scripting,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Category::Keyspace => "keyspace",
            Category::Read => "read",
            Category::Write => "write",
            Category::String => "string",
            Category::Bitmap => "bitmap",
            Category::PubSub => "pubsub",
            Category::Admin => "admin",
            Category::Fast => "fast",
            Category::Slow => "slow",
            Category::Dangerous => "dangerous",
            Category::Connection => "connection",
            Category::Transaction => "transaction",
            Category::Blocking => "blocking",
            Category::Set => "set",
            Category::SortedSet => "sortedset",
            Category::List => "list",
            Category::Hash => "hash",
            Category::HyperLogLog => "hyperloglog",
            Category::Scripting => "scripting",
        }
    }

    /// The category of this name, in any case.
    pub(crate) fn find(name: &[u8]) -> Option<Category> {
        Self::ALL.iter().copied().find(|c| name.eq_ignore_ascii_case(c.name().as_bytes()))
    }

    /// Whether `command` is in it.
    pub(crate) fn has(self, command: &Command) -> bool {
        let spec = command.spec;
        match self {
            Category::Keyspace => spec.flags.has(Flags::KEYSPACE),
            Category::Read => spec.flags.has(Flags::READONLY) && spec.group != Group::Scripting,
            Category::Write => spec.flags.has(Flags::WRITE),
            Category::String => spec.group == Group::String,
            Category::Bitmap => spec.group == Group::Bitmap,
            Category::PubSub => spec.flags.has(Flags::PUBSUB),
            Category::Admin => {
                spec.flags.has(Flags::ADMIN) || spec.flags.has(Flags::ADMIN_CATEGORY)
            }
            Category::Fast => spec.flags.has(Flags::FAST),
            Category::Slow => !spec.flags.has(Flags::FAST),
            Category::Dangerous => spec.flags.has(Flags::DANGEROUS) || spec.flags.has(Flags::ADMIN),
            // A container by itself is in no category: who may do what is up to its subcommands.
            Category::Connection => {
                spec.flags.has(Flags::CONNECTION)
                    || spec.group == Group::Connection && spec.flags != Flags::NONE
            }
            Category::Transaction => spec.group == Group::Transactions,
            Category::Blocking => spec.flags.has(Flags::BLOCKING),
            Category::Set => spec.group == Group::Set || spec.flags.has(Flags::SORTS),
            Category::SortedSet => spec.group == Group::SortedSet || spec.flags.has(Flags::SORTS),
            Category::List => spec.group == Group::List || spec.flags.has(Flags::SORTS),
            Category::Hash => spec.group == Group::Hash,
            Category::HyperLogLog => spec.group == Group::HyperLogLog,
            Category::Scripting => spec.group == Group::Scripting && spec.subcommands.is_empty(),
        }
    }
}

/// An element of `COMMAND INFO`.
pub(crate) fn info(command: &Command) -> Reply {
    let spec = command.spec;
    let statuses = |names: Vec<String>| {
        Reply::Set(names.into_iter().map(|name| Reply::Status(name.into())).collect())
    };
    let flags = spec.flags.names().map(str::to_owned).collect();
    let categories = Category::ALL.iter().filter(|category| category.has(command));
    let categories = categories.map(|category| format!("@{}", category.name())).collect();
    let children = table().children(command).iter().map(info).collect();
    Reply::Array(vec![
        text(&command.full_name),
        Reply::Int(i64::from(spec.arity)),
        statuses(flags),
        Reply::Int(i64::from(spec.keys.first)),
        Reply::Int(i64::from(spec.keys.last)),
        Reply::Int(i64::from(spec.keys.step)),
        statuses(categories),
        Reply::Array(spec.tips.iter().map(|tip| text(tip)).collect()),
        Reply::Array(key_specs(spec)),
        Reply::Array(children),
    ])
}

fn key_specs(spec: &CommandSpec) -> Vec<Reply> {
    let notes = spec.note.split('\n').chain(std::iter::repeat(""));
    let runs = spec.key_runs().into_iter().zip(notes);
    runs.map(|((keys, access), note)| key_spec(keys, access, note)).collect()
}

fn key_spec(keys: Keys, access: &str, note: &str) -> Reply {
    let Keys { first, last, step, counted_at } = keys;
    let int = |number: i16| Reply::Int(i64::from(number));
    // Counted from the first key, unless from the end.
    let last = if last >= 0 { last - first } else { last };
    let unknown = || vec![(text("type"), text("unknown")), (text("spec"), Reply::Map(Vec::new()))];
    let begin = vec![
        (text("type"), text("index")),
        (text("spec"), Reply::Map(vec![(text("index"), int(first.max(counted_at)))])),
    ];
    let (kind, spec) = if counted_at == 0 {
        let range = [("lastkey", int(last)), ("keystep", int(step)), ("limit", Reply::Int(0))];
        ("range", range)
    } else {
        let number = [("keynumidx", int(0)), ("firstkey", int(1)), ("keystep", int(1))];
        ("keynum", number)
    };
    let spec = spec.map(|(name, value)| (text(name), value)).to_vec();
    let find = vec![(text("type"), text(kind)), (text("spec"), Reply::Map(spec))];
    let (begin, find) = if keys == Keys::none() { (unknown(), unknown()) } else { (begin, find) };
    let mut fields = vec![
        (text("flags"), access_flags(access)),
        (text("begin_search"), Reply::Map(begin)),
        (text("find_keys"), Reply::Map(find)),
    ];
    if !note.is_empty() {
        fields.insert(0, (text("notes"), text(note)));
    }
    Reply::Map(fields)
}

/// What is done to a key, as `COMMAND INFO` and `COMMAND GETKEYSANDFLAGS` print it.
pub(crate) fn access_flags(access: &str) -> Reply {
    Reply::Set(access.split(' ').map(|flag| Reply::Status(flag.to_owned().into())).collect())
}

/// The name and the entry of `COMMAND DOCS`.
pub(crate) fn docs(command: &Command) -> (Reply, Reply) {
    let spec = command.spec;
    let mut fields = vec![
        (text("summary"), text(spec.summary)),
        (text("since"), text(spec.since)),
        (text("group"), text(spec.group.name())),
        (text("complexity"), text(spec.complexity)),
    ];
    let children = table().children(command);
    if !children.is_empty() {
        fields.push((text("subcommands"), Reply::Map(children.iter().map(docs).collect())));
    }
    (text(&command.full_name), Reply::Map(fields))
}

fn text(text: &str) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(text.as_bytes()))
}

/// The page of all commands, by group.
pub(crate) fn markdown() -> String {
    let mut page = String::from(
        "# Commands\n\n\
         Generated from the server's table of commands by `bitmapistd --print-commands`. *Arity* counts\n\
         the command's name; a negative one is a minimum. *Since* is the version of Redis that brought the\n\
         command; 0.1.0 is one of ours.\n",
    );
    for &group in Group::ALL {
        if table().all().iter().all(|command| command.spec.group != group) {
            continue;
        }
        let name = group.name();
        let title = name[..1].to_ascii_uppercase() + &name[1..];
        let _ = write!(
            page,
            "\n## {title}\n\n| command | arity | flags | since | complexity | what it does |\n\
             |---|---:|---|---|---|---|\n"
        );
        let mut commands: Vec<&Command> =
            table().all().iter().filter(|command| command.spec.group == group).collect();
        commands.sort_by_key(|command| &command.full_name);
        for command in commands {
            let spec = command.spec;
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {} |",
                command.full_name.to_ascii_uppercase().replace('|', " "),
                spec.arity,
                spec.flags.names().collect::<Vec<_>>().join(" "),
                spec.since,
                cell(spec.complexity),
                cell(spec.summary),
            );
        }
    }
    page
}

/// Text that does not end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::KeyPositions;

    #[test]
    fn who_only_reads_says_so_of_every_key_and_the_runs_are_all_keys() {
        for command in table().all() {
            let spec = command.spec;
            let mut keys = Vec::new();
            for (run, access) in spec.key_runs() {
                // PFCOUNT remembers what it has counted.
                let only_reads =
                    spec.flags.has(Flags::READONLY) && !spec.flags.has(Flags::MAY_REPLICATE);
                assert!(!only_reads || access.starts_with("RO"));
                keys.extend(KeyPositions::of(run, 8));
            }
            assert_eq!(keys, KeyPositions::of(spec.keys, 8).collect::<Vec<_>>());
            let reads = |access: &str| access.starts_with("RO") || access == "not_key";
            let changes = spec.key_runs().iter().any(|(_, access)| !reads(access));
            let writes = spec.flags.has(Flags::WRITE) || spec.flags.has(Flags::MAY_REPLICATE);
            let writes = writes && !spec.key_runs().is_empty() && spec.access != "not_key";
            // What a script does is not known.
            assert!(changes == writes || spec.flags.has(Flags::SCRIPT), "{}", command.full_name);
        }
    }

    #[test]
    fn the_page_names_every_command() {
        let page = markdown();
        for command in table().all() {
            let name = command.full_name.to_ascii_uppercase().replace('|', " ");
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
