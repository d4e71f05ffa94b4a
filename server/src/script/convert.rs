//! Between Lua's values and replies, as Redis documents it for both protocols.

use super::number::{general, truncated};
use super::raised;
use bitmap_store::Bytes;
use mlua::{Lua, LuaString, Table, Value};
use resp::{Protocol, Reply};

/// Tables within tables deeper than this are not answered.
const DEPTH: usize = 1000;

/// A reply as a script sees it. `resp3`: the script asked for that.
pub(super) fn to_lua(lua: &Lua, reply: Reply, resp3: bool) -> mlua::Result<Value> {
    let string = |bytes: &[u8]| Ok(Value::String(lua.create_string(bytes)?));
    let single = |name: &str, value: Value| {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    };
    match reply {
        Reply::Int(number) => Ok(Value::Number(number as f64)),
        Reply::Bulk(bytes) => string(&bytes),
        Reply::Status(text) => single("ok", string(text.as_bytes())?),
        Reply::Error(text) => Ok(Value::Table(raised::reply(lua, text.as_bytes())?)),
        Reply::Null | Reply::NullArray | Reply::None if resp3 => Ok(Value::Nil),
        Reply::Null | Reply::NullArray | Reply::None => Ok(Value::Boolean(false)),
        // What is pushed or answered more than once answers SUBSCRIBE and the like, which scripts may not call.
        Reply::Array(replies) | Reply::Push(replies) | Reply::Several(replies) => {
            array(lua, replies, resp3)
        }
        Reply::Set(replies) if resp3 => {
            let set = lua.create_table_with_capacity(0, replies.len())?;
            for reply in replies {
                set.raw_set(to_lua(lua, reply, resp3)?, true)?;
            }
            single("set", Value::Table(set))
        }
        Reply::Set(replies) => array(lua, replies, resp3),
        Reply::Map(pairs) if resp3 => {
            let map = lua.create_table_with_capacity(0, pairs.len())?;
            for (key, value) in pairs {
                map.raw_set(to_lua(lua, key, resp3)?, to_lua(lua, value, resp3)?)?;
            }
            single("map", Value::Table(map))
        }
        Reply::Map(pairs) => {
            array(lua, pairs.into_iter().flat_map(|(key, value)| [key, value]).collect(), resp3)
        }
        Reply::Double(number) if resp3 => single("double", Value::Number(number)),
        Reply::Bool(yes) if resp3 => Ok(Value::Boolean(yes)),
        Reply::BigNumber(digits) if resp3 => single("big_number", string(digits.as_bytes())?),
        Reply::Verbatim { format, text } if resp3 => {
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("string", string(&text)?)?;
            table.raw_set("format", string(&format)?)?;
            single("verbatim_string", Value::Table(table))
        }
        Reply::Double(_) => string(&in_resp2(&reply)),
        Reply::Bool(yes) => Ok(Value::Number(f64::from(u8::from(yes)))),
        Reply::BigNumber(digits) => string(digits.as_bytes()),
        Reply::Verbatim { text, .. } => string(&text),
    }
}

fn array(lua: &Lua, replies: Vec<Reply>, resp3: bool) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(replies.len(), 0)?;
    for (i, reply) in replies.into_iter().enumerate() {
        table.raw_set(i + 1, to_lua(lua, reply, resp3)?)?;
    }
    Ok(Value::Table(table))
}

/// The bytes of a reply that is a bulk string in RESP2.
fn in_resp2(reply: &Reply) -> Vec<u8> {
    let mut encoded = Vec::new();
    reply.encode(Protocol::Resp2, &mut encoded);
    let start = encoded.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    encoded.truncate(encoded.len().saturating_sub(2));
    encoded.split_off(start.min(encoded.len()))
}

/// What a script returned, as a reply. `resp3`: the script asked for that, so that true and false are what they are.
pub(super) fn from_lua(value: &Value, resp3: bool) -> mlua::Result<Reply> {
    from_lua_at(value, resp3, 0)
}

fn from_lua_at(value: &Value, resp3: bool, depth: usize) -> mlua::Result<Reply> {
    if depth > DEPTH {
        return Ok(Reply::error("ERR reached lua stack limit"));
    }
    Ok(match value {
        Value::String(text) => Reply::bulk(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => Reply::Int(*number),
        Value::Number(number) => Reply::Int(truncated(*number)),
        Value::Boolean(yes) if resp3 => Reply::Bool(*yes),
        Value::Boolean(true) => Reply::Int(1),
        Value::Table(table) => table_reply(table, resp3, depth)?,
        _ => Reply::Null,
    })
}

/// A table is an array up to its first nil, unless it has a field that says otherwise.
fn table_reply(table: &Table, resp3: bool, depth: usize) -> mlua::Result<Reply> {
    let text = |text: &LuaString| line(&text.as_bytes());
    if let Value::String(error) = table.raw_get("err")? {
        return Ok(Reply::Error(text(&error).into()));
    }
    if let Value::String(status) = table.raw_get("ok")? {
        return Ok(Reply::Status(text(&status).into()));
    }
    match table.raw_get("double")? {
        Value::Number(number) => return Ok(Reply::Double(number)),
        Value::Integer(number) => return Ok(Reply::Double(number as f64)),
        _ => {}
    }
    if let Value::Table(map) = table.raw_get("map")? {
        let mut pairs = Vec::new();
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            pairs.push((
                from_lua_at(&key, resp3, depth + 1)?,
                from_lua_at(&value, resp3, depth + 1)?,
            ));
        }
        return Ok(Reply::Map(pairs));
    }
    if let Value::Table(set) = table.raw_get("set")? {
        let mut members = Vec::new();
        for pair in set.pairs::<Value, Value>() {
            members.push(from_lua_at(&pair?.0, resp3, depth + 1)?);
        }
        return Ok(Reply::Set(members));
    }
    if let Value::String(digits) = table.raw_get("big_number")? {
        let digits = String::from_utf8_lossy(&digits.as_bytes()).replace(['\r', '\n'], " ");
        return Ok(Reply::BigNumber(digits));
    }
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let Value::String(format) = verbatim.raw_get("format")?
        && let Value::String(text) = verbatim.raw_get("string")?
    {
        let mut three = *b"   ";
        for (to, from) in three.iter_mut().zip(format.as_bytes().iter()) {
            *to = *from;
        }
        let text = Bytes::copy_from_slice(&text.as_bytes());
        return Ok(Reply::Verbatim { format: three, text });
    }
    let mut replies = Vec::new();
    loop {
        let value: Value = table.raw_get(replies.len() + 1)?;
        if value.is_nil() {
            return Ok(Reply::Array(replies));
        }
        replies.push(from_lua_at(&value, resp3, depth + 1)?);
    }
}

/// A string as the text of a status or an error. As one of C's, it ends at the first zero.
pub(super) fn line(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The bytes of an argument of `redis.call`: a string, or a number with as many digits as it takes to read it back.
pub(super) fn with_argument<R>(value: &Value, use_it: impl FnOnce(&[u8]) -> R) -> Option<R> {
    match value {
        Value::String(text) => Some(use_it(&text.as_bytes())),
        Value::Integer(number) => Some(use_it(general(*number as f64, 17).as_bytes())),
        Value::Number(number) => Some(use_it(general(*number, 17).as_bytes())),
        _ => None,
    }
}
