//! A directory in use, and one that is damaged: refused, with the place.

use std::fs;
use tests::{DataDir, Server, Started, is_redis, shown, until};

fn refused(dir: &DataDir) -> String {
    match Server::try_start(dir, &[]) {
        Started::Refused(status, text) => {
            assert!(!status.success());
            text
        }
        Started::Serving(_) => panic!("it serves"),
    }
}

fn filled() -> DataDir {
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    for n in 0..2000 {
        client.talk(&format!("SET key:{n} value-{n} → +OK"));
    }
    assert!(server.stop().0.success());
    dir
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    server.client().talk("SET k v → +OK");
    let text = refused(&dir);
    assert!(text.contains("another process") || text.contains("in use"), "{text}");
    assert!(text.contains(&dir.data().display().to_string()), "{text}");
    server.client().talk(r#"GET k → "v""#);
    server.kill();
    // What a crash leaves behind locks nobody out.
    Server::start(&dir, &[]).client().talk(r#"GET k → "v""#);
}

#[test]
fn damage_is_refused_with_segment_and_offset() {
    if is_redis() {
        return;
    }
    let dir = filled();
    let segment = dir.segments().remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    // Far from the end, where a crash may have torn it.
    let at = 20_000;
    assert!(bytes.len() > 2 * at);
    bytes[at] ^= 0x40;
    fs::write(&segment, &bytes).unwrap();
    for hint in fs::read_dir(dir.data()).unwrap().flatten().map(|entry| entry.path()) {
        if hint.extension().is_some_and(|extension| extension == "hint") {
            fs::remove_file(hint).unwrap();
        }
    }
    let text = refused(&dir);
    let name = segment.file_stem().unwrap().to_string_lossy().trim_start_matches('0').to_owned();
    assert!(text.contains("offset") && text.contains(&name), "{text}");
    assert_eq!(fs::read(&segment).unwrap(), bytes, "a refusal changes nothing");
}

#[test]
fn a_torn_end_is_cut_and_reported() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    for n in 0..100 {
        client.talk(&format!("SET key:{n} value-{n} → +OK"));
    }
    server.kill();
    let segment = dir.segments().pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    // As if the last write had stopped in its middle.
    bytes.truncate(end - 3);
    fs::write(&segment, &bytes).unwrap();
    let server = Server::start(&dir, &[]);
    until("it says so", || server.printed().contains("cut off"));
    let mut client = server.client();
    client.talk(r#"GET key:98 → "value-98""#);
    client.talk("EXISTS key:99 → :0");
    client.talk("SET key:99 again → +OK");
    server.kill();
    Server::start(&dir, &[]).client().talk(r#"GET key:99 → "again""#);
}

#[test]
fn a_file_is_no_directory() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    fs::write(dir.data(), b"SQLite format 3\0 and so on").unwrap();
    let text = refused(&dir);
    assert!(text.contains("bitmapist-server"), "{text}");
}

#[test]
fn a_damaged_record_behind_a_hint_is_refused_by_name_and_can_be_replaced() {
    if is_redis() {
        return;
    }
    let dir = filled();
    let segment = dir.segments().remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(10).position(|window| window == b"value-1000").unwrap();
    bytes[at] ^= 0x40;
    fs::write(&segment, &bytes).unwrap();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk(r#"GET key:999 → "value-999""#);
    let refused = shown(&client.run("GET key:1000"));
    let place = segment.display().to_string();
    assert!(refused.starts_with("-CORRUPT") && refused.contains(&place), "{refused}");
    assert!(refused.contains("damaged at offset"), "{refused}");
    assert!(shown(&client.run("APPEND key:1000 x")).starts_with("-CORRUPT"));
    client.talk("SET key:1000 new → +OK");
    client.talk(r#"GET key:1000 → "new""#);
    assert!(server.printed().contains("a record cannot be read"), "{}", server.printed());
}

/// A limit for the length of files stands for a disk that takes no more: both say so when space is reserved.
#[test]
fn a_disk_that_takes_no_more_refuses_writes_with_the_reason_and_reads_go_on() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    // The signal would end a process that does not look at what the call returns.
    let started = Server::under("trap '' XFSZ; ulimit -f 2000", &dir, &[]);
    let Started::Serving(server) = started else { panic!("it does not start") };
    let mut client = server.client();
    client.talk("SETBIT bits 7 1 → :0");
    let value = "v".repeat(10_000);
    let mut kept = 0;
    let refused = loop {
        let reply = shown(&client.run(&format!("SET key:{kept} {value}")));
        if reply != "+OK" {
            break reply;
        }
        kept += 1;
        assert!(kept < 1000, "nothing is refused");
    };
    assert!(refused.starts_with("-MISCONF") && refused.contains("00000001.seg"), "{refused}");
    assert!(kept > 10);
    client.talk("EXISTS key:0 → :1");
    client.talk(&format!("STRLEN key:{} → :10000", kept - 1));
    client.talk("GETBIT bits 7 → :1");
    client.talk(&format!("EXISTS key:{kept} → :0"));
    let info = shown(&client.run("INFO persistence"));
    assert!(info.contains("aof_last_write_status:err"), "{info}");
    tests::until("it is logged", || server.printed().contains("the log refuses writes"));
    server.kill();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk(&format!("DBSIZE → :{}", kept + 1));
    client.talk(&format!("SET key:{kept} v → +OK"));
}
