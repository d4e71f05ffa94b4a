//! Waiting for the disk.

use crate::Error;
use crate::store::Store;
use crate::sync::thread;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// A position in the log of an open store: what [`crate::Bitcask::durable`] waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub(crate) u64);

/// See [`crate::Bitcask::durable`].
pub struct Durable<'a> {
    pub(crate) store: &'a Arc<Store>,
    pub(crate) position: u64,
    /// Whatever the durability setting.
    pub(crate) on_disk: bool,
}

impl Future for Durable<'_> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.store.log.poll_durable(self.position, self.on_disk, cx)
    }
}

impl fmt::Debug for Durable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("position", &self.position).finish_non_exhaustive()
    }
}

/// Waits for a future on a thread that has no executor.
pub(crate) fn block_on(mut future: Durable<'_>) -> Result<(), Error> {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match Pin::new(&mut future).poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
