//! Who listens to what. One lock, held while a message is put into mailboxes: so all who hear two messages
//! hear them in the same order.

use super::mailbox::{Limit, Mailbox};
use super::{Kind, Message};
use bitmap_store::{Glob, Position, UnixMillis};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All subscriptions of a server.
#[derive(Default)]
pub(crate) struct PubSub {
    /// Subscriptions of all kinds: while there is none, publishing costs one look at this.
    count: AtomicUsize,
    registry: Mutex<Registry>,
    /// Clients that were closed because they were too slow.
    closed: AtomicU64,
}

/// By the ids of their clients.
type Listeners = BTreeMap<u64, Arc<Mailbox>>;

#[derive(Default)]
struct Registry {
    channels: HashMap<Arc<[u8]>, Listeners>,
    shards: HashMap<Arc<[u8]>, Listeners>,
    /// In byte order, in which a client hears a message that several of its patterns match.
    patterns: BTreeMap<Arc<[u8]>, (Glob, Listeners)>,
}

impl PubSub {
    /// Subscribes a client, who is not subscribed to the same yet; returns the name as it is kept.
    pub(super) fn add(&self, kind: Kind, name: &[u8], mailbox: &Arc<Mailbox>) -> Arc<[u8]> {
        let mut registry = self.lock();
        let (kept, listeners) = match kind {
            Kind::Pattern => {
                let kept = match registry.patterns.get_key_value(name) {
                    Some((kept, _)) => Arc::clone(kept),
                    None => Arc::from(name),
                };
                let made = || (Glob::new(name), Listeners::new());
                let (_, listeners) =
                    registry.patterns.entry(Arc::clone(&kept)).or_insert_with(made);
                (kept, listeners)
            }
            Kind::Channel | Kind::Shard => {
                let channels = registry.channels(kind);
                let kept = match channels.get_key_value(name) {
                    Some((kept, _)) => Arc::clone(kept),
                    None => Arc::from(name),
                };
                let listeners = channels.entry(Arc::clone(&kept)).or_default();
                (kept, listeners)
            }
        };
        let before = listeners.insert(mailbox.client_id(), Arc::clone(mailbox));
        debug_assert!(before.is_none(), "a client subscribes to the same once");
        self.count.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// Ends a subscription. When this returns, nothing is put into the mailbox on its account any more.
    pub(super) fn remove(&self, kind: Kind, name: &[u8], mailbox: &Mailbox) {
        let mut registry = self.lock();
        let id = mailbox.client_id();
        let removed = match kind {
            Kind::Pattern => {
                let Some((_, listeners)) = registry.patterns.get_mut(name) else { return };
                let removed = listeners.remove(&id);
                if listeners.is_empty() {
                    registry.patterns.remove(name);
                }
                removed
            }
            Kind::Channel | Kind::Shard => {
                let channels = registry.channels(kind);
                let Some(listeners) = channels.get_mut(name) else { return };
                let removed = listeners.remove(&id);
                if listeners.is_empty() {
                    channels.remove(name);
                }
                removed
            }
        };
        if removed.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many would hear a message, a client counting for each of its subscriptions that match.
    pub(crate) fn receivers(&self, kind: Kind, channel: &[u8]) -> usize {
        if self.is_idle() {
            return 0;
        }
        let mut registry = self.lock();
        let direct = registry.channels(kind).get(channel).map_or(0, Listeners::len);
        let by_pattern: usize = match kind {
            Kind::Shard => 0,
            _ => registry.matching(channel).map(|(_, listeners)| listeners.len()).sum(),
        };
        direct + by_pattern
    }

    /// Puts a message into the mailboxes of all who listen. It is sent once the log is durable up to
    /// `position`. Waits for nobody but others who publish or subscribe just now.
    pub(crate) fn publish(
        &self,
        kind: Kind,
        channel: &[u8],
        text: &[u8],
        position: Position,
        limit: Limit,
        now: UnixMillis,
    ) {
        if self.is_idle() {
            return;
        }
        let mut closed = Vec::new();
        let mut deliver = |message: &Message, listeners: &Listeners| {
            let slow = listeners.iter().filter(|(_, mailbox)| !mailbox.post(message, limit, now));
            closed.extend(slow.map(|(id, _)| *id));
        };
        let mut registry = self.lock();
        if let Some(listeners) = registry.channels(kind).get(channel) {
            deliver(&Message::to_channel(kind, channel, text, position), listeners);
        }
        if kind != Kind::Shard {
            for (pattern, listeners) in registry.matching(channel) {
                deliver(&Message::to_pattern(pattern, channel, text, position), listeners);
            }
        }
        drop(registry);
        self.tell_of(&closed);
    }

    /// Closes the clients that have been over the soft limit for too long.
    pub(crate) fn close_slow(&self, limit: Limit, now: UnixMillis) {
        if self.is_idle() {
            return;
        }
        let mut closed = Vec::new();
        let registry = self.lock();
        let listeners = registry
            .channels
            .values()
            .chain(registry.shards.values())
            .chain(registry.patterns.values().map(|(_, listeners)| listeners));
        for (id, mailbox) in listeners.flatten() {
            if !mailbox.check(limit, now) {
                closed.push(*id);
            }
        }
        drop(registry);
        self.tell_of(&closed);
    }

    fn tell_of(&self, closed: &[u64]) {
        for id in closed {
            self.closed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                id,
                "closing a subscriber: what it did not read exceeds client-output-buffer-limit"
            );
        }
    }

    /// How many clients were closed because they were too slow.
    pub(crate) fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset_stat(&self) {
        self.closed.store(0, Ordering::Relaxed);
    }

    /// Channels that somebody listens to by name, all or those of a pattern, in byte order.
    pub(crate) fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let glob = pattern.map(|pattern| (pattern, Glob::new(pattern)));
        let wanted = |name: &&Arc<[u8]>| {
            glob.as_ref().is_none_or(|(pattern, glob)| matches(pattern, glob, name))
        };
        let mut registry = self.lock();
        let mut names: Vec<Arc<[u8]>> =
            registry.channels(kind).keys().filter(wanted).cloned().collect();
        names.sort_unstable();
        names
    }

    /// How many listen to a channel by its name.
    pub(crate) fn listeners(&self, kind: Kind, channel: &[u8]) -> usize {
        self.lock().channels(kind).get(channel).map_or(0, Listeners::len)
    }

    /// How many channels, or patterns, somebody listens to.
    pub(crate) fn len(&self, kind: Kind) -> usize {
        let registry = self.lock();
        match kind {
            Kind::Channel => registry.channels.len(),
            Kind::Pattern => registry.patterns.len(),
            Kind::Shard => registry.shards.len(),
        }
    }

    /// Whether nobody listens to anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// This lock guards plain values: a panic while it was held leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a channel is one of a pattern. As in Redis, the channel without a name is that of the pattern without one
/// only: `*` stands for nothing only beside something.
fn matches(pattern: &[u8], glob: &Glob, channel: &[u8]) -> bool {
    if channel.is_empty() { pattern.is_empty() } else { glob.matches(channel) }
}

impl Registry {
    /// Those of one namespace.
    fn channels(&mut self, kind: Kind) -> &mut HashMap<Arc<[u8]>, Listeners> {
        match kind {
            Kind::Shard => &mut self.shards,
            Kind::Channel | Kind::Pattern => &mut self.channels,
        }
    }

    fn matching<'r>(
        &'r self,
        channel: &'r [u8],
    ) -> impl Iterator<Item = (&'r Arc<[u8]>, &'r Listeners)> {
        let matches = move |(pattern, (glob, _)): &(&Arc<[u8]>, &(Glob, Listeners))| {
            matches(pattern, glob, channel)
        };
        self.patterns.iter().filter(matches).map(|(pattern, (_, listeners))| (pattern, listeners))
    }
}
