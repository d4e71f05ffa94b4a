//! Running a request: find its row, check it, queue it or lock its keys, call the handler, commit.
//!
//! Replies go straight into the connection's output buffer. The executor never waits: what must reach the
//! disk before the reply may be sent is returned as a position, and the connection waits for it.

use super::{Args, Command, CommandError, Context, Flags, Queue, Random, http, table};
use crate::clock::Clock;
use crate::events::Voice;
use crate::session::{Session, Watched};
use crate::shared::Shared;
use crate::stats::Tally;
use crate::waiting::{self, End};
use bitmap_store::{Bytes, DATABASES, Db, Error, MAX_KEY_BYTES, Position, Transaction, UnixMillis};
use resp::Reply;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A bulk reply of at least this many bytes is not copied into the output buffer.
const LARGE_BULK_BYTES: usize = 64 << 10;

/// Runs the requests of one connection.
pub(crate) struct Executor {
    pub session: Session,
    server: Arc<Shared>,
    random: Random,
    clock: Clock,
    tally: Tally,
}

/// What remains to be done after a request was run.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The log must be durable up to here before the reply is sent.
    pub position: Position,
    /// The reply says that something was written: should it not become durable, that would be a lie.
    pub wrote: bool,
    /// The body of a bulk reply whose header ends the output buffer; `\r\n` follows it.
    pub large: Option<Bytes>,
    /// The reply is one that is sent whatever the client wants (`CLIENT REPLY`), as messages are.
    pub pushed: bool,
}

impl Executor {
    pub(crate) fn new(session: Session, server: Arc<Shared>, seed: u64) -> Self {
        Executor {
            session,
            server,
            random: Random::from_seed(seed),
            clock: Clock::start(),
            tally: Tally::default(),
        }
    }

    /// Reads the time; call it when input has arrived.
    pub(crate) fn begin_batch(&mut self) {
        self.clock = Clock::start();
    }

    /// Publishes what was counted; call it before waiting for input.
    pub(crate) fn end_batch(&mut self, query_bytes: usize, output_bytes: usize) {
        self.tally.flush(&self.server.stats);
        self.session.lookups.flush(&self.server.stats);
        let now = self.clock.now();
        self.session.publish(now, query_bytes, output_bytes);
    }

    /// Runs `request` and appends its reply to `out`.
    pub(crate) fn execute(&mut self, request: resp::Args<'_>, out: &mut Vec<u8>) -> Outcome {
        if request.is_empty() {
            return Outcome::default();
        }
        let start = out.len();
        self.session.reply_mode.begin_command();
        let mut outcome = match table().resolve(request) {
            Ok(command) => self.route(command, request, out),
            Err(_) if http::is_http(request) => {
                http::warn(&self.server, &self.session.client, self.clock.now());
                self.session.close = true;
                Outcome::default()
            }
            Err(rejected) => {
                if let Some(command) = rejected.by {
                    self.server.stats.rejected(command.id);
                }
                let exec = rejected.by.is_some_and(|command| command.spec.name == "exec");
                let error = if exec {
                    self.session.queue.close();
                    self.session.unwatch();
                    rejected.error.aborted()
                } else {
                    self.session.queue.abort();
                    rejected.error
                };
                self.answer(Err(error), out)
            }
        };
        if self.session.reply_mode.end_command() && !outcome.pushed {
            out.truncate(start);
            outcome.large = None;
            if let Some(wait) = &mut self.session.wait {
                wait.unanswered = true;
            }
        }
        outcome
    }

    /// Appends the reply to a command that has waited.
    pub(crate) fn end_wait(&mut self, end: End, unanswered: bool, out: &mut Vec<u8>) -> Outcome {
        self.clock = Clock::start();
        let (reply, position, wrote) = match end {
            End::Served(reply, position) => (Ok(reply), position, true),
            End::TimedOut => (Ok(Reply::NullArray), Position::default(), false),
            End::Failed(error) => (Err(error), Position::default(), false),
        };
        let start = out.len();
        let mut outcome = Outcome { position, wrote, ..self.answer(reply, out) };
        if unanswered {
            out.truncate(start);
            outcome.large = None;
        }
        if !self.session.earlier.is_empty() {
            let mut earlier = Vec::new();
            for letter in self.session.earlier.drain(..) {
                outcome.position = outcome.position.max(letter.position());
                letter.write(&mut earlier);
            }
            out.splice(start..start, earlier);
        }
        outcome
    }

    fn route(
        &mut self,
        command: &'static Command,
        request: resp::Args<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        if let Err(error) = check_keys(command, request) {
            self.server.stats.rejected(command.id);
            self.session.queue.abort();
            return self.answer(Err(error), out);
        }
        let flags = command.spec.flags;
        if self.session.is_confined() && !flags.has(Flags::WHILE_SUBSCRIBED) {
            return self.refuse_confined(command, out);
        }
        if self.session.queue.is_open() {
            if command.spec.name == "exec" {
                return self.exec(command, out);
            }
            if !flags.has(Flags::MULTI_OK) {
                let reply = self.enqueue(command, request);
                return self.answer(reply, out);
            }
        }
        self.session.last_command = command.id;
        let ran = if command.spec.needs_everything(request)
            || flags.has(Flags::KEYSPACE_WIDE) && !flags.has(Flags::FAST)
        {
            // It may take long; the tasks waiting behind this one move to another thread.
            tokio::task::block_in_place(|| self.run(command, request))
        } else {
            self.run(command, request)
        };
        let nanos = self.clock.lap_nanos();
        self.tally.count(&self.server.stats, command.id, nanos);
        match ran {
            Ok((reply, position)) => {
                // A script may have written, and failed then.
                if let Reply::Error(text) = &reply {
                    self.server.stats.failed(command.id);
                    self.server.stats.error(text.split(' ').next().unwrap_or_default());
                }
                let wrote = may_write(flags);
                Outcome { position, wrote, ..self.answer(Ok(reply), out) }
            }
            Err(error) => {
                self.session.wait = None;
                self.server.stats.failed(command.id);
                self.answer(Err(error), out)
            }
        }
    }

    /// A client that is subscribed asks for something else, in RESP2.
    fn refuse_confined(&mut self, command: &'static Command, out: &mut Vec<u8>) -> Outcome {
        self.server.stats.rejected(command.id);
        let mut error = CommandError::new(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
             in this context",
            command.full_name
        ));
        if command.spec.name == "exec" {
            self.session.queue.close();
            self.session.unwatch();
            error = error.aborted();
        } else {
            self.session.queue.abort();
        }
        self.answer(Err(error), out)
    }

    /// Runs one command in a transaction of its own.
    fn run(
        &mut self,
        command: &'static Command,
        request: resp::Args<'_>,
    ) -> Result<(Reply, Position), CommandError> {
        let (db, now) = (self.session.db, self.clock.now());
        let server = &*self.server;
        let (session, random) = (&mut self.session, &mut self.random);
        let chance = random.clone();
        let mut everything = false;
        loop {
            let ran = guarded(command, || {
                let tx = match everything {
                    true => begin_everything(server, now)?,
                    false => begin(server, command, request, db, now)?,
                };
                let voice = Voice::default();
                let mut cx = Context { tx, db, now, session, server, random, voice };
                match (command.spec.handler)(&mut cx, Args::after(request, command.words)) {
                    Ok(reply) => Ok((reply, commit(cx)?)),
                    // It will run again, and tell then.
                    Err(error) if error == CommandError::ELSEWHERE => Err(error),
                    Err(error) => {
                        let voice = std::mem::take(&mut cx.voice);
                        drop(cx);
                        voice.speak_of_misses(server, now);
                        Err(error)
                    }
                }
            });
            if everything || !matches!(&ran, Err(error) if *error == CommandError::ELSEWHERE) {
                return ran;
            }
            // Nothing of it is left. With the same time and chance it does the same again, now with all keys.
            everything = true;
            random.clone_from(&chance);
        }
    }

    fn enqueue(
        &mut self,
        command: &'static Command,
        request: resp::Args<'_>,
    ) -> Result<Reply, CommandError> {
        let queue = &mut self.session.queue;
        let refused = if command.spec.flags.has(Flags::NO_MULTI) {
            "ERR Command not allowed inside a transaction"
        } else if queue.bytes() > self.server.settings.query_buffer_bytes()
            || !queue.push(command, request)
        {
            "ERR the transaction is larger than client-query-buffer-limit"
        } else {
            return Ok(Reply::QUEUED);
        };
        queue.abort();
        self.server.stats.rejected(command.id);
        Err(CommandError::text(refused))
    }

    /// `EXEC`: runs what was queued in one transaction, which is one batch in the log.
    fn exec(&mut self, exec: &'static Command, out: &mut Vec<u8>) -> Outcome {
        let mut queue = std::mem::take(&mut self.session.queue);
        self.session.last_command = exec.id;
        let start = out.len();
        let ran = self.run_queue(exec, &mut queue, out);
        let wrote = queue.writes();
        queue.close();
        self.session.queue = queue;
        self.session.unwatch();
        let nanos = self.clock.lap_nanos();
        self.tally.count(&self.server.stats, exec.id, nanos);
        match ran {
            Ok(position) => Outcome { position, wrote, ..Outcome::default() },
            Err(error) => {
                out.truncate(start);
                self.server.stats.failed(exec.id);
                self.answer(Err(error), out)
            }
        }
    }

    fn run_queue(
        &mut self,
        exec: &'static Command,
        queue: &mut Queue,
        out: &mut Vec<u8>,
    ) -> Result<Position, CommandError> {
        if queue.is_aborted() {
            return Err(CommandError::text(
                "EXECABORT Transaction discarded because of previous errors.",
            ));
        }
        let (db, now) = (self.session.db, self.clock.now());
        let server = &*self.server;
        let (session, random) = (&mut self.session, &mut self.random);
        let (clock, tally) = (&mut self.clock, &mut self.tally);
        guarded(exec, || {
            // Dropped after the transaction: unregistering takes the locks of the keys.
            let watched = session.take_watched();
            // The watched keys are locked too: else two transactions that each watch what the other
            // writes could both succeed.
            let tx = begin_all(server, queue, &watched, db, now)?;
            if watched.iter().any(|watched| watched.registration.is_dirty(now)) {
                Reply::NullArray.encode(session.protocol, out);
                return Ok(Position::default());
            }
            write_header(b'*', queue.len(), out);
            let mut cx = Context { tx, db, now, session, server, random, voice: Voice::default() };
            let (start, limit) = (out.len(), server.settings.output_buffer_bytes());
            // Bytes of replies that are not sent; what they answer is done all the same.
            let mut over_limit = 0;
            for (command, request) in queue.iter() {
                cx.db = cx.session.db;
                match (command.spec.handler)(&mut cx, Args::after(request, command.words)) {
                    Ok(reply) => {
                        let bytes = out.len() - start + reply.body_bytes();
                        if over_limit == 0 && bytes <= limit {
                            reply.encode(cx.session.protocol, out);
                        } else {
                            over_limit = over_limit.max(bytes);
                        }
                    }
                    Err(error) => {
                        server.stats.failed(command.id);
                        server.stats.error(error.code());
                        Reply::Error(error.0).encode(cx.session.protocol, out);
                    }
                }
                tally.count(&server.stats, command.id, clock.lap_nanos());
            }
            if over_limit > 0 {
                close_for(cx.session, over_limit);
            }
            commit(cx)
        })
    }

    /// Appends a reply; the body of a large one is left to the caller.
    fn answer(&mut self, reply: Result<Reply, CommandError>, out: &mut Vec<u8>) -> Outcome {
        let limit = self.server.settings.output_buffer_bytes();
        match reply {
            Ok(reply) if reply.body_bytes() > limit => {
                close_for(&mut self.session, reply.body_bytes());
                Outcome::default()
            }
            Ok(Reply::Bulk(body)) if body.len() >= LARGE_BULK_BYTES => {
                write_header(b'$', body.len(), out);
                Outcome { large: Some(body), ..Outcome::default() }
            }
            Ok(reply) => {
                reply.encode(self.session.protocol, out);
                let pushed = matches!(reply, Reply::Push(_) | Reply::Several(_));
                Outcome { pushed, ..Outcome::default() }
            }
            Err(error) => {
                self.server.stats.error(error.code());
                self.server.trouble.note(&error, self.clock.now());
                Reply::Error(error.0).encode(self.session.protocol, out);
                Outcome::default()
            }
        }
    }
}

/// Whether a command may change something: a script may, unless it says that it does not.
pub(super) fn may_write(flags: Flags) -> bool {
    flags.has(Flags::WRITE) || flags.has(Flags::SCRIPT) && !flags.has(Flags::READONLY)
}

/// Commits, and publishes what the commands had to say.
fn commit_and_speak(
    tx: Transaction<'_>,
    voice: Voice,
    server: &Shared,
    now: UnixMillis,
) -> Result<Position, Error> {
    match voice.is_silent() {
        true => tx.commit(),
        false => tx.commit_then(|position| voice.speak(server, position, now)),
    }
}

/// Commits what has been run, tells of it, and serves those who waited for it.
fn commit(mut cx: Context<'_>) -> Result<Position, CommandError> {
    let writes = cx.tx.is_dirty();
    let served = (writes && cx.server.waiting.any()).then(|| waiting::serve(&mut cx));
    if writes {
        cx.tell_of_expired(cx.server.settings.notify());
    }
    let Context { tx, db, now, session, server, random, voice } = cx;
    let position = commit_and_speak(tx, voice, server, now)?;
    if writes {
        server.trouble.is_over(now);
    }
    let mut left = served.map_or(Vec::new(), |served| served.tell(&server.waiting, position));
    while !left.is_empty() {
        let keys = server.waiting.reach(left.clone());
        let tx = server.keyspace.begin(keys.iter().map(|(db, key)| (*db, &**key)), now);
        let (session, random, voice) = (&mut *session, &mut *random, Voice::default());
        let mut cx = Context { tx, db, now, session, server, random, voice };
        let served = waiting::serve_elsewhere(&mut cx, left);
        match commit_and_speak(cx.tx, cx.voice, server, now) {
            Ok(position) => left = served.tell(&server.waiting, position),
            Err(error) => {
                tracing::error!(%error, "clients that wait for a key could not be served");
                break;
            }
        }
    }
    Ok(position)
}

/// Has a client closed whose replies would take so many bytes; what has been run stays, as in Redis.
fn close_for(session: &mut Session, bytes: usize) {
    let id = session.client.id;
    tracing::warn!(id, bytes, "closing a client: its replies exceed client-output-buffer-limit");
    session.close = true;
}

/// The line that begins an array or a bulk string.
fn write_header(kind: u8, len: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(len.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Locks the keys of a command.
fn begin<'s>(
    server: &'s Shared,
    command: &Command,
    request: resp::Args<'_>,
    db: Db,
    now: UnixMillis,
) -> Result<Transaction<'s>, CommandError> {
    let flags = command.spec.flags;
    if command.spec.needs_everything(request) {
        return begin_everything(server, now);
    }
    if flags.has(Flags::UNLOCKED) {
        return Ok(server.keyspace.begin([], now));
    }
    let keys = command.spec.key_positions(request).filter_map(|i| request.get(i));
    if flags.has(Flags::OTHER_DB) {
        let everywhere = keys.flat_map(|key| (0..DATABASES).map(move |db| (Db(db), key)));
        return begin_keys(server, everywhere, now);
    }
    begin_keys(server, keys.map(|key| (db, key)), now)
}

/// Locks the keys of all commands of a transaction, and those it watches.
fn begin_all<'s>(
    server: &'s Shared,
    queue: &Queue,
    watched: &[Watched],
    db: Db,
    now: UnixMillis,
) -> Result<Transaction<'s>, CommandError> {
    if queue.needs_everything() {
        return begin_everything(server, now);
    }
    let watched = watched.iter().map(|watched| (watched.db, &*watched.key));
    begin_keys(server, watched.chain(queue.keys(db)), now)
}

/// Locks these keys, unless a script keeps them for so long that others are not to wait.
fn begin_keys<'s, 'k>(
    server: &'s Shared,
    keys: impl IntoIterator<Item = (Db, &'k [u8])>,
    now: UnixMillis,
) -> Result<Transaction<'s>, CommandError> {
    let mut patience = || server.scripts.wait_a_little();
    server.keyspace.begin_while(keys, now, &mut patience).ok_or_else(|| server.scripts.busy_error())
}

/// Locks all keys, unless a script keeps some for so long that others are not to wait.
fn begin_everything(server: &Shared, now: UnixMillis) -> Result<Transaction<'_>, CommandError> {
    let mut patience = || server.scripts.wait_a_little();
    let begun = server.keyspace.begin_exclusive_while(now, &mut patience);
    begun.ok_or_else(|| server.scripts.busy_error())
}

/// Refuses what has a key that is too long.
pub(crate) fn check_keys(command: &Command, request: resp::Args<'_>) -> Result<(), CommandError> {
    let mut keys = command.spec.key_positions(request);
    if keys.any(|i| request.get(i).is_some_and(|key| key.len() > MAX_KEY_BYTES))
        && command.spec.access != "not_key"
    {
        return Err(CommandError::KEY_TOO_LONG);
    }
    Ok(())
}

/// Runs `work`; a panic in it becomes the answer to this command, and nothing of it is applied, since
/// its transaction is dropped while unwinding.
fn guarded<T>(
    command: &Command,
    work: impl FnOnce() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::error!(command = command.full_name, panic = what, "a command panicked");
        Err(CommandError::new(format!("ERR internal error: {what}")))
    })
}
