//! Snapshots while threads write.

use super::model::NOW;
use super::{Random, open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Batch, Bitcask, Chain, Durability, KeyRange, Options, UnixMillis};
use std::sync::atomic::{AtomicBool, Ordering};

const ACCOUNTS: u64 = 300;

fn account(n: u64) -> Vec<u8> {
    format!("account:{n}").into_bytes()
}

fn amount(value: &[u8]) -> i64 {
    i64::from_be_bytes(value.try_into().unwrap())
}

/// Money that moves between accounts is the same in every snapshot, and in every part of it that is read twice.
#[test]
fn a_snapshot_is_consistent_and_does_not_change_while_threads_write() {
    let temporary = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 1 << 20, durability: Durability::No, ..options() };
    let store = Bitcask::open(temporary.path(), options).unwrap();
    let mut batch = Batch::new(NOW);
    for n in 0..ACCOUNTS {
        batch.put(&account(n), &100_i64.to_be_bytes(), None);
    }
    store.write(&mut batch).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(1);
            while !stop.load(Ordering::Relaxed) {
                let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
                if from == to {
                    continue;
                }
                let read = |n| store.get(&account(n), NOW).unwrap().map_or(0, |v| amount(&v));
                let moved = random.below(50) as i64;
                let mut batch = Batch::new(NOW);
                // An account without money is none: keys come and go.
                for (n, amount) in [(from, read(from) - moved), (to, read(to) + moved)] {
                    if amount == 0 {
                        batch.delete(&account(n));
                    } else {
                        batch.put(&account(n), &amount.to_be_bytes(), None);
                    }
                }
                store.write(&mut batch).unwrap();
            }
        });
        for round in 0..40 {
            let snapshot = store.snapshot();
            let collect = || -> Vec<_> {
                snapshot.entries(KeyRange::all(), NOW).map(Result::unwrap).collect()
            };
            let first = collect();
            let sum: i64 = first.iter().map(|entry| amount(&entry.value)).sum();
            assert_eq!(sum, ACCOUNTS as i64 * 100, "round {round}");
            let mut backwards: Vec<_> =
                snapshot.entries(KeyRange::all(), NOW).rev().map(Result::unwrap).collect();
            backwards.reverse();
            assert_eq!(backwards, first);
            for n in 0..ACCOUNTS {
                let found = first.iter().find(|entry| entry.key == account(n));
                assert_eq!(
                    snapshot.get(&account(n), NOW).unwrap(),
                    found.map(|entry| entry.value.clone())
                );
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(store.stats().snapshots, 0);
}

#[test]
fn a_snapshot_keeps_what_deletions_of_prefixes_and_of_everything_took() {
    let store = open(&SimDir::new(1)).unwrap();
    for key in ["a", "b:1", "b:2", "c"] {
        store.put(key.as_bytes(), b"v", NOW).unwrap();
    }
    let before = store.snapshot();
    store.delete_prefix(b"b:", NOW).unwrap();
    let between = store.snapshot();
    store.drop_all(NOW).unwrap();
    store.put(b"b:1", b"new", NOW).unwrap();
    assert_eq!(before.keys(KeyRange::prefix("b:")).count(), 2);
    assert_eq!(between.keys(KeyRange::all()).collect::<Vec<_>>(), [b"a", b"c"]);
    assert_eq!(before.get(b"b:1", NOW).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(between.get(b"b:1", NOW).unwrap(), None);
    assert_eq!(store.keys(KeyRange::all()).count(), 1);
}

#[test]
fn a_snapshot_reads_the_chain_and_the_expiry_that_a_key_had() {
    let store = open(&SimDir::new(1)).unwrap();
    store.put(b"k", b"base", NOW).unwrap();
    let chain = store.entry(b"k").unwrap().unwrap().chain;
    let mut batch = Batch::new(NOW);
    batch.delta(b"k", b"+1", &chain, None);
    store.write(&mut batch).unwrap();
    let snapshot = store.snapshot();
    store.set_expiry(b"k", Some(UnixMillis(NOW.0 + 5)), NOW).unwrap();
    let chain = store.entry(b"k").unwrap().unwrap().chain;
    let mut batch = Batch::new(NOW);
    batch.delta(b"k", b"+2", &chain, Some(UnixMillis(NOW.0 + 7)));
    store.write(&mut batch).unwrap();
    assert_eq!(snapshot.get(b"k", NOW).unwrap().as_deref(), Some(&b"base+1"[..]));
    assert_eq!(snapshot.metadata(b"k").unwrap().unwrap().expires_at, None);
    assert_eq!(store.get(b"k", NOW).unwrap().as_deref(), Some(&b"base+1+2"[..]));
    assert_eq!(store.expiry(b"k").unwrap(), Some(UnixMillis(NOW.0 + 7)));
}

#[test]
fn the_expiry_of_a_key_changes_without_its_value_with_and_without_a_fold_and_after_reopening() {
    let dir = SimDir::new(1);
    let without = || Options { fold: None, ..options() };
    let later = |n| Some(UnixMillis(NOW.0 + n));
    let store = Bitcask::open_in(std::sync::Arc::new(dir.clone()), without()).unwrap();
    store.put_expiring(b"k", &[7; 3000], UnixMillis(NOW.0 + 1), NOW).unwrap();
    let before = store.stats().appended_bytes;
    for n in 2..10 {
        assert!(store.set_expiry(b"k", later(n), NOW).unwrap());
        assert_eq!(store.expiry(b"k").unwrap(), later(n));
    }
    assert!(store.stats().appended_bytes < before + 8 * 150);
    assert_eq!(store.entry(b"k").unwrap().unwrap().chain.len(), 1, "earlier expiries are gone");
    assert!(!store.set_expiry(b"k", None, UnixMillis(NOW.0 + 9)).unwrap(), "it has expired");
    assert!(!store.set_expiry(b"other", None, NOW).unwrap(), "it is not there");
    drop(store);
    let store = Bitcask::open_in(std::sync::Arc::new(dir.kill()), without()).unwrap();
    assert_eq!(store.get(b"k", UnixMillis(NOW.0 + 8)).unwrap(), Some(vec![7; 3000]));
    assert_eq!(store.get(b"k", UnixMillis(NOW.0 + 9)).unwrap(), None);
    assert!(store.set_expiry(b"k", None, NOW).unwrap());
    assert_eq!(store.get(b"k", UnixMillis(u64::MAX)).unwrap(), Some(vec![7; 3000]));
    assert_eq!(store.newest(b"k").unwrap(), Some(vec![7; 3000]));
    let metadata = store.metadata(b"k").unwrap().unwrap();
    assert_eq!((metadata.value_bytes, metadata.expires_at), (Some(3000), None));
}

#[test]
fn a_chain_takes_expiries_between_its_deltas_and_stays_as_short_as_without() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let mut batch = Batch::new(NOW);
    let record = batch.put(b"k", b"", None);
    let mut chain = Chain::base(store.write(&mut batch).unwrap().location(&batch, record));
    let mut carried: Vec<Vec<u8>> = Vec::new();
    for n in 0..300_u16 {
        let delta =
            [carried.split_off(carried.len() - chain.absorbs()).concat(), n.to_be_bytes().to_vec()]
                .concat();
        let mut batch = Batch::new(NOW);
        let record = batch.delta(b"k", &delta, &chain, None);
        let committed = store.write(&mut batch).unwrap();
        chain.push(committed.location(&batch, record));
        carried.push(delta);
        if n % 3 == 0 {
            assert!(
                store.set_expiry(b"k", Some(UnixMillis(NOW.0 + 1 + u64::from(n))), NOW).unwrap()
            );
            chain = store.entry(b"k").unwrap().unwrap().chain;
        }
    }
    assert!(chain.len() < 45, "{}", chain.len());
    let wanted: Vec<u8> = (0..300_u16).flat_map(u16::to_be_bytes).collect();
    assert_eq!(store.get(b"k", NOW).unwrap(), Some(wanted.clone()));
    let store = {
        drop(store);
        open(&dir.kill()).unwrap()
    };
    assert_eq!(store.entry(b"k").unwrap().unwrap().chain, chain);
    assert_eq!(store.get(b"k", NOW).unwrap(), Some(wanted));
}
