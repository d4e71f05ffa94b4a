//! `verify`, `repair`, `salvage`: damage found, undone, lived with.

use super::classic::skipped;
use crate::arguments::{Dir, Verify};
use crate::exit::{Failure, Outcome};
use crate::json::Json;
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Table, Value};
use crate::target;
use bitcask_core::{Bitcask, Mode, Unfinished, VerifyProgress};
use std::path::Path;

pub fn verify(args: &Verify, out: &mut Out) -> Result<Outcome, Failure> {
    match (&args.dir, &args.file) {
        (Some(path), _) => verify_directory(path, out),
        (None, Some(path)) => super::backup::verify(path, out),
        (None, None) => unreachable!("the parser asks for one of them"),
    }
}

fn verify_directory(path: &Path, out: &mut Out) -> Result<Outcome, Failure> {
    let total = crate::files::ending_in(path, &[".seg", ".bitcask.data"])
        .map_or(0, |files| files.iter().map(|(_, len)| len).sum());
    let mut bar = Bar::bytes(out, "checking records", total);
    let mut reads_values = false;
    let found =
        Bitcask::verify(path, target::options(Mode::ReadOnly), &mut |progress| match progress {
            VerifyProgress::Records(bytes) => bar.set(bytes),
            VerifyProgress::Values(count, of) => {
                if !std::mem::replace(&mut reads_values, true) {
                    bar = Bar::count(out, "reading values", of);
                }
                bar.set(count);
            }
            _ => {}
        });
    drop(bar);
    let found = found.map_err(|e| target::failure(e, path))?;
    let damaged = !found.is_sound();
    let mut report = Report::default();
    report
        .add("sound", Value::yes(!damaged))
        .add("segments", Value::count(found.segments as u64))
        .add("records", Value::count(found.records))
        .add("bytes", Value::bytes(found.bytes))
        .add("keys_read", Value::count(found.keys))
        .add("damaged_places", Value::count(found.damaged));
    if found.voids > 0 {
        report.add("places_given_up_before", Value::count(found.voids));
    }
    if let Some(Unfinished { segment, offset, bytes }) = found.unfinished {
        let text = format!("{bytes} bytes at {offset} of segment {segment}, never acknowledged");
        let fields = [("segment", u64::from(segment).into()), ("offset", offset.into())];
        let json = Json::Object(fields.into_iter().chain([("bytes", bytes.into())]).collect());
        report.add("unfinished_write", Value::both(json, text));
    }
    let mut damage = Table::new(&["file", "offset", "what"]);
    for one in &found.damage {
        let mut what = one.reason.to_owned();
        if let Some(bytes) = one.bytes {
            what += &format!(" ({bytes} bytes)");
        }
        if let Some(key) = &one.key {
            what += &format!("; key {}", out.spelling.text(key));
        } else if one.keeps_shut {
            what += "; the store does not open";
        }
        let file = Value::text(one.path.display().to_string());
        damage.row(vec![file, Value::id(one.offset), Value::text(what)]);
    }
    let mut hints = Table::new(&["file", "what"]);
    for (file, what) in found.hints {
        hints.row(vec![Value::text(file.display().to_string()), Value::text(what)]);
    }
    report.table("damage", damage).table("hints_to_rebuild", hints);
    report.print(out)?;
    if damaged {
        out.note("bitmapist: there is damage: restore a backup, or see `bitmapist salvage --help`");
    }
    Ok(if damaged { Outcome::Damaged } else { Outcome::Done })
}

/// Opening for writing cuts a torn end, makes hints anew and clears up after an interrupted compaction.
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
