//! `verify`, `repair`, `salvage`: damage found, undone, lived with.

use super::classic::skipped;
use crate::arguments::{Dir, Verify};
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Table, Value};
use crate::target;
use bitcask_core::{Bitcask, Damage, Mode, VerifyProgress, VerifyReport};
use std::path::Path;

pub fn verify(args: &Verify, out: &mut Out) -> Result<Outcome, Failure> {
    match (&args.dir, &args.file) {
        (Some(path), _) => verify_directory(path, out),
        (None, Some(path)) => super::backup::verify(path, out),
        (None, None) => unreachable!("the parser asks for one of them"),
    }
}

fn verify_directory(path: &Path, out: &mut Out) -> Result<Outcome, Failure> {
    let found = look_at_all(path, out)?;
    let mut report = Report::default();
    report
        .add("sound", Value::yes(found.is_sound()))
        .add("segments", Value::count(found.segments as u64))
        .add("records", Value::count(found.records))
        .add("bytes", Value::bytes(found.bytes))
        .add("keys_read", Value::count(found.keys))
        .add("damaged_places", Value::count(found.damaged));
    if found.voids > 0 {
        report.add("places_given_up_before", Value::count(found.voids));
    }
    if let Some(unfinished) = found.unfinished {
        let (segment, offset, bytes) = (unfinished.segment, unfinished.offset, unfinished.bytes);
        let text = format!("{bytes} bytes at {offset} of segment {segment}, never acknowledged");
        let fields = [("segment", u64::from(segment).into()), ("offset", offset.into())];
        let json = Json::Object(fields.into_iter().chain([("bytes", bytes.into())]).collect());
        report.add("unfinished_write", Value::both(json, text));
    }
    let mut damage = Table::new(&["file", "offset", "what"]);
    for one in &found.damage {
        let file = Value::text(one.path.display().to_string());
        damage.row(vec![file, Value::id(one.offset), Value::text(what(one, out))]);
    }
    let mut hints = Table::new(&["file", "what"]);
    for (file, what) in &found.hints {
        hints.row(vec![Value::text(file.display().to_string()), Value::text(*what)]);
    }
    report.table("damage", damage).table("hints_to_rebuild", hints);
    report.print(out)?;
    if found.is_sound() {
        return Ok(Outcome::Done);
    }
    out.note("bitmapist: there is damage: restore a backup, or see `bitmapist salvage --help`");
    Ok(Outcome::Damaged)
}

/// Verifies, with a bar for the records, and then one for the values.
fn look_at_all(path: &Path, out: &Out) -> Result<VerifyReport, Failure> {
    let total: u64 = crate::files::ending_in(path, &[".seg", ".bitcask.data"])
        .map_or(0, |files| files.iter().map(|(_, len)| len).sum());
    let mut records = Some(Bar::bytes(out, "checking records", total));
    let mut values = None;
    let found =
        Bitcask::verify(path, target::options(Mode::ReadOnly), &mut |so_far| match so_far {
            VerifyProgress::Records(bytes) => records.iter().for_each(|bar| bar.set(bytes)),
            VerifyProgress::Values(read, total) => {
                records = None;
                values.get_or_insert_with(|| Bar::count(out, "reading values", total)).set(read);
            }
            _ => {}
        })?;
    Ok(found)
}

/// What is wrong there, and what it keeps from being read.
fn what(damage: &Damage, out: &Out) -> String {
    let bytes = damage.bytes.map(|bytes| format!(" ({bytes} bytes)")).unwrap_or_default();
    let key = damage.key.as_ref().map(|key| format!("; key {}", out.spelling.text(key)));
    let shut = if damage.keeps_shut { "; the store does not open" } else { "" };
    format!("{}{bytes}{}{shut}", damage.reason, key.unwrap_or_default())
}

/// Puts right what costs no data.
pub fn repair(args: &Dir, out: &mut Out) -> Result<Outcome, Failure> {
    let repaired = Bitcask::repair(&args.dir, target::options(Mode::Existing));
    let recovery = match repaired.map_err(|e| target::failure(e, &args.dir)) {
        Err(Failure::Damaged { place, message }) => {
            let message = format!(
                "{message}; that cannot be repaired without loss: see `bitmapist salvage --help`"
            );
            return Err(Failure::Damaged { place, message });
        }
        other => other?,
    };
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
