//! The contracts of `Dir` and `File`: what the engine relies on holds on the real disk and on the simulated
//! one.

use bitcask_core::storage::disk::DiskDir;
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::storage::{Dir, read_exact_at, write_all_at};
use std::io::ErrorKind;

/// Runs `test` on both.
fn on_each(test: impl Fn(&dyn Dir)) {
    let temporary = tempfile::tempdir().unwrap();
    test(&DiskDir::open(temporary.path().join("a/b")).unwrap());
    test(&SimDir::new(7));
}

fn names(dir: &dyn Dir) -> Vec<String> {
    let mut names = dir.list().unwrap();
    names.sort();
    names
}

fn contents(dir: &dyn Dir, name: &str) -> Vec<u8> {
    let file = dir.open(name, false).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    read_exact_at(&*file, &mut bytes, 0).unwrap();
    assert_eq!((*file.map().unwrap()).as_ref(), bytes, "the mapping is the file");
    bytes
}

#[test]
fn files_are_made_once_renamed_over_others_and_removed_while_they_are_open() {
    on_each(|dir| {
        let a = dir.create("a").unwrap();
        write_all_at(&*a, b"first", 0).unwrap();
        assert_eq!(dir.create("a").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(dir.open("b", false).unwrap_err().kind(), ErrorKind::NotFound);
        write_all_at(&*dir.create("b").unwrap(), b"second", 0).unwrap();
        dir.rename("b", "a").unwrap();
        dir.sync().unwrap();
        assert_eq!((names(dir), contents(dir, "a")), (vec!["a".into()], b"second".to_vec()));
        let mut kept = [0; 5];
        read_exact_at(&*a, &mut kept, 0).unwrap();
        assert_eq!(&kept, b"first", "a handle stays what it was");
        dir.remove("a").unwrap();
        assert_eq!(dir.remove("a").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(dir.rename("a", "c").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(names(dir).is_empty());
    });
}

#[test]
fn only_a_file_without_a_name_that_nobody_else_has_open_is_cut() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DiskDir::open(temporary.path().join("a")).unwrap();
    let other = DiskDir::open(temporary.path().join("b")).unwrap();
    for linked in [false, true] {
        write_all_at(&*dir.create("file").unwrap(), &[7; 100], 0).unwrap();
        let file = dir.open("file", true).unwrap();
        if linked {
            other.link("link", &dir, "file").unwrap();
        }
        assert!(!file.cut_unnamed(50).unwrap(), "it has its name");
        let reader = dir.open("file", false).unwrap();
        dir.remove("file").unwrap();
        assert!(!file.cut_unnamed(50).unwrap(), "somebody reads it");
        assert_eq!(reader.size().unwrap(), 100);
        let map = reader.map().unwrap();
        drop(reader);
        assert!(!file.cut_unnamed(50).unwrap(), "somebody has it mapped");
        assert_eq!((*map).as_ref(), [7; 100]);
        drop(map);
        assert_eq!(
            (file.cut_unnamed(50).unwrap(), file.size().unwrap()),
            match linked {
                true => (false, 100),
                false => (true, 50),
            }
        );
    }
}

#[test]
fn a_file_reads_as_it_was_written_with_zeros_where_it_was_extended() {
    on_each(|dir| {
        let file = dir.create("f").unwrap();
        write_all_at(&*file, b"abc", 2).unwrap();
        assert_eq!(contents(dir, "f"), b"\0\0abc");
        file.set_len(4).unwrap();
        file.set_len(6).unwrap();
        assert_eq!(contents(dir, "f"), b"\0\0ab\0\0");
        file.allocate(3, 1).unwrap();
        file.allocate(0, 0).unwrap();
        assert_eq!(file.size().unwrap(), 6, "reserving what is there changes nothing");
        file.allocate(4, 100).unwrap();
        assert_eq!(file.size().unwrap(), 104);
        assert_eq!(&contents(dir, "f")[..6], b"\0\0ab\0\0");
        file.sync_data().unwrap();
        let mut beyond = [0; 8];
        assert_eq!(file.read_at(&mut beyond, 104).unwrap(), 0);
        let short = read_exact_at(&*file, &mut beyond, 100).unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_handle_for_reading_changes_nothing() {
    on_each(|dir| {
        write_all_at(&*dir.create("f").unwrap(), b"abc", 0).unwrap();
        let file = dir.open("f", false).unwrap();
        assert!(file.write_at(b"x", 0).is_err());
        assert!(file.set_len(0).is_err());
        assert!(file.allocate(0, 10).is_err());
        assert_eq!(contents(dir, "f"), b"abc");
        write_all_at(&*dir.open("f", true).unwrap(), b"x", 1).unwrap();
        assert_eq!(contents(dir, "f"), b"axc");
    });
}

#[test]
fn a_lock_is_held_by_one_until_it_is_dropped_and_each_name_has_its_own() {
    on_each(|dir| {
        let held = dir.try_lock("lock").unwrap().expect("nobody has it");
        assert!(dir.try_lock("lock").unwrap().is_none());
        let other = dir.try_lock("other").unwrap();
        assert!(other.is_some());
        drop(held);
        assert!(dir.try_lock("lock").unwrap().is_some());
    });
}

#[test]
fn directories_are_no_files_and_names_lead_nowhere_else() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DiskDir::open(temporary.path()).unwrap();
    DiskDir::open(temporary.path().join("inner")).unwrap();
    assert!(names(&dir).is_empty());
    for name in ["", ".", "..", "inner/x", "/x"] {
        assert_eq!(dir.create(name).unwrap_err().kind(), ErrorKind::InvalidInput, "{name:?}");
    }
}

#[test]
fn a_simulated_crash_keeps_what_was_synced_and_may_keep_each_write_for_itself() {
    let (mut older_alone, mut newer_alone, mut none, mut nameless) = (0, 0, 0, 0);
    for seed in 0..400 {
        let dir = SimDir::new(seed);
        let file = dir.create("f").unwrap();
        write_all_at(&*file, b"synced..", 0).unwrap();
        file.sync_data().unwrap();
        dir.sync().unwrap();
        write_all_at(&*file, b"older", 0).unwrap();
        write_all_at(&*file, b"newer", 0).unwrap();
        dir.create("new").unwrap();
        let after = dir.crash();
        match &after.read_file("f")[..] {
            b"older..." | b"olderd.." => older_alone += 1,
            b"newerd.." => newer_alone += 1,
            b"synced.." => none += 1,
            other => panic!("{:?}", other.escape_ascii().to_string()),
        }
        nameless += usize::from(after.files() == ["f"]);
    }
    assert!(older_alone > 0 && newer_alone > 0 && none > 0, "{older_alone} {newer_alone} {none}");
    assert!((100..300).contains(&nameless), "{nameless}");
}

#[test]
fn a_sync_that_failed_is_not_made_good_by_one_that_succeeds() {
    let lost = (0..100).filter(|seed| {
        let dir = SimDir::new(*seed);
        let file = dir.create("f").unwrap();
        dir.sync().unwrap();
        dir.faults(Faults { fail_sync_at: Some(1), ..Faults::default() });
        write_all_at(&*file, b"written", 0).unwrap();
        assert!(file.sync_data().is_err());
        assert_eq!(contents(&dir, "f"), b"written", "the system still shows it");
        file.sync_data().unwrap();
        dir.crash().read_file("f") != b"written"
    });
    assert!(lost.count() > 10);
}
