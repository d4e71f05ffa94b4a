//! What one client listens to.

use super::{Kind, Letter, Mailbox, PubSub};
use crate::clients::Client;
use resp::Protocol;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The subscriptions of a connection, made with the first of them. They end with [`Subscriptions::end`].
pub(crate) struct Subscriptions {
    mailbox: Arc<Mailbox>,
    client: Arc<Client>,
    /// By kind.
    names: [BTreeSet<Arc<[u8]>>; 3],
}

impl Subscriptions {
    pub(crate) fn new(client: &Arc<Client>, protocol: Protocol) -> Self {
        let mailbox = Arc::new(Mailbox::new(Arc::clone(client), protocol));
        Subscriptions { mailbox, client: Arc::clone(client), names: Default::default() }
    }

    /// Begins a subscription, unless there is one already.
    pub(crate) fn add(&mut self, pubsub: &PubSub, kind: Kind, name: &[u8]) {
        if !self.names[kind as usize].contains(name) {
            let kept = pubsub.add(kind, name, &self.mailbox);
            self.names[kind as usize].insert(kept);
            self.show();
        }
    }

    /// Ends a subscription, if there is one.
    pub(crate) fn remove(&mut self, pubsub: &PubSub, kind: Kind, name: &[u8]) {
        if self.names[kind as usize].remove(name) {
            pubsub.remove(kind, name, &self.mailbox);
            self.show();
        }
    }

    /// Ends all.
    pub(crate) fn end(&mut self, pubsub: &PubSub) {
        for kind in Kind::ALL {
            for name in std::mem::take(&mut self.names[kind as usize]) {
                pubsub.remove(kind, &name, &self.mailbox);
            }
        }
        self.show();
    }

    /// The names of one kind, in byte order.
    pub(crate) fn names(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// As confirmations count them: channels and patterns together, those of shards apart.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let len = |kind: Kind| self.names[kind as usize].len();
        match kind {
            Kind::Channel | Kind::Pattern => len(Kind::Channel) + len(Kind::Pattern),
            Kind::Shard => len(Kind::Shard),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }

    pub(crate) fn has_mail(&self) -> bool {
        !self.mailbox.is_empty()
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Everything that was published so far and not sent yet.
    pub(crate) fn take_all(&self) -> Vec<Letter> {
        self.mailbox.take(usize::MAX)
    }

    /// For `CLIENT LIST`.
    fn show(&self) {
        for kind in Kind::ALL {
            let count = self.names[kind as usize].len();
            self.client.view.subscriptions[kind as usize].store(count, Ordering::Relaxed);
        }
    }
}
