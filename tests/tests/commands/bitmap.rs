//! Bitmaps, which are strings to a client.

use super::{fresh, talk};
use std::collections::BTreeSet;
use tests::Random;

#[test]
fn bits_are_set_and_say_what_they_were() {
    talk(
        r#"
        SETBIT k 7 1 → :0
        SETBIT k 7 1 → :1
        GET k → "\x01"
        GETBIT k 7 → :1
        GETBIT k 100 → :0
        SETBIT k 7 0 → :1
        GET k → "\x00"
        TYPE k → +string
        STRLEN k → :1
        SETBIT k 20 1 → :0
        SETBIT k 20 0 → :1
        GET k → "\x00\x00\x00"
        SETBIT new 20 0 → :0
        STRLEN new → :3
        GETBIT missing 0 → :0
        EXISTS missing → :0
        "#,
    );
}

#[test]
fn strings_have_bits_and_bitmaps_have_bytes() {
    talk(
        r#"
        SET s foobar → +OK
        BITCOUNT s → :26
        GETBIT s 1 → :1
        SETBIT s 6 0 → :1
        SETBIT s 7 1 → :0
        GET s → "eoobar"
        APPEND s ! → :7
        BITCOUNT s → :28
        SETBIT b 65 1 → :0
        GETRANGE b 7 9 → "\x00@"
        INCR b → -ERR value is not an integer or out of range
        SETRANGE b 0 abc → :9
        GET b → "abc\x00\x00\x00\x00\x00@"
        "#,
    );
}

#[test]
fn offsets_reach_to_the_last_bit_and_no_further() {
    talk(
        r#"
        SETBIT k 4294967295 1 → :0
        GETBIT k 4294967295 → :1
        BITCOUNT k → :1
        STRLEN k → :536870912
        BITPOS k 1 → :4294967295
        BITPOS k 0 → :0
        GETRANGE k -1 -1 → "\x01"
        APPEND k x → -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETBIT k 4294967296 1 → -ERR bit offset is not an integer or out of range
        SETBIT k -1 1 → -ERR bit offset is not an integer or out of range
        SETBIT k x 1 → -ERR bit offset is not an integer or out of range
        SETBIT k 1 2 → -ERR bit is not an integer or out of range
        SETBIT k 1 x → -ERR bit is not an integer or out of range
        GETBIT k x → -ERR bit offset is not an integer or out of range
        SETBIT k 1 → -ERR wrong number of arguments for 'setbit' command
        DEL k → :1
        "#,
    );
}

#[test]
fn counts_have_ranges() {
    talk(
        r#"
        SET k foobar → +OK
        BITCOUNT k 0 0 → :4
        BITCOUNT k 1 1 → :6
        BITCOUNT k 1 1 BYTE → :6
        BITCOUNT k 5 30 BIT → :17
        BITCOUNT k -2 -1 → :7
        BITCOUNT k 3 1 → :0
        BITCOUNT k 0 -1000 → :4
        BITCOUNT missing → :0
        BITCOUNT k 0 → -ERR syntax error
        BITCOUNT k 0 1 NOSUCH → -ERR syntax error
        BITCOUNT k a b → -ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn positions_are_found() {
    talk(
        r#"
        SET k "\xff\xf0\x00" → +OK
        BITPOS k 0 → :12
        BITPOS k 1 → :0
        BITPOS k 1 2 → :-1
        BITPOS k 0 1 1 → :12
        BITPOS k 1 1 → :8
        BITPOS k 0 0 15 BIT → :12
        BITPOS k 1 7 15 BIT → :7
        SET ones "\xff\xff" → +OK
        BITPOS ones 0 → :16
        BITPOS ones 0 0 → :16
        BITPOS ones 0 0 -1 → :-1
        BITPOS missing 0 → :0
        BITPOS missing 1 → :-1
        BITPOS k 2 → -ERR The bit argument must be 1 or 0.
        BITPOS k x → -ERR value is not an integer or out of range
        BITPOS k 1 x → -ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn operations_combine_bytes() {
    talk(
        r#"
        SET a foobar → +OK
        SET b abcdef → +OK
        BITOP AND d a b → :6
        GET d → "`bc`ab"
        BITOP OR d a b → :6
        GET d → "goofev"
        BITOP XOR d a b → :6
        GET d → "\x07\r\x0c\x06\x04\x14"
        BITOP NOT d a → :6
        GET d → "\x99\x90\x90\x9d\x9e\x8d"
        BITOP AND d a missing → :6
        GET d → "\x00\x00\x00\x00\x00\x00"
        SET short x → +OK
        BITOP OR d a short → :6
        BITOP AND d missing nothere → :0
        EXISTS d → :0
        BITOP OR a a b → :6
        GET a → "goofev"
        SET d v EX 100 → +OK
        BITOP OR d a → :6
        TTL d → :-1
        BITOP NOT d a b → -ERR BITOP NOT must be called with a single source key.
        BITOP NOSUCH d a → -ERR syntax error
        BITOP AND d → -ERR wrong number of arguments for 'bitop' command
        "#,
    );
}

#[test]
fn a_length_is_remembered_when_its_last_bits_are_cleared() {
    talk(
        r#"
        SETBIT bar 20 1 → :0
        SETBIT bar 20 0 → :1
        GET bar → "\x00\x00\x00"
        SETBIT foo 1 1 → :0
        BITOP OR d foo bar → :3
        GET d → "@\x00\x00"
        BITOP NOT d bar → :3
        BITCOUNT d → :24
        "#,
    );
}

#[test]
fn newer_operations_are_those_of_redis_8() {
    if tests::is_redis() {
        return;
    }
    talk(
        r#"
        SET x "\xff\x0f" → +OK
        SET y1 "\x0f\x01" → +OK
        SET y2 "\xc0" → +OK
        BITOP DIFF d x y1 y2 → :2
        GET d → "0\x0e"
        BITOP DIFF1 d x y1 y2 → :2
        GET d → "\x00\x00"
        BITOP ANDOR d x y1 y2 → :2
        GET d → "\xcf\x01"
        BITOP ONE d x y1 y2 → :2
        GET d → "0\x0e"
        BITOP DIFF d x → -ERR BITOP DIFF must be called with at least two source keys.
        BITOP ANDOR d x → -ERR BITOP ANDOR must be called with at least two source keys.
        "#,
    );
}

#[test]
fn fields_are_numbers_of_any_width() {
    talk(
        r#"
        BITFIELD k SET u8 0 255 GET u8 0 → [:0, :255]
        BITFIELD k INCRBY u8 0 10 → [:9]
        BITFIELD k SET i5 100 -7 GET i5 100 → [:0, :-7]
        BITFIELD k GET u4 #1 → [:9]
        BITFIELD k OVERFLOW SAT INCRBY u8 0 300 → [:255]
        BITFIELD k OVERFLOW FAIL INCRBY u8 0 1 → [nil]
        BITFIELD k OVERFLOW WRAP INCRBY u8 0 1 → [:0]
        BITFIELD k SET i64 0 -9223372036854775808 GET i64 0 → [:0, :-9223372036854775808]
        BITFIELD k GET u63 0 → [:4611686018427387904]
        BITFIELD k → []
        BITFIELD_RO k GET u8 0 → [:128]
        BITFIELD_RO k SET u8 0 1 → -ERR BITFIELD_RO only supports the GET subcommand
        BITFIELD k GET u64 0 → -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET u8 -1 → -ERR bit offset is not an integer or out of range
        BITFIELD k OVERFLOW NOSUCH → -ERR Invalid OVERFLOW type specified
        BITFIELD k NOSUCH → -ERR syntax error
        BITFIELD missing GET u8 0 → [:0]
        EXISTS missing → :0
        "#,
    );
}

#[test]
fn random_bits_are_those_of_a_set() {
    const SEED: u64 = 11;
    let (_dir, _server, mut client) = fresh();
    let mut random = Random::new(SEED);
    let mut model = BTreeSet::new();
    for _ in 0..3000 {
        let offset = match random.below(3) {
            0 => random.below(300),
            1 => random.below(200_000),
            _ => (1 << 31) + random.below(70_000),
        };
        let bit = random.below(3) > 0;
        let was = if bit { !model.insert(offset) } else { model.remove(&offset) };
        let reply = client.number(&format!("SETBIT k {offset} {}", u8::from(bit)));
        assert_eq!(reply, i64::from(was), "seed {SEED}: {offset}");
    }
    assert_eq!(client.number("BITCOUNT k"), model.len() as i64);
    for _ in 0..200 {
        let (a, b) = (random.below(250_000), random.below(250_000));
        let (low, high) = (a.min(b), a.max(b));
        let count = client.number(&format!("BITCOUNT k {low} {high} BIT"));
        assert_eq!(count, model.range(low..=high).count() as i64, "seed {SEED}: {low}..={high}");
        let first = model.range(low..=high).next().map_or(-1, |&bit| bit as i64);
        assert_eq!(client.number(&format!("BITPOS k 1 {low} {high} BIT")), first, "seed {SEED}");
    }
}
