//! HyperLogLogs: how many different elements there were, about.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use resp::Reply;

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new(
        "pfadd",
        -2,
        Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        Keys::first(),
        pf_add,
    )
    .doc(
        Group::HyperLogLog,
        "2.8.9",
        "O(1) to add every element.",
        "Adds the specified elements to the specified HyperLogLog.",
    )
    .access("RW insert"),
    CommandSpec::new(
        "pfcount",
        -2,
        Flags::READONLY.or(Flags::MAY_REPLICATE),
        Keys::range(1, -1, 1),
        pf_count,
    )
    .doc(
        Group::HyperLogLog,
        "2.8.9",
        "O(1) with a very small average constant time when called with a single key. O(N) with N being \
         the number of keys, and much bigger constant times, when called with multiple keys.",
        "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
    )
    .access("RW access")
    .note("RW because it may change the internal representation of the key, and propagate to replicas"),
    CommandSpec::new(
        "pfmerge",
        -2,
        Flags::WRITE.or(Flags::DENYOOM),
        Keys::range(1, -1, 1),
        pf_merge,
    )
    .doc(
        Group::HyperLogLog,
        "2.8.9",
        "O(N) to merge N HyperLogLogs, but with high constant times.",
        "Merge N different HyperLogLogs into a single one.",
    )
    .access_each(&[(Keys::first(), "RW access insert"), (Keys::range(2, -1, 1), "RO access")]),
    CommandSpec::new(
        "pfdebug",
        3,
        Flags::WRITE.or(Flags::DENYOOM).or(Flags::ADMIN),
        Keys::range(2, 2, 1),
        pf_debug,
    )
    .doc(
        Group::HyperLogLog,
        "2.8.9",
        "N/A",
        "Internal commands for debugging HyperLogLog values",
    )
    .access("RW access"),
    CommandSpec::new("pfselftest", 1, Flags::ADMIN, Keys::none(), pf_self_test).doc(
        Group::HyperLogLog,
        "2.8.9",
        "N/A",
        "An internal command for testing HyperLogLog values",
    ),
];

/// `PFADD key [element …]`: replies 1 if the estimate may have changed, or the key was made.
fn pf_add(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    Ok(Reply::from(cx.tx.pf_add(cx.db, key, args.rest())?))
}

/// `PFCOUNT key [key …]`: of several together.
fn pf_count(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    for key in args.rest() {
        cx.looked_up_key(key, false)?;
    }
    Ok(Reply::from(cx.tx.pf_count(cx.db, args.rest())?))
}

/// `PFMERGE destination [source …]`
fn pf_merge(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let to = args.key()?;
    cx.tx.pf_merge(cx.db, to, args.rest())?;
    Ok(Reply::OK)
}

/// `PFDEBUG ENCODING|DECODE|TODENSE|GETREG key`
fn pf_debug(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let mut what = args;
    let subcommand = args.next()?;
    let key = args.key()?;
    let is_dense = cx
        .tx
        .pf_is_dense(cx.db, key)?
        .ok_or(CommandError::text("ERR The specified key does not exist"))?;
    if what.keyword("ENCODING") {
        return Ok(Reply::Status(if is_dense { "dense" } else { "sparse" }.into()));
    }
    if what.keyword("DECODE") {
        let described = cx.tx.pf_describe(cx.db, key)?;
        let described = described.ok_or(CommandError::text("ERR HLL encoding is not sparse"))?;
        return Ok(Reply::bulk(described));
    }
    if what.keyword("TODENSE") {
        return Ok(Reply::from(cx.tx.pf_make_dense(cx.db, key)? == Some(true)));
    }
    if what.keyword("GETREG") {
        cx.tx.pf_make_dense(cx.db, key)?;
        let registers = cx.tx.pf_registers(cx.db, key)?.unwrap_or_default();
        return Ok(Reply::Array(registers.into_iter().map(|r| Reply::Int(r.into())).collect()));
    }
    let subcommand = String::from_utf8_lossy(subcommand);
    Err(CommandError::new(format!("ERR Unknown PFDEBUG subcommand '{subcommand}'")))
}

/// `PFSELFTEST`: the tests of the program are elsewhere.
fn pf_self_test(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::OK)
}
