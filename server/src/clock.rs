//! The one place where the server reads clocks and takes its randomness; all else is given them.

use bitmap_store::UnixMillis;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of day.
#[allow(clippy::disallowed_methods)] // this is the module that reads it
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Microseconds since 1970-01-01 00:00 UTC.
pub(crate) fn unix_micros() -> u64 {
    wall().as_micros() as u64
}

/// Milliseconds since 1970-01-01 00:00 UTC.
pub(crate) fn now() -> UnixMillis {
    UnixMillis(wall().as_millis() as u64)
}

/// A number that nobody can foresee.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(unix_micros())
}

/// The time within a batch of commands: the wall clock is read once, then only a cheap one, once per
/// command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Duration,
    started: Instant,
    lap: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        Clock { wall: wall(), started, lap: started }
    }

    /// The time when the current lap began.
    pub(crate) fn now(&self) -> UnixMillis {
        UnixMillis((self.wall + (self.lap - self.started)).as_millis() as u64)
    }

    /// Ends a lap and says how long it was.
    pub(crate) fn lap_nanos(&mut self) -> u64 {
        let now = Instant::now();
        let nanos = (now - self.lap).as_nanos() as u64;
        self.lap = now;
        nanos
    }
}

/// Milliseconds since this was first asked; it does not jump.
pub(crate) fn uptime_millis() -> u64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
}
