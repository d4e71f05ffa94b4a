//! A client that a test writes commands to as lines.

use crate::script::{shown, words};
use resp::{Protocol, Reply};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a reply may take; a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, over TCP or whatever else can be read and written.
pub struct Client<S = TcpStream>(resp::Client<S>);

impl Client<TcpStream> {
    /// Connects.
    ///
    /// # Panics
    /// Nobody listens at `addr`.
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        stream.set_nodelay(true).expect("TCP can be told not to wait");
        Client::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// Talks over a connection that is there already.
    pub fn over(stream: S) -> Self {
        Client(resp::Client::new(stream))
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Panics
    /// The connection broke.
    pub fn call(&mut self, args: &[&[u8]]) -> Reply {
        self.0.call(args).unwrap_or_else(|e| panic!("{}: {e}", args[0].escape_ascii()))
    }

    /// The same for a line, as [`words`] reads it.
    pub fn run(&mut self, line: &str) -> Reply {
        let args = words(line);
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        self.call(&args)
    }

    /// The reply to a line, as [`shown`] writes it.
    pub fn ask(&mut self, line: &str) -> String {
        shown(&self.run(line))
    }

    /// The number that a line is answered with.
    ///
    /// # Panics
    /// The reply is not a number.
    pub fn number(&mut self, line: &str) -> i64 {
        match self.run(line) {
            Reply::Int(number) => number,
            other => panic!("{line}: {}", shown(&other)),
        }
    }

    /// Runs a script: a line is a command, ` → `, and the reply as [`shown`] writes it; a reply that ends in
    /// `…` is compared as far as it goes. Empty lines and those that begin with `#` are skipped.
    ///
    /// # Panics
    /// A reply is another one.
    pub fn talk(&mut self, script: &str) {
        for line in script.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (command, expected) = line.split_once(" → ").expect("a line has a reply");
            let (command, expected) = (command.trim(), expected.trim());
            let reply = self.ask(command);
            match expected.strip_suffix('…') {
                Some(start) => {
                    assert!(reply.starts_with(start), "{command} → {reply}, not {expected}");
                }
                None => assert_eq!(reply, expected, "{command}"),
            }
        }
    }

    /// Sends many commands at once, then reads as many replies.
    ///
    /// # Panics
    /// The connection broke.
    pub fn pipeline(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Reply> {
        for command in commands {
            let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            self.0.send(&args).expect("the connection stands");
        }
        self.0.flush().expect("the connection stands");
        commands.iter().map(|_| self.0.receive().expect("the connection stands")).collect()
    }

    /// Sends a command without waiting.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, args: &[&[u8]]) -> std::io::Result<()> {
        self.0.send(args)?;
        self.0.flush()
    }

    /// The next reply.
    ///
    /// # Errors
    /// The connection broke, or nothing came in time.
    pub fn receive(&mut self) -> std::io::Result<Reply> {
        self.0.receive()
    }

    /// Switches to RESP3.
    ///
    /// # Panics
    /// The server refuses.
    pub fn hello3(&mut self) -> Reply {
        self.0.hello(Protocol::Resp3).expect("the server speaks RESP3")
    }
}
