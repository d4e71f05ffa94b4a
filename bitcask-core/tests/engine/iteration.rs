//! Iteration while threads write.

use super::model::NOW;
use super::{open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Batch, Bitcask, Durability, Error, KeyRange, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn kept(n: u32) -> Vec<u8> {
    format!("key:{n:05}:kept").into_bytes()
}

/// Keys that are there throughout, and among them others that come and go, while segments are sealed.
#[test]
fn each_key_that_is_there_throughout_comes_once_and_in_order_while_threads_write() {
    let temporary = tempfile::tempdir().unwrap();
    let durability = Durability::No;
    let options = Options { segment_bytes: 4 << 20, durability, ..options() };
    let store = Bitcask::open(temporary.path(), options).unwrap();
    const KEYS: u32 = 2000;
    for n in 0..KEYS {
        store.put(&kept(n), &n.to_be_bytes(), NOW).unwrap();
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2_u32 {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || {
                let mut batch = Batch::new(NOW);
                for n in (thread..).step_by(7) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    batch.reset(NOW);
                    let comes = format!("key:{:05}:{thread}", n % KEYS);
                    let goes = format!("key:{:05}:{thread}", (n + KEYS / 2) % KEYS);
                    batch.put(comes.as_bytes(), b"", None);
                    batch.delete(goes.as_bytes());
                    batch.put(&kept(n % KEYS), &(n % KEYS).to_be_bytes(), None);
                    store.write(&mut batch).unwrap();
                    if n % 5000 == 0 {
                        store
                            .delete_prefix(format!("key:{:05}:0", n % KEYS).as_bytes(), NOW)
                            .unwrap();
                    }
                }
            });
        }
        for round in 0..12 {
            let backwards = round % 2 == 1;
            let keys = store.keys(KeyRange::all());
            let found: Vec<_> = if backwards { keys.rev().collect() } else { keys.collect() };
            let in_order =
                |pair: &[Vec<u8>]| if backwards { pair[0] > pair[1] } else { pair[0] < pair[1] };
            assert!(found.windows(2).all(in_order), "each at most once, in order");
            let count = found.iter().filter(|key| key.ends_with(b":kept")).count();
            assert_eq!(count, KEYS as usize, "each at least once");
            let entries = store.entries(KeyRange::prefix("key:"), NOW).map(Result::unwrap);
            let values: Vec<u32> = entries
                .filter(|entry| entry.key.ends_with(b":kept"))
                .map(|entry| u32::from_be_bytes(entry.value[..].try_into().unwrap()))
                .collect();
            assert!(values.into_iter().eq(0..KEYS), "entries are whole and in order");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn an_iterator_holds_no_lock_between_two_steps() {
    let store = open(&SimDir::new(1)).unwrap();
    for n in 0..100 {
        store.put(&kept(n), b"old", NOW).unwrap();
    }
    let mut seen = 0;
    for entry in store.entries(KeyRange::all(), NOW) {
        let entry = entry.unwrap();
        // Of the same thread: with a lock held, it would wait for itself.
        store.put(&entry.key, b"new", NOW).unwrap();
        store.put(&[b"before", &entry.key[..]].concat(), b"", NOW).unwrap();
        seen += 1;
    }
    assert_eq!((seen, store.len()), (100, 200));
}

#[test]
fn an_entry_that_is_damaged_is_an_error_in_its_place_and_the_others_come() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for n in 0..3 {
        store.put(&kept(n), b"a value of some length", NOW).unwrap();
    }
    store.close().unwrap();
    let at =
        dir.read_file("00000001.seg").windows(14).position(|w| w == b"key:00001:kept").unwrap();
    dir.flip_bit("00000001.seg", at as u64 + 20, 1);
    let store = open(&dir).unwrap();
    let found: Vec<_> = store.entries(KeyRange::all(), NOW).collect();
    assert!(matches!(&found[..], [Ok(_), Err(Error::Corrupt { .. }), Ok(_)]), "{found:?}");
    assert!(store.fold(NOW, 0, |sum, _| Ok::<_, Error>(sum + 1)).is_err());
    assert!(store.metadata(&kept(1)).unwrap_err().is_damage(), "a short record is checked whole");
}

/// A log that is read and figures that are asked for while others write must not wait for each other in a ring.
#[test]
fn figures_can_be_asked_for_while_threads_write() {
    let store = open(&SimDir::new(1)).unwrap();
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..2_u8 {
            let (store, written) = (&store, &written);
            scope.spawn(move || {
                for n in 0..3000_u32 {
                    let mut batch = Batch::new(NOW);
                    batch.put(&[&[thread], &n.to_be_bytes()[..]].concat(), b"v", None);
                    store.write(&mut batch).unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while written.load(Ordering::Relaxed) < 6000 {
            let (stats, segments) = (store.stats(), store.segments());
            assert!(segments.len() >= stats.segments);
            assert_eq!(segments.iter().filter(|segment| segment.active).count(), 1);
        }
    });
    let bytes: u64 = store.segments().iter().map(|segment| segment.bytes).sum();
    assert_eq!((store.stats().disk_bytes, store.stats().keys), (bytes, 6000));
}

#[test]
fn iterators_and_snapshots_can_be_sent_to_other_threads() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let store = Arc::new(open(&SimDir::new(1)).unwrap());
    store.put(b"k", b"v", NOW).unwrap();
    let snapshot = sent(store.snapshot());
    let _ = (sent(snapshot.keys(KeyRange::all())), sent(store.entries(KeyRange::all(), NOW)));
    drop(sent(store.transaction(NOW)));
}
