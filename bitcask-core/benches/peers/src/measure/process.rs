//! What the system knows of this process and of a directory.

use crate::engine::Outcome;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The number after `name:` in a file of `/proc/self`.
fn number(file: &str, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/self/{file}"))?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = found.and_then(|rest| rest.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("/proc/self/{file} has no {name}"))?.parse()?)
}

/// Memory that is in use, mapped files included.
pub fn resident_bytes() -> Outcome<u64> {
    Ok(number("status", "VmRSS")? << 10)
}

/// Of which the process's own: no file's.
pub fn anonymous_bytes() -> Outcome<u64> {
    Ok(number("status", "RssAnon")? << 10)
}

/// Bytes that this process has handed to the system by writing calls.
///
/// Not `write_bytes`: for a page that is made dirty it counts the whole folio that the page cache has it in, 33 times
/// what is written where pages of 4 KiB are written here and there (ext4 on Linux 6.18).
pub fn written_bytes() -> Outcome<u64> {
    number("io", "wchar")
}

/// What the files of a directory take on the disk, those below it included. What goes meanwhile does not count.
pub fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(bytes).sum()
}

/// Brings every file of a directory to the page cache.
pub fn warm(dir: &Path) -> Outcome<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.metadata()?.is_dir() {
            warm(&entry.path())?;
        } else {
            io::copy(&mut File::open(entry.path())?, &mut io::sink())?;
        }
    }
    Ok(())
}
