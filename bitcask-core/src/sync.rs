//! Locks, atomics and threads: those of the standard library, or in the tests of schedules those of `shuttle`.
//!
//! Built with `--cfg shuttle`, the tests in `schedules` run every step of theirs on threads that take turns
//! as a seed says, and switch wherever one of these is used. So whatever threads share goes through here. `Arc`,
//! `Weak` and `OnceLock` are the standard ones everywhere, and nobody waits for one: what is put into a `OnceLock` is
//! made before.

#[cfg(all(test, shuttle))]
use shuttle as of;
#[cfg(not(all(test, shuttle)))]
use std as of;

pub(crate) use of::sync::{
    Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError, atomic,
};
pub(crate) use of::thread;

/// Gives others their turn where threads share something without any of these: what readers swap without a lock.
#[inline]
pub(crate) fn turn() {
    #[cfg(all(test, shuttle))]
    atomic::AtomicBool::new(false).load(atomic::Ordering::Relaxed);
}
