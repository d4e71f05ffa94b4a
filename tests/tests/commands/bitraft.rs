//! What bitraft and kvnode have, and Redis has not.

use super::fresh;
use tests::{Client, DataDir, Server, is_redis};

/// A server with some keys; nothing if it is Redis that is tested.
fn with_keys() -> Option<(DataDir, Server, Client)> {
    if is_redis() {
        return None;
    }
    let (dir, server, mut client) = fresh();
    client.talk(
        r"
        MSET key1 one key2 two key3 three key4 four → +OK
        MSET a:1 x b:1 y other z → +OK
        ",
    );
    Some((dir, server, client))
}

#[test]
fn keys_are_listed_in_order_from_a_pivot_on() {
    let Some((_dir, _server, mut client)) = with_keys() else { return };
    client.talk(
        r#"
        KEYS → ["a:1", "b:1", "key1", "key2", "key3", "key4", "other"]
        KEYS key* PIVOT key2 LIMIT 2 → ["key3", "key4"]
        KEYS * limit 2 → ["a:1", "b:1"]
        KEYS * LIMIT 0 → []
        KEYS * DESC LIMIT 2 → ["other", "key4"]
        KEYS key* DESC PIVOT key3 → ["key2", "key1"]
        KEYS key* DESC PIVOT zzz LIMIT 1 → ["key4"]
        KEYS key* PIVOT key25 → ["key3", "key4"]
        KEYS * EXCL PIVOT key3 → ["key4", "other"]
        KEYS key* PIVOT key1 LIMIT 2 WITHVALUES → ["key2", "two", "key3", "three"]
        KEYS *:1 WITHVALUES DESC → ["b:1", "y", "a:1", "x"]
        KEYS WITHVALUES → []
        KEYS * FOO → -ERR syntax error
        KEYS * PIVOT → -ERR syntax error
        KEYS * LIMIT → -ERR syntax error
        KEYS * LIMIT -1 → -ERR syntax error
        KEYS * LIMIT x → -ERR value is not an integer or out of range
        SETBIT bits 7 1 → :0
        KEYS bits WITHVALUES → ["bits", "\x01"]
        "#,
    );
}

#[test]
fn keys_see_what_a_transaction_has_done() {
    let Some((_dir, _server, mut client)) = with_keys() else { return };
    client.talk(
        r#"
        MULTI → +OK
        SET key25 new → +QUEUED
        DEL key3 → +QUEUED
        KEYS key* PIVOT key1 LIMIT 2 WITHVALUES → +QUEUED
        KEYS key* DESC LIMIT 3 → +QUEUED
        PDEL key2* → +QUEUED
        KEYS key* → +QUEUED
        EXEC → [+OK, :1, ["key2", "two", "key25", "new"], ["key4", "key25", "key2"], :2, ["key1", "key4"]]
        KEYS key* → ["key1", "key4"]
        "#,
    );
}

#[test]
fn what_matches_is_deleted_and_counted() {
    let Some((_dir, _server, mut client)) = with_keys() else { return };
    client.talk(
        r#"
        PDEL → -ERR wrong number of arguments for 'pdel' command
        PDEL key[12] → :2
        PDEL nothing* → :0
        KEYS → ["a:1", "b:1", "key3", "key4", "other"]
        SET soon x PX 1 → +OK
        DEBUG SLEEP 0.01 → +OK
        PDEL soon → :0
        "#,
    );
    for chunk in 0..10 {
        let pairs: Vec<String> = (0..100).map(|n| format!("many:{} v", chunk * 100 + n)).collect();
        client.talk(&format!("MSET {} → +OK", pairs.join(" ")));
    }
    client.talk(
        r"
        WATCH many:777 → +OK
        PDEL many:* → :1000
        MULTI → +OK
        PING → +QUEUED
        EXEC → nil[]
        DBSIZE → :5
        ",
    );
}

#[test]
fn keys_whose_strings_have_a_part_are_deleted() {
    let Some((_dir, _server, mut client)) = with_keys() else { return };
    client.talk(
        r#"
        DELIF o → -ERR wrong number of arguments for 'delif' command
        DELIF o key1 key2 key3 missing key1 → :2
        KEYS key* → ["key3", "key4"]
        MULTI → +OK
        DELIF e key3 → +QUEUED
        DELIF "" key4 → +QUEUED
        EXEC → [:1, :1]
        KEYS key* → []
        COMMAND GETKEYS DELIF part a b → ["a", "b"]
        "#,
    );
}

#[test]
fn what_was_deleted_by_a_pattern_is_gone_after_a_crash() {
    let Some((dir, server, mut client)) = with_keys() else { return };
    client.talk("PDEL key* → :4");
    server.kill();
    let server = Server::start(&dir, &[]);
    server.client().talk(r#"KEYS * → ["a:1", "b:1", "other"]"#);
}
