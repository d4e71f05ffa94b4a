//! Why a server could not be started or stopped, in words for whoever runs it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a server could not be started or stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The data directory is a file.
    NotADirectory {
        /// What was given as the directory.
        path: PathBuf,
        /// What the file seems to be.
        kind: &'static str,
    },
    /// The store could not be opened, synced or closed.
    Store {
        /// The data directory.
        dir: PathBuf,
        /// What the store says.
        source: bitmap_store::Error,
    },
    /// A socket could not be had.
    Bind {
        /// The address or path.
        addr: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is neither an address nor a Unix socket to listen on.
    NoAddress,
    /// The system allows so few open files that not even one client could be served.
    OpenFiles {
        /// How many it allows.
        limit: u64,
        /// How many it would have to allow.
        needed: u64,
    },
    /// The system refused threads or signals.
    System(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotADirectory { path, kind } => write!(
                f,
                "{} is {kind}, and the data lives in a directory. Name another one (--dir); what is \
                 in the file can be loaded into a running server over the Redis protocol.",
                path.display()
            ),
            Error::Store { dir, source } => {
                write!(f, "cannot open the data directory {}: {source}", dir.display())?;
                f.write_str(advice(source))
            }
            Error::Bind { addr, source } if source.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {addr}: the address is in use. Another server runs there; stop it \
                 or choose another address (--addr)."
            ),
            Error::Bind { addr, source } => write!(f, "cannot listen on {addr}: {source}"),
            Error::NoAddress => f.write_str(
                "nothing to listen on: the address is empty (--addr), and there is no Unix socket \
                 (--unixsocket). Give one of them.",
            ),
            Error::OpenFiles { limit, needed } => write!(
                f,
                "cannot start: the system allows {limit} open files, and at least {needed} are needed. \
                 Raise the limit (ulimit -n, or LimitNOFILE of systemd)."
            ),
            Error::System(source) => write!(f, "cannot start: {source}"),
        }
    }
}

/// What to do about it.
fn advice(error: &bitmap_store::Error) -> &'static str {
    let text = error.to_string();
    if text.contains("in use by another process") {
        ". Stop the other server, or choose another directory (--dir)."
    } else if text.contains("is damaged") {
        ". Nothing was changed. Copy the directory before anything else, then restore a backup."
    } else if text.contains("no space left") {
        ". Make room on the disk and start again."
    } else {
        ""
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::NotADirectory { .. } | Error::NoAddress | Error::OpenFiles { .. } => None,
            Error::Store { source, .. } => Some(source),
            Error::Bind { source, .. } | Error::System(source) => Some(source),
        }
    }
}
