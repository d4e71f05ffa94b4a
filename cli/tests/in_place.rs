//! A directory of Basho's Bitcask or pybitcask is worked on as any other.

use crate::{Place, files};

/// Two keys, each overwritten; then some damage.
const DATA: &str = concat!(
    "2bb337a8576ab6330006000000166d796b6579326269746361736b5f746f6d6273746f6e653200000001",
    "a92445c5576ab6330006000000086d796b6579326d7976616c756558",
    "ae37f0b6576ab63c0005000000166d796b65796269746361736b5f746f6d6273746f6e653200000001",
    "105fbb8c576ab63c0005000000076d796b65796d7956414c5545",
    "105fbb8c576a",
);

fn classic() -> Place {
    let place = Place::new();
    let bytes: Vec<u8> = (0..DATA.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&DATA[at..at + 2], 16).unwrap())
        .collect();
    std::fs::create_dir(place.path("s")).unwrap();
    std::fs::write(place.path("s/2.bitcask.data"), bytes).unwrap();
    place
}

#[test]
fn what_only_reads_leaves_the_directory_as_it_is() {
    let place = classic();
    assert_eq!(place.run("get -d s mykey").ok(), "myVALUE\n");
    assert_eq!(place.run("keys -d s").ok(), "mykey\nmykey2\n");
    let verified = place.run("verify -d s --json").ok();
    assert!(verified.starts_with("{\"sound\":true,\"segments\":1,\"records\":4,"), "{verified}");
    assert!(verified.contains("\"places_given_up_before\":1,"), "{verified}");
    place.run("stats -d s").ok();
    assert!(place.run("dump -d s").ok().contains("void"));
    place.run("backup -d s copy").ok();
    place.run("backup -d s --file copy.bak").ok();
    assert_eq!(std::fs::read_dir(place.path("s")).unwrap().count(), 1);
    place.run("verify --file copy.bak").ok();
    place.run("restore copy.bak -d restored").ok();
    for copy in ["copy", "restored"] {
        assert_eq!(place.run(&format!("get -d {copy} mykey2")).ok(), "myvalueX\n");
    }
    let refused = place.run("restore --sequence 1 s -d past");
    assert!(refused.code != 0 && refused.err.contains("compact"), "{refused:?}");
}

#[test]
fn what_writes_takes_it_over_and_compaction_leaves_a_store_of_our_own() {
    let place = classic();
    let repaired = place.run("repair -d s --json").ok();
    assert!(repaired.contains("\"files_taken_over\":1,\"entries_skipped\":1"), "{repaired}");
    place.run("put -d s own value").ok();
    place.run("del -d s mykey").ok();
    place.run("verify -d s").ok();
    place.run("compact -d s").ok();
    assert!(files(&place.path("s"), "data").is_empty());
    assert_eq!(place.run("keys -d s").ok(), "mykey2\nown\n");
    let again = place.run("import s -d other");
    assert!(again.code != 0, "{again:?}");
}
