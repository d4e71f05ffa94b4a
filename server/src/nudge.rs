//! Keeps sockets served while a command takes long.
//!
//! One thread of the runtime waits for the sockets, the others for work. If what the one finds is a command
//! that takes long, it runs it, and nobody waits for the sockets meanwhile, unless something wakes another
//! thread. A timer of the runtime would not: it waits beside the sockets.

use crate::shared::Shared;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a command may keep others waiting although a thread is idle.
const NUDGE_EVERY: Duration = Duration::from_millis(10);

/// A thread beside the runtime that wakes one of its threads every now and then, while there are clients. It
/// ends when this is dropped.
pub(crate) struct Nudge {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Nudge {
    pub(crate) fn start(runtime: Handle, server: Arc<Shared>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread =
            std::thread::Builder::new().name("bitmapistd-nudge".into()).spawn(move || {
                while stopped.recv_timeout(NUDGE_EVERY) == Err(RecvTimeoutError::Timeout) {
                    if server.clients.len() > 0 {
                        runtime.spawn(async {});
                    }
                }
            })?;
        Ok(Nudge { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
