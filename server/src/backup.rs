//! Backups of the running server: a directory by `BGSAVE`, one file by `--bak` and SIGUSR1.

use crate::clock;
use crate::shared::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Notify;

/// The directory, in that of the data, that `BGSAVE` brings up to date.
const SNAPSHOT: &str = "snapshot";

/// How the backups go.
pub(crate) struct Backups {
    /// Where SIGUSR1 writes a file to; none if nobody said.
    file: Option<PathBuf>,
    file_asked: Notify,
    asked: Notify,
    running: AtomicBool,
    failed: AtomicBool,
    /// When the data was last brought to safety by a client's wish, in seconds since 1970.
    last: AtomicU64,
    /// How long the last took; -1 before the first.
    last_seconds: AtomicI64,
    /// When the one that runs began, in milliseconds since 1970.
    began: AtomicU64,
}

impl Backups {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Backups {
            file,
            file_asked: Notify::new(),
            asked: Notify::new(),
            running: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            last: AtomicU64::new(clock::now().0 / 1000),
            last_seconds: AtomicI64::new(-1),
            began: AtomicU64::new(0),
        }
    }

    /// Has a snapshot made; false if one is being made.
    pub(crate) fn ask_for_snapshot(&self) -> bool {
        if self.running.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.began.store(clock::now().0, Ordering::Relaxed);
        self.asked.notify_one();
        true
    }

    pub(crate) fn note_saved(&self, seconds_since_1970: u64) {
        self.last.store(seconds_since_1970, Ordering::Relaxed);
    }

    /// When the data was last saved, in seconds since 1970; at first when the server started.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// `ok` or `err`, as Redis says it.
    pub(crate) fn status(&self) -> &'static str {
        if self.failed.load(Ordering::Relaxed) { "err" } else { "ok" }
    }

    /// How long the last snapshot took, in seconds; -1 if there was none.
    pub(crate) fn last_seconds(&self) -> i64 {
        self.last_seconds.load(Ordering::Relaxed)
    }

    /// How long the one that runs has been running, in seconds; -1 if none does.
    pub(crate) fn current_seconds(&self) -> i64 {
        if !self.is_running() {
            return -1;
        }
        (clock::now().0.saturating_sub(self.began.load(Ordering::Relaxed)) / 1000) as i64
    }
}

/// Makes the snapshots that are asked for, one after the other, until shutdown.
pub(crate) async fn make_snapshots(server: Arc<Shared>) {
    loop {
        tokio::select! {
            () = server.backups.asked.notified() => {}
            () = server.shutdown.asked() => return,
        }
        let making = Arc::clone(&server);
        let made = tokio::task::spawn_blocking(move || make_snapshot(&making)).await;
        if made.is_err() {
            tracing::error!("the snapshot panicked");
        }
        server.backups.failed.store(!matches!(made, Ok(true)), Ordering::Relaxed);
        server.backups.running.store(false, Ordering::Release);
    }
}

fn make_snapshot(server: &Shared) -> bool {
    let started = Instant::now();
    let dir = server.settings.dir.join(SNAPSHOT);
    let made = server.keyspace.backup(&dir);
    let seconds = started.elapsed().as_secs();
    server.backups.last_seconds.store(seconds as i64, Ordering::Relaxed);
    match made {
        Ok(report) => {
            server.backups.note_saved(clock::now().0 / 1000);
            tracing::info!(
                dir = %dir.display(),
                segments = report.segments,
                linked = report.linked,
                kept = report.kept,
                copied_bytes = report.copied_bytes,
                "snapshot made"
            );
            true
        }
        Err(error) => {
            tracing::error!(%error, dir = %dir.display(), "the snapshot failed");
            false
        }
    }
}

/// SIGUSR1: has the file of `--bak` written, if there is one; once more if that is being done already.
pub(crate) fn ask_for_file(server: &Shared) {
    match server.backups.file {
        Some(_) => server.backups.file_asked.notify_one(),
        None => tracing::warn!("SIGUSR1: no backup is written, since --bak names no file"),
    }
}

/// Writes the file each time when it is asked for, until shutdown.
pub(crate) async fn write_files(server: Arc<Shared>) {
    let Some(path) = server.backups.file.clone() else { return };
    loop {
        tokio::select! {
            () = server.backups.file_asked.notified() => write_file(&server, path.clone()).await,
            () = server.shutdown.asked() => return,
        }
    }
}

async fn write_file(server: &Arc<Shared>, path: PathBuf) {
    let writing = Arc::clone(server);
    let started = Instant::now();
    let written =
        tokio::task::spawn_blocking(move || (writing.keyspace.backup_file(&path), path)).await;
    match written {
        Ok((Ok(report), path)) => tracing::info!(
            path = %path.display(),
            bytes = report.copied_bytes,
            seconds = started.elapsed().as_secs_f32(),
            "backup written"
        ),
        Ok((Err(error), path)) => {
            tracing::error!(%error, path = %path.display(), "the backup failed; the one before stays");
        }
        Err(_) => tracing::error!("the backup panicked"),
    }
}
