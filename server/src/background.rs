//! Work that no client asks for: deleting what has expired, closing idle connections, measuring.

use crate::clients::Wish;
use crate::clock;
use crate::events::{Class, tell};
use crate::shared::Shared;
use bitmap_store::Reclaimed;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often due keys are looked for.
const EXPIRY_EVERY: Duration = Duration::from_millis(100);
/// How many are deleted at once, and how long a round may take: commands wait meanwhile.
const EXPIRY_SLICE: usize = 256;
const EXPIRY_BUDGET: Duration = Duration::from_millis(25);

/// Starts the tasks; they end when shutdown is asked for. Needs a runtime to be entered.
pub(crate) fn start(server: &Arc<Shared>) {
    tokio::spawn(expire(Arc::clone(server)));
    tokio::spawn(every_second(Arc::clone(server)));
    tokio::spawn(crate::backup::make_snapshots(Arc::clone(server)));
    tokio::spawn(crate::backup::write_files(Arc::clone(server)));
}

async fn expire(server: Arc<Shared>) {
    while wait(&server, EXPIRY_EVERY).await {
        if !server.active_expiry.load(Ordering::Relaxed) {
            continue;
        }
        let round = Arc::clone(&server);
        let done = tokio::task::spawn_blocking(move || expire_round(&round)).await;
        if done.is_err() {
            tracing::error!("deleting expired keys panicked");
        }
    }
}

fn expire_round(server: &Shared) {
    let started = Instant::now();
    while started.elapsed() < EXPIRY_BUDGET {
        let (now, notify) = (clock::now(), server.settings.notify());
        let mut tell_of = |db, key: &[u8], position| {
            if notify.has(Class::Expired) {
                tell(server, notify, "expired", db, key, position, now);
            }
        };
        match server.keyspace.expire_due_telling(now, EXPIRY_SLICE, &mut tell_of) {
            Ok(Reclaimed { keys, damaged }) => {
                if let Some(error) = damaged {
                    warn_of(server, &error);
                }
                if keys < EXPIRY_SLICE {
                    return;
                }
            }
            Err(error) => return warn_of(server, &error),
        }
    }
}

fn warn_of(server: &Shared, error: &bitmap_store::Error) {
    if server.expiry_warned.is_due(clock::now()) {
        tracing::warn!(%error, "an expired key could not be deleted");
    }
}

async fn every_second(server: Arc<Shared>) {
    let mut calls_before = 0;
    while wait(&server, Duration::from_secs(1)).await {
        let calls = server.stats.total_calls();
        server.ops_per_second.store(calls.saturating_sub(calls_before), Ordering::Relaxed);
        calls_before = calls;
        close_idle(&server);
        server.pubsub.close_slow(server.settings.subscriber_limit(), clock::now());
        tell_of_compaction(&server);
    }
}

/// Compaction runs by itself; that it cannot is for somebody to know.
fn tell_of_compaction(server: &Shared) {
    if let Some(Err(error)) = server.keyspace.last_compaction()
        && server.compaction_warned.is_due(clock::now())
    {
        tracing::warn!(error, "the log could not be compacted: what is dead in it takes space");
    }
}

/// `timeout`: closes connections that sent nothing for so long.
fn close_idle(server: &Shared) {
    let limit = server.settings.timeout_seconds();
    if limit == 0 {
        return;
    }
    let now = clock::now();
    for client in server.clients.all() {
        // Who listens has nothing to say.
        if client.idle_seconds(now) > limit && !client.is_subscriber() {
            client.wish(Wish::Kill);
        }
    }
}

/// Waits; false when the server is to stop.
async fn wait(server: &Shared, duration: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(duration) => true,
        () = server.shutdown.asked() => false,
    }
}
