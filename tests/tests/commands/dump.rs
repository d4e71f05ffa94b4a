//! DUMP and RESTORE.

use super::{fresh, talk};
use resp::Reply;

#[test]
fn a_value_is_dumped_and_restored() {
    talk(
        r#"
        SET k hello → +OK
        DUMP k → "\x00\x05hello\n\x00cr\xdfve4 \n"
        DUMP missing → nil
        SET n 1234567 → +OK
        DUMP n → "\x00\xc2\x87\xd6\x12\x00\n\x00\xe9>\x1e6+;|^"
        RESTORE a 0 "\x00\x05hello\n\x00cr\xdfve4 \n" → +OK
        GET a → "hello"
        OBJECT ENCODING a → "embstr"
        TTL a → :-1
        RESTORE b 100000 "\x00\xc2\x87\xd6\x12\x00\n\x00\xe9>\x1e6+;|^" → +OK
        INCR b → :1234568
        EXPIRE b 50 GT → :0
        RESTORE c 0 "\x00\xc3\n@P\x02aba\xe0B\x01\x01ab\n\x00\x94\x9d_\x0e\xb1\xde\xa4E" → +OK
        STRLEN c → :80
        "#,
    );
}

#[test]
fn options_are_looked_at_before_the_key_the_time_and_the_payload() {
    talk(
        r#"
        SET k hello → +OK
        RESTORE k → -ERR wrong number of arguments for 'restore' command
        RESTORE k x junk FOO → -ERR syntax error
        RESTORE k x junk IDLETIME → -ERR syntax error
        RESTORE k x junk IDLETIME 1 FREQ 1 → -ERR syntax error
        RESTORE k x junk IDLETIME x → -ERR value is not an integer or out of range
        RESTORE k x junk IDLETIME -1 → -ERR Invalid IDLETIME value, must be >= 0
        RESTORE k x junk FREQ 256 → -ERR Invalid FREQ value, must be >= 0 and <= 255
        RESTORE k x junk → -BUSYKEY Target key name already exists.
        RESTORE k x junk REPLACE → -ERR value is not an integer or out of range
        RESTORE k -1 junk REPLACE → -ERR Invalid TTL value, must be >= 0
        RESTORE k 0 junk REPLACE → -ERR DUMP payload version or checksum are wrong
        RESTORE k 0 "\x00\x05hellx\n\x00cr\xdfve4 \n" REPLACE → -ERR DUMP payload version or checksum are wrong
        GET k → "hello"
        RESTORE k 0 "\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92" REPLACE IDLETIME 5 → +OK
        GET k → "7"
        RESTORE k 1000 "\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92" REPLACE ABSTTL FREQ 5 → +OK
        EXISTS k → :0
        RESTORE k 1000 "\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92" ABSTTL → +OK
        EXISTS k → :0
        "#,
    );
}

#[test]
fn a_bitmap_is_carried_as_its_string() {
    let (_dir, _server, mut client) = fresh();
    client.talk("SETBIT bits 1000003 1 → :0");
    let Reply::Bulk(payload) = client.run("DUMP bits") else { panic!("it is there") };
    // It is nearly all zeros.
    assert!(payload.len() < 4096, "{}", payload.len());
    let restored = client.call(&[b"RESTORE", b"copy", b"0", &payload]);
    assert_eq!(restored, Reply::OK);
    client.talk(
        r"
        BITCOUNT copy → :1
        GETBIT copy 1000003 → :1
        STRLEN copy → :125001
        SETBIT copy 1000003 0 → :1
        BITCOUNT copy → :0
        ",
    );
}

#[test]
fn a_hash_is_dumped_and_restored() {
    talk(
        r#"
        RESTORE h 0 "\x10\x1b\x1b\x00\x00\x00\x04\x00\x84name\x05\x83Ada\x04\x84born\x05\xc7\x17\x02\xff\n\x00\xebL\xcb\xc9(\x05\\\x91" → +OK
        HLEN h → :2
        HGET h name → "Ada"
        HINCRBY h born 1 → :1816
        DUMP h → "\x10\x1b…
        SET k text EX 100 → +OK
        RESTORE k 0 "\x04\x01\x01f\xc3\t@F\x01vv\xe09\x00\x01vv\n\x00\xf2\x1b\xfa\n\x02\xf2t\x9c" REPLACE → +OK
        HSTRLEN k f → :70
        OBJECT ENCODING k → "hashtable"
        TTL k → :-1
        "#,
    );
}

#[test]
fn restore_is_part_of_a_transaction() {
    talk(
        r#"
        SET k 1 → +OK
        WATCH k → +OK
        RESTORE k 0 "\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92" REPLACE → +OK
        MULTI → +OK
        RESTORE j 0 "\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92" → +QUEUED
        EXEC → nil[]
        MULTI → +OK
        RESTORE j 0 "\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92" → +QUEUED
        INCR j → +QUEUED
        EXEC → [+OK, :8]
        "#,
    );
}
