//! What happens beside the callers: a sync every second, and hints for sealed segments.

use crate::bitcask::Store;
use crate::log::lock;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);

/// The thread, stopped and joined on drop.
pub(crate) struct Housekeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeper {
    pub(crate) fn start(store: Weak<Store>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("bitcask".into())
            .spawn(move || keep(&store, &stopped))?;
        Ok(Housekeeper { stop, thread: Some(thread) })
    }
}

fn keep(store: &Weak<Store>, stop: &(Mutex<bool>, Condvar)) {
    let (stopped, signal) = stop;
    loop {
        let guard = lock(stopped);
        let (guard, _) = signal
            .wait_timeout_while(guard, INTERVAL, |stopped| !*stopped)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if *guard {
            return;
        }
        drop(guard);
        let Some(store) = store.upgrade() else { return };
        store.tick();
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        *lock(&self.stop.0) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It may be this very thread that drops the last handle.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
