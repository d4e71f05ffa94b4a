//! `import`, `export`: directories of other Bitcasks.

use crate::arguments::{Database, Export, Import};
use crate::exit::{Failure, Outcome};
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Table, Value};
use crate::target::{self, Access, Opened};
use bitcask_core::Mode;
use bitcask_core::classic::{
    self, Directory, DirectoryOptions, DirectoryReport, ExportOptions, Layout,
};

pub fn import(args: &Import, out: &mut Out) -> Result<Outcome, Failure> {
    let options = DirectoryOptions { expiry_secs: args.expiry_secs };
    let from = Directory::open(&args.from, options)?;
    let bar = Bar::count(out, "importing", from.len() as u64);
    let now = target::now();
    let mut progress = |so_far: &classic::ImportReport| {
        bar.set(so_far.entries + so_far.expired + so_far.skipped);
    };
    let done = if args.merge {
        let opened = target::open(&args.dir, Database::default(), Access::Write)?;
        if let Opened::Keyspace(_) = opened {
            let dir = args.dir.display();
            return Err(Failure::Usage(format!(
                "{dir} is a bitmapistd's: keys of a foreign directory would harm it"
            )));
        }
        let done = classic::import(&from, opened.log(), now, &mut progress)?;
        opened.close()?;
        done
    } else {
        classic::import_to(&from, &args.dir, target::options(Mode::Create), now, &mut progress)?
    };
    drop(bar);
    let found = from.report();
    let mut report = Report::default();
    report
        .add("layout", Value::text(layout_name(found.layout)))
        .add("entries", Value::count(done.entries))
        .add("bytes", Value::bytes(done.bytes))
        .add("expired", Value::count(done.expired))
        .add("skipped", Value::count(found.skipped + done.skipped))
        .add("skipped_bytes", Value::bytes(found.skipped_bytes));
    report.table("skipped_entries", skipped(found, out));
    report.print(out)?;
    Ok(Outcome::Done)
}

/// What was not taken over.
pub fn skipped(found: &DirectoryReport, out: &Out) -> Table {
    let mut table = Table::new(&["file", "offset", "bytes", "key", "why"]);
    for one in &found.named {
        let key = one.key.as_ref().map(|key| Value::text(out.spelling.text(key)));
        table.row(vec![
            Value::text(&one.file),
            Value::id(one.offset),
            Value::count(one.bytes),
            Value::or(key, "-"),
            Value::text(one.reason),
        ]);
    }
    table
}

fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Basho => "Basho's Bitcask or pybitcask",
        Layout::Bitgask => "bitgask",
        Layout::Prologic => "prologic/bitcask",
        _ => "another",
    }
}

pub fn export(args: &Export, out: &mut Out) -> Result<Outcome, Failure> {
    let opened = target::open(&args.dir.dir, Database { db: None, raw: true }, Access::Read)?;
    let log = opened.log();
    let bar = Bar::count(out, "exporting", log.len() as u64);
    let mut progress = |so_far: &classic::ExportReport| {
        bar.set(so_far.entries + so_far.expired + so_far.skipped);
    };
    let options = ExportOptions::default();
    let done = classic::export(log, &args.to, &options, target::now(), &mut progress)?;
    drop(bar);
    let mut report = Report::default();
    report
        .add("entries", Value::count(done.entries))
        .add("bytes", Value::bytes(done.bytes))
        .add("files", Value::count(u64::from(done.files)))
        .add("expired", Value::count(done.expired))
        .add("expiries_lost", Value::count(done.expiries_lost))
        .add("skipped", Value::count(done.skipped));
    let mut skipped = Table::new(&["key", "why"]);
    for (key, why) in &done.named {
        skipped.row(vec![Value::text(out.spelling.text(key)), Value::text(*why)]);
    }
    report.table("skipped_entries", skipped);
    report.print(out)?;
    Ok(Outcome::Done)
}
