//! Clients that wait for keys.
//!
//! With `BITMAPISTD=/usr/bin/redis-server` the same tests run against Redis.

use crate::commands::fresh;
use resp::Reply;
use std::thread;
use std::time::{Duration, Instant};
use tests::{Client, DataDir, Server, until};

/// How many clients wait.
fn blocked(client: &mut Client) -> usize {
    let (Reply::Verbatim { text, .. } | Reply::Bulk(text)) = client.run("INFO clients") else {
        panic!("INFO is text")
    };
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    line.unwrap().parse().unwrap()
}

/// Sends a line of a command that waits.
fn send(client: &mut Client, line: &str) {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    client.send(&args).unwrap();
}

/// A client that waits, having said so in this line, after those that wait already.
fn waiter(server: &Server, watch: &mut Client, line: &str) -> Client {
    let before = blocked(watch);
    let mut client = server.client();
    send(&mut client, line);
    until("the client waits", || blocked(watch) == before + 1);
    client
}

fn answer(client: &mut Client) -> String {
    tests::shown(&client.receive().unwrap())
}

#[test]
fn what_is_there_is_taken_at_once_from_the_first_key_that_has_something() {
    let (_dir, _server, mut client) = fresh();
    client.talk(
        r#"
        RPUSH b 1 2 3 4 5 6 → :6
        BLPOP a b 0 → ["b", "1"]
        BRPOP a b 0 → ["b", "6"]
        BLMOVE b c LEFT RIGHT 0 → "2"
        BRPOPLPUSH b c 0 → "5"
        LRANGE c 0 -1 → ["5", "2"]
        BLMPOP 0 2 a b RIGHT COUNT 5 → ["b", ["4", "3"]]
        EXISTS b → :0
        BLPOP a 0.001 → nil[]
        BLMOVE a b LEFT LEFT 0.001 → nil[]
        BRPOPLPUSH a b 0.001 → nil[]
        BLMPOP 0.001 1 a LEFT → nil[]
        BLPOP a x → -ERR timeout is not a float or out of range
        BLPOP a -1 → -ERR timeout is negative
        BLPOP a inf → -ERR timeout is negative
        BLMOVE a b foo LEFT x → -ERR syntax error
        BLMOVE a b LEFT LEFT x → -ERR timeout is not a float or out of range
        BLMPOP x 0 a LEFT → -ERR numkeys should be greater than 0
        BLMPOP x 1 a LEFT COUNT 0 → -ERR count should be greater than 0
        BLMPOP -1 1 a LEFT → -ERR timeout is negative
        MULTI → +OK
        BLPOP a 0 → +QUEUED
        BLMOVE a b LEFT LEFT 0 → +QUEUED
        BLMPOP 0 1 a LEFT → +QUEUED
        RPUSH a x → +QUEUED
        BLPOP a 0 → +QUEUED
        EXEC → [nil, nil, nil, :1, ["a", "x"]]
        "#,
    );
}

#[test]
fn waiting_clients_are_served_in_the_order_in_which_they_came() {
    let (_dir, server, mut client) = fresh();
    let mut waiters: Vec<Client> =
        (0..5).map(|_| waiter(&server, &mut client, "BLPOP a b 0")).collect();
    let mut many = waiter(&server, &mut client, "BLMPOP 0 1 a RIGHT COUNT 2");
    assert_eq!(client.ask("RPUSH b 1 2"), ":2");
    assert_eq!(answer(&mut waiters[0]), r#"["b", "1"]"#);
    assert_eq!(answer(&mut waiters[1]), r#"["b", "2"]"#);
    assert_eq!(client.ask("RPUSH a 3 4 5 6 7 8"), ":6");
    for (waiter, n) in waiters[2..].iter_mut().zip(3..) {
        assert_eq!(answer(waiter), format!(r#"["a", "{n}"]"#));
    }
    assert_eq!(answer(&mut many), r#"["a", ["8", "7"]]"#);
    assert_eq!((client.ask("LRANGE a 0 -1"), blocked(&mut client)), (r#"["6"]"#.into(), 0));
    assert_eq!(client.ask("EXISTS b"), ":0");
}

#[test]
fn whatever_makes_a_list_serves_and_only_what_is_left_at_the_end_of_a_transaction() {
    let (_dir, server, mut client) = fresh();
    for made in ["RENAME other a", "COPY other a", "LMOVE other a LEFT LEFT", "RPOPLPUSH other a"] {
        let mut waiting = waiter(&server, &mut client, "BLPOP a 0");
        client.talk("RPUSH other x → :1");
        client.run(made);
        assert_eq!(answer(&mut waiting), r#"["a", "x"]"#, "{made}");
        client.run("DEL other");
    }
    let mut waiting = waiter(&server, &mut client, "BLPOP a b 0");
    client.talk(
        r"
        MULTI → +OK
        RPUSH a x → +QUEUED
        DEL a → +QUEUED
        EXEC → [:1, :1]
        SET a string → +OK
        HSET b f v → :1
        DEL a b → :2
        MULTI → +OK
        RPUSH b 1 → +QUEUED
        RPUSH a 2 → +QUEUED
        RPUSH b 3 → +QUEUED
        EXEC → [:1, :1, :2]
        ",
    );
    assert_eq!(answer(&mut waiting), r#"["b", "1"]"#);
    client.talk(r#"LRANGE b 0 -1 → ["3"]"#);
    // Another database is another key.
    client.talk("DEL a b → :2");
    let mut waiting = waiter(&server, &mut client, "BLPOP a 0");
    client.talk("SELECT 1 → +OK\nRPUSH a x → :1\nMOVE a 0 → :1");
    assert_eq!(answer(&mut waiting), r#"["a", "x"]"#);
}

#[test]
fn elements_move_on_through_a_chain_of_waiting_clients() {
    let (_dir, server, mut client) = fresh();
    let mut first = waiter(&server, &mut client, "BLMOVE a b LEFT LEFT 0");
    let mut second = waiter(&server, &mut client, "BLMOVE b c LEFT LEFT 0");
    let mut third = waiter(&server, &mut client, "BLPOP c 0");
    client.talk("RPUSH a 1 2 → :2");
    assert_eq!(answer(&mut first), r#""1""#);
    assert_eq!(answer(&mut second), r#""1""#);
    assert_eq!(answer(&mut third), r#"["c", "1"]"#);
    client.talk("LRANGE a 0 -1 → [\"2\"]\nEXISTS b c → :0");
    // Whoever waits where the element cannot go is told, and nothing is taken.
    client.talk("DEL a → :1\nSET s x → +OK");
    let mut wrong = waiter(&server, &mut client, "BLMOVE a s LEFT LEFT 0");
    let mut right = waiter(&server, &mut client, "BLMOVE a a LEFT RIGHT 0");
    client.talk("RPUSH a 1 2 → :2");
    let text = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!((answer(&mut wrong), answer(&mut right)), (text.into(), r#""1""#.into()));
    client.talk(r#"LRANGE a 0 -1 → ["2", "1"]"#);
}

#[test]
fn waiting_ends_by_time_by_command_and_by_going_away() {
    let (_dir, server, mut client) = fresh();
    let begun = Instant::now();
    client.talk("BLPOP a 0.3 → nil[]");
    assert!(begun.elapsed() >= Duration::from_millis(290), "{:?}", begun.elapsed());
    let unblock = |client: &mut Client, how: &str| {
        let mut waiting = server.client();
        let id = waiting.number("CLIENT ID");
        send(&mut waiting, "BLPOP a 0");
        until("the client waits", || blocked(client) == 1);
        let listed = client.ask(&format!("CLIENT LIST ID {id}"));
        assert!(listed.contains(" flags=b ") && listed.contains(" cmd=blpop "), "{listed}");
        assert_eq!(client.ask(&format!("CLIENT UNBLOCK {id}{how}")), ":1");
        let answer = answer(&mut waiting);
        assert_eq!(client.ask(&format!("CLIENT UNBLOCK {id}")), ":0");
        // It goes on as before.
        assert_eq!(waiting.ask("PING"), "+PONG");
        answer
    };
    assert_eq!(unblock(&mut client, ""), "nil[]");
    assert_eq!(unblock(&mut client, " TIMEOUT"), "nil[]");
    let text = "-UNBLOCKED client unblocked via CLIENT UNBLOCK";
    assert_eq!(unblock(&mut client, " ERROR"), text);
    client.talk(
        "CLIENT UNBLOCK 999999 → :0
         CLIENT UNBLOCK x → -ERR value is not an integer or out of range
         CLIENT UNBLOCK 1 foo → -ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
    );
    // One is killed, one goes away: the next is served.
    let mut killed = server.client();
    let id = killed.number("CLIENT ID");
    send(&mut killed, "BLPOP a 0");
    until("the client waits", || blocked(&mut client) == 1);
    let gone = waiter(&server, &mut client, "BLPOP a 0");
    let mut served = waiter(&server, &mut client, "BLPOP a 0");
    assert_eq!(client.ask(&format!("CLIENT KILL ID {id}")), ":1");
    drop(gone);
    until("both are gone", || blocked(&mut client) == 1);
    client.talk("RPUSH a x y → :2");
    assert_eq!(answer(&mut served), r#"["a", "x"]"#);
    client.talk(r#"LRANGE a 0 -1 → ["y"]"#);
    assert!(killed.receive().is_err());
}

#[test]
fn commands_behind_one_that_waits_wait_for_it() {
    let (_dir, server, mut client) = fresh();
    let mut waiting = server.client();
    for line in ["SET k 1", "BLPOP a 0", "SET k 2", "BLPOP a 0", "PING"] {
        send(&mut waiting, line);
    }
    // The reply before it does not wait.
    assert_eq!(answer(&mut waiting), "+OK");
    until("the client waits", || blocked(&mut client) == 1);
    client.talk("GET k → \"1\"\nRPUSH a 1 → :1");
    assert_eq!(
        (answer(&mut waiting), answer(&mut waiting)),
        (r#"["a", "1"]"#.into(), "+OK".into())
    );
    until("the client waits", || blocked(&mut client) == 1);
    client.talk("GET k → \"2\"\nRPUSH a 2 → :1");
    assert_eq!(
        (answer(&mut waiting), answer(&mut waiting)),
        (r#"["a", "2"]"#.into(), "+PONG".into())
    );
    // Who does not want replies is served all the same.
    for line in ["CLIENT REPLY SKIP", "BLPOP a 0", "PING"] {
        send(&mut waiting, line);
    }
    until("the client waits", || blocked(&mut client) == 1);
    client.talk("RPUSH a 3 → :1");
    assert_eq!(answer(&mut waiting), "+PONG");
    client.talk("EXISTS a → :0");
}

#[test]
fn a_server_with_waiting_clients_stops_at_once_and_a_crash_loses_nothing_that_was_answered() {
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    let mut waiting = waiter(&server, &mut client, "BLMOVE a taken LEFT RIGHT 0");
    client.talk("RPUSH a 1 2 → :2");
    assert_eq!(answer(&mut waiting), r#""1""#);
    let _waits = waiter(&server, &mut client, "BLPOP missing 0");
    server.kill();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk("LRANGE a 0 -1 → [\"2\"]\nLRANGE taken 0 -1 → [\"1\"]\nEXISTS missing → :0");
    let mut waits = waiter(&server, &mut client, "BLPOP missing 0");
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(waits.receive().is_err());
}

#[test]
fn members_of_sorted_sets_are_taken_at_once_or_waited_for() {
    let (_dir, server, mut client) = fresh();
    client.talk(
        r#"
        ZADD z 1 a 2 b 3 c 4 d 5 e → :5
        BZPOPMIN y z 0 → ["z", "a", "1"]
        BZPOPMAX y z 0 → ["z", "e", "5"]
        BZMPOP 0 2 y z MAX COUNT 2 → ["z", [["d", "4"], ["c", "3"]]]
        BZMPOP 0 1 z MIN → ["z", [["b", "2"]]]
        EXISTS z → :0
        BZPOPMIN z 0.001 → nil[]
        BZPOPMAX z 0.001 → nil[]
        BZMPOP 0.001 1 z MIN → nil[]
        BZPOPMIN z x → -ERR timeout is not a float or out of range
        BZPOPMIN z -1 → -ERR timeout is negative
        BZMPOP x 0 z MIN → -ERR numkeys should be greater than 0
        BZMPOP x 1 z LEFT → -ERR syntax error
        BZMPOP x 1 z MIN COUNT 0 → -ERR count should be greater than 0
        BZMPOP x 1 z MIN → -ERR timeout is not a float or out of range
        SET s x → +OK
        BZPOPMIN s 0 → -WRONGTYPE Operation against a key holding the wrong kind of value
        MULTI → +OK
        BZPOPMIN z 0 → +QUEUED
        BZMPOP 0 1 z MIN → +QUEUED
        EXEC → [nil, nil]
        "#,
    );
    let mut least = waiter(&server, &mut client, "BZPOPMIN y z 0");
    let mut greatest = waiter(&server, &mut client, "BZPOPMAX z 0");
    let mut many = waiter(&server, &mut client, "BZMPOP 0 2 y z MIN COUNT 2");
    let mut list = waiter(&server, &mut client, "BLPOP z 0");
    let mut later = waiter(&server, &mut client, "BZPOPMIN z 0");
    client.talk("ZADD z 1 a 2 b 3 c 4 d → :4");
    assert_eq!(answer(&mut least), r#"["z", "a", "1"]"#);
    assert_eq!(answer(&mut greatest), r#"["z", "d", "4"]"#);
    assert_eq!(answer(&mut many), r#"["z", [["b", "2"], ["c", "3"]]]"#);
    client.talk("EXISTS z → :0\nRPUSH z x → :1");
    assert_eq!(answer(&mut list), r#"["z", "x"]"#);
    client.talk("ZADD w 7 m → :1\nZUNIONSTORE z 1 w → :1");
    assert_eq!(answer(&mut later), r#"["z", "m", "7"]"#);
    client.talk("EXISTS z → :0");
    assert_eq!(blocked(&mut client), 0);
}

#[test]
fn two_hundred_waiting_clients_are_served_once_each_in_order() {
    let (_dir, server, mut client) = fresh();
    let mut waiters: Vec<Client> =
        (0..200).map(|_| waiter(&server, &mut client, "BLPOP queue 0")).collect();
    let pushes: Vec<Vec<Vec<u8>>> = (0..100)
        .map(|n| {
            let elements = [2 * n, 2 * n + 1].map(|n: usize| n.to_string().into_bytes());
            [&[b"RPUSH".to_vec(), b"queue".to_vec()][..], &elements].concat()
        })
        .collect();
    assert!(client.pipeline(&pushes).iter().all(|reply| *reply == Reply::Int(2)));
    for (n, waiter) in waiters.iter_mut().enumerate() {
        assert_eq!(answer(waiter), format!(r#"["queue", "{n}"]"#));
    }
    assert_eq!((client.ask("EXISTS queue"), blocked(&mut client)), (":0".into(), 0));
}

#[test]
fn a_thousand_tasks_go_through_two_workers_and_none_is_lost_or_done_twice() {
    const TASKS: usize = 1000;
    let (_dir, server, mut client) = fresh();
    thread::scope(|scope| {
        for worker in 0..2 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.client();
                loop {
                    let task = client.ask(&format!("BLMOVE tasks busy:{worker} RIGHT LEFT 0"));
                    let task = task.trim_matches('"');
                    client.run(&format!("LREM busy:{worker} 1 {task}"));
                    if task == "stop" {
                        break;
                    }
                    client.run(&format!("RPUSH done {task}"));
                }
            });
        }
        for pusher in 0..2 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.client();
                for n in 0..TASKS / 2 {
                    client.run(&format!("LPUSH tasks {}", 2 * n + pusher));
                }
            });
        }
        until("all tasks are done", || client.number("LLEN done") == TASKS as i64);
        client.run("LPUSH tasks stop stop");
    });
    let mut done: Vec<usize> = match client.run("LRANGE done 0 -1") {
        Reply::Array(tasks) => {
            tasks.iter().map(|task| tests::shown(task).trim_matches('"').parse().unwrap()).collect()
        }
        other => panic!("{other:?}"),
    };
    done.sort_unstable();
    assert!(done.into_iter().eq(0..TASKS));
    client.talk("EXISTS tasks busy:0 busy:1 → :0");
}

#[test]
fn nil_is_one_of_resp3_for_who_speaks_it() {
    let (_dir, server, mut client) = fresh();
    let mut waiting = server.client();
    waiting.hello3();
    assert_eq!(waiting.ask("BLPOP a 0.001"), "nil");
    send(&mut waiting, "BLPOP a 0");
    until("the client waits", || blocked(&mut client) == 1);
    client.talk("RPUSH a x → :1");
    assert_eq!(answer(&mut waiting), r#"["a", "x"]"#);
}
