//! Servers as child processes: ours and Redis, each in a directory of its own, killed when dropped.

use crate::wire::Connection;
use crate::workspace;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory below `target/` that goes when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// It cannot be made.
    pub fn new(what: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{what}-{}-{number}", std::process::id());
        let path = workspace::target().join("xtask").join(name);
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Scratch(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// When an acknowledged write is on disk, on either server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Always,
    EverySecond,
    /// Ours does not sync; Redis does not even write a log.
    No,
}

/// A running server.
pub struct Server {
    child: Child,
    command: Vec<String>,
    log: PathBuf,
    pub addr: SocketAddr,
}

impl Server {
    /// Starts the `bitmapistd` at `binary` on a free port of this machine.
    ///
    /// # Errors
    /// It does not come up; the end of its log says why.
    pub fn ours(
        binary: &Path,
        dir: &Path,
        sync: Durability,
        more: &[&str],
    ) -> Result<Self, String> {
        let sync = match sync {
            Durability::Always => "always",
            Durability::EverySecond => "everysec",
            Durability::No => "no",
        };
        let data = dir.join("data");
        let addr = free_address()?;
        let mut command = vec![binary.display().to_string(), "--addr".into(), addr.to_string()];
        command.extend(["--dir".into(), data.display().to_string()]);
        command.extend(["--sync", sync, "--log-level", "warn"].map(String::from));
        command.extend(more.iter().map(|&arg| arg.to_owned()));
        Self::start(command, dir.join("bitmapistd.log"), addr)
    }

    /// Starts `redis-server` on a free port of this machine, without snapshots.
    ///
    /// # Errors
    /// It does not come up; the end of its log says why.
    pub fn redis(dir: &Path, sync: Durability) -> Result<Self, String> {
        let (append, sync) = match sync {
            Durability::Always => ("yes", "always"),
            Durability::EverySecond => ("yes", "everysec"),
            Durability::No => ("no", "no"),
        };
        let addr = free_address()?;
        let port = addr.port().to_string();
        let data = dir.join("redis");
        fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let data = data.display().to_string();
        let command = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--dir",
            &data,
            "--save",
            "",
            "--appendonly",
            append,
            "--appendfsync",
            sync,
            "--auto-aof-rewrite-percentage",
            "0",
            "--enable-debug-command",
            "yes",
        ];
        let command = command.map(String::from).to_vec();
        Self::start(command, dir.join("redis.log"), addr)
    }

    fn start(command: Vec<String>, log: PathBuf, addr: SocketAddr) -> Result<Self, String> {
        let child = spawn(&command, &log)?;
        let mut server = Server { child, command, log, addr };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    /// Starts it once more with the same arguments, on the same directory; returns how long it took
    /// until it answered `DBSIZE` with `keys`.
    ///
    /// # Errors
    /// It does not come up, or has another number of keys.
    pub fn restart(&mut self, keys: i64) -> Result<Duration, String> {
        let started = Instant::now();
        self.child = spawn(&self.command, &self.log)?;
        let mut connection = self.wait_until_it_answers()?;
        let size = connection.call(&["DBSIZE"]).map_err(|e| self.blame(&e.to_string()))?;
        let took = started.elapsed();
        match size.integer() {
            Some(found) if found == keys => Ok(took),
            _ => Err(format!("DBSIZE is {size} after a restart, {keys} before")),
        }
    }

    fn wait_until_it_answers(&mut self) -> Result<Connection, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut connection) = Connection::open(self.addr)
                && let Ok(reply) = connection.call(&["PING"])
                && reply.text() == Some(b"PONG")
            {
                return Ok(connection);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.blame(&format!("it ended at once ({status})")));
            }
            if Instant::now() > deadline {
                return Err(self.blame("it does not answer"));
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// The problem with the end of the server's log.
    pub fn blame(&self, problem: &str) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(15)..].join("\n  ");
        format!("{}: {problem}\n  {end}", self.command[0])
    }

    /// # Errors
    /// Nobody listens any more.
    pub fn connect(&self) -> Result<Connection, String> {
        Connection::open(self.addr).map_err(|e| self.blame(&e.to_string()))
    }

    /// The memory of the process that is in RAM, in bytes.
    ///
    /// # Errors
    /// The system does not say.
    pub fn resident_bytes(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| format!("{path} has no VmRSS"))
    }

    /// Asks it to stop (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// It does not stop, or not with success.
    pub fn stop(&mut self) -> Result<(), String> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        if !sent.is_ok_and(|status| status.success()) {
            return Err(self.blame("it cannot be told to stop"));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(self.blame(&format!("it ended with {status}"))),
                Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(2)),
                Ok(None) => return Err(self.blame("it does not stop")),
                Err(e) => return Err(self.blame(&e.to_string())),
            }
        }
    }

    /// Ends it as the power would (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(command: &[String], log: &Path) -> Result<Child, String> {
    let wrong = |e: io::Error| format!("{}: {e}", command[0]);
    let output = File::options().create(true).append(true).open(log).map_err(wrong)?;
    let errors = output.try_clone().map_err(wrong)?;
    Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(wrong)
}

fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|l| l.local_addr()).map_err(|e| format!("no free port: {e}"))
}
