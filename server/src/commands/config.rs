//! CONFIG: reading parameters, and changing those that may change while the server runs.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::config::{PARAMETERS, Parameter};
use bitmap_store::{Bytes, Glob};
use resp::Reply;

const ADMIN: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE);

pub(super) const COMMANDS: &[CommandSpec] =
    &[CommandSpec::new("config", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Server,
            "2.0.0",
            "Depends on subcommand.",
            "A container for server configuration commands",
        )
        .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[CommandSpec] = &[
    CommandSpec::new("get", -3, ADMIN, Keys::none(), get).doc(
        Group::Server,
        "2.0.0",
        "O(N) when N is the number of configuration parameters provided",
        "Get the values of configuration parameters",
    ),
    CommandSpec::new("help", 2, Flags::LOADING.or(Flags::STALE), Keys::none(), help).doc(
        Group::Server,
        "5.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("resetstat", 2, ADMIN, Keys::none(), reset_stat).doc(
        Group::Server,
        "2.0.0",
        "O(1)",
        "Reset the stats returned by INFO",
    ),
    CommandSpec::new("rewrite", 2, ADMIN, Keys::none(), rewrite).doc(
        Group::Server,
        "2.8.0",
        "O(1)",
        "Rewrite the configuration file with the in memory configuration",
    ),
    CommandSpec::new("set", -4, ADMIN, Keys::none(), set)
        .doc(
            Group::Server,
            "2.0.0",
            "O(N) when N is the number of configuration parameters provided",
            "Set configuration parameters to the given values",
        )
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

/// `CONFIG GET pattern …`: names and values, each parameter once. A name that was given whole comes back as
/// it was spelled.
fn get(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut found: Vec<(&Parameter, Bytes)> = Vec::new();
    for pattern in args.rest() {
        let glob = Glob::new(&pattern.to_ascii_lowercase());
        for parameter in PARAMETERS {
            let known = found.iter().any(|(other, _)| other.name == parameter.name);
            if !known && glob.matches(parameter.name.as_bytes()) {
                let whole = pattern.eq_ignore_ascii_case(parameter.name.as_bytes());
                let name = if whole { pattern } else { parameter.name.as_bytes() };
                found.push((parameter, Bytes::copy_from_slice(name)));
            }
        }
    }
    let entry = |(parameter, name): (&Parameter, Bytes)| {
        (Reply::bulk(name), Reply::bulk(Bytes::from((parameter.get)(cx.server))))
    };
    Ok(Reply::Map(found.into_iter().map(entry).collect()))
}

/// `CONFIG SET parameter value …`: if one cannot be set, none is.
fn set(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let unknown = |name: &[u8]| {
        let name = String::from_utf8_lossy(name);
        CommandError::new(format!(
            "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
        ))
    };
    let failed = |parameter: &Parameter, why: &str| {
        let name = parameter.name;
        CommandError::new(format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
        ))
    };
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    let mut changes: Vec<(&Parameter, String)> = Vec::new();
    while !args.is_empty() {
        let name = args.next()?;
        let parameter = Parameter::find(name).ok_or_else(|| unknown(name))?;
        let value = args.next()?;
        if changes.iter().any(|(earlier, _)| earlier.name == parameter.name) {
            return Err(failed(parameter, "duplicate parameter"));
        }
        changes.push((parameter, String::from_utf8_lossy(value).into_owned()));
    }
    let before: Vec<String> = changes.iter().map(|(p, _)| (p.get)(cx.server)).collect();
    for (i, (parameter, value)) in changes.iter().enumerate() {
        if let Err(why) = parameter.change(cx.server, value) {
            for ((parameter, _), old) in changes[..i].iter().zip(&before) {
                // It was valid before, so it still is.
                let _ = parameter.change(cx.server, old);
            }
            return Err(failed(parameter, &why));
        }
    }
    Ok(Reply::OK)
}

/// `CONFIG RESETSTAT`
fn reset_stat(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.lookups.flush(&cx.server.stats);
    cx.server.stats.reset();
    cx.server.pubsub.reset_stat();
    Ok(Reply::OK)
}

/// `CONFIG REWRITE`: the configuration file is the administrator's; it is never written.
fn rewrite(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Err(CommandError::text("ERR The server is running without a config file"))
}

/// `CONFIG HELP`
fn help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    ))
}
