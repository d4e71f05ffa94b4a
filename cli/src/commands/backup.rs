//! `backup`, `restore`, and the part of `verify` that is about backups in one file.

use crate::arguments::{Backup, Database, Restore};
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Value};
use crate::target::{self, Access};
use bitcask_core::{AsOf, BackupReport, Bitcask, Error, Mode};
use std::io::{self, Read, Write};
use std::path::Path;

/// Also beside a server: what it writes meanwhile is not in the backup.
pub fn backup(args: &Backup, out: &mut Out) -> Result<Outcome, Failure> {
    let opened = target::open(&args.dir.dir, Database { db: None, raw: true }, Access::Read)?;
    let log = opened.log();
    let bytes = log.stats().disk_bytes;
    let done = if !args.file {
        copy(log, &args.to, bytes, out)?
    } else if args.to.as_os_str() == "-" {
        let bar = Bar::bytes(out, "writing", bytes);
        let mut counted = Counted { inner: out.writer(), bar: &bar };
        let written = log.backup_to(&mut counted).map_err(|e| match e {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => Failure::Pipe,
            e => e.into(),
        });
        // The standard output is the backup: no report.
        return written.map(|_| Outcome::Done);
    } else {
        let bar = Bar::bytes(out, "writing", bytes);
        files::replace(&args.to, |file| {
            Ok(log.backup_to(&mut Counted { inner: io::BufWriter::new(file), bar: &bar })?)
        })?
    };
    print(&done, out)
}

pub fn restore(args: &Restore, out: &mut Out) -> Result<Outcome, Failure> {
    let as_of = args.sequence.map(AsOf::Sequence).or(args.at.map(AsOf::Time));
    match Bitcask::open(&args.dir, target::options(Mode::ReadOnly)) {
        // What an earlier restore has left is begun anew.
        Err(Error::Missing { .. } | Error::Unfinished { .. } | Error::NotAStore { .. }) => {}
        // One that does not open is one, too: to a backup of it, it would look like an earlier one.
        Err(e) if !e.is_damage() => return Err(target::failure(e, &args.dir)),
        _ => {
            let dir = args.dir.display();
            let message = format!("{dir} is a store already: choose an empty directory");
            return Err(Failure::other(message));
        }
    }
    let done = if let Some(as_of) = as_of {
        if !args.from.is_dir() {
            let message =
                "--sequence and --at need a directory: restore the file first, then of that";
            return Err(Failure::Usage(message.into()));
        }
        let _bar = Bar::bytes(out, "restoring", 0);
        Bitcask::restore_as_of(&args.from, as_of, &args.dir)
            .map_err(|e| target::failure(e, &args.dir))?
    } else if args.from.is_dir() {
        let from = Bitcask::open(&args.from, target::options(Mode::ReadOnly))
            .map_err(|e| target::failure(e, &args.from))?;
        copy(&from, &args.dir, from.stats().disk_bytes, out)?
    } else {
        let (input, bytes) = files::open(&args.from)?;
        let bar = Bar::bytes(out, "restoring", bytes);
        let mut input = Counted { inner: io::BufReader::with_capacity(1 << 20, input), bar: &bar };
        Bitcask::restore(&args.from, &mut input, &args.dir)
            .map_err(|e| target::failure(e, &args.dir))?
    };
    print(&done, out)
}

/// Copies a store of about so many bytes.
fn copy(from: &Bitcask, to: &Path, bytes: u64, out: &Out) -> Result<BackupReport, Failure> {
    let bar = Bar::bytes(out, "copying", bytes);
    let done = from.backup_telling(to, &mut |progress| {
        bar.set_total(progress.total_bytes);
        bar.set(progress.done_bytes);
    });
    done.map_err(|e| target::failure(e, to))
}

/// Reads a backup in one file, and checks everything in it.
pub fn verify(path: &Path, out: &mut Out) -> Result<Outcome, Failure> {
    let (input, bytes) = files::open(path)?;
    let found = {
        let bar = Bar::bytes(out, "checking", bytes);
        let mut input = Counted { inner: io::BufReader::with_capacity(1 << 20, input), bar: &bar };
        Bitcask::verify_backup(path, &mut input)?
    };
    let mut report = Report::default();
    report
        .add("sound", Value::yes(true))
        .add("segments", Value::count(found.segments as u64))
        .add("bytes", Value::bytes(found.copied_bytes))
        .add("sequence", Value::id(found.sequence));
    report.print(out)?;
    Ok(Outcome::Done)
}

fn print(done: &BackupReport, out: &mut Out) -> Result<Outcome, Failure> {
    let mut report = Report::default();
    report
        .add("segments", Value::count(done.segments as u64))
        .add("linked", Value::count(done.linked as u64))
        .add("kept", Value::count(done.kept as u64))
        .add("removed", Value::count(done.removed as u64))
        .add("copied_bytes", Value::bytes(done.copied_bytes))
        .add("sequence", Value::id(done.sequence));
    report.print(out)?;
    Ok(Outcome::Done)
}

/// A stream that a bar counts.
struct Counted<'a, T> {
    inner: T,
    bar: &'a Bar,
}

impl<T: Read> Read for Counted<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.bar.advance(count as u64);
        Ok(count)
    }
}

impl<T: Write> Write for Counted<'_, T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buf)?;
        self.bar.advance(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
