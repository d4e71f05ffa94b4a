//! Registers in runs of equal ones: short while most are zero.
//!
//! | run | is |
//! |---|---|
//! | `00llllll` | l + 1 zeros |
//! | `01llllll llllllll` | l + 1 zeros |
//! | `1vvvvvll` | l + 1 registers of v + 1 |

use super::{Corrupt, REGISTERS, Registers};

/// Longest run of zeros in one byte.
const FEW_ZEROS: usize = 64;
/// Longest run of a value.
const FEW_VALUES: usize = 4;
/// Largest value that can be said.
pub(super) const LARGEST: u8 = 32;
/// After a change, so many runs are looked at whether neighbours have become one.
const LOOKED_AT: usize = 5;

/// Registers of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    value: u8,
    len: usize,
    /// Bytes that it is written in.
    size: usize,
}

impl Run {
    /// The run at the front of `bytes`, which are not empty.
    fn first(bytes: &[u8]) -> Result<Run, Corrupt> {
        let first = bytes[0];
        Ok(match first >> 6 {
            0 => Run { value: 0, len: usize::from(first) + 1, size: 1 },
            1 => {
                let low = bytes.get(1).ok_or(Corrupt)?;
                let len = (usize::from(first & 0x3f) << 8 | usize::from(*low)) + 1;
                Run { value: 0, len, size: 2 }
            }
            _ => Run { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1, size: 1 },
        })
    }

    fn is_value(self) -> bool {
        self.value > 0
    }
}

/// Writes a run, which is no longer than one of its kind may be; one of no registers is nothing.
fn put(value: u8, len: usize, out: &mut Vec<u8>) {
    match (value, len) {
        (_, 0) => {}
        (0, 1..=FEW_ZEROS) => out.push(len as u8 - 1),
        (0, _) => {
            let len = len - 1;
            out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]);
        }
        (value, _) => out.push(0x80 | (value - 1) << 2 | (len as u8 - 1)),
    }
}

/// All registers are zero.
pub(super) fn empty() -> Vec<u8> {
    let mut out = Vec::new();
    put(0, REGISTERS, &mut out);
    out
}

/// Visits the runs: value and length. They must be of all registers, and no more.
pub(super) fn each(bytes: &[u8], mut visit: impl FnMut(u8, usize)) -> Result<(), Corrupt> {
    let (mut rest, mut registers) = (bytes, 0);
    while !rest.is_empty() {
        let run = Run::first(rest)?;
        registers += run.len;
        if registers > REGISTERS {
            return Err(Corrupt);
        }
        visit(run.value, run.len);
        rest = &rest[run.size..];
    }
    if registers == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Raises `registers` to those in `bytes`.
pub(super) fn merge(bytes: &[u8], registers: &mut Registers) -> Result<(), Corrupt> {
    let mut at = 0;
    each(bytes, |value, len| {
        if value > 0 {
            registers[at..at + len].iter_mut().for_each(|r| *r = (*r).max(value));
        }
        at += len;
    })
}

/// What raising a register has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Raised {
    /// It was as large already.
    No,
    Yes,
    /// The runs would take more bytes than they may.
    TooLong,
}

/// Raises the register at `index` to `value`, at most [`LARGEST`], if it is lower. The runs take up to `most`
/// bytes after that.
///
/// They are changed as Redis changes them, which need not make the fewest of them: so the bytes are the same.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    most: usize,
) -> Result<Raised, Corrupt> {
    let (mut at, mut before, mut first) = (0, 0, 0);
    let run = loop {
        if at >= bytes.len() {
            return Err(Corrupt);
        }
        let run = Run::first(&bytes[at..])?;
        if index < first + run.len {
            break run;
        }
        (before, at, first) = (at, at + run.size, first + run.len);
    };
    if run.value >= value {
        return Ok(Raised::No);
    }
    // What the run is left before the register, the register, and what is left behind it.
    let mut parts = Vec::with_capacity(5);
    put(run.value, index - first, &mut parts);
    put(value, 1, &mut parts);
    put(run.value, first + run.len - 1 - index, &mut parts);
    if parts.len() > run.size && bytes.len() + parts.len() - run.size > most {
        return Ok(Raised::TooLong);
    }
    bytes.splice(at..at + run.size, parts);
    join(bytes, before)?;
    Ok(Raised::Yes)
}

/// Makes one of neighbours with the same value, from the run at `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) -> Result<(), Corrupt> {
    for _ in 0..LOOKED_AT {
        if at >= bytes.len() {
            break;
        }
        let run = Run::first(&bytes[at..])?;
        if run.is_value() && at + 1 < bytes.len() {
            let next = Run::first(&bytes[at + 1..])?;
            if next.value == run.value && run.len + next.len <= FEW_VALUES {
                let mut joined = Vec::with_capacity(1);
                put(run.value, run.len + next.len, &mut joined);
                bytes.splice(at..at + 2, joined);
                continue;
            }
        }
        at += run.size;
    }
    Ok(())
}

/// The runs as Redis' `PFDEBUG DECODE` prints them.
pub(super) fn describe(bytes: &[u8]) -> Result<String, Corrupt> {
    let (mut words, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let Run { value, len, size } = Run::first(rest)?;
        words.push(match (value, size) {
            (0, 1) => format!("z:{len}"),
            (0, _) => format!("Z:{len}"),
            _ => format!("v:{value},{len}"),
        });
        rest = &rest[size..];
    }
    Ok(words.join(" "))
}
