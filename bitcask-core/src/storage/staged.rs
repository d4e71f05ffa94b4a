//! A directory that gets its name once it is complete: until then nothing is there under that name.
#![allow(clippy::disallowed_methods)] // of the storage seam: this makes and names whole directories

use super::disk;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory in the making, beside the place where it will be. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct StagedDir {
    staged: PathBuf,
    target: PathBuf,
    /// Locked while this lives, so that no two make the same directory.
    handle: fs::File,
    published: bool,
}

impl StagedDir {
    /// Begins a directory that will be `target`, which must not be there, or be empty. What an earlier attempt
    /// left is removed.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if `target` has contents, [`io::ErrorKind::ResourceBusy`] while another
    /// makes the same; whatever the system says.
    pub(crate) fn begin(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        match fs::read_dir(target) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut staged_name = std::ffi::OsString::from(".");
        staged_name.push(name);
        staged_name.push(".unfinished");
        let staged = target.with_file_name(staged_name);
        let parent = parent(target);
        if !parent.is_dir() {
            disk::make(parent)?;
        }
        match fs::create_dir(&staged) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        let handle = fs::File::open(&staged)?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
            Err(fs::TryLockError::Error(e)) => return Err(e),
        }
        for entry in fs::read_dir(&staged)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(StagedDir { staged, target: target.to_owned(), handle, published: false })
    }

    /// Where the directory is being made.
    pub(crate) fn path(&self) -> &Path {
        &self.staged
    }

    /// Gives the directory, whose files must be on disk, its name, and makes that durable.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        self.handle.sync_all()?;
        fs::rename(&self.staged, &self.target)?;
        self.published = true;
        fs::File::open(parent(&self.target))?.sync_all()
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if !self.published {
            // What stays is removed by the next attempt.
            let _ = fs::remove_dir_all(&self.staged);
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_there_wholly_or_not_at_all() {
        let temporary = tempfile::tempdir().unwrap();
        let target = temporary.path().join("made");
        let staged = StagedDir::begin(&target).unwrap();
        fs::write(staged.path().join("file"), b"x").unwrap();
        assert!(!target.exists());
        assert_eq!(StagedDir::begin(&target).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(staged);
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "nothing is left");

        // What a killed process left.
        let left = temporary.path().join(".made.unfinished");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("old"), b"x").unwrap();
        fs::create_dir(&target).unwrap();
        let staged = StagedDir::begin(&target).unwrap();
        fs::write(staged.path().join("file"), b"x").unwrap();
        staged.publish().unwrap();
        assert!(target.join("file").exists() && !target.join("old").exists());
        assert_eq!(StagedDir::begin(&target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::write(temporary.path().join("plain"), b"x").unwrap();
        assert!(StagedDir::begin(&temporary.path().join("plain")).is_err());
    }
}
