//! Keys, whatever they hold.

use super::{fresh, talk};
use resp::Reply;
use std::collections::BTreeMap;

#[test]
fn keys_are_counted_as_often_as_they_are_named() {
    talk(
        r#"
        MSET a 1 b 2 c 3 → +OK
        EXISTS a b a missing → :3
        TOUCH a missing → :1
        TYPE a → +string
        TYPE missing → +none
        DEL a missing a → :1
        UNLINK b c → :2
        DBSIZE → :0
        DEL → -ERR wrong number of arguments for 'del' command
        "#,
    );
}

#[test]
fn any_bytes_are_a_key() {
    talk(
        r#"
        SET "" empty → +OK
        SET "a\x00b\r\n\xff" binary → +OK
        GET "" → "empty"
        GET "a\x00b\r\n\xff" → "binary"
        DEL "" "a\x00b\r\n\xff" → :2
        "#,
    );
}

#[test]
fn rename_moves_the_value_and_its_expiry() {
    talk(
        r#"
        SET a 1 EX 1000 → +OK
        SET b 2 → +OK
        RENAME a b → +OK
        GET b → "1"
        EXISTS a → :0
        EXPIRE b 1000 LT → :0
        RENAME missing b → -ERR no such key
        RENAME b b → +OK
        SET c 3 → +OK
        RENAMENX b c → :0
        RENAMENX b d → :1
        RENAMENX d d → :0
        RENAMENX missing x → -ERR no such key
        "#,
    );
}

#[test]
fn copy_and_move_cross_databases() {
    talk(
        r#"
        SET a 1 → +OK
        COPY a b → :1
        COPY a b → :0
        SET a 2 → +OK
        COPY a b REPLACE → :1
        GET b → "2"
        COPY a a → -ERR source and destination objects are the same
        COPY missing b → :0
        COPY a a DB 1 → :1
        MOVE b 1 → :1
        MOVE a 1 → :0
        MOVE missing 1 → :0
        MOVE a 0 → -ERR source and destination objects are the same
        MOVE a 99 → -ERR DB index is out of range
        COPY a b DB 99 → -ERR DB index is out of range
        DBSIZE → :1
        SELECT 1 → +OK
        DBSIZE → :2
        GET b → "2"
        "#,
    );
}

#[test]
fn keys_match_globs() {
    let (_dir, _server, mut client) = fresh();
    for key in ["one", "two", "three", "four", "a*b", "path/to", "x"] {
        client.talk(&format!("SET {key} v → +OK"));
    }
    for (glob, expected) in [
        ("*", "a*b four one path/to three two x"),
        ("t*", "three two"),
        ("*o*", "four one path/to two"),
        ("?", "x"),
        ("t[wh]*", "three two"),
        ("[^t]*", "a*b four one path/to x"),
        ("[a-p]*", "a*b four one path/to"),
        (r"a\\*b", "a*b"),
        ("path*", "path/to"),
        ("T*", ""),
        ("nothing", ""),
    ] {
        let Reply::Array(found) = client.run(&format!("KEYS \"{glob}\"")) else { panic!() };
        let mut names: Vec<String> = found
            .into_iter()
            .map(|key| match key {
                Reply::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        names.sort();
        assert_eq!(names.join(" "), expected, "{glob}");
    }
    client.talk("KEYS none* → []");
}

/// One whole SCAN; how often every key was returned.
fn scanned(
    client: &mut tests::Client,
    options: &str,
    mut between: impl FnMut(usize),
) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    let mut cursor = "0".to_owned();
    for step in 0.. {
        let Reply::Array(page) = client.run(&format!("SCAN {cursor} {options}")) else { panic!() };
        let [Reply::Bulk(next), Reply::Array(keys)] = &page[..] else { panic!("{page:?}") };
        for key in keys {
            let Reply::Bulk(key) = key else { panic!("{key:?}") };
            *counts.entry(key.to_vec()).or_default() += 1;
        }
        cursor = String::from_utf8(next.to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
        between(step);
    }
    counts
}

#[test]
fn scan_returns_every_key_once() {
    let (_dir, _server, mut client) = fresh();
    for n in 0..500 {
        client.talk(&format!("SET key:{n} v → +OK"));
    }
    for options in ["", "COUNT 1", "COUNT 7", "COUNT 1000", "COUNT 13 TYPE string"] {
        let counts = scanned(&mut client, options, |_| {});
        assert_eq!(counts.len(), 500, "{options}");
    }
    assert_eq!(scanned(&mut client, "MATCH key:1?? COUNT 50", |_| {}).len(), 100);
    assert_eq!(scanned(&mut client, "TYPE hash", |_| {}).len(), 0);
    client.talk(
        r"
        SCAN x → -ERR invalid cursor
        SCAN 0 COUNT 0 → -ERR syntax error
        SCAN 0 COUNT x → -ERR value is not an integer or out of range
        SCAN 0 MATCH → -ERR syntax error
        ",
    );
}

#[test]
fn scan_survives_changes_while_it_goes_on() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    for n in 0..300 {
        client.talk(&format!("SET stays:{n} v → +OK"));
        client.talk(&format!("SET goes:{n} v → +OK"));
    }
    let counts = scanned(&mut client, "COUNT 10", |step| {
        for n in 0..10 {
            other.run(&format!("DEL goes:{}", step * 10 + n));
            other.run(&format!("SET comes:{step}:{n} v"));
        }
    });
    for n in 0..300 {
        let count = counts.get(format!("stays:{n}").as_bytes()).copied().unwrap_or(0);
        assert!(
            count == 1 || (tests::is_redis() && count > 1),
            "stays:{n} was returned {count} times"
        );
    }
}

#[test]
fn random_keys_are_there() {
    talk(
        r#"
        RANDOMKEY → nil
        SET only v → +OK
        RANDOMKEY → "only"
        "#,
    );
}
