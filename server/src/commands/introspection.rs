//! COMMAND: what the table of commands says, in the shapes of Redis 7.

use crate::command::{
    Args, Category, Command, CommandError, CommandSpec, Context, Flags, Group, KeyPositions, Keys,
    access_flags, docs, info, table,
};
use bitmap_store::{Bytes, Glob};
use resp::Reply;

const ANY: Flags = Flags::LOADING.or(Flags::STALE).or(Flags::CONNECTION);

pub(super) const COMMANDS: &[CommandSpec] =
    &[CommandSpec::new("command", -1, ANY, Keys::none(), all)
        .doc(
            Group::Server,
            "2.8.13",
            "O(N) where N is the total number of Redis commands",
            "Get array of Redis command details",
        )
        .tips(&["nondeterministic_output_order"])
        .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[CommandSpec] = &[
    CommandSpec::new("count", 2, ANY, Keys::none(), count).doc(
        Group::Server,
        "2.8.13",
        "O(1)",
        "Get total number of Redis commands",
    ),
    CommandSpec::new("docs", -2, ANY, Keys::none(), command_docs)
        .doc(
            Group::Server,
            "7.0.0",
            "O(N) where N is the number of commands to look up",
            "Get array of specific Redis command documentation",
        )
        .tips(&["nondeterministic_output_order"]),
    CommandSpec::new("getkeys", -4, ANY, Keys::none(), get_keys).doc(
        Group::Server,
        "2.8.13",
        "O(N) where N is the number of arguments to the command",
        "Extract keys given a full Redis command",
    ),
    CommandSpec::new("getkeysandflags", -4, ANY, Keys::none(), get_keys_and_flags).doc(
        Group::Server,
        "7.0.0",
        "O(N) where N is the number of arguments to the command",
        "Extract keys and access flags given a full Redis command",
    ),
    CommandSpec::new("help", 2, ANY, Keys::none(), help).doc(
        Group::Server,
        "5.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("info", -2, ANY, Keys::none(), command_info)
        .doc(
            Group::Server,
            "2.8.13",
            "O(N) where N is the number of commands to look up",
            "Get array of specific Redis command details, or all when no argument is given.",
        )
        .tips(&["nondeterministic_output_order"]),
    CommandSpec::new("list", -2, ANY, Keys::none(), list)
        .doc(
            Group::Server,
            "7.0.0",
            "O(N) where N is the total number of Redis commands",
            "Get an array of Redis command names",
        )
        .tips(&["nondeterministic_output_order"]),
];

/// `COMMAND`
fn all(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Array(table().top_level().map(info).collect()))
}

/// `COMMAND COUNT`
fn count(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Int(table().top_level().count() as i64))
}

/// `COMMAND INFO [name …]`: null for a name that is none.
fn command_info(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    if args.is_empty() {
        return all(cx, args);
    }
    let entry = |name| table().find_full(name).map_or(Reply::Null, info);
    Ok(Reply::Array(args.rest().map(entry).collect()))
}

/// `COMMAND DOCS [name …]`: names that are none are left out.
fn command_docs(_: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    if args.is_empty() {
        return Ok(Reply::Map(table().top_level().map(docs).collect()));
    }
    Ok(Reply::Map(args.rest().filter_map(|name| table().find_full(name)).map(docs).collect()))
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN glob]`
fn list(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let names: Vec<&Command> = if args.is_empty() {
        table().top_level().collect()
    } else if args.len() == 3 && args.keyword("FILTERBY") {
        if args.keyword("MODULE") {
            Vec::new()
        } else if args.keyword("ACLCAT") {
            let category = Category::find(args.next()?);
            let inside = |command: &&Command| category.is_some_and(|c| c.has(command));
            table().all().iter().filter(inside).collect()
        } else if args.keyword("PATTERN") {
            let glob = Glob::new(&args.next()?.to_ascii_lowercase());
            let matches = |command: &&Command| glob.matches(command.full_name.as_bytes());
            table().all().iter().filter(matches).collect()
        } else {
            return Err(CommandError::SYNTAX);
        }
    } else {
        return Err(CommandError::SYNTAX);
    };
    Ok(Reply::Array(names.into_iter().map(|command| bulk(command.full_name.as_bytes())).collect()))
}

/// `COMMAND GETKEYS command [argument …]`
fn get_keys(_: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Array(keys_of(args)?.into_iter().map(|(key, _)| bulk(key)).collect()))
}

/// `COMMAND GETKEYSANDFLAGS command [argument …]`
fn get_keys_and_flags(_: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let entry = |(key, access)| Reply::Array(vec![bulk(key), access_flags(access)]);
    Ok(Reply::Array(keys_of(args)?.into_iter().map(entry).collect()))
}

/// The keys of the command in the arguments, and what it does to each.
fn keys_of(args: Args<'_>) -> Result<Vec<(&[u8], &'static str)>, CommandError> {
    // Without COMMAND and GETKEYS.
    let request = args.request().skip(2);
    let words: Vec<&[u8]> = request.iter().collect();
    let container = words
        .first()
        .and_then(|name| table().find(name))
        .ok_or(CommandError::text("ERR Invalid command specified"))?;
    let mut command = container;
    if !table().children(container).is_empty()
        && let Some(sub) = words.get(1)
    {
        let name = [container.spec.name.as_bytes(), b"|", sub].concat();
        command =
            table().find_full(&name).ok_or(CommandError::text("ERR Invalid command specified"))?;
    }
    let spec = command.spec;
    if spec.keys.first == 0 && spec.keys.counted_at == 0 {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !spec.accepts(words.len()) {
        return Err(CommandError::text("ERR Invalid number of arguments specified for command"));
    }
    let runs = spec.key_runs().into_iter().flat_map(|(keys, access)| {
        let access =
            if access.contains("variable") { access_by(spec.name, &words) } else { access };
        KeyPositions::in_request(keys, request).map(move |i| (i, access))
    });
    Ok(runs.filter_map(|(i, access)| Some((*words.get(i)?, access))).collect())
}

/// What SET or BITFIELD does to its key with these arguments, as Redis looks at them.
fn access_by(name: &str, words: &[&[u8]]) -> &'static str {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let mut rest = words.get(2..).unwrap_or_default();
    if name == "set" {
        let gets = rest.iter().skip(1).any(|word| is(word, "get"));
        return if gets { "RW access update" } else { "OW update" };
    }
    while let [word, following @ ..] = rest {
        rest = match following {
            [_, _, next @ ..] if is(word, "get") => next,
            [_, next @ ..] if is(word, "overflow") => next,
            // One that writes, or is none at all.
            _ => return "RW access update",
        };
    }
    "RO access"
}

/// `COMMAND HELP`
fn help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all Redis commands.",
            "COUNT",
            "    Return the total number of commands in this Redis server.",
            "LIST",
            "    Return a list of all commands in this Redis server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full Redis command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full Redis command.",
        ],
    ))
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(bytes))
}
