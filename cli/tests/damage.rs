//! Damage, torn ends, directories that somebody else has.

use crate::{NOW, Place, files, small};
use bitcask_core::{Bitcask, CompactionOptions, Durability, Options};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Flips a bit of the value `wanted` and says in which file, and where its record begins at the latest.
fn damage(place: &Place, wanted: &str) -> (String, u64) {
    for path in place.segments("s") {
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            return (path.file_name().unwrap().to_string_lossy().into_owned(), at as u64);
        }
    }
    panic!("{wanted} is in no segment");
}

#[test]
fn verify_finds_nothing_wrong_with_a_sound_store() {
    let place = Place::filled(50);
    let done = place.run("verify -d s --json").ok();
    assert!(done.starts_with("{\"sound\":true,") && done.contains("\"keys_read\":50,"), "{done}");
    assert!(done.contains("\"damage\":[]"), "{done}");
}

#[test]
fn damage_is_3_and_named_by_file_and_offset_and_salvage_keeps_the_rest() {
    let place = Place::filled(50);
    let (file, before) = damage(&place, "value of 0020");
    let found = place.run("verify -d s --json");
    assert_eq!(found.code, 3, "{found:?}");
    let text = found.text();
    assert!(text.starts_with("{\"sound\":false,") && text.contains(&file), "{text}");
    let offset = text.split("\"offset\":").nth(1).unwrap();
    let offset: u64 = offset.split(',').next().unwrap().parse().unwrap();
    assert!(offset < before && offset + 100 > before, "{text}");
    let people = place.run("verify -d s");
    assert_eq!(people.code, 3);
    assert!(people.text().contains(&file) && people.err.contains("salvage"), "{people:?}");

    let get = place.run("get key:0020 -d s --json");
    assert_eq!(get.code, 3, "{get:?}");
    assert!(get.err.contains("\"error\":\"damaged\"") && get.err.contains(&file), "{}", get.err);
    assert_eq!(place.run("get key:0021 -d s").code, 0);
    assert_eq!(place.run("dump -d s").code, 3);
    assert_eq!(place.run("scan -d s").code, 3);

    let done = place.run("salvage -d s --json").ok();
    assert!(done.contains("\"places_lost\":1,"), "{done}");
    assert_eq!(place.run("verify -d s").code, 0);
    assert_eq!(place.run("get key:0020 -d s").code, 1);
    assert_eq!(place.run("keys -d s").ok().lines().count(), 49);
    assert_eq!(files(&place.path("s"), "damaged").len(), 1);
    assert_eq!(place.run("gc -d s --set-aside").code, 0);
    assert_eq!(files(&place.path("s"), "damaged").len(), 0);
}

/// Once, what was damaged in it was kept for what an earlier restore had brought.
#[test]
fn nothing_is_restored_into_a_store_that_does_not_open() {
    let place = Place::filled(50);
    place.run("backup b -d s").ok();
    let (file, _) = damage(&place, "value of 0020");
    let hint = file.replace(".seg", ".hint");
    std::fs::remove_file(place.path("s").join(hint)).unwrap();
    assert_eq!(place.run("keys -d s").code, 3);
    let refused = place.run("restore b -d s");
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("empty directory"), "{refused:?}");
}

#[test]
fn a_torn_end_is_no_damage_and_repair_cuts_it() {
    let place = Place::filled(50);
    let last = place.segments("s").pop().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    bytes.extend_from_slice(b"half a rec");
    std::fs::write(&last, bytes).unwrap();
    let found = place.run("verify -d s --json").ok();
    assert!(found.contains("\"unfinished_write\":{"), "{found}");
    let done = place.run("repair -d s --json").ok();
    assert!(done.contains("\"bytes_cut\":10,"), "{done}");
    assert!(!place.run("verify -d s --json").ok().contains("unfinished_write"));
    assert_eq!(place.run("keys -d s").ok().lines().count(), 50);
}

/// Sound in itself, and another store's.
#[test]
fn a_hint_that_says_what_its_segment_does_not_hold_is_found_by_verify_and_made_anew_by_repair() {
    let place = Place::new();
    place.run("put k v -d s --create").ok();
    place.run("put o v -d other --create").ok();
    std::fs::copy(place.path("other/00000001.hint"), place.path("s/00000001.hint")).unwrap();
    let found = place.run("verify -d s --json").text();
    assert!(found.contains("00000001.hint") && found.contains("another store's"), "{found}");
    place.run("repair -d s").ok();
    let found = place.run("verify -d s --json").ok();
    assert!(found.contains("\"hints_to_rebuild\":[]"), "{found}");
    assert_eq!(place.run("keys -d s").ok(), "k\n");
}

/// Of a long record the metadata is read without its checksum.
#[test]
fn a_damaged_expiry_is_damage_and_gc_deletes_no_key_for_it() {
    let place = Place::new();
    let long = "x".repeat(10_000);
    place.run(&format!("put k {long} --ttl 30d -d s --create")).ok();
    let path = place.path("s/00000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    // Behind the header of the segment, and that of the record: now it expires in 1970.
    bytes[24 + 26..24 + 26 + 7].fill(0);
    std::fs::write(&path, bytes).unwrap();
    for command in ["keys", "exists k", "get k -m", "gc", "keys"] {
        assert_eq!(place.run(&format!("{command} -d s")).code, 3, "{command}");
    }
}

#[test]
fn what_is_no_store_is_neither_repaired_nor_salvaged_and_stays_as_it_is() {
    let place = Place::new();
    std::fs::create_dir(place.path("photos")).unwrap();
    std::fs::write(place.path("photos/1.jpg"), b"").unwrap();
    for command in ["verify", "repair", "salvage", "compact", "gc"] {
        assert_eq!(place.run(&format!("{command} -d photos")).code, 4, "{command}");
        assert_eq!(std::fs::read_dir(place.path("photos")).unwrap().count(), 1, "{command}");
    }
}

#[test]
fn a_hint_that_is_damaged_is_made_anew_by_repair() {
    let place = Place::filled(50);
    let hint = files(&place.path("s"), "hint").remove(0);
    std::fs::write(&hint, b"nonsense").unwrap();
    let found = place.run("verify -d s").ok();
    assert!(found.contains("hints to rebuild:"), "{found}");
    assert!(place.run("repair -d s --json").ok().contains("\"hints_rebuilt\":1,"));
    assert!(!place.run("verify -d s").ok().contains("hints to rebuild:"));
}

#[test]
fn a_directory_in_use_is_read_and_not_written_and_the_holder_is_named() {
    let place = Place::filled(5);
    let writer = Bitcask::open(place.path("s"), Options::default()).unwrap();
    assert_eq!(place.run("get key:0001 -d s").code, 0);
    assert_eq!(place.run("verify -d s").code, 0);
    for line in [
        "put k v -d s",
        "del key:0001 -d s",
        "compact -d s",
        "gc -d s",
        "repair -d s",
        "salvage -d s",
    ] {
        let done = place.run(line);
        assert_eq!(done.code, 4, "{line}: {done:?}");
        let holder = format!("is in use by process {} (", std::process::id());
        assert!(done.err.contains(&holder), "{line}: {}", done.err);
    }
    drop(writer);
    assert_eq!(place.run("put k v -d s").code, 0);
}

/// What is written, sealed, compacted and removed meanwhile is no damage.
#[test]
fn verify_and_dump_find_a_store_sound_that_is_written_and_compacted_meanwhile() {
    let place = Place::filled(200);
    let options = Options { segment_bytes: 20_000, durability: Durability::Always, ..small() };
    let writer = Bitcask::open(place.path("s"), options).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                let key = format!("key:{:04}", n * 7 % 200);
                writer.put(key.as_bytes(), &vec![n as u8; (n % 900) as usize], NOW).unwrap();
                if n.is_multiple_of(100) {
                    let go_on = &mut |_: &_| ControlFlow::Continue(());
                    writer.compact(&CompactionOptions::everything(), NOW, go_on).unwrap();
                }
            }
        });
        // Whatever happens here, the writer has to end.
        let done = std::panic::catch_unwind(|| {
            for _ in 0..10 {
                let found = place.run("verify -d s --json");
                assert_eq!(found.code, 0, "{found:?}");
                assert!(found.text().contains("\"keys_read\":200,"), "{found:?}");
                assert_eq!(place.run("dump -d s").code, 0);
                assert_eq!(place.run("keys -d s").ok().lines().count(), 200);
            }
        });
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
