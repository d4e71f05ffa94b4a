//! The commands that wait until a list has something for them.

use super::{Pops, end, move_one, pop_many, pop_one};
use crate::command::{Args, CommandError, Context};
use crate::waiting::{Want, parse_timeout, take_or_wait};
use bitmap_store::{Bytes, End, Kind};
use resp::Reply;

/// One element, and the key that it came from.
struct Pop(End);

impl Want for Pop {
    fn kind(&self) -> Kind {
        Kind::List
    }

    fn take(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        let element = pop_one(cx, key, self.0)?;
        let key = || Reply::Bulk(Bytes::copy_from_slice(key));
        Ok(element.map(|element| Reply::Array(vec![key(), Reply::Bulk(element)])))
    }
}

/// Up to so many elements.
struct PopMany(End, u64);

impl Want for PopMany {
    fn kind(&self) -> Kind {
        Kind::List
    }

    fn take(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        pop_many(cx, key, self.0, self.1)
    }
}

/// One element, pushed at another list.
struct Move {
    from: End,
    to: Box<[u8]>,
    to_end: End,
}

impl Want for Move {
    fn kind(&self) -> Kind {
        Kind::List
    }

    fn target(&self) -> Option<&[u8]> {
        Some(&self.to)
    }

    fn take(&self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<Reply>, CommandError> {
        let moved = move_one(cx, (key, self.from), (&self.to, self.to_end))?;
        Ok(moved.map(Reply::Bulk))
    }
}

fn pop(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Result<Reply, CommandError> {
    let keys = args.rest().take(args.len() - 1);
    let timeout = parse_timeout(&mut Args::after(args.request(), args.len()))?;
    take_or_wait(cx, keys, timeout, Pop(end), Reply::NullArray)
}

/// `BLPOP key [key ...] timeout`
pub(super) fn blpop(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, End::Left)
}

/// `BRPOP key [key ...] timeout`
pub(super) fn brpop(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, End::Right)
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`
pub(super) fn blmove(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, to) = (args.key()?, args.key()?);
    let (from, to_end) = (end(&mut args)?, end(&mut args)?);
    let timeout = parse_timeout(&mut args)?;
    let want = Move { from, to: to.into(), to_end };
    take_or_wait(cx, [key].into_iter(), timeout, want, Reply::Null)
}

/// `BRPOPLPUSH source destination timeout`
pub(super) fn brpoplpush(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, to) = (args.key()?, args.key()?);
    let timeout = parse_timeout(&mut args)?;
    let want = Move { from: End::Right, to: to.into(), to_end: End::Left };
    take_or_wait(cx, [key].into_iter(), timeout, want, Reply::Null)
}

/// `BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]`
pub(super) fn blmpop(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let timeout = args;
    args.next()?;
    let pops = Pops::parse(args)?;
    let timeout = parse_timeout(&mut { timeout })?;
    let want = PopMany(pops.end, pops.count);
    take_or_wait(cx, pops.keys.into_iter(), timeout, want, Reply::NullArray)
}
