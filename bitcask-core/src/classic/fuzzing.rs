//! The check of the foreign layouts: any files are read without harm, and taken over as they were read, by an import
//! and in place.
//!
//! The first byte chooses the layout, the second the number of files. The rest is cut into so many files of equal
//! length, whose entries get their checksums put right, all but one in eight.

use super::adopted::Adopted;
use super::basho;
use super::bitgask;
use super::directory::{Directory, DirectoryOptions, Entry};
use super::layout::{Format, Layout};
use super::prologic::{self, Version};
use crate::format::crc32;
use crate::storage::sim::SimDir;
use crate::{Bitcask, CompactionOptions, Options, Progress, UnixMillis};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

const MAX_FILES: usize = 4;

/// Valid inputs: a file of each layout.
pub(crate) fn examples() -> Vec<Vec<u8>> {
    let mut data = [const { Vec::new() }; 4];
    for (key, value) in [(&b"a"[..], &b"value"[..]), (b"b", b"other"), (b"a", b"newer")] {
        basho::encode_entry(&mut data[0], 7, key, value);
        bitgask::encode(&mut data[1], 1, 0, 0, key, value);
        prologic::encode(&mut data[2], Version::V0, 0, key, value);
        prologic::encode(&mut data[3], Version::V1, 1_800_000_000, key, value);
    }
    basho::encode_entry(&mut data[0], 8, b"b", b"bitcask_tombstone2\0\0\0\x01");
    bitgask::encode(&mut data[1], 1, 1_800_000_000_000_000_000, 0, b"c", b"expires");
    bitgask::encode(&mut data[1], 1, 0, 2, b"d", b"\x05\x10snapp");
    bitgask::encode(&mut data[1], 1, 0, 1, b"b", b"");
    prologic::encode(&mut data[2], Version::V0, 0, b"b", b"");
    prologic::encode(&mut data[3], Version::V1, 0, b"b", b"");
    data.into_iter().enumerate().map(|(i, data)| [&[i as u8, 0][..], &data].concat()).collect()
}

/// Reads a directory of the files that `bytes` say, and takes it over into a store.
pub(crate) fn check(bytes: &[u8], now: UnixMillis) {
    if let Ok(adopted) = Adopted::decode(bytes) {
        assert!(adopted.encode() == bytes, "a list has one form");
    }
    let [which, count, files @ ..] = bytes else { return };
    let expiry_secs = (which & 4 != 0).then_some(u32::from(*count));
    let (layout, format) = match which % 4 {
        0 => (Layout::Basho, Format::Basho { expiry_secs }),
        1 => (Layout::Bitgask, Format::Bitgask),
        2 => (Layout::Prologic, Format::Prologic { version: Version::V0 }),
        _ => (Layout::Prologic, Format::Prologic { version: Version::V1 }),
    };
    let dir = SimDir::new(1);
    if which & 8 == 0 {
        match format {
            Format::Prologic { version: Version::V0 } => {
                dir.write_file("config.json", br#"{"db_version":0}"#);
            }
            Format::Prologic { .. } => dir.write_file("config.json", br#"{"db_version":1}"#),
            _ => {}
        }
    }
    let count = 1 + usize::from(*count) % MAX_FILES;
    for (i, file) in files.chunks(files.len().div_ceil(count).max(1)).enumerate() {
        let mut file = file.to_vec();
        if which & 16 == 0 {
            put_crcs_right(format, &mut file);
        }
        let name = match layout {
            Layout::Basho => basho::data_name(i as u32 + 1),
            _ => format!("{:09}.data", i + 1),
        };
        dir.write_file(&name, &file);
    }
    let options = DirectoryOptions { expiry_secs };
    let directory = Directory::open_in(Arc::new(dir.clone()), layout, options);
    let directory = directory.expect("a disk without faults can be read");
    let read: Vec<Entry> =
        directory.entries().map(|entry| entry.expect("it was sound a moment ago")).collect();
    assert!(read.len() == directory.len() && read.len() == directory.report().keys);
    let report = directory.report();
    assert!(report.skipped_bytes <= files.len() as u64);
    assert_eq!(report.named.len() as u64, report.skipped.min(1000));
    let mut walked = Vec::new();
    directory.walk(b"", b"", &mut |key, place| {
        assert_eq!(directory.place(key), Some(place));
        assert_eq!(directory.read(place).expect("it was sound a moment ago").key, key);
        walked.push(key.to_vec());
        ControlFlow::Continue(())
    });
    let read: BTreeMap<Vec<u8>, Entry> =
        read.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
    assert!(walked.iter().eq(read.keys()), "each key is there once");

    let options = Options { background: false, ..Options::default() };
    let store = Bitcask::open_in(Arc::new(SimDir::new(2)), options).expect("an empty disk");
    let took = super::import(&directory, &store, now, &mut |_| {}).expect("a disk without faults");
    assert_eq!(took.entries + took.expired + took.skipped, read.len() as u64);
    for (key, entry) in &read {
        let lives = !key.is_empty() && entry.expires_at.is_none_or(|at| at > now);
        let wanted = lives.then_some(&entry.value);
        let found = store.get(key, now).expect("it can be read");
        assert_eq!(found.as_ref(), wanted);
        if wanted.is_some() {
            assert_eq!(store.expiry(key).expect("it can be read"), entry.expires_at);
        }
    }
    if layout == Layout::Basho {
        check_in_place(&dir, &read);
    }
}

/// Opens the directory as a store, which must hold the same, before and after compaction.
fn check_in_place(dir: &SimDir, wanted: &BTreeMap<Vec<u8>, Entry>) {
    let open = || {
        let options = Options { background: false, ..Options::default() };
        Bitcask::open_in(Arc::new(dir.clone()), options).expect("whatever is damaged")
    };
    let check = |store: &Bitcask| {
        assert_eq!(store.len(), wanted.len());
        for (key, entry) in wanted {
            let found = store.entry(key).expect("it can be read").expect("it is there");
            assert!(found.base == entry.value && found.written_at == entry.written_at);
        }
    };
    check(&open());
    let store = open();
    check(&store);
    let everything = CompactionOptions::everything();
    let go_on = &mut |_: &Progress| ControlFlow::Continue(());
    store.compact(&everything, UnixMillis(0), go_on).expect("nothing has changed");
    check(&store);
    drop(store);
    check(&open());
}

/// As far as lengths lead.
fn put_crcs_right(format: Format, file: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = file.get(at..at + format.header_len())
        && let Ok(shape) = format.shape(header)
        && shape.len() <= (file.len() - at) as u64
        && shape.len() > 0
    {
        let entry = &mut file[at..at + shape.len() as usize];
        let crc = crc32(&entry[shape.checked_from as usize..shape.value_end() as usize]);
        let crc = match format {
            Format::Bitgask => crc.to_le_bytes(),
            _ => crc.to_be_bytes(),
        };
        let stored = &mut entry[shape.crc_at as usize..][..4];
        if stored[3] & 7 != 7 {
            stored.copy_from_slice(&crc);
        }
        at += shape.len() as usize;
    }
}
