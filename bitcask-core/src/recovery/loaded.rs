//! A segment and its hint, opened.

use super::scan::{self, Index};
use crate::Error;
use crate::classic::adopted::Adopted;
use crate::classic::{DirectoryReport, Layout, adoption, reading};
use crate::format::hint::{Hint, Of};
use crate::format::segment as format;
use crate::log::{Front, Segment, corrupt, io_error};
use crate::storage::{self, Dir, Map};
use std::io;

/// One segment's bytes and the hint's, if it is any good.
pub(super) struct Loaded {
    pub(super) segment: Segment,
    /// Mapped only if it must be scanned.
    pub(super) bytes: Option<Map>,
    pub(super) hint: Option<Map>,
    pub(super) covered: usize,
    pub(super) newest: bool,
    /// The hint was made just now, of the whole segment, and is in memory alone.
    pub(super) made: bool,
}

impl Loaded {
    pub(super) fn hint(&self) -> Option<Hint<'_>> {
        let bytes = self.hint.as_ref()?;
        let hint = Hint::read((**bytes).as_ref(), self.segment.hint_of());
        Some(hint.expect("checked when it was loaded"))
    }
}

/// Opens a segment and its hint.
pub(super) fn load(dir: &dyn Dir, id: u32, newest: bool, read_only: bool) -> Result<Loaded, Error> {
    let name = format::file_name(id);
    let fail = |op, e| io_error(dir, &name, op, e);
    // The newest to be written to, the others so that compaction can give their space back little by little.
    let front = match Front::read(dir, id, !read_only) {
        Err(Error::Io { source, .. })
            if !newest && source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Front::read(dir, id, false)
        }
        other => other,
    };
    let Front { file, len, header } = front?;
    if let Some(version) = format::newer_version(&header) {
        return Err(Error::NewerFormat { path: dir.path().join(&name), version });
    }
    let head =
        format::check_header(&header, id).map_err(|reason| corrupt(dir, &name, 0, reason))?;
    if len > u64::from(u32::MAX) {
        return Err(corrupt(dir, &name, u64::from(u32::MAX), "a segment is shorter than 4 GiB"));
    }
    let segment = Segment::new(id, file, head, len);
    let hint = load_hint(dir, segment.hint_of());
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
        return Ok(Loaded { segment, bytes, hint: None, covered, newest, made: false });
    }
    let bytes = if complete {
        None
    } else if read_only {
        Some(read_changing(&segment, covered).map_err(|e| fail("read", e))?)
    } else {
        Some(segment.file.map().map_err(|e| fail("map", e))?)
    };
    let hint = hint.map(|(map, _)| map);
    Ok(Loaded { segment, bytes, hint, covered, newest, made: false })
}

/// The contents of a segment that another process may be writing: read, since what changes must not be mapped.
pub(super) fn read_changing(segment: &Segment, covered: usize) -> io::Result<Map> {
    let mut damaged_at = None;
    loop {
        let bytes = storage::read_whole(&*segment.file)?;
        let (_, damage) = Index::scan(segment.id, &bytes, covered);
        // Its front was read before its end was: a mark at the end may speak of bytes that were not yet
        // there when the front was read. They are when it is read once more, or else it is damage.
        match damage {
            Some(damage)
                if damaged_at.is_none_or(|at| at < damage.offset)
                    && scan::was_synced(&bytes, segment.head.salt, damage.offset) =>
            {
                damaged_at = Some(damage.offset);
            }
            _ => return Ok(Box::new(bytes)),
        }
    }
}

/// A valid hint and how much it covers. One that is missing, unreadable or bad is as none: everything in
/// it is in the segment, too.
pub(super) fn load_hint(dir: &dyn Dir, of: Of) -> Option<(Map, usize)> {
    let map = dir.open(&format::hint_name(of.segment), false).and_then(|file| file.map()).ok()?;
    let covered = Hint::parse((*map).as_ref(), of).ok()?.covered as usize;
    Some((map, covered))
}

/// Opens another Bitcask's file that is a segment, and its hint, which `made` is if it was made just now.
pub(super) fn load_classic(
    dir: &dyn Dir,
    id: u32,
    adopted: &Adopted,
    made: Option<Vec<u8>>,
) -> Result<Loaded, Error> {
    let listed = adopted.file(id).expect("it is listed");
    let (file, len) = adoption::open(dir, &listed.name)?;
    if len < u64::from(listed.len) {
        let reason = "the file has been cut short since it was taken over";
        return Err(corrupt(dir, &listed.name, len, reason));
    }
    let segment = Segment::classic(id, listed, file, adopted.salt());
    let covered = listed.len as usize;
    let found = match made {
        None => load_hint(dir, segment.hint_of()).filter(|(_, covers)| *covers == covered),
        Some(_) => None,
    };
    if let Some((hint, _)) = found {
        let hint = Some(hint);
        return Ok(Loaded { segment, bytes: None, hint, covered, newest: false, made: false });
    }
    let contents = match made {
        Some(contents) => contents,
        None => index_anew(dir, id, adopted)?,
    };
    let hint: Option<Map> = Some(Box::new(contents));
    Ok(Loaded { segment, bytes: None, hint, covered, newest: false, made: true })
}

/// The hint of another Bitcask's file, which must have as much that is sound as when it was taken over.
fn index_anew(dir: &dyn Dir, id: u32, adopted: &Adopted) -> Result<Vec<u8>, Error> {
    let listed = adopted.file(id).expect("it is listed");
    let mut report = DirectoryReport::new(Layout::Basho);
    let (contents, entries) = adoption::index(dir, adopted, id, &mut report)?;
    if entries < listed.reading.entries {
        let at = report.named.first().map_or(0, |skipped| skipped.offset);
        return Err(corrupt(dir, &listed.name, at, reading::LOST));
    }
    Ok(contents)
}

/// Writes the hint of a segment whose whole contents are `bytes`.
pub(crate) fn write_hint(dir: &dyn Dir, segment: &Segment, bytes: &[u8]) -> Result<(), Error> {
    let contents = scan::build_hint(segment.id, bytes)
        .map_err(|damage| corrupt(dir, &segment.name, damage.offset as u64, damage.reason))?;
    save_hint(dir, segment.id, &contents)
}

pub(super) fn save_hint(dir: &dyn Dir, id: u32, contents: &[u8]) -> Result<(), Error> {
    let (name, temporary) = (format::hint_name(id), format::unfinished_hint_name(id));
    let written = dir.create(&temporary).and_then(|file| {
        storage::write_durably(&*file, contents)?;
        dir.rename(&temporary, &name)?;
        dir.sync()
    });
    written.map_err(|e| {
        let _ = dir.remove(&temporary);
        io_error(dir, &name, "write", e)
    })
}

/// How much of `segment` a good hint says has been written; 0 without one.
pub(crate) fn hinted_len(dir: &dyn Dir, segment: Of) -> usize {
    load_hint(dir, segment).map_or(0, |(_, covered)| covered)
}

/// True if the hint file of `segment` covers all of it.
pub(crate) fn has_hint(dir: &dyn Dir, segment: &Segment) -> bool {
    let len = segment.written();
    load_hint(dir, segment.hint_of()).is_some_and(|(_, covered)| covered as u64 == len)
}
