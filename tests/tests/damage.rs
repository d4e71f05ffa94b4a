//! A directory in use, and one that is damaged: refused, with the place.

use std::fs;
use tests::{DataDir, Server, Started, is_redis, until};

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
