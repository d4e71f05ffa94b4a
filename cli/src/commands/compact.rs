//! `compact`.

use crate::arguments::{Compact, Database};
use crate::exit::{Failure, Outcome};
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Value};
use crate::target::{self, Access, Opened};
use bitcask_core::{CompactionOptions, CompactionReport, Step};
use std::ops::ControlFlow;

pub fn compact(args: &Compact, out: &mut Out) -> Result<Outcome, Failure> {
    let opened = target::open(&args.dir.dir, Database::default(), Access::Write)?;
    if let Some(classic) = &opened.log().recovery().classic {
        out.note(&format!(
            "bitmapist: took over {} files of another Bitcask, without {} entries that are damaged",
            classic.files, classic.skipped
        ));
    }
    let options = match args.worthwhile {
        true => CompactionOptions::default(),
        false => CompactionOptions::everything(),
    };
    let before = opened.log().stats().disk_bytes;
    opened.log().set_compaction_rate(args.rate.unwrap_or(0));
    let done = run(&opened, &options, out)?;
    let after = opened.log().stats().disk_bytes;
    opened.close()?;
    let mut report = Report::default();
    report
        .add("bytes_before", Value::bytes(before))
        .add("bytes_after", Value::bytes(after))
        .add("segments_removed", Value::count(done.inputs as u64))
        .add("segments_made", Value::count(done.outputs as u64))
        .add("records_moved", Value::count(done.moved))
        .add("chains_folded", Value::count(done.folded))
        .add("expired", Value::count(done.expired))
        .add("deletions_dropped", Value::count(done.deletions_dropped));
    report.print(out)?;
    Ok(Outcome::Done)
}

/// Compacts, with a bar.
pub fn run(
    opened: &Opened,
    options: &CompactionOptions,
    out: &mut Out,
) -> Result<CompactionReport, Failure> {
    let bar = Bar::bytes(out, "compacting", opened.log().stats().disk_bytes);
    let done = opened.log().compact(options, target::now(), &mut |progress| {
        bar.set_total(progress.input_bytes);
        bar.set(progress.read_bytes);
        bar.label(match progress.step {
            Step::Copying => "copying",
            Step::Syncing => "syncing",
            Step::Switching => "switching",
            Step::LettingGo => "letting go",
            Step::Retiring => "retiring",
            _ => "removing",
        });
        ControlFlow::Continue(())
    })?;
    Ok(done)
}
