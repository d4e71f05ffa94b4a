//! An embedded keyspace as Redis has it, on disk: strings, and bitmaps that are kept compressed.
//!
//! A [`Keyspace`] is sixteen numbered databases of keys over a `bitcask-core` log. A bitmap is a string to whoever
//! reads it, bit 0 being the most significant bit of its first byte; it is kept as a Roaring bitmap, a
//! large one in pages of at most 64 KiB, of which those used last are in memory, within a budget. A change of
//! one bit costs some sixty bytes in the log.
//!
//! Commands run in a [`Transaction`] on the keys that it locks. It sees its own changes at once; others see
//! all of them, or none, and so does the next process after a crash. The crate reads no clock and no
//! random numbers: both are arguments, so that the same commands give the same contents anywhere.
//!
//! # Examples
//! ```
//! use bitmap_store::{Db, Keyspace, Options, UnixMillis};
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path().join("data");
//! let keyspace = Keyspace::open(&path, Options::default())?;
//! let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
//! let (may, june) = (&b"active:2024-05"[..], &b"active:2024-06"[..]);
//!
//! let mut transaction = keyspace.begin([(db, may), (db, june)], now);
//! for user in [3, 70_000, 4_000_000_000] {
//!     transaction.set_bit(db, may, user, true)?;
//! }
//! transaction.set_bit(db, june, 70_000, true)?;
//! let position = transaction.commit()?;
//! keyspace.wait_durable(position)?; // on disk from here on
//!
//! let mut transaction = keyspace.begin([(db, may)], now);
//! assert_eq!(transaction.count_bits(db, may, 0..1 << 32)?, 3);
//! assert!(transaction.get_bit(db, may, 70_000)?);
//! drop(transaction);
//! keyspace.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bitmap;
mod cache;
mod collection;
mod cursor;
mod db;
mod derivation;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod glob;
mod hyperloglog;
mod inspect;
mod keyspace;
mod kind;
mod layout;
mod letting_go;
pub mod rdb;
mod record;
mod scan;
mod split;
mod stripe;
mod strtod;
mod text;
mod touched;
mod transaction;
mod value;
mod watch;

pub use bitcask_core::Error as StorageError;
pub use bitcask_core::{
    CompactionOptions, CompactionReport, Compression, Durability, Durable, Position, Progress,
    Reclaimable, RecoveryReport, TornTail, UnixMillis, storage,
};
pub use bitmap::ops::BitOp;
pub use bytes::Bytes;
pub use db::{DATABASES, Db, MAX_KEY_BYTES, MAX_VALUE_BYTES};
pub use error::Error;
pub use glob::Glob;
pub use inspect::{fold, is_keyspace};
pub use keyspace::{Keyspace, Options, Sizes, Stats};
pub use kind::{Encoding, Kind};
pub use scan::Reclaimed;
#[doc(hidden)]
pub use strtod::{Number, strtod};
pub use transaction::{
    End, Inserted, Listing, Pair, Pattern, Search, SetOp, Sort, SortBy, Transaction, Visit,
    ZsetAdded, ZsetAggregate, ZsetOp, ZsetRange, ZsetRule,
};
pub use watch::Watch;
