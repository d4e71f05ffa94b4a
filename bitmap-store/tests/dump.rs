//! Values taken out of keys and put into others, in Redis' format.

use crate::{NOW, open};
use bitmap_store::rdb::Value;
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Db, Kind, UnixMillis};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const DB: Db = Db(0);

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..20), any::<i32>().prop_map(|n| n.to_string().into_bytes())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Small hashes and those of many pages, over whatever the key held, with reopenings between.
    #[test]
    fn a_hash_is_what_it_was_after_dump_and_restore(
        fields in btree_map(text(), text(), 1..60), over in prop::option::of(any::<bool>()), expires in any::<bool>()
    ) {
        let dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let mut transaction = keyspace.begin([(DB, &b"a"[..])], NOW);
        for (field, value) in &fields {
            transaction.hash_set(DB, b"a", field, value).unwrap();
        }
        let position = transaction.commit().unwrap();
        keyspace.wait_durable(position).unwrap();
        keyspace.close().unwrap();
        keyspace = open(&dir);
        let keys = [(DB, &b"a"[..]), (DB, b"b")];
        let mut transaction = keyspace.begin(keys, NOW);
        match over {
            Some(true) => drop(transaction.hash_set(DB, b"b", b"old", b"field").unwrap()),
            Some(false) => transaction.set(DB, b"b", b"text", Some(UnixMillis(NOW.0 + 5))).unwrap(),
            None => {}
        }
        transaction.commit().unwrap();
        let mut transaction = keyspace.begin(keys, NOW);
        let payload = transaction.value(DB, b"a").unwrap().unwrap().dump();
        let expires_at = expires.then_some(UnixMillis(NOW.0 + 1000));
        let value = Value::restore(&payload).unwrap();
        transaction.set_value(DB, b"b", value, expires_at).unwrap();
        let position = transaction.commit().unwrap();
        keyspace.wait_durable(position).unwrap();
        keyspace.close().unwrap();
        keyspace = open(&dir);
        let mut transaction = keyspace.begin(keys, NOW);
        prop_assert_eq!(transaction.kind(DB, b"b").unwrap(), Some(Kind::Hash));
        prop_assert_eq!(transaction.expiry(DB, b"b").unwrap(), Some(expires_at));
        prop_assert_eq!(transaction.hash_len(DB, b"b").unwrap(), fields.len() as u64);
        let wanted = Value::Hash(fields.into_iter().collect());
        prop_assert_eq!(transaction.value(DB, b"b").unwrap(), Some(wanted.clone()));
        prop_assert_eq!(transaction.value(DB, b"a").unwrap(), Some(wanted));
    }
}

#[test]
fn a_bitmap_is_its_string_and_gives_way_to_a_value_of_another_kind() {
    let keyspace = open(&SimDir::new(1));
    let mut transaction = keyspace.begin([(DB, &b"a"[..])], NOW);
    transaction.set_bit(DB, b"a", 1_000_003, true).unwrap();
    let Some(Value::String(bytes)) = transaction.value(DB, b"a").unwrap() else { panic!() };
    assert_eq!((bytes.len(), bytes[125_000]), (125_001, 0x10));
    let list = Value::List(vec![b"x".to_vec(), b"x".to_vec()]);
    transaction.set_value(DB, b"a", list.clone(), None).unwrap();
    assert_eq!(transaction.value(DB, b"a").unwrap(), Some(list));
}
