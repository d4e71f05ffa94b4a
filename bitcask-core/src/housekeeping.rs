//! What happens beside the callers: a sync every second, hints for sealed segments, compaction, and freeing what it
//! has removed.

use crate::log::lock;
use crate::storage::disk;
use crate::store::Store;
use crate::sync::thread::JoinHandle;
use crate::sync::{Condvar, Mutex, PoisonError, thread};
use std::sync::{Arc, Weak};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);

/// The threads, stopped and joined on drop.
pub(crate) struct Housekeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

impl Housekeeper {
    /// Four threads: the hint of a large segment takes seconds, freeing what compaction has removed as long, a
    /// compaction minutes, and no sync may wait for them, nor space for hints.
    pub(crate) fn start(store: &Weak<Store>) -> std::io::Result<Self> {
        let mut housekeeper = Housekeeper { stop: Arc::default(), threads: Vec::new() };
        housekeeper.spawn("bitcask-sync", store, Store::sync_if_due)?;
        // An index is sorted for a second or more, which nobody waits for.
        housekeeper.spawn("bitcask-hints", store, |store| {
            disk::give_way();
            store.write_due_hints();
        })?;
        housekeeper.spawn("bitcask-free", store, |store| store.compaction.free())?;
        housekeeper.spawn("bitcask-compact", store, Store::compact_if_due)?;
        Ok(housekeeper)
    }

    fn spawn(
        &mut self,
        name: &str,
        store: &Weak<Store>,
        work: fn(&Arc<Store>),
    ) -> std::io::Result<()> {
        let (stop, store) = (self.stop.clone(), store.clone());
        let thread =
            thread::Builder::new().name(name.into()).spawn(move || keep(&store, &stop, work))?;
        self.threads.push(thread);
        Ok(())
    }
}

fn keep(store: &Weak<Store>, stop: &(Mutex<bool>, Condvar), work: fn(&Arc<Store>)) {
    let (stopped, signal) = stop;
    loop {
        let guard = lock(stopped);
        let (guard, _) = signal
            .wait_timeout_while(guard, INTERVAL, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *guard {
            return;
        }
        drop(guard);
        let Some(store) = store.upgrade() else { return };
        work(&store);
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        *lock(&self.stop.0) = true;
        self.stop.1.notify_all();
        for thread in self.threads.drain(..) {
            // It may be this very thread that drops the last handle.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
