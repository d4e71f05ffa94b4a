//! Hashes.

use super::{fresh, talk};
use resp::Reply;
use std::collections::BTreeSet;

#[test]
fn fields_are_set_read_and_deleted_one_by_one_and_many_at_a_time() {
    talk(
        r#"
        HSET h a 1 b 2 a 3 → :2
        HSET h a 4 → :0
        HGET h a → "4"
        HGET h missing → nil
        HGET missing a → nil
        HMSET h c 5 d "" → +OK
        HMGET h a missing d → ["4", nil, ""]
        HSETNX h a 9 → :0
        HSETNX h e 9 → :1
        HLEN h → :5
        HLEN missing → :0
        HEXISTS h a → :1
        HEXISTS h missing → :0
        HSTRLEN h d → :0
        HSTRLEN h a → :1
        HSTRLEN h missing → :0
        HDEL h a missing b → :2
        HKEYS h → ["c", "d", "e"]
        HVALS h → ["5", "", "9"]
        HGETALL h → ["c", "5", "d", "", "e", "9"]
        TYPE h → +hash
        OBJECT ENCODING h → "listpack"
        HDEL h c d e → :3
        EXISTS h → :0
        HGETALL h → []
        HSET h a → -ERR wrong number of arguments for 'hset' command
        HSET h a 1 b → -ERR wrong number of arguments for 'hset' command
        HMSET h a 1 b → -ERR wrong number of arguments for 'hmset' command
        "#,
    );
}

#[test]
fn numbers_in_fields_are_counted_up_and_what_is_none_is_refused() {
    talk(
        r#"
        HINCRBY h n 5 → :5
        HINCRBY h n -7 → :-2
        HINCRBY h n x → -ERR value is not an integer or out of range
        HSET h s foo big 9223372036854775807 empty "" inf inf hex 0x10 → :5
        HINCRBY h s 1 → -ERR hash value is not an integer
        HINCRBY h empty 1 → -ERR hash value is not an integer
        HINCRBY h big 1 → -ERR increment or decrement would overflow
        HINCRBYFLOAT h s 1 → -ERR hash value is not a float
        HINCRBYFLOAT h empty 1 → -ERR hash value is not a float
        HINCRBYFLOAT h n foo → -ERR value is not a valid float
        HINCRBYFLOAT h n inf → -ERR value is NaN or Infinity
        HINCRBYFLOAT h n nan → -ERR value is not a valid float
        HINCRBYFLOAT h inf 1 → -ERR increment would produce NaN or Infinity
        HINCRBYFLOAT h hex 1 → "17"
        HINCRBYFLOAT h f 3.0e3 → "3000"
        HINCRBYFLOAT h f -0.1 → "2999.89999999999999991"
        "#,
    );
}

#[test]
fn strings_and_hashes_keep_apart() {
    talk(
        r#"
        SET s x → +OK
        HSET s a 1 → -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET s a → -WRONGTYPE Operation against a key holding the wrong kind of value
        HLEN s → -WRONGTYPE Operation against a key holding the wrong kind of value
        HSCAN s 0 foo → -WRONGTYPE Operation against a key holding the wrong kind of value
        HSET h a 1 → :1
        GET h → -WRONGTYPE Operation against a key holding the wrong kind of value
        APPEND h x → -WRONGTYPE Operation against a key holding the wrong kind of value
        SETBIT h 1 1 → -WRONGTYPE Operation against a key holding the wrong kind of value
        BITCOUNT h → -WRONGTYPE Operation against a key holding the wrong kind of value
        BITOP OR d h s → -WRONGTYPE Operation against a key holding the wrong kind of value
        INCR h → -WRONGTYPE Operation against a key holding the wrong kind of value
        SET h x GET → -WRONGTYPE Operation against a key holding the wrong kind of value
        GETSET h x → -WRONGTYPE Operation against a key holding the wrong kind of value
        MGET h s → [nil, "x"]
        SCAN 0 TYPE hash → ["0", ["h"]]
        SCAN 0 TYPE string → ["0", ["s"]]
        SET h x → +OK
        TYPE h → +string
        "#,
    );
}

#[test]
fn random_fields_and_scans_take_the_options_of_redis() {
    talk(
        r#"
        HRANDFIELD missing → nil
        HRANDFIELD missing 2 → []
        HSET h a 1 → :1
        HRANDFIELD h → "a"
        HRANDFIELD h 0 → []
        HRANDFIELD h 5 → ["a"]
        HRANDFIELD h 5 WITHVALUES → ["a", "1"]
        HRANDFIELD h -2 WITHVALUES → ["a", "1", "a", "1"]
        HRANDFIELD h x → -ERR value is not an integer or out of range
        HRANDFIELD h -9223372036854775808 → -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        HRANDFIELD h -9223372036854775807 WITHVALUES → -ERR value is out of range
        HRANDFIELD h 2 foo → -ERR syntax error
        HRANDFIELD h 2 WITHVALUES x → -ERR syntax error
        HSCAN h 0 → ["0", ["a", "1"]]
        HSCAN h 0 MATCH b* → ["0", []]
        HSCAN h x → -ERR invalid cursor
        HSCAN missing 0 foo → ["0", []]
        HSCAN h 0 foo → -ERR syntax error
        HSCAN h 0 COUNT 0 → -ERR syntax error
        HSCAN h 0 COUNT x → -ERR value is not an integer or out of range
        HSCAN h 0 TYPE hash → -ERR syntax error
        "#,
    );
}

#[test]
fn a_scan_of_a_large_hash_gives_every_field_once_though_others_come_and_go() {
    let (_dir, _server, mut client) = fresh();
    let field = |n: usize| format!("field:{n:05}").into_bytes();
    for chunk in (0..5000).collect::<Vec<_>>().chunks(500) {
        let mut args = vec![b"HSET".to_vec(), b"h".to_vec()];
        chunk.iter().for_each(|n| args.extend([field(*n), b"some value".to_vec()]));
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        assert_eq!(client.call(&args), Reply::Int(500));
    }
    assert_eq!(client.ask("OBJECT ENCODING h"), "\"hashtable\"");
    let (mut cursor, mut found, mut steps) = (b"0".to_vec(), Vec::new(), 0);
    loop {
        let Reply::Array(step) = client.call(&[b"HSCAN", b"h", &cursor, b"COUNT", b"100"]) else {
            panic!("a step of a scan is an array");
        };
        let [Reply::Bulk(next), Reply::Array(pairs)] = &step[..] else { panic!("{step:?}") };
        found.extend(pairs.iter().step_by(2).map(|field| match field {
            Reply::Bulk(field) => field.to_vec(),
            other => panic!("{other:?}"),
        }));
        // What was not there from the start may be given or not.
        client.call(&[b"HSET", b"h", format!("other:{steps}").as_bytes(), b""]);
        client.call(&[b"HDEL", b"h", format!("other:{}", steps / 2).as_bytes()]);
        steps += 1;
        cursor = next.to_vec();
        if cursor == b"0" {
            break;
        }
    }
    assert!((40..=60).contains(&steps), "{steps} steps");
    let there: Vec<Vec<u8>> = found.into_iter().filter(|field| field.starts_with(b"f")).collect();
    assert_eq!(there.len(), 5000);
    assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), (0..5000).map(field).collect());
}

#[test]
fn replies_are_maps_and_pairs_in_resp3() {
    let (_dir, _server, mut client) = fresh();
    client.hello3();
    client.call(&[b"HSET", b"h", b"a", b"1"]);
    let bulk = |text: &'static str| Reply::bulk(text);
    assert_eq!(client.run("HGETALL h"), Reply::Map(vec![(bulk("a"), bulk("1"))]));
    let pair = Reply::Array(vec![bulk("a"), bulk("1")]);
    assert_eq!(client.run("HRANDFIELD h 1 WITHVALUES"), Reply::Array(vec![pair]));
}
