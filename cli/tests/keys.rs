//! Keys and values of a directory.

use crate::Place;
use std::process::{Command, Stdio};

#[test]
fn what_is_put_is_got_and_what_is_deleted_is_not_found() {
    let place = Place::new();
    assert_eq!(place.run("put k v -d s").code, 4, "there is no store");
    assert_eq!(place.run("put k v --dir s --create").ok(), "");
    assert_eq!(place.run("get k -d s").ok(), "v\n");
    assert_eq!(place.run("put k w -d s --json").ok(), "{\"key\":\"k\",\"value_bytes\":1}\n");
    let got = place.run("get k -d s --json").ok();
    assert_eq!(got, "{\"key\":\"k\",\"value\":\"w\",\"expires_at\":null}\n");
    let both = place.run("exists k x -d s");
    assert_eq!((both.code, both.text()), (1, "k\tyes\nx\tno\n".into()));
    assert_eq!(place.run("exists k -d s --json").ok(), "{\"key\":\"k\",\"exists\":true}\n");
    assert_eq!(place.run("del k x k -d s").ok(), "1 deleted\n");
    let again = place.run("del k -d s --json");
    assert_eq!((again.code, again.text()), (1, "{\"deleted\":0}\n".into()));
    let gone = place.run("get k -d s");
    assert_eq!((gone.code, gone.text(), gone.err), (1, String::new(), String::new()));
}

#[test]
fn any_byte_survives_in_every_spelling() {
    let place = Place::new();
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(place.with(&["put", "all", "-d", "s", "--create"], &all).code, 0);
    assert_eq!(place.run("get all -d s --raw-bytes").out, all);
    let escaped = place.run("get all -d s").ok();
    let hex = place.run("get 616c6c -d s --hex").ok();
    assert!(hex.starts_with("000102") && hex.ends_with("feff\n"), "{hex}");
    // What is printed can be typed, as a key as well as a value.
    let (escaped, hex) = (escaped.trim_end_matches('\n'), hex.trim_end());
    assert_eq!(place.with(&["put", "--dir", "s", "--", escaped, escaped], b"").code, 0);
    assert_eq!(place.with(&["get", "--raw-bytes", "-d", "s", "all"], b"").out, all);
    assert_eq!(place.with(&["get", "--hex", "-d", "s", hex], b"").text().trim_end(), hex);
    assert_eq!(place.with(&["keys", "--hex", "-d", "s"], b"").ok(), format!("{hex}\n616c6c\n"));
    let as_typed = place.with(&["put", "--raw-bytes", "-d", "s", "a\\b", "c\\d"], b"");
    assert_eq!(as_typed.code, 0);
    assert_eq!(place.with(&["get", "-d", "s", "a\\\\b"], b"").ok(), "c\\\\d\n");
    let wrong = place.with(&["get", "-d", "s", "a\\b"], b"");
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("--raw-bytes"), "{}", wrong.err);
    std::fs::write(place.path("value"), &all).unwrap();
    assert_eq!(place.run("put file --file value -d s").ok(), "");
    assert_eq!(place.run("get file -d s --raw-bytes").out, all);
}

#[test]
fn lists_are_in_order_and_a_page_goes_on_behind_the_one_before() {
    let place = Place::filled(30);
    let all = place.run("keys -d s").ok();
    assert_eq!((all.lines().count(), all.lines().next()), (30, Some("key:0000")));
    let page = |line: &str| place.run(line).ok().lines().collect::<Vec<_>>().join(" ");
    assert_eq!(page("keys -d s -n 2"), "key:0000 key:0001");
    assert_eq!(page("keys -d s -n 2 --after key:0001"), "key:0002 key:0003");
    assert_eq!(page("keys -d s -n 2 -r"), "key:0029 key:0028");
    assert_eq!(page("keys -d s -n 2 -r --after key:0028"), "key:0027 key:0026");
    assert_eq!(page("keys -d s --prefix key:001 -n 1"), "key:0010");
    assert_eq!(page("keys -d s --match *[13]7"), "key:0017");
    assert_eq!(page("range key:0003 key:0005 --keys -d s"), "key:0003 key:0004");
    assert_eq!(page("range key:0028 --keys -d s"), "key:0028 key:0029");
    assert_eq!(page("range b a -d s"), "");
    assert_eq!(page("keys -d s -n 0"), "");
    let scan = place.run("scan -d s -n 1").ok();
    assert!(scan.starts_with("key:0000\tvalue of 0000"), "{scan}");
    let json = place.run("range key:0001 key:0002 -d s --json").ok();
    assert!(json.starts_with("{\"key\":\"key:0001\",\"value\":\"value of 0001"), "{json}");
}

#[test]
fn what_has_expired_is_not_there_and_gc_removes_it() {
    let place = Place::filled(2);
    assert_eq!(place.run("put gone v --ttl 1ms -d s").ok(), "");
    assert_eq!(place.run("put later v --ttl 1h -d s").ok(), "");
    while place.run("get gone -d s").code != 1 {}
    assert_eq!(place.run("keys -d s").ok(), "key:0000\nkey:0001\nlater\n");
    assert!(place.run("get later -d s -m").ok().contains("expires at"));
    let done = place.run("gc -d s --json").ok();
    assert!(done.contains("\"expired_keys\":1,"), "{done}");
    assert!(place.run("stats -d s --json").ok().contains("\"log_keys\":3,"));
}

#[test]
fn a_command_line_that_makes_no_sense_is_2_and_a_missing_store_4() {
    let place = Place::new();
    for line in ["", "get k", "get -d s", "nonsense", "get k -d s -s x", "keys -d s -n many"] {
        assert_eq!(place.run(line).code, 2, "{line}");
    }
    for line in
        ["get k -d s", "keys -d s", "stats -d s", "verify -d s", "dump -d s", "compact -d s"]
    {
        let done = place.run(line);
        assert_eq!(done.code, 4, "{line}: {done:?}");
        assert!(done.err.contains("there is no store at"), "{line}: {}", done.err);
    }
    let done = place.run("get k -d s --json");
    assert!(done.err.starts_with("{\"error\":\"failed\",\"message\":"), "{}", done.err);
    assert_eq!(place.run("get k -s 127.0.0.1:1").code, 4);
    std::fs::write(place.path("file"), b"x").unwrap();
    assert_eq!(place.run("get k -d file").code, 4);
    assert!(place.run("--help").ok().contains("Exit codes:"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let place = Place::filled(3000);
    let mut child = Command::new(env!("CARGO_BIN_EXE_bitmapist"))
        .args(["scan", "-d", "s"])
        .current_dir(place.0.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
}
