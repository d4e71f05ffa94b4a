//! A whole store in one stream of bytes: for a file, a pipe, another machine.

use super::BackupReport;
use crate::Error;
use crate::classic::adopted::{Adopted, segment_name};
use crate::classic::adoption;
use crate::format::Crc32;
use crate::format::segment as format;
use crate::log::{Cut, Segment};
use crate::recovery;
use crate::storage::{self, Dir};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Backup stream, format version 1. Integers are big endian.
///
/// | size | field    | meaning                                                     |
/// |-----:|----------|-------------------------------------------------------------|
/// |    6 | magic    | `"BCBAK\n"`                                                 |
/// |    2 | version  | 1                                                           |
/// |      | adopted  | only if another Bitcask's files are segments: the list of them, as a segment of the number 2^32 − 1 |
/// |      | segments | each as below, in ascending order of their numbers          |
/// |    4 | end      | 0, which is no segment's number                             |
/// |    4 | count    | number of segments                                          |
/// |    8 | sequence | greatest sequence number that the store had given out       |
/// |    4 | crc      | CRC-32 of every byte before, the segments' contents included |
///
/// A segment:
///
/// | size | field    | meaning                               |
/// |-----:|----------|---------------------------------------|
/// |    4 | id       | its number                            |
/// |    4 | len      | length of its file; 0 for a number that came to nothing |
/// |  len | contents | its file                              |
/// |    4 | crc      | CRC-32 of every byte of the stream before |
///
/// So a reader knows of every segment whether it is whole, and by the end that nothing is missing.
const MAGIC: [u8; 6] = *b"BCBAK\n";
const VERSION: u16 = 1;
const PIECE_BYTES: usize = 1 << 20;
/// What the list of another Bitcask's files has for a number.
const ADOPTED: u32 = u32::MAX;
const _: () = assert!(ADOPTED > format::MAX_ID);
/// A list is shorter: it would be of more files than a directory can hold.
const MAX_ADOPTED_BYTES: usize = 1 << 28;

/// Writes what a cut of the log holds.
pub(super) fn write(
    dir: &dyn Dir,
    cut: &Cut,
    out: &mut dyn Write,
    pace: &dyn Fn(u64),
) -> Result<BackupReport, Error> {
    let mut out = Summed { inner: out, crc: Crc32::new() };
    let mut report = BackupReport { sequence: cut.sequence, ..BackupReport::default() };
    let failed = |source| Error::Io { op: "write the backup", path: PathBuf::new(), source };
    out.put(&MAGIC).map_err(failed)?;
    out.put(&VERSION.to_be_bytes()).map_err(failed)?;
    if let Some(adopted) = &cut.adopted {
        let list = adopted.encode();
        let len = u32::try_from(list.len()).expect("a list is short");
        out.put(&ADOPTED.to_be_bytes()).map_err(failed)?;
        out.put(&len.to_be_bytes()).map_err(failed)?;
        out.put(&list).and_then(|()| out.put_crc()).map_err(failed)?;
    }
    let mut piece = Vec::new();
    let mut abandoned = cut.abandoned.iter().peekable();
    for (segment, len) in &cut.segments {
        while let Some(id) = abandoned.next_if(|id| **id < segment.id) {
            out.put(&id.to_be_bytes()).map_err(failed)?;
            out.put(&0_u32.to_be_bytes()).map_err(failed)?;
            out.put_crc().map_err(failed)?;
        }
        let len_field = u32::try_from(*len).expect("a segment is shorter than 4 GiB");
        out.put(&segment.id.to_be_bytes()).map_err(failed)?;
        out.put(&len_field.to_be_bytes()).map_err(failed)?;
        let mut at = 0;
        while at < *len {
            piece.resize((len - at).min(PIECE_BYTES as u64) as usize, 0);
            read_piece(dir, segment, &mut piece, at)?;
            out.put(&piece).map_err(failed)?;
            at += piece.len() as u64;
            pace(piece.len() as u64);
        }
        out.put_crc().map_err(failed)?;
        report.segments += 1;
        report.copied_bytes += len;
    }
    let count = cut.segments.len() + cut.abandoned.len();
    let count = u32::try_from(count).expect("segments have numbers of 32 bits");
    out.put(&0_u32.to_be_bytes()).map_err(failed)?;
    out.put(&count.to_be_bytes()).map_err(failed)?;
    out.put(&cut.sequence.to_be_bytes()).map_err(failed)?;
    out.put_crc().and_then(|()| out.inner.flush()).map_err(failed)?;
    Ok(report)
}

pub(super) fn read_piece(
    dir: &dyn Dir,
    segment: &Segment,
    piece: &mut [u8],
    at: u64,
) -> Result<(), Error> {
    storage::read_exact_at(&*segment.file, piece, at)
        .map_err(|e| crate::log::io_error(dir, &segment.name, "read", e))
}

/// Counts bytes into a checksum on their way.
struct Summed<T> {
    inner: T,
    crc: Crc32,
}

impl Summed<&mut dyn Write> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.inner.write_all(bytes)
    }

    fn put_crc(&mut self) -> io::Result<()> {
        let crc = self.crc.clone().finalize();
        self.put(&crc.to_be_bytes())
    }
}

/// What is read of a stream.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// Another Bitcask's files are segments, and these are they. Comes first.
    Adopted(Adopted),
    /// A segment of so many bytes begins; none, and it is a number that came to nothing.
    Segment { id: u32, len: usize },
    /// More of its contents.
    Contents(&'a [u8]),
    /// The segment was whole.
    SegmentEnd,
    /// Everything was: the sequence number of the last change.
    End { sequence: u64 },
}

/// Reads a whole stream and gives its parts to `take`; contents come before they are known to be good.
///
/// # Errors
/// [`Error::Corrupt`] with `name` and the offset if the stream is no backup, is damaged, or ends early; what
/// `take` fails with.
pub(super) fn read(
    name: &Path,
    input: &mut dyn Read,
    take: &mut dyn FnMut(Part<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut input = Source { name, inner: input, crc: Crc32::new(), at: 0 };
    if input.array()? != MAGIC {
        return Err(input.damaged("this is not a backup"));
    }
    if u16::from_be_bytes(input.array()?) != VERSION {
        return Err(
            input.damaged("the backup has a format version that this program does not know")
        );
    }
    let (mut count, mut previous) = (0_u32, 0);
    let mut piece = vec![0; PIECE_BYTES];
    let mut next = u32::from_be_bytes(input.array()?);
    if next == ADOPTED {
        take(Part::Adopted(input.adopted()?))?;
        next = u32::from_be_bytes(input.array()?);
    }
    loop {
        let id = std::mem::replace(&mut next, 0);
        if id == 0 {
            break;
        }
        if id <= previous {
            return Err(input.damaged("the segments of the backup are out of order"));
        }
        (count, previous) = (count + 1, id);
        let mut rest = u32::from_be_bytes(input.array()?) as usize;
        take(Part::Segment { id, len: rest })?;
        while rest > 0 {
            let piece = &mut piece[..rest.min(PIECE_BYTES)];
            input.fill(piece)?;
            take(Part::Contents(piece))?;
            rest -= piece.len();
        }
        input.check_crc()?;
        take(Part::SegmentEnd)?;
        next = u32::from_be_bytes(input.array()?);
    }
    let counted = u32::from_be_bytes(input.array()?);
    let sequence = u64::from_be_bytes(input.array()?);
    input.check_crc()?;
    if counted != count {
        return Err(input.damaged("the backup lacks segments"));
    }
    if input.inner.read(&mut [0]).map_err(|source| input.failed(source))? != 0 {
        return Err(input.damaged("the backup goes on after its end"));
    }
    take(Part::End { sequence })
}

struct Source<'a> {
    name: &'a Path,
    inner: &'a mut dyn Read,
    crc: Crc32,
    at: u64,
}

impl Source<'_> {
    fn failed(&self, source: io::Error) -> Error {
        Error::Io { op: "read the backup", path: self.name.to_owned(), source }
    }

    fn damaged(&self, reason: &'static str) -> Error {
        Error::Corrupt { path: self.name.to_owned(), offset: self.at, reason }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.inner.read_exact(bytes) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged("the backup ends early: it is not complete"));
            }
            Err(e) => return Err(self.failed(e)),
        }
        self.crc.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The list that comes behind its number.
    fn adopted(&mut self) -> Result<Adopted, Error> {
        let len = u32::from_be_bytes(self.array()?) as usize;
        if len > MAX_ADOPTED_BYTES {
            return Err(self.damaged("the list of files that were taken over is too long"));
        }
        let mut bytes = Vec::new();
        // What the length says is believed as far as there is something.
        while bytes.len() < len {
            let start = bytes.len();
            bytes.resize(len.min(start + PIECE_BYTES), 0);
            self.fill(&mut bytes[start..])?;
        }
        self.check_crc()?;
        Adopted::decode(&bytes).map_err(|reason| self.damaged(reason))
    }

    fn check_crc(&mut self) -> Result<(), Error> {
        let expected = self.crc.clone().finalize();
        if u32::from_be_bytes(self.array()?) == expected {
            return Ok(());
        }
        Err(self.damaged("the backup fails its checksum"))
    }
}

/// Makes the files of a store of a stream, in a directory that has no segments yet.
pub(super) fn restore(
    name: &Path,
    input: &mut dyn Read,
    dir: &dyn Dir,
) -> Result<BackupReport, Error> {
    let mut report = BackupReport::default();
    let mut current: Option<(String, std::sync::Arc<dyn storage::File>, u64)> = None;
    let mut adopted = None;
    read(name, input, &mut |part| {
        match part {
            Part::Adopted(list) => {
                adoption::write(dir, &list)?;
                adopted = Some(list);
            }
            Part::Segment { id, len } => {
                let name = match is_mark(adopted.as_ref(), id, len) {
                    true => format::unfinished_name(id),
                    false => segment_name(adopted.as_ref(), id),
                };
                report.segments += usize::from(!is_mark(adopted.as_ref(), id, len));
                let file =
                    dir.create(&name).map_err(|e| crate::log::io_error(dir, &name, "create", e))?;
                current = Some((name, file, 0));
            }
            Part::Contents(bytes) => {
                let (name, file, at) = current.as_mut().expect("contents are of a segment");
                storage::write_all_at(&**file, bytes, *at)
                    .map_err(|e| crate::log::io_error(dir, name, "write", e))?;
                *at += bytes.len() as u64;
            }
            Part::SegmentEnd => {
                let (name, file, len) = current.take().expect("a segment was begun");
                file.sync_data().map_err(|e| crate::log::io_error(dir, &name, "sync", e))?;
                report.copied_bytes += len;
            }
            Part::End { sequence } => report.sequence = sequence,
        }
        Ok(())
    })?;
    Ok(report)
}

/// Reads a stream and checks every record in it.
pub(super) fn verify(name: &Path, input: &mut dyn Read) -> Result<BackupReport, Error> {
    let mut report = BackupReport::default();
    let (mut current, mut bytes) = (0, Vec::new());
    // Of another Bitcask's file, no more is known than that it is the one that was taken over.
    let (mut adopted, mut is_classic) = (None::<Adopted>, false);
    read(name, input, &mut |part| {
        match part {
            Part::Adopted(list) => adopted = Some(list),
            Part::Segment { id, len } => {
                current = id;
                bytes.clear();
                let listed = adopted.as_ref().and_then(|adopted| adopted.file(id));
                is_classic = listed.is_some();
                if is_mark(adopted.as_ref(), id, len) {
                    return Ok(());
                }
                if let Some(listed) = listed.filter(|listed| listed.len as usize != len) {
                    let reason = "the file is not as long as when it was taken over";
                    return Err(corrupt_in(name, &listed.name, 0, reason));
                }
                report.segments += 1;
                report.copied_bytes += len as u64;
            }
            Part::Contents(contents) if !is_classic => bytes.extend_from_slice(contents),
            Part::Contents(_) => {}
            Part::SegmentEnd if bytes.is_empty() => {}
            Part::SegmentEnd => {
                recovery::scan::build_hint(current, &bytes).map_err(|damage| {
                    let file = format::file_name(current);
                    corrupt_in(name, &file, damage.offset as u64, damage.reason)
                })?;
            }
            Part::End { sequence } => report.sequence = sequence,
        }
        Ok(())
    })?;
    Ok(report)
}

/// Whether what has a length of 0 is no file, but says that its number came to nothing.
fn is_mark(adopted: Option<&Adopted>, id: u32, len: usize) -> bool {
    let listed = adopted.and_then(|adopted| adopted.file(id));
    len == 0 && listed.is_none_or(|file| file.len > 0)
}

fn corrupt_in(backup: &Path, file: &str, offset: u64, reason: &'static str) -> Error {
    Error::Corrupt { path: backup.join(file), offset, reason }
}
