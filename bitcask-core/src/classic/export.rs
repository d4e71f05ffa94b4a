//! From a store to a directory in the layout of Basho's Bitcask.

use super::basho::{self, HintWriter};
use crate::log::io_error;
use crate::storage::disk::DiskDir;
use crate::storage::staged::StagedDir;
use crate::storage::{Dir, File, write_all_at};
use crate::{Bitcask, Error, UnixMillis};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Keys that are taken from the store at a time.
const KEYS: usize = 1024;
/// A file's bytes are written in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// So many entries that could not be exported are named.
const MAX_NAMED: usize = 1000;

/// How to export.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// A data file ends before it grows past this many bytes (an entry that is longer gets its own): 2 GiB, as
    /// Basho's.
    pub max_file_bytes: u64,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions { max_file_bytes: 1 << 31 }
    }
}

/// How far an export has come, and in the end what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportReport {
    /// Entries written.
    pub entries: u64,
    /// Bytes of data files.
    pub bytes: u64,
    /// Data files; each has a hint file.
    pub files: u32,
    /// Entries left out because they had expired.
    pub expired: u64,
    /// Entries whose expiry was lost: the layout has none.
    pub expiries_lost: u64,
    /// Entries that the layout cannot hold.
    pub skipped: u64,
    /// The first thousand of them: the key, and why.
    pub named: Vec<(Vec<u8>, &'static str)>,
}

/// Writes all live keys of `store` to a directory `to`, which must not be there or be empty, as Basho's Bitcask
/// and pybitcask lay theirs out: data files from 1 on, each with its hint file.
///
/// The directory is made under another name (`.NAME.unfinished` beside it) and gets its own once all of it is on
/// disk: whatever breaks the export off, there is no half a directory that looks whole.
///
/// Not everything fits: an entry has no expiry of its own, a time is in seconds (until 2106), keys have at most
/// 65,535 bytes, and a value that begins with `bitcask_tombstone` would be a deletion. The report says what was
/// lost. Chains are folded. Keys that are written meanwhile may be exported as they were or as they are.
///
/// # Errors
/// Those of [`Bitcask::get`]; [`Error::Io`], also if `to` has contents; [`Error::Full`].
pub fn export(
    store: &Bitcask,
    to: impl AsRef<Path>,
    options: &ExportOptions,
    now: UnixMillis,
    progress: &mut dyn FnMut(&ExportReport),
) -> Result<ExportReport, Error> {
    let to = to.as_ref();
    let fail = |source| Error::Io { op: "make", path: to.to_owned(), source };
    let staged = StagedDir::begin(to).map_err(fail)?;
    let dir = DiskDir::open_existing(staged.path()).map_err(fail)?;
    let report = export_in(store, &dir, options, now, progress)?;
    staged.publish().map_err(fail)?;
    Ok(report)
}

/// Writes data and hint files to `dir`, all on disk when this returns.
pub(super) fn export_in(
    store: &Bitcask,
    dir: &dyn Dir,
    options: &ExportOptions,
    now: UnixMillis,
    progress: &mut dyn FnMut(&ExportReport),
) -> Result<ExportReport, Error> {
    let mut report = ExportReport::default();
    let mut pair: Option<Pair<'_>> = None;
    let mut from = Vec::new();
    loop {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        store.walk(b"", &from, &mut |key| {
            keys.push(key.to_vec());
            if keys.len() < KEYS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let Some(last) = keys.last() else { break };
        from.clone_from(last);
        from.push(0);
        for key in keys {
            let Some((value, written_at)) = live(store, &key, now, &mut report)? else { continue };
            if let Some(reason) = unfit(&key, &value) {
                report.skipped += 1;
                if report.named.len() < MAX_NAMED {
                    report.named.push((key, reason));
                }
                continue;
            }
            let len = (basho::HEADER_LEN + key.len() + value.len()) as u64;
            if let Some(full) = pair.take_if(|pair| pair.data.end() + len > options.max_file_bytes)
            {
                full.finish()?;
            }
            let pair = match &mut pair {
                Some(pair) => pair,
                None => {
                    report.files += 1;
                    pair.insert(Pair::create(dir, report.files)?)
                }
            };
            pair.entry(&key, &value, written_at)?;
            report.entries += 1;
            report.bytes += len;
        }
        progress(&report);
    }
    if let Some(pair) = pair {
        pair.finish()?;
    }
    dir.sync().map_err(|e| io_error(dir, "", "sync", e))?;
    Ok(report)
}

/// The value of a key and when it was written, if it is alive by `now`.
fn live(
    store: &Bitcask,
    key: &[u8],
    now: UnixMillis,
    report: &mut ExportReport,
) -> Result<Option<(Vec<u8>, UnixMillis)>, Error> {
    let Some(entry) = store.entry(key)? else { return Ok(None) };
    let value = if entry.deltas.is_empty() { Some(entry.base) } else { store.get(key, now)? };
    match (entry.expires_at, value) {
        (Some(at), _) if at <= now => {
            report.expired += 1;
            Ok(None)
        }
        (expires_at, Some(value)) => {
            report.expiries_lost += u64::from(expires_at.is_some());
            Ok(Some((value, entry.written_at)))
        }
        // Deleted between the two reads.
        (_, None) => Ok(None),
    }
}

/// Why the layout cannot hold an entry.
fn unfit(key: &[u8], value: &[u8]) -> Option<&'static str> {
    if key.len() > basho::MAX_KEY_LEN {
        Some("the key is longer than 65,535 bytes")
    } else if value.starts_with(basho::TOMBSTONE) {
        Some("the value would be read as a deletion")
    } else {
        None
    }
}

/// A data file and its hint file as they are written.
struct Pair<'a> {
    data: Writer<'a>,
    hint: Writer<'a>,
    hints: HintWriter,
}

impl<'a> Pair<'a> {
    fn create(dir: &'a dyn Dir, number: u32) -> Result<Self, Error> {
        let data = Writer::create(dir, basho::data_name(number))?;
        let hint = Writer::create(dir, basho::hint_name(number))?;
        Ok(Pair { data, hint, hints: HintWriter::default() })
    }

    fn entry(&mut self, key: &[u8], value: &[u8], at: UnixMillis) -> Result<(), Error> {
        let offset = self.data.end();
        let tstamp = u32::try_from(at.0 / 1000).unwrap_or(u32::MAX);
        basho::encode_entry(&mut self.data.buffer, tstamp, key, value);
        let total = u32::try_from(self.data.end() - offset).expect("a value is below 1 GiB");
        self.hints.entry(&mut self.hint.buffer, tstamp, key, total, offset, false);
        self.data.flush_if_full()?;
        self.hint.flush_if_full()
    }

    fn finish(mut self) -> Result<(), Error> {
        self.hints.finish(&mut self.hint.buffer);
        self.data.finish()?;
        self.hint.finish()
    }
}

/// A file that is written from its beginning to its end.
struct Writer<'a> {
    dir: &'a dyn Dir,
    name: String,
    file: Arc<dyn File>,
    written: u64,
    buffer: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn create(dir: &'a dyn Dir, name: String) -> Result<Self, Error> {
        let file = dir.create(&name).map_err(|e| io_error(dir, &name, "create", e))?;
        Ok(Writer { dir, name, file, written: 0, buffer: Vec::new() })
    }

    fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn flush_if_full(&mut self) -> Result<(), Error> {
        if self.buffer.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        write_all_at(&*self.file, &self.buffer, self.written)
            .map_err(|e| io_error(self.dir, &self.name, "write", e))?;
        self.written = self.end();
        self.buffer.clear();
        self.buffer.shrink_to(2 * PIECE_BYTES);
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.file.sync_data().map_err(|e| io_error(self.dir, &self.name, "sync", e))
    }
}
