//! Writers beside compaction: what they wrote stays written, and what they deleted stays deleted.

use super::{NOW, append, compact, explore, get, open, put, write};
use crate::storage::sim::SimDir;
use crate::sync::thread;
use crate::{Bitcask, Options};
use std::sync::Arc;

/// Runs `work` on two threads, which know their numbers, while one compacts; then `check` on the store as it is, as it
/// is found after a crash, and after one more compaction.
pub(super) fn beside(
    work: impl Fn(&Bitcask, u8) + Send + Sync + 'static,
    check: impl Fn(&Bitcask) + Send + Sync + 'static,
) {
    explore(move || {
        let dir = SimDir::new(1);
        let store = open(&dir);
        for n in 0..2 {
            put(&store, &[n, 0], &[0; 150]);
            put(&store, &[n, 1], &[0; 20]);
        }
        put(&store, b"both", b"");
        thread::scope(|scope| {
            for n in 0..2 {
                let (store, work) = (&store, &work);
                scope.spawn(move || work(store, n));
            }
            scope.spawn(|| {
                compact(&store);
                compact(&store);
            });
        });
        check(&store);
        store.sync().unwrap();
        check(&open(&dir.crash()));
        compact(&store);
        check(&store);
        store.close().unwrap();
        check(&open(&dir));
    });
}

#[test]
fn puts_and_deletes_while_compacting_are_what_is_found() {
    beside(
        |store, n| {
            put(store, &[n, 0], b"1");
            assert_eq!(get(store, &[n, 0]).unwrap(), b"1");
            write(store, |batch| _ = batch.delete(&[n, 1]));
            assert_eq!(get(store, &[n, 1]), None);
            put(store, &[n, 0], &[2; 60]);
            put(store, &[n, 2], b"new");
            assert_eq!(get(store, &[n, 0]).unwrap(), [2; 60]);
            write(store, |batch| _ = batch.delete(&[n, 2]));
            assert_eq!(get(store, &[n, 2]), None);
        },
        |store| {
            for n in 0..2 {
                assert_eq!(get(store, &[n, 0]).unwrap(), [2; 60]);
                assert!(!store.contains(&[n, 1]) && !store.contains(&[n, 2]));
            }
        },
    );
}

#[test]
fn deltas_of_two_threads_upon_one_key_are_all_there_in_their_order() {
    beside(
        |store, n| {
            for i in 1..4 {
                append(store, b"both", &[n * 10 + i]);
                append(store, &[n, 1], &[i]);
                let mine = get(store, &[n, 1]).unwrap();
                assert_eq!(mine[20..], [1, 2, 3][..usize::from(i)]);
            }
        },
        |store| {
            let both = get(store, b"both").unwrap();
            assert_eq!(both.len(), 6);
            for n in 0..2 {
                let of = both.iter().filter(|i| **i / 10 == n).map(|i| i % 10);
                assert!(of.eq(1..4), "{both:?}");
                assert_eq!(get(store, &[n, 1]).unwrap()[20..], [1, 2, 3]);
            }
        },
    );
}

#[test]
fn prefixes_deleted_and_filled_again_while_compacting_have_what_came_last() {
    beside(
        |store, n| {
            write(store, |batch| {
                batch.delete_prefix(&[n]);
                batch.put(&[n, 3], b"first", None);
            });
            assert_eq!((get(store, &[n, 0]), store.contains(&[n, 3])), (None, true));
            put(store, &[n, 0], &[7; 100]);
            write(store, |batch| _ = batch.delete_prefix(&[n, 3]));
            assert_eq!(get(store, &[n, 0]).unwrap(), [7; 100]);
        },
        |store| {
            for n in 0..2 {
                let found: Vec<_> = (0..4).map(|i| get(store, &[n, i])).collect();
                assert_eq!(found, [Some(vec![7; 100]), None, None, None]);
            }
        },
    );
}

#[test]
fn what_expires_while_compacting_goes_and_what_is_put_after_it_stays() {
    explore(|| {
        let dir = SimDir::new(1);
        let store = open(&dir);
        write(&store, |batch| {
            batch.put(b"again", &[1; 50], Some(NOW));
            batch.put(b"gone", &[1; 50], Some(NOW));
            batch.put(b"kept", &[1; 50], None);
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(get(&store, b"again"), None);
                put(&store, b"again", b"new");
                assert_eq!(get(&store, b"again").unwrap(), b"new");
                store.set_expiry(b"kept", Some(crate::UnixMillis(NOW.0 + 1)), NOW).unwrap();
            });
            scope.spawn(|| {
                let snapshot = store.snapshot();
                assert!(snapshot.contains(b"gone") || !store.contains(b"gone"));
                assert_eq!(snapshot.get(b"gone", NOW).unwrap(), None);
                assert_eq!(get(&store, b"kept").unwrap(), [1; 50]);
            });
            scope.spawn(|| compact(&store));
        });
        compact(&store);
        let found = open(&dir.kill());
        for store in [store, found] {
            assert_eq!(get(&store, b"again").unwrap(), b"new");
            assert!(!store.contains(b"gone"));
            assert_eq!(get(&store, b"kept").unwrap(), [1; 50]);
            assert_eq!(store.expiry(b"kept").unwrap(), Some(crate::UnixMillis(NOW.0 + 1)));
        }
    });
}

/// What [`Bitcask::close`] promises while others have just written.
#[test]
fn threads_of_the_store_itself_stop_when_it_closes() {
    explore(|| {
        let dir = SimDir::new(1);
        let options = Options { segment_bytes: 400, ..Options::default() };
        let store = Bitcask::open_in(Arc::new(dir.clone()), options).unwrap();
        for n in 0..4 {
            put(&store, &[n], &[n; 100]);
        }
        store.close().unwrap();
        let store = open(&dir);
        assert!((0..4).all(|n| get(&store, &[n]) == Some(vec![n; 100])));
    });
}
