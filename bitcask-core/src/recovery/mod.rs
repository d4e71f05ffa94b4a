//! Recovery: from a directory of segments to the keydir that describes it.
//!
//! A segment with a valid hint file is indexed from the hint; any other is scanned. Only the newest
//! segment may end in a torn record, so only its tail is cut; a bad record anywhere else is
//! [`Error::Corrupt`]. Within the newest, a mark written after the bad record says whether it had been
//! on disk, and then it is damage there, too. The newest is the one of the greatest number among those that
//! compaction has not written: what compaction writes gets its name when it is complete.
//!
//! A segment that compaction has let go of may be missing, if the log says that it has gone; if it is still
//! there, it is not looked into, and removed.
//!
//! Files of another Bitcask that were taken over are segments like others, the first ones. They are always indexed
//! from a hint, which is made in memory if there is none: see [`crate::classic::adoption`].
//!
//! Opened for reading only, beside a process that may be writing, nothing is cut, written or removed: the
//! newest segment is read instead of mapped, and the last whole batch in it is where the view ends.

mod listing;
mod loaded;
mod merge;
pub(crate) mod scan;

use crate::Error;
use crate::classic::DirectoryReport;
use crate::classic::adopted::{self, Adopted, segment_name};
use crate::classic::adoption::Found;
use crate::format::hint::HintEntry;
use crate::format::record::{Kind, MAX_SEQUENCE};
use crate::format::retired::Retired;
use crate::format::segment as format;
use crate::keydir::KeyDir;
use crate::log::{Segment, corrupt, io_error};
use crate::storage::{self, Dir, File};
pub(crate) use listing::check_directory;
use listing::{Listed, list};
use loaded::{Loaded, load, load_classic, save_hint};
pub(crate) use loaded::{has_hint, hinted_len, write_hint};
use scan::Index;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What opening a directory found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Segments in the directory.
    pub segments: usize,
    /// Segments indexed from their hint files, wholly or but for their tail.
    pub hinted: usize,
    /// Bytes of segments that had to be read.
    pub scanned_bytes: u64,
    /// Keys found, expired ones included.
    pub keys: usize,
    /// Hint files that were missing or bad, and have been written anew.
    pub rebuilt_hints: usize,
    /// What was cut from the end of the newest segment.
    pub torn: Option<TornTail>,
    /// What was found, and what was skipped, in the files of Basho's Bitcask or pybitcask that this opening took
    /// over, or, for reading only, found not taken over yet; `None` from the second on.
    pub classic: Option<DirectoryReport>,
}

/// A write that a crash cut short. Nothing of it had been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Name of the segment's file.
    pub segment: String,
    /// Where the cut was made.
    pub offset: u64,
    /// How many bytes of written data were cut.
    pub bytes: u64,
}

/// What else is there of files that were taken over.
#[derive(Default)]
struct Files {
    /// Whether any of them is there.
    any: bool,
    /// Their own hints.
    hints: BTreeMap<u32, String>,
}

/// What recovery hands to the log.
pub(crate) struct Recovered {
    pub(crate) keydir: KeyDir,
    pub(crate) sealed: Vec<Arc<Segment>>,
    pub(crate) active: Arc<Segment>,
    /// Numbers of segments that the log says have gone.
    pub(crate) retired: Retired,
    /// Numbers that were given out and came to nothing; an empty file in the directory says so.
    pub(crate) abandoned: BTreeSet<u32>,
    /// The list of files that were taken over, while some of them are there.
    pub(crate) adopted: Option<Arc<Adopted>>,
    /// Keys whose newest record mentions places of others.
    pub(crate) referring: Vec<Vec<u8>>,
    pub(crate) next_id: u32,
    pub(crate) next_sequence: u64,
    pub(crate) report: RecoveryReport,
}

/// As [`recover`], without changing anything, beside a process that may be writing.
pub(crate) fn view(dir: &Arc<dyn Dir>) -> Result<Recovered, Error> {
    const ATTEMPTS: usize = 10;
    let mut attempt = 1;
    loop {
        // A writer that makes and removes segments meanwhile can make a listing, or what is opened by it,
        // look as if something were missing. It seldom does so twice while one opens.
        match recover_as(dir, true) {
            Err(Error::Corrupt { .. } | Error::Io { .. }) if attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

/// Reads the directory, cuts a torn tail, and makes the first segment if there is none.
pub(crate) fn recover(dir: &Arc<dyn Dir>) -> Result<Recovered, Error> {
    recover_as(dir, false)
}

fn recover_as(dir: &Arc<dyn Dir>, read_only: bool) -> Result<Recovered, Error> {
    let Listed { ids, newest, mut abandoned, hinted, classic } = list(&**dir, read_only)?;
    let mut report = RecoveryReport { segments: ids.len(), ..RecoveryReport::default() };
    let (adopted, adopted_files, survey) = match classic {
        Some(Found { adopted, there, hints, survey }) => {
            let files = Files { any: !there.is_empty() || !hints.is_empty(), hints };
            (Some(Arc::new(adopted)), files, survey)
        }
        None => (None, Files::default(), None),
    };
    let last_adopted = adopted.as_ref().map_or(0, |adopted| adopted.last());
    let (classic, mut made) = survey.map_or((None, BTreeMap::new()), |s| (Some(s.report), s.hints));
    report.classic = classic;
    let mut loaded = Vec::new();
    for &id in &ids {
        match &adopted {
            Some(adopted) if id <= last_adopted => {
                let made = made.remove(&id);
                loaded.push(load_classic(&**dir, id, adopted, made)?);
            }
            _ => loaded.push(load(&**dir, id, newest == Some(id), read_only)?),
        }
    }

    if let Some(first) = loaded.first()
        && let Some(other) = loaded
            .iter()
            .find(|o| !format::is_same_store(o.segment.head.salt, first.segment.head.salt))
    {
        return Err(corrupt(&**dir, &other.segment.name, 0, "the segment is one of another store"));
    }
    let mut indexes = Vec::new();
    let mut ends = Vec::new();
    let mut unsynced = 0;
    for one in &loaded {
        let (index, end) = index(&**dir, one, &mut report)?;
        if let Some(index) = index.as_ref().filter(|_| one.newest) {
            let covered = if one.hint.is_some() { one.covered } else { 0 };
            unsynced = index.synced.max(covered);
        }
        indexes.push(index);
        ends.push(end);
    }
    let mut max_sequence = adopted.as_ref().map_or(0, |adopted| adopted.max_sequence());
    let mut retired = Retired::default();
    for (one, index) in loaded.iter().zip(&indexes) {
        let hint = one.hint();
        let totals = [hint.as_ref().map(|hint| &hint.totals), index.as_ref().map(|i| &i.totals)];
        for totals in totals.into_iter().flatten() {
            max_sequence = max_sequence.max(totals.max_sequence);
            retired.extend(&totals.retired);
            one.segment.note_totals(totals);
        }
    }
    if read_only && ids.iter().any(|id| retired.contains(*id)) {
        // Another Bitcask's files have other names, and compaction makes none of them.
        let own = ids.partition_point(|id| *id <= last_adopted);
        check_listing(&**dir, &ids[own..])?;
    }
    check_staying(&**dir, &loaded, &indexes, &retired)?;
    let seen = ids.last().max(hinted.last()).map_or(0, |last| *last).max(last_adopted);
    let given_out = [abandoned.last(), retired.last().as_ref()]
        .into_iter()
        .flatten()
        .fold(seen, |most, last| most.max(*last));
    // What a writer has given out and retired since the directory was listed is not missed.
    let last = if read_only { seen } else { given_out };
    let mut known = retired.clone();
    ids.iter().chain(&abandoned).for_each(|id| known.insert(*id));
    if let Some(gap) = known.gaps(last).next() {
        return Err(missing(&**dir, &segment_name(adopted.as_deref(), *gap.start())));
    }
    let next_id = given_out + 1;

    let compacted: BTreeSet<u32> =
        loaded.iter().filter(|one| one.segment.head.compacted).map(|one| one.segment.id).collect();
    let mut sources: Vec<Box<dyn Iterator<Item = HintEntry<'_>> + '_>> = Vec::new();
    let staying = |one: &Loaded| !retired.contains(one.segment.id);
    for (one, index) in loaded.iter().zip(&indexes).filter(|(one, _)| staying(one)) {
        if let Some(hint) = one.hint() {
            sources.push(Box::new(hint.entries()));
        }
        if let Some(index) = index {
            sources.push(Box::new(index.entries()));
        }
        if max_sequence > MAX_SEQUENCE {
            let reason = "a sequence number is out of range";
            return Err(corrupt(&**dir, &one.segment.name, 0, reason));
        }
    }
    let mut keydir = KeyDir::new();
    let mut live: HashMap<u32, i64> = HashMap::new();
    let mut referring = Vec::new();
    merge::merge(sources, &mut keydir, &mut |entry| {
        let (segment, len) = (entry.location.segment, i64::from(entry.location.len));
        match entry.kind {
            // Of these, compaction kept what may still be needed.
            Kind::Delete | Kind::DeletePrefix if !compacted.contains(&segment) => {}
            _ => *live.entry(segment).or_default() += len,
        }
        if let Some(link) = entry.link {
            *live.entry(link.segment).or_default() += i64::from(link.bytes) - len;
        }
        if entry.refers {
            referring.push(entry.key.to_vec());
        }
    });
    report.keys = keydir.len();
    if let Some(classic) = &mut report.classic {
        classic.keys = keydir.len();
    }
    drop(indexes);
    if read_only {
        // Where the view ends is no loss: the writer may be in the middle of it.
        report.torn = None;
    }

    let (mut sealed, mut active) = (Vec::new(), None);
    let mut gone = Vec::new();
    for (one, end) in loaded.into_iter().zip(ends) {
        let Loaded { segment, newest, hint, bytes, made, .. } = one;
        if retired.contains(segment.id) {
            gone.push(segment.name);
            continue;
        }
        segment.book(live.get(&segment.id).copied().unwrap_or(0));
        if read_only {
            // Nothing is made good here.
        } else if newest {
            // What is cut must not come back behind records that are written next. And what is there may
            // be in memory alone, left by a process whose sync failed: the system takes it for clean, and
            // would not write it unless it is written anew (Rebello et al., ATC 2020).
            let unsynced = if bytes.is_some() { unsynced as u64 } else { end };
            if let (Some(_), Some(bytes)) = (&report.torn, &bytes) {
                set_aside(&**dir, segment.id, &(**bytes).as_ref()[end as usize..]);
            }
            // What is mapped must not change.
            drop(bytes);
            segment
                .file
                .set_len(end)
                .and_then(|()| write_anew(&*segment.file, unsynced..end))
                .and_then(|()| segment.file.sync_data())
                .map_err(|e| io_error(&**dir, &segment.name, "make durable", e))?;
        } else if let Some(hint) = hint.as_ref().filter(|_| made) {
            let written = save_hint(&**dir, segment.id, (**hint).as_ref());
            report.rebuilt_hints += usize::from(report.classic.is_none() && written.is_ok());
        } else if let (None, Some(bytes)) = (hint, bytes) {
            // Without it the next start takes longer; a full disk must not keep readers out.
            let written = write_hint(&**dir, &segment, (*bytes).as_ref());
            report.rebuilt_hints += usize::from(written.is_ok());
        }
        segment.set_written(end);
        if newest {
            active = Some(Arc::new(segment));
        } else {
            segment.seal();
            sealed.push(Arc::new(segment));
        }
    }
    // What says that they have gone is on disk by now.
    let hints = hinted.iter().filter(|id| retired.contains(**id));
    let leftovers = gone.iter().cloned().chain(hints.map(|id| format::hint_name(*id)));
    let of_adopted = adopted_files.hints.iter().filter(|(id, _)| retired.contains(**id));
    let leftovers = leftovers.chain(of_adopted.map(|(_, hint)| hint.clone()));
    let marks = abandoned.iter().filter(|id| retired.contains(**id));
    for name in leftovers.chain(marks.map(|id| format::unfinished_name(*id))) {
        if read_only {
            break;
        }
        dir.remove(&name).map_err(|e| io_error(&**dir, &name, "remove", e))?;
    }
    abandoned.retain(|id| !retired.contains(*id));
    report.segments -= gone.len();
    // A killed process may have left entries that are not on disk yet; what is acknowledged from now on
    // must not be in a file that a crash could take away.
    if !read_only {
        dir.sync().map_err(|e| io_error(&**dir, "", "sync", e))?;
        // None of the files is there, and since the sync none can come back: the list has nothing to say any more.
        // Until it had gone, what says that they have gone was needed, and still is.
        if adopted.is_some() && !adopted_files.any {
            let name = adopted::NAME;
            dir.remove(name).map_err(|e| io_error(&**dir, name, "remove", e))?;
        }
    }
    let mut next_id = next_id;
    let active = match active {
        Some(active) => active,
        None if read_only => {
            // Nothing is appended to it.
            let last = sealed.pop();
            last.ok_or_else(|| Error::Missing { path: dir.path().to_owned() })?
        }
        None => {
            let first = Segment::create(
                &**dir,
                next_id,
                sealed.first().map(|one: &Arc<Segment>| one.head.salt),
            )?;
            first.make_durable(&**dir)?;
            next_id += 1;
            Arc::new(first)
        }
    };
    Ok(Recovered {
        keydir,
        sealed,
        active,
        retired,
        abandoned,
        adopted: adopted.filter(|_| adopted_files.any),
        referring,
        next_id,
        next_sequence: max_sequence + 1,
        report,
    })
}

/// Refuses a listing that a compaction has outrun, of which the log was then read to say that it is done: what it took
/// is listed, and is to be passed over, and what it made of that is not.
pub(crate) fn check_listing(dir: &dyn Dir, ids: &[u32]) -> Result<(), Error> {
    if listing::is_outrun(dir, ids)? {
        let source = io::Error::from(io::ErrorKind::ResourceBusy);
        return Err(io_error(dir, "", "read, while compaction changes it, the directory", source));
    }
    Ok(())
}

/// The error of a segment, the file `name`, that should be there.
pub(crate) fn missing(dir: &dyn Dir, name: &str) -> Error {
    corrupt(dir, name, 0, "the segment is missing: there are later ones, or its hint")
}

/// Refuses lists of retired segments that no store writes: what says that a segment has gone must stay itself,
/// or at the next start nothing would.
fn check_staying(
    dir: &dyn Dir,
    loaded: &[Loaded],
    indexes: &[Option<Index<'_>>],
    retired: &Retired,
) -> Result<(), Error> {
    let mut said = Retired::default();
    let mut gone = None;
    for (one, index) in loaded.iter().zip(indexes) {
        if retired.contains(one.segment.id) {
            gone = Some(one);
            continue;
        }
        let hint = one.hint();
        let totals = [hint.as_ref().map(|hint| &hint.totals), index.as_ref().map(|i| &i.totals)];
        totals.into_iter().flatten().for_each(|totals| said.extend(&totals.retired));
    }
    match gone {
        Some(one) if said != *retired => {
            let reason = "what says that the segment has gone would go with it";
            Err(corrupt(dir, &one.segment.name, 0, reason))
        }
        _ => Ok(()),
    }
}

/// Keeps what is cut off the end of a segment, for whoever wants to look at it, as far as there is space.
fn set_aside(dir: &dyn Dir, id: u32, torn: &[u8]) {
    let name = format::torn_name(id);
    let _ = dir.remove(&name);
    let len = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let kept = dir.create(&name).and_then(|file| storage::write_all_at(&*file, &torn[..len], 0));
    if kept.is_err() {
        let _ = dir.remove(&name);
    }
}

/// Writes a part of a file as it is.
fn write_anew(file: &dyn File, part: Range<u64>) -> io::Result<()> {
    const PIECE_BYTES: u64 = 1 << 20;
    let mut piece = Vec::new();
    let mut at = part.start;
    while at < part.end {
        piece.resize((part.end - at).min(PIECE_BYTES) as usize, 0);
        storage::read_exact_at(file, &mut piece, at)?;
        storage::write_all_at(file, &piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// Scans what the hint does not cover. Returns the index, and the segment's length without a torn tail.
fn index<'a>(
    dir: &dyn Dir,
    one: &'a Loaded,
    report: &mut RecoveryReport,
) -> Result<(Option<Index<'a>>, u64), Error> {
    if one.made {
        report.scanned_bytes += one.covered as u64;
    } else {
        report.hinted += usize::from(one.hint.is_some());
    }
    let Some(bytes) = &one.bytes else { return Ok((None, one.segment.written())) };
    let bytes = (**bytes).as_ref();
    let (index, damage) = Index::scan(one.segment.id, bytes, one.covered);
    report.scanned_bytes += (index.end - one.covered) as u64;
    if let Some(damage) = damage {
        let name = &one.segment.name;
        if !one.newest || scan::was_synced(bytes, one.segment.head.salt, damage.offset) {
            return Err(corrupt(dir, name, damage.offset as u64, damage.reason));
        }
        // Space that was reserved and never written is zeros, and no loss.
        let tail = &bytes[index.end..];
        if let Some(last) = tail.iter().rposition(|byte| *byte != 0) {
            let (offset, bytes) = (index.end as u64, last as u64 + 1);
            report.torn = Some(TornTail { segment: name.clone(), offset, bytes });
        }
    }
    let end = index.end as u64;
    Ok((Some(index), end))
}

#[cfg(test)]
mod tests;
