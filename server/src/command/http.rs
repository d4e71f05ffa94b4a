//! Web browsers that are made to talk to a database: a page can let them send it a form.
//!
//! What they send is HTTP, whose lines are read as commands. Redis hangs up on the first such line, before
//! those of the form come to be run.

use crate::clients::Client;
use crate::shared::Shared;
use bitmap_store::UnixMillis;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whoever keeps knocking does not fill the log.
const WARN_EVERY_MS: u64 = 60_000;

/// When a warning was logged last.
#[derive(Default)]
pub(crate) struct Warned(AtomicU64);

/// Whether the request is a line of HTTP.
pub(super) fn is_http(request: resp::Args<'_>) -> bool {
    let name = request.get(0).unwrap_or_default();
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Logs that `client` speaks HTTP, unless that was said within the last minute.
pub(super) fn warn(server: &Shared, client: &Client, now: UnixMillis) {
    if server.http_warned.is_due(now) {
        tracing::warn!(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands \
             to bitmapistd. This is likely due to an attacker attempting to use Cross Protocol Scripting \
             to compromise your instance. Connection from {} aborted.",
            client.addr
        );
    }
}

impl Warned {
    fn is_due(&self, now: UnixMillis) -> bool {
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
