//! Taking over a directory of Basho's Bitcask or of pybitcask in place: its files become the first segments of a
//! store.
//!
//! All that is written for it is the list of the files ([`Adopted`]); before that is on disk, nothing else is.
//! From then on what the list says of a file must stay so: one that has changed, and one that is new, is refused.

use super::adopted::{self, Adopted, AdoptedFile};
use super::directory::{self, DirectoryReport, RETIRED_MODE};
use super::layout::{Layout, Value};
use super::reading::{FORMAT, Reading};
use super::scan::{Scanner, What};
use super::{basho, bitgask};
use crate::format::hint::{self, HintEntry, Of, Totals};
use crate::format::record::Kind;
use crate::format::segment;
use crate::keydir::KeyDir;
use crate::log::{corrupt, io_error, sync_error};
use crate::storage::{self, Dir, File};
use crate::{Error, Location};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// What an opening finds of taken over files.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) adopted: Adopted,
    /// Numbers of those that are there.
    pub(crate) there: BTreeSet<u32>,
    /// Names of what else of theirs is there: Basho's hints.
    pub(crate) hints: BTreeMap<u32, String>,
    /// If this opening took them over, or, read only, found them as they were.
    pub(crate) survey: Option<Survey>,
}

/// What was found in files that are being taken over.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) report: DirectoryReport,
    /// Hints of the segments that they are.
    pub(crate) hints: BTreeMap<u32, Vec<u8>>,
}

/// Whether a directory with these files is a store.
pub(crate) fn is_store(names: &[String]) -> bool {
    names.iter().any(|name| {
        name == adopted::NAME
            || segment::parse_name(name).or_else(|| segment::parse_hint_name(name)).is_some()
    })
}

/// Whether a directory with these files, which is no store, is one of Basho's Bitcask or pybitcask.
pub(crate) fn is_adoptable(names: &[String]) -> bool {
    names.iter().any(|name| basho::parse_data_name(name).is_some())
}

/// A file that says that a directory is one of another Bitcask, which cannot be taken over in place.
pub(crate) fn file_of_others(names: &[String]) -> Option<&String> {
    let theirs = |name: &&String| {
        // Those of bitgask and of prologic/bitcask are named alike.
        name.as_str() == "bitgask.meta" || bitgask::parse_data_name(name).is_some()
    };
    names.iter().find(theirs)
}

/// What a directory that was not taken over would be as a store, as far as it shows without looking into the
/// files; and the files that are left out, since they were merged away.
///
/// # Errors
/// [`Error::Locked`] while another Bitcask writes there; [`Error::Foreign`] if a file is too long; [`Error::Io`].
pub(crate) fn propose(
    dir: &dyn Dir,
    names: &[String],
    store: [u8; 4],
) -> Result<(Adopted, Vec<String>), Error> {
    directory::refuse_writers(dir, names)?;
    let mut data: Vec<&String> =
        names.iter().filter(|name| basho::parse_data_name(name).is_some()).collect();
    data.sort_by_key(|name| (basho::parse_data_name(name), *name));
    let (mut adopted, mut retired) = (Adopted::new(store), Vec::new());
    for name in data {
        if is_retired(dir, name)? {
            retired.push(name.clone());
            continue;
        }
        let len = open(dir, name)?.1;
        let len = u32::try_from(len).map_err(|_| {
            foreign(dir, name, "it is longer than 4 GiB; import the directory into a new store")
        })?;
        adopted.push(name.clone(), len, 0);
    }
    Ok((adopted, retired))
}

/// The files that were taken over, or are taken over now: `None` if the directory has none.
///
/// # Errors
/// As [`propose`] and [`check`]; [`Error::Corrupt`] and [`Error::NewerFormat`] of the list; [`Error::Full`].
pub(crate) fn find(
    dir: &dyn Dir,
    names: &[String],
    read_only: bool,
) -> Result<Option<Found>, Error> {
    let has = |name: &str| names.iter().any(|found| found == name);
    let (adopted, survey) = if has(adopted::NAME) {
        if has(adopted::UNFINISHED_NAME) && !read_only {
            // In nobody's way if it stays.
            let _ = dir.remove(adopted::UNFINISHED_NAME);
        }
        let adopted = read(dir)?;
        check(dir, &adopted, names)?;
        (adopted, None)
    } else if !is_store(names) && is_adoptable(names) {
        let store = dir.random().to_be_bytes();
        let store = store[..4].try_into().expect("four bytes");
        let (mut adopted, retired) = propose(dir, names, store)?;
        let survey = survey(dir, &mut adopted, retired)?;
        if !read_only {
            for (_, file) in adopted.files() {
                // Their writer may have left what it wrote to the system's mercy. From now on it must not change.
                let synced = open(dir, &file.name)?.0.sync_data();
                synced.map_err(|e| sync_error(dir, &file.name, "sync", e))?;
            }
            write(dir, &adopted)?;
        }
        (adopted, Some(survey))
    } else {
        return Ok(None);
    };
    let found: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let (mut there, mut hints) = (BTreeSet::new(), BTreeMap::new());
    for (id, file) in adopted.files() {
        if found.contains(file.name.as_str()) {
            there.insert(id);
        }
        let hint = hint_name(&file.name);
        if found.contains(hint.as_str()) {
            hints.insert(id, hint);
        }
    }
    Ok(Some(Found { adopted, there, hints, survey }))
}

/// The list of a directory, taken over or not, for whoever looks at its files without opening it. Of files that
/// were not taken over, nobody knows how many entries are sound.
///
/// # Errors
/// As [`find`].
pub(crate) fn look(dir: &dyn Dir, names: &[String]) -> Result<Option<Adopted>, Error> {
    if names.iter().any(|name| name == adopted::NAME) {
        read(dir).map(Some)
    } else if !is_store(names) && is_adoptable(names) {
        propose(dir, names, [0; 4]).map(|(adopted, _)| Some(adopted))
    } else {
        Ok(None)
    }
}

/// The name of a file that was taken over, if one is there.
pub(crate) fn any_file(dir: &dyn Dir, names: &[String]) -> Result<Option<String>, Error> {
    let adopted = look(dir, names)?;
    Ok(adopted.and_then(|adopted| {
        let mut listed = adopted.files().map(|(_, file)| &file.name);
        listed.find(|name| names.contains(name)).cloned()
    }))
}

/// The list in `dir`.
pub(crate) fn read(dir: &dyn Dir) -> Result<Adopted, Error> {
    let name = adopted::NAME;
    let fail = |op, e| io_error(dir, name, op, e);
    let file = dir.open(name, false).map_err(|e| fail("open", e))?;
    let bytes = storage::read_whole(&*file).map_err(|e| fail("read", e))?;
    if let Some(version) = Adopted::newer_version(&bytes) {
        return Err(Error::NewerFormat { path: dir.path().join(name), version });
    }
    Adopted::decode(&bytes).map_err(|reason| corrupt(dir, name, 0, reason))
}

/// Makes the list, or another one in its place: whatever happens, the one or the other is there.
pub(crate) fn write(dir: &dyn Dir, adopted: &Adopted) -> Result<(), Error> {
    let temporary = adopted::UNFINISHED_NAME;
    let fail = |op, e| io_error(dir, temporary, op, e);
    match dir.remove(temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail("remove", e)),
        _ => {}
    }
    let file = dir.create(temporary).map_err(|e| fail("create", e))?;
    storage::write_all_at(&*file, &adopted.encode(), 0).map_err(|e| fail("write", e))?;
    file.sync_data()
        .and_then(|()| dir.rename(temporary, adopted::NAME))
        .and_then(|()| dir.sync())
        .map_err(|e| sync_error(dir, adopted::NAME, "make durable", e))
}

/// Refuses files of another Bitcask that the list does not know, or knows otherwise.
fn check(dir: &dyn Dir, adopted: &Adopted, names: &[String]) -> Result<(), Error> {
    for name in names.iter().filter(|name| basho::parse_data_name(name).is_some()) {
        let Some(id) = adopted.id_of(name) else {
            if is_retired(dir, name)? {
                continue;
            }
            let reason = "it came after the directory had been taken over; move it to a directory of its own \
                          and import that";
            return Err(foreign(dir, name, reason));
        };
        let len = match open(dir, name) {
            Ok((_, len)) => len,
            // Beside a writer that compacts.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        if len > u64::from(file(adopted, id).len) {
            let reason = "it has grown since it was taken over; import what it holds from a copy, cut it to its \
                          former length, and open the store again";
            return Err(foreign(dir, name, reason));
        }
    }
    Ok(())
}

/// A file, opened, and how long it is.
pub(crate) fn open(dir: &dyn Dir, name: &str) -> Result<(Arc<dyn File>, u64), Error> {
    let file = dir.open(name, false).map_err(|e| io_error(dir, name, "open", e))?;
    let len = file.size().map_err(|e| io_error(dir, name, "read the length of", e))?;
    Ok((file, len))
}

/// Counts the sound entries of all files, and indexes them.
fn survey(dir: &dyn Dir, adopted: &mut Adopted, retired: Vec<String>) -> Result<Survey, Error> {
    let mut report = DirectoryReport::new(Layout::Basho);
    report.retired_files = retired;
    let mut hints = BTreeMap::new();
    for id in 1..=adopted.last() {
        let (hint, entries) = index(dir, adopted, id, &mut report)?;
        report.files += 1;
        adopted.set_entries(id, entries);
        hints.insert(id, hint);
    }
    Ok(Survey { report, hints })
}

/// The hint of the segment that a file is, and how many sound entries it has. `report` counts them, too.
pub(crate) fn index(
    dir: &dyn Dir,
    adopted: &Adopted,
    id: u32,
    report: &mut DirectoryReport,
) -> Result<(Vec<u8>, u64), Error> {
    let AdoptedFile { name, len, reading } = file(adopted, id);
    let fail = |e| io_error(dir, name, "read", e);
    let (file, found) = open(dir, name)?;
    let mut scanner = Scanner::up_to(&*file, FORMAT, u64::from(*len).min(found));
    // By key, its last entry; the number of the segment stands for what that does.
    let (mut keydir, mut totals, mut entries) = (KeyDir::new(), Totals::default(), 0);
    while let Some(item) = scanner.next().map_err(fail)? {
        let (key, kind, len) = match item.what {
            What::Entry { key, meaning } => {
                report.entries += 1;
                let len = u32::try_from(item.len).expect("a small entry");
                match meaning.value {
                    Value::Deleted { odd } => {
                        report.deletions += 1;
                        report.odd_deletions += u64::from(odd);
                        (key, Kind::Delete, len)
                    }
                    _ => (key, Kind::Put, len),
                }
            }
            What::Unusable { key, reason } => {
                report.skip(name, item.offset, item.len, key, reason);
                // The key has a newer value than any before, which cannot be had. Longer than a record can be, it
                // is as one without its value.
                let Some(key) = key else { continue };
                (key, Kind::Delete, (basho::HEADER_LEN + key.len()) as u32)
            }
            What::Bad { reason } => {
                report.skip(name, item.offset, item.len, None, reason);
                continue;
            }
        };
        entries += 1;
        let sequence = reading.sequence(item.offset);
        totals.min_sequence = totals.min_sequence.min(sequence);
        totals.max_sequence = totals.max_sequence.max(sequence);
        let offset = u32::try_from(item.offset).expect("the file is shorter than 4 GiB");
        keydir.insert(key, Location { segment: kind as u32, offset, len });
    }
    Ok((encode_hint(Of::classic(id, adopted.salt()), *len, *reading, &totals, &keydir), entries))
}

fn encode_hint(of: Of, len: u32, reading: Reading, totals: &Totals, keydir: &KeyDir) -> Vec<u8> {
    let mut writer = hint::Writer::new(of, len, totals);
    let mut walk = keydir.walk(b"", b"");
    while let Some((key, found)) = walk.next() {
        let kind = if found.segment == Kind::Put as u32 { Kind::Put } else { Kind::Delete };
        let sequence = reading.sequence(u64::from(found.offset));
        let location = Location { segment: of.segment, ..found };
        writer.entry(HintEntry { key, kind, sequence, location, refers: false, link: None });
    }
    writer.finish()
}

/// A file that the list is known to have.
fn file(adopted: &Adopted, id: u32) -> &AdoptedFile {
    adopted.file(id).expect("the list has it")
}

/// Name of the hint that Basho's Bitcask has made for a data file.
pub(crate) fn hint_name(data_name: &str) -> String {
    let stem = data_name.strip_suffix(".data").unwrap_or(data_name);
    format!("{stem}.hint")
}

fn is_retired(dir: &dyn Dir, name: &str) -> Result<bool, Error> {
    let mode = dir.mode(name).map_err(|e| io_error(dir, name, "read the mode of", e))?;
    Ok(mode & RETIRED_MODE != 0)
}

pub(crate) fn foreign(dir: &dyn Dir, name: &str, reason: &'static str) -> Error {
    Error::Foreign { path: dir.path().join(name), reason }
}
