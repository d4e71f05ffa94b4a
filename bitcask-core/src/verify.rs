//! Looking at all there is: is every record sound, does every hint say what its segment holds, can every value be
//! put together? And putting right what costs no data.

use crate::classic::adopted::Adopted;
use crate::classic::{DirectoryReport, Layout, adoption};
use crate::format::hint::{Hint, Of};
use crate::format::segment as format;
use crate::inspect::{Found, HintState, RecordKind, inspect_in};
use crate::log::{io_error, open_error};
use crate::recovery::{self, scan::Index};
use crate::storage::disk::DiskDir;
use crate::storage::{self, Dir, Map};
use crate::store::LOCK_NAME;
use crate::{Bitcask, Error, KeyRange, Mode, Options, RecoveryReport, UnixMillis};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What [`Bitcask::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Segments looked through.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Sound records.
    pub records: u64,
    /// Places that were given up before: salvage has filled them, or they were damaged when another Bitcask's file
    /// was taken over.
    pub voids: u64,
    /// Keys whose values were read.
    pub keys: u64,
    /// Places that are damaged.
    pub damaged: u64,
    /// The first [`VerifyReport::NAMED`] of them.
    pub damage: Vec<Damage>,
    /// Hint files that are missing where there should be one, cannot be used, or do not say what their segment
    /// holds, and what is wrong with each. No data is lost by it: [`Bitcask::repair`] makes them anew.
    pub hints: Vec<(PathBuf, &'static str)>,
    /// A write at the end of the newest segment that was never acknowledged: it is being made, or a crash cut it
    /// short. No damage.
    pub unfinished: Option<Unfinished>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes it takes, if that is known.
    pub bytes: Option<u64>,
    /// What is wrong.
    pub reason: &'static str,
    /// The key whose value cannot be read for it, if it was found by reading it.
    pub key: Option<Vec<u8>>,
    /// Whether the store does not open for it.
    pub keeps_shut: bool,
}

/// A write that was never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Number of its segment.
    pub segment: u32,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes there are of it.
    pub bytes: u64,
}

/// How far [`Bitcask::verify`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyProgress {
    /// So many bytes of segments were looked through.
    Records(u64),
    /// So many values of so many were read.
    Values(u64, u64),
}

impl VerifyReport {
    /// So many places are named at most.
    pub const NAMED: usize = 1000;

    /// True if nothing is lost. Hints that have to be made anew are no loss.
    pub fn is_sound(&self) -> bool {
        self.damaged == 0
    }

    fn add(&mut self, damage: Damage) {
        let known = |one: &Damage| (&one.path, one.offset) == (&damage.path, damage.offset);
        if self.damage.iter().any(known) {
            return;
        }
        self.damaged += 1;
        if self.damage.len() < Self::NAMED {
            self.damage.push(damage);
        }
    }

    /// Takes damage that came as an error; gives other errors back.
    fn take(&mut self, error: Error, key: Option<&[u8]>) -> Result<(), Error> {
        match error {
            Error::Corrupt { path, offset, reason } => {
                let (key, keeps_shut) = (key.map(Vec::from), key.is_none());
                self.add(Damage { path, offset, bytes: None, reason, key, keeps_shut });
                Ok(())
            }
            other => Err(other),
        }
    }
}

impl Bitcask {
    /// Reads all of the store at `path` and checks it: every record, dead ones included; every hint, against its
    /// segment; every value, folded by the fold of `options`. Changes nothing, takes no lock, and works beside a
    /// process that writes; needs memory for the keys of the store and of one segment.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotADirectory`], [`Error::NotAStore`], [`Error::NewerFormat`];
    /// [`Error::NoFold`] if there are deltas and no fold; [`Error::Io`]. Damage is no error here: it is in the
    /// report.
    ///
    /// # Examples
    /// ```
    /// use bitcask_core::{Bitcask, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let path = temporary.path().join("store");
    /// let store = Bitcask::open(&path, Options::default())?;
    /// store.put(b"key", b"value", UnixMillis(0))?;
    /// let report = Bitcask::verify(&path, Options::default(), &mut |_| {})?;
    /// assert!(report.is_sound());
    /// assert_eq!((report.records, report.keys), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(
        path: impl AsRef<Path>,
        options: Options,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<VerifyReport, Error> {
        let path = path.as_ref();
        let dir = DiskDir::open_existing(path).map_err(|e| open_error(path, e))?;
        Self::verify_in(Arc::new(dir), options, progress)
    }

    /// [`Bitcask::verify`] of an open directory.
    ///
    /// # Errors
    /// As [`Bitcask::verify`].
    pub fn verify_in(
        dir: Arc<dyn Dir>,
        options: Options,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<VerifyReport, Error> {
        let mut report = VerifyReport::default();
        let mut covering = Vec::new();
        inspect_in(&*dir, None, &mut |item| {
            match item {
                Found::Segment { segment, path, bytes, hint, compacted } => {
                    report.segments += 1;
                    report.bytes += bytes;
                    progress(VerifyProgress::Records(report.bytes));
                    let hint_path = path.with_file_name(format::hint_name(segment));
                    match hint {
                        HintState::Covers(_) => covering.push(segment),
                        HintState::Unusable(why) => report.hints.push((hint_path, why)),
                        HintState::Missing if compacted => {
                            report.hints.push((hint_path, "there is none"));
                        }
                        HintState::Missing => {}
                    }
                }
                Found::Record(record) if record.kind == RecordKind::Void => report.voids += 1,
                Found::Record(_) => report.records += 1,
                Found::Damage { path, offset, bytes, reason, .. } => report.add(Damage {
                    path: path.to_owned(),
                    offset,
                    bytes: Some(bytes),
                    reason,
                    key: None,
                    keeps_shut: false,
                }),
                Found::Unfinished { segment, offset, bytes } => {
                    report.unfinished = Some(Unfinished { segment, offset, bytes });
                }
            }
            ControlFlow::Continue(())
        })?;
        let adopted = adopted(&*dir)?;
        for segment in covering {
            if let Some(why) = wrong_hint(&*dir, adopted.as_ref(), segment)? {
                report.hints.push((dir.path().join(format::hint_name(segment)), why));
            }
        }
        match Bitcask::open_in(dir, Options { mode: Mode::ReadOnly, ..options }) {
            Ok(store) => read_all(&store, &mut report, progress)?,
            Err(e) => report.take(e, None)?,
        }
        Ok(report)
    }

    /// Puts right what costs no data: hints that are missing or wrong are made anew, a torn end is cut and set aside,
    /// and what an interrupted compaction left goes. Anything else that is wrong is for [`Bitcask::salvage`].
    ///
    /// # Errors
    /// As [`Bitcask::open`]; [`Error::Missing`] if there is no store.
    pub fn repair(path: impl AsRef<Path>, options: Options) -> Result<RecoveryReport, Error> {
        let path = path.as_ref();
        let dir = DiskDir::open_existing(path).map_err(|e| open_error(path, e))?;
        Self::repair_in(Arc::new(dir), options)
    }

    /// [`Bitcask::repair`] of an open directory.
    ///
    /// # Errors
    /// As [`Bitcask::repair`].
    pub fn repair_in(dir: Arc<dyn Dir>, options: Options) -> Result<RecoveryReport, Error> {
        let options = Options { mode: Mode::Existing, background: false, ..options };
        recovery::check_directory(&*dir, &options)?;
        remove_wrong_hints(&*dir)?;
        let store = Bitcask::open_in(dir, options)?;
        let report = store.recovery().clone();
        store.close()?;
        Ok(report)
    }
}

/// Opening makes those anew that are missing.
fn remove_wrong_hints(dir: &dyn Dir) -> Result<(), Error> {
    let _lock = dir
        .try_lock(LOCK_NAME)
        .map_err(|e| io_error(dir, LOCK_NAME, "lock", e))?
        .ok_or_else(|| Error::Locked { path: dir.path().to_owned() })?;
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    let adopted = adopted(dir)?;
    for segment in names.iter().filter_map(|name| format::parse_hint_name(name)) {
        if wrong_hint(dir, adopted.as_ref(), segment)?.is_some() {
            let name = format::hint_name(segment);
            dir.remove(&name).map_err(|e| io_error(dir, &name, "remove", e))?;
        }
    }
    Ok(())
}

/// Another Bitcask's files that are segments.
fn adopted(dir: &dyn Dir) -> Result<Option<Adopted>, Error> {
    let names = dir.list().map_err(|e| io_error(dir, "", "list", e))?;
    // One that cannot be read is told of by opening the store.
    adoption::look(dir, &names).or_else(|e| if e.is_damage() { Ok(None) } else { Err(e) })
}

/// What is wrong with a hint that is sound in itself: that it does not say what its segment holds.
fn wrong_hint(
    dir: &dyn Dir,
    adopted: Option<&Adopted>,
    segment: u32,
) -> Result<Option<&'static str>, Error> {
    const WRONG: &str = "it does not say what the segment holds";
    let name = format::file_name(segment);
    let Ok(hint) = dir.open(&format::hint_name(segment), false).and_then(|file| file.map()) else {
        return Ok(None);
    };
    if let Some(adopted) = adopted
        && let Some(listed) = adopted.file(segment)
    {
        if Hint::parse((*hint).as_ref(), Of::classic(segment, adopted.salt())).is_err() {
            return Ok(None);
        }
        let mut report = DirectoryReport::new(Layout::Basho);
        return match adoption::index(dir, adopted, segment, &mut report) {
            // Of damage is told by itself; and a store may open by a hint that a damaged segment has.
            Ok((right, sound)) => {
                let agrees = sound < listed.reading.entries || right == (*hint).as_ref();
                Ok((!agrees).then_some(WRONG))
            }
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
    }
    let bytes = dir.open(&name, false).and_then(|file| storage::read_whole(&*file));
    let bytes: Map = match bytes {
        Ok(bytes) => Box::new(bytes),
        // Compaction has removed it meanwhile.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(dir, &name, "read", e)),
    };
    let Ok(head) = format::check_header((*bytes).as_ref(), segment) else { return Ok(None) };
    let Ok(hint) = Hint::parse((*hint).as_ref(), Of::native(segment, head.salt)) else {
        return Ok(None);
    };
    let Some(covered) = (*bytes).as_ref().get(..hint.covered as usize) else {
        return Ok(Some("it covers more than the segment has"));
    };
    let (index, damage) = Index::scan(segment, covered, format::HEADER_LEN);
    let agrees = match damage {
        None => index.totals == hint.totals && index.entries().eq(hint.entries()),
        // Of the segment, which is told of by itself; and a store may open by a hint that a damaged segment has. But if
        // the segment is sound, the hint ends within one of its records.
        Some(damage) => {
            let (_, whole) = Index::scan(segment, (*bytes).as_ref(), format::HEADER_LEN);
            whole.is_some_and(|whole| whole.offset == damage.offset)
        }
    };
    Ok((!agrees).then_some(WRONG))
}

/// Reads every value.
fn read_all(
    store: &Bitcask,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<(), Error> {
    // At the beginning of time nothing has expired.
    const BEGINNING: UnixMillis = UnixMillis(0);
    let total = store.len() as u64;
    for key in store.keys(KeyRange::all()) {
        if let Err(e) = store.get(&key, BEGINNING) {
            report.take(e, Some(&key))?;
        }
        report.keys += 1;
        progress(VerifyProgress::Values(report.keys, total));
    }
    Ok(())
}
