//! Flags, the configuration file, the Unix socket, signals.

use std::fs;
use std::os::unix::net::UnixStream;
use tests::{Client, DataDir, Server, Started, is_redis};

fn serving(arguments: &[&str], dir: &DataDir) -> Server {
    match Server::with_arguments(arguments, dir.path()) {
        Started::Serving(server) => server,
        Started::Refused(status, text) => panic!("{arguments:?}: {status}: {text}"),
    }
}

#[test]
fn scripts_for_bitmapist_server_start_this_one() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let server = serving(&["-addr", "127.0.0.1:0", "-db", "theirs", "-debug"], &dir);
    server.client().talk("SETBIT k 7 1 → :0");
    assert!(server.stop().0.success());
    assert!(dir.path().join("theirs").is_dir());
    let server = serving(&["-addr=127.0.0.1:0", "-db=theirs", "-bak=theirs.bak"], &dir);
    server.client().talk("GETBIT k 7 → :1");
    for version in ["-v", "-version", "--version", "version"] {
        let output = Server::output(&[version]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("bitmapistd ") && text.lines().count() == 1, "{version}: {text}");
    }
}

#[test]
fn unknown_flags_are_refused() {
    if is_redis() {
        return;
    }
    for wrong in
        [&["--nosuch"][..], &["--sync", "sometimes"], &["--cache-size", "much"], &["--addr"]]
    {
        let output = Server::output(wrong);
        assert!(!output.status.success(), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_configuration_file_has_the_names_of_the_flags_and_flags_win() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let file = dir.path().join("bitmapistd.toml");
    let text = "addr = \"127.0.0.1:0\"\ndir = \"configured\"\nsync = \"everysec\"\ncache-size = \"32mb\"\n\
                maxclients = 77\nlog-level = \"warn\"\n";
    fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    let server = serving(&["--config", &path, "--maxclients", "78"], &dir);
    server.client().talk(
        r#"
        CONFIG GET maxclients → ["maxclients", "78"]
        CONFIG GET appendfsync → ["appendfsync", "everysec"]
        CONFIG GET cache-size → ["cache-size", "33554432"]
        "#,
    );
    assert!(dir.path().join("configured").is_dir());
    fs::write(&file, "no-such-setting = 1\n").unwrap();
    let output = Server::output(&["--config", &path]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-setting"));
    assert!(!Server::output(&["--config", "/no/such/file"]).status.success());
}

#[test]
fn compaction_backups_and_compression_are_configured_and_may_be_changed_but_for_the_last() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let file = dir.path().join("bitmapistd.toml");
    let text = "addr = \"127.0.0.1:0\"\ncompaction = false\ncompaction-window = \"22-6\"\n\
                backup-rate = \"1mb\"\ncompression = \"zstd\"\n";
    fs::write(&file, text).unwrap();
    let data = dir.path().join("compressed");
    let flags = ["--config", &file.display().to_string(), "--dir", &data.display().to_string()];
    let server = serving(&flags, &dir);
    let mut client = server.client();
    client.talk(
        r#"
        CONFIG GET compaction → ["compaction", "no"]
        CONFIG GET compaction-window → ["compaction-window", "22-6"]
        CONFIG GET compaction-rate → ["compaction-rate", "67108864"]
        CONFIG GET backup-rate → ["backup-rate", "1048576"]
        CONFIG GET compression → ["compression", "zstd"]
        CONFIG SET compaction yes compaction-window "" compaction-rate 1mb backup-rate 0 → +OK
        CONFIG GET compaction → ["compaction", "yes"]
        CONFIG GET compaction-window → ["compaction-window", ""]
        CONFIG GET compaction-rate → ["compaction-rate", "1048576"]
        CONFIG GET backup-rate → ["backup-rate", "0"]
        SETRANGE large 999999 x → :1000000
        "#,
    );
    for (name, value) in
        [("compaction", "perhaps"), ("compaction-window", "25-1"), ("compression", "off")]
    {
        let refused = client.ask(&format!("CONFIG SET {name} {value}"));
        assert!(refused.contains("CONFIG SET failed"), "{name}: {refused}");
    }
    assert!(server.stop().0.success());
    let bytes: u64 =
        fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 20_000, "{bytes} bytes of a million");
}

#[test]
fn a_file_that_is_no_socket_is_not_taken_for_a_stale_one() {
    let dir = DataDir::new();
    let file = dir.path().join("precious.txt");
    fs::write(&file, "precious data").unwrap();
    let flags = ["--unixsocket", &file.display().to_string()];
    match Server::try_start(&dir, &flags) {
        Started::Refused(_, text) => assert!(text.contains("precious.txt"), "{text}"),
        Started::Serving(_) => panic!("it serves"),
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious data");
}

#[test]
fn a_unix_socket_serves_as_well() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let socket = dir.path().join("socket");
    let path = socket.display().to_string();
    let server = Server::start(&dir, &["--unixsocket", &path]);
    let mut local = Client::over(UnixStream::connect(&socket).unwrap());
    local.talk("SET k v → +OK");
    server.client().talk(r#"GET k → "v""#);
    server.kill();
    // The socket that a crash leaves behind is no obstacle.
    let server = Server::start(&dir, &["--unixsocket", &path]);
    let mut local = Client::over(UnixStream::connect(&socket).unwrap());
    local.talk(r#"GET k → "v""#);
    assert!(server.stop().0.success());
}

#[test]
fn a_server_without_any_address_is_refused() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let Started::Refused(status, text) = Server::with_arguments(&["--addr", ""], dir.path()) else {
        panic!("nobody could reach it");
    };
    assert!(!status.success());
    assert!(text.contains("--addr") && text.contains("--unixsocket"), "{text}");
    assert!(dir.path().read_dir().unwrap().next().is_none(), "it leaves something behind");
}

#[test]
fn a_failed_start_leaves_no_socket_behind() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let _server = Server::start(&dir, &[]);
    let socket = dir.path().join("socket");
    let flags = ["--unixsocket", &socket.display().to_string()];
    let Started::Refused(status, text) = Server::try_start(&dir, &flags) else {
        panic!("two servers in one directory");
    };
    assert!(!status.success() && text.contains("in use by another process"), "{text}");
    assert!(!socket.exists());
}

#[test]
fn both_signals_stop_it_with_everything_on_disk() {
    for signal in ["TERM", "INT"] {
        let dir = DataDir::new();
        let mut server = Server::start(&dir, &["--sync", "no"]);
        let mut client = server.client();
        for n in 0..500 {
            client.talk(&format!("SETBIT k {} 1 → :0", n * 7));
        }
        server.signal(signal);
        let (status, _) = server.wait();
        assert!(status.success(), "SIG{signal}: {status}");
        let server = Server::start(&dir, &[]);
        server.client().talk("BITCOUNT k → :500");
    }
}

#[test]
fn an_address_in_use_is_refused() {
    if is_redis() {
        return;
    }
    let (one, two) = (DataDir::new(), DataDir::new());
    let server = Server::start(&one, &[]);
    let addr = server.addr.to_string();
    let Started::Refused(status, text) = Server::with_arguments(&["--addr", &addr], two.path())
    else {
        panic!("two servers on one address");
    };
    assert!(!status.success() && text.contains(&addr), "{text}");
}
