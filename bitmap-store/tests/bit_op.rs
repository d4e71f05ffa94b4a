//! BITOP on bitmaps in pages: the result refers to pages of its sources.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{BitOp, Db, Keyspace, Options, Sizes};
use std::collections::BTreeSet;
use std::sync::Arc;

const DB: Db = Db(0);
const ALL: std::ops::Range<u64> = 0..1 << 32;

fn commit(
    keyspace: &Keyspace,
    keys: &[&[u8]],
    work: impl FnOnce(&mut bitmap_store::Transaction<'_>),
) {
    let mut tx = keyspace.begin(keys.iter().map(|key| (DB, *key)), NOW);
    work(&mut tx);
    let position = tx.commit().unwrap();
    keyspace.wait_durable(position).unwrap();
}

fn fill(keyspace: &Keyspace, key: &[u8], ids: &BTreeSet<u64>) {
    commit(keyspace, &[key], |tx| {
        for id in ids {
            tx.set_bit(DB, key, *id, true).unwrap();
        }
    });
}

fn ids(keyspace: &Keyspace, db: Db, key: &[u8]) -> BTreeSet<u64> {
    let mut tx = keyspace.begin([(db, key)], NOW);
    let string = tx.get(db, key).unwrap().unwrap_or_default();
    let count = tx.count_bits(db, key, ALL).unwrap();
    let set = |at: &u64| string[*at as usize / 8] & 0x80 >> (at % 8) != 0;
    let ids: BTreeSet<u64> = (0..string.len() as u64 * 8).filter(set).collect();
    assert_eq!(count, ids.len() as u64);
    ids
}

fn every(step: usize, below: u64) -> BTreeSet<u64> {
    (0..below).step_by(step).collect()
}

#[test]
fn a_result_stays_what_it_was_whatever_becomes_of_its_sources() {
    let dir = SimDir::new(1);
    let mut keyspace = open(&dir);
    let (a, b) = (every(700, 400_000), every(1100, 900_000));
    fill(&keyspace, b"a", &a);
    fill(&keyspace, b"b", &b);
    commit(&keyspace, &[b"a", b"b", b"or", b"and"], |tx| {
        assert_eq!(tx.bit_op(BitOp::Or, DB, b"or", &[b"a", b"b"]).unwrap(), 112_476);
        assert_eq!(tx.bit_op(BitOp::And, DB, b"and", &[b"a", b"b"]).unwrap(), 112_476);
    });
    let (or, and) = (&a | &b, &a & &b);
    let check = |keyspace: &Keyspace| {
        assert_eq!(ids(keyspace, DB, b"or"), or);
        assert_eq!(ids(keyspace, DB, b"and"), and);
    };
    check(&keyspace);
    commit(&keyspace, &[b"a", b"b"], |tx| {
        for id in 0..2000 {
            tx.set_bit(DB, b"a", id * 3, id % 2 == 0).unwrap();
        }
        assert!(tx.delete(DB, b"b").unwrap());
    });
    check(&keyspace);
    for _ in 0..2 {
        keyspace.close().unwrap();
        keyspace = open(&dir);
        check(&keyspace);
    }
    let mut tx = keyspace.begin_exclusive(NOW);
    assert!(tx.move_to(DB, b"or", Db(3)).unwrap());
    tx.flush_db(DB).unwrap();
    tx.commit().unwrap();
    assert_eq!(ids(&keyspace, Db(3), b"or"), or);
    assert_eq!(ids(&keyspace, DB, b"and"), BTreeSet::new());
}

#[test]
fn a_result_that_is_changed_has_pages_of_its_own_and_one_that_is_dropped_is_as_before() {
    let dir = SimDir::new(1);
    let keyspace = open(&dir);
    let (a, b) = (every(700, 400_000), every(1100, 900_000));
    fill(&keyspace, b"a", &a);
    fill(&keyspace, b"b", &b);
    commit(&keyspace, &[b"a", b"b", b"to"], |tx| {
        tx.bit_op(BitOp::Xor, DB, b"to", &[b"a", b"b"]).unwrap();
    });
    let mut xor = &a ^ &b;
    {
        let mut tx = keyspace.begin([(DB, &b"to"[..])], NOW);
        assert!(!tx.set_bit(DB, b"to", 5, true).unwrap());
        assert_eq!(tx.count_bits(DB, b"to", ALL).unwrap(), xor.len() as u64 + 1);
    }
    assert_eq!(ids(&keyspace, DB, b"to"), xor);
    commit(&keyspace, &[b"to"], |tx| {
        assert!(!tx.set_bit(DB, b"to", 5, true).unwrap());
        assert!(tx.set_bit(DB, b"to", 700, false).unwrap());
    });
    xor.insert(5);
    xor.remove(&700);
    assert_eq!(ids(&keyspace, DB, b"to"), xor);
    drop(keyspace);
    assert_eq!(ids(&open(&dir), DB, b"to"), xor);
}

#[test]
fn bitop_on_large_bitmaps_logs_where_their_pages_are_and_nothing_else() {
    let options =
        Options { sizes: Sizes { inline: 4 << 10, page: 66 << 10, leaf: 8 << 10 }, ..options() };
    let keyspace = Keyspace::open_in(Arc::new(SimDir::new(1)), options).unwrap();
    for key in [b"a", b"b"] {
        fill(&keyspace, key, &every(40, 8_000_000));
    }
    let before = keyspace.stats().log_bytes;
    commit(&keyspace, &[b"a", b"b", b"or"], |tx| {
        tx.bit_op(BitOp::Or, DB, b"or", &[b"a", b"b"]).unwrap();
    });
    let logged = keyspace.stats().log_bytes - before;
    assert!(logged < 600, "{logged} bytes for two bitmaps of 400 KB");
    commit(&keyspace, &[b"or"], |tx| {
        assert!(tx.set_bit(DB, b"or", 80, true).unwrap());
        assert!(!tx.set_bit(DB, b"or", 81, false).unwrap());
    });
    assert_eq!(keyspace.stats().log_bytes - before, logged, "bits that are so already");
    assert_eq!(ids(&keyspace, DB, b"or").len(), 200_000);
}

#[test]
fn not_of_the_longest_bitmap_is_right_at_its_end() {
    let keyspace = open(&SimDir::new(1));
    commit(&keyspace, &[b"a", b"not"], |tx| {
        tx.set_bit(DB, b"a", u64::from(u32::MAX), true).unwrap();
        assert_eq!(tx.bit_op(BitOp::Not, DB, b"not", &[b"a"]).unwrap(), 1 << 29);
    });
    let mut tx = keyspace.begin([(DB, &b"not"[..])], NOW);
    assert_eq!(tx.count_bits(DB, b"not", ALL).unwrap(), (1 << 32) - 1);
    assert_eq!(tx.find_bit(DB, b"not", false, ALL).unwrap(), Some(u64::from(u32::MAX)));
}
