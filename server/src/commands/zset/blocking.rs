//! The commands that wait until a sorted set has something for them.

use super::bulk;
use super::ranges::{Pops, take, take_many};
use crate::command::{Args, CommandError, Context};
use crate::waiting::{Want, parse_timeout, take_or_wait};
use bitmap_store::Kind;
use resp::Reply;

/// One member, its score, and the key that it came from.
struct Pop {
    greatest: bool,
}

impl Want for Pop {
    fn kind(&self) -> Kind {
        Kind::SortedSet
    }

    fn take(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        let popped = take(cx, key, 1, self.greatest)?.pop();
        let reply = |(member, score)| vec![bulk(key), Reply::bulk(member), Reply::Double(score)];
        Ok(popped.map(|one| Reply::Array(reply(one))))
    }
}

/// Up to so many members.
struct PopMany {
    greatest: bool,
    count: u64,
}

impl Want for PopMany {
    fn kind(&self) -> Kind {
        Kind::SortedSet
    }

    fn take(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        take_many(cx, key, self.count, self.greatest)
    }
}

fn pop(cx: &mut Context<'_>, args: Args<'_>, greatest: bool) -> Result<Reply, CommandError> {
    let keys = args.rest().take(args.len() - 1);
    let timeout = parse_timeout(&mut Args::after(args.request(), args.len()))?;
    take_or_wait(cx, keys, timeout, Pop { greatest }, Reply::NullArray)
}

/// `BZPOPMIN key [key ...] timeout`
pub(super) fn bzpopmin(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, false)
}

/// `BZPOPMAX key [key ...] timeout`
pub(super) fn bzpopmax(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, true)
}

/// `BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]`
pub(super) fn bzmpop(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let timeout = args;
    args.next()?;
    let pops = Pops::parse(args)?;
    // The last to be looked at, as in Redis.
    let timeout = parse_timeout(&mut { timeout })?;
    let want = PopMany { greatest: pops.greatest, count: pops.count };
    take_or_wait(cx, pops.keys.into_iter(), timeout, want, Reply::NullArray)
}
