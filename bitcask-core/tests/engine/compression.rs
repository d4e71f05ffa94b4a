//! Compressed values: what is read never depends on how it was written.

use super::model::{self, History, NOW};
use super::{Append, Random, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Batch, Bitcask, Chain, Compression, Options};
use std::sync::Arc;

const ALL: [Compression; 4] =
    [Compression::Off, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn open(dir: &SimDir, compression: Compression, from_bytes: usize) -> Bitcask {
    let options = Options {
        compression,
        compress_from_bytes: from_bytes,
        fold: Some(Arc::new(Append)),
        ..options()
    };
    Bitcask::open_in(Arc::new(dir.clone()), options).unwrap()
}

#[test]
fn a_store_reopened_with_another_codec_every_time_holds_what_the_model_does() {
    for seed in 0..20 {
        let dir = SimDir::new(seed);
        let mut random = Random(seed);
        let mut history = History::new(model::Contents::new());
        for round in 0..8 {
            let compression = ALL[(seed + round) as usize % ALL.len()];
            let store = open(&dir, compression, random.below(60) as usize);
            assert_eq!(&model::contents(&store), history.now(), "seed {seed}, round {round}");
            for _ in 0..20 {
                model::step(&store, &mut random, &mut history).unwrap();
            }
            assert_eq!(&model::contents(&store), history.now(), "seed {seed}, round {round}");
        }
    }
}

#[test]
fn puts_deltas_and_values_written_in_place_take_less_room_and_read_back() {
    let value = b"0123456789".repeat(100);
    for compression in &ALL[1..] {
        let dir = SimDir::new(1);
        let store = open(&dir, *compression, 100);
        let mut batch = Batch::new(NOW);
        let first = batch.put(b"put", &value, None);
        batch.put(b"short", &value[..99], Some(NOW));
        let second = batch.put_with(b"put with", None, |out| out.extend_from_slice(&value));
        let plain_bytes = batch.log_bytes();
        let committed = store.write(&mut batch).unwrap();
        assert!(batch.log_bytes() < plain_bytes - 1500, "{compression:?}");
        let chain = Chain::base(committed.location(&batch, first));
        assert_eq!(Some(chain.newest()), store.location(b"put"));
        assert_eq!(Some(committed.location(&batch, second)), store.location(b"put with"));
        let mut batch = Batch::new(NOW);
        batch.delta(b"put", &value, &chain, None);
        store.write(&mut batch).unwrap();
        store.close().unwrap();

        let store = open(&dir, Compression::Off, 0);
        let both = [&value[..], &value].concat();
        assert_eq!(store.get(b"put", NOW).unwrap(), Some(both), "{compression:?}");
        assert_eq!(store.newest(b"put").unwrap().as_ref(), Some(&value));
        assert_eq!(store.get(b"put with", NOW).unwrap().as_ref(), Some(&value));
        assert_eq!(store.entry(b"short").unwrap().unwrap().base, &value[..99]);
        let entry = store.entry(b"put").unwrap().unwrap();
        assert!(entry.chain.bytes() < value.len() as u64, "of two compressed records");
    }
}

#[test]
fn flipping_any_bit_of_a_compressed_store_gives_no_wrong_value() {
    let value = |n: u8| vec![n; 300];
    let dir = SimDir::new(1);
    for (n, compression) in ALL.iter().enumerate() {
        let store = open(&dir, *compression, 0);
        store.put(&[n as u8], &value(n as u8), NOW).unwrap();
        store.close().unwrap();
    }
    let (segment, hint) = (dir.read_file("00000001.seg"), dir.read_file("00000001.hint"));
    let mut found = 0;
    for bit in 0..segment.len() * 8 {
        let mut damaged = segment.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let dir = SimDir::new(1);
        dir.write_file("00000001.seg", &damaged);
        // With its hint the segment is not scanned: each read is on its own.
        dir.write_file("00000001.hint", &hint);
        let options = Options { fold: Some(Arc::new(Append)), ..options() };
        let Ok(store) = Bitcask::open_in(Arc::new(dir), options) else { continue };
        for n in 0..ALL.len() as u8 {
            if let Ok(read) = store.get(&[n], NOW) {
                assert_eq!(read, Some(value(n)), "bit {bit}");
                found += 1;
            }
        }
    }
    assert!(found > segment.len() * 8, "most reads meet no damage");
}

#[test]
fn a_batch_that_was_refused_is_written_all_the_same_when_it_is_tried_again() {
    let value = b"0123456789".repeat(100);
    let dir = SimDir::new(1);
    let store = open(&dir, Compression::Lz4, 0);
    let mut batch = Batch::new(NOW);
    let base = batch.put(b"k", b"base", None);
    let committed = store.write(&mut batch).unwrap();
    let chain = Chain::base(committed.location(&batch, base));
    let mut batch = Batch::new(NOW);
    batch.put(b"other", &value, None);
    batch.delta(b"k", &value, &chain, None);
    store.put(b"k", b"moved", NOW).unwrap();
    assert!(store.write(&mut batch).is_err());
    assert!(store.write(&mut batch).is_err());
    let mut batch = Batch::new(NOW);
    batch.put(b"other", &value, None);
    batch.put(b"k", &value, None);
    store.write(&mut batch).unwrap();
    assert_eq!(store.get(b"k", NOW).unwrap().as_ref(), Some(&value));
    assert_eq!(store.get(b"other", NOW).unwrap().as_ref(), Some(&value));
}
