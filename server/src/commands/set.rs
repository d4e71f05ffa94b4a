//! Sets: members, each once.

use super::keys::{ScanOptions, parse_cursor};
use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::events::Class;
use bitmap_store::{Bytes, Kind, SetOp};
use resp::Reply;
use std::ops::ControlFlow;

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.or(Flags::FAST);
const TAKE: Flags = Flags::WRITE.or(Flags::FAST);
const STORE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const GROW: Flags = STORE.or(Flags::FAST);
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ANY_OUTPUT: &[&str] = &["nondeterministic_output"];
const ALL: Keys = Keys::range(1, -1, 1);
const SOURCES: Keys = Keys::range(2, -1, 1);
const OVERWRITES: &[(Keys, &str)] = &[(Keys::first(), "OW update"), (SOURCES, "RO access")];

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("sadd", -3, GROW, Keys::first(), sadd).doc(
        Group::Set,
        "1.0.0",
        "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        "Add one or more members to a set",
    ).access("RW insert"),
    CommandSpec::new("srem", -3, TAKE, Keys::first(), srem).doc(
        Group::Set,
        "1.0.0",
        "O(N) where N is the number of members to be removed.",
        "Remove one or more members from a set",
    ).access("RW delete"),
    CommandSpec::new("sismember", 3, READ_FAST, Keys::first(), sismember).doc(
        Group::Set,
        "1.0.0",
        "O(1)",
        "Determine if a given value is a member of a set",
    ).access("RO"),
    CommandSpec::new("smismember", -3, READ_FAST, Keys::first(), smismember).doc(
        Group::Set,
        "6.2.0",
        "O(N) where N is the number of elements being checked for membership",
        "Returns the membership associated with the given elements for a set",
    ),
    CommandSpec::new("smembers", 2, READ, Keys::first(), smembers).doc(
        Group::Set,
        "1.0.0",
        "O(N) where N is the set cardinality.",
        "Get all the members in a set",
    ).tips(ANY_ORDER),
    CommandSpec::new("scard", 2, READ_FAST, Keys::first(), scard).doc(
        Group::Set,
        "1.0.0",
        "O(1)",
        "Get the number of members in a set",
    ).access("RO"),
    CommandSpec::new("spop", -2, TAKE, Keys::first(), spop).doc(
        Group::Set,
        "1.0.0",
        "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        "Remove and return one or multiple random members from a set",
    ).tips(ANY_OUTPUT).access("RW access delete"),
    CommandSpec::new("srandmember", -2, READ, Keys::first(), srandmember).doc(
        Group::Set,
        "1.0.0",
        "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        "Get one or multiple random members from a set",
    ).tips(ANY_OUTPUT),
    CommandSpec::new("smove", 4, TAKE, Keys::range(1, 2, 1), smove)
        .doc(Group::Set, "1.0.0", "O(1)", "Move a member from one set to another")
        .access_each(&[(Keys::first(), "RW access delete"), (Keys::range(2, 2, 1), "RW insert")]),
    CommandSpec::new("sinter", -2, READ, ALL, sinter).doc(
        Group::Set,
        "1.0.0",
        "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        "Intersect multiple sets",
    ).tips(ANY_ORDER),
    CommandSpec::new("sunion", -2, READ, ALL, sunion).doc(
        Group::Set,
        "1.0.0",
        "O(N) where N is the total number of elements in all given sets.",
        "Add multiple sets",
    ).tips(ANY_ORDER),
    CommandSpec::new("sdiff", -2, READ, ALL, sdiff).doc(
        Group::Set,
        "1.0.0",
        "O(N) where N is the total number of elements in all given sets.",
        "Subtract multiple sets",
    ).tips(ANY_ORDER),
    CommandSpec::new("sinterstore", -3, STORE, ALL, sinterstore).doc(
        Group::Set,
        "1.0.0",
        "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        "Intersect multiple sets and store the resulting set in a key",
    ).access_each(&[(Keys::first(), "RW update"), (SOURCES, "RO access")]),
    CommandSpec::new("sunionstore", -3, STORE, ALL, sunionstore).doc(
        Group::Set,
        "1.0.0",
        "O(N) where N is the total number of elements in all given sets.",
        "Add multiple sets and store the resulting set in a key",
    ).access_each(OVERWRITES),
    CommandSpec::new("sdiffstore", -3, STORE, ALL, sdiffstore).doc(
        Group::Set,
        "1.0.0",
        "O(N) where N is the total number of elements in all given sets.",
        "Subtract multiple sets and store the resulting set in a key",
    ).access_each(OVERWRITES),
    CommandSpec::new("sintercard", -3, READ.or(Flags::MOVABLE_KEYS), Keys::counted(1), sintercard).doc(
        Group::Set,
        "7.0.0",
        "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        "Intersect multiple sets and return the cardinality of the result",
    ),
    CommandSpec::new("sscan", -3, READ, Keys::first(), sscan).doc(
        Group::Set,
        "2.8.0",
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the \
         cursor to return back to 0. N is the number of elements inside the collection..",
        "Incrementally iterate Set elements",
    ).tips(ANY_OUTPUT),
];

/// Counts the key that was just read as looked for.
fn looked_for(cx: &mut Context<'_>, key: &[u8]) {
    let found = cx.tx.was_found();
    cx.looked_for(key, found);
}

/// Tells of members that were taken out of a set, which may have been its last.
fn told_of_taken(cx: &mut Context<'_>, name: &'static str, key: &[u8]) -> Result<(), CommandError> {
    cx.event(Class::Set, name, key);
    cx.event_if_gone(key)
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(bytes))
}

fn bulks(members: Vec<Vec<u8>>) -> Vec<Reply> {
    members.into_iter().map(Reply::bulk).collect()
}

/// `SADD key member [member ...]`: replies with the number of new members.
fn sadd(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let new = cx.tx.set_add(cx.db, key, args.rest())?;
    if new > 0 {
        cx.event(Class::Set, "sadd", key);
    }
    Ok(Reply::from(new))
}

/// `SREM key member [member ...]`: replies with the number of members that were there.
fn srem(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let taken = cx.tx.set_remove(cx.db, key, args.rest())?;
    if taken > 0 {
        told_of_taken(cx, "srem", key)?;
    }
    Ok(Reply::from(taken))
}

/// `SISMEMBER key member`
fn sismember(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, member) = (args.key()?, args.next()?);
    let there = cx.tx.set_contains(cx.db, key, member)?;
    looked_for(cx, key);
    Ok(Reply::from(there))
}

/// `SMISMEMBER key member [member ...]`
fn smismember(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut there = Vec::with_capacity(args.len());
    for member in args.rest() {
        there.push(Reply::from(cx.tx.set_contains(cx.db, key, member)?));
    }
    looked_for(cx, key);
    Ok(Reply::Array(there))
}

/// `SMEMBERS key`
fn smembers(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut members = Vec::new();
    cx.tx.set_walk(cx.db, key, &mut |member| {
        members.push(bulk(member));
        ControlFlow::Continue(())
    })?;
    looked_for(cx, key);
    Ok(Reply::Set(members))
}

/// `SCARD key`
fn scard(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let len = cx.tx.set_len(cx.db, key)?;
    looked_for(cx, key);
    Ok(Reply::from(len))
}

/// `SPOP key [count]`
fn spop(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.len() > 1 {
        return Err(CommandError::SYNTAX);
    }
    let random = &mut *cx.random;
    let mut choose = |bound| random.below(bound);
    if args.is_empty() {
        let popped = cx.tx.set_pop(cx.db, key, &mut choose)?;
        if popped.is_some() {
            told_of_taken(cx, "spop", key)?;
        }
        return Ok(popped.map_or(Reply::Null, Reply::bulk));
    }
    let count = parse_int(args.next()?).and_then(|count| u64::try_from(count).ok());
    let count = count.ok_or(CommandError::text("ERR value is out of range, must be positive"))?;
    let popped = cx.tx.set_pop_many(cx.db, key, count, &mut choose)?;
    if !popped.is_empty() {
        told_of_taken(cx, "spop", key)?;
    }
    Ok(Reply::Set(bulks(popped)))
}

/// So many members, the same ones again and again, are given at most: more would be for nobody's good.
const MOST_MEMBERS: u64 = 1 << 24;

/// `SRANDMEMBER key [count]`: of a negative count, members may come more than once.
fn srandmember(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.len() > 1 {
        return Err(CommandError::SYNTAX);
    }
    let random = &mut *cx.random;
    let mut choose = |bound| random.below(bound);
    if args.is_empty() {
        let chosen = cx.tx.set_random(cx.db, key, &mut choose)?;
        looked_for(cx, key);
        return Ok(chosen.map_or(Reply::Null, Reply::bulk));
    }
    let count = args.int()?;
    if count == i64::MIN {
        return Err(CommandError::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let mut chosen = Vec::new();
    if count >= 0 {
        chosen = cx.tx.set_sample(cx.db, key, count as u64, &mut choose)?;
    } else if cx.tx.set_len(cx.db, key)? > 0 {
        if count.unsigned_abs() > MOST_MEMBERS {
            return Err(CommandError::text("ERR value is out of range"));
        }
        let mut left = cx.server.settings.output_buffer_bytes();
        for _ in 0..count.unsigned_abs() {
            let member = cx.tx.set_random(cx.db, key, &mut choose)?.unwrap_or_default();
            left = left.checked_sub(member.len()).ok_or(CommandError::ANSWER_TOO_LONG)?;
            chosen.push(member);
        }
    }
    looked_for(cx, key);
    Ok(Reply::Array(bulks(chosen)))
}

/// `SMOVE source destination member`: replies 0 if the member is not in the source.
fn smove(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to, member) = (args.key()?, args.key()?, args.next()?);
    let new = cx.hears(Class::Set) && !cx.tx.set_contains(cx.db, to, member).unwrap_or(true);
    let moved = cx.tx.set_move(cx.db, from, to, member)?;
    if moved && from != to {
        told_of_taken(cx, "srem", from)?;
        if new {
            cx.event(Class::Set, "sadd", to);
        }
    }
    Ok(Reply::from(moved))
}

/// Counts the sources as looked up: before they are combined, since the destination may be one of them.
fn look_up(cx: &mut Context<'_>, keys: &[&[u8]]) -> Result<(), CommandError> {
    for key in keys {
        if cx.looked_up_key(key, false)? && cx.tx.kind(cx.db, key)? != Some(Kind::Set) {
            // Redis fails here, before it looks for others.
            break;
        }
    }
    Ok(())
}

fn combine(cx: &mut Context<'_>, args: Args<'_>, op: SetOp) -> Result<Reply, CommandError> {
    let keys: Vec<&[u8]> = args.rest().collect();
    look_up(cx, &keys)?;
    let mut members = Vec::new();
    cx.tx.set_combine(op, cx.db, &keys, &mut |member| {
        members.push(bulk(member));
        ControlFlow::Continue(())
    })?;
    Ok(Reply::Set(members))
}

/// Replies with the number of members of the result.
fn store(cx: &mut Context<'_>, mut args: Args<'_>, op: SetOp) -> Result<Reply, CommandError> {
    let destination = args.key()?;
    let keys: Vec<&[u8]> = args.rest().collect();
    look_up(cx, &keys)?;
    let replaces = cx.replaces(destination)?;
    let len = cx.tx.set_combine_store(op, cx.db, destination, &keys)?;
    let name = match op {
        SetOp::Intersection => "sinterstore",
        SetOp::Union => "sunionstore",
        SetOp::Difference => "sdiffstore",
    };
    cx.event_of_result(Class::Set, name, destination, len, replaces);
    Ok(Reply::from(len))
}

/// `SINTER key [key ...]`
fn sinter(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    combine(cx, args, SetOp::Intersection)
}

/// `SUNION key [key ...]`
fn sunion(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    combine(cx, args, SetOp::Union)
}

/// `SDIFF key [key ...]`
fn sdiff(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    combine(cx, args, SetOp::Difference)
}

/// `SINTERSTORE destination key [key ...]`
fn sinterstore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(cx, args, SetOp::Intersection)
}

/// `SUNIONSTORE destination key [key ...]`
fn sunionstore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(cx, args, SetOp::Union)
}

/// `SDIFFSTORE destination key [key ...]`
fn sdiffstore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(cx, args, SetOp::Difference)
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`: a limit of 0 is none.
fn sintercard(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let count = parse_int(args.next()?).and_then(|count| usize::try_from(count).ok());
    let count = count
        .filter(|count| *count > 0)
        .ok_or(CommandError::text("ERR numkeys should be greater than 0"))?;
    if count > args.len() {
        return Err(CommandError::text("ERR Number of keys can't be greater than number of args"));
    }
    let keys: Vec<&[u8]> = (0..count).map(|_| args.key()).collect::<Result<_, _>>()?;
    let mut limit = 0;
    while !args.is_empty() {
        if args.len() < 2 || !args.keyword("LIMIT") {
            return Err(CommandError::SYNTAX);
        }
        let wanted = parse_int(args.next()?).and_then(|limit| u64::try_from(limit).ok());
        limit = wanted.ok_or(CommandError::text("ERR LIMIT can't be negative"))?;
    }
    look_up(cx, &keys)?;
    let limit = if limit == 0 { u64::MAX } else { limit };
    Ok(Reply::from(cx.tx.set_intersection_len(cx.db, &keys, limit)?))
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
fn sscan(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let cursor = parse_cursor(args.next()?).ok_or(CommandError::INVALID_CURSOR)?;
    // As in Redis, nobody minds odd options where there is no set.
    let there = cx.tx.set_len(cx.db, key)? > 0;
    looked_for(cx, key);
    let (mut found, mut next) = (Vec::new(), 0);
    if there {
        let options = ScanOptions::parse(args, false)?;
        next = cx.tx.set_scan(cx.db, key, cursor, options.count, &mut |member| {
            if options.glob.as_ref().is_none_or(|glob| glob.matches(member)) {
                found.push(bulk(member));
            }
        })?;
    }
    Ok(Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(found)]))
}
