//! How long a script may keep others waiting, and being told to stop.

use super::pool::lock;
use crate::clock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// So many instructions of Lua's run between two looks at the limits: about a millisecond.
pub(super) const INSTRUCTIONS: u32 = 100_000;

/// A library is loaded in so many milliseconds or not at all.
const LOADING_MILLIS: u64 = 500;

/// Of one state of Lua, for whoever looks at it from outside while it runs.
#[derive(Default)]
pub(super) struct Control {
    /// When what runs began, in [`clock::uptime_millis`]; 0 while nothing does.
    since: AtomicU64,
    /// It is to stop.
    killed: AtomicBool,
    /// It has been stopped: its state may stop whatever comes next, too.
    stopped: AtomicBool,
    /// Where in the script that was.
    stopped_at: Mutex<String>,
    /// It has called a command that writes.
    wrote: AtomicBool,
    /// It is a function, not a script.
    function: AtomicBool,
    /// It is a library that is being loaded, which may not take long.
    loading: AtomicBool,
    /// The command that called the function.
    command: Mutex<Vec<Vec<u8>>>,
    /// The connections that waited for its thread have got another one.
    handed_over: AtomicBool,
}

impl Control {
    pub(super) fn begin(&self, function: bool) {
        self.killed.store(false, Ordering::Relaxed);
        self.wrote.store(false, Ordering::Relaxed);
        self.handed_over.store(false, Ordering::Relaxed);
        self.function.store(function, Ordering::Relaxed);
        self.loading.store(false, Ordering::Relaxed);
        self.since.store(clock::uptime_millis().max(1), Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// For how long it has been running, if it is.
    pub(super) fn running_millis(&self) -> Option<u64> {
        match self.since.load(Ordering::Acquire) {
            0 => None,
            since => Some(clock::uptime_millis().saturating_sub(since)),
        }
    }

    pub(super) fn is_function(&self) -> bool {
        self.function.load(Ordering::Relaxed)
    }

    /// A library is being loaded, or that is over.
    pub(super) fn set_loading(&self, loading: bool) {
        self.loading.store(loading, Ordering::Relaxed);
        if loading {
            self.since.store(clock::uptime_millis().max(1), Ordering::Release);
        }
    }

    pub(super) fn is_loading(&self) -> bool {
        self.loading.load(Ordering::Relaxed)
    }

    /// The command that called the function.
    pub(super) fn set_command<'r>(&self, words: impl Iterator<Item = &'r [u8]>) {
        *lock(&self.command) = words.map(<[u8]>::to_vec).collect();
    }

    pub(super) fn command(&self) -> Vec<Vec<u8>> {
        lock(&self.command).clone()
    }

    pub(super) fn set_wrote(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_written(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    /// Stops it soon; it may end by itself before.
    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::Release);
    }

    /// It was stopped here.
    pub(super) fn set_place(&self, place: String) {
        *lock(&self.stopped_at) = place;
    }

    /// Where it was stopped.
    pub(super) fn place(&self) -> String {
        lock(&self.stopped_at).clone()
    }

    pub(super) fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Called every now and then by the thread that runs the script: true if it is to stop.
    pub(super) fn look(&self) -> bool {
        if !self.handed_over.swap(true, Ordering::Relaxed) {
            // Another thread takes over the connections that this one would serve, unless it finds them taken
            // back already.
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_micros(200)));
        }
        if self.is_loading() && self.running_millis().is_some_and(|millis| millis > LOADING_MILLIS)
        {
            self.kill();
        }
        let stop = self.killed.load(Ordering::Acquire);
        self.stopped.fetch_or(stop, Ordering::Relaxed);
        stop
    }
}
