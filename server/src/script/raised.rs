//! What the server's functions raise in a script.

use mlua::{Error, Lua, Value};
use std::fmt;

/// An error of a function of the server's. In Lua it is opaque until it is caught: then it becomes a value.
#[derive(Clone, Debug)]
pub(super) enum Raised {
    /// A text.
    Text(Vec<u8>),
    /// A table with the text of an error reply: its code, a space, and more.
    Reply(Vec<u8>),
}

impl Raised {
    /// The error reply `text`, which begins with its code.
    pub(super) fn reply(text: &str) -> Error {
        Error::external(Raised::Reply(text.as_bytes().to_vec()))
    }

    /// `text` as it is.
    pub(super) fn bare(text: &str) -> Error {
        Error::external(Raised::Text(text.as_bytes().to_vec()))
    }

    /// `text` behind the place in the script that called the function that fails.
    pub(super) fn here(lua: &Lua, text: &str) -> Error {
        Error::external(Raised::Text([place(lua).as_bytes(), text.as_bytes()].concat()))
    }

    /// The argument at `position` of the function `name` is wrong.
    pub(super) fn argument(lua: &Lua, position: usize, name: &str, why: &str) -> Error {
        Self::here(lua, &format!("bad argument #{position} to '{name}' ({why})"))
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Raised::Text(text) | Raised::Reply(text)) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Raised {}

/// `user_script:1: `, where the caller of the running function is; nothing if that is not a script.
fn place(lua: &Lua) -> String {
    let place = |debug: &mlua::debug::Debug<'_>| {
        let line = debug.current_line()?;
        Some(format!("{}:{line}: ", debug.source().short_src?))
    };
    lua.inspect_stack(1, place).flatten().unwrap_or_default()
}

/// What a script sees of something that was raised: a string or a table where the server raised it, else the
/// value itself.
pub(super) fn convert(lua: &Lua, problem: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &problem else { return Ok(problem) };
    match error.downcast_ref::<Raised>() {
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        Some(Raised::Reply(text)) => Ok(Value::Table(reply(lua, text)?)),
        None => Ok(Value::String(lua.create_string(text_of(error))?)),
    }
}

/// The table that stands for an error reply which has been counted.
pub(super) fn reply(lua: &Lua, text: &[u8]) -> mlua::Result<mlua::Table> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(text)?)?;
    table.raw_set("ignore_error_stats_update", true)?;
    Ok(table)
}

/// The text of an error of Lua's or of the binding's.
pub(super) fn text_of(error: &Error) -> String {
    match error {
        Error::MemoryError(_) => "not enough memory".to_owned(),
        Error::CallbackError { cause, .. } => text_of(cause),
        Error::RuntimeError(text) | Error::SyntaxError { message: text, .. } => text.clone(),
        Error::CallbackDestructed => "the function belongs to a script that has ended".to_owned(),
        other => other.to_string(),
    }
}
