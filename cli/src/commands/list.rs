//! `keys`, `scan`, `range`: many keys, in byte order.

use super::typed;
use crate::arguments::{List, Paging, Range, Target};
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::stores::{Selection, Value};
use crate::target::{self, Access};
use bitmap_store::Glob;
use std::ops::ControlFlow;

pub fn list(args: &List, values: bool, out: &mut Out) -> Result<Outcome, Failure> {
    let mut selection = Selection { values, ..Selection::default() };
    if let Some(prefix) = &args.prefix {
        selection.from = typed(prefix, out)?;
        selection.to = beyond(&selection.from);
    }
    if let Some(pattern) = &args.pattern {
        // A pattern has escapes of its own.
        let pattern = std::os::unix::ffi::OsStrExt::as_bytes(&**pattern);
        selection.glob = Some(Glob::new(pattern));
    }
    print(selection, &args.paging, &args.target, out)
}

pub fn range(args: &Range, out: &mut Out) -> Result<Outcome, Failure> {
    let to = args.to.as_ref().map(|to| typed(to, out)).transpose()?;
    let selection =
        Selection { from: typed(&args.from, out)?, to, values: !args.keys, ..Selection::default() };
    print(selection, &args.paging, &args.target, out)
}

/// The first string beyond those that begin with `prefix`.
fn beyond(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut beyond = prefix[..=last].to_vec();
    beyond[last] += 1;
    Some(beyond)
}

fn print(
    mut selection: Selection,
    paging: &Paging,
    target: &Target,
    out: &mut Out,
) -> Result<Outcome, Failure> {
    selection.reverse = paging.reverse;
    if let Some(after) = &paging.after {
        let mut after = typed(after, out)?;
        if paging.reverse {
            if selection.to.as_ref().is_none_or(|to| after < *to) {
                selection.to = Some(after);
            }
        } else {
            after.push(0);
            selection.from = selection.from.max(after);
        }
    }
    let mut left = paging.limit.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(Outcome::Done);
    }
    let mut store = target::store(target, Access::Read)?;
    store.each(&selection, &mut |key, value| {
        entry(key, value, out)?;
        left -= 1;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(Outcome::Done)
}

fn entry(key: &[u8], value: Option<Value>, out: &mut Out) -> Result<(), Failure> {
    if out.json {
        let mut fields = vec![("key", out.text(key))];
        if let Some(value) = value {
            fields.push(("value", out.text(&value.bytes)));
            fields.push(("expires_at", value.expires_at.map(|at| at.0).into()));
        }
        return out.json(&Json::Object(fields));
    }
    out.bytes(&out.spelling.print(key))?;
    if let Some(value) = value {
        out.bytes(b"\t")?;
        out.bytes(&out.spelling.print(&value.bytes))?;
    }
    out.bytes(b"\n")
}
