//! What `CONFIG SET` may change while the server runs.

use super::{Config, Upkeep};
use crate::events::Notify;
use crate::pubsub::Limit;
use bitmap_store::Durability;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The live values of the configuration.
pub(crate) struct Settings {
    /// As the server was started; what is not below holds for the whole run.
    pub dir: PathBuf,
    sync: AtomicU8,
    cache_bytes: AtomicUsize,
    maxclients: AtomicUsize,
    timeout_seconds: AtomicU64,
    query_buffer_bytes: AtomicUsize,
    output_buffer_bytes: AtomicUsize,
    log_level: Mutex<String>,
    upkeep: Mutex<Upkeep>,
    pub segment_bytes: u32,
    notify: AtomicU32,
    subscriber_limit: Mutex<Limit>,
}

impl Settings {
    pub(crate) fn new(config: &Config) -> Self {
        let dir = std::path::absolute(&config.dir).unwrap_or_else(|_| config.dir.clone());
        Settings {
            dir,
            sync: AtomicU8::new(config.sync as u8),
            cache_bytes: AtomicUsize::new(config.cache_bytes),
            maxclients: AtomicUsize::new(config.maxclients),
            timeout_seconds: AtomicU64::new(config.timeout_seconds),
            query_buffer_bytes: AtomicUsize::new(config.query_buffer_bytes),
            output_buffer_bytes: AtomicUsize::new(config.output_buffer_bytes),
            log_level: Mutex::new(config.log_level.clone()),
            upkeep: Mutex::new(config.upkeep.clone()),
            segment_bytes: config.segment_bytes,
            notify: AtomicU32::new(config.notify.bits()),
            subscriber_limit: Mutex::new(config.subscriber_limit),
        }
    }

    pub(crate) fn sync(&self) -> Durability {
        match self.sync.load(Ordering::Relaxed) {
            x if x == Durability::Always as u8 => Durability::Always,
            x if x == Durability::EverySecond as u8 => Durability::EverySecond,
            _ => Durability::No,
        }
    }

    pub(crate) fn set_sync(&self, sync: Durability) {
        self.sync.store(sync as u8, Ordering::Relaxed);
    }

    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_cache_bytes(&self, bytes: usize) {
        self.cache_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn maxclients(&self) -> usize {
        self.maxclients.load(Ordering::Relaxed)
    }

    pub(crate) fn set_maxclients(&self, count: usize) {
        self.maxclients.store(count, Ordering::Relaxed);
    }

    pub(crate) fn timeout_seconds(&self) -> u64 {
        self.timeout_seconds.load(Ordering::Relaxed)
    }

    pub(crate) fn set_timeout_seconds(&self, seconds: u64) {
        self.timeout_seconds.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn query_buffer_bytes(&self) -> usize {
        self.query_buffer_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_query_buffer_bytes(&self, bytes: usize) {
        self.query_buffer_bytes.store(bytes, Ordering::Relaxed);
    }

    /// How many bytes of replies a client may leave unread.
    pub(crate) fn output_buffer_bytes(&self) -> usize {
        match self.output_buffer_setting() {
            0 => usize::MAX,
            bytes => bytes,
        }
    }

    /// The same as it was set: 0 is no limit.
    pub(crate) fn output_buffer_setting(&self) -> usize {
        self.output_buffer_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_output_buffer_bytes(&self, bytes: usize) {
        self.output_buffer_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Which keyspace events are published.
    pub(crate) fn notify(&self) -> Notify {
        Notify::from_bits(self.notify.load(Ordering::Relaxed))
    }

    pub(crate) fn set_notify(&self, notify: Notify) {
        self.notify.store(notify.bits(), Ordering::Relaxed);
    }

    /// How much a slow subscriber may have waiting for it.
    pub(crate) fn subscriber_limit(&self) -> Limit {
        *self.subscriber_limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_subscriber_limit(&self, limit: Limit) {
        *self.subscriber_limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    pub(crate) fn upkeep(&self) -> Upkeep {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the settings of the upkeep, and hands what they are then to `apply`.
    pub(crate) fn set_upkeep(&self, change: impl FnOnce(&mut Upkeep), apply: impl FnOnce(&Upkeep)) {
        let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut upkeep);
        apply(&upkeep);
    }

    pub(crate) fn log_level(&self) -> String {
        self.log_level.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_log_level(&self, level: &str) {
        level.clone_into(&mut self.log_level.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// As `--sync` and `appendfsync` call it.
pub fn durability_name(sync: Durability) -> &'static str {
    match sync {
        Durability::Always => "always",
        Durability::EverySecond => "everysec",
        Durability::No => "no",
    }
}
