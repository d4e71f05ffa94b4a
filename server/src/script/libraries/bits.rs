//! `bit`: operations on integers of 32 bits (LuaBitOp).

use super::super::raised::Raised;
use mlua::{Lua, MultiValue, Result, Table, Value};

pub(in super::super) fn table(lua: &Lua) -> Result<Table> {
    let bit = lua.create_table()?;
    one(lua, &bit, "tobit", |bits| bits)?;
    one(lua, &bit, "bnot", |bits| !bits)?;
    one(lua, &bit, "bswap", u32::swap_bytes)?;
    many(lua, &bit, "band", |a, b| a & b)?;
    many(lua, &bit, "bor", |a, b| a | b)?;
    many(lua, &bit, "bxor", |a, b| a ^ b)?;
    shift(lua, &bit, "lshift", |bits, by| bits << by)?;
    shift(lua, &bit, "rshift", |bits, by| bits >> by)?;
    shift(lua, &bit, "arshift", |bits, by| (bits as i32 >> by) as u32)?;
    shift(lua, &bit, "rol", u32::rotate_left)?;
    shift(lua, &bit, "ror", u32::rotate_right)?;
    bit.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(bit)
}

fn one(lua: &Lua, bit: &Table, name: &'static str, f: fn(u32) -> u32) -> Result<()> {
    let function =
        lua.create_function(move |lua, args: MultiValue| Ok(f(bits(lua, &args, 1, name)?) as i32))?;
    bit.raw_set(name, function)
}

fn many(lua: &Lua, bit: &Table, name: &'static str, f: fn(u32, u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let mut all = bits(lua, &args, 1, name)?;
        for position in 2..=args.len() {
            all = f(all, bits(lua, &args, position, name)?);
        }
        Ok(all as i32)
    })?;
    bit.raw_set(name, function)
}

fn shift(lua: &Lua, bit: &Table, name: &'static str, f: fn(u32, u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let number = bits(lua, &args, 1, name)?;
        Ok(f(number, bits(lua, &args, 2, name)? & 31) as i32)
    })?;
    bit.raw_set(name, function)
}

/// `bit.tohex(number [, digits])`: a negative number of digits makes them capital.
fn to_hex(lua: &Lua, args: MultiValue) -> Result<String> {
    let number = bits(lua, &args, 1, "tohex")?;
    let digits = match args.get(1) {
        None | Some(Value::Nil) => 8,
        Some(_) => bits(lua, &args, 2, "tohex")? as i32,
    };
    let wanted = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    Ok(text[8 - wanted..].to_owned())
}

/// The argument at `position` as 32 bits: rounded, and what does not fit is cut off.
fn bits(lua: &Lua, args: &MultiValue, position: usize, name: &str) -> Result<u32> {
    // A number this large has its integer part in the low bits of its representation.
    Ok((number(lua, args, position, name)? + 6_755_399_441_055_744.0).to_bits() as u32)
}

/// The argument at `position` as a number; a string that says one is one.
pub(in super::super) fn number(
    lua: &Lua,
    args: &MultiValue,
    position: usize,
    name: &str,
) -> Result<f64> {
    let value = args.get(position - 1);
    value.and_then(as_number).ok_or_else(|| {
        let why = format!("number expected, got {}", kind(value));
        Raised::argument(lua, position, name, &why)
    })
}

/// The argument at `position` as a string; a number is one.
pub(super) fn string(
    lua: &Lua,
    args: &MultiValue,
    position: usize,
    name: &str,
) -> Result<mlua::LuaString> {
    match args.get(position - 1) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ (Value::Integer(_) | Value::Number(_))) => {
            let number = as_number(value).unwrap_or_default();
            lua.create_string(super::super::number::general(number, 14))
        }
        other => {
            let why = format!("string expected, got {}", kind(other));
            Err(Raised::argument(lua, position, name, &why))
        }
    }
}

/// The kind of an argument, as errors name it.
pub(super) fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "no value",
        Some(Value::Integer(_)) => "number",
        Some(Value::LightUserData(_) | Value::Error(_)) => "userdata",
        Some(value) => value.type_name(),
    }
}

pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => parse(&text.as_bytes()),
        _ => None,
    }
}

/// A number as Lua reads it from a string: blanks around it, and hexadecimal digits, are fine.
fn parse(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let (number, rest) = super::cjson::number_prefix(text)?;
    rest.is_empty().then_some(number)
}
