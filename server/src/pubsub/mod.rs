//! Publish and subscribe: who listens to what, and how a message gets to them.
//!
//! A publisher puts a message into the mailbox of everybody who listens and goes on; each connection empties
//! its own mailbox between two commands, so that a message never stands inside of a reply. A mailbox that its
//! client is too slow to empty is closed, and the client with it, as in Redis.

mod mailbox;
mod message;
mod registry;
mod subscriptions;

pub use mailbox::Limit;
pub(crate) use mailbox::Mailbox;
pub(crate) use message::{Letter, Message, confirmation};
pub(crate) use registry::PubSub;
pub(crate) use subscriptions::Subscriptions;

/// What a client subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A channel by its name.
    Channel,
    /// All channels whose names match a pattern.
    Pattern,
    /// A channel of a shard, which in a cluster would stay within it: a namespace of its own.
    Shard,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];
}

#[cfg(test)]
mod tests;
