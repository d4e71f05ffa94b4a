//! Files as memory, for walking them whole, and for point reads where those are asked for. The only `unsafe` of
//! the crate.
#![allow(unsafe_code)]

use super::Map;
use memmap2::{Advice, Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// Maps the whole of `file`, which must no longer change.
pub(super) fn map(file: &File) -> io::Result<Map> {
    if file.metadata()?.len() == 0 {
        return Ok(Box::new([]));
    }
    // SAFETY: the bytes must not change, nor the file shrink, while the mapping lives. Mapped are hints,
    // which are renamed into place complete and never written again; sealed segments, which are never
    // written again; and the newest segment during recovery and after the last write, when nobody
    // writes. It is cut and written anew only after the mapping is gone. The directory's lock keeps
    // other writers out, and a store that only reads beside a writer maps neither the newest segment nor one
    // that a writer may take for the newest; a removed file stays valid while it is mapped:
    // it is cut (`File::cut_unnamed`) only with the whole of its lock, of which every other handle and its mappings have a
    // share, and after the segment whose handle it is was dropped, which outlives what is mapped through that.
    let map = unsafe { Mmap::map(file)? };
    // A hint to read ahead: without it, walking is only slower.
    let _ = map.advise(Advice::Sequential);
    Ok(Box::new(map))
}

/// Maps the first `len` bytes of `file`, which must no longer change.
pub(super) fn map_front(file: &File, len: u64) -> io::Result<Map> {
    let too_long = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    let len = usize::try_from(len).map_err(too_long)?;
    if file.metadata()?.len() < len as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if len == 0 {
        return Ok(Box::new([]));
    }
    // SAFETY: as above. Mapped is what has been written of a segment: records are only ever written behind
    // it, and the file is not cut to less than that while its segment is there, which holds the mapping.
    // A store that is opened for reading only maps nothing in this way.
    let map = unsafe { MmapOptions::new().len(len).map(file)? };
    // A hint not to read ahead.
    let _ = map.advise(Advice::Random);
    Ok(Box::new(map))
}
