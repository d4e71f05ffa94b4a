//! Transactions and expectations, by example and between threads.

use super::model::NOW;
use super::open;
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Batch, Error, KeyRange, UnixMillis};

fn conflicts<T: std::fmt::Debug>(result: Result<T, Error>, on: &[u8]) {
    match result {
        Err(Error::Conflict { key }) => assert_eq!(key, on),
        other => panic!("no conflict: {other:?}"),
    }
}

#[test]
fn a_transaction_that_read_what_another_has_written_conflicts_and_applies_nothing() {
    let store = open(&SimDir::new(1)).unwrap();
    store.put(b"a", b"1", NOW).unwrap();
    // A value, a missing key, and a range that was empty.
    for (other, read) in [(&b"a"[..], 0), (b"b", 1), (b"c:1", 2)] {
        let mut transaction = store.transaction(NOW);
        match read {
            0 => drop(transaction.get(b"a").unwrap()),
            1 => assert!(!transaction.contains(b"b").unwrap()),
            _ => assert_eq!(transaction.keys(KeyRange::prefix("c:")).count(), 0),
        }
        transaction.put(b"z", b"!", None);
        store.put(other, b"theirs", NOW).unwrap();
        conflicts(transaction.commit(), other);
        assert!(!store.contains(b"z"));
    }
}

#[test]
fn what_is_only_written_or_read_after_its_own_write_or_only_read_never_conflicts() {
    let store = open(&SimDir::new(1)).unwrap();
    store.put(b"a", b"1", NOW).unwrap();
    let mut blind = store.transaction(NOW);
    blind.put(b"a", b"mine", None);
    assert_eq!(blind.get(b"a").unwrap().as_deref(), Some(&b"mine"[..]));
    let mut reading = store.transaction(NOW);
    assert_eq!(reading.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    store.put(b"a", b"theirs", NOW).unwrap();
    store.delete(b"nothing there", NOW).unwrap();
    blind.commit().unwrap();
    assert_eq!(reading.get(b"a").unwrap().as_deref(), Some(&b"1"[..]), "a snapshot");
    reading.commit().unwrap();
    assert_eq!(store.get(b"a", NOW).unwrap().as_deref(), Some(&b"mine"[..]));
}

#[test]
fn deleting_a_prefix_or_setting_an_expiry_is_a_change_and_deleting_what_is_not_there_is_none() {
    let store = open(&SimDir::new(1)).unwrap();
    let reader = |key: &[u8]| {
        let mut transaction = store.transaction(NOW);
        transaction.get(key).unwrap();
        transaction.put(b"z", b"!", None);
        transaction
    };
    store.put(b"ab", b"1", NOW).unwrap();
    let transaction = reader(b"ab");
    store.set_expiry(b"ab", Some(UnixMillis(NOW.0 + 1)), NOW).unwrap();
    conflicts(transaction.commit(), b"ab");
    let transaction = reader(b"ab");
    store.delete_prefix(b"a", NOW).unwrap();
    conflicts(transaction.commit(), b"ab");
    let transaction = reader(b"ab");
    store.delete_prefix(b"a", NOW).unwrap();
    let mut batch = Batch::new(NOW);
    batch.delete(b"ab");
    store.write(&mut batch).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_dropped_transaction_leaves_nothing_and_its_snapshot_goes() {
    let store = open(&SimDir::new(1)).unwrap();
    let mut transaction = store.transaction(NOW);
    transaction.put(b"a", b"1", None);
    assert_eq!(transaction.keys(KeyRange::all()).count(), 1);
    assert_eq!(store.stats().snapshots, 1);
    drop(transaction);
    assert_eq!((store.len(), store.stats().snapshots), (0, 0));
}

#[test]
fn a_transaction_whose_value_is_too_large_applies_nothing() {
    let store = open(&SimDir::new(1)).unwrap();
    let mut transaction = store.transaction(NOW);
    transaction.put(b"a", b"1", None);
    transaction.put(&vec![0; 70_000], b"1", None);
    assert!(matches!(transaction.commit(), Err(Error::TooLarge { what: "a key", .. })));
    assert!(store.is_empty());
}

#[test]
fn expectations_hold_for_all_of_a_batch_and_a_key_that_has_expired_is_not_there() {
    let store = open(&SimDir::new(1)).unwrap();
    store.put(b"a", b"1", NOW).unwrap();
    store.put_expiring(b"old", b"1", NOW, NOW).unwrap();
    let a = store.metadata(b"a").unwrap().unwrap().sequence;
    let old = store.metadata(b"old").unwrap().unwrap().sequence;
    let write = |expected: &[(&[u8], Option<u64>)]| {
        let mut batch = Batch::new(NOW);
        for (key, sequence) in expected {
            batch.expect(key, *sequence);
        }
        let record = batch.put(b"new", b"1", None);
        let committed = store.write(&mut batch)?;
        assert_eq!(
            store.metadata(b"new").unwrap().unwrap().sequence,
            committed.sequence(&batch, record)
        );
        Ok(())
    };
    conflicts(write(&[(b"a", Some(a)), (b"b", Some(1))]), b"b");
    conflicts(write(&[(b"a", Some(a)), (b"old", Some(old))]), b"old");
    conflicts(write(&[(b"a", None)]), b"a");
    conflicts(write(&[(b"a", Some(a + 1))]), b"a");
    assert!(!store.contains(b"new"));
    write(&[(b"a", Some(a)), (b"b", None), (b"old", None)]).unwrap();
    // Without a record, a batch is a check.
    let mut batch = Batch::new(NOW);
    store.write(batch.expect(b"a", Some(a))).unwrap();
    conflicts(store.write(batch.expect(b"a", None)), b"a");
    batch.reset(NOW);
    store.write(&mut batch).unwrap();
}

/// Counters that threads increment by all three means, none of which may lose one.
#[test]
fn no_increment_is_lost_between_threads_that_swap_expect_and_commit() {
    let store = open(&SimDir::new(1)).unwrap();
    const THREADS: u64 = 3;
    const TIMES: u64 = 150;
    let number = |value: Option<Vec<u8>>| {
        value.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
    };
    let again = |result: Result<(), Error>| match result {
        Ok(()) => false,
        Err(Error::Conflict { .. }) => true,
        Err(e) => panic!("{e}"),
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for n in 0..TIMES {
                    let increment = || -> Result<(), Error> {
                        if (n + thread) % 2 == 0 {
                            let mut transaction = store.transaction(NOW);
                            let next = number(transaction.get(b"n")?) + 1;
                            transaction.put(b"n", &next.to_be_bytes(), None);
                            return transaction.commit().map(drop);
                        }
                        // The sequence number first: what is read later is no older.
                        let sequence = store.metadata(b"n")?.map(|found| found.sequence);
                        let next = number(store.get(b"n", NOW)?) + 1;
                        store.compare_and_swap(b"n", sequence, Some(&next.to_be_bytes()), NOW)?;
                        Ok(())
                    };
                    while again(increment()) {}
                }
            });
        }
    });
    assert_eq!(number(store.get(b"n", NOW).unwrap()), THREADS * TIMES);
}

/// Two transactions that each read what the other writes: one after the other, never both on the same state.
#[test]
fn write_skew_does_not_happen() {
    let store = open(&SimDir::new(1)).unwrap();
    for _ in 0..50 {
        store.put(b"on call:a", b"", NOW).unwrap();
        store.put(b"on call:b", b"", NOW).unwrap();
        std::thread::scope(|scope| {
            for key in [&b"on call:a"[..], b"on call:b"] {
                let store = &store;
                scope.spawn(move || {
                    loop {
                        let mut transaction = store.transaction(NOW);
                        let others = transaction.keys(KeyRange::prefix("on call:")).count();
                        if others > 1 {
                            transaction.delete(key);
                        }
                        match transaction.commit() {
                            Err(Error::Conflict { .. }) => {}
                            other => return other.map(drop).unwrap(),
                        }
                    }
                });
            }
        });
        assert_eq!(store.keys(KeyRange::prefix("on call:")).count(), 1);
    }
}
