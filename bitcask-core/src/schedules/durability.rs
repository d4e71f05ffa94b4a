//! Group commit: nobody waits for ever, and what is said to be durable survives.

use super::{NOW, explore, open};
use crate::storage::sim::{Faults, SimDir};
use crate::sync::{Mutex, thread};
use crate::{Batch, Bitcask, Error};
use std::sync::Arc;

const WRITERS: u8 = 3;
const WRITES: u8 = 3;

/// Values that fill a segment after a few, so that segments are sealed meanwhile.
fn value(n: u8) -> Vec<u8> {
    vec![n; 90]
}

/// Writes some keys of its own, each made durable and then noted; says what failed.
fn write_durably(store: &Bitcask, writer: u8, noted: &Mutex<Vec<Vec<u8>>>) -> Result<(), Error> {
    for n in 0..WRITES {
        let key = vec![writer, n];
        let mut batch = Batch::new(NOW);
        batch.put(&key, &value(n), None);
        let committed = store.write(&mut batch)?;
        store.wait_durable(committed.position())?;
        assert!(store.is_durable(committed.position()));
        noted.lock().unwrap().push(key);
    }
    Ok(())
}

fn check(dir: &SimDir, noted: &[Vec<u8>]) {
    let store = open(dir);
    for key in noted {
        assert_eq!(store.get(key, NOW).unwrap(), Some(value(key[1])), "{key:?} was durable");
    }
}

#[test]
fn whoever_waits_is_woken_and_whenever_the_machine_stops_what_was_acknowledged_is_there() {
    explore(|| {
        let dir = SimDir::new(1);
        let store = open(&dir);
        let noted = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (store, noted) = (&store, &noted);
                scope.spawn(move || write_durably(store, writer, noted).unwrap());
            }
            scope.spawn(|| {
                for _ in 0..2 {
                    let until_now = noted.lock().unwrap().clone();
                    check(&dir.crash(), &until_now);
                }
            });
        });
        assert_eq!(noted.lock().unwrap().len(), usize::from(WRITERS * WRITES));
        let syncs = store.stats().syncs;
        assert!(syncs <= u64::from(WRITERS * WRITES), "{syncs} syncs");
        check(&dir.crash(), &noted.lock().unwrap());
    });
}

#[test]
fn when_a_sync_fails_all_who_wait_are_told_and_nobody_that_what_was_lost_is_durable() {
    for at in 1..6 {
        explore(move || {
            let dir = SimDir::new(at);
            let store = Arc::new(open(&dir));
            dir.faults(Faults { fail_sync_at: Some(at), ..Faults::default() });
            let noted = Arc::new(Mutex::new(Vec::new()));
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (store, noted) = (store.clone(), noted.clone());
                    thread::spawn(move || write_durably(&store, writer, &noted))
                })
                .collect();
            let ended = writers.into_iter().map(|writer| writer.join().unwrap());
            let failed: Vec<_> = ended.filter_map(Result::err).collect();
            let known = |e: &Error| matches!(e, Error::Io { .. } | Error::Poisoned { .. });
            assert!(failed.iter().all(known), "{failed:?}");
            assert_eq!(failed.is_empty(), !dir.has_failed());
            check(&dir.crash(), &noted.lock().unwrap());
            if dir.has_failed() {
                let refused = store.put(b"more", b"", NOW);
                assert!(matches!(refused, Err(Error::Poisoned { .. })), "{refused:?}");
            }
        });
    }
}

#[test]
fn whoever_is_told_of_a_sync_while_others_only_flush_has_it() {
    explore(|| {
        let dir = SimDir::new(1);
        let store = open(&dir);
        let noted = Mutex::new(Vec::new());
        thread::scope(|scope| {
            scope.spawn(|| write_durably(&store, 0, &noted).unwrap());
            scope.spawn(|| {
                for n in 0..3 {
                    super::put(&store, &[9, n], &value(n));
                    store.flush().unwrap();
                }
            });
            scope.spawn(|| {
                let before = noted.lock().unwrap().clone();
                store.sync().unwrap();
                store.tick();
                check(&dir.crash(), &before);
            });
        });
        check(&dir.crash(), &noted.lock().unwrap());
    });
}
