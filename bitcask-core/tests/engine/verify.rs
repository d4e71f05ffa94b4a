//! Verifying and repairing.

use super::compaction::everything;
use super::model::{self, NOW};
use super::{Random, open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{Bitcask, Error, VerifyProgress, VerifyReport};
use std::sync::Arc;

fn verify(dir: &SimDir) -> Result<VerifyReport, Error> {
    Bitcask::verify_in(Arc::new(dir.clone()), options(), &mut |_| {})
}

/// A closed store with everything in it.
fn store(seed: u64) -> SimDir {
    let mut random = Random(seed);
    let dir = SimDir::new(seed);
    let store = open(&dir).unwrap();
    for i in 0..120 {
        let key = [random.below(20) as u8];
        match i % 40 {
            20 => drop(everything(&store)),
            30 => drop(store.delete(&key, NOW).unwrap()),
            _ => store.put(&key, &vec![i as u8; random.below(150) as usize], NOW).unwrap(),
        }
    }
    store.close().unwrap();
    dir
}

#[test]
fn a_sound_store_is_found_to_be_sound_and_all_of_it_is_looked_at() {
    let dir = store(1);
    let mut steps = Vec::new();
    let report =
        Bitcask::verify_in(Arc::new(dir.clone()), options(), &mut |step| steps.push(step)).unwrap();
    assert!(report.is_sound() && report.hints.is_empty(), "{report:?}");
    let sizes: u64 = dir
        .files()
        .iter()
        .filter(|name| name.ends_with(".seg"))
        .map(|name| dir.read_file(name).len() as u64)
        .sum();
    assert_eq!(report.bytes, sizes);
    assert!(steps.contains(&VerifyProgress::Records(sizes)), "{steps:?}");
    assert_eq!(steps.last(), Some(&VerifyProgress::Values(report.keys, report.keys)));
    assert_eq!(report.keys, model::contents(&open(&dir).unwrap()).len() as u64);
}

#[test]
fn a_flipped_bit_anywhere_is_told_of() {
    let dir = store(2);
    for name in dir.files().iter().filter(|name| *name != "lock") {
        let bytes = dir.read_file(name);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            let copy = SimDir::new(1);
            dir.files().iter().for_each(|n| copy.write_file(n, &dir.read_file(n)));
            copy.write_file(name, &bad);
            let Ok(report) = verify(&copy) else { continue };
            if name.ends_with(".hint") {
                assert!(!report.hints.is_empty() && report.is_sound(), "{name} {at}: {report:?}");
            } else {
                let told = !report.is_sound() || report.unfinished.is_some();
                assert!(told, "{name} {at}: {report:?}");
            }
        }
    }
}

#[test]
fn a_hint_that_says_something_else_than_its_segment_is_told_of_and_made_anew() {
    let (dir, other) = (store(3), store(4));
    let contents = model::contents(&open(&dir).unwrap());
    let hints: Vec<String> = dir
        .files()
        .into_iter()
        .filter(|name| name.ends_with(".hint") && other.files().contains(name))
        .collect();
    assert!(!hints.is_empty());
    for name in &hints {
        dir.write_file(name, &other.read_file(name));
    }
    let report = verify(&dir).unwrap();
    let named = |name: &String| report.hints.iter().any(|(path, _)| path.ends_with(name));
    assert!(hints.iter().all(named), "{report:?}");
    Bitcask::repair_in(Arc::new(dir.clone()), options()).unwrap();
    let report = verify(&dir).unwrap();
    assert!(report.is_sound() && report.hints.is_empty(), "{report:?}");
    assert_eq!(model::contents(&open(&dir).unwrap()), contents);
}

#[test]
fn a_store_that_is_in_use_is_verified_and_not_repaired() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    store.put(b"k", b"v", NOW).unwrap();
    assert!(verify(&dir).unwrap().is_sound());
    let refused = Bitcask::repair_in(Arc::new(dir.clone()), options());
    assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
    assert!(matches!(verify(&SimDir::new(2)), Err(Error::Missing { .. })));
}
