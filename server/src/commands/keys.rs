//! Keys of any type: deleting, finding, naming, moving between databases. Their expiry is in `expire`.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::events::Class;
use bitmap_store::{Bytes, DATABASES, Db, Error, Glob, Kind, Listing};
use resp::Reply;

const READ: Flags = Flags::READONLY.or(Flags::KEYSPACE);
const WRITE: Flags = Flags::WRITE.or(Flags::KEYSPACE);
const SEARCH: Flags = READ.or(Flags::KEYSPACE_WIDE);

/// PDEL deletes so many keys in one batch of the log, whose locks it holds meanwhile.
const DELETED_AT_ONCE: usize = 64;

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("del", -2, WRITE, Keys::range(1, -1, 1), del).doc(
        Group::Generic,
        "1.0.0",
        "O(N) where N is the number of keys that will be removed. When a key to remove holds a value \
         other than a string, the individual complexity for this key is O(M) where M is the number of \
         elements in the list, set, sorted set or hash. Removing a single key that holds a string \
         value is O(1).",
        "Delete a key",
    ).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]).access("RM delete"),
    CommandSpec::new("unlink", -2, WRITE.or(Flags::FAST), Keys::range(1, -1, 1), del).doc(
        Group::Generic,
        "4.0.0",
        "O(1) for each key removed regardless of its size. Then the command does O(N) work in a \
         different thread in order to reclaim memory, where N is the number of allocations the \
         deleted objects where composed of.",
        "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
    ).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]).access("RM delete"),
    CommandSpec::new("exists", -2, READ.or(Flags::FAST), Keys::range(1, -1, 1), exists).doc(
        Group::Generic,
        "1.0.0",
        "O(N) where N is the number of keys to check.",
        "Determine if a key exists",
    ).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]).access("RO"),
    CommandSpec::new("touch", -2, READ.or(Flags::FAST), Keys::range(1, -1, 1), exists).doc(
        Group::Generic,
        "3.2.1",
        "O(N) where N is the number of keys that will be touched.",
        "Alters the last access time of a key(s). Returns the number of existing keys specified.",
    ).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]).access("RO"),
    CommandSpec::new("type", 2, READ.or(Flags::FAST), Keys::first(), kind).doc(
        Group::Generic,
        "1.0.0",
        "O(1)",
        "Determine the type stored at key",
    ).access("RO"),
    CommandSpec::new("keys", -1, SEARCH.or(Flags::DANGEROUS).or(Flags::BY_KEY), Keys::none(), keys).doc(
        Group::Generic,
        "1.0.0",
        "O(N) with N being the number of keys in the database, under the assumption that the key names \
         in the database and the given pattern have limited length.",
        "Find all keys matching the given pattern",
    ).tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    CommandSpec::new(
        "pdel",
        2,
        WRITE.or(Flags::KEYSPACE_WIDE).or(Flags::DANGEROUS).or(Flags::BY_KEY),
        Keys::none(),
        pdel,
    )
    .doc(
        Group::Generic,
        "0.1.0",
        "O(N) with N being the number of keys that begin as the pattern does",
        "Delete all keys matching the given pattern",
    ),
    CommandSpec::new("delif", -3, WRITE, Keys::range(2, -1, 1), delif).doc(
        Group::Generic,
        "0.1.0",
        "O(N) with N being the length of all the strings",
        "Delete those of the given keys whose strings contain another",
    ).access("RW access delete"),
    CommandSpec::new("scan", -2, SEARCH, Keys::none(), scan).doc(
        Group::Generic,
        "2.8.0",
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the \
         cursor to return back to 0. N is the number of elements inside the collection.",
        "Incrementally iterate the keys space",
    ).tips(&["nondeterministic_output", "request_policy:special"]),
    CommandSpec::new("randomkey", 1, SEARCH, Keys::none(), random_key).doc(
        Group::Generic,
        "1.0.0",
        "O(1)",
        "Return a random key from the keyspace",
    ).tips(&["request_policy:all_shards", "nondeterministic_output"]),
    CommandSpec::new("rename", 3, WRITE, Keys::range(1, 2, 1), rename).doc(
        Group::Generic,
        "1.0.0",
        "O(1)",
        "Rename a key",
    ).access_each(&[(Keys::first(), "RW access delete"), (Keys::range(2, 2, 1), "OW update")]),
    CommandSpec::new("renamenx", 3, WRITE.or(Flags::FAST), Keys::range(1, 2, 1), rename_nx).doc(
        Group::Generic,
        "1.0.0",
        "O(1)",
        "Rename a key, only if the new key does not exist",
    ).access_each(&[(Keys::first(), "RW access delete"), (Keys::range(2, 2, 1), "OW insert")]),
    CommandSpec::new(
        "copy",
        -3,
        WRITE.or(Flags::DENYOOM).or(Flags::OTHER_DB),
        Keys::range(1, 2, 1),
        copy,
    )
    .doc(
        Group::Generic,
        "6.2.0",
        "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        "Copy a key",
    ).access_each(&[(Keys::first(), "RO access"), (Keys::range(2, 2, 1), "OW update")]),
    CommandSpec::new(
        "move",
        3,
        WRITE.or(Flags::FAST).or(Flags::OTHER_DB),
        Keys::first(),
        move_to_db,
    )
    .doc(Group::Generic, "1.0.0", "O(1)", "Move a key to another database").access("RW access update"),
];

/// `DEL key [key ...]`, `UNLINK`: replies with the number of keys that were there.
fn del(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut deleted = 0;
    for key in args.rest() {
        if cx.tx.delete(cx.db, key)? {
            deleted += 1;
            cx.event(Class::Generic, "del", key);
        }
    }
    Ok(Reply::Int(deleted))
}

/// `EXISTS key [key ...]`, `TOUCH`: replies with the number of keys that are there, one named twice
/// counting twice.
fn exists(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let mut found = 0;
    for key in args.rest() {
        found += i64::from(cx.looked_up_key(key, false)?);
    }
    Ok(Reply::Int(found))
}

/// `TYPE key`
fn kind(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let kind = cx.tx.kind(cx.db, key)?;
    cx.looked_for(key, kind.is_some());
    Ok(Reply::Status(kind.map_or("none", Kind::text).into()))
}

/// `KEYS [pattern] [PIVOT key] [LIMIT n] [DESC] [EXCL] [WITHVALUES]`: in the order of the keys, from behind the
/// pivot on; with values, each key is followed by its own, null if that is no string.
fn keys(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let glob = Glob::new(if args.is_empty() { b"*" } else { args.next()? });
    if args.is_empty() {
        return Ok(names(cx.tx.keys(cx.db, &glob)));
    }
    let (mut listing, mut with_values) = (Listing::default(), false);
    while !args.is_empty() {
        if args.keyword("PIVOT") {
            listing.pivot = Some(args.next()?);
        } else if args.keyword("LIMIT") {
            let limit = u64::try_from(args.int()?).map_err(|_| CommandError::SYNTAX)?;
            listing.limit = Some(usize::try_from(limit).unwrap_or(usize::MAX));
        } else if args.keyword("DESC") {
            listing.descending = true;
        } else if args.keyword("WITHVALUES") {
            with_values = true;
        } else if !args.keyword("EXCL") {
            return Err(CommandError::SYNTAX);
        }
    }
    let found = cx.tx.list_keys(cx.db, &glob, listing);
    if !with_values {
        return Ok(names(found));
    }
    let mut pairs = Vec::with_capacity(2 * found.len());
    let mut left = cx.server.settings.output_buffer_bytes();
    for key in found {
        let value = match cx.tx.get_found(cx.db, &key) {
            Ok(None) => continue,
            Err(Error::WrongType) => None,
            value => value?,
        };
        left = left
            .checked_sub(key.len() + value.as_ref().map_or(0, Bytes::len))
            .ok_or(CommandError::text("ERR the values exceed client-output-buffer-limit"))?;
        pairs.extend([Reply::bulk(key), Reply::from(value)]);
    }
    Ok(Reply::Array(pairs))
}

/// `PDEL pattern`: replies with the number of keys deleted. Outside of a transaction they go some at a time, each lot
/// at once, and others' commands between.
fn pdel(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let glob = Glob::new(args.next()?);
    let limit = cx.tx.is_without_keys().then_some(DELETED_AT_ONCE);
    let mut deleted = 0;
    let mut found = cx.tx.list_keys(cx.db, &glob, Listing { limit, ..Listing::default() });
    while let Some(last) = found.last().cloned() {
        let gone = cx.tx.delete_found(cx.db, &found)?;
        deleted += gone.into_iter().filter(|gone| *gone).count();
        if limit.is_none() {
            break;
        }
        let listing = Listing { pivot: Some(&last), limit, ..Listing::default() };
        found = cx.tx.list_keys(cx.db, &glob, listing);
    }
    Ok(Reply::Int(deleted as i64))
}

/// `DELIF part key [key ...]`: deletes those whose strings have `part` in them, and replies with their number.
fn delif(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let part = args.next()?;
    let deleted = cx.tx.delete_if(cx.db, part, args.rest())?;
    Ok(Reply::Int(deleted.len() as i64))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
fn scan(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let cursor = parse_cursor(args.next()?).ok_or(CommandError::INVALID_CURSOR)?;
    let ScanOptions { glob, count, kind_name } = ScanOptions::parse(args, true)?;
    let kind = kind_name.map(parse_kind);
    let (next, mut found) = cx.tx.scan(cx.db, cursor, count, glob.as_ref(), kind.flatten());
    // No key is of a type that does not exist; the scan goes its way all the same, as in Redis 7.0.
    if matches!(kind, Some(None)) {
        found.clear();
    }
    Ok(Reply::Array(vec![Reply::bulk(next.to_string()), names(found)]))
}

/// What comes after the cursor in the commands of the SCAN family.
pub(super) struct ScanOptions<'a> {
    pub(super) glob: Option<Glob>,
    pub(super) count: usize,
    kind_name: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// Reads `[MATCH pattern] [COUNT count]`, and `[TYPE type]` of keys.
    pub(super) fn parse(mut args: Args<'a>, of_keys: bool) -> Result<Self, CommandError> {
        let mut options = ScanOptions { glob: None, count: 10, kind_name: None };
        while !args.is_empty() {
            if args.len() < 2 {
                return Err(CommandError::SYNTAX);
            } else if args.keyword("COUNT") {
                let wanted = args.int()?;
                if wanted < 1 {
                    return Err(CommandError::SYNTAX);
                }
                options.count = usize::try_from(wanted).unwrap_or(usize::MAX);
            } else if args.keyword("MATCH") {
                options.glob = Some(Glob::new(args.next()?));
            } else if of_keys && args.keyword("TYPE") {
                options.kind_name = Some(args.next()?);
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// `RANDOMKEY`
fn random_key(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    let random = &mut *cx.random;
    let chosen = cx.tx.random_key(cx.db, &mut |bound| random.below(bound));
    Ok(chosen.map_or(Reply::Null, Reply::bulk))
}

/// `RENAME key newkey`
fn rename(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    move_name(cx, from, to)?;
    Ok(Reply::OK)
}

fn move_name(cx: &mut Context<'_>, from: &[u8], to: &[u8]) -> Result<(), CommandError> {
    cx.tx.rename(cx.db, from, to)?;
    if from != to {
        cx.event_of_new(cx.db, to);
        cx.event(Class::Generic, "rename_from", from);
        cx.event(Class::Generic, "rename_to", to);
    }
    Ok(())
}

/// `RENAMENX key newkey`: replies 0 if the new name is taken, be it by the key itself.
fn rename_nx(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    if !cx.tx.exists(cx.db, from)? {
        return Err(CommandError::NO_SUCH_KEY);
    }
    if cx.tx.exists(cx.db, to)? {
        return Ok(Reply::Int(0));
    }
    move_name(cx, from, to)?;
    Ok(Reply::Int(1))
}

/// `COPY source destination [DB destination-db] [REPLACE]`
fn copy(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    let (mut db, mut replace) = (cx.db, false);
    while !args.is_empty() {
        if args.keyword("REPLACE") {
            replace = true;
        } else if args.len() >= 2 && args.keyword("DB") {
            db = parse_db(&mut args)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    if (cx.db, from) == (db, to) {
        return Err(CommandError::SAME_OBJECT);
    }
    let copied = cx.tx.copy((cx.db, from), (db, to), replace)?;
    cx.looked_up_key(from, copied)?;
    if copied {
        cx.event_of_new(db, to);
        cx.event_in(db, Class::Generic, "copy_to", to);
    }
    Ok(Reply::from(copied))
}

/// `MOVE key db`: replies 0 if the key is missing here or taken there.
fn move_to_db(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, to) = (args.key()?, parse_db(&mut args)?);
    if to == cx.db {
        return Err(CommandError::SAME_OBJECT);
    }
    let moved = cx.tx.move_to(cx.db, key, to)?;
    if moved {
        cx.event_of_new(to, key);
        cx.event(Class::Generic, "move_from", key);
        cx.event_in(to, Class::Generic, "move_to", key);
    }
    Ok(Reply::from(moved))
}

fn names(keys: Vec<Vec<u8>>) -> Reply {
    Reply::Array(keys.into_iter().map(Reply::bulk).collect())
}

/// The number of a database; Redis tells one that is no C `int` from one that merely does not exist.
pub(super) fn parse_db(args: &mut Args<'_>) -> Result<Db, CommandError> {
    let number = i32::try_from(args.int()?).map_err(|_| {
        CommandError::text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        )
    })?;
    match u8::try_from(number) {
        Ok(number) if number < DATABASES => Ok(Db(number)),
        _ => Err(CommandError::DB_INDEX),
    }
}

/// The type of this name, whatever its case.
fn parse_kind(name: &[u8]) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.text().as_bytes().eq_ignore_ascii_case(name))
}

/// A cursor as C's `strtoul` reads it, which is what Redis does: leading zeros, a sign and nothing at
/// all are fine, blanks and what exceeds 64 bits are not.
pub(super) fn parse_cursor(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        for (text, cursor) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("17", Some(17)),
            ("007", Some(7)),
            ("+5", Some(5)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 1", None),
            ("1 ", None),
            ("x", None),
            ("-", None),
            ("+", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()), cursor, "{text:?}");
        }
    }

    #[test]
    fn names_of_types_are_known_whatever_their_case() {
        assert_eq!(parse_kind(b"STRing"), Some(Kind::String));
        assert_eq!(parse_kind(b"Hash"), Some(Kind::Hash));
        assert_eq!(parse_kind(b"nonsense"), None);
    }
}
