//! Opening what a command works on.
//!
//! A directory is a bitmapistd's if every key of its log is named as `bitmap-store` names them
//! ([`bitmap_store::is_keyspace`]); `--raw` says that it is not, and `--db` that it is, even if it is empty.

use crate::arguments::{Database, Target};
use crate::exit::Failure;
use crate::holder;
use crate::stores::{KeyspaceStore, LogStore, ServerStore, Store};
use bitcask_core::{Bitcask, Clock, Error, Mode, Options, SystemClock, UnixMillis};
use bitmap_store::{Db, Keyspace};
use std::path::Path;

/// What a command may do with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Beside whoever writes.
    Read,
    /// Alone.
    Write,
    /// Alone, and a missing store is made.
    Create,
}

/// A directory that has been opened.
pub enum Opened {
    Log(Bitcask),
    Keyspace(Keyspace),
}

impl Opened {
    /// The log, of either kind.
    pub fn log(&self) -> &Bitcask {
        match self {
            Opened::Log(log) => log,
            Opened::Keyspace(keyspace) => keyspace.log(),
        }
    }

    /// What is called what in reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Opened::Log(_) => "bitcask-core",
            Opened::Keyspace(_) => "bitmapistd",
        }
    }

    pub fn close(self) -> Result<(), Failure> {
        match self {
            Opened::Log(log) => Ok(log.close()?),
            Opened::Keyspace(keyspace) => Ok(keyspace.close()?),
        }
    }
}

pub fn now() -> UnixMillis {
    SystemClock.now()
}

/// Options for looking at a log, whoever wrote it.
pub fn options(mode: Mode) -> Options {
    Options { mode, background: false, fold: Some(bitmap_store::fold()), ..Options::default() }
}

/// Opens a directory.
pub fn open(path: &Path, database: Database, access: Access) -> Result<Opened, Failure> {
    let view = match Bitcask::open(path, options(Mode::ReadOnly)) {
        Err(Error::Missing { .. }) if access == Access::Create => None,
        other => Some(other.map_err(|e| failure(e, path))?),
    };
    let is_keyspace = match (&view, database) {
        (_, Database { raw: true, .. }) => false,
        (_, Database { db: Some(_), .. }) => {
            if let Some(log) = view.as_ref().filter(|log| !log.is_empty())
                && !bitmap_store::is_keyspace(log)
            {
                let message =
                    format!("{} is no directory of a bitmapistd: leave --db away", path.display());
                return Err(Failure::Usage(message));
            }
            true
        }
        (Some(log), _) => bitmap_store::is_keyspace(log),
        (None, _) => false,
    };
    let small = bitmap_store::Options {
        background: false,
        cache_bytes: 64 << 20,
        ..bitmap_store::Options::default()
    };
    match (view, access) {
        (Some(log), Access::Read) if is_keyspace => {
            Ok(Opened::Keyspace(Keyspace::view(log, &small)?))
        }
        (Some(log), Access::Read) => Ok(Opened::Log(log)),
        (view, _) => {
            drop(view);
            if is_keyspace {
                let opened = Keyspace::open(path, small);
                return opened.map(Opened::Keyspace).map_err(|e| match e {
                    bitmap_store::Error::Storage(e) => failure(e, path),
                    e => e.into(),
                });
            }
            let mode = if access == Access::Create { Mode::Create } else { Mode::Existing };
            Bitcask::open(path, options(mode)).map(Opened::Log).map_err(|e| failure(e, path))
        }
    }
}

/// Opens whatever holds keys.
pub fn store(target: &Target, access: Access) -> Result<Box<dyn Store>, Failure> {
    let db = target.database.db.unwrap_or(0);
    match (&target.dir, &target.server) {
        (Some(path), None) => Ok(match open(path, target.database, access)? {
            Opened::Log(log) => Box::new(LogStore::new(log)),
            Opened::Keyspace(keyspace) => Box::new(KeyspaceStore::new(keyspace, Db(db))),
        }),
        (None, Some(server)) => Ok(Box::new(ServerStore::connect(server, db)?)),
        _ => unreachable!("the parser asks for one of them"),
    }
}

/// Says of a locked directory who holds it.
pub fn failure(error: Error, path: &Path) -> Failure {
    match error {
        Error::Locked { .. } => {
            let who = holder::of(path).unwrap_or_else(|| "another process".into());
            Failure::Other(format!(
                "{} is in use by {who}: stop that first, or ask it with --server",
                path.display()
            ))
        }
        error => error.into(),
    }
}
