//! Large replies that clients are slow to take: each is in memory until it is written.

use crate::config::Settings;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All clients' large replies together may take so many times what one client's may.
const CLIENTS: usize = 2;
/// Smaller ones are not counted: they are nobody's trouble, and in nobody's way when others are.
const COUNTED_BYTES: usize = 1 << 20;

/// Bytes of large replies that are being written.
#[derive(Default)]
pub(crate) struct LargeReplies(AtomicUsize);

/// The share of one reply, until it is dropped.
pub(super) struct Held<'a> {
    all: &'a LargeReplies,
    bytes: usize,
}

impl LargeReplies {
    /// Counts a reply; an error if there are too many others: then its client is to be closed.
    pub(super) fn hold(&self, bytes: usize, settings: &Settings) -> io::Result<Held<'_>> {
        let bytes = if bytes < COUNTED_BYTES { 0 } else { bytes };
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { all: self, bytes };
        let limit = settings.output_buffer_bytes().saturating_mul(CLIENTS);
        if bytes == 0 || before == 0 || before + bytes <= limit {
            return Ok(held);
        }
        tracing::warn!(
            bytes,
            others = before,
            "closing a client: large replies to other clients, which are slow to take them, leave no \
             room for its own"
        );
        Err(io::Error::other("too many large replies"))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
