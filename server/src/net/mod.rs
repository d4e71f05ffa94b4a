//! Sockets: who may connect, and the conversation with each who did.

mod address;
mod connection;
mod large;
mod listener;

pub(crate) use large::LargeReplies;
pub(crate) use listener::bind;
