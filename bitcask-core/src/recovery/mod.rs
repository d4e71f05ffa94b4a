//! Recovery: from a directory of segments to the keydir that describes it.
//!
//! A segment with a valid hint file is indexed from the hint; any other is scanned. Only the newest
//! segment may end in a torn record, so only its tail is cut; a bad record anywhere else is
//! [`Error::Corrupt`]. Within the newest, a mark written after the bad record says whether it had been
//! on disk, and then it is damage there, too.

mod merge;
pub(crate) mod scan;

use crate::Error;
use crate::format::hint::{Hint, HintEntry};
use crate::format::record::MAX_SEQUENCE;
use crate::format::segment as format;
use crate::keydir::KeyDir;
use crate::log::{Segment, corrupt, io_error};
use crate::storage::{self, Dir, File, Map};
use scan::Index;
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

/// What recovery hands to the log.
pub(crate) struct Recovered {
    pub(crate) keydir: KeyDir,
    pub(crate) sealed: Vec<Arc<Segment>>,
    pub(crate) active: Arc<Segment>,
    pub(crate) next_sequence: u64,
    pub(crate) report: RecoveryReport,
}

/// One segment's bytes and the hint's, if it is any good.
struct Loaded {
    segment: Segment,
    /// Mapped only if it must be scanned.
    bytes: Option<Map>,
    hint: Option<Map>,
    covered: usize,
    newest: bool,
}

/// Reads the directory, cuts a torn tail, and makes the first segment if there is none.
pub(crate) fn recover(dir: &Arc<dyn Dir>) -> Result<Recovered, Error> {
    let ids = list(&**dir)?;
    let next_id = ids.last().map_or(1, |newest| newest + 1);
    let mut report = RecoveryReport { segments: ids.len(), ..RecoveryReport::default() };
    let mut loaded = Vec::new();
    for (i, &id) in ids.iter().enumerate() {
        loaded.push(load(&**dir, id, i + 1 == ids.len())?);
    }

    let mut indexes = Vec::new();
    let mut ends = Vec::new();
    let mut unsynced = 0;
    for one in &loaded {
        let (index, end) = index(&**dir, one, &mut report)?;
        if let Some(index) = &index {
            let covered = if one.hint.is_some() { one.covered } else { 0 };
            unsynced = index.synced.max(covered);
        }
        indexes.push(index);
        ends.push(end);
    }
    let mut max_sequence = 0;
    let mut sources: Vec<Box<dyn Iterator<Item = HintEntry<'_>> + '_>> = Vec::new();
    for (one, index) in loaded.iter().zip(&indexes) {
        if let Some(hint) = one.hint() {
            max_sequence = max_sequence.max(hint.max_sequence);
            sources.push(Box::new(hint.entries()));
        }
        if let Some(index) = index {
            max_sequence = max_sequence.max(index.max_sequence);
            sources.push(Box::new(index.entries()));
        }
        if max_sequence > MAX_SEQUENCE {
            let reason = "a sequence number is out of range";
            return Err(corrupt(&**dir, &one.segment.name, 0, reason));
        }
    }
    let mut keydir = KeyDir::new();
    merge::merge(sources, &mut keydir);
    report.keys = keydir.len();
    drop(indexes);

    let mut segments = Vec::new();
    for (one, end) in loaded.into_iter().zip(ends) {
        let Loaded { segment, newest, hint, bytes, .. } = one;
        if newest {
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
        } else if let (None, Some(bytes)) = (hint, bytes) {
            // Without it the next start takes longer; a full disk must not keep readers out.
            let written = write_hint(&**dir, &segment, (*bytes).as_ref());
            report.rebuilt_hints += usize::from(written.is_ok());
        }
        segment.set_written(end);
        segments.push(Arc::new(segment));
    }
    // A killed process may have left entries that are not on disk yet; what is acknowledged from now on
    // must not be in a file that a crash could take away.
    dir.sync().map_err(|e| io_error(&**dir, "", "sync", e))?;
    let active = match segments.pop() {
        Some(active) => active,
        None => {
            let first = Segment::create(&**dir, next_id)?;
            first.make_durable(&**dir)?;
            Arc::new(first)
        }
    };
    let next_sequence = max_sequence + 1;
    Ok(Recovered { keydir, sealed: segments, active, next_sequence, report })
}

impl Loaded {
    fn hint(&self) -> Option<Hint<'_>> {
        let bytes = self.hint.as_ref()?;
        Some(Hint::parse((**bytes).as_ref(), self.segment.id).expect("checked when it was loaded"))
    }
}

/// The segment numbers in the directory, ascending. Leftovers of interrupted work are removed.
fn list(dir: &dyn Dir) -> Result<Vec<u32>, Error> {
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    for name in names.iter().filter(|name| format::parse_unfinished_hint_name(name).is_some()) {
        // In nobody's way if it stays.
        let _ = dir.remove(name);
    }
    let mut ids: Vec<u32> = names.iter().filter_map(|name| format::parse_name(name)).collect();
    ids.sort_unstable();
    if let Some(&newest) = ids.last()
        && is_unfinished(dir, newest)?
    {
        let name = format::file_name(newest);
        let removed = dir.remove(&name).and_then(|()| dir.sync());
        removed.map_err(|e| io_error(dir, &name, "remove", e))?;
        ids.pop();
    }
    // Segments are numbered from 1 on, and none goes as yet.
    let hinted = names.iter().filter_map(|name| format::parse_hint_name(name)).max();
    for id in 1..=ids.last().copied().max(hinted).unwrap_or(0) {
        if ids.binary_search(&id).is_err() {
            let reason = "the segment is missing: there are later ones, or its hint";
            return Err(corrupt(dir, &format::file_name(id), 0, reason));
        }
    }
    Ok(ids)
}

/// Whether the making of a segment was interrupted. Its header is on disk before anything is acknowledged in
/// it: then there is no more than a header's worth of bytes.
fn is_unfinished(dir: &dyn Dir, id: u32) -> Result<bool, Error> {
    let name = format::file_name(id);
    let fail = |op, e| io_error(dir, &name, op, e);
    let file = dir.open(&name, false).map_err(|e| fail("open", e))?;
    let len = file.size().map_err(|e| fail("read the length of", e))?;
    if len > format::HEADER_LEN as u64 {
        return Ok(false);
    }
    let mut header = vec![0; len as usize];
    storage::read_exact_at(&*file, &mut header, 0).map_err(|e| fail("read", e))?;
    Ok(format::check_header(&header, id).is_err())
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

/// Opens a segment and its hint.
fn load(dir: &dyn Dir, id: u32, newest: bool) -> Result<Loaded, Error> {
    let name = format::file_name(id);
    let fail = |op, e| io_error(dir, &name, op, e);
    let file = dir.open(&name, newest).map_err(|e| fail("open", e))?;
    let len = file.size().map_err(|e| fail("read the length of", e))?;
    let mut header = vec![0; format::HEADER_LEN.min(usize::try_from(len).unwrap_or(usize::MAX))];
    storage::read_exact_at(&*file, &mut header, 0).map_err(|e| fail("read", e))?;
    let salt =
        format::check_header(&header, id).map_err(|reason| corrupt(dir, &name, 0, reason))?;
    if len > u64::from(u32::MAX) {
        return Err(corrupt(dir, &name, u64::from(u32::MAX), "a segment is shorter than 4 GiB"));
    }
    let segment = Segment::new(id, file, salt, len);
    let hint = load_hint(dir, id);
    let covered = match &hint {
        Some((_, covered)) => *covered,
        None => format::HEADER_LEN,
    };
    if covered as u64 > len {
        return Err(corrupt(dir, &name, len, "the segment has been cut short"));
    }
    let complete = hint.is_some() && covered as u64 == len;
    if !complete && !newest {
        // A hint of an unfinished segment: from when it was the newest.
        let bytes = Some(segment.file.map().map_err(|e| fail("map", e))?);
        let covered = format::HEADER_LEN;
        return Ok(Loaded { segment, bytes, hint: None, covered, newest });
    }
    let bytes = if complete { None } else { Some(segment.file.map().map_err(|e| fail("map", e))?) };
    Ok(Loaded { segment, bytes, hint: hint.map(|(map, _)| map), covered, newest })
}

/// A valid hint and how much it covers. One that is missing, unreadable or bad is as none: everything in
/// it is in the segment, too.
fn load_hint(dir: &dyn Dir, id: u32) -> Option<(Map, usize)> {
    let map = dir.open(&format::hint_name(id), false).and_then(|file| file.map()).ok()?;
    let covered = Hint::parse((*map).as_ref(), id).ok()?.covered as usize;
    Some((map, covered))
}

/// Scans what the hint does not cover. Returns the index, and the segment's length without a torn tail.
fn index<'a>(
    dir: &dyn Dir,
    one: &'a Loaded,
    report: &mut RecoveryReport,
) -> Result<(Option<Index<'a>>, u64), Error> {
    report.hinted += usize::from(one.hint.is_some());
    let Some(bytes) = &one.bytes else { return Ok((None, one.segment.written())) };
    let bytes = (**bytes).as_ref();
    let (index, damage) = Index::scan(one.segment.id, bytes, one.covered);
    report.scanned_bytes += (index.end - one.covered) as u64;
    if let Some(damage) = damage {
        let name = &one.segment.name;
        if !one.newest || scan::was_synced(bytes, one.segment.salt, damage.offset) {
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

/// Writes the hint of a segment whose whole contents are `bytes`.
pub(crate) fn write_hint(dir: &dyn Dir, segment: &Segment, bytes: &[u8]) -> Result<(), Error> {
    let contents = scan::build_hint(segment.id, bytes)
        .map_err(|damage| corrupt(dir, &segment.name, damage.offset as u64, damage.reason))?;
    let name = format::hint_name(segment.id);
    let temporary = format::unfinished_hint_name(segment.id);
    let written = dir.create(&temporary).and_then(|file| {
        storage::write_all_at(&*file, &contents, 0)?;
        file.sync_data()?;
        dir.rename(&temporary, &name)?;
        dir.sync()
    });
    written.map_err(|e| {
        let _ = dir.remove(&temporary);
        io_error(dir, &name, "write", e)
    })
}

/// True if the hint file of `segment` covers all of its `len` bytes.
pub(crate) fn has_hint(dir: &dyn Dir, segment: u32, len: u64) -> bool {
    load_hint(dir, segment).is_some_and(|(_, covered)| covered as u64 == len)
}

#[cfg(test)]
mod tests {
    use crate::format::record::{self, Kind, MAX_SEQUENCE};
    use crate::format::segment as format;
    use crate::storage::sim::SimDir;
    use crate::{Bitcask, Error, Options, UnixMillis};
    use std::sync::Arc;

    /// Found by fuzzing: counting on from the greatest number panicked, within a batch and after it.
    #[test]
    fn a_sequence_number_from_which_nobody_can_count_on_is_refused() {
        for (sequence, good) in [(MAX_SEQUENCE, true), (MAX_SEQUENCE + 1, false), (u64::MAX, false)]
        {
            let mut segment = format::header(1, [7; 8]).to_vec();
            for (sequence, more) in [(sequence, true), (sequence.wrapping_add(1), false)] {
                let start = segment.len();
                record::encode(&mut segment, Kind::Put, UnixMillis(0), None, None, b"k", b"v");
                record::seal(&mut segment[start..], sequence - u64::from(good), more);
            }
            let dir = SimDir::new(1);
            dir.write_file(&format::file_name(1), &segment);
            let options = Options { background: false, ..Options::default() };
            match Bitcask::open_in(Arc::new(dir), options) {
                Ok(store) => {
                    assert!(good, "{sequence}");
                    store.put(b"k", b"and on", UnixMillis(0)).unwrap();
                }
                Err(e) => assert!(!good && matches!(e, Error::Corrupt { .. }), "{sequence}: {e}"),
            }
        }
    }
}
