//! Inputs as files: the committed corpus, examples for libFuzzer, and what a target failed on.
#![allow(clippy::disallowed_methods)] // a tool of the developer, not a part of the store

use crate::Target;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The committed corpus of `target`.
pub fn directory(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// The inputs in it, in the order of their names; none if there is no such directory.
///
/// # Panics
/// If it cannot be read.
pub fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(directory(target)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).expect("a file of the corpus can be read");
    paths.iter().map(read).collect()
}

/// Writes the examples of `target` into a directory, one file each.
///
/// # Errors
/// The directory or a file cannot be written.
pub fn write_examples(target: &Target, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (i, example) in (target.examples)().iter().enumerate() {
        fs::write(directory.join(format!("example-{i}")), example)?;
    }
    Ok(())
}

/// Keeps an input that `target` failed on in cargo's temporary directory `directory`, and says where it is.
///
/// # Errors
/// It cannot be written.
pub fn keep(target: &Target, input: &[u8], directory: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let path = directory.join(format!("{}-failure", target.name));
    fs::write(&path, input)?;
    Ok(path)
}
