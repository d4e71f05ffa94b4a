//! Strings.

use super::{fresh, talk};

#[test]
fn set_takes_every_option() {
    talk(
        r#"
        SET k v → +OK
        GET k → "v"
        SET k w NX → nil
        SET new w NX → +OK
        SET missing w XX → nil
        SET k w XX → +OK
        SET k x GET → "w"
        SET k y NX GET → "x"
        GET k → "x"
        SET fresh z GET → nil
        SET k v EX 100 → +OK
        TTL k → :100
        SET k v2 KEEPTTL → +OK
        TTL k → :100
        SET k v3 → +OK
        TTL k → :-1
        SET k v PXAT 4000000000123 → +OK
        PEXPIRETIME k → :4000000000123
        set k v eXaT 4000000000 → +OK
        EXPIRETIME k → :4000000000
        SET k v EX 0 → -ERR invalid expire time in 'set' command
        SET k v PX -1 → -ERR invalid expire time in 'set' command
        SET k v EX x → -ERR value is not an integer or out of range
        SET k v EX 10 PX 10 → -ERR syntax error
        SET k v NX XX → -ERR syntax error
        SET k v EX 10 KEEPTTL → -ERR syntax error
        SET k v EX → -ERR syntax error
        SET k v NOSUCH → -ERR syntax error
        SET k → -ERR wrong number of arguments for 'set' command
        "#,
    );
}

#[test]
fn the_older_ways_to_set_and_get() {
    talk(
        r#"
        SETNX k v → :1
        SETNX k w → :0
        SETEX k 100 v → +OK
        TTL k → :100
        PSETEX k 100000 v → +OK
        TTL k → :100
        SETEX k 0 v → -ERR invalid expire time in 'setex' command
        GETSET k w → "v"
        TTL k → :-1
        GETSET missing v → nil
        GETDEL k → "w"
        GETDEL k → nil
        SET k v → +OK
        GETEX k EX 100 → "v"
        TTL k → :100
        GETEX k → "v"
        TTL k → :100
        GETEX k PERSIST → "v"
        TTL k → :-1
        GETEX nothing EX 100 → nil
        GETEX k EX 0 → -ERR invalid expire time in 'getex' command
        GETEX k KEEPTTL → -ERR syntax error
        "#,
    );
}

#[test]
fn many_at_once() {
    talk(
        r#"
        MSET a 1 b 2 a 3 → +OK
        MGET a b missing a → ["3", "2", nil, "3"]
        MSETNX c 1 a 9 → :0
        EXISTS c → :0
        MSETNX c 1 d 2 → :1
        MSET a → -ERR wrong number of arguments for 'mset' command
        MSET a 1 b → -ERR wrong number of arguments for 'mset' command
        MGET → -ERR wrong number of arguments for 'mget' command
        "#,
    );
}

#[test]
fn parts_of_strings() {
    talk(
        r#"
        APPEND s Hello → :5
        APPEND s " World" → :11
        STRLEN s → :11
        STRLEN missing → :0
        GETRANGE s 0 4 → "Hello"
        GETRANGE s -5 -1 → "World"
        GETRANGE s 5 2 → ""
        GETRANGE s 0 -1 → "Hello World"
        GETRANGE s 8 1000 → "rld"
        GETRANGE s -1000 1 → "He"
        SUBSTR s 0 1 → "He"
        GETRANGE missing 0 -1 → ""
        SETRANGE s 6 Redis → :11
        GET s → "Hello Redis"
        SETRANGE new 3 x → :4
        GET new → "\x00\x00\x00x"
        SETRANGE missing 5 "" → :0
        EXISTS missing → :0
        SETRANGE s -1 x → -ERR offset is out of range
        SETRANGE s 536870912 x → -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        "#,
    );
}

#[test]
fn numbers_count_and_overflow() {
    talk(
        r#"
        INCR n → :1
        INCRBY n 41 → :42
        DECR n → :41
        DECRBY n 40 → :1
        DECRBY n -5 → :6
        SET n 9223372036854775807 → +OK
        INCR n → -ERR increment or decrement would overflow
        DECRBY n -1 → -ERR increment or decrement would overflow
        DECRBY n -9223372036854775808 → -ERR decrement would overflow
        SET n " 1" → +OK
        INCR n → -ERR value is not an integer or out of range
        SET n 01 → +OK
        INCR n → -ERR value is not an integer or out of range
        SET n "" → +OK
        INCR n → -ERR value is not an integer or out of range
        INCRBY m x → -ERR value is not an integer or out of range
        INCRBYFLOAT f 10.50 → "10.5"
        INCRBYFLOAT f 0.1 → "10.6"
        INCRBYFLOAT f -5 → "5.6"
        SET f 5.0e3 → +OK
        INCRBYFLOAT f 2.0e2 → "5200"
        INCRBYFLOAT f x → -ERR value is not a valid float
        INCRBYFLOAT f inf → -ERR increment would produce NaN or Infinity
        SET f abc → +OK
        INCRBYFLOAT f 1 → -ERR value is not a valid float
        "#,
    );
}

#[test]
fn long_values_come_back_whole() {
    let (_dir, _server, mut client) = fresh();
    for length in [0_usize, 1, 44, 45, 4095, 4096, 65_535, 65_536, 1 << 20, 5 << 20] {
        let value: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
        client.call(&[b"SET", b"long", &value]);
        assert_eq!(client.number("STRLEN long"), length as i64);
        assert_eq!(client.call(&[b"GET", b"long"]), resp::Reply::bulk(value));
    }
}
