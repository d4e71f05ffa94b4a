//! What was sound when a file was taken over must stay so.

use super::*;
use crate::inspect::{Found, RecordKind, inspect_in};

/// (records, voids, places of damage)
fn look(dir: &SimDir) -> (usize, usize, usize) {
    let mut seen = (0, 0, 0);
    inspect_in(dir, None, &mut |found| {
        match found {
            Found::Record(record) if record.kind == RecordKind::Void => seen.1 += 1,
            Found::Record(_) => seen.0 += 1,
            Found::Damage { .. } => seen.2 += 1,
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    seen
}

#[test]
fn damage_that_was_there_before_is_no_damage_and_any_later_one_is() {
    let (dir, wanted) = sample();
    assert_eq!(look(&dir), (10, 2, 0), "not taken over yet");
    let verify =
        |dir: &SimDir| Bitcask::verify_in(Arc::new(dir.clone()), options(), &mut |_| {}).unwrap();
    let report = verify(&dir);
    assert!(report.is_sound() && report.hints.is_empty());
    assert_eq!((report.records, report.voids, report.keys), (10, 2, wanted.len() as u64));
    open_in_place(&dir).close().unwrap();
    assert_eq!(look(&dir).2, 0);
    let report = verify(&dir);
    assert!(report.is_sound() && report.hints.is_empty(), "{report:?}");
    for name in ["9.bitcask.data", "11.bitcask.data", "12.bitcask.data"] {
        let data = dir.read_file(name);
        for byte in 0..data.len() {
            let dir = dir.kill();
            dir.flip_bit(name, byte as u64, (byte % 8) as u8);
            let damaged = look(&dir).2 > 0;
            assert_eq!(verify(&dir).is_sound(), !damaged, "{name} {byte}");
            // With the hint, what is still sound is still there, and nothing else.
            let store = open_in_place(&dir);
            assert_eq!(store.len(), wanted.len());
            for (key, (value, _)) in &wanted {
                match store.get(key, NOW) {
                    Ok(found) => assert_eq!(found.as_ref(), Some(value), "{name} {byte}"),
                    Err(e) => assert!(damaged && e.is_damage(), "{name} {byte}: {e}"),
                }
            }
            match compact(&store) {
                Ok(_) => assert!(!damaged, "{name} {byte}"),
                Err(e) => assert!(damaged && e.is_damage(), "{name} {byte}: {e}"),
            }
            drop(store);
            if !damaged {
                continue;
            }
            if byte % 2 == 0 {
                // Without, nobody could say which key it was.
                remove_hints(&dir);
                assert!(open_as(&dir, Mode::ReadOnly).unwrap_err().is_damage());
                assert!(open_as(&dir, Mode::Existing).unwrap_err().is_damage());
            }
            let report = Bitcask::salvage_in(Arc::new(dir.clone()), options()).unwrap();
            assert!(!report.lost.is_empty(), "{name} {byte}");
            assert!(report.lost[0].path.ends_with(name) && report.unreadable_keys == 0);
            let store = open_in_place(&dir);
            let found = all(&store);
            assert_eq!(look(&dir).2, 0);
            everything(&store);
            assert_eq!(all(&store), found, "{name} {byte}");
        }
    }
}

fn remove_hints(dir: &SimDir) {
    let ours = |name: &String| name.starts_with("0000000") && name.ends_with(".hint");
    dir.files().iter().filter(|name| ours(name)).for_each(|name| dir.remove(name).unwrap());
}

#[test]
fn a_hint_that_does_not_say_what_the_file_holds_is_found_and_made_anew() {
    let (dir, wanted) = sample();
    open_in_place(&dir).close().unwrap();
    // That of another directory, in which a key was not deleted.
    let (other, _) = sample();
    let mut data = other.read_file("9.bitcask.data");
    let at = data.windows(17).position(|part| part == basho::TOMBSTONE).unwrap();
    data[at] = b'B';
    let start = at - key(1).len() - basho::HEADER_LEN;
    let crc = crate::format::crc32(&data[start + 4..at + 22]).to_be_bytes();
    data[start..start + 4].copy_from_slice(&crc);
    other.write_file("9.bitcask.data", &data);
    open_in_place(&other).close().unwrap();
    dir.write_file("00000001.hint", &other.read_file("00000001.hint"));
    let store = Arc::new(dir.clone());
    let report = Bitcask::verify_in(store.clone(), options(), &mut |_| {}).unwrap();
    assert!(report.hints[0].0.ends_with("00000001.hint") && report.hints.len() == 1, "{report:?}");
    let report = Bitcask::repair_in(store.clone(), options()).unwrap();
    assert_eq!(report.rebuilt_hints, 1);
    assert!(Bitcask::verify_in(store, options(), &mut |_| {}).unwrap().hints.is_empty());
    assert_eq!(all(&open_in_place(&dir)), wanted);
}

#[test]
fn a_file_that_was_cut_short_is_refused_and_salvage_keeps_what_is_left() {
    let (dir, wanted) = sample();
    open_in_place(&dir).close().unwrap();
    let name = "9.bitcask.data";
    for len in 0..dir.read_file(name).len() as u64 {
        let dir = dir.kill();
        dir.truncate(name, len);
        assert!(open_as(&dir, Mode::Existing).unwrap_err().is_damage());
        assert!(look(&dir).2 > 0);
        let report = Bitcask::salvage_in(Arc::new(dir.clone()), options()).unwrap();
        assert_eq!(report.segments, 5);
        let found = all(&open_in_place(&dir));
        assert!(found.len() <= wanted.len() + 1, "a deletion may be lost");
        let others = wanted.iter().filter(|(key, _)| **key != key4());
        assert!(others.clone().all(|(key, value)| found.get(key) == Some(value)), "{len}");
    }
}

fn key4() -> Vec<u8> {
    key(4)
}

#[test]
fn a_file_that_is_missing_is_missed_and_salvage_goes_on_without_it() {
    for hint in [false, true] {
        let (dir, wanted) = sample();
        open_in_place(&dir).close().unwrap();
        dir.remove("11.bitcask.data").unwrap();
        if hint {
            dir.remove("00000003.hint").unwrap();
        }
        for mode in [Mode::Existing, Mode::ReadOnly] {
            match open_as(&dir, mode) {
                Err(Error::Corrupt { path, .. }) => assert!(path.ends_with("11.bitcask.data")),
                other => panic!("{other:?}"),
            }
        }
        let report = Bitcask::salvage_in(Arc::new(dir.clone()), options()).unwrap();
        assert_eq!(report.missing, [3]);
        let store = open_in_place(&dir);
        assert_eq!(store.get(&key(4), NOW).unwrap().as_ref(), wanted.get(&key(4)).map(|v| &v.0));
        assert_eq!(store.get(&key(5), NOW).unwrap(), None);
        let found = all(&store);
        everything(&store);
        drop(store);
        assert_eq!(all(&open_in_place(&dir)), found);
    }
}

#[test]
fn the_last_file_is_missed_too_if_nothing_was_written_yet() {
    let (dir, _) = sample();
    open_in_place(&dir).close().unwrap();
    remove_hints(&dir);
    for name in ["12.bitcask.data", "00000005.seg"] {
        dir.remove(name).unwrap();
    }
    for mode in [Mode::Create, Mode::Existing, Mode::ReadOnly] {
        match open_as(&dir, mode) {
            Err(Error::Corrupt { path, .. }) => assert!(path.ends_with("12.bitcask.data")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_left_of_a_file_that_the_log_says_has_gone_is_removed() {
    let (dir, wanted) = sample();
    let before: Vec<_> =
        data_files(&dir).into_iter().map(|name| (name.clone(), dir.read_file(&name))).collect();
    let store = open_in_place(&dir);
    everything(&store);
    store.close().unwrap();
    for (name, data) in &before {
        dir.write_file(name, data);
    }
    assert_eq!(all(&open_as(&dir, Mode::ReadOnly).unwrap()), wanted);
    assert_eq!(data_files(&dir).len(), before.len());
    let store = open_in_place(&dir);
    assert_eq!(all(&store), wanted);
    assert!(data_files(&dir).is_empty() && has_list(&dir));
    drop(store);
    drop(open_in_place(&dir));
    assert!(!has_list(&dir));
}

#[test]
fn a_list_that_is_damaged_is_refused() {
    let (dir, _) = sample();
    open_in_place(&dir).close().unwrap();
    let len = dir.read_file("adopted").len() as u64;
    for byte in 0..len {
        let dir = dir.kill();
        dir.flip_bit("adopted", byte, (byte % 8) as u8);
        for mode in [Mode::Create, Mode::Existing, Mode::ReadOnly] {
            assert!(open_as(&dir, mode).unwrap_err().is_damage(), "{byte}");
        }
        let report = Bitcask::verify_in(Arc::new(dir.clone()), options(), &mut |_| {}).unwrap();
        assert_eq!(report.damage.len(), 1);
        assert!(report.damage[0].path.ends_with("adopted"), "{byte}");
    }
    dir.remove("adopted").unwrap();
    assert!(open_as(&dir, Mode::Create).unwrap_err().is_damage(), "its segments are missing");
}
