//! Commands and their replies, family by family, written out as in Redis 7.
//!
//! With `BITMAPISTD=/usr/bin/redis-server` the same scripts run against Redis.

mod bitmap;
mod bitraft;
mod connection;
mod dump;
mod expire;
mod hash;
mod hyperloglog;
mod keys;
mod list;
mod script;
mod server;
mod set;
mod sort;
mod string;
mod transaction;
mod zset;

use tests::{Client, DataDir, Server};

/// A fresh server and a client of it.
pub(crate) fn fresh() -> (DataDir, Server, Client) {
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let client = server.client();
    (dir, server, client)
}

/// Runs a script on a fresh server.
pub(crate) fn talk(script: &str) {
    let (_dir, _server, mut client) = fresh();
    client.talk(script);
}
