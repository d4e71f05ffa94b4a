//! End-to-end tests: one binary, so that they are linked once.
#![allow(clippy::disallowed_methods)] // looks at the server's files from outside

mod backup;
mod commands;
mod config;
mod crash;
mod damage;
mod expiry;
mod limits;
mod persistence;
mod protocol;
mod pubsub;
mod watch;
