//! What any writer wrote is what is read, whole, cut, and with any bit flipped.

use super::model::{WRITERS, Writer, sample, step};
use super::*;
use crate::Error;
use crate::storage::disk::DiskDir;
use crate::storage::{Dir, write_all_at};
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn what_any_of_them_wrote_is_what_is_read(steps in prop::collection::vec(step(), 0..60), writer in 0..4_usize) {
        let writer = WRITERS[writer];
        let (files, states) = writer.run(&steps);
        let directory = open(&writer.dir(&files), writer.layout());
        prop_assert_eq!(&contents(&directory), &states.last().unwrap().2);
        prop_assert_eq!(directory.report().skipped, 0);
        prop_assert_eq!(directory.report().files, files.len());
    }
}

#[test]
fn cutting_the_last_file_at_any_byte_leaves_exactly_the_whole_entries() {
    for writer in WRITERS {
        let (files, states) = writer.run(&sample());
        let (&last, data) = files.last_key_value().unwrap();
        for cut in 0..=data.len() {
            let dir = writer.dir(&files);
            dir.write_file(&writer.name(last), &data[..cut]);
            let directory = open(&dir, writer.layout());
            let whole = states.iter().rfind(|(file, len, _)| *file < last || *len <= cut).unwrap();
            assert_eq!(contents(&directory), whole.2, "{writer:?} cut at {cut}");
            let torn = whole.0 == last && whole.1 < cut;
            assert_eq!(directory.report().skipped, u64::from(torn), "{writer:?} cut at {cut}");
        }
    }
}

#[test]
fn cutting_any_file_at_any_byte_gives_no_value_that_the_key_never_had() {
    for writer in WRITERS {
        let (files, states) = writer.run(&sample());
        let had = |key: &[u8], value: &(Vec<u8>, Option<UnixMillis>)| {
            states.iter().any(|state| state.2.get(key) == Some(value))
        };
        for (file, data) in &files {
            for cut in 0..=data.len() {
                let dir = writer.dir(&files);
                dir.write_file(&writer.name(*file), &data[..cut]);
                let directory = open(&dir, writer.layout());
                let found = contents(&directory);
                assert!(found.iter().all(|(key, value)| had(key, value)), "{writer:?} at {cut}");
                let boundary =
                    cut == 0 || states.iter().any(|(f, end, _)| (f, *end) == (file, cut));
                assert_eq!(directory.report().skipped, u64::from(!boundary), "{writer:?} at {cut}");
            }
        }
    }
}

#[test]
fn flipping_any_bit_gives_no_value_that_the_key_never_had_and_is_noticed() {
    for writer in WRITERS {
        let (files, states) = writer.run(&sample());
        let wanted = &states.last().unwrap().2;
        let mut had: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for (_, _, contents) in &states {
            for (key, (value, _)) in contents {
                had.entry(key.clone()).or_default().insert(value.clone());
            }
        }
        // prologic's checksum covers the value alone: a damaged key or expiry is another, and nobody can tell.
        let blind = matches!(writer, Writer::PrologicV0 | Writer::PrologicV1);
        let values: BTreeSet<&Vec<u8>> = had.values().flatten().collect();
        for (file, data) in &files {
            for bit in 0..data.len() * 8 {
                let dir = writer.dir(&files);
                let mut damaged = data.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                dir.write_file(&writer.name(*file), &damaged);
                let directory = open(&dir, writer.layout());
                let found = contents(&directory);
                if blind {
                    for (value, _) in found.values() {
                        assert!(values.contains(value), "{writer:?} file {file} bit {bit}");
                    }
                    continue;
                }
                for (key, (value, _)) in &found {
                    assert!(had[key].contains(value), "{writer:?} file {file} bit {bit}");
                }
                assert!(directory.report().skipped > 0, "{writer:?} file {file} bit {bit}");
                let named = &directory.report().named[0];
                assert!(named.offset as usize <= bit / 8);
                assert!(named.file == writer.name(*file) && found.len() <= wanted.len() + 1);
            }
        }
    }
}

proptest! {
    /// Whatever lies in a file, reading it ends, and accounts for every byte.
    #[test]
    fn garbage_is_read_to_its_end(pieces in prop::collection::vec(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        Just(vec![0; 40]),
        Just(basho_data()),
    ], 0..8), writer in 0..4_usize) {
        let writer = WRITERS[writer];
        let data = pieces.concat();
        let dir = writer.dir(&BTreeMap::from([(1, data.clone())]));
        let directory = open(&dir, writer.layout());
        contents(&directory);
        let report = directory.report();
        prop_assert!(report.entries > 0 || report.skipped_bytes == data.len() as u64);
    }
}

#[test]
fn a_file_that_changes_after_it_was_opened_is_an_error_and_no_value() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DiskDir::open(temporary.path()).unwrap();
    let file = dir.create("1.bitcask.data").unwrap();
    write_all_at(&*file, &basho_data(), 0).unwrap();
    let directory = Directory::open(temporary.path(), DirectoryOptions::default()).unwrap();
    write_all_at(&*file, b"?", 45).unwrap();
    assert!(matches!(directory.get(b"mykey2"), Err(Error::Corrupt { offset: 42, .. })));
    let entries: Vec<_> = directory.entries().collect();
    assert!(matches!(entries[..], [Ok(_), Err(Error::Corrupt { .. })]), "{entries:?}");
}
