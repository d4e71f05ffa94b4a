//! Lists: elements in an order of their own; and waiting for them.

mod blocking;

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::events::Class;
use bitmap_store::{Bytes, End, Inserted, Search};
use resp::Reply;
use std::ops::ControlFlow;

const READ: Flags = Flags::READONLY;
const TAKE: Flags = Flags::WRITE;
const GROW: Flags = Flags::WRITE.or(Flags::DENYOOM);
const WAIT: Flags = Flags::NOSCRIPT.or(Flags::BLOCKING);
const POPS: &str = "RW access delete";
const MOVES: &[(Keys, &str)] = &[(Keys::range(1, 1, 1), POPS), (Keys::range(2, 2, 1), "RW insert")];
const PUSH_COST: &str = "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.";

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("lpush", -3, GROW.or(Flags::FAST), Keys::first(), lpush)
        .doc(Group::List, "1.0.0", PUSH_COST, "Prepend one or multiple elements to a list")
        .access("RW insert"),
    CommandSpec::new("rpush", -3, GROW.or(Flags::FAST), Keys::first(), rpush)
        .doc(Group::List, "1.0.0", PUSH_COST, "Append one or multiple elements to a list")
        .access("RW insert"),
    CommandSpec::new("lpushx", -3, GROW.or(Flags::FAST), Keys::first(), lpushx)
        .doc(Group::List, "2.2.0", PUSH_COST, "Prepend an element to a list, only if the list exists")
        .access("RW insert"),
    CommandSpec::new("rpushx", -3, GROW.or(Flags::FAST), Keys::first(), rpushx)
        .doc(Group::List, "2.2.0", PUSH_COST, "Append an element to a list, only if the list exists")
        .access("RW insert"),
    CommandSpec::new("lpop", -2, TAKE.or(Flags::FAST), Keys::first(), lpop)
        .doc(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements returned",
            "Remove and get the first elements in a list",
        )
        .access(POPS),
    CommandSpec::new("rpop", -2, TAKE.or(Flags::FAST), Keys::first(), rpop)
        .doc(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements returned",
            "Remove and get the last elements in a list",
        )
        .access(POPS),
    CommandSpec::new("llen", 2, READ.or(Flags::FAST), Keys::first(), llen)
        .doc(Group::List, "1.0.0", "O(1)", "Get the length of a list")
        .access("RO"),
    CommandSpec::new("lrange", 4, READ, Keys::first(), lrange).doc(
        Group::List,
        "1.0.0",
        "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) \
         for large lists; and N is the number of elements in the specified range.",
        "Get a range of elements from a list",
    ),
    CommandSpec::new("lindex", 3, READ, Keys::first(), lindex).doc(
        Group::List,
        "1.0.0",
        "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the \
         first or the last element of the list O(1).",
        "Get an element from a list by its index",
    ),
    CommandSpec::new("lset", 4, GROW, Keys::first(), lset)
        .doc(
            Group::List,
            "1.0.0",
            "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
            "Set the value of an element in a list by its index",
        )
        .access("RW update"),
    CommandSpec::new("linsert", 5, GROW, Keys::first(), linsert)
        .doc(
            Group::List,
            "2.2.0",
            "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
             inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere \
             on the right end (tail) is O(N).",
            "Insert an element before or after another element in a list",
        )
        .access("RW insert"),
    CommandSpec::new("lrem", 4, TAKE, Keys::first(), lrem)
        .doc(
            Group::List,
            "1.0.0",
            "O(N+M) where N is the length of the list and M is the number of elements removed.",
            "Remove elements from a list",
        )
        .access("RW delete"),
    CommandSpec::new("ltrim", 4, TAKE, Keys::first(), ltrim)
        .doc(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements to be removed by the operation.",
            "Trim a list to the specified range",
        )
        .access("RW delete"),
    CommandSpec::new("lpos", -3, READ, Keys::first(), lpos).doc(
        Group::List,
        "6.0.6",
        "O(N) where N is the number of elements in the list, for the average case. When searching for elements near \
         the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant \
         time.",
        "Return the index of matching elements on a list",
    ),
    CommandSpec::new("lmove", 5, GROW, Keys::range(1, 2, 1), lmove)
        .doc(
            Group::List,
            "6.2.0",
            "O(1)",
            "Pop an element from a list, push it to another list and return it",
        )
        .access_each(MOVES),
    CommandSpec::new("rpoplpush", 3, GROW, Keys::range(1, 2, 1), rpoplpush)
        .doc(
            Group::List,
            "1.2.0",
            "O(1)",
            "Remove the last element in a list, prepend it to another list and return it",
        )
        .access_each(MOVES),
    CommandSpec::new("lmpop", -4, TAKE.or(Flags::MOVABLE_KEYS), Keys::counted(1), lmpop)
        .doc(
            Group::List,
            "7.0.0",
            "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
            "Pop elements from a list",
        )
        .access(POPS),
    CommandSpec::new("blpop", -3, TAKE.or(WAIT), Keys::range(1, -2, 1), blocking::blpop)
        .doc(
            Group::List,
            "2.0.0",
            "O(N) where N is the number of provided keys.",
            "Remove and get the first element in a list, or block until one is available",
        )
        .access(POPS),
    CommandSpec::new("brpop", -3, TAKE.or(WAIT), Keys::range(1, -2, 1), blocking::brpop)
        .doc(
            Group::List,
            "2.0.0",
            "O(N) where N is the number of provided keys.",
            "Remove and get the last element in a list, or block until one is available",
        )
        .access(POPS),
    CommandSpec::new("blmove", 6, GROW.or(WAIT), Keys::range(1, 2, 1), blocking::blmove)
        .doc(
            Group::List,
            "6.2.0",
            "O(1)",
            "Pop an element from a list, push it to another list and return it; or block until one is available",
        )
        .access_each(MOVES),
    CommandSpec::new("brpoplpush", 4, GROW.or(WAIT), Keys::range(1, 2, 1), blocking::brpoplpush)
        .doc(
            Group::List,
            "2.2.0",
            "O(1)",
            "Pop an element from a list, push it to another list and return it; or block until one is available",
        )
        .access_each(MOVES),
    CommandSpec::new(
        "blmpop",
        -5,
        TAKE.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS),
        Keys::counted(2),
        blocking::blmpop,
    )
    .doc(
        Group::List,
        "7.0.0",
        "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        "Pop elements from a list, or block until one is available",
    )
    .access(POPS),
];

/// Counts the key that was just read as looked for.
fn looked_for(cx: &mut Context<'_>, key: &[u8]) {
    let found = cx.tx.was_found();
    cx.looked_for(key, found);
}

/// What Redis calls a push and a pop at an end.
fn event_names(end: End) -> (&'static str, &'static str) {
    match end {
        End::Left => ("lpush", "lpop"),
        End::Right => ("rpush", "rpop"),
    }
}

/// Tells of elements that were taken out of a list, which may have been its last.
fn told_of_taken(cx: &mut Context<'_>, name: &'static str, key: &[u8]) -> Result<(), CommandError> {
    cx.event(Class::List, name, key);
    cx.event_if_gone(key)
}

fn push(cx: &mut Context<'_>, mut args: Args<'_>, end: End) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let len = cx.tx.list_push(cx.db, key, end, args.rest())?;
    cx.event(Class::List, event_names(end).0, key);
    Ok(Reply::from(len))
}

fn push_if_there(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Result<Reply, CommandError> {
    match cx.tx.list_len(cx.db, args.clone().key()?)? {
        0 => Ok(Reply::Int(0)),
        _ => push(cx, args, end),
    }
}

/// `LPUSH key element [element ...]`: replies with the list's length.
fn lpush(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push(cx, args, End::Left)
}

/// `RPUSH key element [element ...]`
fn rpush(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push(cx, args, End::Right)
}

/// `LPUSHX key element [element ...]`: replies 0 if there is no list.
fn lpushx(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push_if_there(cx, args, End::Left)
}

/// `RPUSHX key element [element ...]`
fn rpushx(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    push_if_there(cx, args, End::Right)
}

fn pop(
    cx: &mut Context<'_>,
    mut args: Args<'_>,
    end: End,
    name: &str,
) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.is_empty() {
        return Ok(Reply::from(pop_one(cx, key, end)?));
    }
    if args.len() > 1 {
        return Err(CommandError::arity(name));
    }
    let count = parse_int(args.next()?).and_then(|count| u64::try_from(count).ok());
    let count = count.ok_or(CommandError::text("ERR value is out of range, must be positive"))?;
    let there = cx.tx.list_len(cx.db, key)? > 0;
    let popped = cx.tx.list_pop_many(cx.db, key, end, count)?;
    if !popped.is_empty() {
        told_of_taken(cx, event_names(end).1, key)?;
    }
    Ok(if there { array(popped) } else { Reply::NullArray })
}

fn array(elements: Vec<Bytes>) -> Reply {
    Reply::Array(elements.into_iter().map(Reply::Bulk).collect())
}

/// `LPOP key [count]`
fn lpop(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, End::Left, "lpop")
}

/// `RPOP key [count]`
fn rpop(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, End::Right, "rpop")
}

/// `LLEN key`
fn llen(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let len = cx.tx.list_len(cx.db, key)?;
    looked_for(cx, key);
    Ok(Reply::from(len))
}

/// `LRANGE key start stop`
fn lrange(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, start, stop) = (args.key()?, args.int()?, args.int()?);
    let mut elements = Vec::new();
    cx.tx.list_walk(cx.db, key, start, stop, &mut |element| {
        elements.push(Bytes::copy_from_slice(element));
        ControlFlow::Continue(())
    })?;
    looked_for(cx, key);
    Ok(array(elements))
}

/// `LINDEX key index`
fn lindex(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let there = cx.tx.list_len(cx.db, key)? > 0;
    looked_for(cx, key);
    if !there {
        return Ok(Reply::Null);
    }
    Ok(Reply::from(cx.tx.list_get(cx.db, key, args.int()?)?))
}

/// `LSET key index element`
fn lset(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if cx.tx.list_len(cx.db, key)? == 0 {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let (index, element) = (args.int()?, args.next()?);
    cx.tx.list_set(cx.db, key, index, element)?;
    cx.event(Class::List, "lset", key);
    Ok(Reply::OK)
}

/// `LINSERT key BEFORE|AFTER pivot element`: replies with the length, 0 without a list, -1 without the pivot.
fn linsert(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let end = if args.keyword("BEFORE") {
        End::Left
    } else if args.keyword("AFTER") {
        End::Right
    } else {
        return Err(CommandError::SYNTAX);
    };
    let (pivot, element) = (args.next()?, args.next()?);
    Ok(match cx.tx.list_insert(cx.db, key, end, pivot, element)? {
        Inserted::NoList => Reply::Int(0),
        Inserted::NoPivot => Reply::Int(-1),
        Inserted::Length(len) => {
            cx.event(Class::List, "linsert", key);
            Reply::from(len)
        }
    })
}

/// `LREM key count element`: a negative count begins at the right; 0 takes all.
fn lrem(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, count, element) = (args.key()?, args.int()?, args.next()?);
    let end = if count < 0 { End::Right } else { End::Left };
    let count = if count == 0 { u64::MAX } else { count.unsigned_abs() };
    let taken = cx.tx.list_remove(cx.db, key, end, count, element)?;
    if taken > 0 {
        told_of_taken(cx, "lrem", key)?;
    }
    Ok(Reply::from(taken))
}

/// `LTRIM key start stop`
fn ltrim(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, start, stop) = (args.key()?, args.int()?, args.int()?);
    // Redis tells of one that took nothing, too.
    let there = cx.tx.list_len(cx.db, key)? > 0;
    cx.tx.list_trim(cx.db, key, start, stop)?;
    if there {
        told_of_taken(cx, "ltrim", key)?;
    }
    Ok(Reply::OK)
}

/// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`
fn lpos(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, element) = (args.key()?, args.next()?);
    let (mut rank, mut count, mut compare) = (1, None, 0);
    let not_negative = |arg: &[u8]| parse_int(arg).and_then(|n| u64::try_from(n).ok());
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(CommandError::SYNTAX);
        } else if args.keyword("RANK") {
            rank = args.int()?;
            if rank == 0 {
                return Err(CommandError::text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                     negative to start from the end of the list",
                ));
            }
        } else if args.keyword("COUNT") {
            let text = CommandError::text("ERR COUNT can't be negative");
            count = Some(not_negative(args.next()?).ok_or(text)?);
        } else if args.keyword("MAXLEN") {
            let text = CommandError::text("ERR MAXLEN can't be negative");
            compare = not_negative(args.next()?).ok_or(text)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let or_all = |n: u64| if n == 0 { u64::MAX } else { n };
    let search = Search {
        // The least number has no opposite: to Redis it passes over nothing.
        skip: if rank == i64::MIN { 0 } else { rank.unsigned_abs() - 1 },
        from: if rank < 0 { End::Right } else { End::Left },
        count: count.map_or(1, or_all),
        compare: or_all(compare),
    };
    let found = cx.tx.list_positions(cx.db, key, element, search)?;
    looked_for(cx, key);
    Ok(match count {
        None => found.first().map_or(Reply::Null, |index| Reply::from(*index)),
        Some(_) => Reply::Array(found.into_iter().map(Reply::from).collect()),
    })
}

/// The next argument, which is `LEFT` or `RIGHT`.
fn end(args: &mut Args<'_>) -> Result<End, CommandError> {
    if args.keyword("LEFT") {
        Ok(End::Left)
    } else if args.keyword("RIGHT") {
        Ok(End::Right)
    } else {
        Err(CommandError::SYNTAX)
    }
}

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`
fn lmove(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    let (from_end, to_end) = (end(&mut args)?, end(&mut args)?);
    Ok(Reply::from(move_one(cx, (from, from_end), (to, to_end))?))
}

/// `RPOPLPUSH source destination`
fn rpoplpush(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (from, to) = (args.key()?, args.key()?);
    Ok(Reply::from(move_one(cx, (from, End::Right), (to, End::Left))?))
}

/// Takes one element of a list.
fn pop_one(cx: &mut Context<'_>, key: &[u8], end: End) -> Result<Option<Bytes>, CommandError> {
    let popped = cx.tx.list_pop(cx.db, key, end)?;
    if popped.is_some() {
        told_of_taken(cx, event_names(end).1, key)?;
    }
    Ok(popped)
}

/// Moves one element from an end of a list to one of another.
fn move_one(
    cx: &mut Context<'_>,
    from: (&[u8], End),
    to: (&[u8], End),
) -> Result<Option<Bytes>, CommandError> {
    let moved = cx.tx.list_move(cx.db, from, to)?;
    if moved.is_some() {
        // In the order in which Redis does it.
        cx.event(Class::List, event_names(to.1).0, to.0);
        told_of_taken(cx, event_names(from.1).1, from.0)?;
    }
    Ok(moved)
}

/// What `LMPOP` and `BLMPOP` are told after the timeout.
struct Pops<'a> {
    keys: Vec<&'a [u8]>,
    end: End,
    count: u64,
}

impl<'a> Pops<'a> {
    /// `numkeys key [key ...] LEFT|RIGHT [COUNT count]`
    fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let above_0 = |arg: &[u8]| parse_int(arg).filter(|n| *n > 0).map(|n| n as u64);
        let text = CommandError::text("ERR numkeys should be greater than 0");
        let count = above_0(args.next()?).ok_or(text)?;
        if count >= args.len() as u64 {
            return Err(CommandError::SYNTAX);
        }
        let mut pops = Pops { keys: Vec::new(), end: End::Left, count: 1 };
        for _ in 0..count {
            pops.keys.push(args.key()?);
        }
        pops.end = end(&mut args)?;
        if args.len() >= 2 && args.keyword("COUNT") {
            let text = CommandError::text("ERR count should be greater than 0");
            pops.count = above_0(args.next()?).ok_or(text)?;
        }
        if args.is_empty() { Ok(pops) } else { Err(CommandError::SYNTAX) }
    }
}

/// Takes up to `count` elements of a list; the key and them, or `None` if it is missing.
fn pop_many(
    cx: &mut Context<'_>,
    key: &[u8],
    end: End,
    count: u64,
) -> Result<Option<Reply>, CommandError> {
    let popped = cx.tx.list_pop_many(cx.db, key, end, count)?;
    if !popped.is_empty() {
        told_of_taken(cx, event_names(end).1, key)?;
    }
    let key = Reply::Bulk(Bytes::copy_from_slice(key));
    Ok((!popped.is_empty()).then(|| Reply::Array(vec![key, array(popped)])))
}

/// `LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]`
fn lmpop(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let pops = Pops::parse(args)?;
    for key in pops.keys {
        if let Some(reply) = pop_many(cx, key, pops.end, pops.count)? {
            return Ok(reply);
        }
    }
    Ok(Reply::NullArray)
}
