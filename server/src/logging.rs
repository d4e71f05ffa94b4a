//! What is logged: one line per event, to the standard error, at a level that can be changed.

use std::io::IsTerminal;
use std::panic;
use std::sync::OnceLock;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging for the whole process, panics included; later calls change nothing.
pub fn init(level: &str) {
    let (filter, handle) = reload::Layer::new(EnvFilter::new(level));
    let lines = fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter).with(lines);
    if registry.try_init().is_ok() {
        let _ = FILTER.set(handle);
        panic::set_hook(Box::new(log_panic));
    }
}

/// A panic ends the command it happens in, not the server, so it is an event like others.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or_default();
    tracing::error!(place, what, "panic");
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
