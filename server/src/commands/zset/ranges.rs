//! Runs of members: reading, storing, counting, removing and popping them.

use super::{Members, flat, in_pairs, looked_for, replied, told_of_taken};
use crate::command::{Args, CommandError, Context, parse_int};
use crate::events::Class;
use bitmap_store::{ZsetRange, strtod};
use resp::{Protocol, Reply};
use std::ops::{Bound, ControlFlow};

/// What a range is counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

const NOT_SCORE: CommandError = CommandError::text("ERR min or max is not a float");
const NOT_LEX: CommandError = CommandError::text("ERR min or max not valid string range item");

/// What a command that reads a range was asked.
struct Question<'a> {
    key: &'a [u8],
    range: ZsetRange,
    reverse: bool,
    with_scores: bool,
    skip: u64,
    limit: u64,
}

impl<'a> Question<'a> {
    /// Reads `key start stop` and options: of what the range is counted in, and of the direction, only where the command
    /// does not say so itself.
    fn parse(
        mut args: Args<'a>,
        by: Option<By>,
        reverse: Option<bool>,
        stores: bool,
    ) -> Result<Self, CommandError> {
        let (key, start, stop) = (args.key()?, args.next()?, args.next()?);
        let (mut asked_by, mut asked_reverse, mut with_scores) = (by, reverse, false);
        let (mut offset, mut count) = (0, -1);
        while !args.is_empty() {
            if !stores && args.keyword("WITHSCORES") {
                with_scores = true;
            } else if args.len() > 2 && args.keyword("LIMIT") {
                (offset, count) = (args.int()?, args.int()?);
            } else if asked_reverse.is_none() && args.keyword("REV") {
                asked_reverse = Some(true);
            } else if asked_by.is_none() && args.keyword("BYLEX") {
                asked_by = Some(By::Lex);
            } else if asked_by.is_none() && args.keyword("BYSCORE") {
                asked_by = Some(By::Score);
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        let (by, reverse) = (asked_by.unwrap_or(By::Rank), asked_reverse.unwrap_or(false));
        if count != -1 && by == By::Rank {
            return Err(CommandError::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(CommandError::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        // Backwards, bounds come from the greatest to the least.
        let (min, max) = if reverse && by != By::Rank { (stop, start) } else { (start, stop) };
        let range = range(by, min, max)?;
        let (skip, limit) = match by {
            By::Rank => (0, u64::MAX),
            _ => (
                // Nothing comes after a negative offset.
                u64::try_from(offset).unwrap_or(u64::MAX),
                u64::try_from(count).unwrap_or(u64::MAX),
            ),
        };
        Ok(Question { key, range, reverse, with_scores, skip, limit })
    }

    fn answer(&self, cx: &mut Context<'_>) -> Result<Members, CommandError> {
        let mut found = Vec::new();
        let (skip, limit) = (self.skip, self.limit);
        let mut visit = |member: &[u8], score| {
            found.push((member.to_vec(), score));
            ControlFlow::Continue(())
        };
        cx.tx.zset_range(cx.db, self.key, &self.range, self.reverse, skip, limit, &mut visit)?;
        looked_for(cx, self.key);
        Ok(found)
    }
}

fn range(by: By, min: &[u8], max: &[u8]) -> Result<ZsetRange, CommandError> {
    match by {
        By::Rank => {
            let rank = |text| parse_int(text).ok_or(CommandError::NOT_INTEGER);
            Ok(ZsetRange::Ranks(rank(min)?, rank(max)?))
        }
        By::Score => {
            let score = |text| score_bound(text).ok_or(NOT_SCORE);
            Ok(ZsetRange::Scores(score(min)?, score(max)?))
        }
        By::Lex => {
            let (min, max) = (LexBound::parse(min), LexBound::parse(max));
            match (min.ok_or(NOT_LEX)?, max.ok_or(NOT_LEX)?) {
                // Nothing is below the empty string.
                (LexBound::Greatest, _) | (_, LexBound::Least) => {
                    Ok(ZsetRange::Members(Bound::Unbounded, Bound::Excluded(Vec::new())))
                }
                (min, max) => Ok(ZsetRange::Members(min.bound(), max.bound())),
            }
        }
    }
}

/// A score, or behind `(` one that is not part of the range. As Redis reads it: blanks before it are fine, nothing at all is 0.
fn score_bound(text: &[u8]) -> Option<Bound<f64>> {
    let (number, excluded) = match text {
        [b'(', number @ ..] => (number, true),
        number => (number, false),
    };
    let read = strtod(number);
    // To Redis a zero byte ends the text.
    let ends = matches!(number.get(read.len), None | Some(0));
    if !ends || read.value.is_nan() {
        return None;
    }
    Some(if excluded { Bound::Excluded(read.value) } else { Bound::Included(read.value) })
}

/// One end of a range by members.
enum LexBound {
    Least,
    Greatest,
    At(Bound<Vec<u8>>),
}

impl LexBound {
    fn parse(text: &[u8]) -> Option<LexBound> {
        Some(match text {
            [b'-'] | [b'-', 0, ..] => LexBound::Least,
            [b'+'] | [b'+', 0, ..] => LexBound::Greatest,
            [b'[', member @ ..] => LexBound::At(Bound::Included(member.to_vec())),
            [b'(', member @ ..] => LexBound::At(Bound::Excluded(member.to_vec())),
            _ => return None,
        })
    }

    fn bound(self) -> Bound<Vec<u8>> {
        match self {
            LexBound::At(bound) => bound,
            LexBound::Least | LexBound::Greatest => Bound::Unbounded,
        }
    }
}

fn read(
    cx: &mut Context<'_>,
    args: Args<'_>,
    by: Option<By>,
    reverse: Option<bool>,
) -> Result<Reply, CommandError> {
    let question = Question::parse(args, by, reverse, false)?;
    let found = question.answer(cx)?;
    Ok(replied(cx, found, question.with_scores))
}

/// `ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub(super) fn zrange(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    read(cx, args, None, None)
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub(super) fn zrevrange(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    read(cx, args, Some(By::Rank), Some(true))
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub(super) fn zrangebyscore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    read(cx, args, Some(By::Score), Some(false))
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub(super) fn zrevrangebyscore(
    cx: &mut Context<'_>,
    args: Args<'_>,
) -> Result<Reply, CommandError> {
    read(cx, args, Some(By::Score), Some(true))
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub(super) fn zrangebylex(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    read(cx, args, Some(By::Lex), Some(false))
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub(super) fn zrevrangebylex(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    read(cx, args, Some(By::Lex), Some(true))
}

/// `ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]`: replies with the number of members stored.
pub(super) fn zrangestore(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let to = args.key()?;
    let Question { key, range, reverse, skip, limit, .. } =
        Question::parse(args, None, None, true)?;
    let there = cx.tx.zset_len(cx.db, key)? > 0;
    cx.looked_for(key, there);
    let replaces = cx.replaces(to)?;
    let stored = cx.tx.zset_store_range(cx.db, key, &range, reverse, skip, limit, to)?;
    cx.event_of_result(Class::SortedSet, "zrangestore", to, stored, replaces);
    Ok(Reply::from(stored))
}

fn count(cx: &mut Context<'_>, mut args: Args<'_>, by: By) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let range = range(by, args.next()?, args.next()?)?;
    let count = cx.tx.zset_count(cx.db, key, &range)?;
    looked_for(cx, key);
    Ok(Reply::from(count))
}

/// `ZCOUNT key min max`
pub(super) fn zcount(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    count(cx, args, By::Score)
}

/// `ZLEXCOUNT key min max`
pub(super) fn zlexcount(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    count(cx, args, By::Lex)
}

fn remove(cx: &mut Context<'_>, mut args: Args<'_>, by: By) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let range = range(by, args.next()?, args.next()?)?;
    let taken = cx.tx.zset_remove_range(cx.db, key, &range)?;
    if taken > 0 {
        let name = match by {
            By::Rank => "zremrangebyrank",
            By::Score => "zremrangebyscore",
            By::Lex => "zremrangebylex",
        };
        told_of_taken(cx, name, key)?;
    }
    Ok(Reply::from(taken))
}

/// `ZREMRANGEBYRANK key start stop`: replies with the number of members removed.
pub(super) fn zremrangebyrank(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    remove(cx, args, By::Rank)
}

/// `ZREMRANGEBYSCORE key min max`: replies with the number of members removed.
pub(super) fn zremrangebyscore(
    cx: &mut Context<'_>,
    args: Args<'_>,
) -> Result<Reply, CommandError> {
    remove(cx, args, By::Score)
}

/// `ZREMRANGEBYLEX key min max`: replies with the number of members removed.
pub(super) fn zremrangebylex(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    remove(cx, args, By::Lex)
}

/// `ZPOPMIN key [count]`
pub(super) fn zpopmin(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, false)
}

/// `ZPOPMAX key [count]`
pub(super) fn zpopmax(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    pop(cx, args, true)
}

fn pop(cx: &mut Context<'_>, mut args: Args<'_>, greatest: bool) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.len() > 1 {
        return Err(CommandError::SYNTAX);
    }
    let count = args.peek().map(|text| parse_int(text).and_then(|count| u64::try_from(count).ok()));
    if count == Some(None) {
        return Err(CommandError::text("ERR value is out of range, must be positive"));
    }
    let popped = take(cx, key, count.flatten().unwrap_or(1), greatest)?;
    // One that is not counted is no pair in either protocol.
    let pairs = count.is_some() && cx.session.protocol == Protocol::Resp3;
    Ok(if pairs { in_pairs(popped) } else { flat(popped) })
}

/// Takes up to `count` members of a sorted set, those with the least scores or with the greatest.
pub(super) fn take(
    cx: &mut Context<'_>,
    key: &[u8],
    count: u64,
    greatest: bool,
) -> Result<Members, CommandError> {
    let popped = cx.tx.zset_pop(cx.db, key, count, greatest)?;
    if !popped.is_empty() {
        told_of_taken(cx, if greatest { "zpopmax" } else { "zpopmin" }, key)?;
    }
    Ok(popped)
}

/// What `ZMPOP` and `BZMPOP` are told after the timeout.
pub(super) struct Pops<'a> {
    pub keys: Vec<&'a [u8]>,
    pub greatest: bool,
    pub count: u64,
}

impl<'a> Pops<'a> {
    /// `numkeys key [key ...] MIN|MAX [COUNT count]`
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let positive =
            |text| parse_int(text).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        let count = positive(args.next()?);
        let count = count.ok_or(CommandError::text("ERR numkeys should be greater than 0"))?;
        // A side comes after the keys.
        if count >= args.len() as u64 {
            return Err(CommandError::SYNTAX);
        }
        let mut keys = Vec::with_capacity(count as usize);
        for _ in 0..count {
            keys.push(args.key()?);
        }
        let greatest = args.keyword("MAX");
        if !greatest && !args.keyword("MIN") {
            return Err(CommandError::SYNTAX);
        }
        let mut count = None;
        while !args.is_empty() {
            if count.is_some() || args.len() < 2 || !args.keyword("COUNT") {
                return Err(CommandError::SYNTAX);
            }
            let wanted = positive(args.next()?);
            count = Some(wanted.ok_or(CommandError::text("ERR count should be greater than 0"))?);
        }
        Ok(Pops { keys, greatest, count: count.unwrap_or(1) })
    }
}

/// Takes from `key`; the key and its members, or `None` if it is missing.
pub(super) fn take_many(
    cx: &mut Context<'_>,
    key: &[u8],
    count: u64,
    greatest: bool,
) -> Result<Option<Reply>, CommandError> {
    let popped = take(cx, key, count, greatest)?;
    Ok((!popped.is_empty()).then(|| Reply::Array(vec![super::bulk(key), in_pairs(popped)])))
}

/// `ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]`: of the first key that has members.
pub(super) fn zmpop(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let pops = Pops::parse(args)?;
    for key in pops.keys {
        if let Some(reply) = take_many(cx, key, pops.count, pops.greatest)? {
            return Ok(reply);
        }
    }
    Ok(Reply::NullArray)
}
