//! An embedded key-value store in the manner of Bitcask: the log is the database.
//!
//! Every change is a record appended to the active *segment*; a full segment is sealed and never written
//! again. An in-memory *keydir*, an adaptive radix tree of about forty bytes per key, maps each key to
//! its newest record; it is rebuilt when the store is opened, from the segments or from their much
//! smaller *hint* files. Beyond the classic design:
//!
//! * **Durability is a promise.** Under [`Durability::Always`], the default, what [`Bitcask::durable`]
//!   has acknowledged is on disk; all who wait share one sync, and nobody's work stops meanwhile.
//! * **Batches are atomic**: after a crash all of a [`Batch`] is there, or none.
//! * **Small changes cost small writes.** A *delta* follows the key's previous record instead of
//!   replacing it; a [`Fold`] of the caller's brings them together. See [`Chain`].
//! * **The order of keys is there for free**: [`Bitcask::keys`] and [`Bitcask::entries`] serve prefixes and
//!   ranges in both directions, and hold up nobody.
//! * **A [`Snapshot`] costs next to nothing**, and a [`Transaction`] on it is serialisable; a single key has
//!   [`Bitcask::compare_and_swap`].
//! * **Readers open beside the writer**, without a lock and without a trace: [`Mode::ReadOnly`].
//! * **Values may be compressed** ([`Compression`]), each record saying how.
//! * **Other Bitcasks' directories** are read, imported and written: [`classic`]. Those of Basho's Bitcask and of
//!   pybitcask open in place.
//! * **Space comes back**: compaction ([`Bitcask::compact`], or in the background by [`Options::compaction`])
//!   moves what is alive together, at a bounded rate, while reads and writes go on.
//! * **Damage is never skipped silently.** Every read checks a CRC; opening refuses a damaged log and says
//!   where. Only a write that a crash cut short is cut off, and reported.
//! * **Files are behind a seam** ([`storage`]), and a simulated disk that loses, tears and refuses comes
//!   with the crate: test what you build on it as this crate is tested.
//!
//! The crate reads no clock: who writes says when, and who reads says what time it is. The one exception is
//! compaction in the background, which asks [`Options::clock`].
//!
//! # Examples
//! ```
//! use bitcask_core::{Batch, Bitcask, Options, UnixMillis};
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path().join("store");
//! let now = UnixMillis(1_700_000_000_000);
//! let store = Bitcask::open(&path, Options::default())?;
//! store.put(b"user:1", b"Ada", now)?;
//!
//! let mut batch = Batch::new(now);
//! batch.put(b"user:2", b"Grace", None);
//! batch.put(b"session:2", b"...", Some(UnixMillis(now.0 + 60_000)));
//! let committed = store.write(&mut batch)?;
//! store.wait_durable(committed.position())?;
//!
//! assert_eq!(store.get(b"user:2", now)?.as_deref(), Some(&b"Grace"[..]));
//! assert_eq!(store.get(b"session:2", UnixMillis(now.0 + 60_000))?, None);
//! store.close()?;
//!
//! let store = Bitcask::open(&path, Options::default())?;
//! assert_eq!((store.len(), &store.recovery().torn), (3, &None));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod classic;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod inspect;
pub mod keydir;
pub mod storage;

mod backup;
mod batch;
mod bitcask;
mod clock;
mod compaction;
mod compression;
mod counter;
mod delta;
mod durable;
mod error;
mod format;
mod housekeeping;
mod iter;
mod location;
mod log;
mod metadata;
mod options;
mod range;
mod recovery;
mod salvage;
#[cfg(all(test, shuttle))]
mod schedules;
mod snapshot;
mod stats;
mod store;
mod sync;
mod transaction;
mod verify;
mod view;

pub use backup::{AsOf, BackupReport, CopyProgress};
pub use batch::{Batch, RecordIndex};
pub use bitcask::{Bitcask, Committed};
pub use clock::{Clock, SystemClock, UnixMillis};
pub use compaction::{
    CompactionOptions, CompactionReport, Guard, Held, Progress, Reclaimable, Step, Thresholds,
    Triggers,
};
pub use compression::Compression;
pub use delta::{Chain, Fold};
pub use durable::{Durable, Position};
pub use error::Error;
pub use iter::{Entries, KeyValue, Keys};
pub use location::Location;
pub use metadata::Metadata;
pub use options::{Durability, Mode, Options};
pub use range::KeyRange;
pub use recovery::{RecoveryReport, TornTail};
pub use salvage::{Lost, SalvageReport};
pub use snapshot::Snapshot;
pub use stats::{SegmentStats, Stats};
pub use store::Entry;
pub use transaction::Transaction;
pub use verify::{Damage, Unfinished, VerifyProgress, VerifyReport};
