//! Readers beside writers and compaction: never a wrong value, never a missing one.

use super::{NOW, append, compact, explore, get, open, put, write};
use crate::storage::sim::SimDir;
use crate::sync::thread;
use crate::{Bitcask, Error, KeyRange, Mode, Options};
use std::sync::Arc;

const KEPT: u8 = 5;

fn kept(n: u8) -> Vec<u8> {
    vec![b'k', n]
}

fn kept_value(n: u8) -> Vec<u8> {
    vec![n; 40]
}

/// Runs `read` while one thread writes and one compacts.
///
/// Keys `k…` stay as they are, though they move. `a` and `z` are always written together, and say the same; `c` is a
/// chain that grows; `g` comes and goes.
fn beside(read: impl Fn(&Bitcask, &SimDir) + Send + Sync + 'static) {
    explore(move || {
        let dir = SimDir::new(1);
        let store = open(&dir);
        for n in 0..KEPT {
            put(&store, &kept(n), &kept_value(n));
        }
        put(&store, b"c", b"");
        pair(&store, 0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..4 {
                    pair(&store, n);
                    append(&store, b"c", &[n]);
                    if n % 2 == 1 {
                        put(&store, b"g", &[n]);
                    } else {
                        write(&store, |batch| _ = batch.delete(b"g"));
                    }
                }
            });
            scope.spawn(|| {
                compact(&store);
                compact(&store);
            });
            scope.spawn(|| read(&store, &dir));
        });
        assert_eq!(get(&store, b"c").unwrap(), [1, 2, 3]);
        assert_eq!((get(&store, b"a"), get(&store, b"g")), (Some(vec![3]), Some(vec![3])));
    });
}

fn pair(store: &Bitcask, n: u8) {
    write(store, |batch| {
        batch.put(b"a", &[n], None);
        batch.put(b"z", &[n], None);
    });
}

#[test]
fn every_way_to_read_a_key_finds_it_wherever_compaction_has_put_it() {
    beside(|store, _| {
        let (mut last, mut chain) = (0, 0);
        for n in 0..KEPT {
            let (key, value) = (kept(n), kept_value(n));
            assert_eq!(store.get(&key, NOW).unwrap().as_ref(), Some(&value));
            assert_eq!(store.entry(&key).unwrap().unwrap().base, value);
            assert_eq!(store.newest(&key).unwrap().unwrap(), value);
            assert_eq!(store.metadata(&key).unwrap().unwrap().value_bytes, Some(40));
            assert_eq!(store.expiry(&key).unwrap(), None);
            let now = get(store, b"a").unwrap()[0];
            assert!(now >= last, "{now} after {last}");
            last = now;
            let grown = get(store, b"c").unwrap();
            assert!(grown.len() >= chain && [1, 2, 3].starts_with(&grown), "{grown:?}");
            chain = grown.len();
        }
    });
}

#[test]
fn a_place_that_was_looked_up_has_what_it_had_or_has_gone() {
    beside(|store, _| {
        for n in 0..KEPT {
            let at = store.location(&kept(n)).unwrap();
            match store.entry_at(&kept(n), at) {
                Ok(entry) => assert_eq!(entry.base, kept_value(n)),
                Err(Error::Retired { segment }) => assert_eq!(segment, at.segment),
                Err(e) => panic!("{e}"),
            }
            let at = store.location(b"c").unwrap();
            match (store.entry_at(b"c", at), store.segments_at(b"c", at)) {
                (Err(Error::Retired { .. }) | Ok(_), Err(Error::Retired { .. }) | Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn iterations_in_both_directions_give_each_key_that_stays_exactly_once() {
    beside(|store, _| {
        let wanted: Vec<_> = (0..KEPT).map(kept).collect();
        for backwards in [false, true] {
            let all = store.entries(KeyRange::all(), NOW);
            let mut found: Vec<_> = match backwards {
                true => all.rev().map(Result::unwrap).collect(),
                false => all.map(Result::unwrap).collect(),
            };
            if backwards {
                found.reverse();
            }
            assert!(found.is_sorted_by(|a, b| a.key < b.key));
            let stay: Vec<_> = found.iter().filter(|found| found.key[0] == b'k').collect();
            assert!(stay.iter().map(|found| &found.key).eq(&wanted));
            assert!(stay.iter().all(|found| found.value == kept_value(found.key[1])));
            assert_eq!(found[0].key, b"a");
            assert_eq!(found.last().unwrap().key, b"z");
        }
        assert!(store.keys(KeyRange::prefix("k")).eq(wanted));
    });
}

#[test]
fn a_snapshot_stays_what_it_was_though_everything_moves_and_goes() {
    beside(|store, _| {
        let snapshot = store.snapshot();
        let all = || -> Vec<_> {
            let entries = snapshot.entries(KeyRange::all(), NOW).map(Result::unwrap);
            entries.map(|entry| (entry.key, entry.value)).collect()
        };
        let first = all();
        assert_eq!(first[0].1, first.last().unwrap().1, "both of a pair");
        assert!((0..KEPT).all(|n| first.contains(&(kept(n), kept_value(n)))));
        thread::yield_now();
        assert_eq!(all(), first);
        for (key, value) in &first {
            assert_eq!(snapshot.get(key, NOW).unwrap().as_ref(), Some(value));
        }
        assert_eq!(snapshot.contains(b"g"), first.iter().any(|(key, _)| key == b"g"));
    });
}

#[test]
fn who_holds_moves_finds_what_nobody_writes_where_it_was() {
    beside(|store, _| {
        for n in 0..KEPT {
            let held = store.hold_moves();
            let (at, moves) = (store.location(&kept(n)).unwrap(), held.moves());
            thread::yield_now();
            assert_eq!(store.entry_at(&kept(n), at).unwrap().base, kept_value(n));
            assert_eq!(store.location(&kept(n)), Some(at));
            assert_eq!(store.moves(), moves);
        }
    });
}

/// What another store must hold that was made of this one at one moment.
fn check_moment(store: &Bitcask, what: &str) {
    for n in 0..KEPT {
        assert_eq!(get(store, &kept(n)), Some(kept_value(n)), "{what}");
    }
    let (a, z) = (get(store, b"a").unwrap(), get(store, b"z").unwrap());
    assert_eq!(a, z, "{what}");
    let grown = get(store, b"c").unwrap();
    assert!([1, 2, 3].starts_with(&grown), "{what}: {grown:?}");
}

#[test]
fn a_backup_again_and_again_is_of_one_moment() {
    beside(|store, _| {
        let target = SimDir::new(2);
        for _ in 0..2 {
            store.backup_in(&target).unwrap();
            check_moment(&open(&target.crash()), "a backup");
        }
    });
}

#[test]
fn a_backup_in_a_stream_is_of_one_moment() {
    beside(|store, _| {
        let mut stream = Vec::new();
        store.backup_to(&mut stream).unwrap();
        Bitcask::verify_backup("stream", &mut &stream[..]).unwrap();
        let target = SimDir::new(2);
        Bitcask::restore_in("stream", &mut &stream[..], &target).unwrap();
        check_moment(&open(&target), "what was restored");
    });
}

#[test]
fn whoever_opens_the_directory_beside_the_writer_sees_one_moment() {
    beside(|store, dir| {
        // Else the first keys might be in memory still.
        store.flush().unwrap();
        for _ in 0..2 {
            let read_only = Options {
                mode: Mode::ReadOnly,
                background: false,
                fold: Some(Arc::new(super::Append)),
                ..Options::default()
            };
            let reader = Bitcask::open_in(Arc::new(dir.clone()), read_only).unwrap();
            check_moment(&reader, "a reader");
        }
    });
}

#[test]
fn whenever_the_machine_stops_or_the_process_is_killed_the_store_is_found_as_of_one_moment() {
    beside(|store, dir| {
        store.sync().unwrap();
        for _ in 0..2 {
            check_moment(&open(&dir.crash()), "after a crash");
            check_moment(&open(&dir.kill()), "after a kill");
        }
    });
}
