//! A directory that a server is writing, and the server itself.

use crate::Place;
use tests::{Server, is_redis, until};

/// A server on `data` within the place, with a string, a bitmap and a key of another database.
fn serve(place: &Place) -> Server {
    let server = Server::start(&place.0, &["--sync", "always"]);
    let mut client = server.client();
    client.talk("SET text hello → +OK");
    client.talk("SETBIT bits 9 1 → :0");
    client.talk("SET soon gone PX 1 → +OK");
    client.talk("SELECT 3 → +OK");
    client.talk("SET other db → +OK");
    until("a key expires", || crate::Done::is_missing(&place.run("get soon -d data")));
    server
}

impl crate::Done {
    fn is_missing(&self) -> bool {
        self.code == 1
    }
}

#[test]
fn a_server_s_directory_is_read_beside_it_by_the_users_keys() {
    if is_redis() {
        return;
    }
    let place = Place::new();
    let server = serve(&place);
    assert_eq!(place.run("keys -d data").ok(), "bits\ntext\n");
    assert_eq!(place.run("get text -d data").ok(), "hello\n");
    assert_eq!(place.run("get bits -d data --hex").code, 2, "a key is typed in hex, too");
    assert_eq!(place.run("get 62697473 -d data --hex").ok(), "0040\n");
    assert_eq!(place.run("scan -d data --db 3").ok(), "other\tdb\n");
    assert_eq!(place.run("exists other -d data").code, 1);
    let bits = place.run("get bits -m -d data --json").ok();
    assert!(bits.starts_with("{\"kind\":\"bitmap\",") && bits.contains("\"bits_set\":1"), "{bits}");
    let stats = place.run("stats -d data --json").ok();
    assert!(stats.starts_with("{\"kind\":\"bitmapistd\","), "{stats}");
    assert!(stats.contains("{\"database\":3,\"keys\":1,"), "{stats}");
    let raw = place.run("keys -d data --raw").ok();
    assert!(raw.contains("\\x00kbits\n") && raw.contains("\\x03kother\n"), "{raw}");
    assert_eq!(place.run("verify -d data").code, 0);
    place.run("backup copy -d data").ok();
    assert_eq!(place.run("get text -d copy").ok(), "hello\n");

    let holder = format!("process {} (bitmapistd): stop that first", server.id());
    for line in ["put k v -d data", "del text -d data", "compact -d data", "gc -d data"] {
        let done = place.run(line);
        assert_eq!(done.code, 4, "{line}");
        assert!(done.err.contains(&holder), "{line}: {}", done.err);
    }
    server.stop();
    assert_eq!(place.run("put new v -d data").code, 0);
    assert_eq!(place.run("del text -d data").ok(), "1 deleted\n");
    place.run("compact -d data").ok();
    place.run("gc -d data").ok();
    let server = Server::start(&place.0, &[]);
    let mut client = server.client();
    client.talk("GET new → \"v\"");
    client.talk("EXISTS text → :0");
    client.talk("GETBIT bits 9 → :1");
}

#[test]
fn the_result_of_an_operation_is_read_and_outlives_compaction() {
    if is_redis() {
        return;
    }
    let place = Place::new();
    let server = Server::start(&place.0, &["--sync", "no"]);
    let mut client = server.client();
    // Enough for pages; the result of the operation has none of its own before somebody changes it.
    for n in 0..3000_u64 {
        client.run(&format!("SETBIT {} {} 1", ["a", "b"][n as usize % 2], n * 70_001));
    }
    client.run("BITOP OR both a b");
    client.run("DEL a");
    let counted = |place: &Place| {
        let text = place.run("get both -m -d data --json").ok();
        assert!(text.contains("\"bits_set\":3000"), "{text}");
    };
    counted(&place);
    let before = place.run("get both -d data --raw-bytes").out;
    server.stop();
    counted(&place);
    place.run("compact -d data").ok();
    counted(&place);
    assert!(place.run("get both -d data --raw-bytes").out == before, "another value");
    assert_eq!(place.run("verify -d data").code, 0);
}

#[test]
fn a_server_is_asked_over_the_wire() {
    let place = Place::new();
    let socket = place.path("socket").display().to_string();
    // Redis is started without flags of ours.
    let server = Server::start(&place.0, &["--unixsocket", &socket]);
    let at = server.addr.to_string();
    let run = |line: &str| place.run(&format!("{line} --server {at}"));
    assert_eq!(run("put a 1").ok(), "");
    assert_eq!(run("put b 2 --ttl 1h").ok(), "");
    assert_eq!(run("put [x] 3").ok(), "");
    assert_eq!(run("put z 4 --db 2").ok(), "");
    assert_eq!(run("get a").ok(), "1\n");
    assert_eq!(run("get z").code, 1);
    assert_eq!(run("get z --db 2").ok(), "4\n");
    assert_eq!(run("keys").ok(), "[x]\na\nb\n");
    assert_eq!(run("keys --prefix [").ok(), "[x]\n");
    assert_eq!(run("scan -r -n 1").ok(), "b\t2\n");
    assert_eq!(run("range a b").ok(), "a\t1\n");
    assert!(run("get b -m").ok().contains("UTC"));
    assert_eq!(run("exists a q").code, 1);
    assert_eq!(run("del a q").ok(), "1 deleted\n");
    assert_eq!(run("del a").code, 1);
    assert!(run("stats --json").ok().contains("\"redis_version\":"));
    assert!(run("version").ok().contains("redis version"));
    if !is_redis() {
        assert_eq!(place.run(&format!("get b -s {socket}")).ok(), "2\n");
    }
    server.stop();
    let gone = run("get b");
    assert_eq!(gone.code, 4);
    assert!(gone.err.contains(&at), "{}", gone.err);
}
