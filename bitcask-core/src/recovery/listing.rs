//! What is in a directory, by the names of its files.

use crate::classic::{adopted, adoption};
use crate::format::segment as format;
use crate::log::{Front, corrupt, io_error};
use crate::storage::Dir;
use crate::store::LOCK_NAME;
use crate::{Error, Mode, Options};
use std::collections::BTreeSet;

/// Refuses a directory that is no store and must not become one, before anything is written to it.
pub(crate) fn check_directory(dir: &dyn Dir, options: &Options) -> Result<(), Error> {
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    if adoption::is_store(&names) {
        return Ok(());
    }
    if adoption::is_adoptable(&names) {
        if !options.adopt {
            let reason = "Basho's Bitcask or pybitcask wrote it; import it into a new store";
            return Err(adoption::foreign(dir, "", reason));
        }
        return adoption::propose(dir, &names, [0; 4]).map(drop);
    }
    if adoption::file_of_others(&names).is_some() {
        let reason = "bitgask or prologic/bitcask wrote it; import it into a new store";
        return Err(adoption::foreign(dir, "", reason));
    }
    let harmless = |name: &&String| {
        [LOCK_NAME, adopted::UNFINISHED_NAME].contains(&name.as_str())
            || format::is_harmless_name(name)
    };
    let path = dir.path().to_owned();
    match names.iter().find(|name| !harmless(name)) {
        Some(found) => Err(Error::NotAStore { path, found: found.clone() }),
        None if options.mode == Mode::Create => Ok(()),
        None => Err(Error::Missing { path }),
    }
}

/// What is in a directory, by its names.
pub(super) struct Listed {
    /// Numbers of segments, ascending.
    pub(super) ids: Vec<u32>,
    /// The one that is appended to.
    pub(super) newest: Option<u32>,
    /// Numbers that were given out and came to nothing.
    pub(super) abandoned: BTreeSet<u32>,
    /// Numbers of hints.
    pub(super) hinted: BTreeSet<u32>,
    /// Another Bitcask's files that are segments, among `ids`.
    pub(super) classic: Option<adoption::Found>,
}

/// Reads the directory, and puts leftovers of interrupted work out of the way, or passes them over.
pub(super) fn list(dir: &dyn Dir, read_only: bool) -> Result<Listed, Error> {
    let names = if read_only { settled_names(dir)? } else { names(dir)? };
    for name in names.iter().filter(|name| format::parse_unfinished_hint_name(name).is_some()) {
        // In nobody's way if it stays.
        if !read_only {
            let _ = dir.remove(name);
        }
    }
    let mut ids: Vec<u32> = names.iter().filter_map(|name| format::parse_name(name)).collect();
    ids.sort_unstable();
    let hinted: BTreeSet<u32> =
        names.iter().filter_map(|name| format::parse_hint_name(name)).collect();
    let mut abandoned: BTreeSet<u32> =
        names.iter().filter_map(|name| format::parse_unfinished_name(name)).collect();
    let last_names = [
        ids.last().map(|id| (*id, format::file_name(*id))),
        hinted.last().map(|id| (*id, format::hint_name(*id))),
        abandoned.last().map(|id| (*id, format::unfinished_name(*id))),
    ];
    if let Some((_, name)) = last_names.into_iter().flatten().find(|(id, _)| *id > format::MAX_ID) {
        let reason = "the number in the file's name is out of range: no store wrote it";
        return Err(corrupt(dir, &name, 0, reason));
    }
    let classic = adoption::find(dir, &names, read_only)?;
    let mut newest = None;
    for &id in ids.iter().rev() {
        match origin(dir, id)? {
            Origin::Compaction => continue,
            Origin::Log => newest = Some(id),
            Origin::Unfinished => {
                // Its number may have been passed by others, and must not be missed.
                let (name, unfinished) = (format::file_name(id), format::unfinished_name(id));
                if !read_only {
                    let renamed = dir.rename(&name, &unfinished);
                    renamed.map_err(|e| io_error(dir, &name, "rename", e))?;
                }
                abandoned.insert(id);
                continue;
            }
        }
        break;
    }
    ids.retain(|id| !abandoned.contains(id));
    for id in abandoned.iter().filter(|_| !read_only) {
        let name = format::unfinished_name(*id);
        let emptied = dir.open(&name, true).and_then(|file| file.set_len(0));
        emptied.map_err(|e| io_error(dir, &name, "empty", e))?;
    }
    if let Some(classic) = &classic {
        if let Some(id) = ids.first().filter(|id| **id <= classic.adopted.last()) {
            let reason = "its number is that of a file which was taken over";
            return Err(corrupt(dir, &format::file_name(*id), 0, reason));
        }
        // Theirs are the lower ones.
        ids.splice(..0, classic.there.iter().copied());
    }
    Ok(Listed { ids, newest, abandoned, hinted, classic })
}

fn names(dir: &dyn Dir) -> Result<Vec<String>, Error> {
    dir.list().map_err(|e| io_error(dir, "", "list", e))
}

/// Names that were there at one moment: the system lists a directory piece by piece, while a writer changes it.
fn settled_names(dir: &dyn Dir) -> Result<Vec<String>, Error> {
    const ATTEMPTS: usize = 10;
    let mut found = BTreeSet::new();
    for _ in 0..ATTEMPTS {
        let before = std::mem::replace(&mut found, names(dir)?.into_iter().collect());
        if before == found {
            break;
        }
    }
    Ok(found.into_iter().collect())
}

/// Whether compaction has made or removed segments since `ids` were listed.
pub(super) fn is_outrun(dir: &dyn Dir, ids: &[u32]) -> Result<bool, Error> {
    let now: BTreeSet<u32> =
        names(dir)?.iter().filter_map(|name| format::parse_name(name)).collect();
    if ids.iter().any(|id| !now.contains(id)) {
        return Ok(true);
    }
    for id in now.into_iter().filter(|id| !ids.contains(id)) {
        if matches!(origin(dir, id)?, Origin::Compaction) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whose work a segment is.
enum Origin {
    Log,
    Compaction,
    /// Its making was interrupted: its header is on disk before anything is acknowledged in it.
    Unfinished,
}

fn origin(dir: &dyn Dir, id: u32) -> Result<Origin, Error> {
    let Front { header, len, .. } = Front::read(dir, id, false)?;
    if format::newer_version(&header).is_some() {
        // Said when it is loaded.
        return Ok(Origin::Log);
    }
    Ok(match format::check_header(&header, id) {
        Ok(head) if head.compacted => Origin::Compaction,
        Err(_) if len <= format::HEADER_LEN as u64 => Origin::Unfinished,
        // What is wrong with it is found when it is loaded.
        _ => Origin::Log,
    })
}
