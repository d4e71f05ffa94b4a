//! The state of one connection that its commands see and change.

use crate::clients::Client;
use crate::command::{CommandId, Queue};
use crate::pubsub::{Letter, PubSub, Subscriptions};
use crate::stats::Lookups;
use crate::waiting::Wait;
use bitmap_store::{Db, UnixMillis, Watch};
use resp::Protocol;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One connection's protocol, database, transaction and wishes.
pub(crate) struct Session {
    /// What other connections may see of it.
    pub client: Arc<Client>,
    pub protocol: Protocol,
    pub db: Db,
    pub queue: Queue,
    pub reply_mode: ReplyMode,
    pub last_command: CommandId,
    /// The command that runs is called by a script.
    pub in_script: bool,
    pub lookups: Lookups,
    /// Close the connection once the replies so far are written.
    pub close: bool,
    /// Wait so long before the reply is sent (`DEBUG SLEEP`).
    pub delay: Option<Duration>,
    /// While there are any.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// What was published before the command that has just been run ended a subscription: it is sent before
    /// the reply.
    pub earlier: Vec<Letter>,
    /// The command that has just been run waits for a key.
    pub wait: Option<Wait>,
    watched: Vec<Watched>,
    touched: Arc<AtomicBool>,
}

/// A key under `WATCH`.
pub(crate) struct Watched {
    pub db: Db,
    pub key: Box<[u8]>,
    /// Unregisters when dropped, which takes the key's lock.
    pub registration: Watch,
}

impl Session {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Session {
            client,
            protocol: Protocol::default(),
            db: Db::default(),
            queue: Queue::default(),
            reply_mode: ReplyMode::On,
            last_command: CommandId(0),
            in_script: false,
            lookups: Lookups::default(),
            close: false,
            delay: None,
            subscriptions: None,
            earlier: Vec::new(),
            wait: None,
            watched: Vec::new(),
            touched: Arc::default(),
        }
    }

    /// Adds a registered watch.
    pub(crate) fn watch(&mut self, db: Db, key: &[u8], registration: Watch) {
        self.watched.push(Watched { db, key: key.into(), registration });
    }

    pub(crate) fn is_watching(&self, db: Db, key: &[u8]) -> bool {
        self.watched.iter().any(|watched| watched.db == db && *watched.key == *key)
    }

    /// The flag that a change of a watched key sets.
    pub(crate) fn touched_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.touched)
    }

    /// The watched keys, to be checked once they are locked.
    pub(crate) fn take_watched(&mut self) -> Vec<Watched> {
        std::mem::take(&mut self.watched)
    }

    /// Forgets all watched keys, and that any was touched.
    pub(crate) fn unwatch(&mut self) {
        self.watched.clear();
        // A flag that was set, or that a registration still holds, is left to whoever holds it.
        if self.touched.load(Ordering::Relaxed) {
            self.touched = Arc::default();
        }
    }

    /// The subscriptions, to which one is about to be added.
    pub(crate) fn subscriptions(&mut self) -> &mut Subscriptions {
        let (client, protocol) = (&self.client, self.protocol);
        self.subscriptions.get_or_insert_with(|| Box::new(Subscriptions::new(client, protocol)))
    }

    /// Some subscriptions have ended: what was published on their account comes before whatever is said next.
    pub(crate) fn after_unsubscribing(&mut self) {
        if let Some(subscriptions) = &self.subscriptions {
            self.earlier.extend(subscriptions.take_all());
            if subscriptions.is_empty() {
                self.subscriptions = None;
            }
        }
    }

    /// In RESP2 a client that is subscribed may do little else: a message and a reply look the same.
    pub(crate) fn is_confined(&self) -> bool {
        self.subscriptions.is_some() && self.protocol == Protocol::Resp2
    }

    /// `HELLO`: what was published before is in the former protocol, and is sent in it.
    pub(crate) fn speak(&mut self, protocol: Protocol) {
        if self.protocol == protocol {
            return;
        }
        self.protocol = protocol;
        if let Some(subscriptions) = &self.subscriptions {
            subscriptions.mailbox().speak(protocol);
            self.earlier.extend(subscriptions.take_all());
        }
    }

    /// Ends all subscriptions.
    pub(crate) fn unsubscribe(&mut self, pubsub: &PubSub) {
        if let Some(subscriptions) = &mut self.subscriptions {
            subscriptions.end(pubsub);
            self.after_unsubscribing();
        }
    }

    /// `RESET`: as a new connection.
    pub(crate) fn reset(&mut self, pubsub: &PubSub) {
        self.unsubscribe(pubsub);
        self.queue.close();
        self.unwatch();
        self.protocol = Protocol::default();
        self.db = Db::default();
        self.reply_mode = ReplyMode::On;
        self.client.reset();
    }

    /// Tells the registry of clients how this connection stands.
    pub(crate) fn publish(&self, now: UnixMillis, query_bytes: usize, output_bytes: usize) {
        let view = &self.client.view;
        view.active_at.store(now.0, Ordering::Relaxed);
        view.command.store(u32::from(self.last_command.0), Ordering::Relaxed);
        view.db.store(u32::from(self.db.0), Ordering::Relaxed);
        let resp = if self.protocol == Protocol::Resp3 { 3 } else { 2 };
        view.resp.store(resp, Ordering::Relaxed);
        let multi = if self.queue.is_open() { self.queue.len() as i64 } else { -1 };
        view.multi.store(multi, Ordering::Relaxed);
        view.multi_bytes.store(self.queue.bytes(), Ordering::Relaxed);
        view.watched.store(self.watched.len(), Ordering::Relaxed);
        view.query_bytes.store(query_bytes, Ordering::Relaxed);
        view.output_bytes.store(output_bytes, Ordering::Relaxed);
    }
}

/// Which replies the client wants (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    On,
    Off,
    /// `CLIENT REPLY SKIP` was just run: neither it nor the next command is answered.
    SkipNext,
    /// This command is not answered.
    Skipping,
}

impl ReplyMode {
    pub(crate) fn begin_command(&mut self) {
        if *self == ReplyMode::SkipNext {
            *self = ReplyMode::Skipping;
        }
    }

    /// Whether the reply of the command that ends is to be dropped.
    pub(crate) fn end_command(&mut self) -> bool {
        match *self {
            ReplyMode::On => false,
            ReplyMode::Off | ReplyMode::SkipNext => true,
            ReplyMode::Skipping => {
                *self = ReplyMode::On;
                true
            }
        }
    }
}
