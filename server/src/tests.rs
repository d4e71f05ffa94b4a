//! The server as a client sees it, in this process: what dispatch, transactions and connections promise.
//! What each command answers is tested elsewhere.

use crate::{Config, Handle, Server};
use resp::{Client, Reply};
use std::io::{Read, Write};
use std::net::TcpStream;

struct Running {
    handle: Handle,
    _dir: tempfile::TempDir,
}

fn start_with(change: impl FnOnce(&mut Config)) -> Running {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut config =
        Config { addr: "127.0.0.1:0".into(), dir: dir.path().join("data"), ..Config::default() };
    change(&mut config);
    Running { handle: Server::start(config).expect("started"), _dir: dir }
}

impl Running {
    fn stream(&self) -> TcpStream {
        TcpStream::connect(self.handle.addr().expect("TCP is on")).expect("connected")
    }

    fn client(&self) -> Client<TcpStream> {
        Client::new(self.stream())
    }
}

fn call(client: &mut Client<TcpStream>, line: &str) -> Reply {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    client.call(&words).expect("a reply")
}

fn error(text: &'static str) -> Reply {
    Reply::Error(text.into())
}

#[test]
fn what_is_no_command_is_answered_as_redis_does_and_the_connection_goes_on() {
    let server = start_with(|_| {});
    let mut client = server.client();
    for (line, text) in [
        ("foo a b", "ERR unknown command 'foo', with args beginning with: 'a' 'b' "),
        ("GET", "ERR wrong number of arguments for 'get' command"),
        ("client", "ERR wrong number of arguments for 'client' command"),
        ("client SetName", "ERR wrong number of arguments for 'client|setname' command"),
        ("CLIENT foo", "ERR unknown subcommand 'foo'. Try CLIENT HELP."),
        ("EXEC", "ERR EXEC without MULTI"),
        ("DISCARD", "ERR DISCARD without MULTI"),
    ] {
        assert_eq!(call(&mut client, line), error(text), "{line}");
    }
    assert_eq!(call(&mut client, "PING"), Reply::PONG);
}

#[test]
fn a_panic_answers_its_command_and_nothing_else_suffers() {
    let server = start_with(|_| {});
    let mut client = server.client();
    assert_eq!(call(&mut client, "SET k v"), Reply::OK);
    let panicked = error("ERR internal error: DEBUG PANIC was called");
    assert_eq!(call(&mut client, "DEBUG PANIC"), panicked);
    assert_eq!(call(&mut client, "MULTI"), Reply::OK);
    assert_eq!(call(&mut client, "SET k w"), Reply::QUEUED);
    assert_eq!(call(&mut client, "DEBUG PANIC"), Reply::QUEUED);
    assert_eq!(call(&mut client, "EXEC"), panicked);
    assert_eq!(call(&mut client, "GET k"), Reply::bulk("v"));
}

#[test]
fn a_refused_command_aborts_the_transaction_and_a_failing_one_does_not() {
    let server = start_with(|_| {});
    let mut client = server.client();
    for line in ["MULTI", "SET a 1", "GET", "EXEC"] {
        let reply = call(&mut client, line);
        if line == "EXEC" {
            let text = "EXECABORT Transaction discarded because of previous errors.";
            assert_eq!(reply, error(text));
        }
    }
    assert_eq!(call(&mut client, "EXISTS a"), Reply::Int(0));
    for line in ["MULTI", "SET a x", "INCR a", "APPEND a y"] {
        call(&mut client, line);
    }
    let integer = error("ERR value is not an integer or out of range");
    let replies = Reply::Array(vec![Reply::OK, integer, Reply::Int(2)]);
    assert_eq!(call(&mut client, "EXEC"), replies);
}

#[test]
fn commands_on_the_whole_keyspace_see_what_their_transaction_did() {
    let server = start_with(|_| {});
    let mut client = server.client();
    for line in
        ["MULTI", "SET a 1", "DBSIZE", "KEYS *", "INFO keyspace", "FLUSHALL", "SET b 1", "DBSIZE"]
    {
        call(&mut client, line);
    }
    let Reply::Array(replies) = call(&mut client, "EXEC") else { panic!("not executed") };
    assert_eq!(replies[1], Reply::Int(1));
    assert_eq!(replies[2], Reply::Array(vec![Reply::bulk("a")]));
    assert_eq!(replies[6], Reply::Int(1));
    assert_eq!(call(&mut client, "EXISTS a b"), Reply::Int(1));
}

#[test]
fn a_watched_key_that_changed_stops_the_transaction() {
    let server = start_with(|_| {});
    let (mut one, mut other) = (server.client(), server.client());
    call(&mut one, "WATCH a");
    call(&mut one, "MULTI");
    call(&mut one, "SET b 1");
    call(&mut other, "SET a 1");
    assert!(matches!(call(&mut one, "EXEC"), Reply::Null | Reply::NullArray));
    // It is forgotten then.
    for line in ["MULTI", "SET b 1"] {
        call(&mut one, line);
    }
    assert_eq!(call(&mut one, "EXEC"), Reply::Array(vec![Reply::OK]));
}

#[test]
fn a_pipeline_is_answered_in_order_whatever_the_sizes() {
    let server = start_with(|_| {});
    let mut client = server.client();
    let large = vec![b'x'; 3 << 20];
    client.call(&[b"SET", b"large", &large]).expect("a reply");
    for i in 0..200 {
        client.send(&[b"ECHO", format!("{i}").as_bytes()]).expect("sent");
        client.send(&[b"GET", b"large"]).expect("sent");
        if i % 10 == 9 {
            client.flush().expect("flushed");
            for j in i - 9..=i {
                let echo = client.receive().expect("a reply");
                assert_eq!(echo, Reply::bulk(j.to_string()));
                let Reply::Bulk(body) = client.receive().expect("a reply") else {
                    panic!("no bulk")
                };
                assert_eq!(body.len(), large.len());
            }
        }
    }
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    let server = start_with(|config| config.maxclients = 1);
    let mut first = server.client();
    assert_eq!(call(&mut first, "PING"), Reply::PONG);
    let mut text = String::new();
    server.stream().read_to_string(&mut text).expect("read to the end");
    assert_eq!(text, "-ERR max number of clients reached\r\n");
    assert_eq!(call(&mut first, "PING"), Reply::PONG);
}

#[test]
fn a_protocol_error_is_answered_and_ends_the_connection() {
    let server = start_with(|_| {});
    let mut stream = server.stream();
    stream.write_all(b"PING\r\n*1\r\n$x\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read to the end");
    assert_eq!(text, "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
}

#[test]
fn who_speaks_http_is_hung_up_on_before_the_body_comes_to_be_run() {
    let server = start_with(|_| {});
    for head in ["POST / HTTP/1.1\r\nHost: x", "GET / x\r\nhost: x", "MULTI\r\n*1\r\n$4\r\npOsT"] {
        let mut stream = server.stream();
        write!(stream, "{head}\r\n\r\nSET k v\r\n").expect("sent");
        let mut text = String::new();
        // What was not read may turn the end of the connection into a reset.
        let _ = stream.read_to_string(&mut text);
        assert!(!text.contains("POST") && !text.contains("host:"), "{text}");
    }
    assert_eq!(call(&mut server.client(), "EXISTS k"), Reply::Int(0));
}

#[test]
fn a_killed_client_is_disconnected_though_it_is_idle() {
    let server = start_with(|_| {});
    let (mut one, mut other) = (server.client(), server.stream());
    other.write_all(b"CLIENT ID\r\n").expect("sent");
    let mut id = [0; 4];
    other.read_exact(&mut id).expect("an id");
    let id = String::from_utf8_lossy(&id[1..2]).into_owned();
    assert_eq!(call(&mut one, &format!("CLIENT KILL ID {id}")), Reply::Int(1));
    let mut rest = Vec::new();
    assert_eq!(other.read_to_end(&mut rest).expect("the end"), 0);
}

#[test]
fn a_client_that_sleeps_keeps_nobody_else_waiting() {
    let server = start_with(|_| {});
    let mut sleeper = server.client();
    sleeper.send(&[b"DEBUG", b"SLEEP", b"1000"]).expect("sent");
    sleeper.flush().expect("flushed");
    let mut other = server.client();
    for _ in 0..100 {
        assert_eq!(call(&mut other, "PING"), Reply::PONG);
    }
    assert_eq!(call(&mut other, "CLIENT KILL TYPE normal"), Reply::Int(1));
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_the_directory_is_free() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config =
        || Config { addr: "127.0.0.1:0".into(), dir: dir.path().join("data"), ..Config::default() };
    let handle = Server::start(config()).expect("started");
    let mut client =
        Client::new(TcpStream::connect(handle.addr().expect("TCP")).expect("connected"));
    assert_eq!(call(&mut client, "SETBIT k 7 1"), Reply::Int(0));
    let second = Server::start(config()).expect_err("the directory is in use").to_string();
    assert!(second.contains("in use"), "{second}");
    // An idle client does not hold up the shutdown.
    handle.shutdown().expect("stopped");
    let handle = Server::start(config()).expect("started again");
    let mut client =
        Client::new(TcpStream::connect(handle.addr().expect("TCP")).expect("connected"));
    assert_eq!(call(&mut client, "GETBIT k 7"), Reply::Int(1));
}

#[test]
fn info_has_the_fields_that_dashboards_read_and_they_are_true() {
    let server = start_with(|_| {});
    let mut client = server.client();
    for line in ["SET a 1", "SET b 1 EX 1000", "GET a", "nonsense"] {
        call(&mut client, line);
    }
    let Reply::Bulk(text) = call(&mut client, "INFO everything") else { panic!("no bulk") };
    let text = String::from_utf8(text.to_vec()).expect("text");
    let field = |name: &str| {
        let found = text.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_else(|| panic!("{name} is missing in {text}"))
    };
    for name in [
        "uptime_in_seconds",
        "blocked_clients",
        "used_memory",
        "used_memory_rss",
        "maxmemory",
        "mem_fragmentation_ratio",
        "total_system_memory",
        "total_net_input_bytes",
        "total_net_output_bytes",
        "keyspace_hits",
        "keyspace_misses",
        "expired_keys",
        "evicted_keys",
        "connected_slaves",
        "redis_version",
        "keydir_bytes",
        "log_segments",
    ] {
        assert!(!field(name).is_empty(), "{name}");
    }
    assert_eq!(field("connected_clients"), "1");
    assert_eq!(field("role"), "master");
    assert_eq!(field("loading"), "0");
    assert_eq!(field("redis_mode"), "standalone");
    assert_eq!(field("cluster_enabled"), "0");
    assert_eq!(field("db0"), "keys=2,expires=1,avg_ttl=0");
    assert!(field("cmdstat_set").starts_with("calls=2,"));
    assert_eq!(field("errorstat_ERR"), "count=1");
}
