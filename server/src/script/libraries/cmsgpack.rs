//! `cmsgpack`: MessagePack.

use super::super::raised::Raised;
use super::RESULTS;
use super::bits::{number, string};
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

/// Tables within tables deeper than this are packed as nil.
const PACKED_DEPTH: usize = 16;
/// What nests deeper than this is not unpacked: without any optimisation the stack ends between 500 and 1000 maps.
const DEPTH: usize = 300;

pub(in super::super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    let unpack = |lua: &Lua, args: MultiValue| unpack(lua, &args, "unpack", 0, 0);
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("unpack_one", lua.create_function(unpack_one)?)?;
    table.raw_set("unpack_limit", lua.create_function(unpack_limit)?)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

/// `cmsgpack.pack(value, …)`: all of them, one behind the other.
fn pack(lua: &Lua, args: MultiValue) -> Result<LuaString> {
    if args.is_empty() {
        return Err(Raised::argument(lua, 0, "pack", "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in &args {
        pack_value(value, 0, &mut out)?;
    }
    lua.create_string(out)
}

fn pack_value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            pack_len(text.len(), 31, 0xa0, Some(0xd9), [0xda, 0xdb], out);
            out.extend_from_slice(&text);
        }
        Value::Boolean(yes) => out.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => pack_integer(*number, out),
        Value::Number(number) => pack_number(*number, out),
        Value::Table(table) if depth < PACKED_DEPTH => pack_table(table, depth, out)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// A length: with the type in one byte up to `small`, in two up to 255 where there is such a form, or in more.
fn pack_len(
    len: usize,
    small: usize,
    fixed: u8,
    one: Option<u8>,
    more: [u8; 2],
    out: &mut Vec<u8>,
) {
    match (len, one) {
        (len, _) if len <= small => out.push(fixed | len as u8),
        (0..=0xff, Some(tag)) => out.extend_from_slice(&[tag, len as u8]),
        (0..=0xffff, _) => {
            out.push(more[0]);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(more[1]);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

fn pack_integer(number: i64, out: &mut Vec<u8>) {
    match number {
        -32..=127 => out.push(number as u8),
        128..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend_from_slice(&number.to_be_bytes());
        }
        -0x80..=-33 => out.extend_from_slice(&[0xd0, number as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend_from_slice(&(number as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(number as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn pack_number(number: f64, out: &mut Vec<u8>) {
    let integer = number as i64;
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if fits && integer as f64 == number {
        pack_integer(integer, out);
    } else if f64::from(number as f32) == number {
        out.push(0xca);
        out.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// A table is an array if its keys are 1 to their number.
fn pack_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    let (mut count, mut greatest, mut is_array) = (0_usize, 0_f64, true);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        let number = match key {
            Value::Integer(number) => number as f64,
            Value::Number(number) => number,
            _ => 0.0,
        };
        is_array &= number > 0.0 && number.fract() == 0.0;
        greatest = greatest.max(number);
        count += 1;
    }
    if is_array && greatest == count as f64 {
        pack_len(count, 15, 0x90, None, [0xdc, 0xdd], out);
        for i in 1..=count {
            pack_value(&table.raw_get(i)?, depth + 1, out)?;
        }
        return Ok(());
    }
    pack_len(count, 15, 0x80, None, [0xde, 0xdf], out);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        pack_value(&key, depth + 1, out)?;
        pack_value(&value, depth + 1, out)?;
    }
    Ok(())
}

/// `cmsgpack.unpack_one(data [, position])`: where the next is, or -1, and a value.
fn unpack_one(lua: &Lua, args: MultiValue) -> Result<MultiValue> {
    let offset = optional(lua, &args, 2, "unpack_one")?;
    string(lua, &args, 1, "unpack_one")?;
    unpack(lua, &args, "unpack_one", 1, offset)
}

/// `cmsgpack.unpack_limit(data, limit [, position])`: where the next is, or -1, and up to `limit` values.
fn unpack_limit(lua: &Lua, args: MultiValue) -> Result<MultiValue> {
    let limit = number(lua, &args, 2, "unpack_limit")? as i64 as i32;
    let offset = optional(lua, &args, 3, "unpack_limit")?;
    unpack(lua, &args, "unpack_limit", limit, offset)
}

fn optional(lua: &Lua, args: &MultiValue, position: usize, name: &str) -> Result<i32> {
    match args.get(position - 1) {
        None | Some(Value::Nil) => Ok(0),
        Some(_) => Ok(number(lua, args, position, name)? as i64 as i32),
    }
}

fn unpack(lua: &Lua, args: &MultiValue, name: &str, limit: i32, offset: i32) -> Result<MultiValue> {
    let data = string(lua, args, 1, name)?;
    let data: &[u8] = &data.as_bytes();
    let len = data.len();
    let (Ok(start), Ok(count)) = (usize::try_from(offset), usize::try_from(limit)) else {
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(Raised::here(lua, &text));
    };
    if start > len {
        let text = format!("Start offset {offset} greater than input length {len}.");
        return Err(Raised::here(lua, &text));
    }
    let everything = limit == 0 && offset == 0;
    let count = if everything { usize::MAX } else { count };
    let mut input = Input { lua, rest: &data[start..], held: 0 };
    let mut values = Vec::new();
    while !input.rest.is_empty() && values.len() < count {
        if values.len() >= RESULTS {
            let text = "stack overflow (too many return values at once; use unpack_one or unpack_limit \
                        instead.)";
            return Err(Raised::here(lua, text));
        }
        input.held = values.len();
        values.push(input.value(0)?);
    }
    let mut results = MultiValue::from_vec(values);
    if !everything {
        let next = if input.rest.is_empty() { -1.0 } else { (len - input.rest.len()) as f64 };
        results.push_front(Value::Number(next));
    }
    Ok(results)
}

/// What is still to be read.
struct Input<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    /// How many values there are already.
    held: usize,
}

impl Input<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(Raised::here(self.lua, "Missing bytes in input."));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned number of so many bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        let tag = self.take(1)?[0];
        Ok(match tag {
            0x00..=0x7f => Value::Number(f64::from(tag)),
            0xe0..=0xff => Value::Number(f64::from(tag as i8)),
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f64::from(f32::from_bits(self.number(4)? as u32))),
            0xcb => Value::Number(f64::from_bits(self.number(8)?)),
            0xcc => Value::Number(self.number(1)? as f64),
            0xcd => Value::Number(self.number(2)? as f64),
            0xce => Value::Number(self.number(4)? as f64),
            0xcf => Value::Number(self.number(8)? as f64),
            0xd0 => Value::Number(f64::from(self.number(1)? as i8)),
            0xd1 => Value::Number(f64::from(self.number(2)? as i16)),
            0xd2 => Value::Number(f64::from(self.number(4)? as i32)),
            0xd3 => Value::Number(self.number(8)? as i64 as f64),
            0xa0..=0xbf => self.text(usize::from(tag & 31))?,
            0xd9 => self.text_of(1)?,
            0xda => self.text_of(2)?,
            0xdb => self.text_of(4)?,
            0x90..=0x9f => self.array(usize::from(tag & 15), depth)?,
            0xdc => self.array_of(2, depth)?,
            0xdd => self.array_of(4, depth)?,
            0x80..=0x8f => self.map(usize::from(tag & 15), depth)?,
            0xde => self.map_of(2, depth)?,
            0xdf => self.map_of(4, depth)?,
            _ => return Err(Raised::here(self.lua, "Bad data format in input.")),
        })
    }

    fn text_of(&mut self, bytes: usize) -> Result<Value> {
        let len = self.number(bytes)? as usize;
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Result<Value> {
        let lua = self.lua;
        Ok(Value::String(lua.create_string(self.take(len)?)?))
    }

    fn array_of(&mut self, bytes: usize, depth: usize) -> Result<Value> {
        let count = self.number(bytes)? as usize;
        self.array(count, depth)
    }

    fn array(&mut self, count: usize, depth: usize) -> Result<Value> {
        self.check_depth(depth, "array")?;
        let table = self.lua.create_table()?;
        for i in 1..=count {
            table.raw_set(i, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map_of(&mut self, bytes: usize, depth: usize) -> Result<Value> {
        let count = self.number(bytes)? as usize;
        self.map(count, depth)
    }

    fn map(&mut self, count: usize, depth: usize) -> Result<Value> {
        self.check_depth(depth, "hash")?;
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
            match key {
                Value::Nil => return Err(Raised::bare("table index is nil")),
                Value::Number(number) if number.is_nan() => {
                    return Err(Raised::bare("table index is NaN"));
                }
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }

    fn check_depth(&self, depth: usize, what: &str) -> Result<()> {
        // Rust holds a table and a key of each level.
        if depth < DEPTH && self.held + 2 * depth <= RESULTS {
            return Ok(());
        }
        let text = format!("stack overflow (in function mp_decode_to_lua_{what})");
        Err(Raised::here(self.lua, &text))
    }
}
