//! Several threads at once.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Db, Keyspace};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const DB: Db = Db(0);

/// Threads move ones between counters in transactions on two keys: nobody waits for ever, and nothing is
/// lost or seen halfway.
#[test]
fn transactions_on_several_keys_never_block_each_other_for_good_and_keep_totals() {
    let keyspace = open(&SimDir::new(1));
    let names: Vec<Vec<u8>> = (0..8).map(|n| format!("counter:{n}").into_bytes()).collect();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (keyspace, names) = (&keyspace, &names);
            scope.spawn(move || {
                for i in 0..400 {
                    let (from, to) = (&names[(thread + i) % 8], &names[(thread * 3 + i * 5) % 8]);
                    let mut tx = keyspace.begin([(DB, &from[..]), (DB, &to[..])], NOW);
                    tx.incr_by(DB, from, -1).unwrap();
                    tx.incr_by(DB, to, 1).unwrap();
                    if i % 7 != 0 {
                        tx.commit().unwrap();
                    }
                }
            });
        }
    });
    let mut tx = keyspace.begin_exclusive(NOW);
    let total: i64 = names.iter().map(|name| tx.incr_by(DB, name, 0).unwrap()).sum();
    assert_eq!(total, 0);
}

#[test]
fn a_watch_notices_changes_deletion_expiry_and_flushing_of_its_key_alone() {
    let keyspace = open(&SimDir::new(1));
    let set = |key: &[u8]| {
        let mut tx = keyspace.begin([(DB, key)], NOW);
        tx.set(DB, key, b"v", None).unwrap();
        tx.commit().unwrap();
    };
    let watch = || {
        let flag = Arc::new(AtomicBool::new(false));
        let watch = keyspace.watch(DB, b"k", flag.clone(), NOW).unwrap();
        (watch, flag)
    };
    set(b"k");
    let (first, flag) = watch();
    set(b"other");
    assert!(!first.is_dirty(NOW));
    // Looked at, or changed and given up, is not changed.
    let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
    tx.set(DB, b"k", b"w", None).unwrap();
    drop(tx);
    assert!(!flag.load(Ordering::Relaxed));
    set(b"k");
    assert!(first.is_dirty(NOW));

    let (second, _) = watch();
    let mut tx = keyspace.begin_exclusive(NOW);
    tx.flush_all().unwrap();
    tx.commit().unwrap();
    assert!(second.is_dirty(NOW));
    let (third, _) = watch();
    let mut tx = keyspace.begin_exclusive(NOW);
    tx.flush_all().unwrap();
    tx.commit().unwrap();
    assert!(!third.is_dirty(NOW), "a key that is not there is not flushed");
}

#[test]
fn what_is_told_is_durable_be_it_read_or_found_done_already() {
    let dir = SimDir::new(1);
    let keyspace = open(&dir);
    let mark = || {
        let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
        let before = tx.set_bit(DB, b"k", 7, true).unwrap();
        (before, tx.commit().unwrap())
    };
    let (before, first) = mark();
    assert!(!before && !keyspace.is_durable(first));
    // Someone else finds the bit set: acknowledging that is a promise, too.
    let (before, second) = mark();
    assert!(before && !keyspace.is_durable(second));
    let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
    assert!(tx.get_bit(DB, b"k", 7).unwrap());
    assert!(!keyspace.is_durable(tx.commit().unwrap()));
    keyspace.wait_durable(second).unwrap();
    let found = open(&dir.crash());
    let mut tx = found.begin([(DB, &b"k"[..])], NOW);
    assert!(tx.get_bit(DB, b"k", 7).unwrap());
    assert!(found.is_durable(tx.commit().unwrap()));
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_does_not_change_by_being_cleared_away() {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
    tx.set(DB, b"k", b"v", Some(NOW)).unwrap();
    tx.commit().unwrap();
    let later = bitmap_store::UnixMillis(NOW.0 + 1);
    let flag = Arc::new(AtomicBool::new(false));
    let watch = keyspace.watch(DB, b"k", flag, later).unwrap();
    keyspace.expire_due(later, 10).unwrap();
    assert!(!watch.is_dirty(later));
    let mut tx = keyspace.begin([(DB, &b"k"[..])], later);
    tx.append(DB, b"k", b"").unwrap();
    tx.commit().unwrap();
    assert!(watch.is_dirty(later), "an empty string was made");
}

#[test]
fn the_cache_stays_within_its_budget_while_bitmaps_larger_than_it_are_worked_on() {
    let budget = 200_000;
    let options = bitmap_store::Options {
        cache_bytes: budget,
        sizes: bitmap_store::Options::default().sizes,
        ..options()
    };
    let keyspace = Keyspace::open_in(Arc::new(SimDir::new(1)), options).unwrap();
    for round in 0..3_u64 {
        for n in 0..3000_u64 {
            let key = format!("bitmap:{}", n % 7).into_bytes();
            let mut tx = keyspace.begin([(DB, &key[..])], NOW);
            for i in 0..30 {
                tx.set_bit(DB, &key, (n * 7_919 + i * 65_537 + round * 31) % 8_000_000, true)
                    .unwrap();
            }
            tx.commit().unwrap();
            assert!(keyspace.stats().cache_bytes <= budget);
        }
    }
}
