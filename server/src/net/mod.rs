//! Sockets: who may connect, and the conversation with each who did.

mod address;
mod connection;
mod listener;

pub(crate) use listener::bind;
