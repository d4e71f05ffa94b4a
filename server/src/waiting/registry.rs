//! Who waits for which keys.

use super::{End, Want};
use crate::clients::Client;
use bitmap_store::{DATABASES, Db};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// Those who wait, by the keys that they wait for.
#[derive(Default)]
pub(crate) struct Registry {
    /// How many; read without the lock by everybody who commits. Whoever holds a key sees all who wait for it: they have
    /// registered while they held it.
    count: AtomicUsize,
    places: Mutex<Places>,
}

/// Those who wait for one key by their tickets: in the order in which they came.
type Line = BTreeMap<u64, Arc<Waiter>>;

#[derive(Default)]
struct Places {
    last_ticket: u64,
    /// By database and key.
    keys: [HashMap<Box<[u8]>, Line>; DATABASES as usize],
    /// By the client's id.
    clients: HashMap<u64, Arc<Waiter>>,
}

/// A client that waits, as others see it.
pub(crate) struct Waiter {
    ticket: u64,
    client: Arc<Client>,
    db: Db,
    keys: Vec<Box<[u8]>>,
    pub(super) want: Box<dyn Want>,
    state: Mutex<State>,
}

enum State {
    Waiting,
    /// Somebody is about to serve it, or to let it wait on.
    Claimed,
    Ended(Option<End>),
}

/// A client's own hold on its place: dropped, it waits no more.
pub(crate) struct Wait {
    registry: Arc<Registry>,
    waiter: Arc<Waiter>,
    pub(crate) timeout: Option<Duration>,
    /// The client does not want to be answered (`CLIENT REPLY`).
    pub(crate) unanswered: bool,
}

/// A waiter that nobody else can serve, and that does not time out; dropped, it waits on.
pub(super) struct Claim {
    waiter: Arc<Waiter>,
}

impl Registry {
    /// Whether anybody waits.
    pub(crate) fn any(&self) -> bool {
        self.len() > 0
    }

    /// How many clients wait.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Has a client wait for `keys`, which the caller's transaction holds.
    pub(crate) fn add<'k>(
        registry: &Arc<Registry>,
        client: &Arc<Client>,
        db: Db,
        keys: impl Iterator<Item = &'k [u8]>,
        timeout: Option<Duration>,
        want: Box<dyn Want>,
    ) -> Wait {
        let mut keys: Vec<Box<[u8]>> = keys.map(Box::from).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut places = lock(&registry.places);
        places.last_ticket += 1;
        let (ticket, state) = (places.last_ticket, Mutex::new(State::Waiting));
        let client = Arc::clone(client);
        let waiter = Arc::new(Waiter { ticket, client, db, keys, want, state });
        for key in &waiter.keys {
            let queues = &mut places.keys[usize::from(db.0)];
            queues.entry(key.clone()).or_default().insert(ticket, Arc::clone(&waiter));
        }
        places.clients.insert(waiter.client.id, Arc::clone(&waiter));
        waiter.client.view.blocked.store(true, Ordering::Relaxed);
        registry.count.fetch_add(1, Ordering::Relaxed);
        drop(places);
        Wait { registry: Arc::clone(registry), waiter, timeout, unanswered: false }
    }

    fn remove(&self, waiter: &Waiter) {
        let mut places = lock(&self.places);
        let id = waiter.client.id;
        // It may have gone already, and its client may wait for something else by now.
        if places.clients.get(&id).is_none_or(|there| there.ticket != waiter.ticket) {
            return;
        }
        places.clients.remove(&id);
        let queues = &mut places.keys[usize::from(waiter.db.0)];
        for key in &waiter.keys {
            if let Some(queue) = queues.get_mut(key) {
                queue.remove(&waiter.ticket);
                if queue.is_empty() {
                    queues.remove(key);
                }
            }
        }
        waiter.client.view.blocked.store(false, Ordering::Relaxed);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether anybody waits for a key.
    pub(super) fn has(&self, db: Db, key: &[u8]) -> bool {
        lock(&self.places).keys[usize::from(db.0)].contains_key(key)
    }

    /// The next one who waits for a key, after the one with this ticket.
    pub(super) fn next(&self, db: Db, key: &[u8], after: u64) -> Option<(u64, Arc<Waiter>)> {
        let places = lock(&self.places);
        let queue = places.keys[usize::from(db.0)].get(key)?;
        queue.range(after + 1..).next().map(|(ticket, waiter)| (*ticket, Arc::clone(waiter)))
    }

    /// All keys that serving those who wait for `keys` may touch, and those who then wait for these, and so on.
    pub(crate) fn reach(&self, mut keys: Vec<(Db, Box<[u8]>)>) -> Vec<(Db, Box<[u8]>)> {
        let places = lock(&self.places);
        let mut seen = 0;
        while let Some((db, key)) = keys.get(seen) {
            let (db, queue) = (*db, places.keys[usize::from(db.0)].get(key));
            seen += 1;
            for target in queue.into_iter().flat_map(Line::values).filter_map(|w| w.want.target()) {
                if !keys.iter().any(|(other, key)| *other == db && **key == *target) {
                    keys.push((db, target.into()));
                }
            }
        }
        keys
    }

    /// Ends the waiting of the client of this id; false if it does not wait.
    pub(crate) fn unblock(&self, client: u64, end: End) -> bool {
        let waiter = lock(&self.places).clients.get(&client).cloned();
        let Some(waiter) = waiter else { return false };
        let ended = {
            let mut state = lock(&waiter.state);
            let waits = matches!(*state, State::Waiting);
            if waits {
                *state = State::Ended(Some(end));
            }
            waits
        };
        if ended {
            self.remove(&waiter);
            waiter.client.wake();
        }
        ended
    }
}

impl Waiter {
    /// Claims it, unless its waiting has ended or somebody else serves it.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claim> {
        let mut state = lock(&self.state);
        matches!(*state, State::Waiting).then(|| {
            *state = State::Claimed;
            Claim { waiter: Arc::clone(self) }
        })
    }
}

impl Claim {
    /// Tells the client.
    pub(super) fn end(self, registry: &Registry, end: End) {
        registry.remove(&self.waiter);
        *lock(&self.waiter.state) = State::Ended(Some(end));
        self.waiter.client.wake();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = lock(&self.waiter.state);
        if matches!(*state, State::Claimed) {
            *state = State::Waiting;
            // Its time may have run out meanwhile.
            self.waiter.client.wake();
        }
    }
}

impl Wait {
    /// What has become of it. Who asks is woken by whatever wakes the client's task.
    pub(crate) fn poll(&self) -> Poll<End> {
        match &mut *lock(&self.waiter.state) {
            State::Ended(end) => Poll::Ready(end.take().unwrap_or(End::TimedOut)),
            State::Waiting | State::Claimed => Poll::Pending,
        }
    }

    /// Its time has run out: true if it waits no more, unless somebody is serving it.
    pub(crate) fn time_out(&self) -> bool {
        let mut state = lock(&self.waiter.state);
        let waits = matches!(*state, State::Waiting);
        if waits {
            *state = State::Ended(None);
        }
        waits
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.time_out();
        self.registry.remove(&self.waiter);
    }
}

/// These locks guard plain values: a panic while one was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
