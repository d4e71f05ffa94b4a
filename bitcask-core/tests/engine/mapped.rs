//! Point reads from mappings.

use super::Random;
use super::compaction::everything;
use super::model::NOW;
use bitcask_core::{Bitcask, Error, Mode, Options};
use std::collections::BTreeMap;

fn options() -> Options {
    Options { mapped_reads: true, segment_bytes: 2000, background: false, ..Options::default() }
}

#[test]
fn reads_from_mappings_are_those_of_a_model_over_sealing_compaction_and_reopening() {
    for seed in 0..5 {
        let mut random = Random(seed);
        let temporary = tempfile::tempdir().unwrap();
        let mut store = Bitcask::open(temporary.path(), options()).unwrap();
        let mut model = BTreeMap::new();
        for _ in 0..1500 {
            let key = vec![random.below(50) as u8];
            match random.below(20) {
                0 => drop(everything(&store)),
                1 => {
                    store.close().unwrap();
                    store = Bitcask::open(temporary.path(), options()).unwrap();
                }
                2..8 => {
                    let value = vec![random.below(256) as u8; random.below(300) as usize];
                    store.put(&key, &value, NOW).unwrap();
                    model.insert(key, value);
                }
                8 => {
                    store.delete(&key, NOW).unwrap();
                    model.remove(&key);
                }
                _ => assert_eq!(store.get(&key, NOW).unwrap(), model.get(&key).cloned()),
            }
        }
        for (key, value) in &model {
            assert_eq!(store.get(key, NOW).unwrap().as_ref(), Some(value));
        }
    }
}

#[test]
fn damage_is_found_in_a_mapping_too_and_a_store_that_is_only_read_needs_none() {
    let temporary = tempfile::tempdir().unwrap();
    let store = Bitcask::open(temporary.path(), options()).unwrap();
    store.put(b"damaged", &[7; 500], NOW).unwrap();
    store.put(b"sound", &[8; 5000], NOW).unwrap();
    store.close().unwrap();
    let segment = temporary.path().join("00000001.seg");
    #[allow(clippy::disallowed_methods)] // the test's own file
    {
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[300] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
    }
    for mode in [Mode::Existing, Mode::ReadOnly] {
        let store = Bitcask::open(temporary.path(), Options { mode, ..options() }).unwrap();
        let damaged = store.get(b"damaged", NOW);
        assert!(matches!(damaged, Err(Error::Corrupt { .. })), "{damaged:?}");
        assert_eq!(store.get(b"sound", NOW).unwrap().unwrap(), [8; 5000]);
    }
}
