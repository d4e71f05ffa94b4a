//! Compaction, backups, other programs' directories, and what looks into segments.

use crate::{NOW, Place, small};
use bitcask_core::Bitcask;

#[test]
fn compaction_gives_the_space_of_what_is_dead_back() {
    let place = Place::filled(50);
    let store = Bitcask::open(place.path("s"), small()).unwrap();
    for n in 0..50 {
        store.put(format!("key:{n:04}").as_bytes(), b"short", NOW).unwrap();
    }
    store.close().unwrap();
    let share = |json: String| -> f64 {
        let share = json.split("\"dead_share\":").nth(1).unwrap();
        share.split(['}', ',']).next().unwrap().parse().unwrap()
    };
    assert!(share(place.run("reclaimable -d s --json").ok()) > 0.5);
    let done = place.run("compact -d s --json").ok();
    assert!(done.contains("\"records_moved\":50,"), "{done}");
    assert!(share(place.run("reclaimable -d s --json").ok()) < 0.2);
    assert_eq!(place.run("get key:0049 -d s").ok(), "short\n");
    let stats = place.run("stats -d s --segments").ok();
    assert!(stats.contains("segment list:") && stats.contains(".seg"), "{stats}");
}

#[test]
fn a_backup_in_a_directory_opens_and_brings_only_what_is_new() {
    let place = Place::filled(50);
    place.run("backup b -d s").ok();
    assert_eq!(place.run("put new v -d s").ok(), "");
    let again = place.run("backup b -d s --json").ok();
    assert!(again.contains("\"kept\":"), "{again}");
    assert_eq!(place.run("verify -d b").code, 0);
    assert_eq!(place.run("keys -d b").ok(), place.run("keys -d s").ok());
    place.run("restore b -d r").ok();
    assert_eq!(place.run("scan -d r").ok(), place.run("scan -d s").ok());
}

#[test]
fn a_backup_in_a_file_is_verified_and_restored_and_a_part_of_one_is_neither() {
    let place = Place::filled(50);
    place.run("backup b.bak --file -d s").ok();
    assert!(place.run("verify --file b.bak --json").ok().starts_with("{\"sound\":true,"));
    place.run("restore b.bak -d r").ok();
    assert_eq!(place.run("scan -d r").ok(), place.run("scan -d s").ok());
    let streamed = place.run("backup - --file -d s");
    assert_eq!(streamed.code, 0);
    assert_eq!(place.with(&["verify", "--file", "-"], &streamed.out).code, 0);
    assert_eq!(place.with(&["restore", "-", "-d", "r2"], &streamed.out).code, 0);
    assert_eq!(place.run("keys -d r2").ok().lines().count(), 50);

    let bytes = std::fs::read(place.path("b.bak")).unwrap();
    std::fs::write(place.path("part.bak"), &bytes[..bytes.len() / 2]).unwrap();
    let part = place.run("verify --file part.bak");
    assert_eq!(part.code, 3, "{part:?}");
    assert!(part.err.contains("part.bak") && part.err.contains("offset"), "{}", part.err);
    assert_eq!(place.run("restore part.bak -d r3").code, 3);
    assert_ne!(place.run("keys -d r3").code, 0, "half a restore does not open");
    assert_eq!(place.run("restore b.bak -d r").code, 4, "there is a store");
}

#[test]
fn a_moment_in_the_past_is_restored_until_compaction_has_forgotten_it() {
    let place = Place::new();
    place.run("put k one -d s --create").ok();
    let metadata = || place.run("get k -m -d s --json").ok();
    let field_of = |metadata: &str, name: &str| {
        let rest = metadata.split(&format!("\"{name}\":")).nth(1).unwrap();
        rest.split(',').next().unwrap().to_owned()
    };
    let one = metadata();
    let field = |name: &str| field_of(&one, name);
    // Until the clock has gone on.
    while field_of(&metadata(), "written_at") == field("written_at") {
        place.run("put k two -d s").ok();
    }
    place.run(&format!("restore s -d then --sequence {}", field("sequence"))).ok();
    assert_eq!(place.run("get k -d then").ok(), "one\n");
    place.run(&format!("restore s -d at --at {}", field("written_at"))).ok();
    assert_eq!(place.run("get k -d at").ok(), "one\n");
    assert_eq!(place.run("restore s -d at --at 2500-01-01").code, 4, "there is a store");
    place.run("restore s -d now --at 2500-01-01").ok();
    assert_eq!(place.run("get k -d now").ok(), "two\n");
    place.run("backup s.bak --file -d s").ok();
    assert_eq!(place.run("restore s.bak -d x --at 2500-01-01").code, 2);
    assert_eq!(place.run("restore s -d x --at yesterday").code, 2);
    place.run("compact -d s").ok();
    assert_eq!(place.run(&format!("restore s -d y --at {}", field("written_at"))).code, 4);
}

#[test]
fn what_is_exported_is_imported() {
    let place = Place::filled(50);
    assert!(place.run("export e -d s --json").ok().contains("\"entries\":50,"));
    assert!(place.path("e/1.bitcask.data").exists() && place.path("e/1.bitcask.hint").exists());
    assert!(place.run("import e -d i").ok().contains("Basho"));
    assert_eq!(place.run("scan -d i").ok(), place.run("scan -d s").ok());
    assert_eq!(place.run("put mine v -d i").ok(), "");
    assert_eq!(place.run("import e -d i").code, 4, "there is a store");
    place.run("import e -d i --merge").ok();
    assert_eq!(place.run("keys -d i").ok().lines().count(), 51);
    assert_eq!(place.run("import nothing -d j").code, 4);
}

#[test]
fn a_dump_has_dead_records_too_with_their_places() {
    let place = Place::new();
    place.run("put k one -d s --create").ok();
    place.run("put k two -d s").ok();
    place.run("del k -d s").ok();
    let json = place.run("dump -d s --json --values --prefix k").ok();
    let kinds: Vec<&str> =
        json.lines().map(|line| line.split("\"kind\":\"").nth(1).unwrap()).collect();
    assert_eq!(kinds.len(), 3, "{json}");
    assert!(kinds[0].starts_with("put") && kinds[2].starts_with("delete"), "{json}");
    assert!(json.lines().nth(1).unwrap().ends_with("\"key\":\"k\",\"value\":\"two\"}"), "{json}");
    assert!(json.starts_with("{\"segment\":1,\"offset\":24,"), "{json}");
    let text = place.run("dump -d s -n 1 --segment 1").ok();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(place.run("dump -d s --segment 77").code, 4);
}

#[test]
fn a_bench_measures_and_leaves_nothing_behind() {
    let place = Place::new();
    let done = place.run("bench --keys 500 --durable 20 --threads 2 --within . --json").ok();
    assert!(done.contains("\"operations\":[{\"what\":\"write\""), "{done}");
    assert_eq!(std::fs::read_dir(place.path(".")).unwrap().count(), 0);
}
