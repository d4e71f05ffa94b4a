//! `struct`: values packed into bytes as C would lay them out.

use super::super::raised::Raised;
use super::RESULTS;
use super::bits::{as_number, number, string};
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

/// Integers have at most so many bytes.
const INTEGER_BYTES: usize = 32;
/// What `!` alone aligns to.
const NATIVE_ALIGN: usize = 8;

pub(in super::super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// A format, option by option.
struct Format<'a> {
    lua: &'a Lua,
    /// Of the function, for errors.
    name: &'static str,
    rest: &'a [u8],
    big_endian: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, name: &'static str, format: &'a [u8]) -> Self {
        // As a string of C's, it ends at the first zero.
        let end = format.iter().position(|byte| *byte == 0).unwrap_or(format.len());
        Format { lua, name, rest: &format[..end], big_endian: false, align: 1 }
    }

    /// The next option, and the size of what it stands for; 0 if that depends on the value, or there is none.
    fn next(&mut self) -> Result<Option<(u8, usize)>> {
        let Some((option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.digits(1)?,
            b'i' | b'I' => match self.digits(4)? {
                size if size > INTEGER_BYTES => {
                    let text =
                        format!("integral size {size} is larger than limit of {INTEGER_BYTES}");
                    return Err(Raised::here(self.lua, &text));
                }
                size => size,
            },
            _ => 0,
        };
        Ok(Some((*option, size)))
    }

    fn digits(&mut self, default: usize) -> Result<usize> {
        if !self.rest.first().is_some_and(u8::is_ascii_digit) {
            return Ok(default);
        }
        let mut number = 0_i32;
        while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
            let next = number.checked_mul(10).and_then(|n| n.checked_add(i32::from(digit - b'0')));
            number = next.ok_or_else(|| Raised::here(self.lua, "integral size overflow"))?;
            self.rest = &self.rest[1..];
        }
        Ok(number as usize)
    }

    /// How many bytes go before a value of this size at `position`.
    fn padding(&self, position: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(position & size.wrapping_sub(1)) & size.wrapping_sub(1)
    }

    /// An option that stands for no value.
    fn control(&mut self, option: u8) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let align = self.digits(NATIVE_ALIGN)?;
                if !align.is_power_of_two() {
                    let text = format!("alignment {align} is not a power of 2");
                    return Err(Raised::here(self.lua, &text));
                }
                self.align = align;
            }
            option => {
                let why = format!("invalid format option '{}'", char::from(option));
                return Err(Raised::argument(self.lua, 1, self.name, &why));
            }
        }
        Ok(())
    }

    fn ordered<const N: usize>(&self, mut little: [u8; N]) -> [u8; N] {
        if self.big_endian {
            little.reverse();
        }
        little
    }
}

/// `struct.pack(format, value, …)`
fn pack(lua: &Lua, mut args: MultiValue) -> Result<LuaString> {
    let format = string(lua, &args, 1, "pack")?;
    let format = format.as_bytes();
    let mut format = Format::new(lua, "pack", &format);
    // What is missing is nil.
    args.push_back(Value::Nil);
    let mut packed = Vec::new();
    let mut next = 2;
    while let Some((option, size)) = format.next()? {
        packed.resize(packed.len() + format.padding(packed.len(), option, size), 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = number(lua, &args, next, "pack")?;
                next += 1;
                let value = if number < 0.0 { number as i64 as u64 } else { number as u64 };
                let mut bytes = [0; INTEGER_BYTES];
                bytes[..8].copy_from_slice(&value.to_le_bytes());
                let bytes = &mut bytes[..size];
                if format.big_endian {
                    bytes.reverse();
                }
                packed.extend_from_slice(bytes);
            }
            b'x' => packed.push(0),
            b'f' => {
                let number = number(lua, &args, next, "pack")? as f32;
                packed.extend_from_slice(&format.ordered(number.to_le_bytes()));
                next += 1;
            }
            b'd' => {
                let number = number(lua, &args, next, "pack")?;
                packed.extend_from_slice(&format.ordered(number.to_le_bytes()));
                next += 1;
            }
            b'c' | b's' => {
                let text = string(lua, &args, next, "pack")?;
                next += 1;
                let text = text.as_bytes();
                let size = if size == 0 { text.len() } else { size };
                let text = text
                    .get(..size)
                    .ok_or_else(|| Raised::argument(lua, next, "pack", "string too short"))?;
                packed.extend_from_slice(text);
                if option == b's' {
                    packed.push(0);
                }
            }
            option => format.control(option)?,
        }
    }
    lua.create_string(packed)
}

/// `struct.unpack(format, data [, position])`: the values, and where the next would be.
fn unpack(lua: &Lua, args: MultiValue) -> Result<MultiValue> {
    let format = string(lua, &args, 1, "unpack")?;
    let format = format.as_bytes();
    let data = string(lua, &args, 2, "unpack")?;
    let data: &[u8] = &data.as_bytes();
    let start = match args.get(2) {
        None | Some(Value::Nil) => 1,
        Some(_) => number(lua, &args, 3, "unpack")? as i64,
    };
    let too_short = || Raised::argument(lua, 2, "unpack", "data string too short");
    if start < 1 {
        // A position is not negative in C, where it is very large instead.
        return Err(match start {
            0 => Raised::argument(lua, 3, "unpack", "offset must be 1 or greater"),
            _ => too_short(),
        });
    }
    let mut at = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let mut format = Format::new(lua, "unpack", &format);
    let mut values: Vec<Value> = Vec::new();
    while let Some((option, mut size)) = format.next()? {
        let bytes_at = |at: usize, size: usize| {
            at.checked_add(size).and_then(|end| data.get(at..end)).ok_or_else(too_short)
        };
        at = at.saturating_add(format.padding(at, option, size));
        let bytes = bytes_at(at, size)?;
        if values.len() >= RESULTS {
            return Err(Raised::here(lua, "stack overflow (too many results)"));
        }
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let mut value = 0_u64;
                let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
                if format.big_endian {
                    value = bytes.iter().fold(value, add);
                } else {
                    value = bytes.iter().rev().fold(value, add);
                }
                values.push(Value::Number(if option.is_ascii_lowercase() {
                    let sign = u64::MAX.wrapping_shl((size as u32 * 8).wrapping_sub(1));
                    (if value & sign != 0 { value | sign } else { value }) as i64 as f64
                } else {
                    value as f64
                }));
            }
            b'f' => {
                let bytes: [u8; 4] = bytes.try_into().map_err(|_| too_short())?;
                values.push(Value::Number(f64::from(f32::from_le_bytes(format.ordered(bytes)))));
            }
            b'd' => {
                let bytes: [u8; 8] = bytes.try_into().map_err(|_| too_short())?;
                values.push(Value::Number(f64::from_le_bytes(format.ordered(bytes))));
            }
            b'c' => {
                if size == 0 {
                    let previous =
                        values.pop().as_ref().and_then(as_number).ok_or_else(|| {
                            Raised::here(lua, "format 'c0' needs a previous size")
                        })?;
                    if previous < 0.0 {
                        return Err(too_short());
                    }
                    size = previous as usize;
                }
                values.push(Value::String(lua.create_string(bytes_at(at, size)?)?));
            }
            b's' => {
                let rest = &data[at.min(data.len())..];
                let len = rest
                    .iter()
                    .position(|byte| *byte == 0)
                    .ok_or_else(|| Raised::here(lua, "unfinished string in data"))?;
                values.push(Value::String(lua.create_string(&rest[..len])?));
                size = len + 1;
            }
            b'x' => {}
            option => format.control(option)?,
        }
        at += size;
    }
    values.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_vec(values))
}

/// `struct.size(format)`
fn size(lua: &Lua, args: MultiValue) -> Result<f64> {
    let format = string(lua, &args, 1, "size")?;
    let format = format.as_bytes();
    let mut format = Format::new(lua, "size", &format);
    let mut total = 0_usize;
    while let Some((option, size)) = format.next()? {
        total = total.saturating_add(format.padding(total, option, size));
        if option == b's' || option == b'c' && size == 0 {
            let option = if option == b's' { "s" } else { "c0" };
            let why = format!("option '{option}' has no fixed size");
            return Err(Raised::argument(lua, 1, "size", &why));
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        total = total.saturating_add(size);
    }
    Ok(total as f64)
}
