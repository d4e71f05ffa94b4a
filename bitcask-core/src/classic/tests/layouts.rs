//! What the formats of other Bitcasks are, byte by byte, and what their writers mean by it.

use super::*;
use crate::classic::prologic::Version;
use crate::classic::{basho, bitgask, prologic};
use crate::format::{Crc32, crc32};
use crate::storage::disk::DiskDir;
use crate::storage::{Dir, write_all_at};
use crate::{CompactionOptions, Error};

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
    let report = directory.report().clone();
    drop(directory);

    // The same in place, and compacted.
    let store = Bitcask::open(temporary.path(), no_thread()).unwrap();
    assert_eq!(store.recovery().classic, Some(report));
    let check = |store: &Bitcask| {
        assert_eq!(store.get(b"after", NOW).unwrap().as_deref(), Some(&b"it"[..]));
        assert_eq!((store.get(b"k", NOW).unwrap(), store.len()), (None, 1));
    };
    check(&store);
    let everything = CompactionOptions::everything();
    store.compact(&everything, NOW, &mut |_| ControlFlow::Continue(())).unwrap();
    check(&store);
    drop(store);
    check(&Bitcask::open(temporary.path(), no_thread()).unwrap());
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
