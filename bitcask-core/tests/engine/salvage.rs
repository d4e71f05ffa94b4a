//! Salvage: what verifies is kept, what does not is set aside, and the store opens.

use super::model::{self, Contents, NOW};
use super::{open, options};
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{Batch, Bitcask, CompactionOptions, Error};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// All values that a key has had; `None` where it was deleted.
type Versions = BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>;

/// A store of some segments, closed, with deltas, batches, deletions and something that compaction wrote.
fn store() -> (SimDir, Contents, Versions) {
    let dir = SimDir::new(1);
    let store = Bitcask::open_in(
        Arc::new(dir.clone()),
        bitcask_core::Options { segment_bytes: 600, ..options() },
    )
    .unwrap();
    let mut versions = Versions::new();
    for round in 0..4_u8 {
        for i in 0..12_u8 {
            let key = vec![b'k', i];
            let mut batch = Batch::new(NOW);
            let value = match store.entry(&key).unwrap() {
                Some(entry) if i % 3 == 0 => {
                    batch.delta(&key, &[round], &entry.chain, None);
                    let mut value = store.get(&key, NOW).unwrap().unwrap();
                    value.push(round);
                    Some(value)
                }
                Some(_) if i % 5 == 0 && round == 2 => {
                    batch.delete(&key);
                    None
                }
                _ => {
                    batch.put(&key, &[i, round].repeat(6), None);
                    Some([i, round].repeat(6))
                }
            };
            batch.put(&[b'x', i], &[round], None);
            versions.entry(vec![b'x', i]).or_default().push(Some(vec![round]));
            versions.entry(key).or_default().push(value);
            store.write(&mut batch).unwrap();
        }
        if round == 1 {
            let go_on = &mut |_: &_| ControlFlow::Continue(());
            store.compact(&CompactionOptions::everything(), NOW, go_on).unwrap();
        }
    }
    let contents = model::contents(&store);
    store.close().unwrap();
    (dir, contents, versions)
}

fn copy(dir: &SimDir) -> SimDir {
    let copy = SimDir::new(7);
    for name in dir.files() {
        copy.write_file(&name, &dir.read_file(&name));
    }
    copy
}

/// What salvage leaves of a damaged store: most of it, and no value that never was.
fn check(dir: &SimDir, contents: &Contents, versions: &Versions, lost_at_most: usize, what: &str) {
    let report = Bitcask::salvage_in(Arc::new(dir.clone()), options())
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let store = open(&dir.crash()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let found = model::contents(&store);
    for (key, (value, _)) in &found {
        let had = &versions[key];
        assert!(had.contains(&Some(value.clone())), "{what}: {key:?} never was {value:?}");
    }
    let differ = |key: &&Vec<u8>| found.get(*key) != contents.get(*key);
    let keys: std::collections::BTreeSet<&Vec<u8>> = contents.keys().chain(found.keys()).collect();
    let lost = keys.into_iter().filter(differ).count();
    assert!(lost <= lost_at_most, "{what}: {lost} keys, {report:?}");
    assert!(lost == 0 || !report.lost.is_empty() || !report.missing.is_empty(), "{what}");
    drop(store);
    let again = Bitcask::salvage_in(Arc::new(dir.clone()), options()).unwrap();
    assert!(again.lost.is_empty() && again.missing.is_empty(), "{what}: {again:?}");
}

#[test]
fn a_sound_store_is_left_as_it_is() {
    let (dir, contents, versions) = store();
    let files = |dir: &SimDir| -> Vec<_> {
        dir.files().into_iter().filter(|name| name.ends_with(".seg")).collect()
    };
    let before: Vec<_> = files(&dir).iter().map(|name| dir.read_file(name)).collect();
    check(&dir, &contents, &versions, 0, "sound");
    let after: Vec<_> = files(&dir).iter().map(|name| dir.read_file(name)).collect();
    assert_eq!(before, after);
    assert!(before.len() > 3, "{} segments", before.len());
}

#[test]
fn whatever_byte_is_damaged_the_other_records_stay() {
    let (dir, contents, versions) = store();
    for name in dir.files().iter().filter(|name| name.ends_with(".seg")) {
        let len = dir.read_file(name).len() as u64;
        for at in 0..len {
            let damaged = copy(&dir);
            damaged.flip_bit(name, at, (at % 8) as u8);
            // One record: a key, or a key whose chain it was in the middle of.
            check(&damaged, &contents, &versions, 2, &format!("{name}, byte {at}"));
        }
    }
}

#[test]
fn a_missing_segment_is_replaced_by_nothing_and_the_rest_stays() {
    let (dir, contents, versions) = store();
    let names: Vec<_> = dir.files().into_iter().filter(|name| name.ends_with(".seg")).collect();
    for lost in &names[..names.len() - 1] {
        let damaged = SimDir::new(7);
        for name in dir.files().iter().filter(|name| *name != lost) {
            damaged.write_file(name, &dir.read_file(name));
        }
        assert!(matches!(open(&damaged), Err(Error::Corrupt { .. })), "{lost}");
        check(&damaged, &contents, &versions, usize::MAX, lost);
    }
}

#[test]
fn salvage_that_breaks_off_is_called_again() {
    let (dir, contents, versions) = store();
    let name = dir.files().into_iter().find(|name| name.ends_with(".seg")).unwrap();
    for at in 1..40 {
        let damaged = copy(&dir);
        damaged.flip_bit(&name, 60, 1);
        damaged.faults(Faults { crash_at: Some(at), ..Faults::default() });
        let _ = Bitcask::salvage_in(Arc::new(damaged.clone()), options());
        let damaged = damaged.crash();
        if open(&damaged).is_err() {
            check(&damaged, &contents, &versions, 2, &format!("broken off at {at}"));
        }
    }
}
