//! Making a damaged store one that opens: what verifies is kept where it is, the rest is set aside.
//!
//! Records name each other by their places, so nothing is moved: where damage was, a void is written. A
//! segment's file as it was found stays beside the mended one as `N.damaged`.

use crate::classic::adopted::{self, Adopted, AdoptedFile};
use crate::classic::adoption;
use crate::format::hint::Of;
use crate::format::record::{self, Kind};
use crate::format::retired::Retired;
use crate::format::segment::{self as format, Head, Salt};
use crate::format::walk::{Found, Walk, fill_with_void};
use crate::log::{Front, corrupt, io_error, open_error, sync_error};
use crate::recovery;
use crate::storage::disk::DiskDir;
use crate::storage::{self, Dir};
use crate::store::LOCK_NAME;
use crate::{Bitcask, Error, Mode, Options, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file is made for each segment that is missing, if there are not more of them.
const MAX_MISSING: usize = 10_000;

/// What salvage found and lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Segments looked through.
    pub segments: usize,
    /// Records that verified.
    pub records: u64,
    /// Stretches of segments that were no records. Deletions among them are undone, and older values of their
    /// keys are back.
    pub lost: Vec<Lost>,
    /// Segments that were missing altogether; empty ones are in their place.
    pub missing: Vec<u32>,
    /// Keys whose value cannot be put together any more: deleted. The first [`SalvageReport::NAMED_KEYS`] of them.
    pub unreadable: Vec<Vec<u8>>,
    /// How many keys that were.
    pub unreadable_keys: u64,
}

impl SalvageReport {
    /// So many keys are named at most.
    pub const NAMED_KEYS: usize = 1000;
}

/// Damage in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The segment's file as it was found, set aside; another Bitcask's file, which stays as it is, itself.
    pub path: PathBuf,
    /// Where the damage begins.
    pub offset: u64,
    /// How many bytes it takes.
    pub bytes: u64,
    /// What is wrong with them.
    pub reason: &'static str,
}

impl Bitcask {
    /// Makes the damaged store at `path` one that opens, at the price of what is damaged: use it when there is no
    /// backup. A store that is sound stays as it is. `options` must have the fold that the store was written
    /// with.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a segment whose number is so far from the others' that it cannot be one of them;
    /// [`Error::Locked`], [`Error::Full`], [`Error::Io`]. Whatever it fails with, it may be called again.
    pub fn salvage(path: impl AsRef<Path>, options: Options) -> Result<SalvageReport, Error> {
        let path = path.as_ref();
        let dir = DiskDir::open_existing(path).map_err(|e| open_error(path, e))?;
        Self::salvage_in(Arc::new(dir), options)
    }

    /// [`Bitcask::salvage`] of an open directory.
    ///
    /// # Errors
    /// As [`Bitcask::salvage`].
    pub fn salvage_in(dir: Arc<dyn Dir>, options: Options) -> Result<SalvageReport, Error> {
        let options = Options { mode: Mode::Existing, background: false, ..options };
        recovery::check_directory(&*dir, &options)?;
        let mut report = SalvageReport::default();
        {
            let _lock = dir
                .try_lock(LOCK_NAME)
                .map_err(|e| io_error(&*dir, LOCK_NAME, "lock", e))?
                .ok_or_else(|| Error::Locked { path: dir.path().to_owned() })?;
            mend(&*dir, &mut report)?;
        }
        let store = Bitcask::open_in(dir, options)?;
        drop_unreadable(&store, &mut report)?;
        store.close()?;
        Ok(report)
    }
}

/// Mends every segment.
fn mend(dir: &dyn Dir, report: &mut SalvageReport) -> Result<(), Error> {
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    let ids: BTreeSet<u32> = names.iter().filter_map(|name| format::parse_name(name)).collect();
    let mut heads = BTreeMap::new();
    for &id in &ids {
        heads.insert(id, read_head(dir, id)?);
    }
    let adopted = match names.iter().any(|name| name == adopted::NAME) {
        true => Some(adoption::read(dir)?),
        false => None,
    };
    let salt = heads.values().flatten().next().map(|head| head.salt);
    let of = adopted.as_ref().map(Adopted::salt).or(salt);
    let is_log = |id: &&u32| heads[*id].is_none_or(|head| !head.compacted);
    let newest = ids.iter().rev().find(is_log).copied();
    let mut gone = Retired::default();
    for id in &ids {
        mend_segment(dir, *id, newest == Some(*id), of, &mut gone, report)?;
    }
    let mut there = ids.clone();
    if let Some(adopted) = &adopted {
        let listed =
            adopted.files().filter(|(id, file)| !gone.contains(*id) && names.contains(&file.name));
        there.extend(listed.map(|(id, _)| id));
        mend_classic(dir, adopted, &there, report)?;
    }
    let abandoned: BTreeSet<u32> =
        names.iter().filter_map(|name| format::parse_unfinished_name(name)).collect();
    let hinted = names.iter().filter_map(|name| format::parse_hint_name(name)).max();
    let last_adopted = adopted.as_ref().map(Adopted::last);
    let last = [ids.last().copied(), abandoned.last().copied(), gone.last(), hinted, last_adopted];
    let last = last.into_iter().flatten().max().unwrap_or(0);
    there.iter().chain(&abandoned).for_each(|id| gone.insert(*id));
    let missing = || gone.gaps(last).flatten();
    if missing().nth(MAX_MISSING).is_some() {
        let reason = "too many segments are missing before it: its number is wrong, or it is of another store";
        return Err(corrupt(dir, &format::file_name(last), 0, reason));
    }
    for id in missing() {
        // As if the number had been given out and come to nothing.
        write_file(dir, &format::unfinished_name(id), b"")?;
        report.missing.push(id);
    }
    dir.sync().map_err(|e| sync_error(dir, "", "sync", e))
}

/// Another Bitcask's files stay as they are; what in them is lost since they were taken over is nobody's loss from
/// now on. One that was cut short is made as long as it was.
fn mend_classic(
    dir: &dyn Dir,
    adopted: &Adopted,
    there: &BTreeSet<u32>,
    report: &mut SalvageReport,
) -> Result<(), Error> {
    let mut mended = adopted.clone();
    for (id, listed) in adopted.files().filter(|(id, _)| there.contains(id)) {
        let AdoptedFile { name, len, reading } = listed;
        let fail = |op, e| io_error(dir, name, op, e);
        report.segments += 1;
        let (file, found) = adoption::open(dir, name)?;
        if found < u64::from(*len) {
            let file = dir.open(name, true).map_err(|e| fail("open", e))?;
            file.set_len(u64::from(*len))
                .and_then(|()| file.sync_data())
                .map_err(|e| fail("lengthen", e))?;
        }
        let (mut walk, mut lost) = (reading.walk(&*file, u64::from(*len)), Vec::new());
        while let Some(stretch) = walk.next().map_err(|e| fail("read", e))? {
            if let Err(reason) = stretch.record {
                lost.push((stretch.offset, stretch.len, reason));
            }
        }
        report.records += walk.sound;
        if walk.sound >= reading.entries {
            continue;
        }
        mended.set_entries(id, walk.sound);
        let path = dir.path().join(name);
        report.lost.extend(lost.into_iter().map(|(offset, bytes, reason)| {
            let path = path.clone();
            Lost { path, offset, bytes, reason }
        }));
        // It leads to what is lost.
        remove_hint(dir, id)?;
    }
    if mended == *adopted { Ok(()) } else { adoption::write(dir, &mended) }
}

fn remove_hint(dir: &dyn Dir, id: u32) -> Result<(), Error> {
    let hint = format::hint_name(id);
    match dir.remove(&hint) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error(dir, &hint, "remove", e))
        }
        _ => Ok(()),
    }
}

fn read_head(dir: &dyn Dir, id: u32) -> Result<Option<Head>, Error> {
    let Front { header, .. } = Front::read(dir, id, false)?;
    Ok(format::check_header(&header, id).ok())
}

/// Sets a damaged segment aside and puts a sound one in its place.
fn mend_segment(
    dir: &dyn Dir,
    id: u32,
    newest: bool,
    of: Option<Salt>,
    gone: &mut Retired,
    report: &mut SalvageReport,
) -> Result<(), Error> {
    let name = format::file_name(id);
    let fail = |op, e| io_error(dir, &name, op, e);
    let file = dir.open(&name, false).map_err(|e| fail("open", e))?;
    let map = file.map().map_err(|e| fail("map", e))?;
    let bytes = (*map).as_ref();
    report.segments += 1;
    let head = format::check_header(bytes, id);
    let ascending = head.as_ref().is_ok_and(|head| !head.compacted);
    let mut damage = Vec::new();
    let mut walk = Walk::new(bytes, format::HEADER_LEN.min(bytes.len()), ascending);
    // The last record before damage, if its batch was to go on.
    let (mut open_batch, mut unended) = (None, Vec::new());
    for (at, found) in &mut walk {
        match found {
            Found::Record(record) => {
                if record.kind == Kind::Retired {
                    match Retired::decode(record.value) {
                        Ok(retired) => gone.extend(&retired),
                        Err(reason) => {
                            unended.extend(open_batch.take());
                            damage.push((at, record.len, reason));
                            continue;
                        }
                    }
                }
                report.records += 1;
                open_batch = record.more.then_some(at..at + record.len);
            }
            Found::Damage(len, reason) => {
                unended.extend(open_batch.take());
                damage.push((at, len, reason));
            }
        }
    }
    let ends_open = open_batch.is_some();
    unended.extend(open_batch);
    // The newest may end in a write that was never finished, or in space that was reserved: opening cuts that.
    if newest
        && let Some(&(at, len, _)) = damage.last()
        && at + len == bytes.len()
        && head.map_or(0, |head| recovery::hinted_len(dir, Of::native(id, head.salt))) <= at
        && head.is_ok_and(|head| !recovery::scan::was_synced(bytes, head.salt, at))
    {
        damage.pop();
        unended.clear();
    }
    let sound = head.is_ok() && damage.is_empty() && (newest || !ends_open);
    if sound {
        return Ok(());
    }
    let mut mended = bytes.to_vec();
    if let Err(reason) = head {
        let salt = format::salt(of, dir.random());
        mended.resize(mended.len().max(format::HEADER_LEN), 0);
        let header = format::header(id, Head { salt, compacted: false });
        mended[..format::HEADER_LEN].copy_from_slice(&header);
        damage.insert(0, (0, format::HEADER_LEN.min(bytes.len()), reason));
    }
    for range in unended {
        record::end_batch(&mut mended[range]);
    }
    let aside = format::damaged_name(id);
    for &(at, len, reason) in &damage {
        if at >= format::HEADER_LEN {
            let end = at + len;
            if len < record::HEADER_LEN {
                // Only at the end can so little be left.
                mended.truncate(at);
            } else {
                fill_with_void(&mut mended[at..end], 0);
            }
        }
        report.lost.push(Lost {
            path: dir.path().join(&aside),
            offset: at as u64,
            bytes: len as u64,
            reason,
        });
    }
    replace(dir, id, bytes, &mended)
}

/// Keeps `old` as `N.damaged`, and makes `new` the segment.
fn replace(dir: &dyn Dir, id: u32, old: &[u8], new: &[u8]) -> Result<(), Error> {
    let (name, aside) = (format::file_name(id), format::damaged_name(id));
    write_file(dir, &aside, old)?;
    let temporary = format::mending_name(id);
    write_file(dir, &temporary, new)?;
    remove_hint(dir, id)?;
    dir.sync()
        .and_then(|()| dir.rename(&temporary, &name))
        .and_then(|()| dir.sync())
        .map_err(|e| sync_error(dir, &name, "replace", e))
}

/// Writes a whole file, durably but for its name; one that is there already is replaced.
fn write_file(dir: &dyn Dir, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let _ = dir.remove(name);
    let written = dir.create(name).and_then(|file| {
        storage::write_all_at(&*file, bytes, 0)?;
        file.sync_data()
    });
    written.map_err(|e| io_error(dir, name, "write", e))
}

/// Deletes the keys whose records refer to ones that are lost.
fn drop_unreadable(store: &Bitcask, report: &mut SalvageReport) -> Result<(), Error> {
    const CHUNK: usize = 1000;
    let mut from = Vec::new();
    loop {
        let mut keys = Vec::new();
        store.walk(b"", &from, &mut |key| {
            keys.push(key.to_vec());
            if keys.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let Some(last) = keys.last() else { return Ok(()) };
        from.clone_from(last);
        from.push(0);
        for key in keys {
            match store.entry(&key) {
                Err(e) if e.is_damage() => {
                    report.unreadable_keys += 1;
                    store.delete(&key, UnixMillis(0))?;
                    if report.unreadable.len() < SalvageReport::NAMED_KEYS {
                        report.unreadable.push(key);
                    }
                }
                other => drop(other?),
            }
        }
    }
}
