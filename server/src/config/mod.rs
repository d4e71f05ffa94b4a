//! How a server is configured: defaults, a TOML file, flags; and what may be changed while it runs.

mod arguments;
mod file;
mod limit;
mod parameters;
mod settings;
mod size;
mod upkeep;

pub use arguments::{Invocation, parse};
pub(crate) use parameters::{PARAMETERS, Parameter, worker_threads};
pub(crate) use settings::Settings;
pub use settings::durability_name;
pub(crate) use size::parse_size;
pub use upkeep::Upkeep;

pub use crate::events::Notify;
pub use crate::pubsub::Limit;
use bitmap_store::Durability;
use std::path::PathBuf;

/// Everything that can be configured, with Redis' defaults where Redis has the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `HOST:PORT`. An empty host is all interfaces; `localhost` is 127.0.0.1 and, where there is one,
    /// `[::1]`; port 0 is any free one. Empty: no TCP at all.
    pub addr: String,
    /// Listen on this Unix socket too.
    pub unixsocket: Option<PathBuf>,
    /// The directory of the data; it is created if missing.
    pub dir: PathBuf,
    /// Where SIGUSR1 writes a backup of everything to, in one file.
    pub bak: Option<PathBuf>,
    /// When an acknowledged write is on disk.
    pub sync: Durability,
    /// Memory for decoded pages of bitmaps, in bytes.
    pub cache_bytes: usize,
    /// Connections beyond so many are refused.
    pub maxclients: usize,
    /// What is logged: `trace`, `debug`, `info`, `warn`, `error` or `off`.
    pub log_level: String,
    /// Close connections that were idle for so many seconds; 0: never.
    pub timeout_seconds: u64,
    /// A connection whose unprocessed input grows beyond this is closed.
    pub query_buffer_bytes: usize,
    /// A connection whose unsent replies grow beyond this is closed.
    pub output_buffer_bytes: usize,
    /// A subscriber that leaves more than this unread is closed.
    pub subscriber_limit: Limit,
    /// Which keyspace events are published.
    pub notify: Notify,
    /// A segment of the log is sealed before it grows beyond this.
    pub segment_bytes: u32,
    /// Compaction, compression, backups.
    pub upkeep: Upkeep,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            addr: "localhost:6379".into(),
            unixsocket: None,
            dir: "./data".into(),
            bak: None,
            sync: Durability::Always,
            cache_bytes: 256 << 20,
            maxclients: 10_000,
            log_level: "info".into(),
            timeout_seconds: 0,
            query_buffer_bytes: 1 << 30,
            output_buffer_bytes: 1 << 30,
            subscriber_limit: Limit::default(),
            notify: Notify::default(),
            segment_bytes: 256 << 20,
            upkeep: Upkeep::default(),
        }
    }
}
