//! `redis.register_function`: what a library does while it is being loaded.

use super::convert::with_argument;
use super::raised::Raised;
use super::shebang::{Flags, check_name};
use mlua::{Function, MultiValue, Result, Table, Value};

/// The functions that the library which is being loaded has registered.
#[derive(Default)]
pub(super) struct Registry {
    pub functions: Vec<Registered>,
}

/// A function of a library.
pub(super) struct Registered {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: Flags,
    pub callback: Function,
}

impl Registry {
    /// `redis.register_function(name, callback)`, or one table with these and more.
    pub(super) fn register(&mut self, args: &MultiValue) -> Result<()> {
        let registered = match (args.len(), args.front()) {
            (1, Some(Value::Table(named))) => by_names(named)?,
            (1, _) => {
                return refuse(
                    "calling redis.register_function with a single argument is only applicable to Lua \
                     table (representing named arguments).",
                );
            }
            (2, _) => {
                let Some(name) = text(&args[0]) else {
                    return refuse("first argument to redis.register_function must be a string");
                };
                let Value::Function(callback) = args[1].clone() else {
                    return refuse("second argument to redis.register_function must be a function");
                };
                Registered { name, description: None, flags: Flags::default(), callback }
            }
            _ => return refuse("wrong number of arguments to redis.register_function"),
        };
        if let Err(error) = check_name(&registered.name) {
            return Err(Raised::reply(&error.0));
        }
        if self.functions.iter().any(|known| known.name.eq_ignore_ascii_case(&registered.name)) {
            return refuse("Function already exists in the library");
        }
        self.functions.push(registered);
        Ok(())
    }
}

fn by_names(named: &Table) -> Result<Registered> {
    let (mut name, mut description, mut callback) = (None, None, None);
    let mut flags = Flags::default();
    for pair in named.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Some(key) = text(&key) else {
            return refuse("named argument key given to redis.register_function is not a string");
        };
        match key.to_ascii_lowercase().as_slice() {
            b"function_name" => {
                name = text(&value);
                if name.is_none() {
                    return refuse(
                        "function_name argument given to redis.register_function must be a string",
                    );
                }
            }
            b"description" => {
                description = text(&value);
                if description.is_none() {
                    return refuse(
                        "description argument given to redis.register_function must be a string",
                    );
                }
            }
            b"callback" => {
                let Value::Function(function) = value else {
                    return refuse(
                        "callback argument given to redis.register_function must be a function",
                    );
                };
                callback = Some(function);
            }
            b"flags" => {
                let Value::Table(list) = value else {
                    return refuse(
                        "flags argument to redis.register_function must be a table representing function \
                         flags",
                    );
                };
                for i in 1.. {
                    match list.raw_get(i)? {
                        Value::Nil => break,
                        Value::String(flag) if flags.add(&flag.as_bytes()) => {}
                        _ => return refuse("unknown flag given"),
                    }
                }
            }
            _ => return refuse("unknown argument given to redis.register_function"),
        }
    }
    let Some(name) = name else {
        return refuse("redis.register_function must get a function name argument");
    };
    let Some(callback) = callback else {
        return refuse("redis.register_function must get a callback argument");
    };
    Ok(Registered { name, description, flags, callback })
}

fn text(value: &Value) -> Option<Vec<u8>> {
    with_argument(value, <[u8]>::to_vec)
}

fn refuse<T>(why: &str) -> Result<T> {
    Err(Raised::reply(&format!("ERR {why}")))
}
