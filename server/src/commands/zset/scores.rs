//! Single members: adding and removing them, their scores and ranks, some at random, all by and by.

use super::{Members, bulk, looked_for, replied, told_of_taken};
use crate::command::{Args, CommandError, Context, parse_int};
use crate::commands::keys::{ScanOptions, parse_cursor};
use crate::events::Class;
use bitmap_store::{ZsetAdded, ZsetRule};
use resp::{Reply, double_text};

/// `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]`: replies with the number of new members, with CH
/// of those that were changed, too, with INCR the new score.
pub(super) fn zadd(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    add(cx, args, false)
}

/// `ZINCRBY key increment member`
pub(super) fn zincrby(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    add(cx, args, true)
}

fn add(cx: &mut Context<'_>, mut args: Args<'_>, increment: bool) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut rule = ZsetRule { increment, ..ZsetRule::default() };
    let mut count_changed = false;
    loop {
        if args.keyword("NX") {
            rule.only_new = true;
        } else if args.keyword("XX") {
            rule.only_existing = true;
        } else if args.keyword("CH") {
            count_changed = true;
        } else if args.keyword("INCR") {
            rule.increment = true;
        } else if args.keyword("GT") {
            rule.only_greater = true;
        } else if args.keyword("LT") {
            rule.only_less = true;
        } else {
            break;
        }
    }
    if args.is_empty() || !args.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    let ZsetRule { only_new, only_existing, only_greater, only_less, increment } = rule;
    if only_new && only_existing {
        return Err(CommandError::text(
            "ERR XX and NX options at the same time are not compatible",
        ));
    }
    if only_greater && only_less || only_new && (only_greater || only_less) {
        return Err(CommandError::text(
            "ERR GT, LT, and/or NX options at the same time are not compatible",
        ));
    }
    if increment && args.len() > 2 {
        return Err(CommandError::text("ERR INCR option supports a single increment-element pair"));
    }
    let mut members = Vec::with_capacity(args.len() / 2);
    while !args.is_empty() {
        let score = args.float()?;
        members.push((args.next()?, score));
    }
    if increment {
        let (member, by) = members[0];
        let added = cx.tx.zset_add(cx.db, key, member, by, rule)?;
        if matches!(added, ZsetAdded::New(_) | ZsetAdded::Changed(_)) {
            cx.event(Class::SortedSet, "zincr", key);
        }
        return Ok(match added {
            ZsetAdded::New(score) | ZsetAdded::Changed(score) | ZsetAdded::Same(score) => {
                Reply::Double(score)
            }
            ZsetAdded::Refused => Reply::Null,
        });
    }
    let (new, changed) = cx.tx.zset_add_all(cx.db, key, members.iter().copied(), rule)?;
    if new + changed > 0 {
        cx.event(Class::SortedSet, "zadd", key);
    }
    Ok(Reply::from(if count_changed { new + changed } else { new }))
}

/// `ZREM key member [member ...]`: replies with the number of members that were there.
pub(super) fn zrem(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let taken = cx.tx.zset_remove(cx.db, key, args.rest())?;
    if taken > 0 {
        told_of_taken(cx, "zrem", key)?;
    }
    Ok(Reply::from(taken))
}

fn score_or_null(score: Option<f64>) -> Reply {
    score.map_or(Reply::Null, Reply::Double)
}

/// `ZSCORE key member`
pub(super) fn zscore(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, member) = (args.key()?, args.next()?);
    let score = cx.tx.zset_score(cx.db, key, member)?;
    looked_for(cx, key);
    Ok(score_or_null(score))
}

/// `ZMSCORE key member [member ...]`
pub(super) fn zmscore(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let mut scores = Vec::with_capacity(args.len());
    for member in args.rest() {
        scores.push(score_or_null(cx.tx.zset_score(cx.db, key, member)?));
    }
    looked_for(cx, key);
    Ok(Reply::Array(scores))
}

/// `ZCARD key`
pub(super) fn zcard(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let len = cx.tx.zset_len(cx.db, key)?;
    looked_for(cx, key);
    Ok(Reply::from(len))
}

/// `ZRANK key member [WITHSCORE]`
pub(super) fn zrank(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    rank(cx, args, false)
}

/// `ZREVRANK key member [WITHSCORE]`
pub(super) fn zrevrank(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    rank(cx, args, true)
}

fn rank(cx: &mut Context<'_>, mut args: Args<'_>, reverse: bool) -> Result<Reply, CommandError> {
    let (key, member) = (args.key()?, args.next()?);
    let with_score = args.keyword("WITHSCORE");
    if !args.is_empty() {
        return Err(CommandError::SYNTAX);
    }
    let found = cx.tx.zset_rank(cx.db, key, member)?;
    looked_for(cx, key);
    let Some((mut rank, score)) = found else {
        return Ok(if with_score { Reply::NullArray } else { Reply::Null });
    };
    if reverse {
        rank = cx.tx.zset_len(cx.db, key)? - 1 - rank;
    }
    let rank = Reply::from(rank);
    Ok(if with_score { Reply::Array(vec![rank, Reply::Double(score)]) } else { rank })
}

/// So many members, the same ones again and again, are given at most: more would be for nobody's good.
const MOST_MEMBERS: u64 = 1 << 24;

/// `ZRANDMEMBER key [count [WITHSCORES]]`: of a negative count, members may come more than once.
pub(super) fn zrandmember(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let random = &mut *cx.random;
    let mut choose = |bound| random.below(bound);
    if args.is_empty() {
        let chosen = cx.tx.zset_random(cx.db, key, &mut choose)?;
        looked_for(cx, key);
        return Ok(chosen.map_or(Reply::Null, |(member, _)| Reply::bulk(member)));
    }
    let out_of_range = CommandError::text("ERR value is out of range");
    let count = parse_int(args.next()?).ok_or(CommandError::NOT_INTEGER)?;
    if count == i64::MIN {
        return Err(CommandError::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_scores = !args.is_empty();
    if with_scores && (!args.keyword("WITHSCORES") || !args.is_empty()) {
        return Err(CommandError::SYNTAX);
    }
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(out_of_range);
    }
    let mut chosen = Members::new();
    if count >= 0 {
        chosen = cx.tx.zset_sample(cx.db, key, count as u64, &mut choose)?;
    } else if cx.tx.zset_len(cx.db, key)? > 0 {
        if count.unsigned_abs() > MOST_MEMBERS {
            return Err(out_of_range);
        }
        for _ in 0..count.unsigned_abs() {
            chosen.extend(cx.tx.zset_random(cx.db, key, &mut choose)?);
        }
    }
    looked_for(cx, key);
    Ok(replied(cx, chosen, with_scores))
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub(super) fn zscan(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let cursor = parse_cursor(args.next()?).ok_or(CommandError::INVALID_CURSOR)?;
    // As in Redis, nobody minds odd options where there is no sorted set.
    let there = cx.tx.zset_len(cx.db, key)? > 0;
    looked_for(cx, key);
    let (mut found, mut next) = (Vec::new(), 0);
    if there {
        let options = ScanOptions::parse(args, false)?;
        next = cx.tx.zset_scan(cx.db, key, cursor, options.count, &mut |member, score| {
            if options.glob.as_ref().is_none_or(|glob| glob.matches(member)) {
                found.extend([bulk(member), Reply::bulk(double_text(score))]);
            }
        })?;
    }
    Ok(Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(found)]))
}
