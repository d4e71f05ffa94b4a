//! Running a script or a function for a client.

use super::call::Caller;
use super::engine::{Engine, Script};
use super::sha1::{hex, parse, sha1};
use super::shebang::{self, Flags};
use crate::command::{CommandError, Context};
use resp::Reply;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const READ_ONLY: CommandError =
    CommandError::text("ERR Can not execute a script with write flag using *_ro command.");

/// Keys and arguments of a script.
#[derive(Clone, Copy)]
pub(crate) struct Input<'r> {
    pub request: resp::Args<'r>,
    /// Where in the request the first key is.
    pub first: usize,
    /// How many keys there are.
    pub keys: usize,
}

impl<'r> Input<'r> {
    fn keys(self) -> impl Iterator<Item = &'r [u8]> {
        self.request.skip(self.first).iter().take(self.keys).collect::<Vec<_>>().into_iter()
    }

    fn args(self) -> impl Iterator<Item = &'r [u8]> {
        self.request.skip(self.first + self.keys).iter().collect::<Vec<_>>().into_iter()
    }
}

/// `EVAL` and `EVAL_RO`. What the script has done before it failed stays, as in Redis: the error is in the reply.
///
/// # Errors
/// The script does not compile, or nothing of what it did is to be kept.
pub(crate) fn eval(
    cx: &mut Context<'_>,
    body: &[u8],
    input: Input<'_>,
    read_only: bool,
) -> Result<Reply, CommandError> {
    let digest = sha1(body);
    with_engine(cx, false, |cx, engine| {
        engine.at_epoch(cx.server.scripts.epoch.load(Ordering::Acquire));
        let script = match engine.compiled(&digest) {
            Some(script) => script,
            None => {
                let (text, flags) = shebang::script(body)?;
                let script = engine.compile(digest, text, flags)?;
                cx.server.scripts.keep(digest, body, false);
                script
            }
        };
        run(cx, engine, &script, &digest, input, read_only)
    })
}

/// `EVALSHA` and `EVALSHA_RO`.
///
/// # Errors
/// There is no such script; and as [`eval`].
pub(crate) fn eval_sha(
    cx: &mut Context<'_>,
    digest: &[u8],
    input: Input<'_>,
    read_only: bool,
) -> Result<Reply, CommandError> {
    const MISSING: CommandError =
        CommandError::text("NOSCRIPT No matching script. Please use EVAL.");
    let digest = parse(digest).ok_or(MISSING)?;
    with_engine(cx, false, |cx, engine| {
        engine.at_epoch(cx.server.scripts.epoch.load(Ordering::Acquire));
        let script = match engine.compiled(&digest) {
            Some(script) => script,
            None => {
                let source = cx.server.scripts.source(&digest).ok_or(MISSING)?;
                let (text, flags) = shebang::script(&source.body)?;
                engine.compile(digest, text, flags)?
            }
        };
        run(cx, engine, &script, &digest, input, read_only)
    })
}

fn run(
    cx: &mut Context<'_>,
    engine: &mut Engine,
    script: &Script,
    digest: &[u8; 20],
    input: Input<'_>,
    read_only: bool,
) -> Result<Reply, CommandError> {
    let says_so = script.flags.is_some_and(Flags::no_writes);
    if read_only && script.flags.is_some() && !says_so {
        return Err(READ_ONLY);
    }
    let seed = cx.random.next_u64();
    let mut caller = Caller::new(cx, Arc::clone(&engine.control), read_only || says_so);
    let name = hex(digest);
    let reply = engine.run_script(script, (&name, seed), input.keys(), input.args(), &mut caller);
    caller.take_failure().map_or(Ok(reply), Err)
}

/// `SCRIPT LOAD`: the script's digest.
///
/// # Errors
/// It does not compile.
pub(crate) fn load(cx: &mut Context<'_>, body: &[u8]) -> Result<String, CommandError> {
    let digest = sha1(body);
    with_engine(cx, false, |cx, engine| {
        let (text, flags) = shebang::script(body)?;
        engine.at_epoch(cx.server.scripts.epoch.load(Ordering::Acquire));
        engine.compile(digest, text, flags)?;
        cx.server.scripts.keep(digest, body, true);
        Ok(hex(&digest))
    })
}

/// `FCALL` and `FCALL_RO`; the function is known to be there.
///
/// # Errors
/// It is not there any more; and as [`eval`].
pub(crate) fn call_function(
    cx: &mut Context<'_>,
    name: &[u8],
    input: Input<'_>,
    read_only: bool,
) -> Result<Reply, CommandError> {
    with_engine(cx, true, |cx, engine| {
        cx.server.scripts.functions.bring_up_to_date(engine);
        let Some(function) = engine.functions.get(&name.to_ascii_lowercase()) else {
            return Err(CommandError::text("ERR Function not found"));
        };
        let (callback, says_so) = (function.callback.clone(), function.flags.no_writes());
        let shown = String::from_utf8_lossy(&function.name).into_owned();
        if read_only && !says_so {
            return Err(READ_ONLY);
        }
        engine.control.set_command(input.request.iter());
        let seed = cx.random.next_u64();
        let mut caller = Caller::new(cx, Arc::clone(&engine.control), says_so);
        let (keys, args) = (input.keys(), input.args());
        let reply = engine.run_function(&callback, (&shown, seed), keys, args, &mut caller);
        caller.take_failure().map_or(Ok(reply), Err)
    })
}

/// Does something with a state of Lua, which goes back to the pool if it is as good as before.
pub(super) fn with_engine<R>(
    cx: &mut Context<'_>,
    function: bool,
    work: impl FnOnce(&mut Context<'_>, &mut Engine) -> Result<R, CommandError>,
) -> Result<R, CommandError> {
    let server = cx.server;
    let mut borrowed = server.scripts.borrow(function)?;
    let done = work(cx, borrowed.engine());
    if borrowed.engine().is_healthy() {
        borrowed.give_back();
    }
    done
}
