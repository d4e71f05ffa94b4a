//! The seam between the engine and files: two small traits, and nothing else touches a disk.
//!
//! [`disk`] is the real thing; [`sim`] loses, tears and refuses from a seed, so that the crash tests
//! run the very same engine. The contracts below are what the engine relies on, and all it relies on.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub mod disk;
mod mmap;
pub mod sim;
pub(crate) mod staged;

/// A directory of files, flat: names contain no separator.
///
/// A created, renamed or removed entry is durable only after [`Dir::sync`].
pub trait Dir: Send + Sync + Debug {
    /// Where the directory is, for messages.
    fn path(&self) -> &Path;
    /// The names of all files, in no particular order; directories are none.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Creates `name` for reading and writing; an existing file is [`io::ErrorKind::AlreadyExists`].
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Opens the existing file `name`, for reading only or for reading and writing. What is opened for reading only stays as
    /// it is when it is removed: see [`File::cut_unnamed`].
    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn File>>;
    /// The permission bits of the file `name`, as UNIX counts them.
    fn mode(&self, name: &str) -> io::Result<u32>;
    /// Renames `from` to `to`, replacing it: after a crash `to` is wholly the old or the new file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes `name` another name of the file `source_name` of `source`, whose bytes must no longer change.
    /// [`io::ErrorKind::Unsupported`], or whatever the system says, if the two have no files in common.
    fn link(&self, name: &str, source: &dyn Dir, source_name: &str) -> io::Result<()> {
        let _ = (name, source, source_name);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Removes `name`. Open handles and mappings stay valid.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes created, renamed and removed entries durable.
    fn sync(&self) -> io::Result<()>;
    /// A number that nobody who is served from the directory can foresee.
    fn random(&self) -> u64;
    /// Takes the exclusive lock of file `name` (made if missing), or says `None` if another holds it.
    /// The lock goes with the returned value, or with the process.
    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>>;
}

/// An open file. Positions are explicit; reads and writes may be short, as the system's are.
pub trait File: Send + Sync + Debug {
    /// Reads into `buf` from `offset`; returns how many bytes, 0 only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes from `buf` at `offset`; returns how many bytes were taken, at least 1 unless `buf` is empty.
    /// Durable only after [`File::sync_data`].
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    /// Current length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts or extends (with zeros) to `len` bytes.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reserves space for `len` bytes from `offset`, extending the file with zeros if it is shorter: a later
    /// write there does not run out of space. [`io::ErrorKind::StorageFull`] if there is none.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Makes everything written so far, and the length, durable. After an error, what reached the disk
    /// is unknown, and a second call proves nothing.
    fn sync_data(&self) -> io::Result<()>;
    /// The whole contents, for walking. Only for files that no longer change.
    fn map(&self) -> io::Result<Map>;
    /// Cuts the file, which is open for writing, to `len` bytes if it has no name any more, and nobody has it open
    /// for reading only: else false. Nobody in this process may have it open for writing besides, nor have mapped what
    /// was open so.
    fn cut_unnamed(&self, len: u64) -> io::Result<bool> {
        let _ = len;
        Ok(false)
    }
    /// The first `len` bytes, for reading here and there. Only where these no longer change; the file may grow.
    fn map_front(&self, len: u64) -> io::Result<Map>;
}

/// An exclusive lock, held until dropped.
pub trait Lock: Send + Sync + Debug {}

/// A file's contents in memory, mapped or copied.
pub type Map = Box<dyn AsRef<[u8]> + Send + Sync>;

/// Fills `buf` from `offset`, or fails with [`io::ErrorKind::UnexpectedEof`].
pub fn read_exact_at(file: &dyn File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buf = &mut buf[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// All of a file that may grow, or lose space that was reserved for it, meanwhile.
pub(crate) fn read_whole(file: &dyn File) -> io::Result<Vec<u8>> {
    // A segment is shorter.
    let len = usize::try_from(file.size()?.min(u64::from(u32::MAX))).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len];
    let mut at = 0;
    while at < len {
        match file.read_at(&mut bytes[at..], at as u64) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}

/// What is written behind the back of those who wait for the disk is synced after so many bytes: a sync of
/// more would hold up theirs.
pub(crate) const SYNC_BYTES: usize = 4 << 20;

/// Writes `bytes` to a new file and brings them to the disk, little by little.
pub(crate) fn write_durably(file: &dyn File, bytes: &[u8]) -> io::Result<()> {
    for (n, piece) in bytes.chunks(SYNC_BYTES).enumerate() {
        write_all_at(file, piece, (n * SYNC_BYTES) as u64)?;
        file.sync_data()?;
    }
    Ok(())
}

/// Writes all of `buf` at `offset`.
pub fn write_all_at(file: &dyn File, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.write_at(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                buf = &buf[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
