//! The load: many connections from one thread, each with some requests under way.
//!
//! A connection writes its requests with one write, waits for all replies, and goes on with the next.
//! Replies are counted and none may be an error.

use super::request::Requests;
use crate::wire::shown;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How requests are sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    /// Requests of one connection that are under way at once.
    pub pipeline: usize,
}

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Seconds(f64),
    Requests(u64),
}

/// Nothing at all came back for so long: the server hangs.
const SILENCE: Duration = Duration::from_secs(60);

struct Client {
    stream: TcpStream,
    output: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    /// Replies that are still to come.
    missing: u64,
}

impl Load {
    /// Sends requests until it is enough; returns how many were answered per second.
    ///
    /// # Errors
    /// A reply was an error, or a connection broke.
    pub fn run(
        &self,
        addr: SocketAddr,
        requests: &mut Requests<'_>,
        until: Until,
    ) -> Result<f64, String> {
        self.drive(addr, requests, until).map_err(|e| format!("{addr}: {e}"))
    }

    fn drive(
        &self,
        addr: SocketAddr,
        requests: &mut Requests<'_>,
        until: Until,
    ) -> io::Result<f64> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(1024);
        let mut clients = Vec::new();
        for index in 0..self.connections {
            let stream = std::net::TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(index), interest)?;
            let (output, input) = (Vec::new(), Vec::new());
            clients.push(Client { stream, output, written: 0, input, missing: 0 });
        }
        let mut budget = match until {
            Until::Requests(count) => count,
            Until::Seconds(_) => u64::MAX,
        };
        let started = Instant::now();
        let mut answered = 0;
        let mut scratch = vec![0; 256 << 10];
        for client in &mut clients {
            self.fill(client, requests, &mut budget);
            client.write()?;
        }
        loop {
            poll.poll(&mut events, Some(SILENCE))?;
            if events.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in a minute"));
            }
            let elapsed = started.elapsed().as_secs_f64();
            if let Until::Seconds(seconds) = until
                && elapsed >= seconds
            {
                break;
            }
            for event in &events {
                let client = &mut clients[event.token().0];
                answered += client.read(&mut scratch)?;
                if client.missing == 0 {
                    self.fill(client, requests, &mut budget);
                }
                client.write()?;
            }
            if budget == 0 && clients.iter().all(|client| client.missing == 0) {
                break;
            }
        }
        let elapsed = started.elapsed().as_secs_f64();
        Ok(answered as f64 / f64::from(requests.replies) / elapsed)
    }

    fn fill(&self, client: &mut Client, requests: &mut Requests<'_>, budget: &mut u64) {
        let count = (self.pipeline as u64).min(*budget);
        *budget -= count;
        for _ in 0..count {
            (requests.make)(&mut client.output);
        }
        client.missing = count * u64::from(requests.replies);
    }
}

impl Client {
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there; returns the replies that are complete.
    fn read(&mut self, scratch: &mut [u8]) -> io::Result<u64> {
        let mut count = 0;
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.input.extend_from_slice(&scratch[..length]);
                    let mut at = 0;
                    while let Some(end) = reply(&self.input, at)? {
                        at = end;
                        count += 1;
                    }
                    self.input.drain(..at);
                    // A short read has emptied the socket; the next bytes raise an event.
                    if length < scratch.len() {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.missing = self.missing.checked_sub(count).ok_or_else(|| wrong("too many replies"))?;
        Ok(count)
    }
}

/// The end of the reply that begins at `at`, if it is complete. An error is an error.
fn reply(input: &[u8], at: usize) -> io::Result<Option<usize>> {
    let Some(length) = input[at..].iter().position(|&byte| byte == b'\n') else {
        return Ok(None);
    };
    let line = &input[at..at + length];
    let end = at + length + 1;
    let number = || {
        let text = std::str::from_utf8(&line[1..]).unwrap_or_default();
        text.trim_end().parse::<i64>().map_err(|_| wrong("a length that is no number"))
    };
    match line.first() {
        Some(b'+' | b':') => Ok(Some(end)),
        Some(b'$') => {
            let end = usize::try_from(number()?).map_or(end, |length| end + length + 2);
            Ok((input.len() >= end).then_some(end))
        }
        Some(b'*') => {
            let mut end = end;
            for _ in 0..number()?.max(0) {
                match reply(input, end)? {
                    Some(next) => end = next,
                    None => return Ok(None),
                }
            }
            Ok(Some(end))
        }
        _ => Err(wrong(&format!("it replied {}", shown(line)))),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_whole_and_errors_refused() {
        let whole = b"+OK\r\n*2\r\n:1\r\n$3\r\nabc\r\n$-1\r\n:5\r\n";
        for cut in 0..=whole.len() {
            let (mut at, mut count) = (0, 0);
            while let Some(end) = reply(&whole[..cut], at).unwrap() {
                at = end;
                count += 1;
            }
            let ends = [5, 22, 27, 31];
            assert_eq!(count, ends.iter().filter(|&&end| end <= cut).count(), "{cut}");
        }
        assert!(reply(b"-ERR no\r\n", 0).is_err());
        assert!(reply(b"*1\r\n-ERR no\r\n", 0).is_err());
    }
}
