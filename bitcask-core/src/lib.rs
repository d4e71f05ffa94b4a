//! An embedded key-value store in the manner of Bitcask: the log is the database.
pub mod bitcask;
pub mod keydir;
pub mod storage;
mod batch;
mod clock;
mod delta;
mod error;
mod location;
mod options;

pub use batch::{Batch, RecordIndex};
pub use bitcask::{Bitcask, Committed, Durable, Entry, Position};
pub use clock::UnixMillis;
pub use delta::{Chain, Fold};
pub use error::Error;
pub use location::Location;
pub use options::{Durability, Options};
