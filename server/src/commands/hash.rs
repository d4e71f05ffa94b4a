//! Hashes: fields, each with a value.

use super::keys::{ScanOptions, parse_cursor};
use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::events::Class;
use bitmap_store::Bytes;
use resp::{Protocol, Reply};
use std::ops::ControlFlow;

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.or(Flags::FAST);
const TAKE: Flags = Flags::WRITE.or(Flags::FAST);
const GROW: Flags = Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST);
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ANY_OUTPUT: &[&str] = &["nondeterministic_output"];

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("hset", -4, GROW, Keys::first(), hset).doc(
        Group::Hash,
        "2.0.0",
        "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with \
         multiple field/value pairs.",
        "Set the string value of a hash field",
    ).access("RW update"),
    CommandSpec::new("hmset", -4, GROW, Keys::first(), hmset).doc(
        Group::Hash,
        "2.0.0",
        "O(N) where N is the number of fields being set.",
        "Set multiple hash fields to multiple values",
    ).access("RW update"),
    CommandSpec::new("hsetnx", 4, GROW, Keys::first(), hsetnx).doc(
        Group::Hash,
        "2.0.0",
        "O(1)",
        "Set the value of a hash field, only if the field does not exist",
    ).access("RW insert"),
    CommandSpec::new("hget", 3, READ_FAST, Keys::first(), hget).doc(
        Group::Hash,
        "2.0.0",
        "O(1)",
        "Get the value of a hash field",
    ),
    CommandSpec::new("hmget", -3, READ_FAST, Keys::first(), hmget).doc(
        Group::Hash,
        "2.0.0",
        "O(N) where N is the number of fields being requested.",
        "Get the values of all the given hash fields",
    ),
    CommandSpec::new("hgetall", 2, READ, Keys::first(), hgetall).doc(
        Group::Hash,
        "2.0.0",
        "O(N) where N is the size of the hash.",
        "Get all the fields and values in a hash",
    ).tips(ANY_ORDER),
    CommandSpec::new("hdel", -3, TAKE, Keys::first(), hdel).doc(
        Group::Hash,
        "2.0.0",
        "O(N) where N is the number of fields to be removed.",
        "Delete one or more hash fields",
    ).access("RW delete"),
    CommandSpec::new("hlen", 2, READ_FAST, Keys::first(), hlen).doc(
        Group::Hash,
        "2.0.0",
        "O(1)",
        "Get the number of fields in a hash",
    ).access("RO"),
    CommandSpec::new("hexists", 3, READ_FAST, Keys::first(), hexists).doc(
        Group::Hash,
        "2.0.0",
        "O(1)",
        "Determine if a hash field exists",
    ).access("RO"),
    CommandSpec::new("hkeys", 2, READ, Keys::first(), hkeys).doc(
        Group::Hash,
        "2.0.0",
        "O(N) where N is the size of the hash.",
        "Get all the fields in a hash",
    ).tips(ANY_ORDER),
    CommandSpec::new("hvals", 2, READ, Keys::first(), hvals).doc(
        Group::Hash,
        "2.0.0",
        "O(N) where N is the size of the hash.",
        "Get all the values in a hash",
    ).tips(ANY_ORDER),
    CommandSpec::new("hstrlen", 3, READ_FAST, Keys::first(), hstrlen).doc(
        Group::Hash,
        "3.2.0",
        "O(1)",
        "Get the length of the value of a hash field",
    ).access("RO"),
    CommandSpec::new("hincrby", 4, GROW, Keys::first(), hincrby).doc(
        Group::Hash,
        "2.0.0",
        "O(1)",
        "Increment the integer value of a hash field by the given number",
    ).access("RW access update"),
    CommandSpec::new("hincrbyfloat", 4, GROW, Keys::first(), hincrbyfloat).doc(
        Group::Hash,
        "2.6.0",
        "O(1)",
        "Increment the float value of a hash field by the given amount",
    ).access("RW access update"),
    CommandSpec::new("hrandfield", -2, READ, Keys::first(), hrandfield).doc(
        Group::Hash,
        "6.2.0",
        "O(N) where N is the number of fields returned",
        "Get one or multiple random fields from a hash",
    ).tips(ANY_OUTPUT),
    CommandSpec::new("hscan", -3, READ, Keys::first(), hscan).doc(
        Group::Hash,
        "2.8.0",
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the \
         cursor to return back to 0. N is the number of elements inside the collection..",
        "Incrementally iterate hash fields and associated values",
    ).tips(ANY_OUTPUT),
];

/// Sets the fields that are left, which must come with a value each; the number of new ones.
fn set_all(cx: &mut Context<'_>, mut args: Args<'_>, name: &str) -> Result<u64, CommandError> {
    let key = args.key()?;
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::arity(name));
    }
    let (fields, values) = (args.rest().step_by(2), args.rest().skip(1).step_by(2));
    let new = cx.tx.hash_set_all(cx.db, key, fields.zip(values))?;
    cx.event(Class::Hash, "hset", key);
    Ok(new)
}

/// `HSET key field value [field value ...]`: replies with the number of new fields.
fn hset(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::from(set_all(cx, args, "hset")?))
}

/// `HMSET key field value [field value ...]`
fn hmset(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_all(cx, args, "hmset")?;
    Ok(Reply::OK)
}

/// `HSETNX key field value`: replies 0 if the field is there.
fn hsetnx(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, value) = (args.key()?, args.next()?, args.next()?);
    let set = cx.tx.hash_set_new(cx.db, key, field, value)?;
    if set {
        cx.event(Class::Hash, "hset", key);
    }
    Ok(Reply::from(set))
}

/// Counts the key that was just read as looked for.
fn looked_for(cx: &mut Context<'_>, key: &[u8]) {
    let found = cx.tx.was_found();
    cx.looked_for(key, found);
}

/// `HGET key field`
fn hget(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field) = (args.key()?, args.next()?);
    let value = cx.tx.hash_get(cx.db, key, field)?;
    looked_for(cx, key);
    Ok(Reply::from(value))
}

/// `HMGET key field [field ...]`
fn hmget(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut values = Vec::with_capacity(args.len());
    for field in args.rest() {
        values.push(Reply::from(cx.tx.hash_get(cx.db, key, field)?));
    }
    looked_for(cx, key);
    Ok(Reply::Array(values))
}

/// Shows all fields and values of a hash, whose key counts as looked for.
fn walk(
    cx: &mut Context<'_>,
    mut args: Args<'_>,
    mut visit: impl FnMut(&[u8], &[u8]),
) -> Result<(), CommandError> {
    let key = args.key()?;
    cx.tx.hash_walk(cx.db, key, &mut |field, value| {
        visit(field, value);
        ControlFlow::Continue(())
    })?;
    looked_for(cx, key);
    Ok(())
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(bytes))
}

/// `HGETALL key`
fn hgetall(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut pairs = Vec::new();
    walk(cx, args, |field, value| pairs.push((bulk(field), bulk(value))))?;
    Ok(Reply::Map(pairs))
}

/// `HKEYS key`
fn hkeys(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut fields = Vec::new();
    walk(cx, args, |field, _| fields.push(bulk(field)))?;
    Ok(Reply::Array(fields))
}

/// `HVALS key`
fn hvals(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut values = Vec::new();
    walk(cx, args, |_, value| values.push(bulk(value)))?;
    Ok(Reply::Array(values))
}

/// `HDEL key field [field ...]`: replies with the number of fields that were there.
fn hdel(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let taken = cx.tx.hash_delete(cx.db, key, args.rest())?;
    if taken > 0 {
        cx.event(Class::Hash, "hdel", key);
        cx.event_if_gone(key)?;
    }
    Ok(Reply::from(taken))
}

/// `HLEN key`
fn hlen(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let len = cx.tx.hash_len(cx.db, key)?;
    looked_for(cx, key);
    Ok(Reply::from(len))
}

/// `HEXISTS key field`
fn hexists(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field) = (args.key()?, args.next()?);
    let len = cx.tx.hash_value_len(cx.db, key, field)?;
    looked_for(cx, key);
    Ok(Reply::from(len.is_some()))
}

/// `HSTRLEN key field`
fn hstrlen(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field) = (args.key()?, args.next()?);
    let len = cx.tx.hash_value_len(cx.db, key, field)?;
    looked_for(cx, key);
    Ok(Reply::from(len.unwrap_or(0)))
}

/// `HINCRBY key field increment`
fn hincrby(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, by) = (args.key()?, args.next()?, args.int()?);
    let sum = cx.tx.hash_incr_by(cx.db, key, field, by)?;
    cx.event(Class::Hash, "hincrby", key);
    Ok(Reply::Int(sum))
}

/// `HINCRBYFLOAT key field increment`
fn hincrbyfloat(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, field, by) = (args.key()?, args.next()?, args.next()?);
    let sum = cx.tx.hash_incr_by_float(cx.db, key, field, by)?;
    cx.event(Class::Hash, "hincrbyfloat", key);
    Ok(Reply::Bulk(sum))
}

/// So many fields, the same ones again and again, are given at most: more would be for nobody's good.
const MOST_FIELDS: u64 = 1 << 24;

/// `HRANDFIELD key [count [WITHVALUES]]`: of a negative count, fields may come more than once.
fn hrandfield(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let random = &mut *cx.random;
    let mut choose = |bound| random.below(bound);
    if args.is_empty() {
        let chosen = cx.tx.hash_random(cx.db, key, &mut choose)?;
        looked_for(cx, key);
        return Ok(chosen.map_or(Reply::Null, |(field, _)| Reply::bulk(field)));
    }
    let out_of_range = CommandError::text("ERR value is out of range");
    let count = parse_int(args.next()?).ok_or(CommandError::NOT_INTEGER)?;
    if count == i64::MIN {
        return Err(CommandError::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_values = !args.is_empty();
    if with_values && (!args.keyword("WITHVALUES") || !args.is_empty()) {
        return Err(CommandError::SYNTAX);
    }
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(out_of_range);
    }
    let mut chosen = Vec::new();
    if count >= 0 {
        chosen = cx.tx.hash_sample(cx.db, key, count as u64, &mut choose)?;
    } else if cx.tx.hash_len(cx.db, key)? > 0 {
        if count.unsigned_abs() > MOST_FIELDS {
            return Err(out_of_range);
        }
        for _ in 0..count.unsigned_abs() {
            chosen.extend(cx.tx.hash_random(cx.db, key, &mut choose)?);
        }
    }
    looked_for(cx, key);
    let in_pairs = cx.session.protocol == Protocol::Resp3;
    let mut replies = Vec::with_capacity(chosen.len());
    for (field, value) in chosen {
        match (with_values, in_pairs) {
            (false, _) => replies.push(Reply::bulk(field)),
            (true, false) => replies.extend([Reply::bulk(field), Reply::bulk(value)]),
            (true, true) => {
                replies.push(Reply::Array(vec![Reply::bulk(field), Reply::bulk(value)]));
            }
        }
    }
    Ok(Reply::Array(replies))
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`
fn hscan(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let cursor = parse_cursor(args.next()?).ok_or(CommandError::INVALID_CURSOR)?;
    // As in Redis, nobody minds odd options where there is no hash.
    let there = cx.tx.hash_len(cx.db, key)? > 0;
    looked_for(cx, key);
    let (mut found, mut next) = (Vec::new(), 0);
    if there {
        let options = ScanOptions::parse(args, false)?;
        next = cx.tx.hash_scan(cx.db, key, cursor, options.count, &mut |field, value| {
            if options.glob.as_ref().is_none_or(|glob| glob.matches(field)) {
                found.extend([bulk(field), bulk(value)]);
            }
        })?;
    }
    Ok(Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(found)]))
}
