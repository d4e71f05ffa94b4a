//! Compaction of the log under a keyspace: nobody notices.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{
    BitOp, CompactionOptions, CompactionReport, Db, Durability, Keyspace, Options, Sizes,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const DB: Db = Db(0);

fn everything(keyspace: &Keyspace) -> CompactionReport {
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    keyspace.compact(&CompactionOptions::everything(), NOW, go_on).unwrap()
}

fn set(keyspace: &Keyspace, key: &[u8], ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        let mut tx = keyspace.begin([(DB, key)], NOW);
        tx.set_bit(DB, key, id, true).unwrap();
        tx.commit().unwrap();
    }
}

fn count(keyspace: &Keyspace, key: &[u8]) -> u64 {
    keyspace.begin([(DB, key)], NOW).count_bits(DB, key, 0..1 << 32).unwrap()
}

fn large(dir: &SimDir) -> Keyspace {
    let options = Options {
        sizes: Sizes { inline: 4 << 10, page: 66 << 10, leaf: 8 << 10 },
        cache_bytes: 1 << 20,
        ..options()
    };
    Keyspace::open_in(Arc::new(dir.clone()), options).unwrap()
}

/// Checks the keyspace as it is, opened anew, and compacted once more.
fn stays(dir: &SimDir, keyspace: Keyspace, check: impl Fn(&Keyspace)) {
    check(&keyspace);
    keyspace.close().unwrap();
    let keyspace = large(dir);
    check(&keyspace);
    everything(&keyspace);
    check(&keyspace);
}

#[test]
fn a_cached_value_that_was_moved_is_changed_by_deltas_again_and_reads_back_after_reopening() {
    let dir = SimDir::new(1);
    let keyspace = large(&dir);
    // A paged bitmap, a small one, and a string.
    set(&keyspace, b"pages", (0..4000).map(|i| i * 997));
    set(&keyspace, b"small", (0..300).map(|i| i * 77));
    let mut tx = keyspace.begin([(DB, &b"text"[..])], NOW);
    tx.set(DB, b"text", &[b'x'; 2000], None).unwrap();
    tx.commit().unwrap();
    for round in 0..6_u64 {
        let before = keyspace.stats().log_bytes;
        set(&keyspace, b"pages", [(1 << 24) - round - 1, 5_000_000 + round * 70_000]);
        set(&keyspace, b"small", [30_000 + round]);
        let mut tx = keyspace.begin([(DB, &b"text"[..])], NOW);
        tx.set_range(DB, b"text", round * 10, b"abc").unwrap();
        tx.commit().unwrap();
        let logged = keyspace.stats().log_bytes - before;
        if round > 0 {
            assert!(logged < 2000, "{logged} bytes in round {round}");
        }
        let report = everything(&keyspace);
        assert!(!report.kept_by_guard);
    }
    let check = |keyspace: &Keyspace| {
        assert_eq!(count(keyspace, b"pages"), 4000 + 12);
        assert_eq!(count(keyspace, b"small"), 300 + 6);
        let mut wanted = vec![b'x'; 2000];
        (0..6).for_each(|round| wanted[round * 10..round * 10 + 3].copy_from_slice(b"abc"));
        let mut tx = keyspace.begin([(DB, &b"text"[..])], NOW);
        assert_eq!(tx.get(DB, b"text").unwrap().as_deref(), Some(&wanted[..]));
    };
    stays(&dir, keyspace, check);
}

#[test]
fn a_result_of_bitop_gets_pages_of_its_own_before_what_it_refers_to_goes_and_watchers_hear_nothing()
{
    for reopened in [false, true] {
        let dir = SimDir::new(1);
        let mut keyspace = large(&dir);
        set(&keyspace, b"a", (0..3000).map(|i| i * 1009));
        set(&keyspace, b"b", (0..3000).map(|i| i * 2018));
        let keys = [(DB, &b"a"[..]), (DB, &b"b"[..]), (DB, &b"into"[..]), (DB, &b"copy"[..])];
        let mut tx = keyspace.begin(keys, NOW);
        tx.bit_op(BitOp::And, DB, b"into", &[b"a", b"b"]).unwrap();
        tx.copy((DB, b"into"), (DB, b"copy"), true).unwrap();
        tx.commit().unwrap();
        // What it refers to is changed and deleted.
        set(&keyspace, b"a", [1]);
        let mut tx = keyspace.begin(keys, NOW);
        tx.delete(DB, b"b").unwrap();
        tx.commit().unwrap();
        if reopened {
            keyspace.close().unwrap();
            keyspace = large(&dir);
        }
        let flag = Arc::new(AtomicBool::new(false));
        let watch = keyspace.watch(DB, b"into", flag, NOW).unwrap();
        for _ in 0..2 {
            assert!(!everything(&keyspace).kept_by_guard);
            assert_eq!((count(&keyspace, b"into"), count(&keyspace, b"copy")), (1500, 1500));
        }
        assert!(!watch.is_dirty(NOW));
        drop(watch);
        keyspace.close().unwrap();
        let keyspace = large(&dir);
        assert_eq!((count(&keyspace, b"into"), count(&keyspace, b"copy")), (1500, 1500));
        set(&keyspace, b"into", [7]);
        assert_eq!((count(&keyspace, b"into"), count(&keyspace, b"copy")), (1501, 1500));
    }
}

#[test]
fn a_result_made_while_compacting_refers_to_what_stays() {
    let dir = SimDir::new(1);
    let keyspace = large(&dir);
    set(&keyspace, b"a", (0..3000).map(|i| i * 1009));
    set(&keyspace, b"b", (0..3000).map(|i| i * 2018));
    let mut made = 0_u8;
    keyspace
        .compact(&CompactionOptions::everything(), NOW, &mut |_| {
            let into = [b'r', made];
            let keys = [(DB, &b"a"[..]), (DB, &b"b"[..]), (DB, &into[..])];
            let mut tx = keyspace.begin(keys, NOW);
            tx.bit_op(BitOp::Or, DB, &into, &[b"a", b"b"]).unwrap();
            tx.commit().unwrap();
            made += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(made > 4);
    let check = |keyspace: &Keyspace| {
        (0..made).for_each(|i| assert_eq!(count(keyspace, &[b'r', i]), 4500, "result {i}"));
    };
    stays(&dir, keyspace, check);
}

/// Clients mark, combine, delete and read while the log is compacted all the time.
#[test]
fn threads_that_change_bitmaps_while_another_compacts_lose_no_bit() {
    const CLIENTS: u64 = 3;
    let dir = SimDir::new(1);
    let with = || Options {
        durability: Durability::No,
        segment_bytes: 16 << 10,
        cache_bytes: 30_000,
        ..options()
    };
    let keyspace = Keyspace::open_in(Arc::new(dir.clone()), with()).unwrap();
    let done = AtomicBool::new(false);
    let sets: Vec<(Vec<u8>, BTreeSet<u64>)> = std::thread::scope(|scope| {
        let compactor = scope.spawn(|| {
            let mut runs = 0;
            while !done.load(Ordering::Relaxed) {
                let report = everything(&keyspace);
                assert!(!report.kept_by_guard);
                runs += 1;
            }
            runs
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let keyspace = &keyspace;
                scope.spawn(move || {
                    let mut random = client + 1;
                    let mut next = move |n: u64| {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (random >> 33) % n
                    };
                    let mut sets: Vec<BTreeSet<u64>> = vec![BTreeSet::new(); 4];
                    let name = |i: usize| format!("{client}:{i}").into_bytes();
                    for _ in 0..4000 {
                        let i = next(4) as usize;
                        let key = name(i);
                        if next(100) == 0 {
                            let (a, b) = (next(4) as usize, next(4) as usize);
                            let (left, right) = (name(a), name(b));
                            let mut tx = keyspace
                                .begin([(DB, &key[..]), (DB, &left[..]), (DB, &right[..])], NOW);
                            tx.bit_op(BitOp::Or, DB, &key, &[&left, &right]).unwrap();
                            tx.commit().unwrap();
                            sets[i] = &sets[a] | &sets[b];
                            continue;
                        }
                        let mut tx = keyspace.begin([(DB, &key[..])], NOW);
                        if next(200) == 0 {
                            tx.delete(DB, &key).unwrap();
                            sets[i].clear();
                        } else {
                            let (id, bit) = (next(40) * 9000 + next(200), next(4) > 0);
                            let before = tx.set_bit(DB, &key, id, bit).unwrap();
                            assert_eq!(before, sets[i].contains(&id));
                            if bit {
                                sets[i].insert(id)
                            } else {
                                sets[i].remove(&id)
                            };
                        }
                        tx.commit().unwrap();
                        if next(20) == 0 {
                            assert_eq!(count(keyspace, &key), sets[i].len() as u64);
                        }
                    }
                    sets.into_iter().enumerate().map(|(i, set)| (name(i), set)).collect::<Vec<_>>()
                })
            })
            .collect();
        let sets: Vec<_> = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        // Also if one has panicked.
        done.store(true, Ordering::Relaxed);
        let sets = sets.into_iter().flat_map(Result::unwrap).collect();
        assert!(compactor.join().unwrap() > 0);
        sets
    });
    let check = |keyspace: &Keyspace| {
        for (key, set) in &sets {
            assert_eq!(count(keyspace, key), set.len() as u64);
            let mut tx = keyspace.begin([(DB, &key[..])], NOW);
            assert!(set.iter().all(|id| tx.get_bit(DB, key, *id).unwrap()));
        }
    };
    check(&keyspace);
    everything(&keyspace);
    check(&keyspace);
    keyspace.close().unwrap();
    check(&Keyspace::open_in(Arc::new(dir.clone()), with()).unwrap());
    check(&open(&dir));
}
