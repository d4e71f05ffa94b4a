//! The records of a store as they lie in its segments, dead ones and damage included: for tools.
//!
//! Takes no lock and changes nothing, so that it works beside a process that writes, and on a store that does
//! not open. Nothing here knows which records are alive: that is what opening is for.

use crate::classic::adopted::{AdoptedFile, segment_name};
use crate::classic::adoption;
use crate::format::hint::{Hint, Of};
use crate::format::record::{Kind, Record};
use crate::format::segment as format;
use crate::format::walk::{self, Walk};
use crate::log::{io_error, open_error};
use crate::recovery::scan;
use crate::storage::disk::DiskDir;
use crate::storage::{self, Dir, File, Map};
use crate::{Error, UnixMillis};
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// What a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// Sets a key's value.
    Put,
    /// Changes a key's value: follows an earlier record.
    Delta,
    /// Changes when a key expires: follows an earlier record.
    Expiry,
    /// Removes a key.
    Delete,
    /// Removes every key that begins with the record's key.
    DeletePrefix,
    /// Says up to where the segment was on disk.
    Mark,
    /// Lists segments that compaction has removed.
    Retired,
    /// Fills a place where damage was, before salvage, or before another Bitcask's file was taken over.
    Void,
}

impl RecordKind {
    /// One or two words in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            RecordKind::Put => "put",
            RecordKind::Delta => "delta",
            RecordKind::Expiry => "expiry",
            RecordKind::Delete => "delete",
            RecordKind::DeletePrefix => "delete prefix",
            RecordKind::Mark => "mark",
            RecordKind::Retired => "retired",
            RecordKind::Void => "void",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Kind> for RecordKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Put => RecordKind::Put,
            Kind::Delta => RecordKind::Delta,
            Kind::Expiry => RecordKind::Expiry,
            Kind::Delete => RecordKind::Delete,
            Kind::DeletePrefix => RecordKind::DeletePrefix,
            Kind::Mark => RecordKind::Mark,
            Kind::Retired => RecordKind::Retired,
            Kind::Void => RecordKind::Void,
        }
    }
}

/// A record that passed its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawRecord<'a> {
    /// Number of its segment.
    pub segment: u32,
    /// Where it begins in the segment's file.
    pub offset: u64,
    /// Its length in bytes, header included.
    pub len: u64,
    /// What it does.
    pub kind: RecordKind,
    /// Its sequence number.
    pub sequence: u64,
    /// When it was written, by the writer's clock.
    pub written_at: UnixMillis,
    /// When the key expires.
    pub expires_at: Option<UnixMillis>,
    /// Whether its batch goes on in the next record.
    pub batch_goes_on: bool,
    /// Segment and offset of the record that it follows.
    pub follows: Option<(u32, u64)>,
    /// How long the value was before it was compressed, if it is.
    pub uncompressed_bytes: Option<u64>,
    /// Its key, or prefix.
    pub key: &'a [u8],
    /// Its value as it lies there: compressed, if it is.
    pub value: &'a [u8],
}

/// What [`inspect`] comes across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found<'a> {
    /// A segment begins.
    Segment {
        /// Its number.
        segment: u32,
        /// Its file.
        path: &'a Path,
        /// The file's length.
        bytes: u64,
        /// Whether compaction wrote it.
        compacted: bool,
        /// What its hint file is like.
        hint: HintState,
    },
    /// A record.
    Record(RawRecord<'a>),
    /// Bytes that are no record, though they should be.
    Damage {
        /// The segment's number; 0 if it is the list of taken over files that is damaged.
        segment: u32,
        /// Its file.
        path: &'a Path,
        /// Where they begin.
        offset: u64,
        /// How many there are, up to where a record can be found again.
        bytes: u64,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The newest segment ends in a write that was never acknowledged: it is being made, or a crash cut it
    /// short. No damage.
    Unfinished {
        /// The segment's number.
        segment: u32,
        /// Where it begins.
        offset: u64,
        /// How many bytes of it there are.
        bytes: u64,
    },
}

/// What there is of a segment's hint file. None of this is damage: a hint can be made of the segment at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HintState {
    /// It is sound, and covers so many bytes of the segment.
    Covers(u64),
    /// There is none.
    Missing,
    /// It cannot be used, for this reason.
    Unusable(&'static str),
}

/// Goes through the store at `path`, segment by segment in the order of their numbers, until `visit` says to
/// stop. `segment` chooses one.
///
/// Of a directory of Basho's Bitcask or of pybitcask, taken over or not yet, the data files are the first segments,
/// and their entries are puts and deletions.
///
/// A segment that disappears meanwhile, since somebody compacts, is left out. Beside a writer the newest segment
/// is seen as far as it was written when its turn came.
///
/// # Errors
/// [`Error::Missing`] if there are no segments, or not the one that was asked for; [`Error::NotADirectory`];
/// [`Error::NewerFormat`]; [`Error::Io`]. Damage is no error here: it is [`Found::Damage`].
///
/// # Examples
/// ```
/// use bitcask_core::inspect::{Found, inspect};
/// use bitcask_core::{Bitcask, Options, UnixMillis};
/// # let temporary = tempfile::tempdir()?;
/// # let path = temporary.path().join("store");
/// let store = Bitcask::open(&path, Options::default())?;
/// store.put(b"key", b"one", UnixMillis(0))?;
/// store.put(b"key", b"two", UnixMillis(0))?;
/// let mut values = Vec::new();
/// inspect(&path, None, &mut |found| {
///     if let Found::Record(record) = found && record.key == b"key" {
///         values.push(record.value.to_vec());
///     }
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert_eq!(values, [b"one", b"two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inspect(
    path: impl AsRef<Path>,
    segment: Option<u32>,
    visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let path = path.as_ref();
    let dir = DiskDir::open_existing(path).map_err(|e| open_error(path, e))?;
    inspect_in(&dir, segment, visit)
}

/// As [`inspect`], of an open directory.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_in(
    dir: &dyn Dir,
    segment: Option<u32>,
    visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    let mut ids: Vec<u32> = names.iter().filter_map(|name| format::parse_name(name)).collect();
    ids.sort_unstable();
    let newest = newest_of_the_log(dir, &ids);
    let adopted = match adoption::look(dir, &names) {
        Err(Error::Corrupt { path, offset, reason }) => {
            let damage = Found::Damage { segment: 0, path: &path, offset, bytes: 0, reason };
            if segment.is_none() && visit(damage).is_break() {
                return Ok(());
            }
            None
        }
        other => other?,
    };
    if let Some(adopted) = &adopted {
        let there = adopted.files().filter(|(_, file)| names.contains(&file.name));
        ids.splice(..0, there.map(|(id, _)| id));
    }
    if let Some(wanted) = segment {
        ids.retain(|id| *id == wanted);
    }
    if ids.is_empty() {
        let name = segment.map(|id| segment_name(adopted.as_ref(), id)).unwrap_or_default();
        return Err(Error::Missing { path: dir.path().join(name) });
    }
    for id in ids {
        let listed = adopted.as_ref().and_then(|adopted| Some((adopted, adopted.file(id)?)));
        let walked = match listed {
            Some((adopted, listed)) => {
                walk_classic(dir, Of::classic(id, adopted.salt()), listed, visit)?
            }
            None => walk_segment(dir, id, newest == Some(id), visit)?,
        };
        if walked.is_break() {
            break;
        }
    }
    Ok(())
}

/// The segment that may end in an unfinished write: as recovery sees it.
fn newest_of_the_log(dir: &dyn Dir, ids: &[u32]) -> Option<u32> {
    ids.iter().rev().copied().find(|id| {
        let mut bytes = [0; format::HEADER_LEN];
        let read = dir
            .open(&format::file_name(*id), false)
            .and_then(|file| crate::storage::read_exact_at(&*file, &mut bytes, 0));
        match format::check_header(&bytes, *id) {
            Ok(head) => !head.compacted,
            // Its making was interrupted.
            Err(_) if read.is_err() => false,
            Err(_) => true,
        }
    })
}

fn walk_segment(
    dir: &dyn Dir,
    id: u32,
    newest: bool,
    visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let name = format::file_name(id);
    let path = dir.path().join(&name);
    let fail = |op, e| io_error(dir, &name, op, e);
    let file = match dir.open(&name, false) {
        // Compaction has removed it since the directory was listed.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(ControlFlow::Continue(())),
        other => other.map_err(|e| fail("open", e))?,
    };
    let map: Map = if newest {
        // What may change must not be mapped.
        Box::new(read_settled(&*file, id).map_err(|e| fail("read", e))?)
    } else {
        file.map().map_err(|e| fail("map", e))?
    };
    let bytes = (*map).as_ref();
    if let Some(version) = format::newer_version(bytes) {
        return Err(Error::NewerFormat { path, version });
    }
    let head = format::check_header(bytes, id);
    let segment = Found::Segment {
        segment: id,
        path: &path,
        bytes: bytes.len() as u64,
        compacted: head.is_ok_and(|head| head.compacted),
        hint: match head {
            Ok(head) => hint_state(dir, Of::native(id, head.salt), bytes.len() as u64),
            Err(_) => HintState::Unusable("the segment has no sound header"),
        },
    };
    if visit(segment).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    if let Err(reason) = head {
        if bytes.len() <= format::HEADER_LEN {
            // Its making was interrupted: nothing was ever acknowledged in it.
            let unfinished =
                Found::Unfinished { segment: id, offset: 0, bytes: bytes.len() as u64 };
            return Ok(visit(unfinished));
        }
        let found = Found::Damage {
            segment: id,
            path: &path,
            offset: 0,
            bytes: bytes.len().min(format::HEADER_LEN) as u64,
            reason,
        };
        if visit(found).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    let ascending = head.as_ref().is_ok_and(|head| !head.compacted);
    let mut ended = false;
    let mut items = Walk::new(bytes, format::HEADER_LEN.min(bytes.len()), ascending);
    while let Some((at, item)) = (!ended).then(|| items.next()).flatten() {
        let offset = at as u64;
        let found = match item {
            walk::Found::Record(record) => Found::Record(raw(id, at, &record)),
            walk::Found::Damage(..)
                if newest && head.is_ok_and(|head| !scan::was_synced(bytes, head.salt, at)) =>
            {
                ended = true;
                // Space that was reserved and never written is zeros.
                let Some(last) = bytes[at..].iter().rposition(|byte| *byte != 0) else { break };
                Found::Unfinished { segment: id, offset, bytes: last as u64 + 1 }
            }
            walk::Found::Damage(len, reason) => {
                Found::Damage { segment: id, path: &path, offset, bytes: len as u64, reason }
            }
        };
        if visit(found).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// As [`walk_segment`], of another Bitcask's file. What was damaged when it was taken over is a [`RecordKind::Void`].
fn walk_classic(
    dir: &dyn Dir,
    of: Of,
    listed: &AdoptedFile,
    visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let (id, AdoptedFile { name, len, reading }) = (of.segment, listed);
    let path = dir.path().join(name);
    let (file, bytes) = match adoption::open(dir, name) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(ControlFlow::Continue(()));
        }
        other => other?,
    };
    let hint = hint_state(dir, of, bytes);
    let segment = Found::Segment { segment: id, path: &path, bytes, compacted: false, hint };
    if visit(segment).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let wanted = u64::from(*len);
    let fail = |e| io_error(dir, name, "read", e);
    let end = bytes.min(wanted);
    let mut walk = reading.walk(&*file, end);
    let mut is_known = None;
    while let Some(stretch) = walk.next().map_err(fail)? {
        let (offset, bytes) = (stretch.offset, stretch.len);
        let found = match stretch.record {
            Ok(record) => {
                let record = raw(id, offset as usize, &Record::parse_unchecked(record));
                Found::Record(RawRecord { len: bytes, ..record })
            }
            Err(reason) => {
                // As much as there was is sound: then this was not, already then.
                let is_known = match is_known {
                    Some(is_known) => is_known,
                    None => {
                        let sound = reading.walk(&*file, end).count().map_err(fail)?;
                        *is_known.insert(sound >= reading.entries)
                    }
                };
                match is_known {
                    true => Found::Record(void(id, offset, bytes, reading.sequence(offset))),
                    false => Found::Damage { segment: id, path: &path, offset, bytes, reason },
                }
            }
        };
        if visit(found).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    if bytes < wanted {
        let reason = "the file has been cut short since it was taken over";
        let (offset, bytes) = (bytes, wanted - bytes);
        return Ok(visit(Found::Damage { segment: id, path: &path, offset, bytes, reason }));
    }
    Ok(ControlFlow::Continue(()))
}

/// A stretch of bytes that say nothing.
fn void(segment: u32, offset: u64, len: u64, sequence: u64) -> RawRecord<'static> {
    RawRecord {
        segment,
        offset,
        len,
        kind: RecordKind::Void,
        sequence,
        written_at: UnixMillis(0),
        expires_at: None,
        batch_goes_on: false,
        follows: None,
        uncompressed_bytes: None,
        key: b"",
        value: b"",
    }
}

/// The contents of a segment that may be written meanwhile. The front was read before the end was: damage that
/// a mark at the end speaks of may have been a write that was on its way. Then it is whole when it is read again.
fn read_settled(file: &dyn File, id: u32) -> io::Result<Vec<u8>> {
    let mut damaged_at = None;
    loop {
        let bytes = storage::read_whole(file)?;
        let Ok(head) = format::check_header(&bytes, id) else { return Ok(bytes) };
        let mut at = format::HEADER_LEN;
        while let Some(Ok(record)) = bytes.get(at..).map(Record::parse) {
            at += record.len;
        }
        let settled = damaged_at.is_some_and(|before| before >= at);
        if settled || at >= bytes.len() || !scan::was_synced(&bytes, head.salt, at) {
            return Ok(bytes);
        }
        damaged_at = Some(at);
    }
}

fn hint_state(dir: &dyn Dir, of: Of, len: u64) -> HintState {
    let map = match dir.open(&format::hint_name(of.segment), false).and_then(|file| file.map()) {
        Ok(map) => map,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return HintState::Missing,
        Err(_) => return HintState::Unusable("it cannot be read"),
    };
    match Hint::parse((*map).as_ref(), of) {
        Ok(hint) if u64::from(hint.covered) > len => {
            HintState::Unusable("it covers more than the segment has")
        }
        Ok(hint) => HintState::Covers(u64::from(hint.covered)),
        Err(reason) => HintState::Unusable(reason),
    }
}

fn raw<'a>(segment: u32, at: usize, record: &Record<'a>) -> RawRecord<'a> {
    RawRecord {
        segment,
        offset: at as u64,
        len: record.len as u64,
        kind: record.kind.into(),
        sequence: record.sequence,
        written_at: record.timestamp,
        expires_at: record.expires_at,
        batch_goes_on: record.more,
        follows: record.link.map(|link| (link.segment, u64::from(link.offset))),
        uncompressed_bytes: record.compressed.map(|compressed| u64::from(compressed.raw_len)),
        key: record.key,
        value: record.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::SimDir;
    use crate::{Bitcask, Options};
    use std::sync::Arc;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn all(dir: &dyn Dir) -> (Vec<String>, Vec<String>) {
        let (mut records, mut rest) = (Vec::new(), Vec::new());
        inspect_in(dir, None, &mut |found| {
            match found {
                Found::Record(RawRecord { kind: RecordKind::Mark, .. }) | Found::Segment { .. } => {
                }
                Found::Record(r) => records.push(format!("{} {}", r.kind, r.key.escape_ascii())),
                Found::Damage { offset, reason, .. } => {
                    rest.push(format!("damage {offset} {reason}"));
                }
                Found::Unfinished { offset, .. } => rest.push(format!("unfinished {offset}")),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        (records, rest)
    }

    fn filled() -> Arc<dyn Dir> {
        let dir: Arc<dyn Dir> = Arc::new(SimDir::new(1));
        let options = Options { background: false, segment_bytes: 400, ..Options::default() };
        let store = Bitcask::open_in(dir.clone(), options).unwrap();
        for n in 0..8 {
            store.put(format!("key:{n}").as_bytes(), &[7; 100], NOW).unwrap();
        }
        store.delete(b"key:0", NOW).unwrap();
        store.close().unwrap();
        dir
    }

    #[test]
    fn every_record_is_seen_and_damage_hides_one_only() {
        let dir = filled();
        let (records, rest) = all(&*dir);
        let mut wanted: Vec<String> = (0..8).map(|n| format!("put key:{n}")).collect();
        wanted.push("delete key:0".into());
        assert_eq!((&records, rest), (&wanted, vec![]));
        let file = dir.open(&format::file_name(1), true).unwrap();
        let at = format::HEADER_LEN as u64;
        file.write_at(b"\xff", at + 60).unwrap();
        let (records, rest) = all(&*dir);
        assert_eq!(records, wanted[1..]);
        assert_eq!(rest, [format!("damage {at} a record fails its checksum")]);
    }

    #[test]
    fn a_segment_that_is_asked_for_comes_alone_and_one_that_is_not_there_is_missing() {
        let dir = filled();
        let mut seen = Vec::new();
        let mut note = |found: Found<'_>| {
            if let Found::Segment { segment, hint, .. } = found {
                seen.push((segment, matches!(hint, HintState::Covers(_))));
            }
            ControlFlow::Continue(())
        };
        inspect_in(&*dir, Some(2), &mut note).unwrap();
        let missing = inspect_in(&*dir, Some(99), &mut note);
        assert!(matches!(missing, Err(Error::Missing { .. })));
        assert_eq!(seen, [(2, true)]);
    }
}
