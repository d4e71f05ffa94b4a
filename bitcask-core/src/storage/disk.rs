//! The real disk: `std::fs`, and `fallocate` through rustix. Nothing else in the crate touches files.
#![allow(clippy::disallowed_methods)] // this is the module that they are disallowed in favour of

use super::{Dir, File, Lock, Map, SYNC_BYTES, mmap, write_all_at};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory on disk.
#[derive(Debug)]
pub struct DiskDir {
    path: PathBuf,
    handle: fs::File,
}

#[derive(Debug)]
struct DiskFile(fs::File);

#[derive(Debug)]
struct DiskLock {
    // Closing the file releases the lock.
    _file: fs::File,
}

impl Lock for DiskLock {}

impl DiskDir {
    /// Opens the directory at `path`. It is made if missing, with its parents, and then its entry is on
    /// disk before this returns.
    ///
    /// # Errors
    /// Whatever the system says; [`io::ErrorKind::NotADirectory`] if `path` is something else.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        match Self::open_existing(path.as_ref()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make(path.as_ref())?;
                Self::open_existing(path)
            }
            other => other,
        }
    }

    /// Opens the directory at `path`, which must be there.
    ///
    /// # Errors
    /// As [`DiskDir::open`], and [`io::ErrorKind::NotFound`].
    pub fn open_existing(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let handle = fs::File::open(path)?;
        if !handle.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(DiskDir { path: path.to_owned(), handle })
    }

    /// A file's path; names are flat, so that nothing can lead out of the directory.
    fn join(&self, name: &str) -> io::Result<PathBuf> {
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"));
        }
        Ok(self.path.join(name))
    }
}

/// Makes or replaces the file at `path` by one that `write` fills. Whatever happens, what is there is the old
/// file or the whole new one, and the new one is on disk when this returns.
pub(crate) fn replace_file<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> Result<T, crate::Error>,
) -> Result<T, crate::Error> {
    let fail = |op, source| match io::Error::kind(&source) {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            crate::Error::Full { path: path.to_owned() }
        }
        _ => crate::Error::Io { op, path: path.to_owned(), source },
    };
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let file = fs::File::create(&unfinished).map_err(|e| fail("create", e))?;
    let written = write(&mut Stepwise { file: &file, unsynced: 0 }).and_then(|value| {
        file.sync_all().map_err(|e| fail("sync", e))?;
        fs::rename(&unfinished, path).map_err(|e| fail("rename", e))?;
        Ok(value)
    });
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    let value = written?;
    fs::File::open(parent(path))
        .and_then(|parent| parent.sync_all())
        .map_err(|e| fail("sync the directory of", e))?;
    Ok(value)
}

/// Writes to a file, and syncs it now and then: see [`SYNC_BYTES`].
struct Stepwise<'a> {
    file: &'a fs::File,
    unsynced: usize,
}

impl io::Write for Stepwise<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory and its parents, each durable in the one above it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let parent = parent(path);
    if !parent.is_dir() {
        make(parent)?;
    }
    match fs::create_dir(path) {
        // Made by somebody else meanwhile.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    fs::File::open(parent)?.sync_all()
}

/// Lets every other thread go before the one that calls this, from now on. It does as much as it can if the system
/// refuses.
pub(crate) fn give_way() {
    const NICENESS: i32 = 10;
    // Of a thread, on Linux; of the whole process elsewhere, which would be no use.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// True if a process of this number is running on this machine.
pub(crate) fn is_running(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid.max(0)) else { return false };
    // A process of somebody else's is one, too.
    rustix::process::test_kill_process(pid) != Err(Errno::SRCH)
}

/// As often a file is opened that is replaced again and again.
const OPEN_ATTEMPTS: usize = 100;

/// Takes a share of the file's lock, which keeps it from being cut while this handle or a mapping of it lives. True
/// if that came too late: it has no name any more, and may have been cut.
fn is_going(file: &fs::File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        // Where files have no locks nobody can have one whole, either.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file.metadata()?.nlink() == 0),
    }
}

impl Dir for DiskDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if !entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.join(name)?;
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn File>> {
        let path = self.join(name)?;
        let open = || fs::OpenOptions::new().read(true).write(writable).open(&path);
        let mut file = open()?;
        // Who opens a file to write to it owns the directory.
        for _ in 0..OPEN_ATTEMPTS {
            if writable || !is_going(&file)? {
                break;
            }
            file = open()?;
        }
        Ok(Arc::new(DiskFile(file)))
    }

    fn mode(&self, name: &str) -> io::Result<u32> {
        Ok(fs::metadata(self.join(name)?)?.permissions().mode() & 0o7777)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.join(from)?, self.join(to)?)
    }

    fn link(&self, name: &str, source: &dyn Dir, source_name: &str) -> io::Result<()> {
        fs::hard_link(source.path().join(source_name), self.join(name)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.join(name)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn random(&self) -> u64 {
        // The standard library keys its maps from the system's source of randomness.
        std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &self.path)
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let path = self.join(name)?;
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(DiskLock { _file: file }))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(e)) => Err(e),
        }
    }
}

impl File for DiskFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        let reserve = || fallocate(&self.0, FallocateFlags::empty(), offset, len);
        match rustix::io::retry_on_intr(reserve) {
            // The file system can't: then zeros, written where the file does not reach yet, do it.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let zeros = vec![0; 64 << 10];
                let end = offset + len;
                let mut at = self.size()?.max(offset);
                while at < end {
                    let step = (end - at).min(zeros.len() as u64);
                    write_all_at(self, &zeros[..step as usize], at)?;
                    at += step;
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn map(&self) -> io::Result<Map> {
        mmap::map(&self.0)
    }

    fn cut_unnamed(&self, len: u64) -> io::Result<bool> {
        let is_unnamed = self.0.metadata()?.nlink() == 0;
        // Whoever has it open to read it has a share of its lock.
        if !is_unnamed || self.0.try_lock().is_err() {
            return Ok(false);
        }
        self.0.set_len(len)?;
        Ok(true)
    }

    fn map_front(&self, len: u64) -> io::Result<Map> {
        mmap::map_front(&self.0, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Once, a reader that was held up between the two believed what was left: nothing.
    #[test]
    fn a_file_that_loses_its_name_before_a_share_of_its_lock_is_taken_is_not_read() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        let open = || {
            fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        };
        let late = open().unwrap();
        assert!(!is_going(&late).unwrap());
        drop(late);
        let late = open().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(is_going(&late).unwrap());
        let cutting = open().unwrap();
        cutting.try_lock().unwrap();
        assert!(is_going(&open().unwrap()).unwrap(), "somebody has all of the lock");
        let dir = DiskDir::open(temporary.path()).unwrap();
        fs::remove_file(&path).unwrap();
        let gone = dir.open("file", false).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
