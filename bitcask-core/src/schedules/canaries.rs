//! What must be found: without these, nobody knows whether the other tests could fail.

use super::{BLIND, NOW, compact, explore, get, open, put, writing};
use crate::storage::sim::SimDir;
use crate::sync::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn must_fail(test: impl FnOnce()) {
    println!("this must fail:");
    assert!(catch_unwind(AssertUnwindSafe(test)).is_err(), "no schedule found the mistake");
}

#[test]
fn a_compaction_that_does_not_look_whether_a_key_has_changed_is_found() {
    BLIND.set(true);
    must_fail(|| {
        writing::beside(
            |store, n| put(store, &[n, 0], b"new"),
            |store| (0..2).for_each(|n| assert_eq!(get(store, &[n, 0]).unwrap(), b"new")),
        );
    });
    BLIND.set(false);
}

#[test]
fn a_reader_that_does_not_look_again_is_found() {
    must_fail(|| {
        explore(|| {
            let store = open(&SimDir::new(1));
            put(&store, b"k", b"v");
            thread::scope(|scope| {
                scope.spawn(|| compact(&store));
                scope.spawn(|| {
                    let at = store.location(b"k").unwrap();
                    (0..20).for_each(|_| thread::yield_now());
                    assert_eq!(store.entry_at(b"k", at).unwrap().base, b"v");
                });
            });
        });
    });
}

#[test]
fn increments_without_a_transaction_are_found_to_lose_one() {
    must_fail(|| {
        explore(|| {
            let store = open(&SimDir::new(1));
            put(&store, b"n", &[0]);
            let increment = || put(&store, b"n", &[get(&store, b"n").unwrap()[0] + 1]);
            thread::scope(|scope| {
                scope.spawn(increment);
                scope.spawn(increment);
            });
            assert_eq!(get(&store, b"n").unwrap(), [2]);
        });
    });
}

#[test]
fn what_is_acknowledged_before_it_is_durable_is_found_to_be_lost() {
    must_fail(|| {
        explore(|| {
            let dir = SimDir::new(1);
            let store = open(&dir);
            thread::scope(|scope| {
                let writer = scope.spawn(|| put(&store, b"k", b"v"));
                scope.spawn(|| {
                    for n in 0..3 {
                        store.put(b"other", &[n], NOW).unwrap();
                    }
                });
                writer.join().unwrap();
                assert_eq!(get(&open(&dir.crash()), b"k").unwrap(), b"v");
            });
        });
    });
}

#[test]
fn threads_that_wait_for_each_other_for_ever_are_found() {
    must_fail(|| {
        explore(|| {
            let store = open(&SimDir::new(1));
            put(&store, b"k", b"v");
            let other = crate::sync::Mutex::new(());
            thread::scope(|scope| {
                scope.spawn(|| {
                    let _held = store.hold_moves();
                    let _other = other.lock().unwrap();
                });
                scope.spawn(|| {
                    let _other = other.lock().unwrap();
                    compact(&store);
                });
                scope.spawn(|| {
                    let _held = store.hold_moves();
                    let _other = other.lock().unwrap();
                });
            });
        });
    });
}
