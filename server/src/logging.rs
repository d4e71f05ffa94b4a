//! What is logged: one line per event, to the standard error, at a level that can be changed.

use std::sync::OnceLock;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging for the whole process; later calls change nothing.
pub fn init(level: &str) {
    let (filter, handle) = reload::Layer::new(EnvFilter::new(level));
    let lines = fmt::layer().with_target(false).with_writer(std::io::stderr);
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Logs what is at least as important as `level`, from now on.
pub(crate) fn set_level(level: &str) {
    if let Some(filter) = FILTER.get() {
        let _ = filter.reload(EnvFilter::new(level));
    }
}

/// The level that Redis calls so.
pub(crate) fn from_redis_name(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "debug" | "verbose" => Some("debug"),
        "notice" => Some("info"),
        "warning" => Some("warn"),
        "nothing" => Some("off"),
        _ => None,
    }
}

/// What Redis calls a level of ours.
pub(crate) fn redis_name(level: &str) -> &'static str {
    match level {
        "trace" | "debug" => "debug",
        "info" => "notice",
        "off" => "nothing",
        _ => "warning",
    }
}
