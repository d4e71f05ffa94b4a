//! The least of the Redis protocol that is needed to talk to two servers and compare what they say.
//!
//! A reply is kept as the bytes it came in, beside its parsed form.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take for one reply.
const PATIENCE: Duration = Duration::from_secs(60);

/// A parsed reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A line: `+`, `-`, `:`, `_`, `#`, `,`, `(`, with its mark.
    Line(u8, Vec<u8>),
    /// A string with a length: `$`, `=`, `!`. None is the null of RESP2.
    Bulk(u8, Option<Vec<u8>>),
    /// Several replies: `*`, `~`, `>`, and `%` with keys and values in turn. None is the null array.
    Many(u8, Option<Vec<Value>>),
}

impl Value {
    pub fn error(&self) -> Option<&[u8]> {
        match self {
            Value::Line(b'-', text) | Value::Bulk(b'!', Some(text)) => Some(text),
            _ => None,
        }
    }

    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Line(b':', text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The bytes of a string, or the text of a line.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Line(_, text) | Value::Bulk(_, Some(text)) => Some(text),
            _ => None,
        }
    }

    pub fn many(&self) -> Option<&[Value]> {
        match self {
            Value::Many(_, values) => values.as_deref(),
            _ => None,
        }
    }

    /// What kind of reply it is, nested kinds not included.
    pub fn mark(&self) -> u8 {
        match self {
            Value::Line(mark, _) | Value::Bulk(mark, _) | Value::Many(mark, _) => *mark,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Line(mark, text) => write!(f, "{}{}", char::from(*mark), shown(text)),
            Value::Bulk(_, None) => f.write_str("$nil"),
            Value::Bulk(b'$', Some(text)) => write!(f, "\"{}\"", shown(text)),
            Value::Bulk(mark, Some(text)) => write!(f, "{}\"{}\"", char::from(*mark), shown(text)),
            Value::Many(_, None) => f.write_str("*nil"),
            Value::Many(mark, Some(values)) => {
                write!(f, "{}[", char::from(*mark))?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Bytes as a person reads them, long ones cut.
pub fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 160;
    let mut text = bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string();
    if bytes.len() > SHOWN {
        text.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    text
}

/// Appends a command to `out` as clients send it.
pub fn encode<A: AsRef<[u8]>>(args: &[A], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// A connection that waits for its replies.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
}

impl Connection {
    /// # Errors
    /// Nobody listens there.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, input: Vec::new(), start: 0 })
    }

    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// One reply, and the bytes it came in.
    ///
    /// # Errors
    /// The connection broke, nothing came in time, or what came is no reply.
    pub fn receive(&mut self) -> io::Result<(Value, Vec<u8>)> {
        let begin = self.start;
        let value = match self.value(0) {
            Ok(value) => value,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time"));
            }
            Err(e) => return Err(e),
        };
        let raw = self.input[begin..self.start].to_vec();
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
        Ok((value, raw))
    }

    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Value> {
        let mut request = Vec::new();
        encode(args, &mut request);
        self.send(&request)?;
        Ok(self.receive()?.0)
    }

    fn value(&mut self, depth: usize) -> io::Result<Value> {
        if depth > 16 {
            return Err(garbage("replies nested too deeply"));
        }
        let line = self.line()?;
        let (&mark, rest) = line.split_first().ok_or_else(|| garbage("an empty line"))?;
        Ok(match mark {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Value::Line(mark, rest.to_vec()),
            b'$' | b'=' | b'!' => match length(rest)? {
                None => Value::Bulk(mark, None),
                Some(count) => {
                    let end = self.start + count;
                    self.need(end + 2)?;
                    if &self.input[end..end + 2] != b"\r\n" {
                        return Err(garbage("a string that does not end where it says"));
                    }
                    let text = self.input[self.start..end].to_vec();
                    self.start = end + 2;
                    Value::Bulk(mark, Some(text))
                }
            },
            b'*' | b'~' | b'>' | b'%' => match length(rest)? {
                None => Value::Many(mark, None),
                Some(count) => {
                    let count = if mark == b'%' { count * 2 } else { count };
                    let values: io::Result<_> = (0..count).map(|_| self.value(depth + 1)).collect();
                    Value::Many(mark, Some(values?))
                }
            },
            _ => {
                return Err(garbage(&format!("a reply that begins with {:?}", shown(&line))));
            }
        })
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.input[searched..].windows(2).position(|w| w == b"\r\n") {
                let line = self.input[self.start..searched + at].to_vec();
                self.start = searched + at + 2;
                return Ok(line);
            }
            searched = self.input.len().saturating_sub(1).max(self.start);
            self.need(self.input.len() + 1)?;
        }
    }

    /// Reads until the input has `end` bytes at least.
    fn need(&mut self, end: usize) -> io::Result<()> {
        while self.input.len() < end {
            let have = self.input.len();
            self.input.resize(have + (end - have).max(64 << 10), 0);
            let read = self.stream.read(&mut self.input[have..]);
            self.input.truncate(have + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it hung up"));
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn length(text: &[u8]) -> io::Result<Option<usize>> {
    let number: i64 = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| garbage("a length that is no number"))?;
    Ok(usize::try_from(number).ok())
}

fn garbage(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
