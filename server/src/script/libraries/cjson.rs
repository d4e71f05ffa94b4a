//! `cjson`: JSON, read and written as Lua CJSON 2.1 does.

use super::super::native::State;
use super::super::number::general;
use super::super::pool::lock;
use super::super::raised::Raised;
use super::DEPTH;
use super::bits::{kind, number, string};
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};
use std::sync::{Arc, Mutex};

/// What a script may change. Redis keeps it for the scripts after; here each begins with the defaults.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Settings {
    /// Of an array with too many holes: make an object of it, instead of an error.
    sparse_convert: bool,
    /// It has too many if its greatest index is more than so many times its elements; 0: never …
    sparse_ratio: i32,
    /// … and more than this.
    sparse_safe: i32,
    encode_max_depth: i32,
    decode_max_depth: i32,
    precision: i32,
    keep_buffer: bool,
    encode_invalid: Invalid,
    decode_invalid: bool,
}

/// What becomes of numbers that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Error,
    Written,
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            precision: 14,
            keep_buffer: true,
            encode_invalid: Invalid::Error,
            decode_invalid: true,
        }
    }
}

/// Where the settings of a table of functions are.
#[derive(Clone)]
enum Kept {
    /// Of `cjson` itself.
    State(Arc<State>),
    /// Of what `cjson.new` has made.
    Own(Arc<Mutex<Settings>>),
}

impl Kept {
    fn with<R>(&self, f: impl FnOnce(&mut Settings) -> R) -> R {
        match self {
            Kept::State(state) => f(&mut lock(&state.json)),
            Kept::Own(settings) => f(&mut lock(settings)),
        }
    }
}

pub(in super::super) fn table(lua: &Lua, state: &Arc<State>) -> Result<Table> {
    functions(lua, Kept::State(Arc::clone(state)))
}

fn functions(lua: &Lua, kept: Kept) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    table.raw_set("null", Value::NULL)?;
    let new = |lua: &Lua, _: MultiValue| functions(lua, Kept::Own(Arc::default()));
    table.raw_set("new", lua.create_function(new)?)?;
    let of = kept.clone();
    let encode = move |lua: &Lua, args: MultiValue| encode(lua, &args, of.with(|s| *s));
    table.raw_set("encode", lua.create_function(encode)?)?;
    let of = kept.clone();
    let decode = move |lua: &Lua, args: MultiValue| decode(lua, &args, of.with(|s| *s));
    table.raw_set("decode", lua.create_function(decode)?)?;
    let of = kept.clone();
    let sparse = move |lua: &Lua, args: MultiValue| of.with(|s| sparse(lua, &args, s));
    table.raw_set("encode_sparse_array", lua.create_function(sparse)?)?;
    integer_setting(lua, &table, &kept, "encode_max_depth", i32::MAX, |s| &mut s.encode_max_depth)?;
    integer_setting(lua, &table, &kept, "decode_max_depth", i32::MAX, |s| &mut s.decode_max_depth)?;
    integer_setting(lua, &table, &kept, "encode_number_precision", 14, |s| &mut s.precision)?;
    bool_setting(lua, &table, &kept, "encode_keep_buffer", |s| &mut s.keep_buffer)?;
    bool_setting(lua, &table, &kept, "decode_invalid_numbers", |s| &mut s.decode_invalid)?;
    let of = kept;
    let invalid = move |lua: &Lua, args: MultiValue| of.with(|s| invalid(lua, &args, s));
    table.raw_set("encode_invalid_numbers", lua.create_function(invalid)?)?;
    Ok(table)
}

fn integer_setting(
    lua: &Lua,
    table: &Table,
    kept: &Kept,
    name: &'static str,
    max: i32,
    setting: fn(&mut Settings) -> &mut i32,
) -> Result<()> {
    let of = kept.clone();
    let function = lua.create_function(move |lua, args: MultiValue| {
        at_most(lua, &args, 1, name)?;
        of.with(|s| integer_option(lua, &args, 1, name, (1, max), setting(s)))
    })?;
    table.raw_set(name, function)
}

fn bool_setting(
    lua: &Lua,
    table: &Table,
    kept: &Kept,
    name: &'static str,
    setting: fn(&mut Settings) -> &mut bool,
) -> Result<()> {
    let of = kept.clone();
    let function = lua.create_function(move |lua, args: MultiValue| {
        at_most(lua, &args, 1, name)?;
        of.with(|s| bool_option(lua, &args, name, setting(s)))
    })?;
    table.raw_set(name, function)
}

fn at_most(lua: &Lua, args: &MultiValue, count: usize, name: &str) -> Result<()> {
    if args.len() <= count {
        return Ok(());
    }
    Err(Raised::argument(lua, count + 1, name, "found too many arguments"))
}

fn given(args: &MultiValue, position: usize) -> Option<&Value> {
    args.get(position - 1).filter(|value| !value.is_nil())
}

fn integer_option(
    lua: &Lua,
    args: &MultiValue,
    position: usize,
    name: &str,
    (min, max): (i32, i32),
    setting: &mut i32,
) -> Result<i32> {
    if given(args, position).is_some() {
        let value = number(lua, args, position, name)? as i64 as i32;
        if !(min..=max).contains(&value) {
            let why = format!("expected integer between {min} and {max}");
            return Err(Raised::argument(lua, position, name, &why));
        }
        *setting = value;
    }
    Ok(*setting)
}

fn bool_option(lua: &Lua, args: &MultiValue, name: &str, setting: &mut bool) -> Result<bool> {
    match given(args, 1) {
        None => {}
        Some(Value::Boolean(yes)) => *setting = *yes,
        Some(_) => *setting = option(lua, args, name, &["off", "on"])? == 1,
    }
    Ok(*setting)
}

/// Which of `options` the first argument is.
fn option(lua: &Lua, args: &MultiValue, name: &str, options: &[&str]) -> Result<usize> {
    let text = string(lua, args, 1, name)?;
    let text = text.as_bytes();
    options.iter().position(|option| option.as_bytes() == &*text).ok_or_else(|| {
        let why = format!("invalid option '{}'", String::from_utf8_lossy(&text));
        Raised::argument(lua, 1, name, &why)
    })
}

fn sparse(lua: &Lua, args: &MultiValue, settings: &mut Settings) -> Result<(bool, i32, i32)> {
    const NAME: &str = "encode_sparse_array";
    at_most(lua, args, 3, NAME)?;
    let all = (0, i32::MAX);
    Ok((
        bool_option(lua, args, NAME, &mut settings.sparse_convert)?,
        integer_option(lua, args, 2, NAME, all, &mut settings.sparse_ratio)?,
        integer_option(lua, args, 3, NAME, all, &mut settings.sparse_safe)?,
    ))
}

fn invalid(lua: &Lua, args: &MultiValue, settings: &mut Settings) -> Result<Value> {
    const NAME: &str = "encode_invalid_numbers";
    at_most(lua, args, 1, NAME)?;
    match given(args, 1) {
        None => {}
        Some(Value::Boolean(true)) => settings.encode_invalid = Invalid::Written,
        Some(Value::Boolean(false)) => settings.encode_invalid = Invalid::Error,
        Some(_) => {
            let all = [Invalid::Error, Invalid::Written, Invalid::Null];
            settings.encode_invalid = all[option(lua, args, NAME, &["off", "on", "null"])?];
        }
    }
    Ok(match settings.encode_invalid {
        Invalid::Error => Value::Boolean(false),
        Invalid::Written => Value::Boolean(true),
        Invalid::Null => Value::String(lua.create_string("null")?),
    })
}

// Writing.

fn encode(lua: &Lua, args: &MultiValue, settings: Settings) -> Result<LuaString> {
    let [value] = args.iter().collect::<Vec<_>>()[..] else {
        return Err(Raised::argument(lua, 1, "encode", "expected 1 argument"));
    };
    let mut encoder = Encoder { lua, settings, out: Vec::new() };
    encoder.value(value, 0)?;
    lua.create_string(encoder.out)
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: Settings,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn refuse(&self, value: &Value, why: &str) -> mlua::Error {
        Raised::here(self.lua, &format!("Cannot serialise {}: {why}", kind(Some(value))))
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        match value {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(number) => self.number(value, *number as f64)?,
            Value::Number(number) => self.number(value, *number)?,
            Value::Boolean(yes) => {
                self.out.extend_from_slice(if *yes { b"true" } else { b"false" });
            }
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if value.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(value, table, depth + 1)?,
            value => return Err(self.refuse(value, "type not supported")),
        }
        Ok(())
    }

    fn number(&mut self, value: &Value, number: f64) -> Result<()> {
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Error => return Err(self.refuse(value, "must not be NaN or Inf")),
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Written if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::Written => {}
            }
        }
        self.out.extend_from_slice(general(number, self.settings.precision as usize).as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            let escape = match byte {
                b'"' | b'\\' | b'/' => byte,
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                0..=31 | 127 => {
                    self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                byte => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', escape]);
        }
        self.out.push(b'"');
    }

    fn table(&mut self, value: &Value, table: &Table, depth: usize) -> Result<()> {
        if depth > self.settings.encode_max_depth as usize || depth > DEPTH {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(Raised::here(self.lua, &text));
        }
        match self.array_len(value, table)? {
            Some(len) => {
                self.out.push(b'[');
                for i in 1..=len {
                    if i > 1 {
                        self.out.push(b',');
                    }
                    self.value(&table.raw_get(i)?, depth)?;
                }
                self.out.push(b']');
            }
            None => self.object(table, depth)?,
        }
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> Result<()> {
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => self.text(&text.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    let number = super::bits::as_number(&key).unwrap_or_default();
                    self.out.push(b'"');
                    self.number(&key, number)?;
                    self.out.push(b'"');
                }
                key => return Err(self.refuse(key, "table key must be a number or string")),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// How long the array is; `None` if the table is an object. An empty table is.
    fn array_len(&self, value: &Value, table: &Table) -> Result<Option<i64>> {
        let (mut greatest, mut count) = (0_i64, 0_i64);
        for pair in table.pairs::<Value, Value>() {
            let key = match pair?.0 {
                Value::Integer(key) => key,
                Value::Number(key) if key.fract() == 0.0 && key.abs() < 9e18 => key as i64,
                _ => return Ok(None),
            };
            if key < 1 {
                return Ok(None);
            }
            greatest = greatest.max(key);
            count += 1;
        }
        let Settings { sparse_ratio, sparse_safe, sparse_convert, .. } = self.settings;
        let too_many = sparse_ratio > 0
            && greatest > count.saturating_mul(i64::from(sparse_ratio))
            && greatest > i64::from(sparse_safe);
        if too_many && !sparse_convert {
            return Err(self.refuse(value, "excessively sparse array"));
        }
        Ok((greatest > 0 && !too_many).then_some(greatest))
    }
}

// Reading.

fn decode(lua: &Lua, args: &MultiValue, settings: Settings) -> Result<Value> {
    if args.len() != 1 {
        return Err(Raised::argument(lua, 1, "decode", "expected 1 argument"));
    }
    let text = string(lua, args, 1, "decode")?;
    let text: &[u8] = &text.as_bytes();
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(Raised::here(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder = Decoder { lua, settings, text, at: 0, token_at: 0 };
    let token = decoder.token();
    let value = decoder.value(token, 0)?;
    match decoder.token() {
        Token::End => Ok(value),
        other => Err(decoder.unexpected("the end", &other)),
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Wrong(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Wrong(why) => why,
        }
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    settings: Settings,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or what is wrong with it is.
    token_at: usize,
}

impl Decoder<'_> {
    fn unexpected(&self, wanted: &str, found: &Token) -> mlua::Error {
        let (found, at) = (found.name(), self.token_at + 1);
        Raised::here(self.lua, &format!("Expected {wanted} but found {found} at character {at}"))
    }

    /// The byte there; zero at the end, as behind a string of C's.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn wrong(&mut self, why: &'static str) -> Token {
        self.token_at = self.at;
        Token::Wrong(why)
    }

    fn token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let single = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => return self.number(),
            b'+' | b'f' | b'i' | b'I' | b'n' | b'N' | b't' => return self.word(),
            _ => return self.wrong("invalid token"),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let words = [
            (&b"true"[..], Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decode_invalid && is_invalid_number(rest) {
            return self.number();
        }
        self.wrong("invalid token")
    }

    fn number(&mut self) -> Token {
        let rest = &self.text[self.at..];
        if !self.settings.decode_invalid && is_invalid_number(rest) {
            return self.wrong("invalid number");
        }
        match number_prefix(rest) {
            Some((number, behind)) => {
                self.at = self.text.len() - behind.len();
                Token::Number(number)
            }
            None => self.wrong("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = self.byte(self.at);
            match byte {
                b'"' => break,
                0 => return self.wrong("unexpected end of string"),
                b'\\' => {
                    let escaped = match self.byte(self.at + 1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 8,
                        b't' => 9,
                        b'n' => 10,
                        b'f' => 12,
                        b'r' => 13,
                        b'u' => {
                            let Some((character, len)) = self.unicode() else {
                                return self.wrong("invalid unicode escape code");
                            };
                            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                            self.at += len;
                            continue;
                        }
                        _ => return self.wrong("invalid escape code"),
                    };
                    text.push(escaped);
                    self.at += 2;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token::Text(text)
    }

    /// A character of four digits, or of two times four, and how many bytes say it.
    fn unicode(&self) -> Option<(char, usize)> {
        let digits = |at: usize| {
            let digits = self.text.get(at..at + 4)?;
            let value = |byte: &u8| char::from(*byte).to_digit(16);
            digits.iter().try_fold(0, |number, byte| Some(number << 4 | value(byte)?))
        };
        let high = digits(self.at + 2)?;
        if high & 0xf800 != 0xd800 {
            return Some((char::from_u32(high)?, 6));
        }
        if high & 0x400 != 0 || self.text.get(self.at + 6..self.at + 8)? != b"\\u" {
            return None;
        }
        let low = digits(self.at + 8).filter(|low| low & 0xfc00 == 0xdc00)?;
        Some((char::from_u32(0x1_0000 + ((high & 0x3ff) << 10 | low & 0x3ff))?, 12))
    }

    fn value(&mut self, token: Token, depth: usize) -> Result<Value> {
        Ok(match token {
            Token::Text(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(yes) => Value::Boolean(yes),
            Token::Null => Value::NULL,
            Token::ObjectBegin => self.object(depth + 1)?,
            Token::ArrayBegin => self.array(depth + 1)?,
            other => return Err(self.unexpected("value", &other)),
        })
    }

    fn descend(&self, depth: usize) -> Result<()> {
        if depth <= self.settings.decode_max_depth as usize && depth <= DEPTH {
            return Ok(());
        }
        let at = self.at;
        let text = format!("Found too many nested data structures ({depth}) at character {at}");
        Err(Raised::here(self.lua, &text))
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.descend(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token, Token::ObjectEnd) {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::Text(key) = token else {
                return Err(self.unexpected("object key string", &token));
            };
            let colon = self.token();
            if !matches!(colon, Token::Colon) {
                return Err(self.unexpected("colon", &colon));
            }
            let first = self.token();
            let value = self.value(first, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.token() {
                Token::ObjectEnd => return Ok(Value::Table(table)),
                Token::Comma => token = self.token(),
                other => return Err(self.unexpected("comma or object end", &other)),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.descend(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token, Token::ArrayEnd) {
            return Ok(Value::Table(table));
        }
        for i in 1_usize.. {
            let value = self.value(token, depth)?;
            table.raw_set(i, value)?;
            match self.token() {
                Token::ArrayEnd => break,
                Token::Comma => token = self.token(),
                other => return Err(self.unexpected("comma or array end", &other)),
            }
        }
        Ok(Value::Table(table))
    }
}

/// Whether it begins like a number that C reads and JSON does not have.
fn is_invalid_number(text: &[u8]) -> bool {
    let is = |text: &[u8], word: &[u8]| {
        text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if text.first() == Some(&b'+') {
        return true;
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match text {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        _ => is(text, b"inf") || is(text, b"nan"),
    }
}

/// The number that C reads at the beginning, and what is behind it.
pub(super) fn number_prefix(text: &[u8]) -> Option<(f64, &[u8])> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let signed = |number: f64| if negative { -number } else { number };
    let word = |word: &[u8]| {
        let found = unsigned.get(..word.len())?.eq_ignore_ascii_case(word);
        found.then(|| &unsigned[word.len()..])
    };
    if let Some(rest) = word(b"infinity").or_else(|| word(b"inf")) {
        return Some((signed(f64::INFINITY), rest));
    }
    if let Some(rest) = word(b"nan") {
        return Some((signed(f64::NAN), rest));
    }
    if let Some(digits) = word(b"0x")
        && let Some((number, rest)) = hexadecimal(digits)
    {
        return Some((signed(number), rest));
    }
    let count = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = count(unsigned);
    let mut digits = end;
    if unsigned.get(end) == Some(&b'.') {
        let fraction = count(&unsigned[end + 1..]);
        digits += fraction;
        // A point alone is part of what has digits before it.
        end += 1 + fraction;
    }
    if digits == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = unsigned.get(end) {
        let sign = usize::from(matches!(unsigned.get(end + 1), Some(b'+' | b'-')));
        let exponent = count(unsigned.get(end + 1 + sign..).unwrap_or_default());
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let (number, rest) = unsigned.split_at(end);
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((signed(number), rest))
}

/// Hexadecimal digits, a fraction and a binary exponent.
fn hexadecimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(f64::from);
    let (mut number, mut scale, mut end, mut any) = (0.0, 0_i32, 0, false);
    let mut point = false;
    while let Some(byte) = text.get(end) {
        if *byte == b'.' && !point {
            point = true;
        } else if let Some(value) = digit(byte) {
            number = number * 16.0 + value;
            scale -= if point { 4 } else { 0 };
            any = true;
        } else {
            break;
        }
        end += 1;
    }
    if !any {
        return None;
    }
    if let Some(b'p' | b'P') = text.get(end) {
        let negative = text.get(end + 1) == Some(&b'-');
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let digits = text.get(end + 1 + sign..).unwrap_or_default();
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count > 0 {
            let exponent = digits[..count].iter().fold(0_i32, |n, byte| {
                n.saturating_mul(10).saturating_add(i32::from(byte - b'0')).min(100_000)
            });
            scale += if negative { -exponent } else { exponent };
            end += 1 + sign + count;
        }
    }
    Some((number * 2_f64.powi(scale), &text[end..]))
}
