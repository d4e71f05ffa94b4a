//! Keys in order, and deleting those that are found, against a sorted list.

use crate::{NOW, open};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Db, Glob, Listing, UnixMillis};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const DB: Db = Db(0);

fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(&b"ab:\xff"[..]), 0..5)
}

fn glob() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![&b"*"[..], b"a*", b"?b*", b"*:*", b"ab", b"[^a]*", b"\xff*"])
}

/// What `listing` leaves of `keys`, which are sorted.
fn listed(keys: &[Vec<u8>], glob: &Glob, listing: Listing<'_>) -> Vec<Vec<u8>> {
    let behind = |key: &&Vec<u8>| match (listing.pivot, listing.descending) {
        (None, _) => true,
        (Some(pivot), false) => &key[..] > pivot,
        (Some(pivot), true) => &key[..] < pivot,
    };
    let mut found: Vec<Vec<u8>> =
        keys.iter().filter(behind).filter(|key| glob.matches(key)).cloned().collect();
    if listing.descending {
        found.reverse();
    }
    found.truncate(listing.limit.unwrap_or(usize::MAX));
    found
}

proptest! {
    /// Keys of the log, some of them expired, with those that the transaction itself has made and deleted.
    #[test]
    fn keys_are_listed_as_from_a_sorted_list(
        stored in btree_map(key(), any::<bool>(), 0..30), changed in btree_map(key(), any::<bool>(), 0..6),
        pattern in glob(), pivot in prop::option::of(key()), limit in prop::option::of(0..12_usize), descending in any::<bool>()
    ) {
        let keyspace = open(&SimDir::new(1));
        let later = UnixMillis(NOW.0 + 10);
        for (key, expires) in &stored {
            let mut transaction = keyspace.begin([(DB, &key[..])], NOW);
            transaction.set(DB, key, b"value", expires.then_some(later)).unwrap();
            transaction.commit().unwrap();
        }
        let mut keys: Vec<Vec<u8>> =
            stored.iter().filter(|(_, expires)| !**expires).map(|(key, _)| key.clone()).collect();
        let mut transaction = keyspace.begin(changed.keys().map(|key| (DB, &key[..])), later);
        for (key, set) in &changed {
            keys.retain(|other| other != key);
            if *set {
                transaction.set(DB, key, b"new", None).unwrap();
                keys.push(key.clone());
            } else {
                transaction.delete(DB, key).unwrap();
            }
        }
        keys.sort_unstable();
        let glob = Glob::new(pattern);
        let listing = Listing { pivot: pivot.as_deref(), limit, descending };
        prop_assert_eq!(transaction.list_keys(DB, &glob, listing), listed(&keys, &glob, listing));
        transaction.commit().unwrap();
        let mut transaction = keyspace.begin([], later);
        prop_assert_eq!(transaction.list_keys(DB, &glob, listing), listed(&keys, &glob, listing));
    }
}

#[test]
fn found_keys_are_read_and_deleted_without_having_been_named() {
    let dir = SimDir::new(1);
    let keyspace = open(&dir);
    for n in 0..200_u32 {
        let key = format!("key:{n:03}");
        let mut transaction = keyspace.begin([(DB, key.as_bytes())], NOW);
        transaction.set(DB, key.as_bytes(), &n.to_be_bytes(), None).unwrap();
        transaction.commit().unwrap();
    }
    let mut transaction = keyspace.begin([], NOW);
    assert!(transaction.is_without_keys());
    let glob = Glob::new(b"key:1*");
    let found = transaction.list_keys(DB, &glob, Listing::default());
    assert_eq!(found.len(), 100);
    let value = transaction.get_found(DB, b"key:150").unwrap();
    assert_eq!(value.as_deref(), Some(&150_u32.to_be_bytes()[..]));
    assert_eq!(transaction.delete_found(DB, &found).unwrap(), vec![true; 100]);
    assert_eq!(transaction.delete_found(DB, &found[..2]).unwrap(), [false; 2]);
    assert_eq!(transaction.get_found(DB, b"key:150").unwrap(), None);
    let position = transaction.commit().unwrap();
    keyspace.wait_durable(position).unwrap();
    drop(keyspace);
    let keyspace = open(&dir.crash());
    assert_eq!(keyspace.db_size(DB), 100, "what was answered is durable");
}

#[test]
fn a_transaction_that_holds_all_keys_deletes_at_its_end_or_never() {
    let keyspace = open(&SimDir::new(1));
    let mut transaction = keyspace.begin_exclusive(NOW);
    transaction.set(DB, b"a", b"1", None).unwrap();
    transaction.commit().unwrap();
    let mut transaction = keyspace.begin_exclusive(NOW);
    assert!(!transaction.is_without_keys());
    assert_eq!(transaction.delete_found(DB, &[b"a".to_vec()]).unwrap(), [true]);
    assert_eq!(transaction.get_found(DB, b"a").unwrap(), None);
    drop(transaction);
    let mut transaction = keyspace.begin_exclusive(NOW);
    assert!(transaction.exists(DB, b"a").unwrap());
}

#[test]
fn strings_with_a_part_in_them_are_deleted_be_they_bitmaps() {
    let keyspace = open(&SimDir::new(1));
    let keys = [&b"a"[..], b"b", b"bits", b"missing"];
    let mut transaction = keyspace.begin(keys.map(|key| (DB, key)), NOW);
    transaction.set(DB, b"a", b"hay needle hay", None).unwrap();
    transaction.set(DB, b"b", b"hay", None).unwrap();
    transaction.set_bit(DB, b"bits", 70_007, true).unwrap();
    assert_eq!(transaction.delete_if(DB, b"needle", keys).unwrap(), [b"a"]);
    assert_eq!(transaction.delete_if(DB, b"\0\x01", keys).unwrap(), [b"bits"]);
    let twice = [&b"b"[..], b"b", b"missing"];
    assert_eq!(transaction.delete_if(DB, b"", twice).unwrap(), [b"b"]);
}
