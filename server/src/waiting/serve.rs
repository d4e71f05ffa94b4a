//! Serving those who wait for what a transaction has changed.

use super::End;
use super::registry::{Claim, Registry};
use crate::command::{CommandError, Context};
use bitmap_store::{Db, Position};
use resp::Reply;
use std::collections::VecDeque;

type Key = (Db, Box<[u8]>);

/// What is to be told once the transaction is committed. Dropped before that, those who were served wait on.
#[derive(Default)]
pub(crate) struct Served {
    claims: Vec<(Claim, Result<Reply, CommandError>)>,
    /// Keys whose next waiter wants to touch what the transaction does not hold.
    elsewhere: Vec<Key>,
}

impl Served {
    /// The transaction is committed up to `position`: tells the clients. Returns what is to be served elsewhere.
    pub(crate) fn tell(self, registry: &Registry, position: Position) -> Vec<Key> {
        for (claim, answer) in self.claims {
            let end = match answer {
                Ok(reply) => End::Served(reply, position),
                Err(error) => End::Failed(error),
            };
            claim.end(registry, end);
        }
        self.elsewhere
    }
}

/// Serves those who wait for keys that the transaction has changed, as part of it.
pub(crate) fn serve(cx: &mut Context<'_>) -> Served {
    let registry = &cx.server.waiting;
    let changed = cx.tx.touched().filter(|(db, key)| registry.has(*db, key));
    let ready = changed.map(|(db, key)| (db, Box::from(key))).collect();
    serve_keys(cx, ready)
}

/// Serves those who wait for `keys` in transactions of their own, which have all that they may touch.
pub(crate) fn serve_elsewhere(cx: &mut Context<'_>, keys: Vec<Key>) -> Served {
    serve_keys(cx, keys.into())
}

fn serve_keys(cx: &mut Context<'_>, mut ready: VecDeque<Key>) -> Served {
    let (mut served, db) = (Served::default(), cx.db);
    while let Some((db, key)) = ready.pop_front() {
        cx.db = db;
        serve_key(cx, &key, &mut ready, &mut served);
    }
    cx.db = db;
    served
}

/// Serves those who wait for a key, until nothing is left for them.
fn serve_key(cx: &mut Context<'_>, key: &[u8], ready: &mut VecDeque<Key>, served: &mut Served) {
    let (db, server, mut last) = (cx.db, cx.server, 0);
    while let Some((ticket, waiter)) = server.waiting.next(db, key, last) {
        last = ticket;
        // Whatever cannot be read is left to whoever asks for it.
        let Ok(Some(kind)) = cx.tx.kind(db, key) else { return };
        if kind != waiter.want.kind() {
            continue;
        }
        if waiter.want.target().is_some_and(|target| !cx.tx.holds(db, target)) {
            served.elsewhere.push((db, key.into()));
            return;
        }
        let Some(claim) = waiter.claim() else { continue };
        match waiter.want.take(cx, key) {
            Ok(None) => {}
            Ok(Some(reply)) => {
                if let Some(target) = waiter.want.target()
                    && server.waiting.has(db, target)
                {
                    ready.push_back((db, target.into()));
                }
                served.claims.push((claim, Ok(reply)));
            }
            Err(error) => served.claims.push((claim, Err(error))),
        }
    }
}
