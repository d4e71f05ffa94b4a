//! Unions, intersections and differences of sorted sets, and of sets.

use super::{looked_for, replied};
use crate::command::{Args, CommandError, Context, parse_float, parse_int};
use crate::events::Class;
use bitmap_store::{ZsetAggregate, ZsetOp};
use resp::Reply;

/// What is to be combined, and how.
struct Question<'a> {
    /// Keys and their weights.
    inputs: Vec<(&'a [u8], f64)>,
    aggregate: ZsetAggregate,
    with_scores: bool,
    /// 0 if there is none.
    limit: u64,
}

/// What is done with the result, which decides about the options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Answer,
    Store,
    Count,
}

impl<'a> Question<'a> {
    /// Reads `numkeys key [key ...]` and options, for the command of this name.
    fn parse(
        cx: &mut Context<'_>,
        mut args: Args<'a>,
        name: &str,
        op: ZsetOp,
        is_for: Use,
    ) -> Result<Self, CommandError> {
        let count = args.int()?;
        if count < 1 {
            let text = format!("ERR at least 1 input key is needed for '{name}' command");
            return Err(CommandError::new(text));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > args.len() {
            return Err(CommandError::SYNTAX);
        }
        let mut inputs = Vec::with_capacity(count);
        for _ in 0..count {
            let key = args.key()?;
            cx.tx.zset_check_input(cx.db, key)?;
            looked_for(cx, key);
            inputs.push((key, 1.0));
        }
        let aggregate = ZsetAggregate::default();
        let mut question = Question { inputs, aggregate, with_scores: false, limit: 0 };
        let weighs = op != ZsetOp::Diff && is_for != Use::Count;
        while !args.is_empty() {
            if weighs && args.len() > count && args.keyword("WEIGHTS") {
                for (_, weight) in &mut question.inputs {
                    *weight = parse_float(args.next()?)
                        .ok_or(CommandError::text("ERR weight value is not a float"))?;
                }
            } else if weighs && args.len() > 1 && args.keyword("AGGREGATE") {
                question.aggregate = if args.keyword("SUM") {
                    ZsetAggregate::Sum
                } else if args.keyword("MIN") {
                    ZsetAggregate::Min
                } else if args.keyword("MAX") {
                    ZsetAggregate::Max
                } else {
                    return Err(CommandError::SYNTAX);
                };
            } else if is_for == Use::Answer && args.keyword("WITHSCORES") {
                question.with_scores = true;
            } else if is_for == Use::Count && args.len() > 1 && args.keyword("LIMIT") {
                let limit = parse_int(args.next()?).and_then(|limit| u64::try_from(limit).ok());
                question.limit = limit.ok_or(CommandError::text("ERR LIMIT can't be negative"))?;
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(question)
    }
}

fn answer(
    cx: &mut Context<'_>,
    args: Args<'_>,
    name: &str,
    op: ZsetOp,
) -> Result<Reply, CommandError> {
    let asked = Question::parse(cx, args, name, op, Use::Answer)?;
    let mut found = cx.tx.zset_combine(cx.db, op, &asked.inputs, asked.aggregate, u64::MAX)?;
    // By scores, −0 being 0; then by members.
    found.sort_unstable_by(|a, b| (a.1 + 0.0).total_cmp(&(b.1 + 0.0)).then_with(|| a.0.cmp(&b.0)));
    Ok(replied(cx, found, asked.with_scores))
}

fn store(
    cx: &mut Context<'_>,
    mut args: Args<'_>,
    name: &str,
    op: ZsetOp,
) -> Result<Reply, CommandError> {
    let to = args.key()?;
    let asked = Question::parse(cx, args, name, op, Use::Store)?;
    let found = cx.tx.zset_combine(cx.db, op, &asked.inputs, asked.aggregate, u64::MAX)?;
    let replaces = cx.replaces(to)?;
    let len = cx.tx.zset_replace(cx.db, to, found, None)?;
    let name = match op {
        ZsetOp::Union => "zunionstore",
        ZsetOp::Inter => "zinterstore",
        ZsetOp::Diff => "zdiffstore",
    };
    cx.event_of_result(Class::SortedSet, name, to, len, replaces);
    Ok(Reply::from(len))
}

/// `ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub(super) fn zunion(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    answer(cx, args, "zunion", ZsetOp::Union)
}

/// `ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub(super) fn zinter(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    answer(cx, args, "zinter", ZsetOp::Inter)
}

/// `ZDIFF numkeys key [key ...] [WITHSCORES]`
pub(super) fn zdiff(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    answer(cx, args, "zdiff", ZsetOp::Diff)
}

/// `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX]`: replies with the
/// number of members stored.
pub(super) fn zunionstore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(cx, args, "zunionstore", ZsetOp::Union)
}

/// `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX]`: replies with the
/// number of members stored.
pub(super) fn zinterstore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(cx, args, "zinterstore", ZsetOp::Inter)
}

/// `ZDIFFSTORE destination numkeys key [key ...]`: replies with the number of members stored.
pub(super) fn zdiffstore(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    store(cx, args, "zdiffstore", ZsetOp::Diff)
}

/// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`
pub(super) fn zintercard(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let asked = Question::parse(cx, args, "zintercard", ZsetOp::Inter, Use::Count)?;
    let keys: Vec<&[u8]> = asked.inputs.iter().map(|(key, _)| *key).collect();
    let limit = if asked.limit == 0 { u64::MAX } else { asked.limit };
    Ok(Reply::from(cx.tx.zset_inter_count(cx.db, &keys, limit)?))
}
