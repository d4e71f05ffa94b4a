//! `stats`, `reclaimable`, `version`: figures.

use crate::arguments::{Database, Dir, Stats, Version};
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::report::{Report, Table, Value};
use crate::stores::Connection;
use crate::target::{self, Access, Opened};
use bitmap_store::{DATABASES, Db};
use std::path::Path;

pub fn stats(args: &Stats, out: &mut Out) -> Result<Outcome, Failure> {
    match (&args.target.dir, &args.target.server) {
        (Some(path), _) => of_directory(path, args.target.database, args.segments, out)?,
        (None, Some(server)) => of_server(server, out)?,
        (None, None) => unreachable!("the parser asks for one of them"),
    }
    Ok(Outcome::Done)
}

fn of_directory(
    path: &Path,
    database: Database,
    segments: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let opened = target::open(path, database, Access::Read)?;
    let log = opened.log();
    let (stats, reclaimable, recovery) = (log.stats(), log.reclaimable(), log.recovery());
    let mut report = Report::default();
    report.add("kind", Value::text(opened.kind()));
    let mut databases = Table::new(&["database", "keys", "with_expiry"]);
    if let Opened::Keyspace(keyspace) = &opened {
        let all = (0..DATABASES).map(Db);
        report.add("keys", Value::count(all.clone().map(|db| keyspace.db_size(db)).sum()));
        for db in all.filter(|db| keyspace.db_size(*db) > 0) {
            databases.row(vec![
                Value::id(u64::from(db.0)),
                Value::count(keyspace.db_size(db)),
                Value::count(keyspace.expires(db)),
            ]);
        }
    }
    report
        .add("log_keys", Value::count(stats.keys as u64))
        .add("segments", Value::count(stats.segments as u64))
        .add("disk_bytes", Value::bytes(stats.disk_bytes))
        .add("dead_bytes", Value::bytes(reclaimable.dead_bytes))
        .add("dead_share", Value::share(reclaimable.share()))
        .add("keydir_bytes", Value::bytes(stats.keydir_bytes as u64))
        .add("hinted_segments", Value::count(recovery.hinted as u64))
        .add("scanned_bytes", Value::bytes(recovery.scanned_bytes));
    if let Some(torn) = &recovery.torn {
        let text = format!("{} bytes at {} of {}", torn.bytes, torn.offset, torn.segment);
        report.add("unfinished_write", Value::text(text));
    }
    if matches!(opened, Opened::Keyspace(_)) {
        report.table("databases", databases);
    }
    if segments {
        let mut table = Table::new(&[
            "segment",
            "file",
            "bytes",
            "live_bytes",
            "dead_share",
            "written_by",
            "active",
        ]);
        for segment in log.segments() {
            let live = segment.live_bytes;
            let dead = 1.0 - live as f64 / segment.bytes.max(1) as f64;
            let written_by = if segment.compacted { "compaction" } else { "log" };
            table.row(vec![
                Value::id(u64::from(segment.id)),
                Value::text(segment.file),
                Value::bytes(segment.bytes),
                Value::bytes(live),
                Value::share(dead.max(0.0)),
                Value::text(written_by),
                Value::yes(segment.active),
            ]);
        }
        report.table("segment_list", table);
    }
    report.print(out)
}

fn of_server(server: &str, out: &mut Out) -> Result<(), Failure> {
    let lines = Connection::open(server)?.info()?;
    let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (section, name, value) in lines {
        match sections.last_mut().filter(|(last, _)| *last == section) {
            Some((_, fields)) => fields.push((name, value)),
            None => sections.push((section, vec![(name, value)])),
        }
    }
    if out.json {
        let fields = |fields: Vec<(String, String)>| {
            Json::Map(fields.into_iter().map(|(name, value)| (name, figure(value))).collect())
        };
        let all = sections.into_iter().map(|(name, values)| (name, fields(values)));
        return out.json(&Json::Map(all.collect()));
    }
    for (i, (section, fields)) in sections.into_iter().enumerate() {
        out.line(&format!("{}{section}:", if i > 0 { "\n" } else { "" }))?;
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            out.line(&format!("{name:width$}  {value}"))?;
        }
    }
    Ok(())
}

pub fn reclaimable(args: &Dir, out: &mut Out) -> Result<Outcome, Failure> {
    let opened = target::open(&args.dir, Database::default(), Access::Read)?;
    let found = opened.log().reclaimable();
    let mut report = Report::default();
    report
        .add("total_bytes", Value::bytes(found.total_bytes))
        .add("dead_bytes", Value::bytes(found.dead_bytes))
        .add("dead_share", Value::share(found.share()));
    report.print(out)?;
    Ok(Outcome::Done)
}

pub fn version(args: &Version, out: &mut Out) -> Result<Outcome, Failure> {
    let mut report = Report::default();
    report.add("bitmapist", Value::text(env!("CARGO_PKG_VERSION")));
    if let Some(server) = &args.server {
        let lines = Connection::open(server)?.info()?;
        for wanted in ["bitmapistd_version", "redis_version"] {
            let found = lines.iter().find(|(_, name, _)| name == wanted);
            let found = found.map(|(_, _, value)| Value::text(value));
            report.add(wanted, Value::or(found, "not said"));
        }
    }
    report.print(out)?;
    Ok(Outcome::Done)
}

/// What a server says, as a number if it is written as one; a version, or a hexadecimal name, is none.
fn figure(text: String) -> Json {
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() > 1 && whole.starts_with('0') {
        return Json::Text(text);
    }
    match (text.parse::<u64>(), text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(number), ..) => Json::Int(number),
        (_, Ok(number), _) => Json::Negative(number),
        (.., Ok(number)) => Json::Float(number),
        _ => Json::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn what_is_written_as_a_number_is_one_and_names_are_none() {
        for (said, json) in [
            ("7", "7"),
            ("-1", "-1"),
            ("0.25", "0.25"),
            ("0", "0"),
            ("00000000", "\"00000000\""),
            ("7.2.4", "\"7.2.4\""),
            ("12e4", "\"12e4\""),
            ("inf", "\"inf\""),
            ("-", "\"-\""),
            ("", "\"\""),
            ("99999999999999999999", "1e20"),
        ] {
            assert_eq!(figure(said.into()).to_string(), json);
        }
    }
}
