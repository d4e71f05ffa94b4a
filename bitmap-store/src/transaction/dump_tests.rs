//! Values of every kind in the store, whole and as payloads, with tiny pages.

use crate::rdb::fuzzing::{example_payloads, in_order};
use crate::rdb::{Value, seal};
use crate::{Db, Keyspace, Kind, Options, Sizes, UnixMillis};
use bitcask_core::storage::sim::SimDir;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::sync::Arc;

const DB: Db = Db(0);
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn open(dir: &SimDir) -> Keyspace {
    let options = Options {
        cache_bytes: 20_000,
        segment_bytes: 64 << 10,
        background: false,
        sizes: Sizes { inline: 60, page: 90, leaf: 90 },
        ..Options::default()
    };
    Keyspace::open_in(Arc::new(dir.clone()), options).unwrap()
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..9),
        2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        1 => vec(Just(b'x'), 100..300),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let score = (any::<i32>(), 1..9).prop_map(|(n, by)| f64::from(n) / f64::from(by));
    prop_oneof![
        element().prop_map(|bytes| Value::String(bytes.into())),
        vec(element(), 1..60).prop_map(Value::List),
        btree_set(element(), 1..60).prop_map(|set| Value::Set(set.into_iter().collect())),
        btree_map(element(), element(), 1..60)
            .prop_map(|map| Value::Hash(map.into_iter().collect())),
        btree_map(element(), score, 1..60)
            .prop_map(|map| Value::SortedSet(map.into_iter().collect())),
    ]
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::String(_) => Kind::String,
        Value::List(_) => Kind::List,
        Value::Set(_) => Kind::Set,
        Value::Hash(_) => Kind::Hash,
        Value::SortedSet(_) => Kind::SortedSet,
    }
}

fn taken_out(keyspace: &Keyspace, key: &[u8]) -> Option<Value> {
    keyspace.begin([(DB, key)], NOW).value(DB, key).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Over whatever the keys had, at once and when they are read from the log.
    #[test]
    fn what_is_dumped_and_restored_is_what_it_was(values in vec(value(), 1..5)) {
        let dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        for value in values {
            let mut tx = keyspace.begin([(DB, &b"a"[..])], NOW);
            tx.set_value(DB, b"a", value.clone(), None).unwrap();
            prop_assert_eq!(tx.kind(DB, b"a").unwrap(), Some(kind(&value)));
            tx.commit().unwrap();
            let wanted = in_order(value);
            let payload = taken_out(&keyspace, b"a").expect("it is there").dump();
            let restored = Value::restore(&payload).unwrap();
            prop_assert_eq!(&in_order(restored.clone()), &wanted);
            let mut tx = keyspace.begin([(DB, &b"b"[..])], NOW);
            tx.set_value(DB, b"b", restored, None).unwrap();
            tx.commit().unwrap();
            prop_assert_eq!(taken_out(&keyspace, b"b").map(in_order), Some(wanted.clone()));
            keyspace.close().unwrap();
            keyspace = open(&dir);
            for key in [&b"a"[..], b"b"] {
                prop_assert_eq!(taken_out(&keyspace, key).map(in_order), Some(wanted.clone()));
            }
        }
        // Nothing of what was replaced is left behind.
        let mut tx = keyspace.begin([(DB, &b"a"[..]), (DB, &b"b"[..])], NOW);
        prop_assert!(tx.delete(DB, b"a").unwrap() && tx.delete(DB, b"b").unwrap());
        tx.commit().unwrap();
        prop_assert_eq!(keyspace.log().len(), 0);
    }
}

/// Every encoding that Redis writes or has written.
#[test]
fn payloads_of_every_encoding_are_stored_and_taken_out_again() {
    let keyspace = open(&SimDir::new(1));
    for (n, body) in example_payloads().iter().enumerate() {
        let value = Value::restore(&seal(body)).unwrap();
        let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
        tx.set_value(DB, b"k", value.clone(), None).unwrap();
        tx.commit().unwrap();
        let found = taken_out(&keyspace, b"k").map(in_order);
        assert_eq!(found, Some(in_order(value)), "payload {n}");
    }
}
