//! The connected clients: what they tell each other (`CLIENT LIST`), and closing one from outside.

use crate::command::{CommandId, table};
use bitmap_store::UnixMillis;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// A connection as others see it.
pub(crate) struct Client {
    pub id: u64,
    pub addr: String,
    pub laddr: String,
    pub unix: bool,
    pub connected_at: UnixMillis,
    pub view: View,
    names: Mutex<Names>,
    state: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// Figures that the connection publishes now and then.
#[derive(Default)]
pub(crate) struct View {
    pub active_at: AtomicU64,
    pub command: AtomicU32,
    pub db: AtomicU32,
    pub resp: AtomicU32,
    /// Commands queued since `MULTI`; -1 outside of it.
    pub multi: AtomicI64,
    pub multi_bytes: AtomicUsize,
    pub watched: AtomicUsize,
    pub query_bytes: AtomicUsize,
    pub output_bytes: AtomicUsize,
    pub no_evict: AtomicBool,
    pub no_touch: AtomicBool,
    /// To channels, patterns and channels of shards.
    pub subscriptions: [AtomicUsize; 3],
    /// Messages that were published for it and not sent yet.
    pub mail_count: AtomicUsize,
    pub mail_bytes: AtomicUsize,
}

/// How a client calls itself and its library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
}

/// What the connection's task is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    Run = 0,
    /// Answer what has been received, then close.
    Drain = 1,
    /// Close at once.
    Kill = 2,
}

impl Client {
    pub(crate) fn new(
        id: u64,
        addr: String,
        laddr: String,
        unix: bool,
        connected_at: UnixMillis,
    ) -> Self {
        let view = View::default();
        view.active_at.store(connected_at.0, Ordering::Relaxed);
        view.resp.store(2, Ordering::Relaxed);
        view.multi.store(-1, Ordering::Relaxed);
        view.command.store(u32::MAX, Ordering::Relaxed);
        Client {
            id,
            addr,
            laddr,
            unix,
            connected_at,
            view,
            names: Mutex::default(),
            state: AtomicU8::new(Wish::Run as u8),
            waker: Mutex::default(),
        }
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        lock(&self.names)
    }

    /// `RESET`.
    pub(crate) fn reset(&self) {
        self.names().name.clear();
        self.view.no_evict.store(false, Ordering::Relaxed);
        self.view.no_touch.store(false, Ordering::Relaxed);
    }

    /// Asks the connection's task to end; a stronger wish stands.
    pub(crate) fn wish(&self, wish: Wish) {
        self.state.fetch_max(wish as u8, Ordering::AcqRel);
        self.wake();
    }

    /// Has the connection's task look again at what it waits for.
    pub(crate) fn wake(&self) {
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
    }

    /// What was wished; `cx` is woken at the next wish.
    pub(crate) fn poll_wish(&self, cx: &Context<'_>) -> Wish {
        let wish = self.wished();
        if wish != Wish::Kill {
            let mut waker = lock(&self.waker);
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        // Read again: a wish made between the first look and the registration woke nobody.
        self.wished()
    }

    pub(crate) fn wished(&self) -> Wish {
        match self.state.load(Ordering::Acquire) {
            0 => Wish::Run,
            1 => Wish::Drain,
            _ => Wish::Kill,
        }
    }

    pub(crate) fn idle_seconds(&self, now: UnixMillis) -> u64 {
        now.0.saturating_sub(self.view.active_at.load(Ordering::Relaxed)) / 1000
    }

    /// Whether it listens to anything: then it is of the type `pubsub`, not `normal`.
    pub(crate) fn is_subscriber(&self) -> bool {
        self.view.subscriptions.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// The letters of `CLIENT LIST`: N for none.
    pub(crate) fn flags(&self) -> String {
        let mut flags = String::new();
        if self.is_subscriber() {
            flags.push('P');
        }
        if self.view.multi.load(Ordering::Relaxed) >= 0 {
            flags.push('x');
        }
        if self.unix {
            flags.push('U');
        }
        if self.view.no_evict.load(Ordering::Relaxed) {
            flags.push('e');
        }
        if self.view.no_touch.load(Ordering::Relaxed) {
            flags.push('T');
        }
        if flags.is_empty() {
            flags.push('N');
        }
        flags
    }

    /// A line of `CLIENT LIST`, without its end.
    pub(crate) fn describe(&self, now: UnixMillis, line: &mut Vec<u8>) {
        let view = &self.view;
        let get = |figure: &AtomicUsize| figure.load(Ordering::Relaxed);
        let command = u16::try_from(view.command.load(Ordering::Relaxed))
            .ok()
            .map_or("NULL", |id| &table().get(CommandId(id)).full_name);
        let (query, output, multi_bytes) =
            (get(&view.query_bytes), get(&view.output_bytes), get(&view.multi_bytes));
        let (mail_count, mail_bytes) = (get(&view.mail_count), get(&view.mail_bytes));
        let [channels, patterns, shards] = [0, 1, 2].map(|kind| get(&view.subscriptions[kind]));
        let names = self.names().clone();
        let mut text = String::with_capacity(256);
        let _ = write!(
            text,
            "id={} addr={} laddr={} fd={} name=",
            self.id, self.addr, self.laddr, self.id
        );
        line.extend_from_slice(text.as_bytes());
        line.extend_from_slice(&names.name);
        text.clear();
        let _ = write!(
            text,
            " age={} idle={} flags={} db={} sub={channels} psub={patterns} ssub={shards} multi={} qbuf={} \
             qbuf-free=0 argv-mem=0 multi-mem={} rbs=0 rbp=0 obl={} oll={mail_count} \
             omem={mail_bytes} tot-mem={} events=r cmd={} \
             user=default redir=-1 resp={} lib-name=",
            now.0.saturating_sub(self.connected_at.0) / 1000,
            self.idle_seconds(now),
            self.flags(),
            view.db.load(Ordering::Relaxed),
            view.multi.load(Ordering::Relaxed),
            query,
            multi_bytes,
            output,
            query + output + multi_bytes + mail_bytes + size_of::<Client>(),
            command,
            view.resp.load(Ordering::Relaxed),
        );
        line.extend_from_slice(text.as_bytes());
        line.extend_from_slice(&names.lib_name);
        line.extend_from_slice(b" lib-ver=");
        line.extend_from_slice(&names.lib_ver);
    }
}

/// All connected clients.
#[derive(Default)]
pub(crate) struct Clients {
    connected: Mutex<BTreeMap<u64, Arc<Client>>>,
    last_id: AtomicU64,
}

impl Clients {
    /// The id of the next client; ids are never used again.
    pub(crate) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn add(&self, client: Arc<Client>) {
        lock(&self.connected).insert(client.id, client);
    }

    pub(crate) fn remove(&self, id: u64) {
        lock(&self.connected).remove(&id);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.connected).len()
    }

    /// In the order of connecting.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        lock(&self.connected).values().cloned().collect()
    }

    pub(crate) fn wish_all(&self, wish: Wish) {
        for client in self.all() {
            client.wish(wish);
        }
    }
}

/// These locks guard plain values: a panic while one was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
