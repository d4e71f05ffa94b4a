//! What the operator must hear of the log, though each client is told of it, too.

use crate::command::CommandError;
use crate::warned::Warned;
use bitmap_store::UnixMillis;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the log takes writes.
#[derive(Default)]
pub(crate) struct Trouble {
    refused: AtomicBool,
    refused_warned: Warned,
    taken_warned: Warned,
    damage_warned: Warned,
}

impl Trouble {
    /// Looks at an error that a client is told: whether it is one of the log's.
    pub(crate) fn note(&self, error: &CommandError, now: UnixMillis) {
        match error.code() {
            CommandError::REFUSED => {
                self.refused.store(true, Ordering::Relaxed);
                if self.refused_warned.is_due(now) {
                    tracing::warn!(reply = %error.0, "the log refuses writes");
                }
            }
            CommandError::DAMAGED if self.damage_warned.is_due(now) => {
                tracing::warn!(reply = %error.0, "a record cannot be read");
            }
            _ => {}
        }
    }

    /// The log took a write.
    pub(crate) fn is_over(&self, now: UnixMillis) {
        if self.refused.load(Ordering::Relaxed)
            && self.refused.swap(false, Ordering::Relaxed)
            && self.taken_warned.is_due(now)
        {
            tracing::info!("the log takes writes again");
        }
    }

    /// As `INFO` says it.
    pub(crate) fn status(&self) -> &'static str {
        if self.refused.load(Ordering::Relaxed) { "err" } else { "ok" }
    }
}
