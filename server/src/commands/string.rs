//! Strings: whole values, parts of them, and the numbers written in them.

mod lcs;
mod options;

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::events::Class;
use bitmap_store::{Bytes, Error, UnixMillis};
use lcs::lcs;
use options::{Existence, Expiry, GetExOptions, SetOptions};
use resp::Reply;

use super::expire::{Time, clear_expiry, set_expiry};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.or(Flags::FAST);
const TAKE: Flags = Flags::WRITE.or(Flags::FAST);
const GROW: Flags = Flags::WRITE.or(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.or(Flags::FAST);

const SUBSTRING_COMPLEXITY: &str = "O(N) where N is the length of the returned string. The complexity \
     is ultimately determined by the returned length, but because creating a substring from an \
     existing string is very cheap, it can be considered O(1) for small strings.";

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("get", 2, READ_FAST, Keys::first(), get).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Get the value of a key",
    ),
    CommandSpec::new("set", -3, GROW, Keys::first(), set).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Set the string value of a key",
    ).access("RW access update variable_flags").note("RW and ACCESS due to the optional `GET` argument"),
    CommandSpec::new("setnx", 3, GROW_FAST, Keys::first(), set_nx).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Set the value of a key, only if the key does not exist",
    ).access("OW insert"),
    CommandSpec::new("setex", 4, GROW, Keys::first(), set_ex).doc(
        Group::String,
        "2.0.0",
        "O(1)",
        "Set the value and expiration of a key",
    ).access("OW update"),
    CommandSpec::new("psetex", 4, GROW, Keys::first(), pset_ex).doc(
        Group::String,
        "2.6.0",
        "O(1)",
        "Set the value and expiration in milliseconds of a key",
    ).access("OW update"),
    CommandSpec::new("getset", 3, GROW_FAST, Keys::first(), get_set).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Set the string value of a key and return its old value",
    ).access("RW access update"),
    CommandSpec::new("getdel", 2, TAKE, Keys::first(), get_del).doc(
        Group::String,
        "6.2.0",
        "O(1)",
        "Get the value of a key and delete the key",
    ).access("RW access delete"),
    CommandSpec::new("getex", -2, TAKE, Keys::first(), get_ex).doc(
        Group::String,
        "6.2.0",
        "O(1)",
        "Get the value of a key and optionally set its expiration",
    ).access("RW access update").note("RW and UPDATE because it changes the TTL"),
    CommandSpec::new("mget", -2, READ_FAST, Keys::range(1, -1, 1), mget).doc(
        Group::String,
        "1.0.0",
        "O(N) where N is the number of keys to retrieve.",
        "Get the values of all the given keys",
    ).tips(&["request_policy:multi_shard"]),
    CommandSpec::new("mset", -3, GROW, Keys::range(1, -1, 2), mset).doc(
        Group::String,
        "1.0.1",
        "O(N) where N is the number of keys to set.",
        "Set multiple keys to multiple values",
    ).tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]).access("OW update"),
    CommandSpec::new("msetnx", -3, GROW, Keys::range(1, -1, 2), mset_nx).doc(
        Group::String,
        "1.0.1",
        "O(N) where N is the number of keys to set.",
        "Set multiple keys to multiple values, only if none of the keys exist",
    ).tips(&["request_policy:multi_shard", "response_policy:agg_min"]).access("OW insert"),
    CommandSpec::new("append", 3, GROW_FAST, Keys::first(), append).doc(
        Group::String,
        "2.0.0",
        "O(1). The amortized time complexity is O(1) assuming the appended value is small and the \
         already present value is of any size, since the dynamic string library used by Redis will \
         double the free space available on every reallocation.",
        "Append a value to a key",
    ).access("RW insert"),
    CommandSpec::new("strlen", 2, READ_FAST, Keys::first(), strlen).doc(
        Group::String,
        "2.2.0",
        "O(1)",
        "Get the length of the value stored in a key",
    ).access("RO"),
    CommandSpec::new("getrange", 4, READ, Keys::first(), get_range).doc(
        Group::String,
        "2.4.0",
        SUBSTRING_COMPLEXITY,
        "Get a substring of the string stored at a key",
    ),
    CommandSpec::new("substr", 4, READ, Keys::first(), get_range).doc(
        Group::String,
        "1.0.0",
        SUBSTRING_COMPLEXITY,
        "Get a substring of the string stored at a key",
    ),
    CommandSpec::new("setrange", 4, GROW, Keys::first(), set_range).doc(
        Group::String,
        "2.2.0",
        "O(1), not counting the time taken to copy the new string in place. Usually, this string is \
         very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the \
         length of the value argument.",
        "Overwrite part of a string at key starting at the specified offset",
    ).access("RW update"),
    CommandSpec::new("incr", 2, GROW_FAST, Keys::first(), incr).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Increment the integer value of a key by one",
    ).access("RW access update"),
    CommandSpec::new("decr", 2, GROW_FAST, Keys::first(), decr).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Decrement the integer value of a key by one",
    ).access("RW access update"),
    CommandSpec::new("incrby", 3, GROW_FAST, Keys::first(), incr_by).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Increment the integer value of a key by the given amount",
    ).access("RW access update"),
    CommandSpec::new("decrby", 3, GROW_FAST, Keys::first(), decr_by).doc(
        Group::String,
        "1.0.0",
        "O(1)",
        "Decrement the integer value of a key by the given number",
    ).access("RW access update"),
    CommandSpec::new("incrbyfloat", 3, GROW_FAST, Keys::first(), incr_by_float).doc(
        Group::String,
        "2.6.0",
        "O(1)",
        "Increment the float value of a key by the given amount",
    ).access("RW access update"),
    CommandSpec::new("lcs", -3, READ, Keys::range(1, 2, 1), lcs).doc(
        Group::String,
        "7.0.0",
        "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        "Find longest common substring",
    ),
];

/// `GET key`
fn get(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    Ok(Reply::from(read(cx, key)?))
}

/// The value of a key, counted as looked up.
fn read(cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Bytes>, CommandError> {
    let value = cx.tx.get(cx.db, key)?;
    cx.looked_for(key, value.is_some());
    Ok(value)
}

/// `SET key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time|PXAT unix-time|KEEPTTL]`
fn set(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, value) = (args.key()?, args.next()?);
    if args.is_empty() {
        put(cx, key, value, None)?;
        return Ok(Reply::OK);
    }
    let options = SetOptions::parse(args)?;
    let expires_at = match options.expiry {
        Expiry::In(time, amount) => Some(time.resolve_positive(amount.parse()?, cx.now, "set")?),
        Expiry::Unchanged | Expiry::Removed => None,
    };
    let old = if options.get { read(cx, key)? } else { None };
    let proceed = match options.existence {
        Existence::Any => true,
        Existence::Missing => !cx.tx.exists(cx.db, key)?,
        Existence::Present => cx.tx.exists(cx.db, key)?,
    };
    if proceed {
        match options.expiry {
            Expiry::Unchanged => {
                cx.tx.set_keep_expiry(cx.db, key, value)?;
                cx.event(Class::String, "set", key);
            }
            _ => put(cx, key, value, expires_at)?,
        }
    }
    Ok(match (options.get, proceed) {
        (true, _) => Reply::from(old),
        (false, true) => Reply::OK,
        (false, false) => Reply::Null,
    })
}

/// Sets the key and tells of it. One whose time has passed already is gone at once, as it would be for whoever
/// looks next.
fn put(
    cx: &mut Context<'_>,
    key: &[u8],
    value: &[u8],
    expires_at: Option<UnixMillis>,
) -> Result<(), CommandError> {
    let expired = expires_at.is_some_and(|at| at <= cx.now);
    cx.tx.set(cx.db, key, value, expires_at.filter(|_| !expired))?;
    cx.event(Class::String, "set", key);
    if expires_at.is_some() {
        cx.event(Class::Generic, "expire", key);
    }
    if expired {
        cx.tx.delete(cx.db, key)?;
        cx.event(Class::Expired, "expired", key);
    }
    Ok(())
}

/// `SETNX key value`: replies 1 if it was set.
fn set_nx(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, value) = (args.key()?, args.next()?);
    let missing = !cx.tx.exists(cx.db, key)?;
    if missing {
        put(cx, key, value, None)?;
    }
    Ok(Reply::from(missing))
}

/// `SETEX key seconds value`
fn set_ex(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_for(cx, args, Time::Seconds, "setex")
}

/// `PSETEX key milliseconds value`
fn pset_ex(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_for(cx, args, Time::Millis, "psetex")
}

fn set_for(
    cx: &mut Context<'_>,
    mut args: Args<'_>,
    time: Time,
    command: &str,
) -> Result<Reply, CommandError> {
    let (key, amount, value) = (args.key()?, args.int()?, args.next()?);
    let expires_at = time.resolve_positive(amount, cx.now, command)?;
    put(cx, key, value, Some(expires_at))?;
    Ok(Reply::OK)
}

/// `GETSET key value`: replies with the old value; the key's expiry is gone.
fn get_set(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, value) = (args.key()?, args.next()?);
    let old = read(cx, key)?;
    put(cx, key, value, None)?;
    Ok(Reply::from(old))
}

/// `GETDEL key`
fn get_del(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let old = read(cx, key)?;
    if old.is_some() {
        cx.tx.delete(cx.db, key)?;
        cx.event(Class::Generic, "del", key);
    }
    Ok(Reply::from(old))
}

/// `GETEX key [EX seconds|PX milliseconds|EXAT unix-time|PXAT unix-time|PERSIST]`
fn get_ex(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let options = GetExOptions::parse(args)?;
    // A missing key is missing whatever time is asked for, valid or not.
    let Some(value) = read(cx, key)? else {
        return Ok(Reply::Null);
    };
    match options.expiry {
        Expiry::Unchanged => {}
        Expiry::Removed => {
            clear_expiry(cx, key)?;
        }
        Expiry::In(time, amount) => {
            let at = time.resolve_positive(amount.parse()?, cx.now, "getex")?;
            set_expiry(cx, key, at)?;
        }
    }
    Ok(Reply::from(Some(value)))
}

/// `MGET key [key ...]`: a key that is missing, or no string, is null.
fn mget(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut values = Vec::with_capacity(args.len());
    // A bitmap's string is made for the reply: no more of them than may be sent.
    let mut left = cx.server.settings.output_buffer_bytes();
    for key in args.rest() {
        let value = cx.tx.get(cx.db, key);
        cx.looked_for(key, !matches!(value, Ok(None)));
        let value = match value {
            Err(Error::WrongType) => None,
            value => value?,
        };
        left = left
            .checked_sub(value.as_ref().map_or(0, Bytes::len))
            .ok_or(CommandError::text("ERR the values exceed client-output-buffer-limit"))?;
        values.push(Reply::from(value));
    }
    Ok(Reply::Array(values))
}

/// `MSET key value [key value ...]`
fn mset(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    check_pairs(args, "mset")?;
    set_pairs(cx, args)?;
    Ok(Reply::OK)
}

/// `MSETNX key value [key value ...]`: replies 1 if all were set, 0 if none was since one existed.
fn mset_nx(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    check_pairs(args, "msetnx")?;
    for key in args.rest().step_by(2) {
        if cx.tx.exists(cx.db, key)? {
            return Ok(Reply::Int(0));
        }
    }
    set_pairs(cx, args)?;
    Ok(Reply::Int(1))
}

fn check_pairs(args: Args<'_>, command: &str) -> Result<(), CommandError> {
    if args.len().is_multiple_of(2) { Ok(()) } else { Err(CommandError::arity(command)) }
}

fn set_pairs(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<(), CommandError> {
    while !args.is_empty() {
        let (key, value) = (args.key()?, args.next()?);
        put(cx, key, value, None)?;
    }
    Ok(())
}

/// `APPEND key value`: replies with the new length in bytes.
fn append(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, tail) = (args.key()?, args.next()?);
    let len = cx.tx.append(cx.db, key, tail)?;
    cx.event(Class::String, "append", key);
    Ok(Reply::from(len))
}

/// `STRLEN key`: in bytes, 0 for a missing key.
fn strlen(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let len = cx.tx.strlen(cx.db, key)?;
    cx.looked_up_key(key, len > 0)?;
    Ok(Reply::from(len))
}

/// `GETRANGE key start end`, `SUBSTR`: both ends count; negative ones from the end of the string.
fn get_range(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, start, end) = (args.key()?, args.int()?, args.int()?);
    let part = cx.tx.get_range(cx.db, key, start, end)?;
    cx.looked_up_key(key, !part.is_empty())?;
    Ok(Reply::Bulk(part))
}

/// `SETRANGE key offset value`: replies with the length after it. An empty value changes nothing.
fn set_range(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, offset, value) = (args.key()?, args.int()?, args.next()?);
    let offset =
        u64::try_from(offset).map_err(|_| CommandError::text("ERR offset is out of range"))?;
    if value.is_empty() {
        return Ok(Reply::from(cx.tx.strlen(cx.db, key)?));
    }
    let len = cx.tx.set_range(cx.db, key, offset, value)?;
    cx.event(Class::String, "setrange", key);
    Ok(Reply::from(len))
}

/// `INCR key`
fn incr(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    add(cx, key, 1)
}

fn add(cx: &mut Context<'_>, key: &[u8], by: i64) -> Result<Reply, CommandError> {
    let sum = cx.tx.incr_by(cx.db, key, by)?;
    cx.event(Class::String, "incrby", key);
    Ok(Reply::Int(sum))
}

/// `DECR key`
fn decr(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    add(cx, key, -1)
}

/// `INCRBY key increment`
fn incr_by(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, by) = (args.key()?, args.int()?);
    add(cx, key, by)
}

/// `DECRBY key decrement`
fn decr_by(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, by) = (args.key()?, args.int()?);
    let by = by.checked_neg().ok_or(CommandError::text("ERR decrement would overflow"))?;
    add(cx, key, by)
}

/// `INCRBYFLOAT key increment`: replies with the new value as text.
fn incr_by_float(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, by) = (args.key()?, args.next()?);
    let sum = cx.tx.incr_by_float(cx.db, key, by)?;
    cx.event(Class::String, "incrbyfloat", key);
    Ok(Reply::Bulk(sum))
}
