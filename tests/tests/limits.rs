//! Limits hold before memory is given.

use crate::commands::fresh;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use tests::{DataDir, Server, Started, is_redis, shown, until};

/// The resident memory of a process, in MiB.
fn resident_mib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn declared_lengths_take_no_memory() {
    let (_dir, server, mut client) = fresh();
    let before = resident_mib(server.id());
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = server.socket();
        stream.write_all(b"*1000000\r\n$536870912\r\nabc").unwrap();
        streams.push(stream);
    }
    // Whatever they were going to take, they have by the time others are served.
    for n in 0..100 {
        client.talk(&format!("SET k {n} → +OK"));
    }
    let after = resident_mib(server.id());
    // Redis gives the declared pointers at once: 8 MB each.
    let most = if is_redis() { 1000 } else { 100 };
    assert!(after < before + most, "{before} MiB before, {after} MiB after");
}

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let dir = DataDir::new();
    let server = Server::start(&dir, &["--maxclients", "20"]);
    let mut first = server.client();
    if is_redis() {
        first.talk("CONFIG SET maxclients 20 → +OK");
    }
    // The probe of the start may not be gone yet.
    until("the others are gone", || {
        shown(&first.run("INFO clients")).contains("connected_clients:1\\r")
    });
    let mut clients: Vec<_> = (0..19).map(|_| server.client()).collect();
    for client in &mut clients {
        client.talk("PING → +PONG");
    }
    let mut text = String::new();
    server.socket().read_to_string(&mut text).unwrap();
    assert_eq!(text, "-ERR max number of clients reached\r\n");
    drop(clients.pop());
    until("there is room again", || {
        let mut stream = server.socket();
        let mut reply = [0; 5];
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read_exact(&mut reply).is_ok()
            && &reply == b"+PONG"
    });
}

/// A server for 300 clients under a limit of open files.
fn with_files(limit: &str) -> (DataDir, Server) {
    let dir = DataDir::new();
    match Server::under(&format!("ulimit {limit}"), &dir, &["--maxclients", "300"]) {
        Started::Serving(server) => (dir, server),
        Started::Refused(status, text) => panic!("{limit}: {status}: {text}"),
    }
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_clients_need() {
    if is_redis() {
        return;
    }
    // A soft limit.
    let (_dir, server) = with_files("-Sn 64");
    let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| client.talk("PING → +PONG"));
    clients[0].talk(r#"CONFIG GET maxclients → ["maxclients", "300"]"#);
    assert_eq!(server.printed().lines().filter(|line| line.contains("maxclients")).count(), 0);
}

#[test]
fn no_more_clients_are_admitted_than_the_system_has_files_for() {
    if is_redis() {
        return;
    }
    // Enough for some clients.
    let (_dir, server) = with_files("-n 100");
    let mut first = server.client();
    first.talk(
        r#"
        CONFIG GET maxclients → ["maxclients", "36"]
        CONFIG SET maxclients 20 → +OK
        CONFIG SET maxclients 300 → -ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to handle…
        CONFIG SET maxclients 30 → +OK
        "#,
    );
    let warnings = server.printed();
    let warnings: Vec<_> = warnings.lines().filter(|line| line.contains("maxclients")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("36 instead of 300"), "{warnings:?}");
    // The probe of the start may not be gone yet.
    until("the others are gone", || {
        shown(&first.run("INFO clients")).contains("connected_clients:1\\r")
    });
    let mut clients: Vec<_> = (1..30).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| client.talk("SET k v → +OK"));
    let mut text = String::new();
    server.socket().read_to_string(&mut text).unwrap();
    assert_eq!(text, "-ERR max number of clients reached\r\n");
    let Started::Refused(status, text) = Server::under("ulimit -n 40", &DataDir::new(), &[]) else {
        panic!("40 files are too few for any client");
    };
    assert!(!status.success() && text.contains("40 open files"), "{text}");
}

#[test]
fn keys_and_values_beyond_the_limit_are_refused() {
    let (_dir, _server, mut client) = fresh();
    client.talk("SET k v → +OK");
    client.talk(
        "SETRANGE k 536870912 x → -ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    );
    if !is_redis() {
        let key = vec![b'k'; 65_537];
        let reply = shown(&client.call(&[b"SET", &key, b"v"]));
        assert!(reply.starts_with("-ERR") && reply.contains("65536"), "{reply}");
        assert_eq!(shown(&client.call(&[b"SET", &key[..65_536], b"v"])), "+OK");
        assert_eq!(shown(&client.call(&[b"GET", &key[..65_536]])), "\"v\"");
    }
    client.talk(r#"GET k → "v""#);
}

#[test]
fn globs_of_any_kind_take_linear_time() {
    if is_redis() {
        // It takes minutes there.
        return;
    }
    let (_dir, _server, mut client) = fresh();
    client.call(&[b"SET", &vec![b'a'; 20_000], b"v"]);
    let glob = [&b"*a".repeat(5000)[..], b"*b"].concat();
    assert_eq!(shown(&client.call(&[b"KEYS", &glob])), "[]");
    assert_eq!(shown(&client.call(&[b"SCAN", b"0", b"MATCH", &glob])), "[\"0\", []]");
}

#[test]
fn a_command_that_takes_long_does_not_keep_other_clients_waiting() {
    let (_dir, server, mut client) = fresh();
    client.talk("SETRANGE long 33554431 x → :33554432");
    let done = AtomicBool::new(false);
    let answered = std::thread::scope(|scope| {
        scope.spawn(|| {
            const COUNTS: usize = 200;
            let counts = "BITCOUNT long\r\n".repeat(COUNTS);
            let mut slow = server.socket();
            slow.write_all(format!("MULTI\r\n{counts}EXEC\r\n").as_bytes()).unwrap();
            slow.shutdown(Shutdown::Write).unwrap();
            let mut replies = String::new();
            slow.read_to_string(&mut replies).unwrap();
            assert!(replies.ends_with(&":4\r\n".repeat(COUNTS)));
            done.store(true, Ordering::Release);
        });
        let mut answered = 0;
        while !done.load(Ordering::Acquire) {
            client.talk("PING → +PONG");
            answered += 1;
        }
        answered
    });
    // Redis has one thread.
    assert!(answered > 5 || is_redis(), "{answered} answers meanwhile");
}

#[test]
fn replies_beyond_the_output_limit_close_the_client_and_take_no_memory() {
    let (_dir, server, mut client) = fresh();
    client.talk("CONFIG SET client-output-buffer-limit \"normal 20000000 0 0\" → +OK");
    client.talk("SETBIT bits 79999999 1 → :0");
    let before = resident_mib(server.id());
    let mget = format!("MGET{}", " bits".repeat(200));
    let mut transaction = String::from("MULTI\r\n");
    transaction.push_str(&"GET bits\r\n".repeat(60));
    transaction.push_str("EXEC\r\n");
    for requests in [format!("{mget}\r\n"), transaction] {
        let mut stream = server.socket();
        stream.write_all(requests.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        // A reset is as good an end as any.
        let _ = stream.read_to_end(&mut reply);
        assert!(reply.len() < 20_000_000, "{} bytes", reply.len());
    }
    client.talk("PING → +PONG");
    let after = resident_mib(server.id());
    assert!(is_redis() || after < before + 100, "{before} MiB before, {after} MiB after");
}

#[test]
fn large_replies_that_nobody_takes_are_bounded_for_all_clients_together() {
    let (_dir, server, mut client) = fresh();
    client.talk("CONFIG SET client-output-buffer-limit \"normal 60000000 0 0\" → +OK");
    client.talk("SETBIT bits 399999999 1 → :0");
    let before = resident_mib(server.id());
    let streams: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = server.socket();
            stream.write_all(b"GET bits\r\n").unwrap();
            stream
        })
        .collect();
    // Two of them hold their replies, the others are closed for it.
    until("the others are gone", || {
        let text = shown(&client.run("INFO clients"));
        is_redis() || text.contains("connected_clients:3\\r")
    });
    let after = resident_mib(server.id());
    assert!(is_redis() || after < before + 250, "{before} MiB before, {after} MiB after");
    drop(streams);
}
