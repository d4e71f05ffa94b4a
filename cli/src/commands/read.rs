//! `get`, `exists`.

use super::typed;
use crate::arguments::{Get, Keys};
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::target::{self, Access};

pub fn get(args: &Get, out: &mut Out) -> Result<Outcome, Failure> {
    let key = typed(&args.key, out)?;
    let mut store = target::store(&args.target, Access::Read)?;
    if args.metadata {
        let Some(report) = store.describe(&key)? else { return Ok(Outcome::Missing) };
        report.print(out)?;
        return Ok(Outcome::Done);
    }
    let Some(value) = store.get(&key)? else { return Ok(Outcome::Missing) };
    if out.json {
        let expires_at = value.expires_at.map(|at| at.0);
        out.json(&Json::Object(vec![
            ("key", out.text(&key)),
            ("value", out.text(&value.bytes)),
            ("expires_at", expires_at.into()),
        ]))?;
    } else {
        out.bytes(&out.spelling.print(&value.bytes))?;
        // Raw bytes are the value and nothing else.
        if out.spelling != crate::spelling::Spelling::Raw {
            out.line("")?;
        }
    }
    Ok(Outcome::Done)
}

pub fn exists(args: &Keys, out: &mut Out) -> Result<Outcome, Failure> {
    let mut store = target::store(&args.target, Access::Read)?;
    let mut all = true;
    for argument in &args.keys {
        let key = typed(argument, out)?;
        let there = store.exists(&key)?;
        all &= there;
        if out.json {
            out.json(&Json::Object(vec![("key", out.text(&key)), ("exists", there.into())]))?;
        } else {
            out.bytes(&out.spelling.print(&key))?;
            out.line(if there { "\tyes" } else { "\tno" })?;
        }
    }
    Ok(if all { Outcome::Done } else { Outcome::Missing })
}
