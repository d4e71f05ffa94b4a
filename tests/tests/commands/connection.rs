//! PING, ECHO, HELLO, SELECT, QUIT, RESET, CLIENT, AUTH.

use super::{fresh, talk};
use resp::Reply;
use tests::shown;

#[test]
fn ping_and_echo_answer_what_they_are_told() {
    talk(
        r#"
        PING → +PONG
        PING "a\r\nb\x00" → "a\r\nb\x00"
        ping → +PONG
        PING a b → -ERR wrong number of arguments for 'ping' command
        ECHO hello → "hello"
        ECHO → -ERR wrong number of arguments for 'echo' command
        "#,
    );
}

#[test]
fn select_chooses_one_of_sixteen_databases() {
    talk(
        r#"
        SET k zero → +OK
        SELECT 15 → +OK
        GET k → nil
        SET k fifteen → +OK
        SELECT 0 → +OK
        GET k → "zero"
        SELECT 16 → -ERR DB index is out of range
        SELECT -1 → -ERR DB index is out of range
        SELECT 2147483648 → -ERR value is out of range, value must between -2147483648 and 2147483647
        SELECT x → -ERR value is not an integer or out of range
        SELECT → -ERR wrong number of arguments for 'select' command
        "#,
    );
}

#[test]
fn unknown_commands_say_what_they_began_with() {
    talk(
        r#"
        NOSUCH → -ERR unknown command 'NOSUCH', with args beginning with:…
        nosuch a "b c" → -ERR unknown command 'nosuch', with args beginning with: 'a' 'b c'…
        CLIENT NOSUCH → -ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.
        "#,
    );
}

#[test]
fn hello_switches_the_protocol() {
    let (_dir, _server, mut client) = fresh();
    client.talk("HELLO 4 → -NOPROTO unsupported protocol version");
    client.talk("HELLO x → -ERR Protocol version is not an integer or out of range");
    let Reply::Array(flat) = client.run("HELLO 2") else { panic!("RESP2 has no maps") };
    let at = flat.iter().position(|field| *field == Reply::bulk("proto")).unwrap();
    assert_eq!(flat[at + 1], Reply::Int(2));
    assert_eq!(client.ask("GET missing"), "nil");
    let Reply::Map(fields) = client.hello3() else { panic!("RESP3 has maps") };
    let proto = fields.iter().find(|(name, _)| *name == Reply::bulk("proto")).unwrap();
    assert_eq!(proto.1, Reply::Int(3));
    client.talk("GET missing → nil");
    assert!(matches!(client.run("CONFIG GET databases"), Reply::Map(_)));
    client.talk("HELLO 3 SETNAME greeter NOSUCH → -ERR Syntax error in HELLO option 'NOSUCH'");
    client.run("HELLO 3 SETNAME greeter");
    client.talk(r#"CLIENT GETNAME → "greeter""#);
    client.talk("RESET → +RESET");
    assert!(matches!(client.run("CONFIG GET databases"), Reply::Array(_)));
}

#[test]
fn clients_have_names_and_numbers() {
    let (_dir, server, mut client) = fresh();
    client.talk(
        r#"
        CLIENT GETNAME → nil
        CLIENT SETNAME worker-1 → +OK
        CLIENT GETNAME → "worker-1"
        CLIENT SETNAME "a b" → -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT SETNAME "" → +OK
        CLIENT GETNAME → nil
        CLIENT SETNAME me → +OK
        CLIENT NO-EVICT on → +OK
        CLIENT NO-EVICT maybe → -ERR syntax error
        CLIENT LIST ID 999999 → ""
        CLIENT LIST ID 0 -1 → ""
        CLIENT LIST ID x → -ERR Invalid client ID
        CLIENT KILL ID 999999 → :0
        CLIENT KILL 1.2.3.4:5 → -ERR No such client
        "#,
    );
    let mine = client.number("CLIENT ID");
    let mut other = server.client();
    assert!(other.number("CLIENT ID") > mine);
    let list = shown(&other.run("CLIENT LIST"));
    assert!(list.contains(&format!("id={mine} ")) && list.contains("name=me"), "{list}");
    assert_eq!(other.number(&format!("CLIENT KILL ID {mine}")), 1);
    assert!(client.send(&[b"PING"]).and_then(|()| client.receive()).is_err());
}

#[test]
fn replies_can_be_turned_off() {
    let (_dir, _server, mut client) = fresh();
    client.send(&[b"CLIENT", b"REPLY", b"OFF"]).unwrap();
    client.send(&[b"SET", b"k", b"v"]).unwrap();
    client.send(&[b"NOSUCH"]).unwrap();
    client.talk("CLIENT REPLY ON → +OK");
    client.send(&[b"CLIENT", b"REPLY", b"SKIP"]).unwrap();
    client.send(&[b"PING"]).unwrap();
    client.talk(r#"GET k → "v""#);
}

#[test]
fn a_server_without_a_password_says_so() {
    talk(
        r"
        AUTH secret → -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        AUTH default anything → +OK
        AUTH nobody secret → -WRONGPASS invalid username-password pair or user is disabled.
        ",
    );
}

#[test]
fn quit_says_ok_and_hangs_up() {
    let (_dir, _server, mut client) = fresh();
    client.talk("QUIT → +OK");
    assert!(client.receive().is_err());
}

#[test]
fn reset_forgets_everything_about_the_connection() {
    talk(
        r#"
        SELECT 3 → +OK
        CLIENT SETNAME me → +OK
        WATCH k → +OK
        MULTI → +OK
        SET k lost → +QUEUED
        RESET → +RESET
        EXEC → -ERR EXEC without MULTI
        CLIENT GETNAME → nil
        SET k v → +OK
        SELECT 3 → +OK
        GET k → nil
        "#,
    );
}
