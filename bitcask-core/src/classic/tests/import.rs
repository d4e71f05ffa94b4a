//! From a foreign directory into a store.

use super::*;
use crate::Error;
use crate::classic::{ImportReport, basho, bitgask, import, import_to};
use crate::storage::sim::Faults;
use crate::storage::{Dir, write_all_at};
use std::path::Path;

fn quiet(_: &ImportReport) {}

#[test]
fn an_import_keeps_values_expiries_and_timestamps_and_leaves_out_what_has_expired() {
    let mut data = Vec::new();
    let ns = |millis: u64| millis as i64 * 1_000_000;
    bitgask::encode(&mut data, ns(77), 0, 0, b"forever", b"v");
    bitgask::encode(&mut data, ns(78), ns(NOW.0 + 1), 0, b"for now", b"w");
    bitgask::encode(&mut data, ns(79), ns(NOW.0), 0, b"gone", b"x");
    let dir = SimDir::new(1);
    dir.write_file("000000001.data", &data);
    let directory = open(&dir, Layout::Bitgask);
    let store = Bitcask::open_in(Arc::new(SimDir::new(2)), no_thread()).unwrap();
    store.put(b"own", b"stays", NOW).unwrap();
    store.put(b"forever", b"is replaced", NOW).unwrap();
    let report = import(&directory, &store, NOW, &mut quiet).unwrap();
    assert_eq!((report.entries, report.expired, report.total), (2, 1, 3));
    let entry = store.entry(b"forever").unwrap().unwrap();
    assert_eq!((&entry.base[..], entry.expires_at, entry.written_at.0), (&b"v"[..], None, 77));
    let entry = store.entry(b"for now").unwrap().unwrap();
    assert_eq!((entry.expires_at, entry.written_at.0), (Some(UnixMillis(NOW.0 + 1)), 78));
    assert_eq!((store.len(), store.contains(b"own")), (3, true));
}

#[test]
fn the_empty_key_of_another_bitcask_is_read_in_place_and_left_out_of_an_import() {
    let mut data = Vec::new();
    for key in [&b""[..], b"k"] {
        basho::encode_entry(&mut data, NOW_SECS as u32, key, b"v");
    }
    let dir = SimDir::new(1);
    dir.write_file("1.bitcask.data", &data);
    let store = Bitcask::open_in(Arc::new(SimDir::new(2)), no_thread()).unwrap();
    let report = import(&open(&dir, Layout::Basho), &store, NOW, &mut quiet).unwrap();
    assert_eq!((report.entries, report.skipped, report.total), (1, 1, 2));
    assert_eq!(store.len(), 1);
    let in_place = Bitcask::open_in(Arc::new(dir), no_thread()).unwrap();
    assert_eq!(in_place.get(b"", NOW).unwrap().as_deref(), Some(&b"v"[..]));
    let refused = in_place.put(b"", b"another", NOW);
    assert!(matches!(refused, Err(Error::EmptyKey)), "{refused:?}");
    assert!(in_place.delete(b"", NOW).unwrap());
    assert_eq!(in_place.len(), 1);
}

/// Entries for several batches.
fn large() -> (SimDir, Contents) {
    let (mut data, mut contents) = (Vec::new(), Contents::new());
    for i in 0..8_u8 {
        let value = vec![i; 300 << 10];
        basho::encode_entry(&mut data, NOW_SECS as u32, &[i], &value);
        contents.insert(vec![i], (value, None));
    }
    let dir = SimDir::new(1);
    dir.write_file("1.bitcask.data", &data);
    (dir, contents)
}

#[test]
fn an_import_that_breaks_off_anywhere_leaves_whole_entries_and_can_be_repeated() {
    let (dir, wanted) = large();
    let directory = open(&dir, Layout::Basho);
    let mut broken = 0;
    for n in 1.. {
        let target = SimDir::new(n);
        let store = Bitcask::open_in(Arc::new(target.clone()), no_thread()).unwrap();
        target.faults(Faults { crash_at: Some(n), ..Faults::default() });
        let imported = import(&directory, &store, NOW, &mut quiet);
        drop(store);
        let after = target.crash();
        let store = Bitcask::open_in(Arc::new(after), no_thread()).unwrap();
        let found = store_contents(&store);
        assert!(found.iter().all(|(key, value)| wanted[key] == *value), "broken off at {n}");
        if imported.is_ok() {
            assert_eq!(found, wanted);
            break;
        }
        broken += 1;
        import(&directory, &store, NOW, &mut quiet).unwrap();
        assert_eq!(store_contents(&store), wanted);
    }
    assert!(broken > 3);
}

#[test]
fn a_store_that_is_made_by_an_import_is_there_wholly_or_not_at_all() {
    let (dir, wanted) = large();
    let directory = open(&dir, Layout::Basho);
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("store");
    let entries = |path: &Path| path.read_dir().unwrap().count();
    // Broken off: the file that is read has become bad.
    let changed = SimDir::new(1);
    changed.write_file("1.bitcask.data", &dir.read_file("1.bitcask.data"));
    let bad = open(&changed, Layout::Basho);
    let file = changed.open("1.bitcask.data", true).unwrap();
    write_all_at(&*file, b"?", 2 << 20).unwrap();
    assert!(import_to(&bad, &target, no_thread(), NOW, &mut quiet).is_err());
    assert_eq!(entries(temporary.path()), 0);

    let mut calls = 0;
    let report = import_to(&directory, &target, no_thread(), NOW, &mut |_| calls += 1).unwrap();
    assert!(report.entries == 8 && calls > 2);
    assert_eq!(entries(temporary.path()), 1);
    let store = Bitcask::open(&target, no_thread()).unwrap();
    assert_eq!(store_contents(&store), wanted);
    assert!(import_to(&directory, &target, no_thread(), NOW, &mut quiet).is_err());
    assert_eq!(store_contents(&store), wanted);
}
