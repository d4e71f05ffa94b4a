//! Functions: libraries of them, and FCALL.

use super::script::{READS, RUN, RUN_RO, WRITES, bulk, input};
use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::script::functions::{self, Library, Policy};
use crate::script::{self, Running};
use bitmap_store::{Bytes, Glob};
use resp::Reply;

const DEPENDS: &str = "Depends on the function that is executed.";

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("fcall", -3, RUN, Keys::counted(2), call)
        .doc(Group::Scripting, "7.0.0", DEPENDS, "Invoke a function")
        .access("RW access update")
        .note(WRITES),
    CommandSpec::new("fcall_ro", -3, RUN_RO, Keys::counted(2), call_ro)
        .doc(Group::Scripting, "7.0.0", DEPENDS, "Invoke a read-only function")
        .access("RO access")
        .note(READS),
    CommandSpec::new("function", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Scripting,
            "7.0.0",
            "Depends on subcommand.",
            "A container for function commands",
        )
        .subcommands(FUNCTION),
];

const CHANGES: Flags = Flags::WRITE.or(Flags::NOSCRIPT);
const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const FUNCTION: &[CommandSpec] = &[
    CommandSpec::new("load", -3, CHANGES.or(Flags::DENYOOM), Keys::none(), load)
        .doc(
            Group::Scripting,
            "7.0.0",
            "O(1) (considering compilation time is redundant)",
            "Create a function with the given arguments (name, code, description)",
        )
        .tips(ALL_SHARDS),
    CommandSpec::new("help", 2, Flags::LOADING.or(Flags::STALE), Keys::none(), help).doc(
        Group::Scripting,
        "7.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("kill", 2, Flags::NOSCRIPT.or(Flags::ALLOW_BUSY), Keys::none(), kill)
        .doc(Group::Scripting, "7.0.0", "O(1)", "Kill the function currently in execution.")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    CommandSpec::new("delete", 3, CHANGES, Keys::none(), delete)
        .doc(Group::Scripting, "7.0.0", "O(1)", "Delete a function by name")
        .tips(ALL_SHARDS),
    CommandSpec::new("flush", -2, CHANGES, Keys::none(), flush)
        .doc(
            Group::Scripting,
            "7.0.0",
            "O(N) where N is the number of functions deleted",
            "Deleting all functions",
        )
        .tips(ALL_SHARDS),
    CommandSpec::new("restore", -3, CHANGES.or(Flags::DENYOOM), Keys::none(), restore)
        .doc(
            Group::Scripting,
            "7.0.0",
            "O(N) where N is the number of functions on the payload",
            "Restore all the functions on the given payload",
        )
        .tips(ALL_SHARDS),
    CommandSpec::new("dump", 2, Flags::NOSCRIPT, Keys::none(), dump).doc(
        Group::Scripting,
        "7.0.0",
        "O(N) where N is the number of functions",
        "Dump all functions into a serialized binary payload",
    ),
    CommandSpec::new("list", -2, Flags::NOSCRIPT, Keys::none(), list)
        .doc(
            Group::Scripting,
            "7.0.0",
            "O(N) where N is the number of functions",
            "List information about all the functions",
        )
        .tips(&["nondeterministic_output_order"]),
    CommandSpec::new("stats", 2, Flags::NOSCRIPT.or(Flags::ALLOW_BUSY), Keys::none(), stats)
        .doc(
            Group::Scripting,
            "7.0.0",
            "O(1)",
            "Return information about the function currently running (name, description, duration)",
        )
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
];

/// `FCALL function numkeys [key …] [arg …]`
fn call(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    run(cx, args, false)
}

/// `FCALL_RO function numkeys [key …] [arg …]`
fn call_ro(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    run(cx, args, true)
}

fn run(cx: &mut Context<'_>, mut args: Args<'_>, read_only: bool) -> Result<Reply, CommandError> {
    if args.peek().is_none_or(|name| !cx.server.scripts.functions.has(name)) {
        return Err(CommandError::text("ERR Function not found"));
    }
    let input = input(args, CommandError::text("ERR Bad number of keys provided"))?;
    script::call_function(cx, args.next()?, input, read_only)
}

/// `FUNCTION LOAD [REPLACE] code`: the library's name.
fn load(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let mut replace = false;
    while args.len() > 1 {
        if args.keyword("REPLACE") {
            replace = true;
            continue;
        }
        let option = String::from_utf8_lossy(args.next()?);
        return Err(CommandError::new(format!("ERR Unknown option given: {option}")));
    }
    let name = functions::load(cx, args.next()?, replace)?;
    Ok(Reply::bulk(Bytes::from(name)))
}

/// `FUNCTION DELETE library`
fn delete(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    functions::delete(cx, args.next()?)?;
    Ok(Reply::OK)
}

/// `FUNCTION FLUSH [ASYNC|SYNC]`
fn flush(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.len() > 1 {
        return Err(CommandError::text(
            "ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.",
        ));
    }
    if !(args.is_empty() || args.keyword("ASYNC") || args.keyword("SYNC")) {
        return Err(CommandError::text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    functions::flush(cx);
    Ok(Reply::OK)
}

/// `FUNCTION DUMP`
fn dump(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::bulk(Bytes::from(functions::dump(cx))))
}

/// `FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]`
fn restore(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.len() > 2 {
        return Err(CommandError::text(
            "ERR unknown subcommand or wrong number of arguments for 'restore'. Try FUNCTION HELP.",
        ));
    }
    let payload = args.next()?;
    let policy = if args.is_empty() || args.keyword("APPEND") {
        Policy::Append
    } else if args.keyword("REPLACE") {
        Policy::Replace
    } else if args.keyword("FLUSH") {
        Policy::Flush
    } else {
        return Err(CommandError::text(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ));
    };
    functions::restore(cx, payload, policy)?;
    Ok(Reply::OK)
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`
fn list(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (mut pattern, mut with_code) = (None, false);
    while !args.is_empty() {
        if !with_code && args.keyword("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && args.keyword("LIBRARYNAME") {
            let text = args
                .next()
                .map_err(|_| CommandError::text("ERR library name argument was not given"))?;
            pattern = Some(Glob::new(text));
        } else {
            let argument = String::from_utf8_lossy(args.next()?);
            return Err(CommandError::new(format!("ERR Unknown argument {argument}")));
        }
    }
    let libraries = cx.server.scripts.functions.all();
    let wanted = libraries
        .iter()
        .filter(|library| pattern.as_ref().is_none_or(|pattern| pattern.matches(&library.name)));
    Ok(Reply::Array(wanted.map(|library| described(library, with_code)).collect()))
}

fn described(library: &Library, with_code: bool) -> Reply {
    let functions = library.functions.iter().map(|function| {
        let flags = function.flags.iter().map(|flag| Reply::Status((*flag).into()));
        Reply::Map(vec![
            (bulk(b"name"), bulk(&function.name)),
            (bulk(b"description"), function.description.as_deref().map_or(Reply::Null, bulk)),
            (bulk(b"flags"), Reply::Set(flags.collect())),
        ])
    });
    let mut fields = vec![
        (bulk(b"library_name"), bulk(&library.name)),
        (bulk(b"engine"), bulk(b"LUA")),
        (bulk(b"functions"), Reply::Array(functions.collect())),
    ];
    if with_code {
        fields.push((bulk(b"library_code"), bulk(&library.code)));
    }
    Reply::Map(fields)
}

/// `FUNCTION STATS`
fn stats(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    let running = match cx.server.scripts.running_function()? {
        None => Reply::Null,
        Some(Running { command, millis }) => Reply::Map(vec![
            (bulk(b"name"), command.get(1).map_or(Reply::Null, |name| bulk(name))),
            (bulk(b"command"), Reply::Array(command.iter().map(|word| bulk(word)).collect())),
            (bulk(b"duration_ms"), Reply::Int(millis as i64)),
        ]),
    };
    let libraries = cx.server.scripts.functions.all();
    let functions: usize = libraries.iter().map(|library| library.functions.len()).sum();
    let lua = Reply::Map(vec![
        (bulk(b"libraries_count"), Reply::from(libraries.len())),
        (bulk(b"functions_count"), Reply::from(functions)),
    ]);
    Ok(Reply::Map(vec![
        (bulk(b"running_script"), running),
        (bulk(b"engines"), Reply::Map(vec![(bulk(b"LUA"), lua)])),
    ]))
}

/// `FUNCTION KILL`
fn kill(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.server.scripts.kill(true)?;
    Ok(Reply::OK)
}

/// `FUNCTION HELP`
fn help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "FUNCTION",
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Create a new library with the given library name and code.",
            "DELETE <LIBRARY NAME>",
            "    Delete the given library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Return general information on all the libraries:",
            "    * Library name",
            "    * The engine used to run the Library",
            "    * Library description",
            "    * Functions list",
            "    * Library code (if WITHCODE is given)",
            "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            "STATS",
            "    Return information about the current function running:",
            "    * Function name",
            "    * Command used to run the function",
            "    * Duration in MS that the function is running",
            "    If no function is running, return nil",
            "    In addition, returns a list of available engines.",
            "KILL",
            "    Kill the current running function.",
            "FLUSH [ASYNC|SYNC]",
            "    Delete all the libraries.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the libraries.",
            "    * SYNC: Synchronously flush the libraries.",
            "DUMP",
            "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            "    control how to handle existing libraries (default APPEND):",
            "    * FLUSH: delete all existing libraries.",
            "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            "      libraries with the new libraries (notice that even on this option there is a chance of failure",
            "      in case of functions name collision with another library).",
        ],
    ))
}
