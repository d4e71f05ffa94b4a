//! What compaction has to wait for: results of BITOP that say where pages of their sources lie.
//!
//! Before it lets go of segments, the log asks. By then every key leads elsewhere. A transaction that has seen a
//! place before that still holds its keys' stripes, so once each stripe was free for a moment, all such
//! transactions have ended; whoever begins later sees the new places. What refers to the segments then is known:
//! it is given pages of its own.

use crate::keyspace::Shared;
use crate::stripe::lock;
use crate::{Db, Error, layout};
use bitcask_core::{Guard, UnixMillis};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// Keys whose values are operations on pages of others, by the names of their records.
#[derive(Default)]
pub(crate) struct Derived {
    names: Mutex<HashSet<Box<[u8]>>>,
    /// How many: mostly none, and then a commit need not take the lock.
    count: AtomicUsize,
}

impl Derived {
    pub(crate) fn new(names: Vec<Vec<u8>>) -> Self {
        let names: HashSet<Box<[u8]>> = names.into_iter().map(Vec::into_boxed_slice).collect();
        let count = AtomicUsize::new(names.len());
        Derived { names: Mutex::new(names), count }
    }

    fn names(&self) -> MutexGuard<'_, HashSet<Box<[u8]>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether the value that was just written under `name` is one. The key's stripe is held.
    pub(crate) fn note(&self, name: &[u8], is_derived: bool) {
        if !is_derived && self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut names = self.names();
        if is_derived {
            names.insert(name.into());
        } else {
            names.remove(name);
        }
        self.count.store(names.len(), Ordering::Relaxed);
    }

    fn all(&self) -> Vec<Box<[u8]>> {
        self.names().iter().cloned().collect()
    }
}

/// Answers the log for a keyspace.
#[derive(Default)]
pub(crate) struct LettingGo {
    shared: OnceLock<Weak<Shared>>,
}

impl LettingGo {
    pub(crate) fn serve(&self, shared: &Arc<Shared>) {
        let _ = self.shared.set(Arc::downgrade(shared));
    }
}

impl Guard for LettingGo {
    fn let_go(&self, segments: &[u32], now: UnixMillis) -> bool {
        // While the keyspace is opened or closed, nobody knows.
        let Some(shared) = self.shared.get().and_then(Weak::upgrade) else { return false };
        shared.let_go(segments, now).is_ok()
    }
}

impl Shared {
    /// Gives bitmaps pages of their own that are operations on pages in these segments.
    fn let_go(&self, segments: &[u32], now: UnixMillis) -> Result<(), Error> {
        for stripe in &self.stripes {
            drop(lock(stripe));
        }
        for name in self.derived.all() {
            let (db, key) = (Db(name[0]), layout::key_of(&name));
            let mut transaction = self.begin_one(db, key, now);
            transaction.let_go_of(db, key, segments)?;
            transaction.commit()?;
        }
        Ok(())
    }
}
