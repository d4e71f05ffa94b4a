//! Bitmaps: strings seen as bits, bit 0 being the most significant one of the first byte.

mod bitfield;
mod field;

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::events::Class;
use bitfield::{bitfield, bitfield_ro};
use bitmap_store::{BitOp, MAX_VALUE_BYTES};
use resp::Reply;
use std::ops::Range;

const READ: Flags = Flags::READONLY;
const GROW: Flags = Flags::WRITE.or(Flags::DENYOOM);

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("setbit", 4, GROW, Keys::first(), setbit)
        .doc(
            Group::Bitmap,
            "2.2.0",
            "O(1)",
            "Sets or clears the bit at offset in the string value stored at key",
        )
        .access("RW access update"),
    CommandSpec::new("getbit", 3, READ.or(Flags::FAST), Keys::first(), getbit).doc(
        Group::Bitmap,
        "2.2.0",
        "O(1)",
        "Returns the bit value at offset in the string value stored at key",
    ),
    CommandSpec::new("bitcount", -2, READ, Keys::first(), bitcount).doc(
        Group::Bitmap,
        "2.6.0",
        "O(N)",
        "Count set bits in a string",
    ),
    CommandSpec::new("bitpos", -3, READ, Keys::first(), bitpos).doc(
        Group::Bitmap,
        "2.8.7",
        "O(N)",
        "Find first bit set or clear in a string",
    ),
    CommandSpec::new("bitop", -4, GROW, Keys::range(2, -1, 1), bitop)
        .doc(Group::Bitmap, "2.6.0", "O(N)", "Perform bitwise operations between strings")
        .access_each(&[(Keys::range(2, 2, 1), "OW update"), (Keys::range(3, -1, 1), "RO access")]),
    CommandSpec::new("bitfield", -2, GROW, Keys::first(), bitfield)
        .doc(
            Group::Bitmap,
            "3.2.0",
            "O(1) for each subcommand specified",
            "Perform arbitrary bitfield integer operations on strings",
        )
        .access("RW access update variable_flags")
        .note("This command allows both access and modification of the key"),
    CommandSpec::new("bitfield_ro", -2, READ.or(Flags::FAST), Keys::first(), bitfield_ro).doc(
        Group::Bitmap,
        "6.0.0",
        "O(1) for each subcommand specified",
        "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
    ),
];

/// `SETBIT key offset value`: replies with the bit's previous value.
fn setbit(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, offset, bit) = (args.key()?, args.bit_offset()?, args.bit()?);
    let heard = cx.hears(Class::String) || cx.hears(Class::New);
    let len = if heard { cx.tx.strlen(cx.db, key)? } else { 0 };
    let previous = cx.tx.set_bit(cx.db, key, offset, bit)?;
    // Redis tells of what changed only.
    if heard && (previous != bit || len <= offset / 8) {
        cx.event(Class::String, "setbit", key);
    }
    Ok(Reply::from(previous))
}

/// `GETBIT key offset`
fn getbit(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (key, offset) = (args.key()?, args.bit_offset()?);
    let bit = cx.tx.get_bit(cx.db, key, offset)?;
    cx.looked_for(key, cx.tx.was_found());
    Ok(Reply::from(bit))
}

/// `BITCOUNT key [start end [BYTE|BIT]]`
fn bitcount(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    if args.is_empty() {
        let count = cx.tx.count_bits(cx.db, key, 0..MAX_VALUE_BYTES * 8)?;
        cx.looked_up_key(key, count > 0)?;
        return Ok(Reply::from(count));
    }
    // Redis looks the key up before it reads the range: a missing one counts 0 whatever follows.
    let len_bytes = cx.tx.strlen(cx.db, key)?;
    if !cx.looked_up_key(key, len_bytes > 0)? {
        return Ok(Reply::Int(0));
    }
    if !matches!(args.len(), 2 | 3) {
        return Err(CommandError::SYNTAX);
    }
    let (start, end) = (args.int()?, args.int()?);
    if start < 0 && end < 0 && start > end {
        return Ok(Reply::Int(0));
    }
    let range = Unit::parse(args)?.range(start, end, len_bytes);
    Ok(Reply::from(cx.tx.count_bits(cx.db, key, range)?))
}

/// `BITPOS key bit [start [end [BYTE|BIT]]]`: replies -1 if the range holds no such bit. If no end was
/// given, the string is taken to go on with clear bits.
fn bitpos(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let bit = match args.int()? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::text("ERR The bit argument must be 1 or 0.")),
    };
    // As for BITCOUNT, a missing key has its answer before the rest is looked at.
    let len_bytes = cx.tx.strlen(cx.db, key)?;
    if !cx.looked_up_key(key, len_bytes > 0)? {
        return Ok(Reply::Int(if bit { -1 } else { 0 }));
    }
    if args.len() > 3 {
        return Err(CommandError::SYNTAX);
    }
    let start = if args.is_empty() { 0 } else { args.int()? };
    let mut unit = Unit::Byte;
    if args.len() == 2 {
        // The unit stands last, but Redis reads it before the end.
        let mut last = args;
        last.next()?;
        unit = Unit::parse(last)?;
    }
    let end = if args.is_empty() { None } else { Some(args.int()?) };
    let range = unit.range(start, end.unwrap_or(-1), len_bytes);
    if range.is_empty() {
        return Ok(Reply::Int(-1));
    }
    Ok(match cx.tx.find_bit(cx.db, key, bit, range)? {
        Some(offset) => Reply::from(offset),
        None if !bit && end.is_none() => Reply::from(len_bytes * 8),
        None => Reply::Int(-1),
    })
}

/// What the ends of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// The unit that ends a command; bytes if there is none.
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        if args.keyword("BIT") {
            Ok(Unit::Bit)
        } else if args.is_empty() || args.keyword("BYTE") {
            Ok(Unit::Byte)
        } else {
            Err(CommandError::SYNTAX)
        }
    }

    /// The bits from `start` to `end`, both included and negative ones counted from the end of a string of
    /// `len_bytes`, as far as the string goes.
    fn range(self, start: i64, end: i64, len_bytes: u64) -> Range<u64> {
        let bits = match self {
            Unit::Byte => 8,
            Unit::Bit => 1,
        };
        // A string has at most 2^29 bytes and a little, so its bits fit with room to spare.
        let len = (len_bytes * 8 / bits) as i64;
        let from_end = |index: i64| {
            if index < 0 { (index + len).max(0) } else { index }
        };
        let (start, end) = (from_end(start), from_end(end).min(len - 1));
        if start > end {
            return 0..0;
        }
        start as u64 * bits..(end as u64 + 1) * bits
    }
}

/// `BITOP operation destkey key [key ...]`: replies with the length of the result in bytes.
fn bitop(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    const OPERATIONS: [(&str, BitOp); 8] = [
        ("AND", BitOp::And),
        ("OR", BitOp::Or),
        ("XOR", BitOp::Xor),
        ("NOT", BitOp::Not),
        ("DIFF", BitOp::Diff),
        ("DIFF1", BitOp::Diff1),
        ("ANDOR", BitOp::AndOr),
        ("ONE", BitOp::One),
    ];
    let (name, operation) =
        OPERATIONS.into_iter().find(|(name, _)| args.keyword(name)).ok_or(CommandError::SYNTAX)?;
    let destination = args.key()?;
    let sources: Vec<&[u8]> = args.rest().collect();
    match operation {
        BitOp::Not if sources.len() != 1 => {
            return Err(CommandError::text(
                "ERR BITOP NOT must be called with a single source key.",
            ));
        }
        BitOp::Diff | BitOp::Diff1 | BitOp::AndOr if sources.len() < 2 => {
            return Err(CommandError::new(format!(
                "ERR BITOP {name} must be called with at least two source keys."
            )));
        }
        _ => {}
    }
    // Before it runs: the destination may be a source.
    for source in &sources {
        cx.looked_up_key(source, false)?;
    }
    let existed = cx.hears(Class::Generic) && cx.tx.exists(cx.db, destination)?;
    let len = cx.tx.bit_op(operation, cx.db, destination, &sources)?;
    if len > 0 {
        cx.event(Class::String, "set", destination);
    } else if existed {
        cx.event(Class::Generic, "del", destination);
    }
    Ok(Reply::from(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clipped_to_the_string_as_redis_clips_them() {
        for (start, end, len_bytes, bytes, bits) in [
            (0, -1, 3, 0..24, 0..24),
            (1, 1, 3, 8..16, 1..2),
            (-2, -1, 3, 8..24, 22..24),
            (0, 100, 3, 0..24, 0..24),
            (5, 100, 3, 0..0, 5..24),
            (-100, -100, 3, 0..8, 0..1),
            (2, 1, 3, 0..0, 0..0),
            (0, -1, 0, 0..0, 0..0),
            (i64::MIN, i64::MAX, 3, 0..24, 0..24),
            (i64::MAX, i64::MIN, 3, 0..0, 0..0),
        ] {
            assert_eq!(Unit::Byte.range(start, end, len_bytes), bytes, "{start} {end} BYTE");
            assert_eq!(Unit::Bit.range(start, end, len_bytes), bits, "{start} {end} BIT");
        }
    }
}
