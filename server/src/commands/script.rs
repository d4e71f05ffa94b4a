//! Scripts: EVAL and what it caches.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::script::{self, Input};
use bitmap_store::Bytes;
use resp::Reply;

/// Of all commands that run a script or a function.
pub(super) const RUN: Flags = Flags::NOSCRIPT
    .or(Flags::STALE)
    .or(Flags::SKIP_MONITOR)
    .or(Flags::NO_MANDATORY_KEYS)
    .or(Flags::MOVABLE_KEYS)
    .or(Flags::SCRIPT);
pub(super) const RUN_RO: Flags = RUN.or(Flags::READONLY);

pub(super) const WRITES: &str =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
pub(super) const READS: &str =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";
const DEPENDS: &str = "Depends on the script that is executed.";

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("eval", -3, RUN, Keys::counted(2), eval)
        .doc(Group::Scripting, "2.6.0", DEPENDS, "Execute a Lua script server side")
        .access("RW access update")
        .note(WRITES),
    CommandSpec::new("evalsha", -3, RUN, Keys::counted(2), eval_sha)
        .doc(Group::Scripting, "2.6.0", DEPENDS, "Execute a Lua script server side")
        .access("RW access update"),
    CommandSpec::new("eval_ro", -3, RUN_RO, Keys::counted(2), eval_ro)
        .doc(Group::Scripting, "7.0.0", DEPENDS, "Execute a read-only Lua script server side")
        .access("RO access")
        .note(READS),
    CommandSpec::new("evalsha_ro", -3, RUN_RO, Keys::counted(2), eval_sha_ro)
        .doc(Group::Scripting, "7.0.0", DEPENDS, "Execute a read-only Lua script server side")
        .access("RO access"),
    CommandSpec::new("script", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Scripting,
            "2.6.0",
            "Depends on subcommand.",
            "A container for Lua scripts management commands",
        )
        .subcommands(SCRIPT),
];

const SCRIPT: &[CommandSpec] = &[
    CommandSpec::new("flush", -2, Flags::NOSCRIPT, Keys::none(), flush)
        .doc(
            Group::Scripting,
            "2.6.0",
            "O(N) with N being the number of scripts in cache",
            "Remove all the scripts from the script cache.",
        )
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    CommandSpec::new("exists", -3, Flags::NOSCRIPT, Keys::none(), exists)
        .doc(
            Group::Scripting,
            "2.6.0",
            "O(N) with N being the number of scripts to check (so checking a single script is an O(1) \
             operation).",
            "Check existence of scripts in the script cache.",
        )
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]),
    CommandSpec::new("load", 3, Flags::NOSCRIPT.or(Flags::STALE), Keys::none(), load)
        .doc(
            Group::Scripting,
            "2.6.0",
            "O(N) with N being the length in bytes of the script body.",
            "Load the specified Lua script into the script cache.",
        )
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    CommandSpec::new("help", 2, Flags::LOADING.or(Flags::STALE), Keys::none(), help).doc(
        Group::Scripting,
        "5.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("debug", 3, Flags::NOSCRIPT, Keys::none(), debug).doc(
        Group::Scripting,
        "3.2.0",
        "O(1)",
        "Set the debug mode for executed scripts.",
    ),
    CommandSpec::new("kill", 2, Flags::NOSCRIPT.or(Flags::ALLOW_BUSY), Keys::none(), kill)
        .doc(Group::Scripting, "2.6.0", "O(1)", "Kill the script currently in execution.")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
];

/// The number of keys and where they are, which is behind the script; `bad` is the error if that is no number.
pub(super) fn input<'r>(mut args: Args<'r>, bad: CommandError) -> Result<Input<'r>, CommandError> {
    args.next()?;
    let keys = parse_int(args.next()?).ok_or(bad)?;
    if keys > args.len() as i64 {
        return Err(CommandError::text("ERR Number of keys can't be greater than number of args"));
    }
    let keys = usize::try_from(keys)
        .map_err(|_| CommandError::text("ERR Number of keys can't be negative"))?;
    let request = args.request();
    Ok(Input { request, first: request.len() - args.len(), keys })
}

/// `EVAL script numkeys [key …] [arg …]`
fn eval(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let input = input(args, CommandError::NOT_INTEGER)?;
    script::eval(cx, args.next()?, input, false)
}

/// `EVAL_RO script numkeys [key …] [arg …]`
fn eval_ro(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let input = input(args, CommandError::NOT_INTEGER)?;
    script::eval(cx, args.next()?, input, true)
}

/// `EVALSHA sha1 numkeys [key …] [arg …]`
fn eval_sha(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let input = input_of_digest(args)?;
    script::eval_sha(cx, args.next()?, input, false)
}

/// `EVALSHA_RO sha1 numkeys [key …] [arg …]`
fn eval_sha_ro(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let input = input_of_digest(args)?;
    script::eval_sha(cx, args.next()?, input, true)
}

/// As [`input`]; what is no digest is found out first.
fn input_of_digest(args: Args<'_>) -> Result<Input<'_>, CommandError> {
    if args.peek().is_none_or(|digest| digest.len() != 40) {
        return Err(CommandError::text("NOSCRIPT No matching script. Please use EVAL."));
    }
    input(args, CommandError::NOT_INTEGER)
}

/// `SCRIPT LOAD script`: its digest.
fn load(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::bulk(script::load(cx, args.next()?)?))
}

/// `SCRIPT EXISTS sha1 …`
fn exists(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let found = |digest| Reply::from(cx.server.scripts.has(digest));
    Ok(Reply::Array(args.rest().map(found).collect()))
}

/// `SCRIPT FLUSH [ASYNC|SYNC]`
fn flush(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let known =
        args.is_empty() || args.len() == 1 && (args.keyword("ASYNC") || args.keyword("SYNC"));
    if !known {
        return Err(CommandError::text("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.server.scripts.flush();
    Ok(Reply::OK)
}

/// `SCRIPT KILL`
fn kill(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.server.scripts.kill(false)?;
    Ok(Reply::OK)
}

/// `SCRIPT DEBUG YES|SYNC|NO`: there is no debugger.
fn debug(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.keyword("NO") {
        return Ok(Reply::OK);
    }
    if args.keyword("YES") || args.keyword("SYNC") {
        return Err(CommandError::text("ERR This server has no debugger of scripts"));
    }
    Err(CommandError::text("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

/// `SCRIPT HELP`
fn help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "SCRIPT",
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode for subsequent scripts executed.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
        ],
    ))
}

/// Bytes as a reply.
pub(super) fn bulk(bytes: &[u8]) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(bytes))
}
