//! Files outside of stores: the only place that opens them.
#![allow(clippy::disallowed_methods)] // a tool reads what it is told to read; stores are behind their own seam

use crate::exit::Failure;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The contents of a file; `-` is the standard input.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        return standard_input();
    }
    fs::read(path).map_err(|e| Failure::io("read", path, &e))
}

pub fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| Failure::other(format!("cannot read the standard input: {e}")))?;
    Ok(bytes)
}

/// A file to read, and its length; `-` is the standard input, whose length nobody knows.
pub fn open(path: &Path) -> Result<(Box<dyn Read>, u64), Failure> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let opened = File::open(path).and_then(|file| {
        let len = file.metadata()?.len();
        Ok((Box::new(file) as Box<dyn Read>, len))
    });
    opened.map_err(|e| Failure::io("open", path, &e))
}

/// Writes a file that is not there yet, or replaces one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|e| Failure::io("write", path, &e))
}

/// Makes or replaces a file by one that `write` fills: whatever happens, it is the old one or the whole new one,
/// which is on disk when this returns.
pub fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let fail = |e: &io::Error| Failure::io("write", path, e);
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut made = tempfile::Builder::new()
        .prefix(".bitmapist-")
        .suffix(".unfinished")
        .tempfile_in(parent)
        .map_err(|e| fail(&e))?;
    let value = write(made.as_file_mut())?;
    made.as_file().sync_all().map_err(|e| fail(&e))?;
    made.persist(path).map_err(|e| fail(&e.error))?;
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(|e| fail(&e))?;
    Ok(value)
}

/// A small file of the system's, such as those in `/proc`.
pub fn read_text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The files of a directory whose names end in one of `endings`, with their lengths.
pub fn ending_in(dir: &Path, endings: &[&str]) -> Result<Vec<(PathBuf, u64)>, Failure> {
    let fail = |e: io::Error| Failure::io("list", dir, &e);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let len = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            found.push((path, len));
        }
    }
    found.sort();
    Ok(found)
}

pub fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|e| Failure::io("remove", path, &e))
}

/// The number of a file in its file system, as `/proc/locks` names it.
pub fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// A directory that goes with the returned value.
pub fn temporary(within: Option<&Path>) -> Result<tempfile::TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("bitmapist-bench-");
    let made = match within {
        Some(path) => builder.tempdir_in(path),
        None => builder.tempdir(),
    };
    made.map_err(|e| Failure::other(format!("cannot make a temporary directory: {e}")))
}
