//! A store's files in another directory, whole or not to be opened.

use super::{BackupReport, CopyProgress, stream};
use crate::Error;
use crate::classic::adopted::{self, Adopted, segment_name};
use crate::classic::adoption;
use crate::format::segment::{self as format, Head};
use crate::log::{Cut, Front, Segment, io_error, sync_error};
use crate::storage::{self, Dir, File, Lock};
use std::io::Read;
use std::path::Path;

/// There while a directory is being copied into: an empty file. Whoever finds it has found half a store.
pub(crate) const UNFINISHED_NAME: &str = "copying.unfinished";
const LOCK_NAME: &str = crate::store::LOCK_NAME;
const PIECE_BYTES: u64 = 1 << 20;

/// Refuses a directory that a backup or a restore into it has not finished.
pub(crate) fn refuse_unfinished(dir: &dyn Dir) -> Result<(), Error> {
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    if names.iter().any(|name| name == UNFINISHED_NAME) {
        return Err(Error::Unfinished { path: dir.path().to_owned() });
    }
    Ok(())
}

/// The target of a copy, held against everybody else.
pub(super) struct Target<'a> {
    pub(super) dir: &'a dyn Dir,
    names: Vec<String>,
    /// Another Bitcask's files that are segments of what is there.
    adopted: Option<Adopted>,
    _lock: Box<dyn Lock>,
}

impl<'a> Target<'a> {
    fn hold(dir: &'a dyn Dir) -> Result<Self, Error> {
        let lock = dir
            .try_lock(LOCK_NAME)
            .map_err(|e| io_error(dir, LOCK_NAME, "lock", e))?
            .ok_or_else(|| Error::Locked { path: dir.path().to_owned() })?;
        let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
        let mut target = Target { dir, names, adopted: None, _lock: lock };
        if target.has(adopted::NAME) {
            match adoption::read(dir) {
                Ok(adopted) => target.adopted = Some(adopted),
                // Of a copy that broke off; it is brought anew.
                Err(Error::Corrupt { .. }) if target.has(UNFINISHED_NAME) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(target)
    }

    /// One that has nothing in it but what an earlier attempt left, which is removed; it is begun.
    pub(super) fn empty(dir: &'a dyn Dir) -> Result<Self, Error> {
        let target = Self::hold(dir)?;
        let broke_off = target.has(UNFINISHED_NAME);
        let harmless = |name: &String| {
            name == LOCK_NAME || name.starts_with('.') || broke_off && target.is_ours(name)
        };
        if let Some(found) = target.names.iter().find(|name| !harmless(name)) {
            return Err(Error::NotEmpty { path: dir.path().to_owned(), found: found.clone() });
        }
        target.begin()?;
        let of_a_store = |found: &&String| {
            format::is_name_of_a_segment(found) || target.adopted_id(found).is_some()
        };
        for found in target.names.iter().filter(of_a_store) {
            target.remove(found)?;
        }
        target.remove_list()?;
        Ok(target)
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|found| found == name)
    }

    /// Files that a store or a backup has.
    fn is_ours(&self, name: &str) -> bool {
        [LOCK_NAME, UNFINISHED_NAME, adopted::NAME, adopted::UNFINISHED_NAME].contains(&name)
            || name.starts_with('.')
            || format::is_name_of_a_segment(name)
            || self.adopted_id(name).is_some()
    }

    /// The number of the segment that another Bitcask's file is.
    fn adopted_id(&self, name: &str) -> Option<u32> {
        self.adopted.as_ref()?.id_of(name)
    }

    /// Removes the list of another Bitcask's files. What is left of its making is removed with it.
    fn remove_list(&self) -> Result<(), Error> {
        for name in [adopted::UNFINISHED_NAME, adopted::NAME] {
            if self.has(name) {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    /// The segments that the source no longer has. All files must be of the source, or of a copy that broke off.
    fn strangers(&self, cut: &Cut) -> Result<Vec<u32>, Error> {
        let salt = cut.segments.first().map(|(segment, _)| segment.head.salt);
        let mut gone = Vec::new();
        for name in &self.names {
            if !self.is_ours(name) {
                return Err(not_a_backup(self, name, "the directory holds other files"));
            }
            if let Some(id) = self.adopted_id(name) {
                let stays = cut.segments.iter().any(|(segment, _)| segment.id == id);
                gone.extend((!stays).then_some(id));
                continue;
            }
            let Some(id) = format::parse_name(name) else { continue };
            if cut.segments.iter().any(|(segment, _)| segment.id == id) {
                continue;
            }
            let head = self.head(id)?;
            let same = |head: Head| salt.is_some_and(|of| format::is_same_store(head.salt, of));
            match head {
                Some(head) if same(head) && id < cut.next_id => gone.push(id),
                None if self.has(UNFINISHED_NAME) => gone.push(id),
                Some(head) if same(head) => {
                    let reason = "the segment was written since the last backup";
                    return Err(not_a_backup(self, name, reason));
                }
                _ => return Err(not_a_backup(self, name, "the segment is one of another store")),
            }
        }
        Ok(gone)
    }

    /// A segment's header, if it has a good one.
    fn head(&self, id: u32) -> Result<Option<Head>, Error> {
        let front = Front::read(self.dir, id, false)?;
        Ok(format::check_header(&front.header, id).ok())
    }

    /// From here on the directory cannot be opened.
    fn begin(&self) -> Result<(), Error> {
        if !self.has(UNFINISHED_NAME) {
            self.dir
                .create(UNFINISHED_NAME)
                .map_err(|e| io_error(self.dir, UNFINISHED_NAME, "create", e))?;
            self.sync()?;
        }
        Ok(())
    }

    /// Now it can be: all that is in it is on disk.
    pub(super) fn finish(&self) -> Result<(), Error> {
        self.sync()?;
        self.remove(UNFINISHED_NAME)?;
        self.sync()
    }

    fn sync(&self) -> Result<(), Error> {
        self.dir.sync().map_err(|e| sync_error(self.dir, "", "sync", e))
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        self.dir.remove(name).map_err(|e| io_error(self.dir, name, "remove", e))
    }
}

/// Brings what `cut` holds and `target` does not have yet.
pub(super) fn copy(
    source: &dyn Dir,
    cut: &Cut,
    target: &dyn Dir,
    pace: &dyn Fn(u64),
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<BackupReport, Error> {
    let target = Target::hold(target)?;
    if let (Some(theirs), Some(own)) = (&target.adopted, &cut.adopted)
        && *theirs != **own
    {
        return Err(not_a_backup(&target, adopted::NAME, "it is of another store"));
    }
    let (mut kept, mut wanting) = (Vec::new(), Vec::new());
    for (segment, len) in &cut.segments {
        match there(&target, cut, segment, *len)? {
            true => kept.push(segment.id),
            false => wanting.push((segment, *len)),
        }
    }
    let gone = target.strangers(cut)?;
    target.begin()?;
    if let Some(adopted) = cut.adopted.as_ref().filter(|_| target.adopted.is_none()) {
        adoption::write(target.dir, adopted)?;
    }
    let mut report = BackupReport {
        segments: cut.segments.len(),
        kept: kept.len(),
        removed: gone.len(),
        sequence: cut.sequence,
        ..BackupReport::default()
    };
    let total_bytes = cut.segments.iter().map(|(_, len)| len).sum();
    let wanted: u64 = wanting.iter().map(|(_, len)| len).sum();
    let mut done_bytes = total_bytes - wanted;
    for (segment, len) in wanting {
        let id = segment.id;
        for name in [&segment.name, &format::hint_name(id), &format::unfinished_name(id)] {
            if target.has(name) {
                target.remove(name)?;
            }
        }
        // The segment that was active has changes since in it, or is still to get them, also if it has been sealed
        // meanwhile: of it a copy, and no hint.
        let whole = cut.has_all_of(segment);
        if whole && target.dir.link(&segment.name, source, &segment.name).is_ok() {
            report.linked += 1;
            done_bytes += len;
            progress(CopyProgress { done_bytes, total_bytes });
        } else {
            let mut copied = |bytes| {
                pace(bytes);
                done_bytes += bytes;
                progress(CopyProgress { done_bytes, total_bytes });
            };
            copy_file(source, &*segment.file, &segment.name, len, target.dir, &mut copied)?;
            report.copied_bytes += len;
        }
        if whole {
            // Without it the copy takes longer to open.
            let hint = format::hint_name(segment.id);
            let _ = target.dir.link(&hint, source, &hint);
        }
    }
    for id in &cut.abandoned {
        let name = format::unfinished_name(*id);
        if !target.has(&name) {
            target.dir.create(&name).map_err(|e| io_error(target.dir, &name, "create", e))?;
        }
    }
    for id in gone {
        for name in [format::hint_name(id), segment_name(target.adopted.as_ref(), id)] {
            if target.has(&name) {
                target.remove(&name)?;
            }
        }
    }
    if cut.adopted.is_none() {
        target.remove_list()?;
    }
    target.finish()?;
    Ok(report)
}

fn not_a_backup(target: &Target<'_>, name: &str, reason: &'static str) -> Error {
    Error::NotABackup { path: target.dir.path().join(name), reason }
}

/// Whether the target has all of a segment. What it has must be the beginning of it.
fn there(target: &Target<'_>, cut: &Cut, segment: &Segment, len: u64) -> Result<bool, Error> {
    if !target.has(&segment.name) {
        return Ok(false);
    }
    let fail = |op, e| io_error(target.dir, &segment.name, op, e);
    let file = target.dir.open(&segment.name, false).map_err(|e| fail("open", e))?;
    let have = file.size().map_err(|e| fail("read the length of", e))?;
    let unfinished = target.has(UNFINISHED_NAME);
    if segment.reading.is_some() {
        // The list says that it is the same.
        return Ok(have == len && !unfinished);
    }
    if unfinished && have < format::HEADER_LEN as u64 {
        return Ok(false);
    }
    if target.head(segment.id)? != Some(segment.head) {
        return Err(not_a_backup(target, &segment.name, "the segment is one of another store"));
    }
    if have > len {
        let reason = "the segment was written to since the last backup";
        return Err(not_a_backup(target, &segment.name, reason));
    }
    // What a backup that broke off has left may be of the right length and not on disk.
    Ok(have == len && !unfinished && cut.has_all_of(segment))
}

/// Copies the first `len` bytes of `file`, which is `name` in `source`, and syncs them; tells `copied` of each piece.
pub(super) fn copy_file(
    source: &dyn Dir,
    file: &dyn File,
    name: &str,
    len: u64,
    target: &dyn Dir,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let fail = |op, e| io_error(target, name, op, e);
    let copy = target.create(name).map_err(|e| fail("create", e))?;
    let mut piece = Vec::new();
    let mut at = 0;
    while at < len {
        piece.resize((len - at).min(PIECE_BYTES) as usize, 0);
        storage::read_exact_at(file, &mut piece, at)
            .map_err(|e| io_error(source, name, "read", e))?;
        storage::write_all_at(&*copy, &piece, at).map_err(|e| fail("write", e))?;
        at += piece.len() as u64;
        if at == len || at.is_multiple_of(storage::SYNC_BYTES as u64) {
            copy.sync_data().map_err(|e| fail("sync", e))?;
        }
        copied(piece.len() as u64);
    }
    Ok(())
}

/// Makes a store of a stream.
pub(super) fn restore(
    name: &Path,
    input: &mut dyn Read,
    target: &dyn Dir,
) -> Result<BackupReport, Error> {
    let target = Target::empty(target)?;
    let report = stream::restore(name, input, target.dir)?;
    target.finish()?;
    Ok(report)
}
