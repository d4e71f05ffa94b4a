//! What all connections of a server share.

use crate::backup::Backups;
use crate::clients::Clients;
use crate::config::Settings;
use crate::net::LargeReplies;
use crate::pubsub::PubSub;
use crate::script::Scripts;
use crate::stats::Stats;
use crate::trouble::Trouble;
use crate::waiting::Registry;
use crate::warned::Warned;
use bitmap_store::Keyspace;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Notify;

/// The server as a command sees it.
pub(crate) struct Shared {
    pub keyspace: Keyspace,
    pub settings: Settings,
    pub stats: Stats,
    pub scripts: Scripts,
    pub clients: Clients,
    pub pubsub: PubSub,
    pub shutdown: Shutdown,
    /// Where it listens.
    pub addrs: Vec<SocketAddr>,
    pub unixsocket: Option<PathBuf>,
    pub started: Instant,
    /// 40 hexadecimal digits that no other run has.
    pub run_id: String,
    pub backups: Backups,
    /// When HTTP was last warned of.
    pub http_warned: Warned,
    pub expiry_warned: Warned,
    pub compaction_warned: Warned,
    pub trouble: Trouble,
    pub large_replies: LargeReplies,
    /// Clients that wait for keys.
    pub waiting: Arc<Registry>,
    /// Commands run in the last second.
    pub ops_per_second: AtomicU64,
    /// Whether due keys are deleted in the background (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expiry: AtomicBool,
}

/// The wish to stop, from a signal, a command or the owner of the server.
#[derive(Default)]
pub(crate) struct Shutdown {
    asked: AtomicBool,
    notify: Notify,
}

impl Shutdown {
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Returns once it was asked for.
    pub(crate) async fn asked(&self) {
        let notified = self.notify.notified();
        let mut notified = std::pin::pin!(notified);
        // Registered before looking, so that no wish falls in between.
        notified.as_mut().enable();
        if !self.is_asked() {
            notified.await;
        }
    }
}
