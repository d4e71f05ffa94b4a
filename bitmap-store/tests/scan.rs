//! SCAN, RANDOMKEY, KEYS.

use crate::{NOW, open};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Db, Glob, Keyspace};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DB: Db = Db(0);

fn put(keyspace: &Keyspace, key: &[u8]) {
    let mut tx = keyspace.begin([(DB, key)], NOW);
    tx.set(DB, key, b"v", None).unwrap();
    let position = tx.commit().unwrap();
    keyspace.wait_durable(position).unwrap();
}

fn delete(keyspace: &Keyspace, key: &[u8]) {
    let mut tx = keyspace.begin([(DB, key)], NOW);
    tx.delete(DB, key).unwrap();
    tx.commit().unwrap();
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..4),
        (0..3_u8, 0..40_u32)
            .prop_map(|(p, n)| format!("trackist{p}_song:play_2026-{n:03}").into_bytes()),
        (0..6_usize).prop_map(|n| vec![b'x'; n * 7]),
        (0..30_u32).prop_map(|n| format!("{}{n}", "long/".repeat(20)).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Keys that are there from the first call to the last are returned exactly once, while others come and
    /// go, and though the store is killed and opened again in the middle.
    #[test]
    fn a_scan_returns_what_stays_exactly_once(
        stay in btree_set(key(), 0..120), visit in vec(key(), 0..60), count in 1..12_usize, kill_at in 0..40_usize
    ) {
        let mut dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let stay: BTreeSet<Vec<u8>> = stay;
        stay.iter().for_each(|key| put(&keyspace, key));
        let visit: Vec<_> = visit.into_iter().filter(|key| !stay.contains(key)).collect();
        let (mut found, mut cursor, mut calls) = (Vec::new(), 0, 0);
        loop {
            let (next, keys) = keyspace.scan(DB, cursor, count, None, None, NOW).unwrap();
            prop_assert!(next < 1 << 63);
            found.extend(keys.into_iter().filter(|key| stay.contains(key)));
            if next == 0 {
                break;
            }
            cursor = next;
            calls += 1;
            prop_assert!(calls < 2000);
            if let Some(key) = visit.get(calls % visit.len().max(1)) {
                if calls % 2 == 0 { put(&keyspace, key) } else { delete(&keyspace, key) }
            }
            if calls == kill_at {
                dir = dir.kill();
                keyspace = open(&dir);
            }
        }
        found.sort();
        prop_assert_eq!(found, stay.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_cursor_that_was_never_given_out_ends_the_scan() {
    let keyspace = open(&SimDir::new(1));
    put(&keyspace, b"k");
    for cursor in [1, 7, 1 << 40, u64::MAX, 12_345_678_901_234_567_890] {
        let (next, keys) = keyspace.scan(DB, cursor, 10, None, None, NOW).unwrap();
        assert!(next == 0 && keys.len() <= 1, "cursor {cursor}");
    }
}

#[test]
fn keys_match_and_random_keys_are_there() {
    let keyspace = open(&SimDir::new(1));
    let mut seed = 5_usize;
    let mut choose = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % n
    };
    assert_eq!(keyspace.random_key(DB, &mut choose, NOW).unwrap(), None);
    for n in 0..50 {
        put(&keyspace, format!("user:{n}").as_bytes());
    }
    assert_eq!(keyspace.keys(DB, &Glob::new(b"user:4?"), NOW).unwrap().len(), 10);
    assert_eq!(keyspace.keys(DB, &Glob::new(b"*"), NOW).unwrap().len(), 50);
    assert_eq!(keyspace.keys(DB, &Glob::new(b"x*"), NOW).unwrap().len(), 0);
    let seen: BTreeSet<_> =
        (0..400).map(|_| keyspace.random_key(DB, &mut choose, NOW).unwrap().unwrap()).collect();
    assert!(seen.len() > 25, "{} of 50 keys were chosen", seen.len());
}
