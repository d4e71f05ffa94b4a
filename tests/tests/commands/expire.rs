//! EXPIRE and its kin; when keys go, and how long they have.

use super::{fresh, talk};

#[test]
fn a_key_has_a_time_to_live_or_none() {
    talk(
        r#"
        TTL missing → :-2
        PTTL missing → :-2
        EXPIRETIME missing → :-2
        SET k v → +OK
        TTL k → :-1
        PEXPIRETIME k → :-1
        EXPIRE k 1000 → :1
        TTL k → :1000
        PERSIST k → :1
        PERSIST k → :0
        TTL k → :-1
        EXPIREAT k 4000000000 → :1
        EXPIRETIME k → :4000000000
        PEXPIRETIME k → :4000000000000
        PEXPIREAT k 4000000000123 → :1
        PEXPIRETIME k → :4000000000123
        EXPIRE missing 10 → :0
        EXPIRE k x → -ERR value is not an integer or out of range
        EXPIRE k 9223372036854775807 → -ERR invalid expire time in 'expire' command
        "#,
    );
}

#[test]
fn an_expiry_in_the_past_deletes_at_once() {
    for command in ["EXPIRE k 0", "EXPIRE k -1", "PEXPIRE k -5", "EXPIREAT k 1", "PEXPIREAT k 1"] {
        talk(&format!(
            "
            SET k v → +OK
            {command} → :1
            EXISTS k → :0
            DBSIZE → :0
            "
        ));
    }
}

#[test]
fn options_decide_whether_an_expiry_is_set() {
    talk(
        r#"
        SET k v → +OK
        EXPIRE k 100 XX → :0
        EXPIRE k 100 GT → :0
        EXPIRE k 1000 LT → :1
        EXPIRE k 2000 NX → :0
        EXPIRE k 2000 LT → :0
        EXPIRE k 2000 GT → :1
        EXPIRE k 500 GT → :0
        TTL k → :2000
        EXPIRE k 3000 XX GT → :1
        TTL k → :3000
        EXPIRE k 1 NX XX → -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 1 GT LT → -ERR GT and LT options at the same time are not compatible
        EXPIRE k 1 NOSUCH → -ERR Unsupported option NOSUCH
        "#,
    );
}

#[test]
fn writing_a_string_forgets_the_expiry_and_changing_it_does_not() {
    let (_dir, _server, mut client) = fresh();
    for (change, kept) in [
        ("APPEND k 1", true),
        ("SETRANGE k 0 x", true),
        ("SETBIT k 9 1", true),
        ("SET k w KEEPTTL", true),
        ("RENAME k k", true),
        ("SET k w", false),
        ("GETSET k w", false),
        ("MSET k w", false),
        ("BITOP NOT k k", false),
        ("GETEX k PERSIST", false),
    ] {
        client.talk("SET k 1 EX 1000 → +OK");
        client.run(change);
        assert_eq!(client.number("TTL k") > 0, kept, "{change}");
    }
    client.talk("SET k 5 EX 1000 → +OK");
    client.talk("INCR k → :6");
    assert!(client.number("TTL k") > 0);
}
