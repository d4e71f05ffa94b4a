//! From a store to a directory in Basho's layout.

use super::*;
use crate::classic::export::export_in;
use crate::classic::{ExportOptions, basho};
use crate::format::crc32;
use crate::storage::sim::Faults;
use crate::{Batch, Chain, Error, Fold};

pub(super) struct Append;
impl Fold for Append {
    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([base, delta].concat())
    }
    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([older, newer].concat())
    }
}

fn filled() -> Bitcask {
    let options = Options { fold: Some(Arc::new(Append)), ..no_thread() };
    let store = Bitcask::open_in(Arc::new(SimDir::new(1)), options).unwrap();
    let mut batch = Batch::new(NOW);
    let base = batch.put(b"chain", b"base", None);
    batch.put(b"empty", b"", None);
    for i in 0..100_u8 {
        batch.put(&[b'k', i], &vec![i; usize::from(i)], None);
    }
    batch.put(b"expiring", b"v", Some(UnixMillis(NOW.0 + 1)));
    batch.put(b"expired", b"v", Some(NOW));
    batch.put(b"tombstone", b"bitcask_tombstone!", None);
    batch.put(&[b'l'; 65_535], b"v", None);
    batch.put(&[b'l'; 65_536], b"v", None);
    let committed = store.write(&mut batch).unwrap();
    let chain = Chain::base(committed.location(&batch, base));
    let mut batch = Batch::new(NOW);
    batch.delta(b"chain", b" and delta", &chain, None);
    store.write(&mut batch).unwrap();
    store
}

fn wanted(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    let get = |key: Vec<u8>| store.get(&key, NOW).unwrap().map(|value| (key, (value, None)));
    let mut contents: Contents = keys.into_iter().filter_map(get).collect();
    contents.remove(&b"tombstone"[..]);
    contents.remove(&[b'l'; 65_536][..]);
    contents
}

#[test]
fn an_export_has_everything_that_the_layout_can_hold_and_says_what_it_cannot() {
    let store = filled();
    for max_file_bytes in [1, 500, 1 << 31] {
        let dir = SimDir::new(1);
        let options = ExportOptions { max_file_bytes };
        let report = export_in(&store, &dir, &options, NOW, &mut |_| {}).unwrap();
        let directory = open(&dir, Layout::Basho);
        assert_eq!(contents(&directory), wanted(&store));
        assert_eq!(value(&directory, b"chain").as_deref(), Some(&b"base and delta"[..]));
        assert_eq!(report.entries as usize, directory.len());
        assert_eq!((report.expired, report.expiries_lost, report.skipped), (1, 1, 2));
        assert_eq!(report.named[1].0, b"tombstone");
        assert_eq!(report.files as usize, directory.report().files);
        assert!(match max_file_bytes {
            1 => report.files as usize == directory.len(),
            500 => report.files > 10,
            _ => report.files == 1,
        });
        assert_eq!(
            dir.files().len(),
            2 * report.files as usize,
            "each has a hint, and nothing else"
        );
        for file in 1..=report.files {
            let data = dir.read_file(&basho::data_name(file));
            assert!(data.len() as u64 <= max_file_bytes.max(70_000));
            check_hint(&data, &dir.read_file(&basho::hint_name(file)));
        }
    }
}

/// That a hint file says what is in its data file, by the rules of Basho's reader.
fn check_hint(data: &[u8], hint: &[u8]) {
    let (entries, trailer) = hint.split_at(hint.len() - 18);
    assert_eq!(trailer[..6], [0; 6]);
    assert_eq!(trailer[6..10], crc32(entries).to_be_bytes());
    assert_eq!(trailer[10..], (u64::MAX >> 1).to_be_bytes());
    let (mut at, mut rest) = (0, entries);
    while !rest.is_empty() {
        let shape = basho::shape(&data[at..]);
        let (key_len, total) = (shape.key as usize, shape.len() as usize);
        assert_eq!(rest[..4], data[at + 4..at + 8]);
        assert_eq!(rest[4..6], (key_len as u16).to_be_bytes());
        assert_eq!(rest[6..10], (total as u32).to_be_bytes());
        assert_eq!(rest[10..18], (at as u64).to_be_bytes());
        assert_eq!(rest[18..][..key_len], data[at + 14..][..key_len]);
        rest = &rest[18 + key_len..];
        at += total;
    }
    assert_eq!(at, data.len(), "the hint covers the whole file");
}

#[test]
fn an_export_that_says_it_is_done_is_on_disk_whatever_failed_before() {
    let store = filled();
    let options = ExportOptions { max_file_bytes: 500 };
    let mut failed = 0;
    for n in 1.. {
        let dir = SimDir::new(n);
        dir.faults(Faults { fail_at: Some(n), short_io: true, ..Faults::default() });
        match export_in(&store, &dir, &options, NOW, &mut |_| {}) {
            Ok(_) => {
                assert!(!dir.has_failed());
                assert_eq!(contents(&open(&dir.crash(), Layout::Basho)), wanted(&store));
                break;
            }
            Err(_) => failed += 1,
        }
    }
    assert!(failed > 50);
}

#[test]
fn an_exported_directory_is_there_wholly_or_not_at_all() {
    let store = filled();
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("a/classic");
    let options = ExportOptions::default();
    crate::classic::export(&store, &target, &options, NOW, &mut |_| {}).unwrap();
    let directory = Directory::open(&target, DirectoryOptions::default()).unwrap();
    assert_eq!(contents(&directory), wanted(&store));
    let again = crate::classic::export(&store, &target, &options, NOW, &mut |_| {});
    assert!(matches!(again, Err(Error::Io { .. })));
    assert_eq!(temporary.path().join("a").read_dir().unwrap().count(), 1);
}
