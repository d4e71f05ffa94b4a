//! Time as the store knows it: an argument. Only here is a clock read, for compaction in the background.

use std::fmt::Debug;
use std::time::Duration;

/// Milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The hour of the day, 0 to 23, in UTC.
    pub(crate) fn hour(self) -> u8 {
        (self.0 / 3_600_000 % 24) as u8
    }
}

/// What compaction in the background knows of time: see [`crate::Options::clock`].
pub trait Clock: Send + Sync + Debug {
    /// What time it is.
    fn now(&self) -> UnixMillis;
    /// Waits so long: how compaction keeps to its rate.
    fn sleep(&self, duration: Duration);
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        #[allow(clippy::disallowed_methods)] // the one place that asks for the time
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
