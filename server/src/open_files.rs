//! How many files the process may have open, and how many clients fit into that.
//!
//! A client is a file, and so is a segment of the log. Without room, a connection would wait unanswered
//! and the log could not begin another segment, so the limit is looked at before either happens.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;

/// Files for what is neither a client nor a file in the data directory now: listeners, event queues, and
/// the segments and hints to come.
const RESERVED: u64 = 64;

/// What the limit of the system would have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooFew {
    pub limit: u64,
    pub needed: u64,
}

/// Raises the soft limit so far that `maxclients` clients and the files of `dir` fit, or as far as the
/// system allows. Returns how many clients fit then, at most `maxclients`.
///
/// # Errors
/// There is no room for a single one.
pub(crate) fn make_room(maxclients: usize, dir: &Path) -> Result<usize, TooFew> {
    // Hints are closed once read; counted too, they are room for the log to grow.
    let held = std::fs::read_dir(dir).map_or(0, Iterator::count) as u64 + RESERVED;
    let needed = held.saturating_add(maxclients as u64);
    let limit = raise(needed);
    match fitting(maxclients, held, limit) {
        0 => Err(TooFew { limit, needed: held + 1 }),
        fitting => Ok(fitting),
    }
}

/// What to log if only `fitting` of the wanted clients have room.
pub(crate) fn advice(wanted: usize, fitting: usize) -> String {
    format!(
        "maxclients is {fitting} instead of {wanted}: the system allows too few open files. Raise the \
         limit by {} (ulimit -n, or LimitNOFILE of systemd), or ask for fewer clients (--maxclients).",
        wanted - fitting
    )
}

fn fitting(maxclients: usize, held: u64, limit: u64) -> usize {
    maxclients.min(usize::try_from(limit.saturating_sub(held)).unwrap_or(usize::MAX))
}

/// Makes the soft limit at least `needed`, or the hard one if that is less; returns what it is then.
fn raise(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let now = limit.current.unwrap_or(u64::MAX);
    let possible = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if possible <= now {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(possible), ..limit }) {
        Ok(()) => possible,
        Err(_) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_the_files_of_the_server_leave() {
        assert_eq!(fitting(10_000, 70, 1_000_000), 10_000);
        assert_eq!(fitting(10_000, 70, 10_070), 10_000);
        assert_eq!(fitting(10_000, 70, 1024), 954);
        assert_eq!(fitting(10_000, 70, 71), 1);
        assert_eq!(fitting(10_000, 70, 64), 0);
    }
}
