//! `dump`: records as they lie in the segments.

use super::typed;
use crate::arguments::Dump;
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::spelling::Spelling;
use bitcask_core::inspect::{Found, RawRecord, inspect};
use std::ops::ControlFlow;

pub fn dump(args: &Dump, out: &mut Out) -> Result<Outcome, Failure> {
    let prefix = args.prefix.as_ref().map(|prefix| typed(prefix, out)).transpose()?;
    let prefix = prefix.unwrap_or_default();
    let mut left = args.limit.unwrap_or(u64::MAX);
    let (mut damaged, mut failed) = (false, None);
    let head =
        "segment      offset      length    sequence  kind           key bytes  value bytes  key";
    if !out.json {
        out.line(head)?;
    }
    inspect(&args.dir.dir, args.segment, &mut |found| {
        let printed = match &found {
            Found::Record(record) if record.key.starts_with(&prefix) => {
                if left == 0 {
                    return ControlFlow::Break(());
                }
                left -= 1;
                print(record, args.values, out)
            }
            Found::Damage { segment, offset, bytes, reason, .. } => {
                damaged = true;
                anomaly(out, *segment, *offset, *bytes, "damage", reason)
            }
            Found::Unfinished { segment, offset, bytes } => anomaly(
                out,
                *segment,
                *offset,
                *bytes,
                "unfinished",
                "a write that was not finished",
            ),
            _ => Ok(()),
        };
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                failed = Some(e);
                ControlFlow::Break(())
            }
        }
    })?;
    match failed {
        Some(e) => Err(e),
        None => Ok(if damaged { Outcome::Damaged } else { Outcome::Done }),
    }
}

fn print(record: &RawRecord<'_>, values: bool, out: &mut Out) -> Result<(), Failure> {
    // The bytes of a table are no place for raw ones.
    let spelling = if out.spelling == Spelling::Raw { Spelling::Escaped } else { out.spelling };
    if out.json {
        let follows = record.follows.map(|(segment, offset)| {
            let place = [("segment", Json::from(u64::from(segment))), ("offset", offset.into())];
            Json::Object(place.into())
        });
        let mut fields = vec![
            ("segment", Json::from(u64::from(record.segment))),
            ("offset", record.offset.into()),
            ("length", record.len.into()),
            ("sequence", record.sequence.into()),
            ("kind", record.kind.name().into()),
            ("written_at", record.written_at.0.into()),
            ("expires_at", record.expires_at.map(|at| at.0).into()),
            ("batch_goes_on", record.batch_goes_on.into()),
            ("follows", follows.into()),
            ("key_bytes", (record.key.len() as u64).into()),
            ("value_bytes", (record.value.len() as u64).into()),
            ("uncompressed_bytes", record.uncompressed_bytes.into()),
            ("key", spelling.text(record.key).into()),
        ];
        if values {
            fields.push(("value", spelling.text(record.value).into()));
        }
        return out.json(&Json::Object(fields));
    }
    let mut line = format!(
        "{:7}  {:10}  {:10}  {:10}  {:13}  {:9}  {:11}  {}",
        record.segment,
        record.offset,
        record.len,
        record.sequence,
        record.kind,
        record.key.len(),
        record.value.len(),
        spelling.text(record.key)
    );
    if values {
        line.push('\t');
        line.push_str(&spelling.text(record.value));
    }
    out.line(&line)
}

fn anomaly(
    out: &mut Out,
    segment: u32,
    offset: u64,
    bytes: u64,
    kind: &'static str,
    reason: &str,
) -> Result<(), Failure> {
    if out.json {
        return out.json(&Json::Object(vec![
            ("segment", u64::from(segment).into()),
            ("offset", offset.into()),
            ("length", bytes.into()),
            ("kind", kind.into()),
            ("reason", reason.into()),
        ]));
    }
    out.line(&format!("{segment:7}  {offset:10}  {bytes:10}  {:10}  {kind}: {reason}", "-"))
}
