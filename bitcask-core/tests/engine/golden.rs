//! Directories of every format version, as the bytes that they were written with.

use super::model::NOW;
use super::{open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Batch, Bitcask, Chain, Compression, Options, UnixMillis};
use std::sync::Arc;

const SEGMENT_V1: &[u8] = include_bytes!("../golden/v1/00000001.seg");
const COMPRESSED_V1: &[u8] = include_bytes!("../golden/v1-compressed/00000001.seg");
const HINT_V1: &[u8] = include_bytes!("../golden/v1/00000001.hint");

/// One of every kind of record.
fn write_all_kinds(dir: &SimDir) {
    let store = open(dir).unwrap();
    let mut batch = Batch::new(NOW);
    let hello = batch.put(b"hello", b"world", None);
    batch.put(b"session:1", b"token", Some(UnixMillis(NOW.0 + 60_000)));
    batch.put(b"gone:1", b"x", None);
    batch.put(b"gone:2", b"x", None);
    batch.put(b"gone", b"x", None);
    let committed = store.write(&mut batch).unwrap();
    let chain = Chain::base(committed.location(&batch, hello));
    let mut batch = Batch::new(NOW);
    batch.delta(b"hello", b"!", &chain, None);
    batch.delete(b"gone");
    batch.delete_prefix(b"gone:");
    store.write(&mut batch).unwrap();
    store.sync().unwrap();
    store.put(b"after", b"the mark", NOW).unwrap();
    store.set_expiry(b"hello", Some(UnixMillis(NOW.0 + 90_000)), NOW).unwrap();
    store.close().unwrap();
}

#[test]
fn today_writes_the_bytes_of_version_1() {
    let dir = SimDir::new(1);
    write_all_kinds(&dir);
    if let Some(path) = std::env::var_os("BITCASK_WRITE_GOLDEN") {
        let path = std::path::Path::new(&path);
        for name in ["00000001.seg", "00000001.hint"] {
            #[allow(clippy::disallowed_methods)] // makes the golden files, on request
            std::fs::write(path.join(name), dir.read_file(name)).unwrap();
        }
    }
    assert_eq!(dir.read_file("00000001.seg"), SEGMENT_V1);
    assert_eq!(dir.read_file("00000001.hint"), HINT_V1);
}

#[test]
fn a_directory_of_version_1_opens_with_and_without_its_hint() {
    for hint in [false, true] {
        let dir = SimDir::new(1);
        dir.write_file("00000001.seg", SEGMENT_V1);
        if hint {
            dir.write_file("00000001.hint", HINT_V1);
        }
        let store = open(&dir).unwrap();
        assert_eq!(store.len(), 3);
        assert_eq!(store.get(b"hello", NOW).unwrap().as_deref(), Some(&b"world!"[..]));
        assert_eq!(store.expiry(b"hello").unwrap(), Some(UnixMillis(NOW.0 + 90_000)));
        assert_eq!(store.get(b"session:1", NOW).unwrap().as_deref(), Some(&b"token"[..]));
        assert_eq!(store.get(b"session:1", UnixMillis(NOW.0 + 60_000)).unwrap(), None);
        assert_eq!(store.get(b"after", NOW).unwrap().as_deref(), Some(&b"the mark"[..]));
        for gone in [&b"gone"[..], b"gone:1", b"gone:2"] {
            assert!(!store.contains(gone));
        }
    }
}

const CODECS: [Compression; 3] = [Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A value that every codec makes shorter.
fn verbose() -> Vec<u8> {
    b"over and over ".repeat(20)
}

/// What a codec makes of a value may change with its version; that it can be read must not.
#[test]
fn values_compressed_long_ago_by_any_codec_read_back() {
    if let Some(path) = std::env::var_os("BITCASK_WRITE_GOLDEN") {
        let dir = SimDir::new(1);
        for (i, compression) in CODECS.into_iter().enumerate() {
            let options = Options { compression, ..options() };
            let store = Bitcask::open_in(Arc::new(dir.clone()), options).unwrap();
            store.put(&[i as u8], &verbose(), NOW).unwrap();
            store.close().unwrap();
        }
        let path = std::path::Path::new(&path).join("../v1-compressed/00000001.seg");
        #[allow(clippy::disallowed_methods)] // makes the golden files, on request
        std::fs::write(path, dir.read_file("00000001.seg")).unwrap();
    }
    let dir = SimDir::new(1);
    dir.write_file("00000001.seg", COMPRESSED_V1);
    let store = open(&dir).unwrap();
    assert_eq!(store.len(), CODECS.len());
    for key in 0..CODECS.len() as u8 {
        assert_eq!(store.get(&[key], NOW).unwrap(), Some(verbose()));
    }
    assert!(COMPRESSED_V1.len() < 2 * verbose().len());
}
