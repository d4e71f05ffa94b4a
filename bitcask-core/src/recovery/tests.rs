//! Directories that no store writes, made byte by byte.

use crate::format::record::{self, Kind, MAX_SEQUENCE};
use crate::format::segment as format;
use crate::storage::sim::SimDir;
use crate::{Bitcask, Error, Options, UnixMillis};
use std::sync::Arc;

fn log_header(id: u32) -> [u8; format::HEADER_LEN] {
    format::header(id, format::Head { salt: [7; 8], compacted: false })
}

/// A segment of the log with a record that lists what has gone, and a put.
fn listing(id: u32, ranges: &[(u32, u32)]) -> Vec<u8> {
    let list: Vec<u8> =
        ranges.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat()).collect();
    let mut segment = log_header(id).to_vec();
    for (i, (kind, key, value)) in
        [(Kind::Retired, &b""[..], &list[..]), (Kind::Put, b"k", b"v")].into_iter().enumerate()
    {
        let start = segment.len();
        record::encode(&mut segment, kind, UnixMillis(0), None, None, key, value);
        record::seal(&mut segment[start..], 5 + i as u64, false);
    }
    segment
}

/// Found by fuzzing: compaction said that it had been compacted, and that one should try again.
#[test]
fn a_link_to_a_segment_that_never_was_is_damage_to_compaction_too() {
    let mut segment = log_header(1).to_vec();
    let start = segment.len();
    let link = record::ChainLink { segment: 0, offset: 24, level: 0, records: 3, bytes: 99 };
    record::encode(&mut segment, Kind::Delta, UnixMillis(0), None, Some(link), b"k", b"v");
    record::seal(&mut segment[start..], 5, false);
    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(1), &segment);
    let store = open(&dir).unwrap();
    let compacted =
        store.compact(&crate::CompactionOptions::everything(), UnixMillis(1), &mut |_| {
            std::ops::ControlFlow::Continue(())
        });
    assert!(compacted.unwrap_err().is_damage());
    assert!(store.entry(b"k").unwrap_err().is_damage());
}

fn open(dir: &SimDir) -> Result<Bitcask, Error> {
    let options = Options { background: false, ..Options::default() };
    Bitcask::open_in(Arc::new(dir.clone()), options)
}

#[test]
fn a_list_of_all_numbers_that_there_are_is_neither_walked_nor_counted_on_from() {
    let most = format::MAX_ID - 1;
    for (last, good) in [(most, true), (format::MAX_ID + 1, false), (u32::MAX, false)] {
        let dir = SimDir::new(1);
        // What lists it is the one that is left.
        let id = if good { format::MAX_ID } else { 1 };
        let first = if good { 1 } else { 2 };
        dir.write_file(&format::file_name(id), &listing(id, &[(first, last)]));
        let store = open(&dir).unwrap();
        // A list that nothing can have written is as a record that fails its check.
        assert_eq!(store.recovery().torn.is_none(), good, "{last}");
        store.put(b"k", b"and on", UnixMillis(0)).unwrap();
        let mut backup = Vec::new();
        store.backup_to(&mut backup).unwrap();
        let copy = SimDir::new(2);
        Bitcask::restore_in("backup", &mut &backup[..], &copy).unwrap();
        let copy = open(&copy).unwrap();
        assert_eq!(copy.get(b"k", UnixMillis(0)).unwrap().unwrap(), b"and on");
    }
}

#[test]
fn files_with_numbers_that_are_out_of_range_are_refused_at_once() {
    let names: [fn(u32) -> String; 3] =
        [format::file_name, format::hint_name, format::unfinished_name];
    for name in names {
        for id in [format::MAX_ID + 1, u32::MAX] {
            let dir = SimDir::new(1);
            dir.write_file(&format::file_name(1), &listing(1, &[]));
            dir.write_file(&name(id), &log_header(id));
            let e = open(&dir).unwrap_err();
            assert!(matches!(&e, Error::Corrupt { path, .. } if path.ends_with(name(id))), "{e}");
        }
    }
}

#[test]
fn a_number_far_from_the_others_is_no_walk_from_one_to_the_other() {
    for salvage in [false, true] {
        let dir = SimDir::new(1);
        dir.write_file(&format::file_name(1), &listing(1, &[]));
        let far = format::file_name(format::MAX_ID);
        dir.write_file(&far, &listing(format::MAX_ID, &[]));
        let e = if salvage {
            Bitcask::salvage_in(Arc::new(dir), Options::default()).map(|_| ()).unwrap_err()
        } else {
            open(&dir).map(|_| ()).unwrap_err()
        };
        assert!(e.is_damage(), "{e}");
    }
}

#[test]
fn a_list_that_would_go_with_the_segments_that_it_lists_is_damage() {
    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(1), &listing(1, &[(1, 1)]));
    assert!(open(&dir).unwrap_err().is_damage());

    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(1), &listing(1, &[(2, 2)]));
    dir.write_file(&format::file_name(2), &listing(2, &[(1, 1)]));
    assert!(open(&dir).unwrap_err().is_damage());
    assert_eq!(dir.files(), ["00000001.seg", "00000002.seg"], "nothing was removed");
}

/// Found by fuzzing: counting on from the greatest number panicked, within a batch and after it.
#[test]
fn a_sequence_number_from_which_nobody_can_count_on_is_refused() {
    for (sequence, good) in [(MAX_SEQUENCE, true), (MAX_SEQUENCE + 1, false), (u64::MAX, false)] {
        let mut segment = log_header(1).to_vec();
        for (sequence, more) in [(sequence, true), (sequence.wrapping_add(1), false)] {
            let start = segment.len();
            record::encode(&mut segment, Kind::Put, UnixMillis(0), None, None, b"k", b"v");
            record::seal(&mut segment[start..], sequence - u64::from(good), more);
        }
        let dir = SimDir::new(1);
        dir.write_file(&format::file_name(1), &segment);
        let options = Options { background: false, ..Options::default() };
        match Bitcask::open_in(Arc::new(dir), options) {
            Ok(store) => {
                assert!(good, "{sequence}");
                store.put(b"k", b"and on", UnixMillis(0)).unwrap();
            }
            Err(e) => assert!(!good && matches!(e, Error::Corrupt { .. }), "{sequence}: {e}"),
        }
    }
}
