//! Every layout: golden bytes, what the model says, damage, import and export.

use super::export::export_in;
use super::prologic::Version;
use super::{
    Directory, DirectoryOptions, Entry, ExportOptions, ImportReport, Layout, basho, bitgask,
    import, import_to, prologic,
};
use crate::format::{Crc32, crc32};
use crate::storage::disk::DiskDir;
use crate::storage::sim::{Faults, SimDir};
use crate::storage::{Dir, write_all_at};
use crate::{Batch, Bitcask, Chain, Error, Fold, Options, UnixMillis};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const NOW_SECS: u64 = NOW.0 / 1000;

type Contents = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;

fn open(dir: &SimDir, layout: Layout) -> Directory {
    Directory::open_in(Arc::new(dir.clone()), layout, DirectoryOptions::default()).unwrap()
}

fn contents(directory: &Directory) -> Contents {
    let entries: Vec<Entry> = directory.entries().map(Result::unwrap).collect();
    let contents: Contents =
        entries.iter().map(|e| (e.key.clone(), (e.value.clone(), e.expires_at))).collect();
    assert_eq!(contents.len(), entries.len(), "each key is there once");
    assert_eq!(contents.len(), directory.len());
    let mut walked = Vec::new();
    directory.walk(b"", b"", &mut |key, place| {
        assert_eq!(directory.place(key), Some(place));
        walked.push((key.to_vec(), directory.read(place).unwrap()));
        ControlFlow::Continue(())
    });
    let mut by_key = entries;
    by_key.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(walked.into_iter().eq(by_key.into_iter().map(|entry| (entry.key.clone(), entry))));
    contents
}

fn value(directory: &Directory, key: &[u8]) -> Option<Vec<u8>> {
    directory.get(key).unwrap().map(|entry| entry.value)
}

/// Two keys, each overwritten the way Basho's does it: a tombstone for the older file, then the value.
pub(super) const BASHO_DATA: &str = concat!(
    "2bb337a8576ab6330006000000166d796b6579326269746361736b5f746f6d6273746f6e653200000001",
    "a92445c5576ab6330006000000086d796b6579326d7976616c756558",
    "ae37f0b6576ab63c0005000000166d796b65796269746361736b5f746f6d6273746f6e653200000001",
    "105fbb8c576ab63c0005000000076d796b65796d7956414c5545",
);

fn basho_data() -> Vec<u8> {
    bytes(BASHO_DATA)
}

#[test]
fn what_erlang_wrote_reads_as_erlang_reads_it() {
    let dir = SimDir::new(1);
    dir.write_file("2.bitcask.data", &basho_data());
    let directory = open(&dir, Layout::Basho);
    let report = directory.report();
    assert_eq!((report.entries, report.deletions, report.skipped), (4, 2, 0), "{report:?}");
    let entry = directory.get(b"mykey2").unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.written_at.0), (&b"myvalueX"[..], 1_466_611_251_000));
    assert_eq!(value(&directory, b"mykey").as_deref(), Some(&b"myVALUE"[..]));
    let place = |key: &[u8]| directory.place(key).map(|place| (place.offset, place.len)).unwrap();
    assert_eq!((place(b"mykey2"), place(b"mykey")), ((42, 28), (111, 26)));

    // The same, merged: what an older file says does not matter.
    let merged = [&basho_data()[42..70], &basho_data()[111..]].concat();
    dir.write_file("10.bitcask.data", &merged);
    assert_eq!(contents(&open(&dir, Layout::Basho)), contents(&directory));
}

#[test]
fn a_tombstone_of_any_version_deletes_and_an_odd_one_is_counted() {
    let golden = bytes("b57e1510576ab63c0005000000116d796b65796269746361736b5f746f6d6273746f6e65");
    for (tombstone, odd) in [
        (&b"bitcask_tombstone"[..], false),
        (b"bitcask_tombstone1\0\0\0\x01", false),
        (b"bitcask_tombstone2\0\0\0\x01", false),
        (b"bitcask_tombstone2\0\0", true),
        (b"bitcask_tombstone of the unknown value", true),
    ] {
        let mut data = Vec::new();
        basho::encode_entry(&mut data, 5, b"mykey", b"value");
        basho::encode_entry(&mut data, 5, b"other", b"bitcask_tombston");
        basho::encode_entry(&mut data, 1_466_611_260, b"mykey", tombstone);
        assert!(tombstone.len() != 17 || data.ends_with(&golden));
        let dir = SimDir::new(1);
        dir.write_file("1.bitcask.data", &data);
        let directory = open(&dir, Layout::Basho);
        assert_eq!((directory.len(), value(&directory, b"mykey")), (1, None));
        assert_eq!(directory.report().odd_deletions, u64::from(odd));
    }
}

#[test]
fn files_are_read_by_number_hints_not_at_all_and_retired_ones_neither() {
    let dir = SimDir::new(1);
    let file = |name: &str, value: &[u8]| {
        let mut data = Vec::new();
        basho::encode_entry(&mut data, 5, b"k", value);
        dir.write_file(name, &data);
    };
    file("9.bitcask.data", b"older");
    file("10.bitcask.data", b"newer");
    file("11.bitcask.data", b"merged away");
    file("12.bitcask.data", b"merged away, too");
    file("x.bitcask.data", b"none of theirs");
    dir.set_mode("11.bitcask.data", 0o645);
    dir.set_mode("12.bitcask.data", 0o4644);
    // As pybitcask writes them: without the key, and a checksum over that.
    let mut hint = bytes("000000050001000000140000000000000000");
    let crc = crc32(&hint);
    hint.extend_from_slice(&[0; 6]);
    hint.extend_from_slice(&crc.to_be_bytes());
    hint.extend_from_slice(&(u64::MAX >> 1).to_be_bytes());
    dir.write_file("10.bitcask.hint", &hint);
    let directory = open(&dir, Layout::Basho);
    assert_eq!(value(&directory, b"k").as_deref(), Some(&b"newer"[..]));
    assert_eq!(directory.files().collect::<Vec<_>>(), ["9.bitcask.data", "10.bitcask.data"]);
    assert_eq!(directory.report().retired_files, ["11.bitcask.data", "12.bitcask.data"]);
}

#[test]
fn an_expiry_of_the_whole_directory_counts_from_when_an_entry_was_written() {
    let dir = SimDir::new(1);
    dir.write_file("1.bitcask.data", &basho_data());
    let options = DirectoryOptions { expiry_secs: Some(10) };
    let directory = Directory::open_in(Arc::new(dir), Layout::Basho, options).unwrap();
    let entry = directory.get(b"mykey").unwrap().unwrap();
    assert_eq!(entry.expires_at, Some(UnixMillis(1_466_611_270_000)));
}

#[test]
fn bad_entries_are_passed_over_and_after_twenty_the_rest_of_the_file_is_given_up() {
    let mut data = Vec::new();
    for i in 0..40_u8 {
        basho::encode_entry(&mut data, 5, &[i], b"value");
    }
    let len = data.len() / 40;
    for bad in [5, 19, 20, 30] {
        let mut damaged = data.clone();
        for i in 0..bad {
            damaged[i * len + 16] ^= 1;
        }
        let dir = SimDir::new(1);
        dir.write_file("1.bitcask.data", &damaged);
        dir.write_file("2.bitcask.data", &data[..len]);
        let directory = open(&dir, Layout::Basho);
        let (skipped, left) = if bad < 20 { (bad, 40 - bad) } else { (20, 0) };
        let report = directory.report();
        assert_eq!(report.skipped as usize, skipped);
        let bytes = if bad < 20 { bad * len } else { 40 * len };
        assert_eq!(report.skipped_bytes as usize, bytes);
        assert_eq!(report.named[3].offset as usize, 3 * len);
        // Key 0 is in the second file, too.
        assert_eq!(directory.len(), left + 1);
        assert_eq!(contents(&directory).len(), left + 1);
    }
}

#[test]
fn a_lock_counts_while_its_process_lives() {
    for (contents, locked) in [
        (format!("{} /some/1.bitcask.data\n", std::process::id()), true),
        (format!("{} \n", std::process::id()), true),
        (format!("{} \n", i32::MAX), false),
        ("0 \n".into(), false),
        ("-1 \n".into(), false),
        ("99999999999999 \n".into(), false),
        (String::new(), false),
    ] {
        for name in ["bitcask.write.lock", "bitcask.merge.lock"] {
            let dir = SimDir::new(1);
            dir.write_file("1.bitcask.data", &basho_data());
            dir.write_file(name, contents.as_bytes());
            let opened =
                Directory::open_in(Arc::new(dir), Layout::Basho, DirectoryOptions::default());
            match opened {
                Ok(_) => assert!(!locked, "{contents:?}"),
                Err(Error::Locked { .. }) => assert!(locked, "{contents:?}"),
                Err(e) => panic!("{contents:?}: {e}"),
            }
        }
    }
}

#[test]
fn a_bitgask_value_that_cannot_be_decompressed_takes_no_older_one_with_it() {
    let mut data = Vec::new();
    bitgask::encode(&mut data, 1, 0, 0, b"k", b"older");
    bitgask::encode(&mut data, 1, 0, 2, b"good", &snappy(b"compressed"));
    bitgask::encode(&mut data, 1, 0, 2, b"k", b"\xff\xff\xff\xff\x0fnot Snappy");
    bitgask::encode(&mut data, 1, 0, 0, &[7; 70_000], b"a key that is too long");
    let dir = SimDir::new(1);
    dir.write_file("000000001.data", &data);
    let directory = open(&dir, Layout::Bitgask);
    assert_eq!(value(&directory, b"good").as_deref(), Some(&b"compressed"[..]));
    assert_eq!(directory.len(), 1);
    let report = directory.report();
    assert_eq!(report.skipped, 2);
    assert_eq!(report.named[0].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(report.named[1].key, None);
}

/// In Snappy's block format, as one literal.
fn snappy(value: &[u8]) -> Vec<u8> {
    assert!((1..60).contains(&value.len()));
    let len = value.len() as u8;
    [&[len, (len - 1) << 2], value].concat()
}

#[test]
fn a_value_that_is_longer_than_a_store_can_hold_is_checked_in_pieces_and_skipped() {
    const LEN: usize = 513 << 20;
    let temporary = tempfile::tempdir().unwrap();
    let dir = DiskDir::open(temporary.path()).unwrap();
    let mut data = Vec::new();
    basho::encode_entry(&mut data, 5, b"k", b"older");
    let mut header = bytes("00000005000100000000");
    header[6..].copy_from_slice(&(LEN as u32).to_be_bytes());
    header.push(b'k');
    let mut crc = Crc32::new();
    crc.update(&header);
    let zeros = vec![0; 1 << 20];
    (0..LEN >> 20).for_each(|_| crc.update(&zeros));
    let long_at = data.len() as u64;
    data.extend_from_slice(&crc.finalize().to_be_bytes());
    data.extend_from_slice(&header);
    let file = dir.create("1.bitcask.data").unwrap();
    write_all_at(&*file, &data, 0).unwrap();
    let end = data.len() as u64 + LEN as u64;
    file.set_len(end).unwrap();
    data.clear();
    basho::encode_entry(&mut data, 5, b"after", b"it");
    write_all_at(&*file, &data, end).unwrap();

    let directory = Directory::open(temporary.path(), DirectoryOptions::default()).unwrap();
    assert_eq!(value(&directory, b"after").as_deref(), Some(&b"it"[..]));
    assert_eq!(directory.place(b"k"), None, "the older value is not its value");
    let skipped = &directory.report().named[0];
    assert_eq!((skipped.offset, skipped.key.as_deref()), (long_at, Some(&b"k"[..])));
}

#[test]
fn prologic_says_its_version_or_it_shows() {
    for version in [Version::V0, Version::V1] {
        for entries in 1..3 {
            let mut data = Vec::new();
            for i in 0..entries {
                prologic::encode(&mut data, version, 0, &[b'k', i], b"value");
            }
            for config in [None, Some("{}"), Some(r#"{"db_version":1}"#)] {
                let dir = SimDir::new(1);
                dir.write_file("000000000.data", b"");
                dir.write_file("000000001.data", &data);
                if let Some(json) = config {
                    let json =
                        if version == Version::V0 { json.replace('1', "0") } else { json.into() };
                    dir.write_file("config.json", json.as_bytes());
                }
                let directory = open(&dir, Layout::Prologic);
                assert_eq!(directory.report().skipped, 0, "{version:?} {entries} {config:?}");
                assert_eq!(directory.len(), usize::from(entries));
            }
        }
    }
}

#[test]
fn zeros_are_no_entries() {
    for (layout, name) in [
        (Layout::Basho, "1.bitcask.data"),
        (Layout::Bitgask, "000000001.data"),
        (Layout::Prologic, "000000001.data"),
    ] {
        let dir = SimDir::new(1);
        dir.write_file(name, &[0; 4096]);
        let directory = open(&dir, layout);
        assert_eq!((directory.len(), directory.report().entries), (0, 0));
        assert_eq!(directory.report().skipped_bytes, 4096);
    }
}

// ---- the model

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Vec<u8>, Option<u16>),
    Delete(u8, u8),
    Rotate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, prop::collection::vec(any::<u8>(), 1..40), prop::option::of(any::<u16>()))
            .prop_map(|(key, value, expiry)| Step::Put(key, value, expiry)),
        2 => (0..6_u8, 0..3_u8).prop_map(|(key, version)| Step::Delete(key, version)),
        1 => Just(Step::Rotate),
    ]
}

fn key(n: u8) -> Vec<u8> {
    [&b"key"[..], &vec![b'x'; usize::from(n)]].concat()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Writer {
    Basho,
    Bitgask,
    PrologicV0,
    PrologicV1,
}

const WRITERS: [Writer; 4] =
    [Writer::Basho, Writer::Bitgask, Writer::PrologicV0, Writer::PrologicV1];

/// The last file's number and length, and the contents.
type State = (u32, usize, Contents);

impl Writer {
    fn layout(self) -> Layout {
        match self {
            Writer::Basho => Layout::Basho,
            Writer::Bitgask => Layout::Bitgask,
            Writer::PrologicV0 | Writer::PrologicV1 => Layout::Prologic,
        }
    }

    fn name(self, file: u32) -> String {
        match self {
            Writer::Basho => basho::data_name(file),
            _ => format!("{file:09}.data"),
        }
    }

    /// Appends a step's entry, and gives the expiry that it has.
    fn write(self, out: &mut Vec<u8>, key: &[u8], step: &Step) -> Option<UnixMillis> {
        let after = match step {
            Step::Put(_, _, after) => after.map(|after| NOW_SECS + 1 + u64::from(after)),
            _ => None,
        };
        let value = match step {
            Step::Put(_, value, _) => Some(&value[..]),
            _ => None,
        };
        match self {
            Writer::Basho => {
                let tombstone = match step {
                    Step::Delete(_, 0) => b"bitcask_tombstone".to_vec(),
                    Step::Delete(_, version) => {
                        [&b"bitcask_tombstone"[..], &[b'0' + version, 0, 0, 0, 1]].concat()
                    }
                    _ => vec![],
                };
                basho::encode_entry(out, NOW_SECS as u32, key, value.unwrap_or(&tombstone));
                None
            }
            Writer::Bitgask => {
                let expires = after.map_or(0, |at| at as i64 * 1_000_000_000);
                match value {
                    Some(value) if value[0] % 2 == 0 => {
                        bitgask::encode(out, 1, expires, 2, key, &snappy(value));
                    }
                    Some(value) => bitgask::encode(out, 1, expires, 0, key, value),
                    None => bitgask::encode(out, 1, 0, 1, key, b""),
                }
                after.map(|secs| UnixMillis(secs * 1000))
            }
            Writer::PrologicV0 => {
                prologic::encode(out, Version::V0, 0, key, value.unwrap_or_default());
                None
            }
            Writer::PrologicV1 => {
                let value = value.unwrap_or_default();
                prologic::encode(out, Version::V1, after.unwrap_or(0), key, value);
                after.map(|secs| UnixMillis(secs * 1000))
            }
        }
    }

    /// The files that the steps make, and what there is after each step.
    fn run(self, steps: &[Step]) -> (BTreeMap<u32, Vec<u8>>, Vec<State>) {
        let mut files = BTreeMap::from([(9, Vec::new())]);
        let mut states = vec![(9, 0, Contents::new())];
        for step in steps {
            let (&last, _) = files.last_key_value().unwrap();
            let mut contents = states.last().unwrap().2.clone();
            match step {
                Step::Rotate => {
                    files.insert(last + 1, Vec::new());
                    states.push((last + 1, 0, contents));
                    continue;
                }
                Step::Put(n, value, _) => {
                    let expires_at = self.write(files.get_mut(&last).unwrap(), &key(*n), step);
                    contents.insert(key(*n), (value.clone(), expires_at));
                }
                Step::Delete(n, _) => {
                    self.write(files.get_mut(&last).unwrap(), &key(*n), step);
                    contents.remove(&key(*n));
                }
            }
            states.push((last, files[&last].len(), contents));
        }
        (files, states)
    }

    fn dir(self, files: &BTreeMap<u32, Vec<u8>>) -> SimDir {
        let dir = SimDir::new(1);
        for (file, data) in files {
            dir.write_file(&self.name(*file), data);
        }
        match self {
            Writer::PrologicV0 => dir.write_file("config.json", br#"{"db_version":0}"#),
            Writer::PrologicV1 => dir.write_file("config.json", br#"{"db_version":1}"#),
            _ => {}
        }
        dir
    }
}

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

/// A few files with overwrites and deletions of everything.
fn sample() -> Vec<Step> {
    let put = |n, value: &[u8], expiry| Step::Put(n, value.to_vec(), expiry);
    vec![
        put(0, b"first", None),
        put(1, b"second", Some(9)),
        put(0, b"Third", None),
        Step::Delete(1, 0),
        Step::Rotate,
        put(2, b"fourth", None),
        put(1, b"fifth", Some(7)),
        Step::Delete(0, 2),
        put(3, b"sixth", None),
        put(2, b"Seventh", Some(5)),
    ]
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

// ---- opening by path

#[test]
fn the_layout_shows_and_what_is_none_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let make = |path: &str, writer: Writer| {
        let dir = DiskDir::open(temporary.path().join(path)).unwrap();
        for (file, data) in writer.run(&sample()).0 {
            write_all_at(&*dir.create(&writer.name(file)).unwrap(), &data, 0).unwrap();
        }
        dir
    };
    let at = |path: &str| Directory::open(temporary.path().join(path), DirectoryOptions::default());
    make("basho", Writer::Basho);
    make("prologic", Writer::PrologicV1);
    make("bitgask/data", Writer::Bitgask);
    make("merging/data.old", Writer::Bitgask);
    DiskDir::open(temporary.path().join("merging/data")).unwrap();
    let inner = make("inner", Writer::Bitgask);
    inner.create("bitgask.meta").unwrap();
    for (path, layout) in [
        ("basho", Layout::Basho),
        ("prologic", Layout::Prologic),
        ("bitgask", Layout::Bitgask),
        ("merging", Layout::Bitgask),
        ("inner", Layout::Bitgask),
    ] {
        let directory = at(path).unwrap();
        assert_eq!(directory.report().layout, layout, "{path}");
        assert_eq!((directory.len(), directory.report().skipped), (3, 0), "{path}");
    }
    DiskDir::open(temporary.path().join("empty")).unwrap();
    assert!(matches!(at("empty"), Err(Error::Unrecognised { .. })));
    assert!(matches!(at("missing"), Err(Error::Missing { .. })));
    inner.create("plain").unwrap();
    assert!(matches!(at("inner/plain"), Err(Error::NotADirectory { .. })));
    // Held by their writers.
    for (path, lock) in [("bitgask", "LOCK"), ("prologic", "lock")] {
        let dir = DiskDir::open(temporary.path().join(path)).unwrap();
        let held = dir.try_lock(lock).unwrap().unwrap();
        assert!(matches!(at(path), Err(Error::Locked { .. })), "{path}");
        drop(held);
        let directory = at(path).unwrap();
        assert!(dir.try_lock(lock).unwrap().is_none(), "nobody writes while it is read");
        drop(directory);
    }
}

// ---- import

fn no_thread() -> Options {
    Options { background: false, ..Options::default() }
}

fn store_contents(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    let entry = |key: &[u8]| store.entry(key).unwrap().unwrap();
    keys.into_iter()
        .map(|key| {
            let entry = entry(&key);
            assert!(entry.deltas.is_empty());
            (key, (entry.base, entry.expires_at))
        })
        .collect()
}

fn quiet(_: &ImportReport) {}

#[test]
fn an_import_keeps_values_expiries_and_timestamps_and_leaves_out_what_has_expired() {
    let mut data = Vec::new();
    let ns = |millis: u64| millis as i64 * 1_000_000;
    bitgask::encode(&mut data, ns(77), 0, 0, b"forever", b"v");
    bitgask::encode(&mut data, ns(78), ns(NOW.0 + 1), 0, b"for now", b"w");
    bitgask::encode(&mut data, ns(79), ns(NOW.0), 0, b"gone", b"x");
    let dir = SimDir::new(1);
    dir.write_file("000000001.data", &data);
    let directory = open(&dir, Layout::Bitgask);
    let store = Bitcask::open_in(Arc::new(SimDir::new(2)), no_thread()).unwrap();
    store.put(b"own", b"stays", NOW).unwrap();
    store.put(b"forever", b"is replaced", NOW).unwrap();
    let report = import(&directory, &store, NOW, &mut quiet).unwrap();
    assert_eq!((report.entries, report.expired, report.total), (2, 1, 3));
    let entry = store.entry(b"forever").unwrap().unwrap();
    assert_eq!((&entry.base[..], entry.expires_at, entry.written_at.0), (&b"v"[..], None, 77));
    let entry = store.entry(b"for now").unwrap().unwrap();
    assert_eq!((entry.expires_at, entry.written_at.0), (Some(UnixMillis(NOW.0 + 1)), 78));
    assert_eq!((store.len(), store.contains(b"own")), (3, true));
}

/// Entries for several batches.
fn large() -> (SimDir, Contents) {
    let (mut data, mut contents) = (Vec::new(), Contents::new());
    for i in 0..8_u8 {
        let value = vec![i; 300 << 10];
        basho::encode_entry(&mut data, NOW_SECS as u32, &[i], &value);
        contents.insert(vec![i], (value, None));
    }
    let dir = SimDir::new(1);
    dir.write_file("1.bitcask.data", &data);
    (dir, contents)
}

#[test]
fn an_import_that_breaks_off_anywhere_leaves_whole_entries_and_can_be_repeated() {
    let (dir, wanted) = large();
    let directory = open(&dir, Layout::Basho);
    let mut broken = 0;
    for n in 1.. {
        let target = SimDir::new(n);
        let store = Bitcask::open_in(Arc::new(target.clone()), no_thread()).unwrap();
        target.faults(Faults { crash_at: Some(n), ..Faults::default() });
        let imported = import(&directory, &store, NOW, &mut quiet);
        drop(store);
        let after = target.crash();
        let store = Bitcask::open_in(Arc::new(after), no_thread()).unwrap();
        let found = store_contents(&store);
        assert!(found.iter().all(|(key, value)| wanted[key] == *value), "broken off at {n}");
        if imported.is_ok() {
            assert_eq!(found, wanted);
            break;
        }
        broken += 1;
        import(&directory, &store, NOW, &mut quiet).unwrap();
        assert_eq!(store_contents(&store), wanted);
    }
    assert!(broken > 3);
}

#[test]
fn a_store_that_is_made_by_an_import_is_there_wholly_or_not_at_all() {
    let (dir, wanted) = large();
    let directory = open(&dir, Layout::Basho);
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("store");
    let entries = |path: &Path| path.read_dir().unwrap().count();
    // Broken off: the file that is read has become bad.
    let changed = SimDir::new(1);
    changed.write_file("1.bitcask.data", &dir.read_file("1.bitcask.data"));
    let bad = open(&changed, Layout::Basho);
    let file = changed.open("1.bitcask.data", true).unwrap();
    write_all_at(&*file, b"?", 2 << 20).unwrap();
    assert!(import_to(&bad, &target, no_thread(), NOW, &mut quiet).is_err());
    assert_eq!(entries(temporary.path()), 0);

    let mut calls = 0;
    let report = import_to(&directory, &target, no_thread(), NOW, &mut |_| calls += 1).unwrap();
    assert!(report.entries == 8 && calls > 2);
    assert_eq!(entries(temporary.path()), 1);
    let store = Bitcask::open(&target, no_thread()).unwrap();
    assert_eq!(store_contents(&store), wanted);
    assert!(import_to(&directory, &target, no_thread(), NOW, &mut quiet).is_err());
    assert_eq!(store_contents(&store), wanted);
}

// ---- export

struct Append;
impl Fold for Append {
    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([base, delta].concat())
    }
    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([older, newer].concat())
    }
}

fn filled() -> Bitcask {
    let options = Options { fold: Some(Arc::new(Append)), ..no_thread() };
    let store = Bitcask::open_in(Arc::new(SimDir::new(1)), options).unwrap();
    let mut batch = Batch::new(NOW);
    let base = batch.put(b"chain", b"base", None);
    batch.put(b"", b"of the empty key", None);
    batch.put(b"empty", b"", None);
    for i in 0..100_u8 {
        batch.put(&[b'k', i], &vec![i; usize::from(i)], None);
    }
    batch.put(b"expiring", b"v", Some(UnixMillis(NOW.0 + 1)));
    batch.put(b"expired", b"v", Some(NOW));
    batch.put(b"tombstone", b"bitcask_tombstone!", None);
    batch.put(&[b'l'; 65_535], b"v", None);
    batch.put(&[b'l'; 65_536], b"v", None);
    let committed = store.write(&mut batch).unwrap();
    let chain = Chain::base(committed.location(&batch, base));
    let mut batch = Batch::new(NOW);
    batch.delta(b"chain", b" and delta", &chain, None);
    store.write(&mut batch).unwrap();
    store
}

fn wanted(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    let get = |key: Vec<u8>| store.get(&key, NOW).unwrap().map(|value| (key, (value, None)));
    let mut contents: Contents = keys.into_iter().filter_map(get).collect();
    contents.remove(&b"tombstone"[..]);
    contents.remove(&[b'l'; 65_536][..]);
    contents
}

#[test]
fn an_export_has_everything_that_the_layout_can_hold_and_says_what_it_cannot() {
    let store = filled();
    for max_file_bytes in [1, 500, 1 << 31] {
        let dir = SimDir::new(1);
        let options = ExportOptions { max_file_bytes };
        let report = export_in(&store, &dir, &options, NOW, &mut |_| {}).unwrap();
        let directory = open(&dir, Layout::Basho);
        assert_eq!(contents(&directory), wanted(&store));
        assert_eq!(value(&directory, b"chain").as_deref(), Some(&b"base and delta"[..]));
        assert_eq!(report.entries as usize, directory.len());
        assert_eq!((report.expired, report.expiries_lost, report.skipped), (1, 1, 2));
        assert_eq!(report.named[1].0, b"tombstone");
        assert_eq!(report.files as usize, directory.report().files);
        assert!(match max_file_bytes {
            1 => report.files as usize == directory.len(),
            500 => report.files > 10,
            _ => report.files == 1,
        });
        assert_eq!(
            dir.files().len(),
            2 * report.files as usize,
            "each has a hint, and nothing else"
        );
        for file in 1..=report.files {
            let data = dir.read_file(&basho::data_name(file));
            assert!(data.len() as u64 <= max_file_bytes.max(70_000));
            check_hint(&data, &dir.read_file(&basho::hint_name(file)));
        }
    }
}

/// That a hint file says what is in its data file, by the rules of Basho's reader.
fn check_hint(data: &[u8], hint: &[u8]) {
    let (entries, trailer) = hint.split_at(hint.len() - 18);
    assert_eq!(trailer[..6], [0; 6]);
    assert_eq!(trailer[6..10], crc32(entries).to_be_bytes());
    assert_eq!(trailer[10..], (u64::MAX >> 1).to_be_bytes());
    let (mut at, mut rest) = (0, entries);
    while !rest.is_empty() {
        let shape = basho::shape(&data[at..]);
        let (key_len, total) = (shape.key as usize, shape.len() as usize);
        assert_eq!(rest[..4], data[at + 4..at + 8]);
        assert_eq!(rest[4..6], (key_len as u16).to_be_bytes());
        assert_eq!(rest[6..10], (total as u32).to_be_bytes());
        assert_eq!(rest[10..18], (at as u64).to_be_bytes());
        assert_eq!(rest[18..][..key_len], data[at + 14..][..key_len]);
        rest = &rest[18 + key_len..];
        at += total;
    }
    assert_eq!(at, data.len(), "the hint covers the whole file");
}

#[test]
fn an_export_that_says_it_is_done_is_on_disk_whatever_failed_before() {
    let store = filled();
    let options = ExportOptions { max_file_bytes: 500 };
    let mut failed = 0;
    for n in 1.. {
        let dir = SimDir::new(n);
        dir.faults(Faults { fail_at: Some(n), short_io: true, ..Faults::default() });
        match export_in(&store, &dir, &options, NOW, &mut |_| {}) {
            Ok(_) => {
                assert!(!dir.has_failed());
                assert_eq!(contents(&open(&dir.crash(), Layout::Basho)), wanted(&store));
                break;
            }
            Err(_) => failed += 1,
        }
    }
    assert!(failed > 50);
}

#[test]
fn an_exported_directory_is_there_wholly_or_not_at_all() {
    let store = filled();
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join("a/classic");
    let options = ExportOptions::default();
    super::export(&store, &target, &options, NOW, &mut |_| {}).unwrap();
    let directory = Directory::open(&target, DirectoryOptions::default()).unwrap();
    assert_eq!(contents(&directory), wanted(&store));
    let again = super::export(&store, &target, &options, NOW, &mut |_| {});
    assert!(matches!(again, Err(Error::Io { .. })));
    assert_eq!(temporary.path().join("a").read_dir().unwrap().count(), 1);
}
