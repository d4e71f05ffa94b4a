//! Where the stores lie meanwhile.

use crate::engine::Outcome;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory that goes, with all that is in it, when it is dropped.
pub struct Place(PathBuf);

impl Place {
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn new(path: PathBuf) -> Outcome<Self> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::create_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Place(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Refuses a file system in memory, and one with less than `bytes` to spare.
///
/// # Errors
/// As said; or `df` does not work here.
pub fn check(dir: &Path, bytes: u64) -> Outcome<()> {
    let output = Command::new("df").args(["-B1", "--output=avail,fstype"]).arg(dir).output()?;
    let text = String::from_utf8(output.stdout)?;
    let cells: Vec<&str> = text.lines().last().unwrap_or_default().split_whitespace().collect();
    let [free, kind] = cells[..] else {
        return Err(format!("df says nothing of {}", dir.display()).into());
    };
    if matches!(kind, "tmpfs" | "ramfs") {
        return Err(format!("{} is in memory, not on a disk: give --dir", dir.display()).into());
    }
    let free: u64 = free.parse()?;
    if free < bytes {
        let (free, bytes) = (free >> 20, bytes >> 20);
        let dir = dir.display();
        return Err(format!("{dir} has {free} MiB free, and up to {bytes} MiB are needed").into());
    }
    Ok(())
}
