//! Warnings that are said once in a while, however often there is cause.

use bitmap_store::UnixMillis;
use std::sync::atomic::{AtomicU64, Ordering};

const WARN_EVERY_MS: u64 = 60_000;

/// When a warning was logged last.
#[derive(Default)]
pub(crate) struct Warned(AtomicU64);

impl Warned {
    /// Whether it is to be logged again: at most once a minute.
    pub(crate) fn is_due(&self, now: UnixMillis) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let due = last == 0 || now.0.saturating_sub(last) >= WARN_EVERY_MS;
        // Of several that come at once, one warns.
        due && self.0.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_once_a_minute() {
        let warned = Warned::default();
        for (now, due) in [(1_000_000, true), (1_059_999, false), (1_060_000, true), (5, false)] {
            assert_eq!(warned.is_due(UnixMillis(now)), due, "{now}");
        }
    }
}
