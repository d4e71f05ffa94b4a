//! The conversation with one client: read what is there, run every complete request in order, wait for
//! the one sync that covers them, write all replies with one write.

use crate::clients::{Client, Wish};
use crate::clock;
use crate::command::Executor;
use crate::pubsub::{Letter, Subscriptions};
use crate::session::Session;
use crate::shared::Shared;
use crate::stats::Figure;
use bitmap_store::{Bytes, Position};
use resp::{Decoder, Limits, Reply};
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a connection reads at once, and the memory it keeps while idle.
const INPUT_BYTES: usize = 16 << 10;
/// A client that keeps its input full is read in larger pieces, up to this.
const INPUT_MAX_BYTES: usize = 256 << 10;
/// Replies beyond this are written before another request is run.
const OUTPUT_BYTES: usize = 1 << 20;
/// Messages up to this are sent before requests are looked for again.
const MAIL_BYTES: usize = 1 << 20;
/// A message of at least so many bytes is not copied into the output buffer.
const LARGE_MESSAGE_BYTES: usize = 64 << 10;
/// An idle connection gives back an output buffer larger than this.
const OUTPUT_KEPT_BYTES: usize = 64 << 10;

/// One client's socket and buffers.
pub(super) struct Connection<S> {
    stream: S,
    server: Arc<Shared>,
    client: Arc<Client>,
    executor: Executor,
    decoder: Decoder,
    /// What was read; the first `consumed` bytes were run.
    input: Vec<u8>,
    consumed: usize,
    /// Replies that were not written yet.
    output: Vec<u8>,
    unsynced: Unsynced,
}

/// What an idle connection was woken for.
enum Woken {
    /// Requests have come.
    Input,
    /// Messages have come.
    Mail,
    /// The client has gone, or is to go.
    End,
}

/// What the replies in the output are waiting for.
#[derive(Default)]
struct Unsynced {
    /// None of them may be sent before the log is durable up to here: a client does not see what a crash
    /// could take back.
    position: Option<Position>,
    /// Those that say that something was written.
    writes: Vec<Range<usize>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, client: Arc<Client>, server: Arc<Shared>) -> Self {
        let session = Session::new(Arc::clone(&client));
        let limits = Limits {
            max_request: server.settings.query_buffer_bytes().min(u32::MAX as usize),
            ..Limits::default()
        };
        Connection {
            stream,
            executor: Executor::new(session, Arc::clone(&server), clock::seed()),
            server,
            client,
            decoder: Decoder::new(limits),
            input: Vec::new(),
            consumed: 0,
            output: Vec::new(),
            unsynced: Unsynced::default(),
        }
    }

    /// Serves the client until either side has enough.
    pub(super) async fn run(mut self) {
        let end = self.converse().await;
        let id = self.client.id;
        match end {
            Ok(()) => tracing::debug!(id, "client disconnected"),
            Err(error) => tracing::debug!(id, %error, "client disconnected"),
        }
    }

    async fn converse(&mut self) -> io::Result<()> {
        while self.client.wished() == Wish::Run {
            match self.read().await? {
                Woken::Input => {}
                Woken::Mail => {
                    self.send_mail().await?;
                    continue;
                }
                Woken::End => break,
            }
            self.run_requests().await?;
            self.flush().await?;
            self.send_mail().await?;
            let waiting = self.input.len() - self.consumed;
            self.executor.end_batch(waiting, self.output.capacity());
            if self.executor.session.close {
                return self.stream.shutdown().await;
            }
        }
        Ok(())
    }

    /// Reads once, unless there is something else to do.
    async fn read(&mut self) -> io::Result<Woken> {
        self.make_room();
        let (stream, input, client) = (&mut self.stream, &mut self.input, &self.client);
        let subscriptions = self.executor.session.subscriptions.as_deref();
        let mut read = pin!(stream.read_buf(input));
        let count = poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(count) => Poll::Ready(count.map(Some)),
            Poll::Pending if client.poll_wish(cx) != Wish::Run => Poll::Ready(Ok(Some(0))),
            // Looked for after the waker was registered: a message left before that woke nobody.
            Poll::Pending if subscriptions.is_some_and(Subscriptions::has_mail) => {
                Poll::Ready(Ok(None))
            }
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let Some(count) = count else { return Ok(Woken::Mail) };
        self.server.stats.add(Figure::InputBytes, count as u64);
        Ok(if count == 0 { Woken::End } else { Woken::Input })
    }

    /// Sends messages that were published for the client, up to a bound, once what they tell of is durable.
    /// No reply is unfinished meanwhile.
    async fn send_mail(&mut self) -> io::Result<()> {
        let Some(subscriptions) = &self.executor.session.subscriptions else { return Ok(()) };
        let mut letters = subscriptions.mailbox().take(MAIL_BYTES);
        if letters.is_empty() {
            return Ok(());
        }
        let keyspace = &self.server.keyspace;
        let newest = letters.iter().map(Letter::position).max().unwrap_or_default();
        if !keyspace.is_durable(newest) {
            gather_more_into_this_sync().await;
            if keyspace.durable(newest).await.is_err() {
                // What may never have happened is not told of.
                letters.retain(|letter| keyspace.is_durable(letter.position()));
            }
        }
        for letter in letters {
            if letter.rest().len() < LARGE_MESSAGE_BYTES {
                letter.write(&mut self.output);
            } else {
                self.output.push(letter.mark());
                self.flush().await?;
                self.write(letter.rest()).await?;
            }
        }
        self.flush().await
    }

    /// Moves an unfinished request to the front and makes room for what is to come: as much as it is
    /// known to need, but never much more than the client has sent so far.
    fn make_room(&mut self) {
        let was_full = self.input.len() == self.input.capacity();
        self.input.drain(..self.consumed);
        self.consumed = 0;
        let have = self.input.len();
        if have == 0 && !was_full && self.input.capacity() > INPUT_MAX_BYTES {
            self.input = Vec::new();
        }
        let missing = self.decoder.wanted().saturating_sub(have);
        let step = if was_full { self.input.capacity().min(INPUT_MAX_BYTES) } else { 0 };
        let room = missing.min(have.max(INPUT_BYTES)).max(step).max(INPUT_BYTES / 4);
        if self.input.capacity() - have < room {
            self.input.reserve_exact(room.max(INPUT_BYTES));
        }
    }

    async fn run_requests(&mut self) -> io::Result<()> {
        self.executor.begin_batch();
        while !self.executor.session.close {
            let input = &self.input[self.consumed..];
            let taken = match self.decoder.decode(input) {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                Err(error) => {
                    let reply = Reply::Error(format!("ERR {error}").into());
                    reply.encode(self.executor.session.protocol, &mut self.output);
                    self.executor.session.close = true;
                    break;
                }
            };
            let start = self.output.len();
            let request = self.decoder.args(input);
            let outcome = self.executor.execute(request, &mut self.output);
            self.consumed += taken;
            if !self.server.keyspace.is_durable(outcome.position) {
                self.unsynced.add(outcome.position, start..self.output.len(), outcome.wrote);
            }
            if let Some(body) = outcome.large {
                self.write_large(body).await?;
            }
            if let Some(delay) = self.executor.session.delay.take() {
                pause(&self.client, delay).await;
                self.executor.begin_batch();
            }
            if self.output.len() >= OUTPUT_BYTES {
                self.flush().await?;
                self.executor.begin_batch();
            }
        }
        Ok(())
    }

    /// Waits until what was run is as durable as configured, then writes the replies.
    async fn flush(&mut self) -> io::Result<()> {
        self.wait_durable().await;
        if !self.output.is_empty() {
            let output = std::mem::take(&mut self.output);
            let written = self.write(&output).await;
            self.output = output;
            self.output.clear();
            if self.output.capacity() > OUTPUT_KEPT_BYTES {
                self.output = Vec::new();
            }
            written?;
        }
        Ok(())
    }

    /// Writes what is pending, then a body whose header ends it, without copying the body.
    async fn write_large(&mut self, body: Bytes) -> io::Result<()> {
        let server = Arc::clone(&self.server);
        let header = self.output.iter().rposition(|byte| *byte == b'$').unwrap_or(0);
        let held = server.large_replies.hold(body.len(), &server.settings);
        if held.is_err() {
            // What was answered before is still sent.
            self.output.truncate(header);
            self.unsynced.writes.retain(|reply| reply.end <= header);
        }
        let end = self.output.len();
        let is_write = self.unsynced.writes.last().is_some_and(|reply| reply.end == end);
        let durable = self.wait_durable().await;
        self.flush().await?;
        let _held = held?;
        // The header of a write's reply has become an error if the sync failed.
        if durable || !is_write {
            self.write(&body).await?;
            self.output.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (stream, client) = (&mut self.stream, &self.client);
        let mut write = pin!(stream.write_all(bytes));
        poll_fn(|cx| match write.as_mut().poll(cx) {
            Poll::Pending if client.poll_wish(cx) == Wish::Kill => {
                Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
            }
            polled => polled,
        })
        .await?;
        self.server.stats.add(Figure::OutputBytes, bytes.len() as u64);
        Ok(())
    }

    /// Waits for the sync that covers all replies; if it fails, those of writes become errors, and the
    /// answer is false.
    async fn wait_durable(&mut self) -> bool {
        let Some(position) = self.unsynced.position.take() else {
            return true;
        };
        gather_more_into_this_sync().await;
        let durable = self.server.keyspace.durable(position).await;
        if let Err(cause) = &durable {
            tracing::error!(%cause, "writes could not be made durable");
            let error = crate::command::CommandError::not_durable(cause);
            self.server.trouble.note(&error, clock::now());
            let reply = Reply::Error(error.0);
            self.unsynced.replace(&reply, self.executor.session.protocol, &mut self.output);
        }
        self.unsynced.writes.clear();
        durable.is_ok()
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.executor.session.unsubscribe(&self.server.pubsub);
        self.server.clients.remove(self.client.id);
    }
}

/// Does nothing for so long, or until the client is to be closed.
async fn pause(client: &Client, delay: Duration) {
    let mut sleep = pin!(tokio::time::sleep(delay));
    poll_fn(|cx| match sleep.as_mut().poll(cx) {
        Poll::Pending if client.poll_wish(cx) != Wish::Run => Poll::Ready(()),
        polled => polled,
    })
    .await;
}

/// Lets the other connections that have input run their requests first: one sync, or one write to the
/// log, then covers them all.
async fn gather_more_into_this_sync() {
    tokio::task::yield_now().await;
}

impl Unsynced {
    fn add(&mut self, position: Position, reply: Range<usize>, wrote: bool) {
        self.position = self.position.max(Some(position));
        if wrote {
            self.writes.push(reply);
        }
    }

    /// Puts `error` in the place of every reply to a write.
    fn replace(&self, error: &Reply, protocol: resp::Protocol, output: &mut Vec<u8>) {
        let old = std::mem::take(output);
        let mut end = 0;
        for reply in &self.writes {
            output.extend_from_slice(&old[end..reply.start]);
            // A reply that was not wanted (`CLIENT REPLY OFF`) is not wanted as an error either.
            if !reply.is_empty() {
                error.encode(protocol, output);
            }
            end = reply.end;
        }
        output.extend_from_slice(&old[end..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_turns_the_replies_of_writes_into_errors_and_no_others() {
        let mut output = b"+PONG\r\n:1\r\n:2\r\n$1\r\na\r\n:3\r\n".to_vec();
        let unsynced = Unsynced { position: None, writes: vec![7..11, 11..15, 22..22, 22..26] };
        let error = Reply::Error("MISCONF no".into());
        unsynced.replace(&error, resp::Protocol::Resp2, &mut output);
        let expected = b"+PONG\r\n-MISCONF no\r\n-MISCONF no\r\n$1\r\na\r\n-MISCONF no\r\n";
        assert_eq!(output, expected);
    }
}
