//! kill −9 under load: what was acknowledged is there, batches are whole or absent, nothing comes back.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tests::{Client, DataDir, Random, Server, until};

const CRASHES: u64 = 20;
const WRITERS: u64 = 4;
/// Acknowledged writes between two crashes, at least.
const WRITES: u64 = 300;
const KEYS: u64 = 12;

/// What one writer knows of its own keys.
#[derive(Default)]
struct Known {
    /// What the last acknowledged write left: the counter, or nothing.
    acknowledged: BTreeMap<u64, Option<u64>>,
    /// A write that was sent and not acknowledged: either it is there or it is not.
    pending: Option<(u64, Option<u64>)>,
    /// The last number in both halves of the writer's batch.
    batch: u64,
    bits: u64,
    next: u64,
}

/// Writes until the server is gone. A counter key holds a number that only grows; deletes are between.
fn write(server: &Server, writer: u64, known: &mut Known, random: &mut Random, done: &AtomicU64) {
    let mut client = server.client();
    loop {
        known.next += 1;
        let number = known.next;
        let slot = random.below(KEYS);
        let key = format!("w{writer}:{slot}");
        match random.below(8) {
            0 => {
                known.pending = Some((slot, None));
                if try_call(&mut client, &["DEL", &key]).is_none() {
                    return;
                }
                known.acknowledged.insert(slot, None);
            }
            1..=3 => {
                known.pending = Some((slot, Some(number)));
                if try_call(&mut client, &["SET", &key, &number.to_string()]).is_none() {
                    return;
                }
                known.acknowledged.insert(slot, Some(number));
            }
            4..=5 => {
                let bit = known.bits.to_string();
                if try_call(&mut client, &["SETBIT", &format!("bits:{writer}"), &bit, "1"])
                    .is_none()
                {
                    return;
                }
                known.bits += 1;
            }
            _ => {
                // One transaction: both halves, and a bit for each number.
                let (text, both) =
                    (number.to_string(), [format!("left:{writer}"), format!("right:{writer}")]);
                let bit = (number * 40).to_string();
                let commands: [&[&str]; 5] = [
                    &["MULTI"],
                    &["SET", &both[0], &text],
                    &["SETBIT", &format!("marks:{writer}"), &bit, "1"],
                    &["SET", &both[1], &text],
                    &["EXEC"],
                ];
                for command in commands {
                    if try_call(&mut client, command).is_none() {
                        return;
                    }
                }
                known.batch = number;
            }
        }
        known.pending = None;
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn try_call(client: &mut Client, args: &[&str]) -> Option<resp::Reply> {
    let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    client.send(&args).ok()?;
    let reply = client.receive().ok()?;
    assert!(!matches!(reply, resp::Reply::Error(_)), "{reply:?}");
    Some(reply)
}

fn value(client: &mut Client, key: &str) -> Option<u64> {
    match client.run(&format!("GET {key}")) {
        resp::Reply::Bulk(bytes) => Some(std::str::from_utf8(&bytes).unwrap().parse().unwrap()),
        resp::Reply::Null => None,
        other => panic!("{key}: {other:?}"),
    }
}

/// Compares what is there with what was acknowledged, and takes over what turned out to be there.
fn check(client: &mut Client, writer: u64, known: &mut Known, crash: u64) {
    for slot in 0..KEYS {
        let found = value(client, &format!("w{writer}:{slot}"));
        let expected = known.acknowledged.get(&slot).copied().flatten();
        let pending = known.pending.filter(|(at, _)| *at == slot).map(|(_, value)| value);
        assert!(
            found == expected || pending == Some(found),
            "crash {crash}: w{writer}:{slot} is {found:?}; acknowledged {expected:?}, pending {pending:?}"
        );
        known.acknowledged.insert(slot, found);
    }
    known.pending = None;
    let [left, right] = ["left", "right"].map(|half| value(client, &format!("{half}:{writer}")));
    assert_eq!(left, right, "crash {crash}: half a batch");
    let batch = left.unwrap_or(0);
    assert!(batch >= known.batch, "crash {crash}: batch {} is lost, {batch} is there", known.batch);
    assert!(batch <= known.next, "crash {crash}");
    if batch > 0 {
        let mark = client.number(&format!("GETBIT marks:{writer} {}", batch * 40));
        assert_eq!(mark, 1, "crash {crash}: a part of batch {batch} is missing");
    }
    known.batch = batch;
    let bits = client.number(&format!("BITCOUNT bits:{writer}")) as u64;
    assert!(
        bits == known.bits || bits == known.bits + 1,
        "crash {crash}: {bits} bits of writer {writer}, {} acknowledged",
        known.bits
    );
    known.bits = bits;
}

#[test]
fn twenty_crashes_under_load_lose_nothing_that_was_acknowledged() {
    const SEED: u64 = 9;
    let dir = DataDir::new();
    let known: Vec<Mutex<Known>> = (0..WRITERS).map(|_| Mutex::default()).collect();
    let mut server = Server::start(&dir, &["--sync", "always"]);
    for crash in 1..=CRASHES {
        let done = AtomicU64::new(0);
        thread::scope(|scope| {
            for (writer, known) in (0..).zip(&known) {
                let (server, done) = (&server, &done);
                scope.spawn(move || {
                    let mut random = Random::new(SEED + crash * 100 + writer);
                    write(server, writer, &mut known.lock().unwrap(), &mut random, done);
                });
            }
            // The crash comes at another moment each time.
            let enough = WRITES + Random::new(SEED + crash).below(WRITES);
            until("there is load", || done.load(Ordering::Relaxed) >= enough);
            server.signal("KILL");
        });
        drop(server);
        server = Server::start(&dir, &["--sync", "always"]);
        let mut client = server.client();
        for (writer, known) in (0..).zip(&known) {
            check(&mut client, writer, &mut known.lock().unwrap(), crash);
        }
    }
}
