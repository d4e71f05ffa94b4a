//! Transactions: MULTI … EXEC, and watching keys meanwhile.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use resp::Reply;

const CONTROL: Flags =
    Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::ALLOW_BUSY);

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("multi", 1, CONTROL.or(Flags::MULTI_OK), Keys::none(), multi).doc(
        Group::Transactions,
        "1.2.0",
        "O(1)",
        "Mark the start of a transaction block",
    ),
    CommandSpec::new(
        "exec",
        1,
        Flags::NOSCRIPT
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::SKIP_SLOWLOG)
            .or(Flags::MULTI_OK),
        Keys::none(),
        exec,
    )
    .doc(
        Group::Transactions,
        "1.2.0",
        "Depends on commands in the transaction",
        "Execute all commands issued after MULTI",
    ),
    CommandSpec::new("discard", 1, CONTROL.or(Flags::MULTI_OK), Keys::none(), discard).doc(
        Group::Transactions,
        "2.0.0",
        "O(N), when N is the number of queued commands",
        "Discard all commands issued after MULTI",
    ),
    CommandSpec::new(
        "watch",
        -2,
        CONTROL.or(Flags::MULTI_OK).or(Flags::UNLOCKED),
        Keys::range(1, -1, 1),
        watch,
    )
    .doc(
        Group::Transactions,
        "2.2.0",
        "O(1) for every key.",
        "Watch the given keys to determine execution of the MULTI/EXEC block",
    )
    .access("RO"),
    CommandSpec::new("unwatch", 1, CONTROL, Keys::none(), unwatch).doc(
        Group::Transactions,
        "2.2.0",
        "O(1)",
        "Forget about all watched keys",
    ),
];

/// `MULTI`: from now on commands are queued.
fn multi(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    if !cx.session.queue.open() {
        return Err(CommandError::text("ERR MULTI calls can not be nested"));
    }
    Ok(Reply::OK)
}

/// `EXEC` outside of a transaction; inside of one, the executor runs it.
fn exec(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Err(CommandError::text("ERR EXEC without MULTI"))
}

/// `DISCARD`: forgets the queue and the watched keys.
fn discard(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    if !cx.session.queue.is_open() {
        return Err(CommandError::text("ERR DISCARD without MULTI"));
    }
    cx.session.queue.close();
    cx.session.unwatch();
    Ok(Reply::OK)
}

/// `WATCH key …`: the next `EXEC` does nothing if one of them has changed by then.
fn watch(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    if cx.session.queue.is_open() {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
    }
    for key in args.rest() {
        if cx.session.is_watching(cx.db, key) {
            continue;
        }
        let flag = cx.session.touched_flag();
        let registration = cx.server.keyspace.watch(cx.db, key, flag, cx.now)?;
        cx.session.watch(cx.db, key, registration);
    }
    Ok(Reply::OK)
}

/// `UNWATCH`: forgets the watched keys.
fn unwatch(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.unwatch();
    Ok(Reply::OK)
}
