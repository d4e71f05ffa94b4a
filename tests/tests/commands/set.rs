//! Sets.

use super::{fresh, talk};
use resp::Reply;
use std::collections::BTreeSet;

#[test]
fn members_are_added_found_and_removed_one_by_one_and_many_at_a_time() {
    talk(
        r#"
        SADD s 3 1 2 1 → :3
        SADD s 1 → :0
        SISMEMBER s 1 → :1
        SISMEMBER s 9 → :0
        SISMEMBER missing 1 → :0
        SMISMEMBER s 1 9 3 → [:1, :0, :1]
        SMISMEMBER missing 1 9 → [:0, :0]
        SMEMBERS s → ["1", "2", "3"]
        SMEMBERS missing → []
        SCARD s → :3
        SCARD missing → :0
        TYPE s → +set
        OBJECT ENCODING s → "intset"
        SADD s "" → :1
        OBJECT ENCODING s → "hashtable"
        SREM s "" 9 1 → :2
        OBJECT ENCODING s → "hashtable"
        SREM missing 1 → :0
        SREM s 2 3 → :2
        EXISTS s → :0
        "#,
    );
}

#[test]
fn a_member_moves_from_one_set_to_another() {
    talk(
        r#"
        SADD a 1 → :1
        SMOVE a b 2 → :0
        EXISTS b → :0
        SMOVE a a 1 → :1
        SMOVE a a 2 → :0
        SMOVE a b 1 → :1
        EXISTS a → :0
        SMEMBERS b → ["1"]
        SET text x → +OK
        SMOVE missing text 1 → :0
        SMOVE b text 1 → -WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE text b 1 → -WRONGTYPE Operation against a key holding the wrong kind of value
        SMEMBERS b → ["1"]
        "#,
    );
}

#[test]
fn sets_are_intersected_united_and_subtracted() {
    talk(
        r#"
        SADD a 1 2 3 4 → :4
        SADD b 2 3 5 → :3
        SADD c 3 → :1
        SINTER a → ["1", "2", "3", "4"]
        SINTER a b c → ["3"]
        SINTER a b missing → []
        SUNION a b missing → ["1", "2", "3", "4", "5"]
        SDIFF a b → ["1", "4"]
        SDIFF a missing c → ["1", "2", "4"]
        SDIFF missing a → []
        SINTERCARD 2 a b → :2
        SINTERCARD 2 a b LIMIT 1 → :1
        SINTERCARD 2 a b limit 0 → :2
        SINTERCARD 2 a b LIMIT 9 LIMIT 1 → :1
        SINTERCARD 1 missing → :0
        SINTERCARD 0 a → -ERR numkeys should be greater than 0
        SINTERCARD x a → -ERR numkeys should be greater than 0
        SINTERCARD 2 a → -ERR Number of keys can't be greater than number of args
        SINTERCARD 9223372036854775807 a → -ERR Number of keys can't be greater than number of args
        SINTERCARD 1 a LIMIT → -ERR syntax error
        SINTERCARD 1 a LIMIT x → -ERR LIMIT can't be negative
        SINTERCARD 1 a LIMIT -1 → -ERR LIMIT can't be negative
        SINTERCARD 1 a b → -ERR syntax error
        SET d text → +OK
        SINTERSTORE d a b → :2
        SMEMBERS d → ["2", "3"]
        SUNIONSTORE d d c b → :3
        SMEMBERS d → ["2", "3", "5"]
        SDIFFSTORE a a b → :2
        SMEMBERS a → ["1", "4"]
        EXPIRE d 100 → :1
        SUNIONSTORE d a → :2
        TTL d → :-1
        SINTERSTORE d a missing → :0
        EXISTS d → :0
        SET text x → +OK
        SINTER missing text → -WRONGTYPE Operation against a key holding the wrong kind of value
        SUNIONSTORE a a text → -WRONGTYPE Operation against a key holding the wrong kind of value
        SINTERCARD 2 missing text → -WRONGTYPE Operation against a key holding the wrong kind of value
        SMEMBERS a → ["1", "4"]
        COMMAND GETKEYS SINTERCARD 2 a b LIMIT 2 → ["a", "b"]
        COMMAND GETKEYS SINTERCARD 3 a b → -ERR Invalid arguments specified for command
        COMMAND GETKEYS SINTERCARD x a b → -ERR Invalid arguments specified for command
        "#,
    );
}

#[test]
fn random_members_and_scans_take_the_options_of_redis() {
    talk(
        r#"
        SRANDMEMBER missing → nil
        SRANDMEMBER missing 2 → []
        SPOP missing → nil
        SPOP missing 2 → []
        SADD s 1 → :1
        SRANDMEMBER s → "1"
        SRANDMEMBER s 0 → []
        SRANDMEMBER s 5 → ["1"]
        SRANDMEMBER s -3 → ["1", "1", "1"]
        SRANDMEMBER s x → -ERR value is not an integer or out of range
        SRANDMEMBER s -9223372036854775808 → -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        SRANDMEMBER s 1 2 → -ERR syntax error
        SPOP s 0 → []
        SPOP s x → -ERR value is out of range, must be positive
        SPOP s -1 → -ERR value is out of range, must be positive
        SPOP s 1 2 → -ERR syntax error
        SPOP s → "1"
        EXISTS s → :0
        SADD s 1 2 3 → :3
        SPOP s 9223372036854775807 → ["1", "2", "3"]
        EXISTS s → :0
        SADD s 1 → :1
        SSCAN s 0 → ["0", ["1"]]
        SSCAN s 0 MATCH 2* → ["0", []]
        SSCAN s x → -ERR invalid cursor
        SSCAN missing 0 foo → ["0", []]
        SSCAN s 0 foo → -ERR syntax error
        SSCAN s 0 COUNT 0 → -ERR syntax error
        "#,
    );
}

#[test]
fn strings_hashes_and_sets_keep_apart() {
    talk(
        r#"
        SET text x → +OK
        HSET h a 1 → :1
        SADD s a → :1
        SADD text x → -WRONGTYPE Operation against a key holding the wrong kind of value
        SADD h x → -WRONGTYPE Operation against a key holding the wrong kind of value
        SPOP h → -WRONGTYPE Operation against a key holding the wrong kind of value
        SRANDMEMBER text 2 → -WRONGTYPE Operation against a key holding the wrong kind of value
        SSCAN h 0 foo → -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET s a → -WRONGTYPE Operation against a key holding the wrong kind of value
        GET s → -WRONGTYPE Operation against a key holding the wrong kind of value
        SCAN 0 TYPE set → ["0", ["s"]]
        SET s x → +OK
        TYPE s → +string
        "#,
    );
}

#[test]
fn a_large_set_is_popped_to_its_end_and_every_member_comes_once() {
    let (_dir, _server, mut client) = fresh();
    let member = |n: usize| format!("member:{n:05}").into_bytes();
    for chunk in (0..3000).collect::<Vec<_>>().chunks(500) {
        let members: Vec<Vec<u8>> = chunk.iter().map(|n| member(*n)).collect();
        let args: Vec<&[u8]> =
            [&b"SADD"[..], b"s"].into_iter().chain(members.iter().map(Vec::as_slice)).collect();
        assert_eq!(client.call(&args), Reply::Int(500));
    }
    let mut found = BTreeSet::new();
    for _ in 0..30 {
        let Reply::Array(popped) = client.call(&[b"SPOP", b"s", b"100"]) else {
            panic!("members are an array");
        };
        for member in popped {
            let Reply::Bulk(member) = member else { panic!("{member:?}") };
            assert!(found.insert(member.to_vec()));
        }
    }
    assert_eq!(found, (0..3000).map(member).collect());
    assert_eq!(client.ask("EXISTS s"), ":0");
}

#[test]
fn replies_are_sets_in_resp3() {
    let (_dir, _server, mut client) = fresh();
    client.hello3();
    client.call(&[b"SADD", b"s", b"a"]);
    let set = Reply::Set(vec![Reply::bulk("a")]);
    for command in ["SMEMBERS s", "SINTER s", "SUNION s missing", "SDIFF s", "SPOP s 2"] {
        assert_eq!(client.run(command), set, "{command}");
    }
    client.call(&[b"SADD", b"s", b"a"]);
    assert_eq!(client.run("SRANDMEMBER s 2"), Reply::Array(vec![Reply::bulk("a")]));
}
