//! A foreign directory, opened for reading: which keys live in it, and where.

use super::layout::{Format, Layout, Value};
use super::prologic::{self, Version};
use super::scan::{self, Scanner, What};
use super::{adopted, basho, bitgask};
use crate::keydir::KeyDir;
use crate::log::{corrupt, io_error, open_error};
use crate::storage::disk::{self, DiskDir};
use crate::storage::{Dir, File, Lock, read_exact_at};
use crate::{Error, Location, UnixMillis};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Files with any of these mode bits are merged away already, and only not removed yet.
pub(super) const RETIRED_MODE: u32 = 0o4001;
/// So many skipped entries are named in a report; the rest are counted.
const MAX_NAMED: usize = 1000;
/// A [`Location`] counts offsets in 32 bits: a longer file is as several.
const PART_BITS: u32 = 32;

/// How to read a foreign directory.
#[derive(Clone, Debug, Default)]
pub struct DirectoryOptions {
    /// Basho's `expiry_secs`, a setting that its directories do not record: entries expire so long after they
    /// were written.
    pub expiry_secs: Option<u32>,
}

/// A directory of another Bitcask, open for reading.
///
/// Opening reads every data file once, in numeric order: the last entry of a key wins, wherever it lies. Hint
/// files and other indexes are not looked at: those of pybitcask are wrong, and nothing in a directory says who
/// wrote it. In memory are the keys, not the values.
///
/// What is damaged is skipped and [reported](DirectoryReport): an earlier value of its key may then be
/// found in its stead, as those that wrote these directories would find it.
pub struct Directory {
    dir: Arc<dyn Dir>,
    format: Format,
    files: Vec<DataFile>,
    keydir: KeyDir,
    report: DirectoryReport,
    // Keeps writers of the same kind out.
    _lock: Option<Box<dyn Lock>>,
}

struct DataFile {
    name: String,
    file: Arc<dyn File>,
    /// The number of its first part among those of all files.
    first_part: u32,
}

/// Where an entry lies in a [`Directory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which of [`Directory::files`].
    pub file: usize,
    /// Offset of the entry in the file.
    pub offset: u64,
    /// Length of the entry, header included.
    pub len: u32,
}

/// A live entry of a foreign directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it was written, as precisely as the layout says; 0 if it does not.
    pub written_at: UnixMillis,
    /// When it expires. An entry past that is still returned: the caller knows the time.
    pub expires_at: Option<UnixMillis>,
}

/// What a foreign directory holds, and what of it could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryReport {
    /// Who wrote it.
    pub layout: Layout,
    /// Data files read.
    pub files: usize,
    /// Data files that were merged away and only not removed yet; they were not read.
    pub retired_files: Vec<String>,
    /// Sound entries, superseded ones and deletions included.
    pub entries: u64,
    /// Deletions among them.
    pub deletions: u64,
    /// Deletions that may have been meant as values: Basho takes every value that begins with
    /// `bitcask_tombstone` for a deletion, and so does this.
    pub odd_deletions: u64,
    /// Keys that are there in the end, expired ones included.
    pub keys: usize,
    /// Entries, or stretches of bytes, that were skipped.
    pub skipped: u64,
    /// Bytes of them.
    pub skipped_bytes: u64,
    /// The first thousand of them.
    pub named: Vec<Skipped>,
}

/// Something in a foreign directory that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Its key, if that could be read. The key is gone: an earlier value is not taken for it.
    pub key: Option<Vec<u8>>,
    /// Why.
    pub reason: &'static str,
}

impl DirectoryReport {
    /// Of nothing so far.
    pub(crate) fn new(layout: Layout) -> Self {
        DirectoryReport {
            layout,
            files: 0,
            retired_files: Vec::new(),
            entries: 0,
            deletions: 0,
            odd_deletions: 0,
            keys: 0,
            skipped: 0,
            skipped_bytes: 0,
            named: Vec::new(),
        }
    }

    /// Counts what is not taken over.
    pub(super) fn skip(
        &mut self,
        file: &str,
        offset: u64,
        bytes: u64,
        key: Option<&[u8]>,
        reason: &'static str,
    ) {
        self.skipped += 1;
        self.skipped_bytes += bytes;
        if self.named.len() < MAX_NAMED {
            let (file, key) = (file.to_owned(), key.map(<[u8]>::to_vec));
            self.named.push(Skipped { file, offset, bytes, key, reason });
        }
    }
}

impl Directory {
    /// Opens the directory at `path`, having found out who wrote it. Nothing in it is changed.
    ///
    /// # Errors
    /// [`Error::Unrecognised`] if no layout fits; [`Error::Locked`] while its writer has it open; [`Error::Io`].
    pub fn open(path: impl AsRef<Path>, options: DirectoryOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let root = open_dir(path)?;
        let names = list(&root)?;
        if names.iter().any(|name| basho::parse_data_name(name).is_some()) {
            return Self::open_in(Arc::new(root), Layout::Basho, options);
        }
        let data_files =
            |names: &[String]| names.iter().any(|name| bitgask::parse_data_name(name).is_some());
        let has = |name: &str| names.iter().any(|found| found == name);
        if has("bitgask.meta") {
            return Self::open_in(Arc::new(root), Layout::Bitgask, options);
        }
        if data_files(&names) {
            return Self::open_in(Arc::new(root), Layout::Prologic, options);
        }
        // `data.old` is what a merge of bitgask's leaves if it is interrupted between two renames.
        for below in ["data", "data.old"] {
            let Ok(data) = DiskDir::open_existing(path.join(below)) else { continue };
            if data_files(&list(&data)?) {
                let lock = if has("LOCK") { take_lock(&root, "LOCK")? } else { None };
                let mut opened = Self::open_in(Arc::new(data), Layout::Bitgask, options)?;
                opened._lock = lock;
                return Ok(opened);
            }
        }
        let reason =
            "there are no data files of Basho's Bitcask, pybitcask, bitgask or prologic/bitcask";
        Err(Error::Unrecognised { path: path.to_owned(), reason })
    }

    /// Opens the data files in `dir`, written by `layout`. One without any is empty.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn open_in(
        dir: Arc<dyn Dir>,
        layout: Layout,
        options: DirectoryOptions,
    ) -> Result<Self, Error> {
        let mut names = list(&*dir)?;
        if names.iter().any(|name| name == adopted::NAME) {
            // Its files may be superseded by others long since.
            let reason = "it has become a store, which opens by itself";
            return Err(Error::Unrecognised { path: dir.path().to_owned(), reason });
        }
        let mut lock = None;
        let parse: fn(&str) -> Option<u64> = match layout {
            Layout::Basho => {
                refuse_writers(&*dir, &names)?;
                basho::parse_data_name
            }
            Layout::Bitgask => bitgask::parse_data_name,
            Layout::Prologic => {
                if names.iter().any(|name| name == "lock") {
                    lock = take_lock(&*dir, "lock")?;
                }
                prologic::parse_data_name
            }
        };
        let config = names.iter().any(|name| name == "config.json");
        names.retain(|name| parse(name).is_some());
        names.sort_by_cached_key(|name| (parse(name), name.clone()));
        let mut report = DirectoryReport::new(layout);
        let (mut files, mut parts) = (Vec::new(), 0_u32);
        for name in names {
            let fail = |op, e| io_error(&*dir, &name, op, e);
            let mode = dir.mode(&name).map_err(|e| fail("read the mode of", e))?;
            if layout == Layout::Basho && mode & RETIRED_MODE != 0 {
                report.retired_files.push(name);
                continue;
            }
            let file = dir.open(&name, false).map_err(|e| fail("open", e))?;
            let size = file.size().map_err(|e| fail("read the length of", e))?;
            let first_part = parts;
            let own = u32::try_from(1 + (size >> PART_BITS)).unwrap_or(u32::MAX);
            parts = parts.checked_add(own).ok_or_else(|| {
                fail("read", io::Error::other("the files are longer than can be indexed"))
            })?;
            files.push(DataFile { name, file, first_part });
        }
        report.files = files.len();
        let format = match layout {
            Layout::Basho => Format::Basho { expiry_secs: options.expiry_secs },
            Layout::Bitgask => Format::Bitgask,
            Layout::Prologic => Format::Prologic { version: version(&*dir, config, &files)? },
        };
        let keydir = KeyDir::new();
        let mut opened = Directory { dir, format, files, keydir, report, _lock: lock };
        opened.index()?;
        Ok(opened)
    }

    fn index(&mut self) -> Result<(), Error> {
        for index in 0..self.files.len() {
            let DataFile { name, file, .. } = &self.files[index];
            let fail = |e| io_error(&*self.dir, name, "read", e);
            let mut scanner = Scanner::new(&**file, self.format).map_err(fail)?;
            while let Some(item) = scanner.next().map_err(fail)? {
                let (key, reason) = match item.what {
                    What::Entry { key, meaning } => {
                        self.report.entries += 1;
                        if let Value::Deleted { odd } = meaning.value {
                            self.report.deletions += 1;
                            self.report.odd_deletions += u64::from(odd);
                            self.keydir.remove(key);
                        } else {
                            let len = u32::try_from(item.len).expect("a small entry");
                            let place = Place { file: index, offset: item.offset, len };
                            self.keydir.insert(key, location(&self.files, place));
                        }
                        continue;
                    }
                    // The key has a newer value than any before, which cannot be had.
                    What::Unusable { key, reason } => {
                        if let Some(key) = key {
                            self.keydir.remove(key);
                        }
                        (key, reason)
                    }
                    What::Bad { reason } => (None, reason),
                };
                self.report.skip(name, item.offset, item.len, key, reason);
            }
        }
        self.report.keys = self.keydir.len();
        Ok(())
    }

    /// What was found, and what was skipped.
    pub fn report(&self) -> &DirectoryReport {
        &self.report
    }

    /// The names of the data files, in the order in which they were written.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    /// Number of keys, expired ones included.
    pub fn len(&self) -> usize {
        self.keydir.len()
    }

    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the entry of `key` lies. Never reads the disk.
    pub fn place(&self, key: &[u8]) -> Option<Place> {
        self.keydir.get(key).map(|location| self.place_at(location))
    }

    /// The entry of `key`, expired or not: one read.
    ///
    /// # Errors
    /// As [`Directory::read`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.place(key).map(|place| self.read(place)).transpose()
    }

    /// The entry at a place that this directory gave.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if no sound entry lies there: the file has changed since it was opened, or the disk
    /// fails; [`Error::Io`].
    pub fn read(&self, place: Place) -> Result<Entry, Error> {
        let DataFile { name, file, .. } = &self.files[place.file];
        let mut bytes = vec![0; place.len as usize];
        read_exact_at(&**file, &mut bytes, place.offset)
            .map_err(|e| io_error(&*self.dir, name, "read", e))?;
        let damaged = |reason| corrupt(&*self.dir, name, place.offset, reason);
        let shape = bytes
            .get(..self.format.header_len())
            .and_then(|header| self.format.shape(header).ok())
            .filter(|shape| shape.len() == u64::from(place.len))
            .filter(|shape| scan::is_sound(self.format, shape, &bytes))
            .ok_or_else(|| damaged("the entry is not the one that was there"))?;
        let (key, meaning) = self.format.read(&shape, &bytes);
        let meaning = meaning.map_err(damaged)?;
        let value = meaning.value.decoded().map_err(damaged)?;
        let value = value.ok_or_else(|| damaged("the entry has become a deletion"))?.into_owned();
        let (written_at, expires_at) = (meaning.written_at, meaning.expires_at);
        Ok(Entry { key: key.to_vec(), value, written_at, expires_at })
    }

    /// Visits the keys that begin with `prefix` in byte order, from the first not below `from`, with their
    /// places, until `visit` breaks. Reads no disk.
    pub fn walk(
        &self,
        prefix: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], Place) -> ControlFlow<()>,
    ) {
        let mut walk = self.keydir.walk(prefix, from);
        while let Some((key, location)) = walk.next() {
            if visit(key, self.place_at(location)).is_break() {
                return;
            }
        }
    }

    /// All live entries, expired or not, in the order in which they were written. Reads each file once more,
    /// from one end to the other. Ends after an error.
    pub fn entries(&self) -> Entries<'_> {
        Entries { directory: self, next_file: 0, scanner: None, found: 0, ended: false }
    }

    fn place_at(&self, location: Location) -> Place {
        place(&self.files, location)
    }
}

/// The place that the keydir keeps as `location`.
fn place(files: &[DataFile], location: Location) -> Place {
    let file = files.partition_point(|file| file.first_part <= location.segment) - 1;
    let part = location.segment - files[file].first_part;
    let offset = u64::from(part) << PART_BITS | u64::from(location.offset);
    Place { file, offset, len: location.len }
}

/// A place as the keydir keeps it.
fn location(files: &[DataFile], place: Place) -> Location {
    let part = u32::try_from(place.offset >> PART_BITS).expect("counted when it was opened");
    let segment = files[place.file].first_part + part;
    Location { segment, offset: place.offset as u32, len: place.len }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.dir.path();
        f.debug_struct("Directory").field("path", &path).finish_non_exhaustive()
    }
}

/// See [`Directory::entries`].
pub struct Entries<'a> {
    directory: &'a Directory,
    next_file: usize,
    scanner: Option<Scanner<'a>>,
    found: usize,
    ended: bool,
}

impl Entries<'_> {
    fn advance(&mut self) -> Result<Option<Entry>, Error> {
        let Directory { dir, format, files, keydir, .. } = self.directory;
        loop {
            let scanner = match &mut self.scanner {
                Some(scanner) => scanner,
                None => {
                    let Some(file) = files.get(self.next_file) else { break };
                    self.next_file += 1;
                    let scanner = Scanner::new(&*file.file, *format)
                        .map_err(|e| io_error(&**dir, &file.name, "read", e))?;
                    self.scanner.insert(scanner)
                }
            };
            let file = self.next_file - 1;
            let item =
                scanner.next().map_err(|e| io_error(&**dir, &files[file].name, "read", e))?;
            let Some(item) = item else {
                self.scanner = None;
                continue;
            };
            let What::Entry { key, meaning } = item.what else { continue };
            let Ok(len) = u32::try_from(item.len) else { continue };
            let here = location(files, Place { file, offset: item.offset, len });
            if keydir.get(key) != Some(here) {
                continue;
            }
            let value = meaning.value.decoded();
            let value = value.map_err(|e| corrupt(&**dir, &files[file].name, item.offset, e))?;
            // A deletion here means that the file has changed; the count below says so.
            let Some(value) = value else { continue };
            self.found += 1;
            let (written_at, expires_at) = (meaning.written_at, meaning.expires_at);
            let (key, value) = (key.to_vec(), value.into_owned());
            return Ok(Some(Entry { key, value, written_at, expires_at }));
        }
        if self.found == keydir.len() {
            return Ok(None);
        }
        Err(corrupt(&**dir, "", 0, "the files have changed while they were being read"))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn open_dir(path: &Path) -> Result<DiskDir, Error> {
    DiskDir::open_existing(path).map_err(|e| open_error(path, e))
}

fn list(dir: &dyn Dir) -> Result<Vec<String>, Error> {
    dir.list().map_err(|e| io_error(dir, "", "list", e))
}

/// Takes the lock of a file that is there; nothing, if the directory is one that we cannot write to.
fn take_lock(dir: &dyn Dir, name: &str) -> Result<Option<Box<dyn Lock>>, Error> {
    match dir.try_lock(name) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(Error::Locked { path: dir.path().to_owned() }),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(io_error(dir, name, "lock", e)),
    }
}

/// Refuses a directory that Basho's Bitcask writes to.
pub(super) fn refuse_writers(dir: &dyn Dir, names: &[String]) -> Result<(), Error> {
    for name in ["bitcask.write.lock", "bitcask.merge.lock"] {
        if names.iter().any(|found| found == name) && is_held(dir, name)? {
            return Err(Error::Locked { path: dir.path().to_owned() });
        }
    }
    Ok(())
}

/// Whether the process that a lock file of Basho's names is alive: the file outlives a killed one.
fn is_held(dir: &dyn Dir, name: &str) -> Result<bool, Error> {
    const MAX_BYTES: u64 = 64;
    let fail = |e| io_error(dir, name, "read", e);
    let file = match dir.open(name, false) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(fail(e)),
    };
    let mut bytes = vec![0; file.size().map_err(fail)?.min(MAX_BYTES) as usize];
    read_exact_at(&*file, &mut bytes, 0).map_err(fail)?;
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let pid = std::str::from_utf8(&bytes[..digits]).ok().and_then(|pid| pid.parse().ok());
    Ok(pid.is_some_and(disk::is_running))
}

/// The version of a directory of prologic/bitcask: as it says itself, or else by which the first file with
/// entries reads better.
fn version(dir: &dyn Dir, config: bool, files: &[DataFile]) -> Result<Version, Error> {
    const CONFIG: &str = "config.json";
    const MAX_BYTES: u64 = 64 << 10;
    if config {
        let read = dir.open(CONFIG, false).and_then(|file| {
            let mut bytes = vec![0; file.size()?.min(MAX_BYTES) as usize];
            read_exact_at(&*file, &mut bytes, 0)?;
            Ok(bytes)
        });
        let json = read.map_err(|e| io_error(dir, CONFIG, "read", e))?;
        if let Some(version) = prologic::parse_config(&json) {
            return Ok(version);
        }
    }
    for DataFile { name, file, .. } in files {
        let sound = |version| -> io::Result<u64> {
            let mut scanner = Scanner::new(&**file, Format::Prologic { version })?;
            let mut bytes = 0;
            while let Some(item) = scanner.next()? {
                bytes += if matches!(item.what, What::Bad { .. }) { 0 } else { item.len };
            }
            Ok(bytes)
        };
        let read = |version| sound(version).map_err(|e| io_error(dir, name, "read", e));
        match (read(Version::V0)?, read(Version::V1)?) {
            (0, 0) => {}
            (v0, v1) => return Ok(if v0 > v1 { Version::V0 } else { Version::V1 }),
        }
    }
    Ok(Version::V1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::SimDir;

    #[test]
    fn a_place_beyond_4_gib_is_kept_as_it_is() {
        let file = SimDir::new(1).create("1.bitcask.data").unwrap();
        // Of one part, of three, and of one.
        let files = [0, 1, 4].map(|first_part| {
            let name = String::new();
            DataFile { name, file: file.clone(), first_part }
        });
        for (file, part, offset) in
            [(0, 0, 0), (0, 0, u32::MAX), (1, 0, 1), (1, 1, 0), (1, 2, u32::MAX), (2, 0, 5)]
        {
            let offset = (part << PART_BITS) + u64::from(offset);
            let there = Place { file, offset, len: 7 };
            assert_eq!(place(&files, location(&files, there)), there);
        }
    }
}
