//! MULTI, EXEC, DISCARD.

use super::{fresh, talk};

#[test]
fn queued_commands_run_together() {
    talk(
        r#"
        MULTI → +OK
        SET k 1 → +QUEUED
        INCR k → +QUEUED
        GET k → +QUEUED
        EXEC → [+OK, :2, "2"]
        GET k → "2"
        MULTI → +OK
        EXEC → []
        "#,
    );
}

#[test]
fn discard_forgets_them() {
    talk(
        r"
        MULTI → +OK
        SET k 1 → +QUEUED
        DISCARD → +OK
        GET k → nil
        DISCARD → -ERR DISCARD without MULTI
        EXEC → -ERR EXEC without MULTI
        ",
    );
}

#[test]
fn an_error_while_queueing_aborts_and_one_while_running_does_not() {
    talk(
        r#"
        MULTI → +OK
        SET k 1 → +QUEUED
        GET → -ERR wrong number of arguments for 'get' command
        EXEC → -EXECABORT Transaction discarded because of previous errors.
        EXISTS k → :0
        MULTI → +OK
        NOSUCH → -ERR unknown command…
        EXEC → -EXECABORT Transaction discarded because of previous errors.
        SET text abc → +OK
        MULTI → +OK
        SET k 1 → +QUEUED
        INCR text → +QUEUED
        SET l 2 → +QUEUED
        EXEC → [+OK, -ERR value is not an integer or out of range, +OK]
        MGET k l text → ["1", "2", "abc"]
        "#,
    );
}

#[test]
fn transactions_are_not_nested() {
    talk(
        r"
        MULTI → +OK
        MULTI → -ERR MULTI calls can not be nested
        WATCH k → -ERR WATCH inside MULTI is not allowed
        EXEC → []
        ",
    );
}

#[test]
fn a_mark_of_bitmapist_is_one_transaction() {
    talk(
        r#"
        MULTI → +OK
        SETBIT trackist_active_2026-11 123 1 → +QUEUED
        SETBIT trackist_active_W2026-47 123 1 → +QUEUED
        SETBIT trackist_active_2026-11-20 123 1 → +QUEUED
        EXEC → [:0, :0, :0]
        BITCOUNT trackist_active_W2026-47 → :1
        KEYS trackist_active_2026-11-* → ["trackist_active_2026-11-20"]
        "#,
    );
}

#[test]
fn select_in_a_transaction_holds_afterwards() {
    talk(
        r#"
        MULTI → +OK
        SET k zero → +QUEUED
        SELECT 2 → +QUEUED
        SET k two → +QUEUED
        EXEC → [+OK, +OK, +OK]
        GET k → "two"
        SELECT 0 → +OK
        GET k → "zero"
        "#,
    );
}

#[test]
fn others_see_all_of_it_or_nothing() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    client.talk("MULTI → +OK");
    client.talk("SET a 1 → +QUEUED");
    client.talk("SET b 1 → +QUEUED");
    other.talk("MGET a b → [nil, nil]");
    client.talk("EXEC → [+OK, +OK]");
    other.talk(r#"MGET a b → ["1", "1"]"#);
}

#[test]
fn queues_of_thousands_run() {
    let (_dir, _server, mut client) = fresh();
    client.talk("MULTI → +OK");
    for n in 0..5000 {
        client.talk(&format!("SETBIT k {} 1 → +QUEUED", n * 17));
    }
    let resp::Reply::Array(replies) = client.run("EXEC") else { panic!("EXEC replies an array") };
    assert_eq!(replies.len(), 5000);
    assert_eq!(client.number("BITCOUNT k"), 5000);
}
