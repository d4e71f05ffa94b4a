//! The keys of a database of a server that speaks the Redis protocol.
//!
//! A server lists keys in an order of its own: to give them in byte order, all names that match are gathered
//! first. Values are asked for many at a time.

use super::{Selection, Store, Value, Visit};
use crate::exit::Failure;
use crate::report::{Report, Value as Figure};
use crate::target::now;
use bitcask_core::UnixMillis;
use resp::{Client, Reply};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Values that are asked for at once.
const AT_ONCE: usize = 64;

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A connection to a server.
pub struct Connection {
    client: Client<Box<dyn Stream>>,
    server: String,
}

impl Connection {
    /// Connects to `HOST:PORT`, `:PORT`, or to the Unix socket of a path.
    pub fn open(server: &str) -> Result<Self, Failure> {
        let fail =
            |e: io::Error| Failure::other(format!("cannot connect to the server {server}: {e}"));
        let stream: Box<dyn Stream> = if server.contains('/') {
            let stream = UnixStream::connect(server).map_err(fail)?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
            Box::new(stream)
        } else {
            let address = match server.strip_prefix(':') {
                Some(port) => format!("localhost:{port}"),
                None if !server.contains(':') => format!("{server}:6379"),
                None => server.to_owned(),
            };
            let stream = TcpStream::connect(&address).map_err(fail)?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
            stream.set_nodelay(true).map_err(fail)?;
            Box::new(stream)
        };
        Ok(Connection { client: Client::new(stream), server: server.to_owned() })
    }

    /// Asks; an error of the server's is one.
    pub fn call(&mut self, args: &[&[u8]]) -> Result<Reply, Failure> {
        let reply = self.client.call(args).map_err(|e| self.lost(&e))?;
        self.check(reply)
    }

    /// Asks several things at once.
    fn calls(&mut self, requests: &[Vec<&[u8]>]) -> Result<Vec<Reply>, Failure> {
        let sent = requests.iter().try_for_each(|request| self.client.send(request));
        sent.and_then(|()| self.client.flush()).map_err(|e| self.lost(&e))?;
        let receive = |_| {
            let reply = self.client.receive().map_err(|e| self.lost(&e))?;
            self.check(reply)
        };
        requests.iter().map(receive).collect()
    }

    fn lost(&self, error: &io::Error) -> Failure {
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
            _ => error.to_string(),
        };
        Failure::other(format!("the server {}: {why}", self.server))
    }

    fn check(&self, reply: Reply) -> Result<Reply, Failure> {
        let Reply::Error(text) = reply else { return Ok(reply) };
        let message = format!("the server {} says: {text}", self.server);
        Err(match text.starts_with("CORRUPT") {
            true => Failure::Damaged { place: None, message },
            false => Failure::Other(message),
        })
    }

    fn unexpected(&self) -> Failure {
        Failure::other(format!("the server {} gave a reply of an unexpected kind", self.server))
    }

    /// The lines of `INFO` that say something: section, name, value.
    pub fn info(&mut self) -> Result<Vec<(String, String, String)>, Failure> {
        let Reply::Bulk(text) = self.call(&[b"INFO"])? else { return Err(self.unexpected()) };
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut section = String::new();
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("# ") {
                section = name.to_lowercase();
            } else if let Some((name, value)) = line.split_once(':') {
                lines.push((section.clone(), name.to_owned(), value.to_owned()));
            }
        }
        Ok(lines)
    }
}

pub struct ServerStore {
    connection: Connection,
}

impl ServerStore {
    pub fn connect(server: &str, db: u8) -> Result<Self, Failure> {
        let mut connection = Connection::open(server)?;
        if db != 0 {
            connection.call(&[b"SELECT", db.to_string().as_bytes()])?;
        }
        Ok(ServerStore { connection })
    }

    /// The values of some keys; none for those that have gone.
    fn values(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Value>>, Failure> {
        let requests: Vec<Vec<&[u8]>> = keys
            .iter()
            .flat_map(|key| [vec![&b"GET"[..], &key[..]], vec![&b"PTTL"[..], &key[..]]])
            .collect();
        let replies = self.connection.calls(&requests)?;
        let now = now();
        let value = |pair: &[Reply]| match pair {
            [Reply::Bulk(bytes), Reply::Int(ttl)] => {
                let left = u64::try_from(*ttl).ok();
                let expires_at = left.map(|ms| UnixMillis(now.0 + ms));
                Ok(Some(Value { bytes: bytes.to_vec(), expires_at }))
            }
            [Reply::Null, _] => Ok(None),
            _ => Err(self.connection.unexpected()),
        };
        replies.chunks(2).map(value).collect()
    }

    /// The names of all keys that are meant, in byte order.
    fn names(&mut self, selection: &Selection) -> Result<Vec<Vec<u8>>, Failure> {
        let pattern = common_prefix(selection);
        let mut names = Vec::new();
        let mut cursor = b"0".to_vec();
        loop {
            let scan: [&[u8]; 6] = [b"SCAN", &cursor, b"MATCH", &pattern, b"COUNT", b"1000"];
            let Reply::Array(step) = self.connection.call(&scan)? else {
                return Err(self.connection.unexpected());
            };
            let [Reply::Bulk(next), Reply::Array(keys)] = &step[..] else {
                return Err(self.connection.unexpected());
            };
            for key in keys {
                match key {
                    Reply::Bulk(key) if selection.is_within(key) && selection.matches(key) => {
                        names.push(key.to_vec());
                    }
                    Reply::Bulk(_) => {}
                    _ => return Err(self.connection.unexpected()),
                }
            }
            if &next[..] == b"0" {
                break;
            }
            cursor = next.to_vec();
        }
        names.sort_unstable();
        names.dedup();
        if selection.reverse {
            names.reverse();
        }
        Ok(names)
    }
}

/// A pattern for what all keys between the bounds begin with.
fn common_prefix(selection: &Selection) -> Vec<u8> {
    let from = &selection.from;
    let same = match &selection.to {
        Some(to) => from.iter().zip(to).take_while(|(a, b)| a == b).count(),
        None => 0,
    };
    // The bound beyond a prefix differs from it in its last byte.
    let is_prefix = selection.to.as_ref().is_some_and(|to| {
        to.len() == same + 1
            && from.len() == same + 1
            && from[same].checked_add(1) == Some(to[same])
    });
    let mut pattern = Vec::new();
    for byte in &from[..if is_prefix { same + 1 } else { same }] {
        if b"*?[]\\^-".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}

impl Store for ServerStore {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Failure> {
        Ok(self.values(&[key.to_vec()])?.pop().flatten())
    }

    fn describe(&mut self, key: &[u8]) -> Result<Option<Report>, Failure> {
        let Reply::Status(kind) = self.connection.call(&[b"TYPE", key])? else {
            return Err(self.connection.unexpected());
        };
        if kind == "none" {
            return Ok(None);
        }
        let Reply::Int(ttl) = self.connection.call(&[b"PTTL", key])? else {
            return Err(self.connection.unexpected());
        };
        let size: Option<(_, &[u8])> = match &*kind {
            "string" => Some(("value_bytes", b"STRLEN")),
            "hash" => Some(("fields", b"HLEN")),
            _ => None,
        };
        let expires_at = u64::try_from(ttl).ok().map(|ms| UnixMillis(now().0 + ms));
        let mut report = Report::default();
        report
            .add("kind", Figure::text(kind))
            .add("expires_at", Figure::or(expires_at.map(Figure::moment), "never"));
        if let Some((name, command)) = size {
            let Reply::Int(size) = self.connection.call(&[command, key])? else {
                return Err(self.connection.unexpected());
            };
            report.add(name, Figure::count(size.unsigned_abs()));
        }
        Ok(Some(report))
    }

    fn exists(&mut self, key: &[u8]) -> Result<bool, Failure> {
        Ok(self.connection.call(&[b"EXISTS", key])? == Reply::Int(1))
    }

    fn put(&mut self, key: &[u8], value: &[u8], ttl_ms: Option<u64>) -> Result<(), Failure> {
        match ttl_ms.map(|ms| ms.to_string()) {
            None => self.connection.call(&[b"SET", key, value])?,
            Some(ms) => self.connection.call(&[b"SET", key, value, b"PX", ms.as_bytes()])?,
        };
        Ok(())
    }

    fn delete(&mut self, keys: &[Vec<u8>]) -> Result<u64, Failure> {
        let mut request: Vec<&[u8]> = vec![b"DEL"];
        request.extend(keys.iter().map(|key| &key[..]));
        match self.connection.call(&request)? {
            Reply::Int(gone) => Ok(gone.unsigned_abs()),
            _ => Err(self.connection.unexpected()),
        }
    }

    fn each(&mut self, selection: &Selection, visit: &mut Visit<'_>) -> Result<(), Failure> {
        if selection.is_empty() {
            return Ok(());
        }
        let names = self.names(selection)?;
        for keys in names.chunks(AT_ONCE) {
            let values = match selection.values {
                true => self.values(keys)?.into_iter().map(|value| value.map(Some)).collect(),
                false => Vec::from_iter(keys.iter().map(|_| Some(None))),
            };
            for (key, value) in keys.iter().zip(values) {
                let Some(value) = value else { continue };
                if visit(key, value)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}
