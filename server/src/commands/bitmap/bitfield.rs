//! `BITFIELD`: a list of steps, each reading or changing an integer somewhere in the string's bits.

use super::field::{FieldType, Overflow, parse_offset};
use crate::command::{Args, CommandError, Context};
use crate::events::Class;
use bitmap_store::MAX_VALUE_BYTES;
use resp::Reply;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    Set(i64),
    IncrBy(i64),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    operation: Operation,
    field: FieldType,
    /// In bits.
    offset: u64,
    overflow: Overflow,
}

impl Step {
    fn writes(&self) -> bool {
        self.operation != Operation::Get
    }

    fn last_bit(&self) -> u64 {
        self.offset + u64::from(self.field.width()) - 1
    }
}

/// `BITFIELD key [GET type offset] [OVERFLOW WRAP|SAT|FAIL] [SET type offset value]
/// [INCRBY type offset increment] ...`: replies with one number for each step, null where an overflow made it
/// fail.
pub(super) fn bitfield(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    run(cx, key, &parse_steps(args)?)
}

/// `BITFIELD_RO key [GET type offset ...]`
pub(super) fn bitfield_ro(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let steps = parse_steps(args)?;
    if steps.iter().any(Step::writes) {
        return Err(CommandError::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    run(cx, key, &steps)
}

fn parse_steps(mut args: Args<'_>) -> Result<Vec<Step>, CommandError> {
    let mut steps = Vec::with_capacity(args.len() / 3);
    let mut overflow = Overflow::default();
    while !args.is_empty() {
        // A subcommand that lacks an argument is no subcommand, whatever its others are.
        let following = args.len() - 1;
        if following >= 2 && args.keyword("GET") {
            let (field, offset) = parse_place(&mut args)?;
            steps.push(Step { operation: Operation::Get, field, offset, overflow });
        } else if following >= 3 && args.keyword("SET") {
            let (field, offset) = parse_writable_place(&mut args)?;
            let operation = Operation::Set(args.int()?);
            steps.push(Step { operation, field, offset, overflow });
        } else if following >= 3 && args.keyword("INCRBY") {
            let (field, offset) = parse_writable_place(&mut args)?;
            let operation = Operation::IncrBy(args.int()?);
            steps.push(Step { operation, field, offset, overflow });
        } else if following >= 1 && args.keyword("OVERFLOW") {
            overflow = parse_overflow(&mut args)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(steps)
}

fn parse_overflow(args: &mut Args<'_>) -> Result<Overflow, CommandError> {
    if args.keyword("WRAP") {
        Ok(Overflow::Wrap)
    } else if args.keyword("SAT") {
        Ok(Overflow::Saturate)
    } else if args.keyword("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(CommandError::text("ERR Invalid OVERFLOW type specified"))
    }
}

fn parse_place(args: &mut Args<'_>) -> Result<(FieldType, u64), CommandError> {
    let field = FieldType::parse(args.next()?).ok_or(CommandError::text(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    ))?;
    let offset = parse_offset(args.next()?, field).ok_or(CommandError::BIT_OFFSET)?;
    Ok((field, offset))
}

/// As [`parse_place`]. Redis lets a field begin at the last possible bit and grow the string past its
/// maximum; here the whole field must lie within it.
fn parse_writable_place(args: &mut Args<'_>) -> Result<(FieldType, u64), CommandError> {
    let (field, offset) = parse_place(args)?;
    if offset + u64::from(field.width()) > MAX_VALUE_BYTES * 8 {
        return Err(CommandError::BIT_OFFSET);
    }
    Ok((field, offset))
}

fn run(cx: &mut Context<'_>, key: &[u8], steps: &[Step]) -> Result<Reply, CommandError> {
    if steps.is_empty() {
        // A key that holds no string is refused all the same.
        cx.tx.strlen(cx.db, key)?;
    }
    if !steps.iter().any(Step::writes) {
        cx.looked_up_key(key, false)?;
    }
    let heard = cx.hears(Class::String) || cx.hears(Class::New);
    let len = if heard { cx.tx.strlen(cx.db, key)? } else { 0 };
    let mut replies = Vec::with_capacity(steps.len());
    let (mut refused, mut changed) = (false, false);
    for step in steps {
        let (reply, differs) = apply(cx, key, step)?;
        refused |= reply == Reply::Null;
        changed |= differs;
        replies.push(reply);
    }
    if refused {
        grow(cx, key, steps)?;
    }
    if heard {
        let grew = cx.tx.strlen(cx.db, key)? > len;
        let wrote =
            steps.iter().zip(&replies).any(|(step, reply)| step.writes() && *reply != Reply::Null);
        if changed || grew && wrote {
            cx.event(Class::String, "setbit", key);
        } else if grew {
            cx.event_if_new(key);
        }
    }
    Ok(Reply::Array(replies))
}

/// Takes a step; returns its reply, and whether the field has another value than before.
fn apply(cx: &mut Context<'_>, key: &[u8], step: &Step) -> Result<(Reply, bool), CommandError> {
    let Step { operation, field, offset, overflow } = *step;
    let old = field.decode(cx.tx.get_field(cx.db, key, offset, field.width())?);
    let (new, reply) = match operation {
        Operation::Get => return Ok((Reply::Int(old), false)),
        Operation::Set(value) => (field.assign(value, overflow), old),
        Operation::IncrBy(by) => {
            let new = field.increment(old, by, overflow);
            (new, new.unwrap_or(old))
        }
    };
    let Some(new) = new else {
        return Ok((Reply::Null, false));
    };
    cx.tx.set_field(cx.db, key, offset, field.width(), field.encode(new))?;
    Ok((Reply::Int(reply), new != old))
}

/// Redis makes room for every step before the first one runs, so a step that then fails has still made
/// the string as long as if it had not.
fn grow(cx: &mut Context<'_>, key: &[u8], steps: &[Step]) -> Result<(), CommandError> {
    let last_bit = steps.iter().filter(|step| step.writes()).map(Step::last_bit).max();
    if let Some(last_bit) = last_bit {
        let bit = cx.tx.get_bit(cx.db, key, last_bit)?;
        cx.tx.set_bit(cx.db, key, last_bit, bit)?;
    }
    Ok(())
}
