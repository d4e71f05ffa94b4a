//! Truncation and bit rot: never a wrong value, never a hidden key without a word.

use super::model::{self, Contents, NOW};
use super::open;
use bitcask_core::Error;
use bitcask_core::storage::sim::SimDir;

const KEYS: u8 = 20;

/// A killed store with one segment, and for each write the length that the segment had when it was
/// acknowledged.
fn killed() -> (SimDir, Vec<usize>) {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let mut ends = Vec::new();
    for i in 0..KEYS {
        store.put(&[b'k', i], &[i; 10], NOW).unwrap();
        ends.push(store.stats().disk_bytes as usize);
    }
    (dir.kill(), ends)
}

fn prefix(count: usize) -> Contents {
    (0..count as u8).map(|i| (vec![b'k', i], (vec![i; 10], None))).collect()
}

const SEGMENT: &str = "00000001.seg";

#[test]
fn cutting_the_active_segment_at_any_byte_leaves_exactly_the_writes_before_the_cut() {
    let (dir, ends) = killed();
    let bytes = dir.read_file(SEGMENT);
    for cut in 0..=bytes.len() {
        let dir = SimDir::new(cut as u64);
        dir.write_file(SEGMENT, &bytes[..cut]);
        let store = open(&dir).unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(model::contents(&store), prefix(whole), "cut at {cut}");
        let end = store.recovery().torn.as_ref().map_or(cut, |torn| torn.offset as usize);
        assert!(cut == end || bytes[end..cut].iter().any(|byte| *byte != 0), "cut at {cut}");
    }
}

#[test]
fn flipping_any_bit_gives_a_refusal_or_an_error_or_a_reported_cut_and_never_a_wrong_value() {
    let (dir, ends) = killed();
    let bytes = dir.read_file(SEGMENT);
    let end = ends[ends.len() - 1];
    let mut cuts = 0;
    for bit in 0..end * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let dir = SimDir::new(1);
        dir.write_file(SEGMENT, &damaged);
        match open(&dir) {
            Err(Error::Corrupt { path, offset, .. }) => {
                assert!(path.ends_with(SEGMENT));
                assert!(offset as usize <= bit / 8, "bit {bit} reported at {offset}");
            }
            Err(e) => panic!("bit {bit}: {e}"),
            Ok(store) => {
                let found = model::contents(&store);
                assert_eq!(found, prefix(found.len()), "bit {bit}");
                let torn = store.recovery().torn.as_ref();
                assert!(torn.is_some() || found.len() == KEYS as usize, "bit {bit} hides a key");
                cuts += 1;
            }
        }
    }
    // Only what lies behind the last mark can pass for a torn tail.
    assert!(cuts < end * 8 / 3, "{cuts} of {} flips were taken for torn tails", end * 8);
}

#[test]
fn damage_behind_a_hint_is_found_by_the_read_that_meets_it() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    store.put(b"a", b"first", NOW).unwrap();
    store.put(b"b", b"second", NOW).unwrap();
    store.close().unwrap();
    dir.flip_bit(SEGMENT, 16 + 26 + 3, 0);
    let store = open(&dir).unwrap();
    assert!(matches!(store.get(b"a", NOW), Err(Error::Corrupt { offset: 24, .. })));
    assert_eq!(store.get(b"b", NOW).unwrap().as_deref(), Some(&b"second"[..]));
}

#[test]
fn a_segment_that_a_clean_stop_left_and_someone_cut_is_refused() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    store.put(b"a", b"first", NOW).unwrap();
    store.close().unwrap();
    dir.truncate(SEGMENT, dir.read_file(SEGMENT).len() as u64 - 1);
    assert!(matches!(open(&dir), Err(Error::Corrupt { .. })));
}
