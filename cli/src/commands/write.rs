//! `put`, `del`.

use super::typed;
use crate::arguments::{Keys, Put};
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::json::Json;
use crate::output::Out;
use crate::target::{self, Access};

pub fn put(args: Put, out: &mut Out) -> Result<Outcome, Failure> {
    let key = typed(&args.key, out)?;
    let value = match (&args.value, &args.file) {
        (Some(value), _) => typed(value, out)?,
        (None, Some(path)) => files::read(path)?,
        (None, None) => files::standard_input()?,
    };
    let access = if args.create { Access::Create } else { Access::Write };
    let mut store = target::store(&args.target, access)?;
    let ttl_ms = args.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    store.put(&key, &value, ttl_ms)?;
    store.close()?;
    if out.json {
        let bytes = Json::from(value.len() as u64);
        out.json(&Json::Object(vec![("key", out.text(&key)), ("value_bytes", bytes)]))?;
    }
    Ok(Outcome::Done)
}

pub fn del(args: &Keys, out: &mut Out) -> Result<Outcome, Failure> {
    let keys: Result<Vec<_>, _> = args.keys.iter().map(|key| typed(key, out)).collect();
    let mut store = target::store(&args.target, Access::Write)?;
    let deleted = store.delete(&keys?)?;
    store.close()?;
    if out.json {
        out.json(&Json::Object(vec![("deleted", deleted.into())]))?;
    } else {
        out.line(&format!("{deleted} deleted"))?;
    }
    Ok(if deleted > 0 { Outcome::Done } else { Outcome::Missing })
}
