//! The protocol as no well-behaved client speaks it.

use crate::commands::fresh;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use tests::{Server, is_redis, until};

/// All that the server sends until it hangs up.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        Err(e) => panic!("it does not hang up: {e}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn expect(stream: &mut TcpStream, reply: &str) {
    let mut bytes = vec![0; reply.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), reply);
}

fn refused(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.socket();
    // It may hang up before it has read everything.
    let _ = stream.write_all(bytes);
    rest(stream)
}

#[test]
fn malformed_requests_get_an_error_and_are_hung_up_on() {
    let (_dir, server, mut client) = fresh();
    client.talk("SET k v → +OK");
    for (bytes, reply) in [
        (&b"*x\r\n"[..], "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
        (b"*1\r\n*1\r\n", "-ERR Protocol error: expected '$', got '*'\r\n"),
        (b"*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$99999999999999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"SET \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        (
            b"*1\r\n$4\r\nPING\r\n*x\r\n",
            "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n",
        ),
    ] {
        assert_eq!(refused(&server, bytes), reply, "{}", bytes.escape_ascii());
    }
    if !is_redis() {
        // Redis takes up to 2^31 arguments.
        let reply = refused(&server, b"*1048577\r\n");
        assert_eq!(reply, "-ERR Protocol error: invalid multibulk length\r\n");
    }
    client.talk(r#"GET k → "v""#);
}

#[test]
fn endless_lines_are_refused() {
    let (_dir, server, mut client) = fresh();
    let long = vec![b'a'; 200_000];
    assert_eq!(refused(&server, &long), "-ERR Protocol error: too big inline request\r\n");
    let count = [&b"*"[..], &vec![b'1'; 200_000]].concat();
    assert_eq!(refused(&server, &count), "-ERR Protocol error: too big mbulk count string\r\n");
    let length = [&b"*1\r\n$"[..], &vec![b'1'; 200_000]].concat();
    assert_eq!(refused(&server, &length), "-ERR Protocol error: too big bulk count string\r\n");
    client.talk("PING → +PONG");
}

#[test]
fn inline_commands_are_words_with_quotes() {
    let (_dir, server, _client) = fresh();
    let mut stream = server.socket();
    stream
        .write_all(b"PING\r\nset k 'a b'\n  GET   k  \r\n\r\nSET k \"\\x00\\n\"\r\nGET k\r\n")
        .unwrap();
    expect(&mut stream, "+PONG\r\n+OK\r\n$3\r\na b\r\n+OK\r\n$2\r\n\0\n\r\n");
}

#[test]
fn empty_requests_are_passed_over() {
    let (_dir, server, _client) = fresh();
    let mut stream = server.socket();
    stream.write_all(b"*0\r\n\r\n*-1\r\n*1\r\n$4\r\nPING\r\n").unwrap();
    expect(&mut stream, "+PONG\r\n");
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let (_dir, server, _client) = fresh();
    let mut stream = server.socket();
    stream.set_nodelay(true).unwrap();
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\na\r\nb\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    {
        stream.write_all(&[*byte]).unwrap();
    }
    expect(&mut stream, "+OK\r\n$6\r\na\r\nb\r\n\r\n");
}

#[test]
fn ten_thousand_pipelined_requests_are_answered_in_order() {
    let (_dir, server, mut client) = fresh();
    let mut stream = server.socket();
    let mut requests = Vec::new();
    let mut expected = String::new();
    for n in 1..=10_000 {
        requests.extend_from_slice(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
        expected.push_str(&format!(":{n}\r\n"));
    }
    stream.write_all(&requests).unwrap();
    expect(&mut stream, &expected);
    client.talk(r#"GET n → "10000""#);
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let (_dir, server, mut client) = fresh();
    let value = "x".repeat(100_000);
    client.call(&[b"SET", b"k", value.as_bytes()]);
    let mut stream = server.socket();
    stream.write_all(&b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(300)).unwrap();
    // The others are served meanwhile.
    for n in 0..200 {
        client.talk(&format!("SET other {n} → +OK"));
    }
    let reply = format!("$100000\r\n{value}\r\n");
    for _ in 0..300 {
        expect(&mut stream, &reply);
    }
}

#[test]
fn a_client_that_never_reads_holds_nobody_up() {
    let (_dir, server, mut client) = fresh();
    client.call(&[b"SET", b"k", &vec![b'x'; 4 << 20]]);
    let mut stream = server.socket();
    stream.set_nonblocking(true).unwrap();
    let request = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(100);
    let _ = stream.write(&request);
    for n in 0..500 {
        client.talk(&format!("SETBIT bits {n} 1 → :0"));
    }
    drop(stream);
    client.talk("BITCOUNT bits → :500");
}

#[test]
fn a_client_that_hangs_up_halfway_leaves_nothing_behind() {
    let (_dir, server, mut client) = fresh();
    for half in
        [&b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab"[..], b"*1\r\n$5\r\nMULTI\r\n*3\r\n", b"GET"]
    {
        let mut stream = server.socket();
        stream.write_all(half).unwrap();
    }
    client.talk("EXISTS k → :0");
    until("they are forgotten", || {
        tests::shown(&client.run("INFO clients")).contains("connected_clients:1\\r\\n")
    });
}

#[test]
fn unknown_commands_never_hang_up() {
    let (_dir, _server, mut client) = fresh();
    let long = "y".repeat(5000);
    for name in ["NOSUCH", "SUBSCRIBE2", "\"\\x00\\xff\"", &long] {
        assert!(client.ask(&format!("{name} a b")).starts_with("-ERR unknown command"), "{name}");
        client.talk("PING → +PONG");
    }
}
