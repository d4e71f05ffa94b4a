//! `redis.call`: running a command for a script, in the transaction of the command that runs the script.

use super::convert::with_argument;
use super::engine::Host;
use super::limits::Control;
use crate::command::{Args, Command, CommandError, Context, Flags, Lookup, check_keys, table};
use bitmap_store::{DATABASES, Db};
use mlua::MultiValue;
use resp::{Protocol, Reply, Requests};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Runs commands for a script.
pub(super) struct Caller<'c, 'a> {
    cx: &'c mut Context<'a>,
    control: Arc<Control>,
    read_only: bool,
    request: Requests,
    /// Why nothing of what the script does is to be kept; from then on it is told so.
    failed: Option<CommandError>,
    /// Of the session, as it was.
    before: (Protocol, Db),
}

impl<'c, 'a> Caller<'c, 'a> {
    pub(super) fn new(cx: &'c mut Context<'a>, control: Arc<Control>, read_only: bool) -> Self {
        let before = (cx.session.protocol, cx.session.db);
        cx.session.in_script = true;
        Caller { cx, control, read_only, request: Requests::default(), failed: None, before }
    }

    /// Why nothing of what the script did is to be kept.
    pub(super) fn take_failure(&mut self) -> Option<CommandError> {
        self.failed.take()
    }

    fn run(&mut self, resp3: bool) -> Result<Reply, CommandError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let request = self.request.get(0);
        let command = resolve(request)?;
        let flags = command.spec.flags;
        if flags.has(Flags::NOSCRIPT) {
            return Err(CommandError::text("ERR This Redis command is not allowed from script"));
        }
        if self.read_only && (flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE)) {
            return Err(CommandError::text(
                "ERR Write commands are not allowed from read-only scripts.",
            ));
        }
        check_keys(command, request)?;
        let cx = &mut *self.cx;
        cx.db = cx.session.db;
        cx.session.protocol = if resp3 { Protocol::Resp3 } else { Protocol::Resp2 };
        if !may_touch(cx, command, request) {
            // The script ends soon, and runs again.
            self.control.kill();
            self.failed = Some(CommandError::ELSEWHERE);
            return Err(CommandError::ELSEWHERE);
        }
        if flags.has(Flags::WRITE) {
            self.control.set_wrote();
        }
        let args = Args::after(request, command.words);
        let ran = catch_unwind(AssertUnwindSafe(|| (command.spec.handler)(cx, args)));
        cx.server.stats.called(command.id);
        match ran {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                cx.server.stats.failed(command.id);
                cx.server.stats.error(error.code());
                Err(error)
            }
            Err(panic) => {
                let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let what = what.or_else(|| panic.downcast_ref::<String>().cloned());
                let what = what.unwrap_or_default();
                tracing::error!(command = command.full_name, panic = what, "a command panicked");
                self.control.kill();
                let error = CommandError::new(format!("ERR internal error: {what}"));
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl Host for Caller<'_, '_> {
    fn call(&mut self, args: &MultiValue, resp3: bool) -> Reply {
        if args.is_empty() {
            return Reply::error(
                "ERR Please specify at least one argument for this redis lib call",
            );
        }
        self.request.clear();
        for arg in args {
            match with_argument(arg, |word| self.request.push_word(word)) {
                Some(true) => {}
                Some(false) => return Reply::error("ERR the command is longer than 4 GiB"),
                None => {
                    self.request = Requests::default();
                    return Reply::error(
                        "ERR Lua redis lib command arguments must be strings or integers",
                    );
                }
            }
        }
        self.request.end();
        self.run(resp3).unwrap_or_else(|error| Reply::Error(error.0))
    }
}

impl Drop for Caller<'_, '_> {
    fn drop(&mut self) {
        let session = &mut *self.cx.session;
        (session.protocol, session.db) = self.before;
        session.in_script = false;
        self.cx.db = session.db;
    }
}

fn resolve(request: resp::Args<'_>) -> Result<&'static Command, CommandError> {
    match table().lookup(request) {
        Lookup::Found(command) if command.spec.accepts(request.len()) => Ok(command),
        Lookup::Found(_) => {
            Err(CommandError::text("ERR Wrong number of args calling Redis command from script"))
        }
        Lookup::Unknown | Lookup::UnknownSubcommand(_) => {
            Err(CommandError::text("ERR Unknown Redis command called from script"))
        }
    }
}

/// Whether the transaction holds all that the command touches.
fn may_touch(cx: &Context<'_>, command: &Command, request: resp::Args<'_>) -> bool {
    let flags = command.spec.flags;
    if command.spec.needs_everything_among_others(request) {
        return cx.tx.holds_everything();
    }
    if flags.has(Flags::UNLOCKED) {
        return true;
    }
    let mut keys = command.spec.key_positions(request).filter_map(|i| request.get(i));
    if flags.has(Flags::OTHER_DB) {
        return keys.all(|key| (0..DATABASES).all(|db| cx.tx.holds(Db(db), key)));
    }
    keys.all(|key| cx.tx.holds(cx.db, key))
}
