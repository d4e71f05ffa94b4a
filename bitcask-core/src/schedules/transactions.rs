//! Transactions beside each other and beside compaction: as if they had come one after the other.

use super::{NOW, compact, explore, get, open, put};
use crate::storage::sim::SimDir;
use crate::sync::{Mutex, thread};
use crate::{Bitcask, Error, KeyRange};
use std::collections::BTreeMap;

/// A transaction that was committed: where in the log, what it read, and what it wrote.
struct Done {
    position: crate::Position,
    read: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    wrote: (Vec<u8>, Vec<u8>),
}

/// Reads all keys, by name or as a range, and writes one; again if it conflicts.
fn transact(store: &Bitcask, who: u8, turn: u8) -> Done {
    loop {
        let mut transaction = store.transaction(NOW);
        let mut read = Vec::new();
        if turn.is_multiple_of(2) {
            for key in [b"x", b"y"] {
                read.push((key.to_vec(), transaction.get(key).unwrap()));
            }
        } else {
            let found: BTreeMap<_, _> = transaction
                .entries(KeyRange::all())
                .map(Result::unwrap)
                .map(|entry| (entry.key, entry.value))
                .collect();
            for key in [b"x", b"y"] {
                read.push((key.to_vec(), found.get(&key[..]).cloned()));
            }
        }
        let key = if (who + turn).is_multiple_of(2) { b"x" } else { b"y" };
        let value = vec![who, turn];
        transaction.put(key, &value, None);
        match transaction.commit() {
            Ok(committed) => {
                let position = committed.position();
                return Done { position, read, wrote: (key.to_vec(), value) };
            }
            Err(Error::Conflict { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn transactions_read_what_they_would_have_read_one_after_the_other() {
    explore(|| {
        let store = open(&SimDir::new(1));
        put(&store, b"x", b"first");
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for who in 0..2 {
                let (store, done) = (&store, &done);
                scope.spawn(move || {
                    for turn in 0..3 {
                        let one = transact(store, who, turn);
                        done.lock().unwrap().push(one);
                    }
                });
            }
            scope.spawn(|| compact(&store));
        });
        let mut done = done.into_inner().unwrap();
        done.sort_by_key(|one| one.position);
        let mut state = BTreeMap::from([(b"x".to_vec(), b"first".to_vec())]);
        for Done { read, wrote, .. } in done {
            for (key, value) in read {
                assert_eq!(state.get(&key), value.as_ref());
            }
            state.insert(wrote.0, wrote.1);
        }
        for (key, value) in state {
            assert_eq!(get(&store, &key), Some(value));
        }
    });
}

#[test]
fn swaps_of_a_sequence_number_lose_no_increment_though_the_record_moves() {
    explore(|| {
        let store = open(&SimDir::new(1));
        put(&store, b"n", &[0]);
        let increment = || {
            loop {
                let found = store.entry(b"n").unwrap().unwrap();
                let more = [found.base[0] + 1];
                match store.compare_and_swap(b"n", Some(found.sequence), Some(&more), NOW) {
                    Ok(_) => return,
                    Err(Error::Conflict { .. }) => {}
                    Err(e) => panic!("{e}"),
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..2).for_each(|_| increment()));
            }
            scope.spawn(|| compact(&store));
        });
        assert_eq!(get(&store, b"n").unwrap(), [4]);
    });
}
