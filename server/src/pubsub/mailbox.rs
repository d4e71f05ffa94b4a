//! The messages that one client has not been sent yet, and how many of them there may be.

use super::message::{Letter, Message};
use crate::clients::{Client, Wish};
use bitmap_store::UnixMillis;
use resp::Protocol;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much a slow subscriber may have waiting for it; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// More than this at any time is too much.
    pub hard_bytes: usize,
    /// More than this …
    pub soft_bytes: usize,
    /// … for so long is, too.
    pub soft_seconds: u64,
}

impl Default for Limit {
    /// As in Redis: 32 MiB, or 8 MiB for a minute.
    fn default() -> Self {
        Limit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_seconds: 60 }
    }
}

/// Where publishers leave messages for one client.
pub(crate) struct Mailbox {
    client: Arc<Client>,
    resp3: AtomicBool,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Since when there is more than the soft limit.
    over_since: Option<UnixMillis>,
    /// There was too much: nothing is taken any more, and the client is being closed.
    closed: bool,
}

impl Mailbox {
    pub(crate) fn new(client: Arc<Client>, protocol: Protocol) -> Self {
        let resp3 = AtomicBool::new(protocol == Protocol::Resp3);
        Mailbox { client, resp3, contents: Mutex::default() }
    }

    pub(crate) fn client_id(&self) -> u64 {
        self.client.id
    }

    /// What comes from now on is for this protocol.
    pub(crate) fn speak(&self, protocol: Protocol) {
        self.resp3.store(protocol == Protocol::Resp3, Ordering::Relaxed);
    }

    /// Leaves a message, and wakes the connection. False if that was too much: the client is to be closed.
    pub(super) fn post(&self, message: &Message, limit: Limit, now: UnixMillis) -> bool {
        let resp3 = self.resp3.load(Ordering::Relaxed);
        let letter = message.addressed(if resp3 { Protocol::Resp3 } else { Protocol::Resp2 });
        let mut contents = self.lock();
        if contents.closed {
            return true;
        }
        contents.bytes += letter.weight();
        contents.letters.push_back(letter);
        if contents.is_too_much(limit, now) {
            self.close(contents);
            return false;
        }
        self.show(&contents);
        let first = contents.letters.len() == 1;
        drop(contents);
        if first {
            self.client.wake();
        }
        true
    }

    /// Looks whether there has been more than the soft limit for too long. False if so: the client is to be
    /// closed.
    pub(super) fn check(&self, limit: Limit, now: UnixMillis) -> bool {
        let mut contents = self.lock();
        if contents.closed || !contents.is_too_much(limit, now) {
            return true;
        }
        self.close(contents);
        false
    }

    /// Lets go of everything, and has the connection closed.
    fn close(&self, mut contents: MutexGuard<'_, Contents>) {
        *contents = Contents { closed: true, ..Contents::default() };
        self.show(&contents);
        drop(contents);
        self.client.wish(Wish::Kill);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().letters.is_empty()
    }

    /// Takes the oldest messages: at least one, if there is any, and then up to `bytes`.
    pub(crate) fn take(&self, bytes: usize) -> Vec<Letter> {
        let mut contents = self.lock();
        let (mut count, mut weight) = (0, 0);
        while let Some(letter) = contents.letters.get(count)
            && (count == 0 || weight + letter.weight() <= bytes)
        {
            weight += letter.weight();
            count += 1;
        }
        let taken = contents.letters.drain(..count).collect();
        contents.bytes -= weight;
        if contents.letters.is_empty() {
            // A burst does not keep its memory for good.
            contents.letters = VecDeque::new();
        }
        self.show(&contents);
        taken
    }

    /// For `CLIENT LIST`.
    fn show(&self, contents: &Contents) {
        let view = &self.client.view;
        view.mail_count.store(contents.letters.len(), Ordering::Relaxed);
        view.mail_bytes.store(contents.bytes, Ordering::Relaxed);
    }

    /// This lock guards a plain value: a panic while it was held leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn is_too_much(&mut self, limit: Limit, now: UnixMillis) -> bool {
        if limit.soft_bytes == 0 || self.bytes <= limit.soft_bytes {
            self.over_since = None;
        } else {
            let since = *self.over_since.get_or_insert(now);
            if now.0.saturating_sub(since.0) / 1000 > limit.soft_seconds {
                return true;
            }
        }
        limit.hard_bytes != 0 && self.bytes > limit.hard_bytes
    }
}
