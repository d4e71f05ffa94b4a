//! Real data through the socket and back: after loading, after a restart, after kill −9.

use std::collections::BTreeSet;
use tests::{Client, DataDir, Random, Server, census, is_redis, shown};

/// Which pairs of sets are combined.
const SEED: u64 = 2000;
const PAIRS: usize = 200;

fn key(number: usize) -> String {
    format!("trackist_census:{number}_2026-11-20")
}

/// One SETBIT per id, as marks come.
fn load(client: &mut Client, sets: &[BTreeSet<u64>]) {
    for (number, ids) in sets.iter().enumerate() {
        let key = key(number);
        let commands: Vec<Vec<Vec<u8>>> = ids
            .iter()
            .map(|id| {
                ["SETBIT", &key, &id.to_string(), "1"].map(|arg| arg.as_bytes().to_vec()).to_vec()
            })
            .collect();
        for reply in client.pipeline(&commands) {
            assert_eq!(shown(&reply), ":0");
        }
    }
}

/// The ids of a bitmap, from its bytes.
fn ids(client: &mut Client, key: &str) -> BTreeSet<u64> {
    let resp::Reply::Bulk(bytes) = client.run(&format!("GET {key}")) else {
        return BTreeSet::new();
    };
    let mut ids = BTreeSet::new();
    for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        ids.extend((0..8).filter(|bit| byte & (0x80 >> bit) != 0).map(|bit| at as u64 * 8 + bit));
    }
    ids
}

fn check(client: &mut Client, sets: &[BTreeSet<u64>]) {
    assert_eq!(client.number("DBSIZE"), sets.len() as i64);
    for (number, set) in sets.iter().enumerate() {
        let key = key(number);
        assert_eq!(client.number(&format!("BITCOUNT {key}")), set.len() as i64, "{key}");
        let last = set.iter().next_back().expect("no set is empty");
        assert_eq!(client.number(&format!("STRLEN {key}")), (last / 8 + 1) as i64, "{key}");
        if number % 10 == 0 {
            assert_eq!(ids(client, &key), *set, "{key}");
        }
    }
    let mut random = Random::new(SEED);
    for round in 0..PAIRS {
        let [a, b] = [(); 2].map(|()| random.below(sets.len() as u64) as usize);
        let operations: [(&str, BTreeSet<u64>); 3] = [
            ("AND", &sets[a] & &sets[b]),
            ("OR", &sets[a] | &sets[b]),
            ("XOR", &sets[a] ^ &sets[b]),
        ];
        for (operation, expected) in operations {
            let length = client.number(&format!("BITOP {operation} result {} {}", key(a), key(b)));
            let last = sets[a].iter().next_back().max(sets[b].iter().next_back());
            assert_eq!(length, last.map_or(0, |last| last / 8 + 1) as i64, "seed {SEED}: {a} {b}");
            let count = client.number("BITCOUNT result");
            assert_eq!(count, expected.len() as i64, "seed {SEED}: {a} {operation} {b}");
            if round % 20 == 0 {
                assert_eq!(ids(client, "result"), expected, "seed {SEED}: {a} {operation} {b}");
            }
        }
    }
    client.talk("DEL result → :1");
}

#[test]
fn a_census_is_the_same_after_a_restart_and_after_kill_9() {
    let dir = DataDir::new();
    let sets = census();
    let server = Server::start(&dir, &[]);
    load(&mut server.client(), &sets);
    check(&mut server.client(), &sets);
    let (status, _) = server.stop();
    assert!(status.success(), "a stop is no failure: {status}");

    let server = Server::start(&dir, &[]);
    check(&mut server.client(), &sets);
    server.kill();

    let server = Server::start(&dir, &[]);
    check(&mut server.client(), &sets);
}

#[test]
fn a_small_cache_changes_nothing() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let sets = census();
    let server = Server::start(&dir, &["--cache-size", "64kb", "--sync", "no"]);
    load(&mut server.client(), &sets);
    check(&mut server.client(), &sets);
    let (status, _) = server.stop();
    assert!(status.success());
    let server = Server::start(&dir, &["--cache-size", "0"]);
    check(&mut server.client(), &sets);
}

#[test]
fn every_kind_of_value_survives_kill_9() {
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    let mut client = server.client();
    client.call(&[b"SET", b"large", &large]);
    client.talk(
        r#"
        SET "" "" → +OK
        SET "k\x00\xff" "v\r\n" → +OK
        SETBIT bits 4294967295 1 → :0
        SETBIT cleared 100 1 → :0
        SETBIT cleared 100 0 → :1
        SET deleted x → +OK
        DEL deleted → :1
        SET renamed x → +OK
        RENAME renamed new → +OK
        SELECT 15 → +OK
        SET k fifteen → +OK
        "#,
    );
    server.kill();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    assert_eq!(client.call(&[b"GET", b"large"]), resp::Reply::bulk(large));
    client.talk(
        r#"
        GET "" → ""
        GET "k\x00\xff" → "v\r\n"
        GETBIT bits 4294967295 → :1
        BITCOUNT bits → :1
        STRLEN cleared → :13
        EXISTS deleted renamed → :0
        GET new → "x"
        DBSIZE → :6
        SELECT 15 → +OK
        GET k → "fifteen"
        FLUSHALL → +OK
        "#,
    );
    server.kill();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk("DBSIZE → :0");
    client.talk("SELECT 15 → +OK");
    client.talk("DBSIZE → :0");
}
