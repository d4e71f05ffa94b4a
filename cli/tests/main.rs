//! The tool as a user has it: a process with arguments, an exit code, and what it prints.
#![allow(clippy::disallowed_methods)] // looks at files from outside

mod beside_a_server;
mod copies;
mod damage;
mod generated;
mod in_place;
mod keys;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::DataDir;

/// How a run ended.
#[derive(Debug)]
struct Done {
    code: i32,
    out: Vec<u8>,
    err: String,
}

impl Done {
    fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// What was printed, if all went well.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.text()
    }
}

/// A directory to run in, gone after the test.
struct Place(DataDir);

impl Place {
    fn new() -> Self {
        Place(DataDir::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the tool with the words of `line` as its arguments.
    fn run(&self, line: &str) -> Done {
        self.with(&line.split_whitespace().collect::<Vec<_>>(), b"")
    }

    fn with(&self, args: &[&str], input: &[u8]) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bitmapist"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that reads no input may have ended by now.
        let _ = child.stdin.take().unwrap().write_all(input);
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr).into_owned();
        Done { code: done.status.code().unwrap(), out: done.stdout, err }
    }

    /// A store `s` with `count` keys.
    fn filled(count: usize) -> Self {
        let place = Place::new();
        let store = bitcask_core::Bitcask::open(place.path("s"), small()).unwrap();
        for n in 0..count {
            let value = format!("value of {n:04}").repeat(4);
            store.put(format!("key:{n:04}").as_bytes(), value.as_bytes(), NOW).unwrap();
        }
        store.close().unwrap();
        place
    }

    /// The files of segments, oldest first.
    fn segments(&self, store: &str) -> Vec<PathBuf> {
        files(&self.path(store), "seg")
    }
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

const NOW: bitcask_core::UnixMillis = bitcask_core::UnixMillis(1_700_000_000_000);

/// Segments of a few records.
fn small() -> bitcask_core::Options {
    bitcask_core::Options {
        segment_bytes: 1000,
        background: false,
        durability: bitcask_core::Durability::No,
        ..bitcask_core::Options::default()
    }
}
