//! `verify`, `repair`, `salvage`: damage found, undone, lived with.

use super::classic::skipped;
use crate::arguments::{Database, Dir, Verify};
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Table, Value};
use crate::target::{self, Access};
use bitcask_core::inspect::{Found, HintState, RecordKind, inspect};
use bitcask_core::{Bitcask, Error, KeyRange, Mode};
use std::ops::ControlFlow;
use std::path::Path;

/// So many of each kind of trouble are named.
const NAMED: usize = 1000;

/// What was found.
#[derive(Default)]
struct Findings {
    segments: u64,
    records: u64,
    bytes: u64,
    damaged: u64,
    damage: Vec<(String, Option<u64>, String)>,
    hints: Vec<(String, &'static str)>,
    unfinished: Option<(u32, u64, u64)>,
    /// Places that salvage has filled, or that were damaged when another Bitcask's files were taken over.
    voids: u64,
}

impl Findings {
    fn damage(&mut self, path: String, offset: Option<u64>, what: String) {
        self.damaged += 1;
        if self.damage.len() < NAMED {
            self.damage.push((path, offset, what));
        }
    }

    /// Notes damage that came as an error; gives other errors back.
    fn note(&mut self, error: Error, of: &str) -> Result<(), Failure> {
        match error {
            Error::Corrupt { path, offset, reason } => {
                let place = path.display().to_string();
                // It has been found by looking at every record.
                if !self.damage.iter().any(|(file, at, _)| *file == place && *at == Some(offset)) {
                    self.damage(place, Some(offset), format!("{reason}{of}"));
                }
                Ok(())
            }
            other => Err(other.into()),
        }
    }
}

pub fn verify(args: &Verify, out: &mut Out) -> Result<Outcome, Failure> {
    match (&args.dir, &args.file) {
        (Some(path), _) => verify_directory(path, out),
        (None, Some(path)) => super::backup::verify(path, out),
        (None, None) => unreachable!("the parser asks for one of them"),
    }
}

fn verify_directory(path: &Path, out: &mut Out) -> Result<Outcome, Failure> {
    let mut found = Findings::default();
    check_records(path, &mut found, out)?;
    let keys = check_values(path, &mut found, out)?;
    let damaged = found.damaged > 0;
    let mut report = Report::default();
    report
        .add("sound", Value::yes(!damaged))
        .add("segments", Value::count(found.segments))
        .add("records", Value::count(found.records))
        .add("bytes", Value::bytes(found.bytes))
        .add("keys_read", Value::count(keys))
        .add("damaged_places", Value::count(found.damaged));
    if found.voids > 0 {
        report.add("places_given_up_before", Value::count(found.voids));
    }
    if let Some((segment, offset, bytes)) = found.unfinished {
        let text = format!("{bytes} bytes at {offset} of segment {segment}, never acknowledged");
        let fields = [("segment", u64::from(segment).into()), ("offset", offset.into())];
        let json = Json::Object(fields.into_iter().chain([("bytes", bytes.into())]).collect());
        report.add("unfinished_write", Value::both(json, text));
    }
    let mut damage = Table::new(&["file", "offset", "what"]);
    for (file, offset, what) in found.damage {
        let offset = Value::or(offset.map(Value::id), "-");
        damage.row(vec![Value::text(file), offset, Value::text(what)]);
    }
    let mut hints = Table::new(&["file", "what"]);
    for (file, what) in found.hints {
        hints.row(vec![Value::text(file), Value::text(what)]);
    }
    report.table("damage", damage).table("hints_to_rebuild", hints);
    report.print(out)?;
    if damaged {
        out.note("bitmapist: there is damage: restore a backup, or see `bitmapist salvage --help`");
    }
    Ok(if damaged { Outcome::Damaged } else { Outcome::Done })
}

/// Checks every record of every segment.
fn check_records(path: &Path, found: &mut Findings, out: &Out) -> Result<(), Failure> {
    let total: u64 = crate::files::ending_in(path, &[".seg", ".bitcask.data"])
        .map_or(0, |files| files.iter().map(|(_, len)| len).sum());
    let bar = Bar::bytes(out, "checking records", total);
    let mut gone_through = 0;
    inspect(path, None, &mut |item| {
        match item {
            Found::Segment { path, bytes, hint, compacted, .. } => {
                found.segments += 1;
                found.bytes += bytes;
                gone_through += bytes;
                bar.set(gone_through);
                match hint {
                    HintState::Unusable(why) => {
                        found.hints.push((path.with_extension("hint").display().to_string(), why));
                    }
                    HintState::Missing if compacted => {
                        let file = path.with_extension("hint").display().to_string();
                        found.hints.push((file, "there is none"));
                    }
                    _ => {}
                }
            }
            Found::Record(record) if record.kind == RecordKind::Void => found.voids += 1,
            Found::Record(_) => found.records += 1,
            Found::Damage { path, offset, bytes, reason, .. } => {
                let what = format!("{reason} ({bytes} bytes)");
                found.damage(path.display().to_string(), Some(offset), what);
            }
            Found::Unfinished { segment, offset, bytes } => {
                found.unfinished = Some((segment, offset, bytes));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Opens the store and reads every value; says how many.
fn check_values(path: &Path, found: &mut Findings, out: &Out) -> Result<u64, Failure> {
    let log = match Bitcask::open(path, target::options(Mode::ReadOnly)) {
        Ok(log) => log,
        Err(e) => {
            found.note(e, "; the store does not open")?;
            return Ok(0);
        }
    };
    let bar = Bar::count(out, "reading values", log.len() as u64);
    let mut keys = 0;
    let now = bitcask_core::UnixMillis(0);
    for key in log.keys(KeyRange::all()) {
        // At the beginning of time nothing has expired.
        if let Err(e) = log.get(&key, now) {
            found.note(e, &format!("; key {}", out.spelling.text(&key)))?;
        }
        keys += 1;
        bar.advance(1);
    }
    Ok(keys)
}

/// Opening for writing cuts a torn end, makes hints anew and clears up after an interrupted compaction.
pub fn repair(args: &Dir, out: &mut Out) -> Result<Outcome, Failure> {
    let opened = match target::open(&args.dir, Database { db: None, raw: true }, Access::Write) {
        Err(Failure::Damaged { place, message }) => {
            let message = format!(
                "{message}; that cannot be repaired without loss: see `bitmapist salvage --help`"
            );
            return Err(Failure::Damaged { place, message });
        }
        other => other?,
    };
    let recovery = opened.log().recovery().clone();
    opened.close()?;
    let mut report = Report::default();
    report
        .add("segments", Value::count(recovery.segments as u64))
        .add("keys", Value::count(recovery.keys as u64))
        .add("hints_rebuilt", Value::count(recovery.rebuilt_hints as u64))
        .add("bytes_cut", Value::count(recovery.torn.as_ref().map_or(0, |torn| torn.bytes)));
    if let Some(classic) = recovery.classic {
        report
            .add("files_taken_over", Value::count(classic.files as u64))
            .add("entries_skipped", Value::count(classic.skipped))
            .table("skipped_entries", skipped(&classic, out));
    }
    if let Some(torn) = recovery.torn {
        report.add("cut_from", Value::text(format!("{} at {}", torn.segment, torn.offset)));
    }
    report.print(out)?;
    Ok(Outcome::Done)
}

pub fn salvage(args: &Dir, out: &mut Out) -> Result<Outcome, Failure> {
    let done = Bitcask::salvage(&args.dir, target::options(Mode::Existing))
        .map_err(|e| target::failure(e, &args.dir))?;
    let mut report = Report::default();
    report
        .add("segments", Value::count(done.segments as u64))
        .add("records_kept", Value::count(done.records))
        .add("places_lost", Value::count(done.lost.len() as u64))
        .add("bytes_lost", Value::count(done.lost.iter().map(|lost| lost.bytes).sum()))
        .add("segments_missing", Value::count(done.missing.len() as u64))
        .add("keys_lost", Value::count(done.unreadable_keys));
    let mut lost = Table::new(&["set_aside", "offset", "bytes", "what"]);
    for one in &done.lost {
        lost.row(vec![
            Value::text(one.path.display().to_string()),
            Value::id(one.offset),
            Value::count(one.bytes),
            Value::text(one.reason),
        ]);
    }
    let mut keys = Table::new(&["key"]);
    for key in &done.unreadable {
        keys.row(vec![Value::text(out.spelling.text(key))]);
    }
    report.table("lost", lost).table("keys", keys);
    report.print(out)?;
    Ok(Outcome::Done)
}
