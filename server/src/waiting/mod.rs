//! Clients that wait for keys (`BLPOP` and its kin), and serving them.
//!
//! A command that finds nothing registers its client as waiting, under the locks of its keys: so whoever changes one
//! of these later sees it there. Whoever commits a change serves those who wait for what has been changed, in the order in
//! which they came, in the transaction that changed it: both are in the log, or neither. Nobody else can take what
//! is theirs meanwhile. Only one who wants to put an element where the transaction may not touch is served right
//! after it. The client's own task sleeps until it is told what has become of its wish.

mod registry;
mod serve;
mod timeout;

use crate::command::{CommandError, Context};
use bitmap_store::{Kind, Position};
pub(crate) use registry::{Registry, Wait};
use resp::Reply;
pub(crate) use serve::{serve, serve_elsewhere};
use std::time::Duration;
pub(crate) use timeout::parse_timeout;

/// What a waiting client wants.
pub(crate) trait Want: Send + Sync {
    /// The type of the keys that it waits for: what else they hold is passed over.
    fn kind(&self) -> Kind;

    /// A key that is changed beside the one that it waits for, in the same database.
    fn target(&self) -> Option<&[u8]> {
        None
    }

    /// Takes from `key`, and says what the client is answered; `None` if there is nothing. The transaction has `key`
    /// and the target, and does all of it or nothing.
    fn take(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Reply>, CommandError>;
}

/// How waiting ends.
#[derive(Debug)]
pub(crate) enum End {
    /// With an answer, once the log is durable up to the position.
    Served(Reply, Position),
    /// Without one.
    TimedOut,
    /// With an error.
    Failed(CommandError),
}

/// Takes from the first of `keys` that has something; the client waits if none has, unless it must not: then the answer
/// is `nothing`. Without `timeout` it waits for ever.
///
/// # Errors
/// A key that is looked at cannot be read, or is of another type than is wanted.
pub(crate) fn take_or_wait<'k>(
    cx: &mut Context<'_>,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
    timeout: Option<Duration>,
    want: impl Want + 'static,
    nothing: Reply,
) -> Result<Reply, CommandError> {
    for key in keys.clone() {
        if let Some(reply) = want.take(cx, key)? {
            return Ok(reply);
        }
    }
    if cx.is_in_exec() {
        return Ok(nothing);
    }
    let client = &cx.session.client;
    let wait = Registry::add(&cx.server.waiting, client, cx.db, keys, timeout, Box::new(want));
    cx.session.wait = Some(wait);
    Ok(Reply::None)
}
