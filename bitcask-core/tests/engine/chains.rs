//! Delta chains through the whole store.

use super::model::NOW;
use super::open;
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Batch, Bitcask, Chain, Error};

/// Appends `new` to the value of `key` as a cache would: it keeps the chain and what each link carried.
fn append(store: &Bitcask, key: &[u8], chain: &mut Chain, carried: &mut Vec<Vec<u8>>, new: &[u8]) {
    let keep = carried.len() - chain.absorbs();
    let mut delta: Vec<u8> = carried.drain(keep..).flatten().collect();
    delta.extend_from_slice(new);
    let mut batch = Batch::new(NOW);
    let record = batch.delta(key, &delta, chain, None);
    let committed = store.write(&mut batch).unwrap();
    chain.push(committed.location(&batch, record));
    carried.push(delta);
}

#[test]
fn a_chain_of_a_thousand_deltas_reads_back_in_few_records_before_and_after_reopening() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let mut batch = Batch::new(NOW);
    let record = batch.put(b"k", b"base", None);
    let committed = store.write(&mut batch).unwrap();
    let mut chain = Chain::base(committed.location(&batch, record));
    let (mut carried, mut wanted) = (Vec::new(), b"base".to_vec());
    for i in 0..1000_u16 {
        append(&store, b"k", &mut chain, &mut carried, &i.to_be_bytes());
        wanted.extend_from_slice(&i.to_be_bytes());
    }
    let entry = store.entry(b"k").unwrap().unwrap();
    assert_eq!(entry.chain, chain, "the log and the cache agree on the chain");
    assert_eq!(entry.deltas, carried);
    assert!(chain.len() < 70);
    assert_eq!(store.get(b"k", NOW).unwrap(), Some(wanted.clone()));
    store.close().unwrap();

    let store = open(&dir).unwrap();
    let entry = store.entry(b"k").unwrap().unwrap();
    assert_eq!(entry.chain, chain);
    assert_eq!(store.get(b"k", NOW).unwrap(), Some(wanted));
}

#[test]
fn a_delta_that_follows_a_record_which_is_not_the_newest_is_refused_and_changes_nothing() {
    let store = open(&SimDir::new(1)).unwrap();
    let mut batch = Batch::new(NOW);
    let record = batch.put(b"k", b"old", None);
    let committed = store.write(&mut batch).unwrap();
    let chain = Chain::base(committed.location(&batch, record));
    store.put(b"k", b"new", NOW).unwrap();

    let mut batch = Batch::new(NOW);
    batch.put(b"other", b"x", None);
    batch.delta(b"k", b"!", &chain, None);
    assert!(matches!(store.write(&mut batch), Err(Error::ChainMoved)));
    assert_eq!(store.get(b"k", NOW).unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(store.get(b"other", NOW).unwrap(), None);
}
