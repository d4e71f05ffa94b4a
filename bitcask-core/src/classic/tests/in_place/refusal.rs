//! What does not open in place, and what does not any more.

use super::*;
use crate::AsOf;
use crate::storage::disk::DiskDir;

const MODES: [Mode; 3] = [Mode::Create, Mode::Existing, Mode::ReadOnly];

/// The file that is in the way, having checked that nothing was changed.
fn refused(dir: &SimDir) -> String {
    let before: Vec<_> = dir.files();
    let names = MODES.map(|mode| match open_as(dir, mode) {
        Err(Error::Foreign { path, reason }) => {
            assert!(reason.contains("import"), "{reason}");
            path.file_name().unwrap_or_default().to_string_lossy().into_owned()
        }
        other => panic!("{mode:?}: {other:?}"),
    });
    let left = dir.files().into_iter().filter(|name| name != "lock" || before.contains(name));
    assert_eq!(left.collect::<Vec<_>>(), before);
    assert!(names.iter().all(|name| *name == names[0]));
    names[0].clone()
}

#[test]
fn a_file_that_is_new_or_has_grown_is_refused_by_name() {
    let (dir, wanted) = sample();
    open_in_place(&dir).close().unwrap();
    let data = basho_data();
    // Merged away by somebody, and so left alone before and after.
    dir.write_file("77.bitcask.data", &data);
    dir.set_mode("77.bitcask.data", 0o645);
    assert_eq!(all(&open_in_place(&dir)), wanted);
    for name in ["1.bitcask.data", "13.bitcask.data"] {
        let dir = dir.kill();
        dir.write_file(name, &data);
        assert_eq!(refused(&dir), name);
        dir.remove(name).unwrap();
        assert_eq!(all(&open_in_place(&dir)), wanted);
    }
    for name in ["9.bitcask.data", "10.bitcask.data", "12.bitcask.data"] {
        let dir = dir.kill();
        let before = dir.read_file(name);
        dir.write_file(name, &[&before[..], &data].concat());
        assert_eq!(refused(&dir), name);
        dir.write_file(name, &before);
        assert_eq!(all(&open_in_place(&dir)), wanted);
    }
    // Also one that the log says has gone: it is another.
    let store = open_in_place(&dir);
    everything(&store);
    store.close().unwrap();
    dir.write_file("9.bitcask.data", &[0; 1000]);
    assert_eq!(refused(&dir), "9.bitcask.data");
}

#[test]
fn other_layouts_are_refused_and_left_as_they_are() {
    for writer in [Writer::Bitgask, Writer::PrologicV0, Writer::PrologicV1] {
        let (files, _) = writer.run(&[Step::Put(1, b"value".to_vec(), None)]);
        let dir = writer.dir(&files);
        refused(&dir);
    }
    let dir = SimDir::new(1);
    dir.write_file("bitgask.meta", b"{}");
    refused(&dir);
}

#[test]
fn a_layer_above_that_has_keys_of_its_own_is_kept_from_taking_over() {
    let (dir, _) = sample();
    let files = dir.files();
    for mode in MODES {
        let options = Options { adopt: false, mode, ..options() };
        let opened = Bitcask::open_in(Arc::new(dir.clone()), options);
        assert!(matches!(opened, Err(Error::Foreign { .. })), "{opened:?}");
    }
    assert_eq!(dir.files(), files);
}

#[test]
fn a_file_that_is_too_long_is_refused_and_the_directory_left_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DiskDir::open(temporary.path()).unwrap();
    let file = dir.create("7.bitcask.data").unwrap();
    file.set_len(1 << 32).unwrap();
    for mode in MODES {
        let opened = Bitcask::open(temporary.path(), Options { mode, ..options() });
        match opened {
            Err(Error::Foreign { path, .. }) => assert!(path.ends_with("7.bitcask.data")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(dir.list().unwrap(), ["7.bitcask.data"]);
}

#[test]
fn nothing_is_taken_over_from_a_process_that_writes() {
    for name in ["bitcask.write.lock", "bitcask.merge.lock"] {
        let (dir, wanted) = sample();
        dir.write_file(name, format!("{} \n", std::process::id()).as_bytes());
        let files = dir.files();
        for mode in MODES {
            assert!(matches!(open_as(&dir, mode), Err(Error::Locked { .. })));
        }
        assert_eq!(dir.files(), files);
        dir.write_file(name, format!("{} \n", i32::MAX).as_bytes());
        assert_eq!(all(&open_in_place(&dir)), wanted);
    }
}

#[test]
fn what_was_taken_over_is_no_directory_of_theirs_any_more() {
    let (dir, _) = sample();
    open_in_place(&dir).close().unwrap();
    let opened = Directory::open_in(Arc::new(dir), Layout::Basho, DirectoryOptions::default());
    assert!(matches!(opened, Err(Error::Unrecognised { .. })));
}

#[test]
fn the_past_can_be_told_once_their_files_have_been_compacted() {
    let (dir, wanted) = sample();
    let target = SimDir::new(2);
    let restore = || Bitcask::restore_as_of_in(&dir, AsOf::Time(NOW), &target);
    assert!(matches!(restore(), Err(Error::Foreign { .. })), "not taken over");
    let store = open_in_place(&dir);
    store.put(b"own", b"value", NOW).unwrap();
    let e = restore().unwrap_err();
    assert!(e.to_string().contains("compact"), "{e}");
    everything(&store);
    store.put(b"late", b"value", UnixMillis(NOW.0 + 1)).unwrap();
    store.close().unwrap();
    restore().unwrap();
    let mut wanted = wanted;
    wanted.insert(b"own".to_vec(), (b"value".to_vec(), None));
    assert_eq!(all(&open_in_place(&target)), wanted);
}

#[test]
fn a_backup_goes_neither_beside_another_store_nor_beside_their_files() {
    let (dir, _) = sample();
    let store = open_in_place(&dir);
    let (other, _) = sample();
    assert!(matches!(store.backup_in(&other), Err(Error::NotABackup { .. })));
    // A store of its own, of files that are the same.
    open_in_place(&other).close().unwrap();
    let files = other.files();
    assert!(matches!(store.backup_in(&other), Err(Error::NotABackup { .. })));
    assert_eq!(other.files(), files);
}

#[test]
fn a_directory_of_nothing_but_files_that_were_merged_away_is_empty() {
    let dir = SimDir::new(1);
    dir.write_file("3.bitcask.data", &basho_data());
    dir.set_mode("3.bitcask.data", 0o4644);
    assert!(matches!(open_as(&dir, Mode::ReadOnly), Err(Error::Missing { .. })));
    let store = open_in_place(&dir);
    assert_eq!(store.len(), 0);
    assert_eq!(store.recovery().classic.as_ref().unwrap().retired_files, ["3.bitcask.data"]);
    store.put(b"k", b"v", NOW).unwrap();
    drop(store);
    assert_eq!(open_in_place(&dir).len(), 1);
}
