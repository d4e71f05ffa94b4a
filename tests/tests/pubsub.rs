//! Publish and subscribe, and keyspace events, as clients see them.

use crate::commands::fresh;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use tests::{Client, is_redis, shown, until};

/// The next thing that a client is sent, as [`shown`] writes it.
fn next(client: &mut Client) -> String {
    shown(&client.receive().expect("the connection stands"))
}

/// Sends a line, and expects these answers and messages.
fn expect(client: &mut Client, line: &str, answers: &[&str]) {
    let words = tests::words(line);
    client.send(&words.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    hears(client, answers);
}

/// Expects these messages.
fn hears(client: &mut Client, messages: &[&str]) {
    for message in messages {
        assert_eq!(next(client), *message);
    }
}

/// A figure of `INFO`.
fn figure(client: &mut Client, name: &str) -> u64 {
    let text = client.ask("INFO").replace("\\r\\n", "\n");
    let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    found.unwrap_or_else(|| panic!("INFO has no {name}")).parse().unwrap()
}

#[test]
fn channels_patterns_and_shards_are_confirmed_counted_and_heard() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    expect(
        &mut client,
        "SUBSCRIBE a b a",
        &[r#"["subscribe", "a", :1]"#, r#"["subscribe", "b", :2]"#, r#"["subscribe", "a", :2]"#],
    );
    expect(
        &mut client,
        "PSUBSCRIBE a* ?",
        &[r#"["psubscribe", "a*", :3]"#, r#"["psubscribe", "?", :4]"#],
    );
    expect(&mut client, "SSUBSCRIBE a", &[r#"["ssubscribe", "a", :1]"#]);
    other.talk(
        r#"
        PUBLISH nobody x → :0
        PUBLISH b 1 → :2
        PUBLISH aa 2 → :1
        SPUBLISH a 3 → :1
        SPUBLISH b 4 → :0
        PUBSUB NUMPAT → :2
        PUBSUB NUMSUB → []
        PUBSUB NUMSUB a nobody → ["a", :1, "nobody", :0]
        PUBSUB SHARDNUMSUB a b → ["a", :1, "b", :0]
        PUBSUB CHANNELS b* → ["b"]
        PUBSUB SHARDCHANNELS → ["a"]
        "#,
    );
    assert_eq!(figure(&mut other, "pubsub_channels"), 2);
    assert_eq!(figure(&mut other, "pubsub_patterns"), 2);
    assert_eq!(figure(&mut other, "pubsubshard_channels"), 1);
    hears(
        &mut client,
        &[
            r#"["message", "b", "1"]"#,
            r#"["pmessage", "?", "b", "1"]"#,
            r#"["pmessage", "a*", "aa", "2"]"#,
            r#"["smessage", "a", "3"]"#,
        ],
    );
    expect(
        &mut client,
        "UNSUBSCRIBE nobody a",
        &[r#"["unsubscribe", "nobody", :4]"#, r#"["unsubscribe", "a", :3]"#],
    );
    expect(&mut client, "UNSUBSCRIBE", &[r#"["unsubscribe", "b", :2]"#]);
    expect(&mut client, "UNSUBSCRIBE", &[r#"["unsubscribe", nil, :2]"#]);
    expect(&mut client, "SUNSUBSCRIBE", &[r#"["sunsubscribe", "a", :0]"#]);
    expect(&mut client, "SUNSUBSCRIBE", &[r#"["sunsubscribe", nil, :0]"#]);
    expect(
        &mut client,
        "PUNSUBSCRIBE a* ?",
        &[r#"["punsubscribe", "a*", :1]"#, r#"["punsubscribe", "?", :0]"#],
    );
    other.talk("PUBLISH a x → :0");
    client.talk("PING → +PONG");
}

#[test]
fn who_is_subscribed_may_do_little_else_in_the_older_protocol() {
    let (_dir, _server, mut client) = fresh();
    expect(&mut client, "PSUBSCRIBE p*", &[r#"["psubscribe", "p*", :1]"#]);
    let only =
        "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    client.talk(&format!(
        r#"
        GET k → -ERR Can't execute 'get': {only}
        client list → -ERR Can't execute 'client|list': {only}
        PUBLISH p x → -ERR Can't execute 'publish': {only}
        HELLO 3 → -ERR Can't execute 'hello': {only}
        EXEC → -EXECABORT Transaction discarded because of: Can't execute 'exec': {only}
        GET → -ERR wrong number of arguments for 'get' command
        PING → ["pong", ""]
        PING x → ["pong", "x"]
        PING x y → -ERR wrong number of arguments for 'ping' command
        RESET → +RESET
        PING → +PONG
        CLIENT REPLY ON → +OK
        PUBLISH p x → :0
        "#
    ));
    expect(&mut client, "SUBSCRIBE p", &[r#"["subscribe", "p", :1]"#]);
    client.talk("QUIT → +OK");
    assert!(client.receive().is_err());
}

#[test]
fn in_the_newer_protocol_messages_come_between_replies_and_everything_is_allowed() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    client.hello3();
    expect(&mut client, "SUBSCRIBE a", &[r#">["subscribe", "a", :1]"#]);
    client.talk("SET k v → +OK");
    client.talk("PING → +PONG");
    other.talk("PUBLISH a hello → :1");
    hears(&mut client, &[r#">["message", "a", "hello"]"#]);
    client.talk("GET k → \"v\"");
    let line = client.ask("CLIENT LIST TYPE pubsub");
    assert!(line.contains("flags=P") && line.contains(" sub=1 psub=0 ssub=0"), "{line}");
    // What is published to oneself comes as a push, beside the reply.
    let words = [&b"PUBLISH"[..], b"a", b"self"];
    client.send(&words).unwrap();
    let mut both = [next(&mut client), next(&mut client)];
    both.sort();
    assert_eq!(both, [":1", r#">["message", "a", "self"]"#]);
    expect(&mut client, "UNSUBSCRIBE", &[r#">["unsubscribe", "a", :0]"#]);
    expect(&mut client, "UNSUBSCRIBE", &[r#">["unsubscribe", nil, :0]"#]);
}

#[test]
fn transactions_publish_what_they_did_when_they_are_executed() {
    let (_dir, server, mut client) = fresh();
    let mut listener = server.client();
    expect(&mut listener, "SUBSCRIBE a", &[r#"["subscribe", "a", :1]"#]);
    client.talk(
        r"
        MULTI → +OK
        PUBLISH a lost → +QUEUED
        DISCARD → +OK
        MULTI → +OK
        PUBLISH a 1 → +QUEUED
        INCR k → +QUEUED
        PUBLISH a 2 → +QUEUED
        EXEC → [:1, :1, :1]
        ",
    );
    hears(&mut listener, &[r#"["message", "a", "1"]"#, r#"["message", "a", "2"]"#]);
    client.talk("MULTI → +OK");
    client.talk("SUBSCRIBE b → +QUEUED");
    client.talk("SSUBSCRIBE c → +QUEUED");
    client.talk(
        r#"EXEC → [["subscribe", "b", :1], -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client]"#,
    );
    listener.run("RESET");
    listener.talk("PUBLISH b x → :1");
    hears(&mut client, &[r#"["message", "b", "x"]"#]);
}

#[test]
fn silence_is_about_replies_not_about_messages() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    client.send(&[b"CLIENT", b"REPLY", b"OFF"]).unwrap();
    client.send(&[b"PING"]).unwrap();
    expect(&mut client, "SUBSCRIBE a", &[r#"["subscribe", "a", :1]"#]);
    other.talk("PUBLISH a x → :1");
    hears(&mut client, &[r#"["message", "a", "x"]"#]);
    expect(&mut client, "UNSUBSCRIBE", &[r#"["unsubscribe", "a", :0]"#]);
    expect(&mut client, "CLIENT REPLY ON", &["+OK"]);
}

#[test]
fn every_subscriber_hears_all_messages_in_one_order() {
    const EACH: usize = 500;
    let (_dir, server, _client) = fresh();
    let mut listeners: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for listener in &mut listeners {
        expect(listener, "SUBSCRIBE a", &[r#"["subscribe", "a", :1]"#]);
    }
    let publishers: Vec<_> = (0..3)
        .map(|who| {
            let mut publisher = server.client();
            thread::spawn(move || {
                let request =
                    |n| [&b"PUBLISH"[..], b"a", format!("{who} {n}").as_bytes()].map(Vec::from);
                let requests: Vec<_> = (0..EACH).map(|n| request(n).to_vec()).collect();
                publisher.pipeline(&requests);
            })
        })
        .collect();
    let heard: Vec<Vec<String>> = listeners
        .iter_mut()
        .map(|listener| (0..3 * EACH).map(|_| next(listener)).collect())
        .collect();
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    for other in &heard[1..] {
        assert_eq!(*other, heard[0]);
    }
    for who in 0..3 {
        let own = heard[0].iter().filter(|text| text.contains(&format!("\"{who} ")));
        let expected = (0..EACH).map(|n| format!(r#"["message", "a", "{who} {n}"]"#));
        assert!(own.cloned().eq(expected));
    }
}

#[test]
fn messages_never_stand_inside_of_replies() {
    let (_dir, server, mut client) = fresh();
    client.hello3();
    expect(&mut client, "SUBSCRIBE a", &[r#">["subscribe", "a", :1]"#]);
    client.talk("SET k 0123456789 → +OK");
    let mut publisher = server.client();
    let messages = thread::spawn(move || {
        let one = ["PUBLISH", "a", "message"].map(|word| word.as_bytes().to_vec()).to_vec();
        publisher.pipeline(&vec![one; 2000]);
    });
    let one = ["MGET", "k", "k", "nothing"].map(|word| word.as_bytes().to_vec()).to_vec();
    let (mut replies, mut heard) = (0, 0);
    while replies < 2000 || heard < 2000 {
        if replies < 2000 && replies % 50 == 0 {
            for _ in 0..50 {
                client.send(&one.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            }
            replies += 1;
            let first = loop {
                let text = next(&mut client);
                if text.starts_with('[') {
                    break text;
                }
                assert_eq!(text, r#">["message", "a", "message"]"#);
                heard += 1;
            };
            assert_eq!(first, r#"["0123456789", "0123456789", nil]"#);
            continue;
        }
        match next(&mut client).as_str() {
            r#">["message", "a", "message"]"# => heard += 1,
            r#"["0123456789", "0123456789", nil]"# => replies += 1,
            other => panic!("{other}"),
        }
    }
    messages.join().unwrap();
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_and_nobody_waits_for_it() {
    let (_dir, server, mut client) = fresh();
    client.talk("CONFIG SET client-output-buffer-limit \"pubsub 1mb 0 0\" → +OK");
    let limits = client.ask("CONFIG GET client-output-buffer-limit");
    assert!(
        limits.ends_with(" pubsub 1048576 0 0\"}") || limits.ends_with(" pubsub 1048576 0 0\"]")
    );
    let mut slow = server.socket();
    slow.write_all(b"SUBSCRIBE a\r\n").unwrap();
    let mut quick = server.client();
    expect(&mut quick, "SUBSCRIBE a", &[r#"["subscribe", "a", :1]"#]);
    until("both are subscribed", || client.ask("PUBSUB NUMSUB a") == r#"["a", :2]"#);
    let text = "x".repeat(100_000);
    let mut sent = 0;
    // The system's buffers take some megabytes first.
    while client.ask(&format!("PUBLISH a {text}")) == ":2" {
        next(&mut quick);
        sent += 1;
        assert!(sent < 1000, "100 MB for one that reads nothing");
    }
    next(&mut quick);
    // It is told nothing, as by Redis: the connection ends.
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.len() < sent * 100_100);
    if !is_redis() {
        assert_eq!(figure(&mut client, "client_output_buffer_limit_disconnections"), 1);
    }
    assert_eq!(client.ask("PUBLISH a y"), ":1");
    hears(&mut quick, &[r#"["message", "a", "y"]"#]);
}

#[test]
fn a_thousand_subscribers_hear_a_message_and_those_that_die_are_forgotten() {
    let (_dir, server, mut client) = fresh();
    let mut listeners: Vec<_> = (0..1000).map(|_| server.socket()).collect();
    for listener in &mut listeners {
        listener.write_all(b"SUBSCRIBE a\r\nPSUBSCRIBE a*\r\n").unwrap();
    }
    until("all are subscribed", || client.ask("PUBSUB NUMSUB a") == r#"["a", :1000]"#);
    until("all have their pattern", || client.ask("PUBLISH ab x") == ":1000");
    client.talk("PUBLISH a hello → :2000");
    let last = b"*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$5\r\nhello\r\n";
    for listener in &mut listeners {
        let mut heard = Vec::new();
        let mut byte = [0; 512];
        while !heard.ends_with(last) {
            let read = listener.read(&mut byte).unwrap();
            assert!(read > 0, "it was closed");
            heard.extend_from_slice(&byte[..read]);
        }
    }
    drop(listeners.split_off(10));
    until("the dead are gone", || client.ask("PUBSUB NUMSUB a") == r#"["a", :10]"#);
    client.talk("PUBLISH a hello → :20");
    drop(listeners);
    until("all are gone", || client.ask("PUBSUB CHANNELS") == "[]");
    client.talk("PUBSUB NUMPAT → :0");
}

#[test]
fn a_server_stops_in_spite_of_its_subscribers() {
    let (_dir, server, mut client) = fresh();
    expect(&mut client, "SUBSCRIBE a", &[r#"["subscribe", "a", :1]"#]);
    let mut other = server.client();
    other.hello3();
    expect(&mut other, "PSUBSCRIBE *", &[r#">["psubscribe", "*", :1]"#]);
    let (status, printed) = server.stop();
    assert!(status.success(), "{printed}");
    assert!(client.receive().is_err() && other.receive().is_err());
}

#[test]
fn subscribers_are_listed_killed_and_not_timed_out() {
    let (_dir, server, mut client) = fresh();
    let mut listener = server.client();
    expect(&mut listener, "SUBSCRIBE a", &[r#"["subscribe", "a", :1]"#]);
    expect(
        &mut listener,
        "PSUBSCRIBE a b",
        &[r#"["psubscribe", "a", :2]"#, r#"["psubscribe", "b", :3]"#],
    );
    let listed = client.ask("CLIENT LIST TYPE pubsub");
    assert!(listed.contains(" flags=P ") && listed.contains(" sub=1 psub=2 ssub=0 "), "{listed}");
    assert!(!client.ask("CLIENT LIST TYPE normal").contains(" flags=P "));
    client.talk("CONFIG SET timeout 1 → +OK");
    let idle = server.client();
    thread::sleep(Duration::from_millis(3500));
    let mut client = server.client();
    assert_eq!(client.ask("PUBLISH a x"), ":2");
    drop(idle);
    client.talk("CONFIG SET timeout 0 → +OK");
    hears(&mut listener, &[r#"["message", "a", "x"]"#, r#"["pmessage", "a", "a", "x"]"#]);
    client.talk("CLIENT KILL TYPE pubsub → :1");
    assert!(listener.receive().is_err());
    until("it is gone", || client.ask("PUBLISH a x") == ":0");
}

#[test]
fn redis_cli_prints_what_it_hears() {
    let (_dir, server, mut client) = fresh();
    let port = server.addr.port().to_string();
    let cli = Command::new("redis-cli")
        .args(["-p", &port, "SUBSCRIBE", "a"])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn();
    let Ok(mut cli) = cli else { return };
    until("it is subscribed", || client.ask("PUBLISH a hello") == ":1");
    let mut output = cli.stdout.take().expect("it was asked for");
    let (mut text, mut byte) = (Vec::new(), [0; 256]);
    while !String::from_utf8_lossy(&text).contains("hello") {
        let read = output.read(&mut byte).unwrap();
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&byte[..read]);
    }
    cli.kill().unwrap();
    cli.wait().unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "subscribe\na\n1\nmessage\na\nhello\n");
}

#[test]
fn events_are_told_by_key_and_by_name_in_the_order_of_effects() {
    let (_dir, server, mut client) = fresh();
    client.talk(
        r#"
        CONFIG GET notify-keyspace-events → ["notify-keyspace-events", ""]
        CONFIG SET notify-keyspace-events KEA → +OK
        CONFIG GET notify-keyspace-events → ["notify-keyspace-events", "AKE"]
        CONFIG SET notify-keyspace-events KEQ → -ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.
        "#,
    );
    let mut listener = server.client();
    expect(&mut listener, "PSUBSCRIBE __key*", &[r#"["psubscribe", "__key*", :1]"#]);
    let mut told = |client: &mut Client, line: &str, events: &[(u8, &str, &str)]| {
        let reply = client.ask(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
        for (db, event, key) in events {
            hears(
                &mut listener,
                &[
                    &format!(r#"["pmessage", "__key*", "__keyspace@{db}__:{key}", "{event}"]"#),
                    &format!(r#"["pmessage", "__key*", "__keyevent@{db}__:{event}", "{key}"]"#),
                ],
            );
        }
    };
    told(&mut client, "SET a 1", &[(0, "set", "a")]);
    told(&mut client, "SET a 1 EX 100", &[(0, "set", "a"), (0, "expire", "a")]);
    told(&mut client, "PERSIST a", &[(0, "persist", "a")]);
    told(&mut client, "PERSIST a", &[]);
    told(&mut client, "GET a", &[]);
    told(&mut client, "MSET b 1 c 2 b 3", &[(0, "set", "b"), (0, "set", "c"), (0, "set", "b")]);
    told(&mut client, "INCR a", &[(0, "incrby", "a")]);
    told(&mut client, "INCRBYFLOAT a 0.5", &[(0, "incrbyfloat", "a")]);
    told(&mut client, "APPEND a x", &[(0, "append", "a")]);
    told(&mut client, "SETRANGE a 3 y", &[(0, "setrange", "a")]);
    told(&mut client, "SETBIT d 7 1", &[(0, "setbit", "d")]);
    told(&mut client, "BITFIELD d SET u8 0 5", &[(0, "setbit", "d")]);
    told(&mut client, "BITOP NOT e d", &[(0, "set", "e")]);
    told(&mut client, "BITOP AND e nothing", &[(0, "del", "e")]);
    told(&mut client, "BITOP AND e nothing", &[]);
    told(&mut client, "RENAME b e", &[(0, "rename_from", "b"), (0, "rename_to", "e")]);
    told(&mut client, "COPY e f DB 3", &[(3, "copy_to", "f")]);
    told(&mut client, "MOVE e 2", &[(0, "move_from", "e"), (2, "move_to", "e")]);
    told(&mut client, "EXPIRE a 100", &[(0, "expire", "a")]);
    told(&mut client, "EXPIRE a -1", &[(0, "del", "a")]);
    told(&mut client, "GETEX c EX 100", &[(0, "expire", "c")]);
    told(&mut client, "GETEX c PERSIST", &[(0, "persist", "c")]);
    told(&mut client, "GETDEL c", &[(0, "del", "c")]);
    told(&mut client, "DEL d nothing d", &[(0, "del", "d")]);
    told(&mut client, "SET x 1 PX 20", &[(0, "set", "x"), (0, "expire", "x"), (0, "expired", "x")]);
    for line in ["MULTI", "SET m 1", "INCR m", "APPEND m x", "INCR m", "DEL m"] {
        told(&mut client, line, &[]);
    }
    told(
        &mut client,
        "EXEC",
        &[(0, "set", "m"), (0, "incrby", "m"), (0, "append", "m"), (0, "del", "m")],
    );
    told(&mut client, "CONFIG SET notify-keyspace-events Knm", &[]);
    assert_eq!(
        client.ask("CONFIG GET notify-keyspace-events"),
        r#"["notify-keyspace-events", "nKm"]"#
    );
    let mut told = |client: &mut Client, line: &str, events: &[(&str, &str)]| {
        client.run(line);
        for (event, key) in events {
            hears(
                &mut listener,
                &[&format!(r#"["pmessage", "__key*", "__keyspace@0__:{key}", "{event}"]"#)],
            );
        }
    };
    told(&mut client, "SET n 1", &[("new", "n")]);
    told(&mut client, "SET n 2", &[]);
    told(&mut client, "GET nothing", &[("keymiss", "nothing")]);
    told(&mut client, "EXISTS n nothing", &[("keymiss", "nothing")]);
    told(&mut client, "RENAME n o", &[("new", "o")]);
    told(&mut client, "SET n 1", &[("new", "n")]);
    told(&mut client, "RENAME n o", &[("new", "o")]);
    for line in ["MULTI", "DEL o", "SET o 1", "SET o 2", "DEL o", "INCR o"] {
        told(&mut client, line, &[]);
    }
    told(&mut client, "EXEC", &[("new", "o"), ("new", "o")]);
    told(&mut client, "LCS nothing o FOO", &[("keymiss", "nothing")]);
    told(&mut client, "DEL o", &[]);
    told(&mut client, "GET end", &[("keymiss", "end")]);
}

/// Runs the lines, each of which is followed by events of a key whose name follows the event's.
fn tells(lines: &[(&str, &[&str])]) {
    let (_dir, server, mut client) = fresh();
    client.talk("CONFIG SET notify-keyspace-events KAnm → +OK");
    let mut listener = server.client();
    expect(&mut listener, "PSUBSCRIBE __key*", &[r#"["psubscribe", "__key*", :1]"#]);
    for (line, events) in lines {
        client.run(line);
        for event in *events {
            let (event, key) = event.split_once(' ').expect("an event and a key");
            let told = format!(r#"["pmessage", "__key*", "__keyspace@0__:{key}", "{event}"]"#);
            assert_eq!(next(&mut listener), told, "{line}");
        }
    }
    // Nothing else was told before this.
    client.talk("PUBLISH __key_end x → :1");
    hears(&mut listener, &[r#"["pmessage", "__key*", "__key_end", "x"]"#]);
}

#[test]
fn events_are_told_of_hashes_of_hyperloglogs_and_of_what_is_restored() {
    tells(&[
        ("HSET h a 1 b 2", &["new h", "hset h"]),
        ("HSET h a 1", &["hset h"]),
        ("HMSET h c 1", &["hset h"]),
        ("HSETNX h a 1", &[]),
        ("HSETNX i a 1", &["new i", "hset i"]),
        ("HINCRBY h a 1", &["hincrby h"]),
        ("HINCRBY h a 9223372036854775807", &[]),
        ("HINCRBYFLOAT h a 0.5", &["hincrbyfloat h"]),
        ("HDEL h z", &[]),
        ("HDEL h a z", &["hdel h"]),
        ("HDEL i a b", &["hdel i", "del i"]),
        ("HDEL i a", &[]),
        ("HGET h z", &[]),
        ("HGET i a", &["keymiss i"]),
        ("HMGET i a b", &["keymiss i"]),
        ("HGETALL i", &["keymiss i"]),
        ("HKEYS i", &["keymiss i"]),
        ("HLEN i", &["keymiss i"]),
        ("HSTRLEN i a", &["keymiss i"]),
        ("HRANDFIELD i", &["keymiss i"]),
        ("HRANDFIELD i 0", &["keymiss i"]),
        ("HRANDFIELD i -2", &["keymiss i"]),
        ("HRANDFIELD i x", &[]),
        ("HSCAN i 0", &["keymiss i"]),
        ("DUMP i", &["keymiss i"]),
        ("PFADD p", &["new p", "pfadd p"]),
        ("PFADD p", &[]),
        ("PFADD p a", &["pfadd p"]),
        ("PFADD p a", &[]),
        ("PFCOUNT p", &[]),
        ("PFCOUNT i p j", &["keymiss i", "keymiss j"]),
        ("PFMERGE q i j", &["keymiss q", "keymiss i", "keymiss j", "new q", "pfadd q"]),
        ("PFMERGE q p", &["pfadd q"]),
        ("SET s x", &["new s", "set s"]),
        ("PFCOUNT i s j", &["keymiss i"]),
        ("PFMERGE i s j", &["keymiss i"]),
        (
            r#"SET c "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00""#,
            &["new c", "set c"],
        ),
        ("PFCOUNT i c j", &["keymiss i"]),
        ("PFMERGE i c j", &["keymiss i"]),
        ("BITOP OR b i h j", &["keymiss i"]),
        (r#"RESTORE r 0 "\x00\x05hello\n\x00cr\xdfve4 \n""#, &["new r", "restore r"]),
        (r#"RESTORE r 0 "\x00\x05hello\n\x00cr\xdfve4 \n""#, &[]),
        (r#"RESTORE r 99999 "\x00\x05hello\n\x00cr\xdfve4 \n" REPLACE"#, &["new r", "restore r"]),
        (r#"RESTORE r 1 "\x00\x05hello\n\x00cr\xdfve4 \n" REPLACE ABSTTL"#, &["del r"]),
        (r#"RESTORE r 1 "\x00\x05hello\n\x00cr\xdfve4 \n" ABSTTL"#, &[]),
        ("GET e", &["keymiss e"]),
    ]);
}

#[test]
fn events_are_told_of_sets() {
    tells(&[
        ("SADD s a b c", &["new s", "sadd s"]),
        ("SADD s a", &[]),
        ("SADD s a d", &["sadd s"]),
        ("SREM s z", &[]),
        ("SREM s a z", &["srem s"]),
        ("SADD t x", &["new t", "sadd t"]),
        ("SREM t x y", &["srem t", "del t"]),
        ("SREM t x", &[]),
        ("SPOP t", &[]),
        ("SPOP t 2", &[]),
        ("SADD t x", &["new t", "sadd t"]),
        ("SPOP t", &["spop t", "del t"]),
        ("SADD t x", &["new t", "sadd t"]),
        ("SPOP t 1", &["spop t", "del t"]),
        ("SADD t x y", &["new t", "sadd t"]),
        ("SPOP t 1", &["spop t"]),
        ("SPOP t 0", &[]),
        ("SPOP t 5", &["spop t", "del t"]),
        ("SMOVE s t z", &[]),
        ("SMOVE t s z", &[]),
        ("SMOVE s t b", &["srem s", "new t", "sadd t"]),
        ("SMOVE s t b", &[]),
        ("SADD s b", &["sadd s"]),
        ("SMOVE t s b", &["srem t", "del t"]),
        ("SMOVE s s b", &[]),
        ("SISMEMBER t x", &["keymiss t"]),
        ("SMISMEMBER t x y", &["keymiss t"]),
        ("SMEMBERS t", &["keymiss t"]),
        ("SCARD t", &["keymiss t"]),
        ("SRANDMEMBER t", &["keymiss t"]),
        ("SRANDMEMBER t 0", &["keymiss t"]),
        ("SRANDMEMBER t 2", &["keymiss t"]),
        ("SRANDMEMBER t -2", &["keymiss t"]),
        ("SRANDMEMBER t x", &[]),
        ("SINTER t s", &["keymiss t"]),
        ("SINTER s t u", &["keymiss t", "keymiss u"]),
        ("SUNION t s", &["keymiss t"]),
        ("SDIFF t s", &["keymiss t"]),
        ("SDIFF s t", &["keymiss t"]),
        ("SINTERCARD 2 t u", &["keymiss t", "keymiss u"]),
        ("SINTERCARD 2 s t", &["keymiss t"]),
        ("SSCAN t 0", &["keymiss t"]),
        ("SSCAN s 0", &[]),
        ("SINTERSTORE u s s", &["new u", "sinterstore u"]),
        ("SINTERSTORE u s t", &["keymiss t", "del u"]),
        ("SINTERSTORE u s t", &["keymiss t"]),
        ("SUNIONSTORE u t t", &["keymiss t", "keymiss t"]),
        ("SUNIONSTORE u s t", &["keymiss t", "new u", "sunionstore u"]),
        ("SUNIONSTORE u s", &["sunionstore u"]),
        ("SUNIONSTORE u t", &["keymiss t", "del u"]),
        ("SDIFFSTORE u s t", &["keymiss t", "new u", "sdiffstore u"]),
        ("SDIFFSTORE u s s", &["del u"]),
        ("SDIFFSTORE u s s", &[]),
        ("SDIFFSTORE u t s", &["keymiss t"]),
        ("SET k x", &["new k", "set k"]),
        ("SINTERSTORE k s s", &["sinterstore k"]),
        ("SET k x", &["set k"]),
        ("SINTERSTORE u t k", &["keymiss t"]),
        ("SINTER t k", &["keymiss t"]),
        ("SINTER k t", &[]),
        ("SUNION t k", &["keymiss t"]),
        ("SDIFF t k", &["keymiss t"]),
        ("SINTERCARD 2 t k", &["keymiss t"]),
        ("SMOVE t k x", &[]),
        ("SMOVE s k b", &[]),
        ("SADD k x", &[]),
        ("SMEMBERS k", &[]),
        ("SUNIONSTORE k k k", &[]),
        ("SADD s m", &["sadd s"]),
        ("SINTERSTORE k s t", &["keymiss t", "del k"]),
        ("SINTERSTORE k s t", &["keymiss t"]),
    ]);
}

#[test]
fn events_are_told_of_what_is_sorted() {
    tells(&[
        ("RPUSH l 3 1 2", &["new l", "rpush l"]),
        ("SORT l STORE m", &["new m", "sortstore m"]),
        ("SORT l STORE m", &["sortstore m"]),
        ("SORT l LIMIT 5 5 STORE m", &["del m"]),
        ("SORT l LIMIT 5 5 STORE m", &[]),
        ("SORT e", &["keymiss e"]),
        ("SORT e STORE m", &["keymiss e"]),
        ("SORT l STORE m", &["new m", "sortstore m"]),
        ("SORT e STORE m", &["keymiss e", "del m"]),
        ("SORT_RO e", &["keymiss e"]),
        ("SORT l STORE l", &["sortstore l"]),
        ("SET k x", &["new k", "set k"]),
        ("SORT k", &[]),
        ("SORT l STORE k", &["sortstore k"]),
    ]);
}

#[test]
fn events_are_told_of_lists() {
    tells(&[
        ("LPUSH l a b", &["new l", "lpush l"]),
        ("RPUSH l c d", &["rpush l"]),
        ("LPUSHX l x", &["lpush l"]),
        ("RPUSHX l y", &["rpush l"]),
        ("LPUSHX e x", &[]),
        ("RPUSHX e x", &[]),
        ("LPOP e", &[]),
        ("LPOP e 2", &[]),
        ("RPOP e", &[]),
        ("LPOP l", &["lpop l"]),
        ("RPOP l", &["rpop l"]),
        ("LPOP l 1", &["lpop l"]),
        ("RPOP l 1", &["rpop l"]),
        ("LPOP l 0", &[]),
        ("RPOP l 9", &["rpop l", "del l"]),
        ("RPUSH l a b c a b c", &["new l", "rpush l"]),
        ("LSET l 0 z", &["lset l"]),
        ("LSET l 99 z", &[]),
        ("LSET e 0 z", &[]),
        ("LINSERT l BEFORE b x", &["linsert l"]),
        ("LINSERT l AFTER nope x", &[]),
        ("LINSERT e AFTER nope x", &[]),
        ("LREM l 0 nope", &[]),
        ("LREM l 0 b", &["lrem l"]),
        ("LREM e 0 b", &[]),
        ("LTRIM l 0 -1", &["ltrim l"]),
        ("LTRIM l 0 2", &["ltrim l"]),
        ("LTRIM e 0 2", &[]),
        ("LTRIM l 5 2", &["ltrim l", "del l"]),
        ("RPUSH l a", &["new l", "rpush l"]),
        ("LREM l 1 a", &["lrem l", "del l"]),
        ("LREM l 1 a", &[]),
        ("RPUSH l a b c", &["new l", "rpush l"]),
        ("LMOVE l m LEFT RIGHT", &["new m", "rpush m", "lpop l"]),
        ("LMOVE l m RIGHT LEFT", &["lpush m", "rpop l"]),
        ("LMOVE l m RIGHT RIGHT", &["rpush m", "rpop l", "del l"]),
        ("LMOVE l m RIGHT RIGHT", &[]),
        ("RPOPLPUSH m l", &["new l", "lpush l", "rpop m"]),
        ("RPOPLPUSH m m", &["lpush m", "rpop m"]),
        ("LMOVE m m LEFT RIGHT", &["rpush m", "lpop m"]),
        ("RPOPLPUSH e m", &[]),
        ("LMPOP 2 e m LEFT", &["lpop m"]),
        ("LMPOP 1 m RIGHT COUNT 9", &["rpop m", "del m"]),
        ("LMPOP 1 m RIGHT COUNT 9", &[]),
        ("LLEN m", &["keymiss m"]),
        ("LRANGE m 0 -1", &["keymiss m"]),
        ("LINDEX m 0", &["keymiss m"]),
        ("LINDEX m x", &["keymiss m"]),
        ("LINDEX l 99", &[]),
        ("LPOS m a", &["keymiss m"]),
        ("LPOS l nope", &[]),
        ("LLEN l", &[]),
        ("RPUSH b 1 2 3", &["new b", "rpush b"]),
        ("BLPOP a b 0", &["lpop b"]),
        ("BRPOP b 0", &["rpop b"]),
        ("BLMOVE b c LEFT RIGHT 0", &["new c", "rpush c", "lpop b", "del b"]),
        ("BRPOPLPUSH c b 0", &["new b", "lpush b", "rpop c", "del c"]),
        ("BLMPOP 0 2 a b LEFT COUNT 5", &["lpop b", "del b"]),
        ("BLPOP a 0.01", &[]),
        ("BLMOVE a b LEFT LEFT 0.01", &[]),
        ("BLMPOP 0.01 1 a LEFT", &[]),
        ("SET k x", &["new k", "set k"]),
        ("LMOVE l k LEFT LEFT", &[]),
        ("LMOVE e k LEFT LEFT", &[]),
        ("LPUSH k x", &[]),
        ("LRANGE k 0 1", &[]),
        ("LTRIM l x 1", &[]),
        ("LRANGE e x 1", &[]),
        ("LRANGE e 0 1", &["keymiss e"]),
        ("RPUSH o 1", &["new o", "rpush o"]),
        ("LMOVE o o LEFT LEFT", &["lpush o", "lpop o"]),
    ]);
}

#[test]
fn events_are_told_of_sorted_sets() {
    tells(&[
        ("ZADD z 1 a 2 b 3 c", &["new z", "zadd z"]),
        ("ZADD z 1 a", &[]),
        ("ZADD z 5 a", &["zadd z"]),
        ("ZADD z XX 5 q", &[]),
        ("ZADD e XX 5 q", &[]),
        ("ZADD z NX 5 a", &[]),
        ("ZADD z NX 5 d", &["zadd z"]),
        ("ZADD z XX 6 d", &["zadd z"]),
        ("ZADD z CH 7 d", &["zadd z"]),
        ("ZADD z GT 1 d", &[]),
        ("ZADD z INCR 1 d", &["zincr z"]),
        ("ZADD z INCR 0 d", &[]),
        ("ZADD z NX INCR 1 d", &[]),
        ("ZADD e XX INCR 1 d", &[]),
        ("ZADD y INCR 1 d", &["new y", "zincr y"]),
        ("ZINCRBY z 1 a", &["zincr z"]),
        ("ZINCRBY z 0 a", &[]),
        ("ZINCRBY x 1 a", &["new x", "zincr x"]),
        ("ZREM z nope", &[]),
        ("ZREM e nope", &[]),
        ("ZREM z d nope", &["zrem z"]),
        ("ZREM x a", &["zrem x", "del x"]),
        ("ZREM y d", &["zrem y", "del y"]),
        ("ZADD x 1 a 2 b 3 c", &["new x", "zadd x"]),
        ("ZREMRANGEBYRANK x 5 6", &[]),
        ("ZREMRANGEBYRANK x 0 0", &["zremrangebyrank x"]),
        ("ZREMRANGEBYRANK x 0 -1", &["zremrangebyrank x", "del x"]),
        ("ZREMRANGEBYRANK x 0 -1", &[]),
        ("ZADD x 1 a 2 b 3 c", &["new x", "zadd x"]),
        ("ZREMRANGEBYSCORE x 9 10", &[]),
        ("ZREMRANGEBYSCORE x 1 1", &["zremrangebyscore x"]),
        ("ZREMRANGEBYSCORE x -inf +inf", &["zremrangebyscore x", "del x"]),
        ("ZREMRANGEBYSCORE x -inf +inf", &[]),
        ("ZADD x 0 a 0 b 0 c", &["new x", "zadd x"]),
        ("ZREMRANGEBYLEX x [y [z", &[]),
        ("ZREMRANGEBYLEX x [a [a", &["zremrangebylex x"]),
        ("ZREMRANGEBYLEX x - +", &["zremrangebylex x", "del x"]),
        ("ZREMRANGEBYLEX x - +", &[]),
        ("ZADD x 1 a 2 b 3 c 4 d 5 e", &["new x", "zadd x"]),
        ("ZPOPMIN x", &["zpopmin x"]),
        ("ZPOPMAX x", &["zpopmax x"]),
        ("ZPOPMIN x 0", &[]),
        ("ZPOPMIN x 2", &["zpopmin x"]),
        ("ZPOPMAX x 9", &["zpopmax x", "del x"]),
        ("ZPOPMAX x", &[]),
        ("ZPOPMIN x", &[]),
        ("ZPOPMIN x 2", &[]),
        ("ZADD x 1 a 2 b 3 c", &["new x", "zadd x"]),
        ("ZMPOP 2 e x MIN", &["zpopmin x"]),
        ("ZMPOP 1 x MAX COUNT 9", &["zpopmax x", "del x"]),
        ("ZMPOP 2 e x MAX COUNT 9", &[]),
        ("ZADD x 1 a 2 b 3 c", &["new x", "zadd x"]),
        ("BZPOPMIN e x 0", &["zpopmin x"]),
        ("BZPOPMAX x 0", &["zpopmax x"]),
        ("BZMPOP 0 2 e x MIN", &["zpopmin x", "del x"]),
        ("BZMPOP 0.01 1 x MIN", &[]),
        ("BZPOPMIN x 0.01", &[]),
        ("BZPOPMAX x 0.01", &[]),
        ("ZSCORE x a", &["keymiss x"]),
        ("ZSCORE z nope", &[]),
        ("ZMSCORE x a b", &["keymiss x"]),
        ("ZCARD x", &["keymiss x"]),
        ("ZRANK x a", &["keymiss x"]),
        ("ZREVRANK x a", &["keymiss x"]),
        ("ZRANDMEMBER x", &["keymiss x"]),
        ("ZRANDMEMBER x 0", &["keymiss x"]),
        ("ZRANDMEMBER x 2", &["keymiss x"]),
        ("ZRANDMEMBER x -2", &["keymiss x"]),
        ("ZSCAN x 0", &["keymiss x"]),
        ("ZCOUNT x 1 2", &["keymiss x"]),
        ("ZCOUNT x a 2", &[]),
        ("ZLEXCOUNT x - +", &["keymiss x"]),
        ("ZRANGE x 0 -1", &["keymiss x"]),
        ("ZRANGE x a 0", &[]),
        ("ZRANGE x 0 1 BYSCORE", &["keymiss x"]),
        ("ZREVRANGE x 0 -1", &["keymiss x"]),
        ("ZRANGEBYSCORE x 0 1", &["keymiss x"]),
        ("ZREVRANGEBYSCORE x 1 0", &["keymiss x"]),
        ("ZRANGEBYLEX x - +", &["keymiss x"]),
        ("ZREVRANGEBYLEX x + -", &["keymiss x"]),
        ("ZRANGE z 9 10", &[]),
        ("ZRANGESTORE w x 0 -1", &["keymiss x"]),
        ("ZRANGESTORE w z 0 -1", &["new w", "zrangestore w"]),
        ("ZRANGESTORE w z 0 -1", &["zrangestore w"]),
        ("ZRANGESTORE w z 8 9", &["del w"]),
        ("ZRANGESTORE w z 8 9", &[]),
        ("ZRANGESTORE w z 0 -1", &["new w", "zrangestore w"]),
        ("ZRANGESTORE w x 0 -1", &["keymiss x", "del w"]),
        ("ZUNIONSTORE w 2 x z", &["keymiss x", "new w", "zunionstore w"]),
        ("ZUNIONSTORE w 1 z", &["zunionstore w"]),
        ("ZUNIONSTORE w 1 x", &["keymiss x", "del w"]),
        ("ZUNIONSTORE w 1 x", &["keymiss x"]),
        ("ZINTERSTORE w 2 z z", &["new w", "zinterstore w"]),
        ("ZINTERSTORE w 2 z x", &["keymiss x", "del w"]),
        ("ZINTERSTORE w 2 z x", &["keymiss x"]),
        ("ZDIFFSTORE w 2 z x", &["keymiss x", "new w", "zdiffstore w"]),
        ("ZDIFFSTORE w 2 z z", &["del w"]),
        ("ZDIFFSTORE w 2 z z", &[]),
        ("ZUNION 2 x z", &["keymiss x"]),
        ("ZINTER 2 x z", &["keymiss x"]),
        ("ZINTER 3 x z y", &["keymiss x", "keymiss y"]),
        ("ZDIFF 2 x z", &["keymiss x"]),
        ("ZDIFF 2 z x", &["keymiss x"]),
        ("ZINTERCARD 2 x y", &["keymiss x", "keymiss y"]),
        ("ZINTERCARD 2 z y", &["keymiss y"]),
        ("ZUNION 2 x z NONSENSE", &["keymiss x"]),
        ("ZUNIONSTORE w 2 x z NONSENSE", &["keymiss x"]),
        ("SET k v", &["new k", "set k"]),
        ("ZUNION 3 x k y", &["keymiss x"]),
        ("ZUNIONSTORE k 1 x", &["keymiss x", "del k"]),
        ("SET k v", &["new k", "set k"]),
        ("ZUNIONSTORE k 1 z", &["zunionstore k"]),
        ("SET k v", &["set k"]),
        ("ZRANGESTORE k z 0 0", &["zrangestore k"]),
        ("SET k v", &["set k"]),
        ("ZRANGESTORE k x 0 0", &["keymiss x", "del k"]),
        ("SET k v", &["new k", "set k"]),
        ("ZRANGESTORE w k 0 0", &[]),
        ("ZADD k 1 a", &[]),
        ("ZCARD k", &[]),
    ]);
}

#[test]
fn each_key_that_is_deleted_by_pattern_or_content_is_told_of() {
    if is_redis() {
        return;
    }
    let (_dir, server, mut client) = fresh();
    client.talk("CONFIG SET notify-keyspace-events Eg → +OK");
    let mut listener = server.client();
    expect(
        &mut listener,
        "SUBSCRIBE __keyevent@0__:del",
        &[r#"["subscribe", "__keyevent@0__:del", :1]"#],
    );
    let mut gone = |keys: &[&str]| {
        for key in keys {
            hears(&mut listener, &[&format!(r#"["message", "__keyevent@0__:del", "{key}"]"#)]);
        }
    };
    client.talk("MSET a abc b xbc c zzz → +OK");
    client.talk("DELIF bc a nothing b c a → :2");
    gone(&["a", "b"]);
    client.talk("MSET a 1 b 2 → +OK");
    client.talk("PDEL * → :3");
    gone(&["a", "b", "c"]);
    client.talk("MSET a 1 b 2 → +OK");
    client.talk("MULTI → +OK");
    for line in ["PDEL *", "SET a 1", "DEL a"] {
        client.talk(&format!("{line} → +QUEUED"));
    }
    client.talk("EXEC → [:2, +OK, :1]");
    gone(&["a", "b", "a"]);
    // More than are deleted at once.
    let keys: Vec<String> = (0..200).map(|n| format!("k{n:03}")).collect();
    for key in &keys {
        client.talk(&format!("SET {key} 1 → +OK"));
    }
    client.talk("PDEL k* → :200");
    gone(&keys.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn what_is_told_is_on_disk() {
    if is_redis() {
        return;
    }
    let (dir, server, mut client) = fresh();
    client.talk("CONFIG SET notify-keyspace-events Eg$ → +OK");
    let mut listener = server.client();
    expect(
        &mut listener,
        "PSUBSCRIBE __keyevent@0__:*",
        &[r#"["psubscribe", "__keyevent@0__:*", :1]"#],
    );
    let writer = thread::spawn(move || {
        for n in 0.. {
            if client.send(&[b"SET", format!("k{n}").as_bytes(), b"v"]).is_err() {
                return;
            }
            if client.receive().is_err() {
                return;
            }
        }
    });
    let mut told = Vec::new();
    for _ in 0..100 {
        told.push(next(&mut listener));
    }
    server.kill();
    while let Ok(message) = listener.receive() {
        told.push(shown(&message));
    }
    writer.join().unwrap();
    let server = tests::Server::start(&dir, &[]);
    let mut client = server.client();
    for (n, message) in told.iter().enumerate() {
        assert!(message.ends_with(&format!(r#""k{n}"]"#)), "{message}");
        assert_eq!(client.ask(&format!("EXISTS k{n}")), ":1");
    }
}

#[test]
fn what_a_script_publishes_is_heard_once_and_in_order_even_if_it_runs_again() {
    let (_dir, server, mut client) = fresh();
    let mut other = server.client();
    other.talk("CONFIG SET notify-keyspace-events Eg$h → +OK");
    expect(&mut client, "PSUBSCRIBE *", &[r#"["psubscribe", "*", :1]"#]);
    let message =
        |channel: &str, text: &str| format!(r#"["pmessage", "*", "{channel}", "{text}"]"#);
    let event = |name: &str, key: &str| message(&format!("__keyevent@0__:{name}"), key);
    // The second one is not named, so all of it runs again.
    other.talk(
        r#"EVAL "local n = redis.call('publish', 'c', '1') redis.call('set', KEYS[1], 'x') redis.call('append', 'other', 'v') redis.call('publish', 'c', '2') redis.call('del', KEYS[1]) return n" 1 k → :1"#,
    );
    let heard = [
        message("c", "1"),
        event("set", "k"),
        event("append", "other"),
        message("c", "2"),
        event("del", "k"),
    ];
    hears(&mut client, &heard.each_ref().map(String::as_str));
    // What was said before an error stays, as what was done.
    other.talk(
        r#"EVAL "redis.call('publish', 'c', '3') redis.call('incr', KEYS[1]) error('x')" 1 n → -ERR user_script:1: x script: …
           MULTI → +OK
           EVAL "redis.call('publish', 'c', '4') return redis.call('incr', 'n')" 0 → +QUEUED
           PUBLISH c 5 → +QUEUED
           EXEC → [:2, :1]
           PUBLISH c end → :1"#,
    );
    let heard = [
        message("c", "3"),
        event("incrby", "n"),
        message("c", "4"),
        event("incrby", "n"),
        message("c", "5"),
        message("c", "end"),
    ];
    hears(&mut client, &heard.each_ref().map(String::as_str));
}
