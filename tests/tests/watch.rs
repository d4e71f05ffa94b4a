//! WATCH between clients: what counts as a change.

use crate::commands::fresh;
use std::thread;

#[test]
fn a_change_by_another_client_stops_the_transaction() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    for (before, change, stops) in [
        ("SET k 1", "SET k 1", true),
        ("SET k 1", "APPEND k x", true),
        ("SET k 1", "SETBIT k 100 1", true),
        ("SETBIT k 5 1", "SETBIT k 5 1", false),
        ("SET k 1", "DEL k", true),
        ("DEL k", "DEL k", false),
        ("DEL k", "SET k 1", true),
        ("SET k 1", "EXPIRE k 1000", true),
        ("SET k 1", "RENAME k l", true),
        ("SET k 1", "FLUSHALL", true),
        ("DEL k", "FLUSHALL", false),
        ("SET k 1", "GET k", false),
        ("SET k 1", "SET other 1", false),
        ("SET k 1", "SETNX k 2", false),
        ("SET k 1", "BITOP NOT k k", true),
        ("SET k 1", "MSET a 1 k 2", true),
    ] {
        client.run(before);
        client.talk("WATCH k unrelated → +OK");
        other.run(change);
        client.talk("MULTI → +OK");
        client.talk("SET result done → +QUEUED");
        let reply = client.ask("EXEC");
        assert_eq!(reply == "nil[]", stops, "{before}, then {change}: {reply}");
        client.run("FLUSHALL");
    }
}

#[test]
fn ones_own_change_counts_and_unwatch_forgets() {
    let (_dir, server, mut client) = fresh();
    client.talk(
        r"
        WATCH k → +OK
        SET k 1 → +OK
        MULTI → +OK
        EXEC → nil[]
        WATCH k → +OK
        SET k 2 → +OK
        UNWATCH → +OK
        MULTI → +OK
        PING → +QUEUED
        EXEC → [+PONG]
        WATCH k → +OK
        MULTI → +OK
        DISCARD → +OK
        SET k 3 → +OK
        MULTI → +OK
        EXEC → []
        ",
    );
    // A key of the same name in another database is another key.
    let mut other = server.client();
    other.talk("SELECT 1 → +OK");
    client.talk("WATCH k → +OK");
    other.talk("SET k x → +OK");
    client.talk("MULTI → +OK");
    client.talk("EXEC → []");
}

#[test]
fn a_watched_key_that_expires_stops_the_transaction() {
    let (_dir, _server, mut client) = fresh();
    client.talk("SET k v PX 500 → +OK");
    client.talk("WATCH k → +OK");
    let mut other = _server.client();
    tests::until("the key expires", || other.number("EXISTS k") == 0);
    client.talk("MULTI → +OK");
    client.talk("PING → +QUEUED");
    client.talk("EXEC → nil[]");
}

#[test]
fn counters_kept_with_watch_lose_nothing() {
    const CLIENTS: usize = 4;
    const COUNTS: usize = 100;
    let (_dir, server, mut client) = fresh();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = server.client();
                for _ in 0..COUNTS {
                    loop {
                        client.talk("WATCH n → +OK");
                        let seen = match client.run("GET n") {
                            resp::Reply::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                            _ => "0".into(),
                        };
                        client.talk("MULTI → +OK");
                        let next = seen.parse::<u64>().unwrap() + 1;
                        client.talk(&format!("SET n {next} → +QUEUED"));
                        if client.ask("EXEC") == "[+OK]" {
                            break;
                        }
                    }
                }
            });
        }
    });
    assert_eq!(client.ask("GET n"), format!("\"{}\"", CLIENTS * COUNTS));
}
