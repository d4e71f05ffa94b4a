//! The server as a child process, in a directory of its own; gone when it is dropped.

use crate::binary::{binary, is_redis};
use crate::client::{Client, PATIENCE};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Polls until `done`, as often as the machine can bear.
///
/// # Panics
/// It takes longer than a minute; `what` says what it was.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited a minute in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A directory for data that outlives the server, and goes with the test.
pub struct DataDir(TempDir);

impl DataDir {
    /// # Panics
    /// The system gives no temporary directory.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        DataDir(TempDir::with_prefix("bitmapistd-test-").expect("a temporary directory"))
    }

    /// The directory that the server makes and fills.
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Beside it, for whatever else the test needs.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The files of segments, oldest first.
    ///
    /// # Panics
    /// The directory cannot be read.
    pub fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data()).expect("the directory of the data");
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        files.sort();
        files
    }
}

/// What became of a start.
pub enum Started {
    /// It serves.
    Serving(Server),
    /// It ended, and said this.
    Refused(ExitStatus, String),
}

/// A running server.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
    printed: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts it on `dir`, on a free port, with more flags.
    ///
    /// # Panics
    /// It does not serve; the message has what it printed.
    pub fn start(dir: &DataDir, flags: &[&str]) -> Self {
        match Self::try_start(dir, flags) {
            Started::Serving(server) => server,
            Started::Refused(status, text) => panic!("it does not start ({status}): {text}"),
        }
    }

    /// Starts it, and says what became of it.
    ///
    /// # Panics
    /// It neither serves nor ends within a minute.
    pub fn try_start(dir: &DataDir, flags: &[&str]) -> Started {
        let data = dir.data();
        let mut command = Command::new(binary());
        let port = if is_redis() { free_port() } else { 0 };
        if is_redis() {
            std::fs::create_dir_all(&data).expect("a directory in the temporary one");
            command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "yes"]);
            command.args(["--enable-debug-command", "yes", "--appendfsync", "always"]);
            command.arg("--dir").arg(data);
        } else {
            command.args(["--addr", "127.0.0.1:0", "--log-level", "warn", "--dir"]).arg(data);
            command.args(flags);
        }
        Self::spawn(command, port)
    }

    /// Starts `bitmapistd` under limits that a line of the shell sets, such as `ulimit -n 100`.
    ///
    /// # Panics
    /// As [`Self::try_start`].
    pub fn under(limits: &str, dir: &DataDir, flags: &[&str]) -> Started {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limits}; exec \"$@\"")).arg("sh").arg(binary());
        command.args(["--addr", "127.0.0.1:0", "--log-level", "warn", "--dir"]).arg(dir.data());
        command.args(flags);
        Self::spawn(command, 0)
    }

    /// Runs `bitmapistd` with exactly these arguments, until it serves on an address that it prints.
    ///
    /// # Panics
    /// As [`Self::try_start`].
    pub fn with_arguments(arguments: &[&str], dir: &Path) -> Started {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(dir);
        Self::spawn(command, 0)
    }

    /// Runs `bitmapistd` with these arguments to its end.
    ///
    /// # Panics
    /// It does not start.
    pub fn output(arguments: &[&str]) -> Output {
        Command::new(binary()).args(arguments).output().expect("the server's program starts")
    }

    fn spawn(mut command: Command, port: u16) -> Started {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server's program starts");
        let printed = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it was asked for")),
            Box::new(child.stderr.take().expect("it was asked for")),
        ];
        // Whatever it prints is read, else it would wait for room in the pipe.
        let readers: Vec<JoinHandle<()>> = streams
            .into_iter()
            .map(|stream| {
                let printed = Arc::clone(&printed);
                thread::spawn(move || {
                    for line in BufReader::new(stream).lines().map_while(Result::ok) {
                        let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
                        printed.push_str(&line);
                        printed.push('\n');
                    }
                })
            })
            .collect();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server { child, addr, printed, readers };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known = match port {
                0 => server.printed().lines().find_map(address_in),
                _ => Some(server.addr),
            };
            if let Some(addr) = known
                && answers(addr)
            {
                server.addr = addr;
                return Started::Serving(server);
            }
            if server.has_ended() {
                let (status, text) = server.wait();
                return Started::Refused(status, text);
            }
            assert!(Instant::now() < deadline, "it neither serves nor ends: {}", server.printed());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// All that it has printed so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new client.
    pub fn client(&self) -> Client {
        Client::connect(self.addr)
    }

    /// A bare connection, for what no client sends.
    ///
    /// # Panics
    /// Nobody listens any more.
    pub fn socket(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).expect("the server accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        stream
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it ended by itself?
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Sends a signal, such as `TERM`.
    ///
    /// # Panics
    /// There is no such process or signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(sent.expect("kill is on every machine").success(), "SIG{name} was not sent");
    }

    /// Stops it as an operator does, and returns how it ended and what it printed.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let mut ended = None;
        until("the server ends", || {
            ended = self.child.try_wait().expect("it is a child of ours");
            ended.is_some()
        });
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        (ended.expect("it has ended"), self.printed())
    }

    /// Ends it as a crash does: SIGKILL, nothing is flushed.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The address in the line that says `… serves on 127.0.0.1:6379, /path/to/socket`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, places) = line.split_once(" serves on ")?;
    places.split(", ").find_map(|place| place.trim().parse().ok())
}

/// Does it answer there? One that still loads does not count.
fn answers(addr: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(addr) else { return false };
    let mut reply = [0; 7];
    let _ = stream.set_read_timeout(Some(PATIENCE));
    stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut reply)).is_ok()
        && &reply == b"+PONG\r\n"
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
