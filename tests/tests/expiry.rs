//! Keys that expire while the server runs, and while it does not.

use crate::commands::fresh;
use tests::{DataDir, Server, is_redis, until};

#[test]
fn an_expired_key_is_gone_for_every_command() {
    let (_dir, _server, mut client) = fresh();
    for (look, expected) in [
        ("GET k", "nil"),
        ("EXISTS k", ":0"),
        ("TTL k", ":-2"),
        ("STRLEN k", ":0"),
        ("TYPE k", "+none"),
        ("KEYS *", "[]"),
        ("RANDOMKEY", "nil"),
        ("BITCOUNT k", ":0"),
        ("DEL k", ":0"),
        ("PERSIST k", ":0"),
        ("RENAME k l", "-ERR no such key"),
        ("SET k new XX", "nil"),
        ("SETNX k new", ":1"),
    ] {
        client.talk("SET k v PX 5 → +OK");
        until("the key expires", || client.number("PTTL k") == -2);
        assert_eq!(client.ask(look), expected, "{look}");
        client.run("FLUSHALL");
    }
    client.talk("SET n 5 PX 5 → +OK");
    until("the key expires", || client.number("EXISTS n") == 0);
    client.talk("INCR n → :1");
    client.talk("TTL n → :-1");
}

#[test]
fn expired_keys_are_removed_though_nobody_looks() {
    let (_dir, _server, mut client) = fresh();
    for n in 0..200 {
        client.talk(&format!("SET short:{n} v PX 20 → +OK"));
        client.talk(&format!("SET long:{n} v EX 1000 → +OK"));
    }
    until("the expired ones are removed", || client.number("DBSIZE") == 200);
    client.talk("EXISTS long:0 long:199 → :2");
}

#[test]
fn expiry_survives_a_restart_and_goes_on_meanwhile() {
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk("SET long v PXAT 4000000000123 → +OK");
    client.talk("SETBIT bits 5 1 → :0");
    client.talk("EXPIRE bits 1000 → :1");
    client.talk("SET short v PX 30 → +OK");
    client.talk("SET none v EX 1000 → +OK");
    client.talk("PERSIST none → :1");
    server.kill();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk("PEXPIRETIME long → :4000000000123");
    client.talk("TTL none → :-1");
    let left = client.number("TTL bits");
    assert!((1..=1000).contains(&left), "{left}");
    until("it expires", || client.number("EXISTS short") == 0);
}

#[test]
fn scan_does_not_return_what_has_expired() {
    let (_dir, _server, mut client) = fresh();
    client.talk("SET gone v PX 1 → +OK");
    client.talk("SET here v → +OK");
    until("it expires", || client.number("PTTL gone") == -2);
    assert_eq!(client.ask("SCAN 0 COUNT 100"), r#"["0", ["here"]]"#);
    if !is_redis() {
        client.talk(r#"SCAN 0 MATCH g* → ["0", []]"#);
    }
}
