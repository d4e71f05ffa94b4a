//! Directories of other Bitcasks: reading them, taking them over, and writing one.
//!
//! [`Directory`] reads those of Basho's Bitcask and pybitcask, of bitgask, and of prologic/bitcask;
//! [`import()`] puts what lives in one into a store, [`import_to`] makes a store of it; [`export()`] writes a
//! store in Basho's layout. Those of Basho's Bitcask and pybitcask also open in place: see [`crate::Bitcask::open`].
//!
//! Within, `layout` tells the formats apart, `basho`, `bitgask` and `prologic` are the formats, and none of these do
//! any I/O; `scan` walks a file, `directory` knows which entries live. For opening in place, `adopted` is the list of
//! the files that have become segments, `adoption` makes and checks it, and `reading` gives their entries as
//! records.
//!
//! # Examples
//! ```
//! use bitcask_core::classic::{self, Directory, ExportOptions};
//! use bitcask_core::{Bitcask, Options, UnixMillis};
//! # let temporary = tempfile::tempdir()?;
//! # let (path, classic_path) = (temporary.path().join("store"), temporary.path().join("classic"));
//! let now = UnixMillis(1_700_000_000_000);
//! let store = Bitcask::open(&path, Options::default())?;
//! store.put(b"user:1", b"Ada", now)?;
//! let report = classic::export(&store, &classic_path, &ExportOptions::default(), now, &mut |_| {})?;
//! assert_eq!((report.entries, report.skipped), (1, 0));
//!
//! let directory = Directory::open(&classic_path, Default::default())?;
//! assert_eq!(directory.report().skipped, 0);
//! assert_eq!(directory.get(b"user:1")?.expect("it was exported").value, b"Ada");
//!
//! let copy = temporary.path().join("copy");
//! classic::import_to(&directory, &copy, Options::default(), now, &mut |_| {})?;
//! let copy = Bitcask::open(&copy, Options::default())?;
//! assert_eq!(copy.get(b"user:1", now)?.as_deref(), Some(&b"Ada"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod adopted;
pub(crate) mod adoption;
mod basho;
mod bitgask;
mod directory;
mod export;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod import;
mod layout;
mod prologic;
pub(crate) mod reading;
mod scan;
#[cfg(test)]
mod tests;

pub use directory::{Directory, DirectoryOptions, DirectoryReport, Entries, Entry, Place, Skipped};
pub use export::{ExportOptions, ExportReport, export};
pub use import::{ImportReport, import, import_to};
pub use layout::Layout;
