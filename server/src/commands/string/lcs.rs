//! `LCS`: the longest common subsequence of two strings, and where it lies in them.

use crate::command::{Args, CommandError, Context};
use bitmap_store::{Bytes, Error, MAX_VALUE_BYTES};
use resp::Reply;

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: i64,
}

impl Options {
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Options::default();
        while !args.is_empty() {
            if args.keyword("IDX") {
                options.idx = true;
            } else if args.keyword("LEN") {
                options.len = true;
            } else if args.keyword("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.len() >= 2 && args.keyword("MINMATCHLEN") {
                options.min_match_len = args.int()?;
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        if options.idx && options.len {
            return Err(CommandError::text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]`
pub(super) fn lcs(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (a, b) = (string(cx, args.key()?)?, string(cx, args.key()?)?);
    let options = Options::parse(args)?;
    // Redis' table has four bytes a cell and must not be larger than a value. Ours is much smaller, but the
    // time it takes grows just the same.
    let cells = (a.len() as u128 + 1) * (b.len() as u128 + 1);
    if cells * 4 > u128::from(MAX_VALUE_BYTES) {
        return Err(CommandError::text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    let table = Table::of(&a, &b);
    if options.len {
        return Ok(Reply::Int(i64::from(table.len)));
    }
    let runs = table.runs(&a, &b);
    if options.idx {
        return Ok(indexes(&table, &runs, options));
    }
    let common: Vec<u8> =
        runs.iter().rev().flat_map(|run| &a[run.in_a..run.in_a + run.len]).copied().collect();
    Ok(Reply::bulk(common))
}

fn string(cx: &mut Context<'_>, key: &[u8]) -> Result<Bytes, CommandError> {
    let value = cx.tx.get(cx.db, key);
    cx.looked_for(key, !matches!(value, Ok(None)));
    match value {
        Err(Error::WrongType) => {
            Err(CommandError::text("ERR The specified keys must contain string values"))
        }
        value => Ok(value?.unwrap_or_default()),
    }
}

fn indexes(table: &Table, runs: &[Run], options: Options) -> Reply {
    let matches = runs
        .iter()
        .filter(|run| run.len as i64 >= options.min_match_len)
        .map(|run| {
            let ends = |start: usize| {
                let end = start + run.len - 1;
                Reply::Array(vec![Reply::Int(start as i64), Reply::Int(end as i64)])
            };
            let mut parts = vec![ends(run.in_a), ends(run.in_b)];
            if options.with_match_len {
                parts.push(Reply::Int(run.len as i64));
            }
            Reply::Array(parts)
        })
        .collect();
    Reply::Map(vec![
        (Reply::bulk("matches"), Reply::Array(matches)),
        (Reply::bulk("len"), Reply::Int(i64::from(table.len))),
    ])
}

/// Bytes that the strings have in common, in one piece in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    in_a: usize,
    in_b: usize,
    len: usize,
}

/// The way back through the table of dynamic programming. Only a bit is kept of each cell: where
/// the bytes differ, whether the longer subsequence is the one without the byte of `a`.
struct Table {
    drop_a: Vec<u64>,
    columns: usize,
    len: u32,
}

impl Table {
    fn of(a: &[u8], b: &[u8]) -> Self {
        let mut table =
            Table { drop_a: vec![0; (a.len() * b.len()).div_ceil(64)], columns: b.len(), len: 0 };
        // lengths[j] is that of the prefixes of `a` so far and `b[..j]`.
        let mut lengths = vec![0_u32; b.len() + 1];
        for (i, byte_a) in a.iter().enumerate() {
            let mut diagonal = 0;
            for (j, byte_b) in b.iter().enumerate() {
                let (without_a, without_b) = (lengths[j + 1], lengths[j]);
                if byte_a == byte_b {
                    lengths[j + 1] = diagonal + 1;
                } else if without_a > without_b {
                    let cell = i * table.columns + j;
                    table.drop_a[cell / 64] |= 1 << (cell % 64);
                } else {
                    lengths[j + 1] = without_b;
                }
                diagonal = without_a;
            }
        }
        table.len = lengths[b.len()];
        table
    }

    /// The subsequence as runs, the last one first. Among several, it is the one that Redis finds.
    fn runs(&self, a: &[u8], b: &[u8]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            let cell = (i - 1) * self.columns + j - 1;
            if a[i - 1] == b[j - 1] {
                match runs.last_mut() {
                    Some(run) if (run.in_a, run.in_b) == (i, j) => {
                        *run = Run { in_a: i - 1, in_b: j - 1, len: run.len + 1 };
                    }
                    _ => runs.push(Run { in_a: i - 1, in_b: j - 1, len: 1 }),
                }
                (i, j) = (i - 1, j - 1);
            } else if self.drop_a[cell / 64] >> (cell % 64) & 1 == 1 {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(a: &str, b: &str) -> (String, u32, Vec<(usize, usize, usize)>) {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        let table = Table::of(a, b);
        let runs = table.runs(a, b);
        let text = runs.iter().rev().flat_map(|run| &a[run.in_a..run.in_a + run.len]).copied();
        let text = String::from_utf8(text.collect()).unwrap();
        (text, table.len, runs.iter().map(|run| (run.in_a, run.in_b, run.len)).collect())
    }

    #[test]
    fn the_example_of_redis_gives_its_answer() {
        let (text, len, runs) = common("ohmytext", "mynewtext");
        assert_eq!((text.as_str(), len), ("mytext", 6));
        assert_eq!(runs, [(4, 5, 4), (2, 0, 2)]);
    }

    #[test]
    fn strings_without_anything_in_common_give_nothing() {
        for (a, b) in [("", ""), ("abc", ""), ("", "abc"), ("abc", "xyz")] {
            assert_eq!(common(a, b), (String::new(), 0, vec![]));
        }
    }
}
