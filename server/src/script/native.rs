//! The functions of `redis`, and others that scripts have of the server.

use super::chance::Chance;
use super::convert::with_argument;
use super::libraries::{bits, cjson, cmsgpack, pack};
use super::number::truncated;
use super::raised::{self, Raised, convert};
use super::sha1::{hex, sha1};
use crate::command::{Lookup, table};
use crate::info::REDIS_VERSION;
use mlua::{Lua, MultiValue, Result, Table, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What the functions of one state share. It begins anew with every script.
pub(super) struct State {
    /// The script asked for RESP3.
    pub resp3: AtomicBool,
    chance: Mutex<Chance>,
    pub json: Mutex<cjson::Settings>,
    pub registry: Mutex<super::library::Registry>,
}

impl State {
    pub(super) fn new() -> Self {
        State {
            resp3: AtomicBool::new(false),
            chance: Mutex::new(Chance::from_seed(0)),
            json: Mutex::default(),
            registry: Mutex::default(),
        }
    }

    /// For the next script.
    pub(super) fn reset(&self, seed: u64) {
        self.resp3.store(false, Ordering::Relaxed);
        *super::pool::lock(&self.chance) = Chance::from_seed(seed as i32);
        *super::pool::lock(&self.json) = cjson::Settings::default();
    }
}

/// What a script's source is called in messages; functions have another.
pub(super) const SCRIPT_NAME: &str = "@user_script";
pub(super) const FUNCTION_NAME: &str = "@user_function";
/// The source of what surrounds scripts.
pub(super) const SANDBOX_NAME: &str = "=sandbox";

const LEVELS: [(&str, i64); 4] =
    [("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)];
const REPLICATION: [(&str, i64); 5] =
    [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];

/// The table that the sandbox is made of.
pub(super) fn table_of(lua: &Lua, state: &Arc<State>) -> Result<Table> {
    let native = lua.create_table()?;
    native.set("convert", lua.create_function(convert)?)?;
    native.set("handler", lua.create_function(handler)?)?;
    random(lua, &native, state)?;
    native.set("redis", redis(lua, state)?)?;
    native.set("loading", loading(lua, state)?)?;
    native.set("bit", bits::table(lua)?)?;
    native.set("cjson", cjson::table(lua, state)?)?;
    native.set("cmsgpack", cmsgpack::table(lua)?)?;
    native.set("struct", pack::table(lua)?)?;
    Ok(native)
}

/// Makes of anything that was raised a table with its text and where it was raised.
fn handler(lua: &Lua, problem: Value) -> Result<Table> {
    let table = match convert(lua, problem)? {
        Value::Table(table) => table,
        other => {
            let table = lua.create_table_with_capacity(0, 3)?;
            let text = [b"ERR ", &*shown(&other)].concat();
            table.raw_set("err", lua.create_string(text)?)?;
            table
        }
    };
    // Level 0 is this function, 1 whoever raised: if that is the server, who called it.
    let mut level = 1;
    let mut sandboxed = false;
    while let Some((source, what, line)) = lua.inspect_stack(level, |debug| {
        let source = debug.source();
        let name = source.source.map(std::borrow::Cow::into_owned).unwrap_or_default();
        (name, source.what, debug.current_line().map_or(-1, |line| line as i64))
    }) {
        if sandboxed && what != "Lua" && what != "main" && what != "C" {
            // A function of the sandbox took the place of whoever called it.
            break;
        }
        sandboxed = source == SANDBOX_NAME;
        if !sandboxed && (level > 1 || what != "C") {
            table.raw_set("source", source)?;
            table.raw_set("line", line)?;
            break;
        }
        level += 1;
    }
    Ok(table)
}

/// What `tostring` makes of it.
fn shown(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(number) => super::number::general(*number as f64, 14).into_bytes(),
        Value::Number(number) => super::number::general(*number, 14).into_bytes(),
        other => other.to_string().unwrap_or_default().into_bytes(),
    }
}

fn random(lua: &Lua, native: &Table, state: &Arc<State>) -> Result<()> {
    let of = Arc::clone(state);
    let random = lua.create_function(move |lua, args: MultiValue| {
        let wrong = |position, why| Raised::argument(lua, position, "random", why);
        let integer = |position: usize| {
            Ok::<_, mlua::Error>(bits::number(lua, &args, position, "random")? as i64 as i32)
        };
        let drawn = super::pool::lock(&of.chance).next();
        match args.len() {
            0 => Ok(drawn),
            1 => match integer(1)? {
                top @ 1.. => Ok((drawn * f64::from(top)).floor() + 1.0),
                _ => Err(wrong(1, "interval is empty")),
            },
            2 => {
                let (low, high) = (integer(1)?, integer(2)?);
                if low > high {
                    return Err(wrong(2, "interval is empty"));
                }
                Ok((drawn * f64::from(high.wrapping_sub(low).wrapping_add(1))).floor()
                    + f64::from(low))
            }
            _ => Err(Raised::here(lua, "wrong number of arguments")),
        }
    })?;
    let of = Arc::clone(state);
    let seed = lua.create_function(move |lua, args: MultiValue| {
        let seed = truncated(bits::number(lua, &args, 1, "randomseed")?) as i32;
        *super::pool::lock(&of.chance) = Chance::from_seed(seed);
        Ok(())
    })?;
    native.set("random", random)?;
    native.set("randomseed", seed)
}

fn constants(lua: &Lua, levels_only: bool) -> Result<Table> {
    let table = lua.create_table()?;
    let numbers = LEVELS.iter().chain(REPLICATION.iter().filter(|_| !levels_only));
    for (name, number) in numbers {
        table.raw_set(*name, *number)?;
    }
    let version =
        REDIS_VERSION.split('.').fold(0, |sum, part| sum << 8 | part.parse().unwrap_or(0));
    table.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    table.raw_set("REDIS_VERSION_NUM", version)?;
    Ok(table)
}

/// All of `redis` but `call` and `pcall`.
fn redis(lua: &Lua, state: &Arc<State>) -> Result<Table> {
    let redis = constants(lua, false)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set(
        "sha1hex",
        lua.create_function(|_, args: MultiValue| {
            let digest = match args.len() {
                1 => with_argument14(&args[0], |bytes| hex(&sha1(bytes))),
                _ => return Err(Raised::reply("ERR wrong number of arguments")),
            };
            Ok(digest)
        })?,
    )?;
    redis.raw_set(
        "error_reply",
        lua.create_function(|lua, args: MultiValue| single_field(lua, &args, "err"))?,
    )?;
    redis.raw_set(
        "status_reply",
        lua.create_function(|lua, args: MultiValue| single_field(lua, &args, "ok"))?,
    )?;
    let of = Arc::clone(state);
    redis.raw_set(
        "setresp",
        lua.create_function(move |_, args: MultiValue| {
            if args.len() != 1 {
                return Err(Raised::reply("ERR redis.setresp() requires one argument."));
            }
            match integer(&args[0]) {
                Some(version @ 2..=3) => of.resp3.store(version == 3, Ordering::Relaxed),
                _ => return Err(Raised::reply("ERR RESP version must be 2 or 3.")),
            }
            Ok(())
        })?,
    )?;
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    redis.raw_set("set_repl", lua.create_function(|_, args: MultiValue| {
        if args.len() != 1 {
            return Err(Raised::reply("ERR redis.set_repl() requires two arguments."));
        }
        match integer(&args[0]) {
            Some(0..=3) => Ok(()),
            _ => Err(Raised::reply(
                "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            )),
        }
    })?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    redis.raw_set("acl_check_cmd", lua.create_function(|_, args: MultiValue| acl_check(&args))?)?;
    Ok(redis)
}

/// What `redis` is while a library is being loaded.
fn loading(lua: &Lua, state: &Arc<State>) -> Result<Table> {
    let redis = constants(lua, true)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    let of = Arc::clone(state);
    let register = lua.create_function(move |_, args: MultiValue| {
        super::pool::lock(&of.registry).register(&args)
    })?;
    redis.raw_set("register_function", register)?;
    Ok(redis)
}

/// A string, or a number as Lua prints it.
fn with_argument14<R>(value: &Value, use_it: impl FnOnce(&[u8]) -> R) -> Option<R> {
    match value {
        Value::Integer(_) | Value::Number(_) => Some(use_it(&shown(value))),
        _ => with_argument(value, use_it),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Number(number) => Some(truncated(*number)),
        Value::String(text) => {
            let text = text.as_bytes();
            let number: f64 = std::str::from_utf8(&text).ok()?.trim().parse().ok()?;
            Some(truncated(number))
        }
        _ => Some(0),
    }
}

/// `redis.log(level, text, …)`
fn log(_: &Lua, args: MultiValue) -> Result<()> {
    if args.len() < 2 {
        return Err(Raised::reply("ERR redis.log() requires two arguments or more."));
    }
    let level = match &args[0] {
        Value::Integer(level) => *level,
        Value::Number(level) => truncated(*level),
        _ => return Err(Raised::reply("ERR First argument must be a number (log level).")),
    };
    if !(0..=3).contains(&level) {
        return Err(Raised::reply("ERR Invalid debug level."));
    }
    let mut text = Vec::new();
    for (i, value) in args.iter().skip(1).enumerate() {
        if i > 0 {
            text.push(b' ');
        }
        with_argument14(value, |bytes| text.extend_from_slice(bytes));
    }
    // What a script says is a line of the log, whatever it contains.
    let text = String::from_utf8_lossy(&text);
    match level {
        0 | 1 => tracing::debug!(target: "script", "{}", text.escape_debug()),
        2 => tracing::info!(target: "script", "{}", text.escape_debug()),
        _ => tracing::warn!(target: "script", "{}", text.escape_debug()),
    }
    Ok(())
}

/// `redis.error_reply(text)` and `redis.status_reply(text)`
fn single_field(lua: &Lua, args: &MultiValue, field: &str) -> Result<Table> {
    let text = match (args.len(), args.front()) {
        (1, Some(Value::String(text))) => text.as_bytes().to_vec(),
        _ => return raised::reply(lua, b"ERR wrong number or type of arguments"),
    };
    let text = if field == "err" { error_text(&text) } else { text };
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(field, lua.create_string(text)?)?;
    Ok(table)
}

/// The text of an error reply: what has no code gets one.
fn error_text(text: &[u8]) -> Vec<u8> {
    // A string of C's.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let text = text.strip_suffix(b"\r\n").unwrap_or(text);
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

/// `redis.acl_check_cmd(command, argument …)`: there is one user, who may call everything.
fn acl_check(args: &MultiValue) -> Result<bool> {
    if args.is_empty() {
        return Err(Raised::reply(
            "ERR Please specify at least one argument for this redis lib call",
        ));
    }
    let mut request = resp::Requests::default();
    let fits =
        args.iter().all(|arg| with_argument(arg, |word| request.push_word(word)) == Some(true));
    if !fits {
        return Err(Raised::reply(
            "ERR Lua redis lib command arguments must be strings or integers",
        ));
    }
    request.end();
    match table().lookup(request.get(0)) {
        Lookup::Found(_) => Ok(true),
        _ => Err(Raised::reply("ERR Invalid command passed to redis.acl_check_cmd()")),
    }
}
