//! The store as it was: a copy of its log up to some change.
//!
//! The log is in the order of the changes, so its beginning is the store as it was then: whole segments, and of the
//! one in which that moment lies all batches before it. That reaches as far back as compaction has left things:
//! what it wrote is made of what was there when it let go of its segments, which the log says.

use super::BackupReport;
use super::directory::{self, Target};
use crate::Error;
use crate::UnixMillis;
use crate::classic::adoption;
use crate::format::record::{Kind, Record};
use crate::format::retired::Retired;
use crate::format::segment::{self as format, Head};
use crate::log::{Front, corrupt, io_error};
use crate::recovery::{self, scan::Index};
use crate::storage::{self, Dir};

/// A moment in the history of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// After the change with this sequence number, and before the next.
    Sequence(u64),
    /// Before the first change that was made after this time, by the clocks of the writers.
    Time(UnixMillis),
}

impl AsOf {
    fn is_before(self, record: &Record<'_>) -> bool {
        match self {
            AsOf::Sequence(sequence) => record.sequence > sequence,
            AsOf::Time(time) => record.timestamp > time,
        }
    }
}

/// What of a log there was at some moment.
#[derive(Debug, Default)]
struct Past {
    /// Segments of the log, and how much of each.
    log: Vec<(u32, u64)>,
    /// The greatest sequence number in them.
    sequence: u64,
    /// That of the last compaction that let go of segments: nothing before it can be told.
    earliest: u64,
}

/// Copies from `source`, which nobody may be writing to, what there was at that moment.
pub(super) fn restore(
    source: &dyn Dir,
    as_of: AsOf,
    target: &dyn Dir,
) -> Result<BackupReport, Error> {
    directory::refuse_unfinished(source)?;
    let names = source.list().map_err(|e| io_error(source, "", "list", e))?;
    if let Some(name) = adoption::any_file(source, &names)? {
        let reason = "what was before it was taken over cannot be told; compact the store first";
        return Err(adoption::foreign(source, &name, reason));
    }
    let mut ids: Vec<u32> = names.iter().filter_map(|name| format::parse_name(name)).collect();
    ids.sort_unstable();
    if ids.is_empty() {
        return Err(Error::Missing { path: source.path().to_owned() });
    }
    let mut heads = Vec::new();
    for id in &ids {
        heads.push((*id, head(source, *id)?));
    }
    let newest = heads.iter().rev().find(|(_, head)| !head.compacted).map(|(id, _)| *id);
    let mut compacted = Vec::new();
    let mut past = Past::default();
    let mut over = false;
    let mut retired = Retired::default();
    for (id, head) in heads {
        let bytes = read(source, id, newest == Some(id))?;
        let bytes = (*bytes).as_ref();
        let (index, damage) = Index::scan(id, bytes, format::HEADER_LEN);
        retired.extend(&index.totals.retired);
        // The end of the newest may be torn, or be written just now.
        if let Some(damage) = damage.filter(|_| newest != Some(id)) {
            let name = format::file_name(id);
            return Err(corrupt(source, &name, damage.offset as u64, damage.reason));
        }
        if head.compacted {
            compacted.push((id, bytes.len() as u64, index.totals.max_sequence));
        } else {
            over = until(as_of, id, &bytes[..index.end], over, &mut past);
        }
    }
    if ids.iter().any(|id| retired.contains(*id)) {
        recovery::check_listing(source, &ids)?;
    }
    check_missing(source, &names, &ids, retired.clone())?;
    if past.sequence < past.earliest {
        return Err(Error::Forgotten { path: source.path().to_owned(), earliest: past.earliest });
    }
    // What a later compaction has written, or one that was not complete, is made of what is there besides.
    compacted.retain(|(_, _, max_sequence)| *max_sequence <= past.sequence);
    let target = Target::empty(target)?;
    let mut report = BackupReport { sequence: past.sequence, ..BackupReport::default() };
    let compacted = compacted.into_iter().map(|(id, len, _)| (id, len));
    let mut all: Vec<(u32, u64)> = past.log.into_iter().chain(compacted).collect();
    all.sort_unstable();
    for (id, len) in &all {
        let name = format::file_name(*id);
        let file = source.open(&name, false).map_err(|e| io_error(source, &name, "open", e))?;
        directory::copy_file(source, &*file, &name, *len, target.dir, &mut |_| {})?;
        report.segments += 1;
        report.copied_bytes += len;
    }
    // The log up to then has all lists of what has gone. Other numbers came to nothing, or were not there yet.
    let last = all.last().map(|(id, _)| *id).max(retired.last()).unwrap_or(0);
    all.iter().for_each(|(id, _)| retired.insert(*id));
    for id in retired.gaps(last).flatten() {
        let name = format::unfinished_name(id);
        target.dir.create(&name).map_err(|e| io_error(target.dir, &name, "create", e))?;
    }
    target.finish()?;
    Ok(report)
}

/// Notes how much of a segment of the log there was; true once the moment has passed.
fn until(as_of: AsOf, id: u32, bytes: &[u8], over: bool, past: &mut Past) -> bool {
    let (mut at, mut end) = (format::HEADER_LEN, format::HEADER_LEN);
    let mut is_over = over;
    let mut sequence = past.sequence;
    while at < bytes.len() {
        let record = Record::parse(&bytes[at..]).expect("it has just been scanned");
        at += record.len;
        if record.kind == Kind::Retired {
            past.earliest = past.earliest.max(record.sequence);
        }
        is_over |= as_of.is_before(&record);
        if is_over {
            continue;
        }
        sequence = sequence.max(record.sequence);
        if !record.more {
            (end, past.sequence) = (at, sequence);
        }
    }
    if !over {
        past.log.push((id, end as u64));
    }
    is_over
}

/// Refuses a log of which a segment is missing.
fn check_missing(
    source: &dyn Dir,
    names: &[String],
    ids: &[u32],
    retired: Retired,
) -> Result<(), Error> {
    let abandoned = names.iter().filter_map(|name| format::parse_unfinished_name(name));
    let hinted = names.iter().filter_map(|name| format::parse_hint_name(name)).max();
    let last = ids.last().copied().max(hinted).unwrap_or(0);
    let mut known = retired;
    ids.iter().copied().chain(abandoned).for_each(|id| known.insert(id));
    match known.gaps(last).next() {
        Some(gap) => Err(recovery::missing(source, &format::file_name(*gap.start()))),
        None => Ok(()),
    }
}

fn head(dir: &dyn Dir, id: u32) -> Result<Head, Error> {
    let front = Front::read(dir, id, false)?;
    format::check_header(&front.header, id)
        .map_err(|reason| corrupt(dir, &format::file_name(id), 0, reason))
}

/// The bytes of a segment: the newest may change, and what may change must not be mapped.
fn read(dir: &dyn Dir, id: u32, newest: bool) -> Result<storage::Map, Error> {
    let name = format::file_name(id);
    let file = dir.open(&name, false).map_err(|e| io_error(dir, &name, "open", e))?;
    let bytes = match newest {
        true => storage::read_whole(&*file).map(|bytes| Box::new(bytes) as storage::Map),
        false => file.map(),
    };
    bytes.map_err(|e| io_error(dir, &name, "read", e))
}
