//! Starting a server, and stopping it without losing anything.

use crate::backup::{self, Backups};
use crate::clients::{Clients, Wish};
use crate::clock;
use crate::config::{Config, Settings, worker_threads};
use crate::error::Error;
use crate::net::{self, LargeReplies};
use crate::nudge::Nudge;
use crate::open_files;
use crate::pubsub::PubSub;
use crate::script::Scripts;
use crate::shared::{Shared, Shutdown};
use crate::stats::Stats;
use crate::trouble::Trouble;
use crate::warned::Warned;
use bitmap_store::{Keyspace, Options, RecoveryReport};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// How long running commands and unread replies may delay a shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// A server that speaks the Redis protocol.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Opens the data directory and serves it, on threads of its own.
    ///
    /// Returns once connections are accepted. Recovery happens before that; connections made meanwhile
    /// wait.
    ///
    /// # Errors
    /// The directory is in use, damaged or a file; an address is in use, or there is none. Nothing is
    /// left behind.
    pub fn start(mut config: Config) -> Result<Handle, Error> {
        if config.addr.is_empty() && config.unixsocket.is_none() {
            return Err(Error::NoAddress);
        }
        refuse_file(&config.dir)?;
        config.maxclients = maxclients(&config)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(worker_threads())
            .thread_name("bitmapistd")
            // Scripts may nest what they hand over a thousandfold.
            .thread_stack_size(8 << 20)
            .enable_all()
            .build()
            .map_err(Error::System)?;
        let _entered = runtime.enter();
        let bound = net::bind(&config.addr, config.unixsocket.as_deref())
            .map_err(|e| Error::Bind { addr: e.what, source: e.source })?;
        let options = Options {
            durability: config.sync,
            cache_bytes: config.cache_bytes,
            segment_bytes: config.segment_bytes,
            compaction: config.upkeep.compaction_options(config.segment_bytes),
            compaction_rate: config.upkeep.compaction_rate,
            backup_rate: config.upkeep.backup_rate,
            compression: config.upkeep.compression,
            ..Options::default()
        };
        let keyspace = Keyspace::open(&config.dir, options).map_err(|source| {
            config.unixsocket.iter().for_each(|path| remove_socket(path));
            Error::Store { dir: config.dir.clone(), source }
        })?;
        let shared = Arc::new(Shared {
            keyspace,
            settings: Settings::new(&config),
            stats: Stats::new(),
            scripts: Scripts::default(),
            clients: Clients::default(),
            pubsub: PubSub::default(),
            shutdown: Shutdown::default(),
            addrs: bound.addrs(),
            unixsocket: config.unixsocket.clone(),
            started: Instant::now(),
            run_id: run_id(),
            backups: Backups::new(config.bak.clone()),
            http_warned: Warned::default(),
            expiry_warned: Warned::default(),
            compaction_warned: Warned::default(),
            trouble: Trouble::default(),
            large_replies: LargeReplies::default(),
            waiting: Arc::default(),
            ops_per_second: AtomicU64::new(0),
            active_expiry: AtomicBool::new(true),
        });
        let opened = shared.scripts.open(&shared.keyspace);
        opened.map_err(|source| Error::Store { dir: config.dir.clone(), source })?;
        bound.serve(&shared);
        crate::background::start(&shared);
        let nudge = Nudge::start(runtime.handle().clone(), Arc::clone(&shared));
        let nudge = Some(nudge.map_err(Error::System)?);
        drop(_entered);
        Ok(Handle { runtime: Some(runtime), shared: Some(shared), nudge, dir: config.dir })
    }
}

/// A running server. Dropping it stops the server.
pub struct Handle {
    runtime: Option<Runtime>,
    shared: Option<Arc<Shared>>,
    nudge: Option<Nudge>,
    dir: std::path::PathBuf,
}

impl Handle {
    fn shared(&self) -> &Shared {
        self.shared.as_ref().expect("a handle holds its server until it is stopped")
    }

    /// The first TCP address, with the port that was chosen if 0 was asked for.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.shared().addrs.first().copied()
    }

    /// All TCP addresses.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.shared().addrs
    }

    /// What opening the directory found.
    pub fn recovery(&self) -> &RecoveryReport {
        self.shared().keyspace.recovery()
    }

    /// Blocks until a client asks for a shutdown, or the process is told to end (SIGINT, SIGTERM).
    ///
    /// # Errors
    /// [`Error::System`] if the system refuses to deliver signals.
    pub fn wait(&self) -> Result<(), Error> {
        let runtime =
            self.runtime.as_ref().expect("a handle holds its runtime until it is stopped");
        runtime.block_on(self.wait_for_end()).map_err(Error::System)
    }

    async fn wait_for_end(&self) -> io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // As bitmapist-server does.
        let mut backup = signal(SignalKind::user_defined1())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => tracing::info!("SIGINT: shutting down"),
                _ = terminate.recv() => tracing::info!("SIGTERM: shutting down"),
                () = self.shared().shutdown.asked() => tracing::info!("SHUTDOWN: shutting down"),
                _ = backup.recv() => {
                    if let Some(shared) = &self.shared {
                        backup::ask_for_file(shared);
                    }
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// Stops accepting, lets running commands finish and their replies go out, syncs, and closes the
    /// directory.
    ///
    /// # Errors
    /// [`Error::Store`] if the last writes could not be synced.
    pub fn shutdown(mut self) -> Result<(), Error> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), Error> {
        let (Some(runtime), Some(shared)) = (self.runtime.take(), self.shared.take()) else {
            return Ok(());
        };
        shared.shutdown.ask();
        runtime.block_on(drain(&shared));
        self.nudge = None;
        shared.scripts.stop();
        // Whoever is still there does not read its replies.
        runtime.shutdown_timeout(Duration::from_secs(2));
        let closed = match Arc::try_unwrap(shared) {
            Ok(shared) => shared.keyspace.close(),
            // A command still runs; what it does is not acknowledged any more.
            Err(shared) => shared.keyspace.sync(),
        };
        closed.map_err(|source| Error::Store { dir: self.dir.clone(), source })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the server did not stop cleanly");
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("dir", &self.dir).finish_non_exhaustive()
    }
}

async fn drain(shared: &Shared) {
    let started = Instant::now();
    while shared.clients.len() > 0 && started.elapsed() < DRAIN {
        // Again each time: a connection may have been accepted since.
        shared.clients.wish_all(Wish::Drain);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    shared.clients.wish_all(Wish::Kill);
}

/// How many clients there may be: as many as are wanted, or as the system has files for.
fn maxclients(config: &Config) -> Result<usize, Error> {
    let wanted = config.maxclients;
    let fitting = open_files::make_room(wanted, &config.dir)
        .map_err(|few| Error::OpenFiles { limit: few.limit, needed: few.needed })?;
    if fitting < wanted {
        tracing::warn!("{}", open_files::advice(wanted, fitting));
    }
    Ok(fitting)
}

/// The socket was bound and will not be served.
#[allow(clippy::disallowed_methods)] // a socket, not a file of the store
fn remove_socket(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// bitmapist-server keeps its data in one file; say so rather than fail obscurely.
fn refuse_file(path: &Path) -> Result<(), Error> {
    let Ok(metadata) = std::fs::metadata(path) else {
        return Ok(());
    };
    if metadata.is_dir() {
        return Ok(());
    }
    Err(Error::NotADirectory { path: path.to_owned(), kind: file_kind(path) })
}

/// What a file given as the directory seems to be, by its first bytes.
fn file_kind(path: &Path) -> &'static str {
    use std::io::Read;
    let mut head = Vec::new();
    #[allow(clippy::disallowed_methods)]
    // somebody else's file, looked at for the sake of an error text
    let opened = std::fs::File::open(path);
    if let Ok(file) = opened {
        let _ = file.take(32).read_to_end(&mut head);
    }
    if head.starts_with(b"SQLite format 3\0") {
        "a file of bitmapist-server v2 (SQLite)"
    } else if head.get(16..20) == Some(&0xED0C_DAED_u32.to_le_bytes()) {
        "a file of bitmapist-server v1 (bbolt)"
    } else {
        "a file"
    }
}

fn run_id() -> String {
    let numbers: [u64; 3] = std::array::from_fn(|_| clock::seed());
    let mut id = format!("{:016x}{:016x}{:016x}", numbers[0], numbers[1], numbers[2]);
    id.truncate(40);
    id
}
