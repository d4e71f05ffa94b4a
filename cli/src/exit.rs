//! How the program ends: its exit codes, and what it says when something is wrong.

use crate::json::Json;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit codes, for `--help`, the man page and the documentation.
pub const CODES: &str = "\
Exit codes:
  0  done, or found
  1  not found
  2  the command line is wrong
  3  data is damaged; the message names the file and the offset
  4  anything else: no such store, in use by another process, no space, no server";

/// How a command ended that could do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// What was asked for is not there.
    Missing,
    /// Damage was found, and reported.
    Damaged,
}

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// Data is damaged.
    Damaged {
        place: Option<(PathBuf, u64)>,
        message: String,
    },
    Other(String),
    /// Nobody reads what is printed any more, as with `| head`.
    Pipe,
}

impl Failure {
    pub fn other(message: impl Into<String>) -> Self {
        Failure::Other(message.into())
    }

    pub fn io(what: &str, path: &Path, source: &io::Error) -> Self {
        Failure::Other(format!("cannot {what} {}: {source}", path.display()))
    }
}

impl From<bitcask_core::Error> for Failure {
    fn from(error: bitcask_core::Error) -> Self {
        let message = error.to_string();
        match error {
            bitcask_core::Error::Corrupt { path, offset, .. } => {
                Failure::Damaged { place: Some((path, offset)), message }
            }
            _ => Failure::Other(message),
        }
    }
}

impl From<bitmap_store::Error> for Failure {
    fn from(error: bitmap_store::Error) -> Self {
        match error {
            bitmap_store::Error::Storage(error) => error.into(),
            error if error.is_damage() => {
                Failure::Damaged { place: None, message: error.to_string() }
            }
            error => Failure::Other(error.to_string()),
        }
    }
}

/// Says on the standard error what went wrong, and turns it into the code.
pub fn code(result: Result<Outcome, Failure>, json: bool) -> ExitCode {
    let (code, kind, place, message) = match result {
        Ok(Outcome::Done) | Err(Failure::Pipe) => return ExitCode::SUCCESS,
        Ok(Outcome::Missing) => return ExitCode::from(1),
        Ok(Outcome::Damaged) => return ExitCode::from(3),
        Err(Failure::Usage(message)) => (2, "usage", None, message),
        Err(Failure::Damaged { place, message }) => (3, "damaged", place, message),
        Err(Failure::Other(message)) => (4, "failed", None, message),
    };
    if json {
        let mut fields = vec![("error", Json::from(kind)), ("message", Json::from(message))];
        if let Some((path, offset)) = place {
            fields.push(("path", path.display().to_string().into()));
            fields.push(("offset", offset.into()));
        }
        eprintln!("{}", Json::Object(fields));
    } else {
        eprintln!("bitmapist: {message}");
    }
    ExitCode::from(code)
}
