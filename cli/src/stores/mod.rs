//! The three kinds of things that hold keys, as commands on keys see them.

mod keyspace;
mod log;
mod server;

pub use keyspace::KeyspaceStore;
pub use log::LogStore;
pub use server::{Connection, ServerStore};

use crate::exit::Failure;
use crate::report::Report;
use bitcask_core::UnixMillis;
use bitmap_store::Glob;
use std::ops::ControlFlow;

/// The value of a key.
pub struct Value {
    pub bytes: Vec<u8>,
    pub expires_at: Option<UnixMillis>,
}

/// Which keys to go through.
#[derive(Default)]
pub struct Selection {
    /// The first key that may come …
    pub from: Vec<u8>,
    /// … and the first beyond.
    pub to: Option<Vec<u8>>,
    pub glob: Option<Glob>,
    pub reverse: bool,
    /// Whether values are wanted, too.
    pub values: bool,
}

impl Selection {
    /// Whether a key that lies between the bounds is one of those.
    pub fn matches(&self, key: &[u8]) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.matches(key))
    }

    pub fn is_within(&self, key: &[u8]) -> bool {
        key >= &self.from[..] && self.to.as_ref().is_none_or(|to| key < &to[..])
    }

    /// Whether no key can be meant.
    pub fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }
}

/// Takes a key, with its value if that is wanted, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], Option<Value>) -> Result<ControlFlow<()>, Failure> + 'a;

/// Something that holds keys. What has expired is not there.
pub trait Store {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Failure>;
    /// What is known of a key beside its value.
    fn describe(&mut self, key: &[u8]) -> Result<Option<Report>, Failure>;
    fn exists(&mut self, key: &[u8]) -> Result<bool, Failure>;
    /// Durable when this returns; so is [`Store::delete`].
    fn put(&mut self, key: &[u8], value: &[u8], ttl_ms: Option<u64>) -> Result<(), Failure>;
    /// Says how many of the keys were there.
    fn delete(&mut self, keys: &[Vec<u8>]) -> Result<u64, Failure>;
    /// Goes through keys, in byte order.
    fn each(&mut self, selection: &Selection, visit: &mut Visit<'_>) -> Result<(), Failure>;
    fn close(self: Box<Self>) -> Result<(), Failure>;
}
