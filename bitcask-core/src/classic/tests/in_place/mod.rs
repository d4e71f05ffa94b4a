//! Directories that open in place: stores whose first segments are another Bitcask's files.

mod crash;
mod damage;
mod life;
mod refusal;

use super::model::{Step, Writer, key, step};
use super::*;
use crate::classic::{basho, tests::export::Append};
use crate::storage::Dir;
use crate::{Batch, CompactionOptions, CompactionReport, Error, Mode};
use proptest::prelude::*;

fn options() -> Options {
    Options { segment_bytes: 4096, fold: Some(Arc::new(Append)), ..no_thread() }
}

fn open_as(dir: &SimDir, mode: Mode) -> Result<Bitcask, Error> {
    Bitcask::open_in(Arc::new(dir.clone()), Options { mode, ..options() })
}

fn open_in_place(dir: &SimDir) -> Bitcask {
    open_as(dir, Mode::Existing).unwrap()
}

/// All keys with what they come to, read in several ways.
fn all(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    assert_eq!(keys.len(), store.len());
    let snapshot = store.snapshot();
    let read = |key: Vec<u8>| {
        let value = store.get(&key, UnixMillis(0)).unwrap().expect("it is in the index");
        let entry = store.entry(&key).unwrap().expect("it is in the index");
        let metadata = store.metadata(&key).unwrap().expect("it is in the index");
        assert_eq!(metadata.sequence, entry.sequence);
        assert_eq!(metadata.expires_at, entry.expires_at);
        assert_eq!(metadata.location, entry.chain.newest());
        assert_eq!(metadata.location, store.location(&key).unwrap());
        assert_eq!(snapshot.get(&key, UnixMillis(0)).unwrap().as_ref(), Some(&value));
        (key, (value, entry.expires_at))
    };
    keys.into_iter().map(read).collect()
}

fn everything(store: &Bitcask) -> CompactionReport {
    compact(store).unwrap()
}

fn compact(store: &Bitcask) -> Result<CompactionReport, Error> {
    store.compact(&CompactionOptions::everything(), NOW, &mut |_| ControlFlow::Continue(()))
}

fn data_files(dir: &SimDir) -> Vec<String> {
    dir.files().into_iter().filter(|name| name.contains("bitcask")).collect()
}

fn has_list(dir: &SimDir) -> bool {
    dir.files().iter().any(|name| name == "adopted")
}

/// Some files with a bit of everything: overwritten and deleted keys, across files, too, damage, an empty file.
fn sample() -> (SimDir, Contents) {
    let put = |n, value: &[u8]| Step::Put(n, value.to_vec(), None);
    let steps = [
        put(0, b"first"),
        put(1, b"second"),
        put(4, b"stays in the first"),
        Step::Delete(1, 1),
        Step::Rotate,
        Step::Rotate,
        put(2, b"third"),
        put(0, b"fourth"),
        put(3, b"deleted in the next"),
        put(5, b"fifth"),
        Step::Rotate,
        Step::Delete(3, 2),
        put(2, b"sixth"),
    ];
    let (mut files, states) = Writer::Basho.run(&steps);
    // Damage between entries, and a torn end.
    let mut bad = Vec::new();
    basho::encode_entry(&mut bad, 7, b"bad", b"value");
    bad[20] ^= 1;
    files.get_mut(&9).unwrap().extend_from_slice(&bad);
    files.get_mut(&12).unwrap().extend_from_slice(&bad[..9]);
    let dir = Writer::Basho.dir(&files);
    dir.write_file("9.bitcask.hint", b"never read");
    (dir, states.last().unwrap().2.clone())
}

#[test]
fn what_erlang_wrote_opens_in_place_and_its_sequence_numbers_are_its_places() {
    let dir = SimDir::new(1);
    dir.write_file("2.bitcask.data", &basho_data());
    dir.write_file(
        "10.bitcask.data",
        &bytes("b57e1510576ab63c0005000000116d796b65796269746361736b5f746f6d6273746f6e65"),
    );
    let store = open_in_place(&dir);
    assert_eq!(store.len(), 1);
    let metadata = store.metadata(b"mykey2").unwrap().unwrap();
    assert_eq!((metadata.sequence, metadata.value_bytes), (43, Some(8)));
    assert_eq!((metadata.written_at.0, metadata.log_bytes), (1_466_611_251_000, 28));
    let location = store.location(b"mykey2").unwrap();
    assert_eq!((location.segment, location.offset, location.len), (1, 42, 28));
    assert_eq!(store.get(b"mykey2", NOW).unwrap().as_deref(), Some(&b"myvalueX"[..]));
    assert_eq!((store.recovery().hinted, store.recovery().scanned_bytes), (0, 137 + 36));
    let report = store.recovery().classic.clone().unwrap();
    assert_eq!((report.entries, report.deletions, report.keys), (5, 3, 1));
    let files: Vec<String> = store.segments().into_iter().map(|segment| segment.file).collect();
    assert_eq!(files, ["2.bitcask.data", "10.bitcask.data", "00000003.seg"]);
    store.put(b"new", b"", NOW).unwrap();
    assert!(store.metadata(b"new").unwrap().unwrap().sequence > 137 + 36);
    store.close().unwrap();
    let store = open_in_place(&dir);
    assert_eq!(store.recovery().classic, None, "it was taken over before");
    assert_eq!((store.recovery().hinted, store.recovery().scanned_bytes), (3, 0));
    assert_eq!(store.len(), 2);
    store.close().unwrap();
    for bad in [None, Some(&b"no hint"[..])] {
        match bad {
            None => Dir::remove(&dir, "00000001.hint").unwrap(),
            Some(bytes) => dir.write_file("00000001.hint", bytes),
        }
        let recovery = open_in_place(&dir).recovery().clone();
        assert_eq!((recovery.hinted, recovery.rebuilt_hints, recovery.scanned_bytes), (2, 1, 137));
    }
}

#[test]
fn what_a_reader_sees_of_a_directory_that_nobody_took_over_is_the_same_and_it_writes_nothing() {
    let (dir, wanted) = sample();
    let files = dir.files();
    let reader = open_as(&dir, Mode::ReadOnly).unwrap();
    assert_eq!(all(&reader), wanted);
    assert_eq!(reader.recovery().classic.as_ref().unwrap().skipped, 2);
    assert!(matches!(reader.put(b"k", b"v", NOW), Err(Error::ReadOnly { .. })));
    assert!(matches!(compact(&reader), Err(Error::ReadOnly { .. })));
    reader.tick();
    reader.flush().unwrap();
    reader.sync().unwrap();
    // A backup of it is a store.
    let copy = SimDir::new(2);
    reader.backup_in(&copy).unwrap();
    let mut stream = Vec::new();
    reader.backup_to(&mut stream).unwrap();
    reader.close().unwrap();
    assert_eq!(dir.files(), files);
    assert_eq!(all(&open_in_place(&copy)), wanted);
    let copy = SimDir::new(3);
    Bitcask::restore_in("stream", &mut &stream[..], &copy).unwrap();
    assert_eq!(all(&open_in_place(&copy)), wanted);
}

#[test]
fn a_reader_beside_the_writer_sees_its_store_and_keeps_what_goes_meanwhile() {
    let (dir, mut wanted) = sample();
    let before = open_as(&dir, Mode::ReadOnly).unwrap();
    let store = open_in_place(&dir);
    store.put(b"new", b"value", NOW).unwrap();
    let beside = open_as(&dir, Mode::ReadOnly).unwrap();
    let snapshot = store.snapshot();
    everything(&store);
    assert!(data_files(&dir).is_empty());
    assert_eq!(all(&before), wanted);
    wanted.insert(b"new".to_vec(), (b"value".to_vec(), None));
    assert_eq!(all(&beside), wanted);
    for (key, (value, _)) in &wanted {
        assert_eq!(snapshot.get(key, NOW).unwrap().as_ref(), Some(value));
    }
    drop(snapshot);
    assert_eq!(all(&open_as(&dir, Mode::ReadOnly).unwrap()), wanted);
}

#[test]
fn after_compaction_no_file_of_theirs_is_left_and_the_store_is_a_native_one() {
    for reopened in [false, true] {
        let (dir, wanted) = sample();
        let mut store = open_in_place(&dir);
        if reopened {
            drop(store);
            store = open_in_place(&dir);
        }
        let sequences = |store: &Bitcask| -> Vec<_> {
            let one = |key: &Vec<u8>| {
                let found = store.metadata(key).unwrap().unwrap();
                (found.sequence, found.written_at)
            };
            wanted.keys().map(one).collect()
        };
        let before = sequences(&store);
        let report = everything(&store);
        assert_eq!((report.inputs, report.moved), (4, wanted.len() as u64));
        assert_eq!((all(&store), sequences(&store)), (wanted.clone(), before));
        assert_eq!(data_files(&dir), Vec::<String>::new());
        store.close().unwrap();
        assert!(has_list(&dir), "it goes at the next opening, when nothing can come back");
        let store = open_in_place(&dir);
        assert!(!has_list(&dir));
        assert_eq!(all(&store), wanted);
        assert!(store.segments().iter().all(|segment| segment.file.ends_with(".seg")));
        drop(store);
        assert_eq!(all(&open_as(&dir, Mode::ReadOnly).unwrap()), wanted);
    }
}

#[test]
fn compaction_in_the_background_moves_their_files_though_nothing_in_them_is_dead() {
    let dir = SimDir::new(1);
    dir.write_file("1.bitcask.data", &basho_data()[42..70]);
    let compaction = CompactionOptions { min_bytes: 0, ..CompactionOptions::default() };
    let options = Options { compaction: Some(compaction), ..options() };
    let store = Bitcask::open_in(Arc::new(dir.clone()), options).unwrap();
    store.tick();
    assert_eq!(store.last_compaction().unwrap().unwrap().moved, 1);
    assert!(data_files(&dir).is_empty());
    assert_eq!(store.get(b"mykey2", NOW).unwrap().as_deref(), Some(&b"myvalueX"[..]));
}

#[test]
fn deltas_expiries_and_comparisons_work_on_top_of_an_entry_of_theirs() {
    let (dir, _) = sample();
    let store = open_in_place(&dir);
    let (one, other) = (key(4), key(5));
    let append = |delta: &[u8]| {
        let entry = store.entry(&one).unwrap().unwrap();
        let mut batch = Batch::new(NOW);
        batch.delta(&one, delta, &entry.chain, None);
        store.write(&mut batch).unwrap();
    };
    let base = store.location(&one).unwrap();
    append(b" and");
    append(b" more");
    let chain = store.entry(&one).unwrap().unwrap().chain;
    assert_eq!(chain.locations().next(), Some(base), "as long as in its file");
    assert!(store.set_expiry(&other, Some(UnixMillis(NOW.0 + 5)), NOW).unwrap());
    let sequence = store.metadata(&other).unwrap().unwrap().sequence;
    let old = store.compare_and_swap(&other, Some(7), Some(b"x"), NOW);
    assert!(matches!(old, Err(Error::Conflict { .. })));
    let check = |store: &Bitcask| {
        assert_eq!(store.get(&one, NOW).unwrap().unwrap(), b"stays in the first and more");
        assert_eq!(store.get(&other, NOW).unwrap().unwrap(), b"fifth");
        assert_eq!(store.expiry(&other).unwrap(), Some(UnixMillis(NOW.0 + 5)));
        assert_eq!(store.metadata(&other).unwrap().unwrap().sequence, sequence);
    };
    check(&store);
    assert_eq!(store.metadata(&one).unwrap().unwrap().chain_records, 3);
    drop(store);
    // Without a fold, the chain stays, and what it stands on.
    let store = Bitcask::open_in(Arc::new(dir.clone()), no_thread()).unwrap();
    assert_eq!(everything(&store).left_alone, [1, 5]);
    drop(store);
    let store = open_in_place(&dir);
    check(&store);
    assert_eq!(data_files(&dir), ["9.bitcask.data", "9.bitcask.hint"]);
    assert_eq!(everything(&store).folded, 1);
    check(&store);
    assert_eq!(data_files(&dir), Vec::<String>::new());
}
