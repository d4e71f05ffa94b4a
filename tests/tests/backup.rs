//! Backups of a running server: a snapshot directory by BGSAVE, one file by SIGUSR1.

use bitcask_core::Bitcask;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use tests::{DataDir, Server, Started, is_redis, until};

#[test]
fn bgsave_brings_a_snapshot_up_to_date_that_another_server_serves() {
    if is_redis() {
        return;
    }
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    for round in 1..=3 {
        client.talk(&format!("SETBIT marked {round} 1 → :0"));
        client.talk(&format!("SET round {round} → +OK"));
        assert_eq!(client.ask("BGSAVE"), "+Background saving started");
        until("the snapshot is made", || {
            client.ask("INFO persistence").contains("rdb_bgsave_in_progress:0")
        });
        let info = client.ask("INFO persistence");
        assert!(info.contains("rdb_last_bgsave_status:ok"), "{info}");
        client.talk("SET round after → +OK");

        let snapshot = dir.data().join("snapshot");
        let flags = ["--addr", "127.0.0.1:0", "--dir", snapshot.to_str().unwrap()];
        let other = match Server::with_arguments(&flags, dir.path()) {
            Started::Serving(server) => server,
            Started::Refused(status, text) => panic!("it does not start ({status}): {text}"),
        };
        let mut reader = other.client();
        reader.talk(&format!("GET round → \"{round}\""));
        assert_eq!(reader.number("BITCOUNT marked"), round);
        // So that it stays a backup: nothing was written to it.
        other.kill();
    }
}

/// A server that was told a file to back up to.
fn backing_up() -> (DataDir, PathBuf, Server) {
    let dir = DataDir::new();
    let file = dir.path().join("backup.bak");
    let server = Server::start(&dir, &["--bak", file.to_str().unwrap()]);
    (dir, file, server)
}

#[test]
fn sigusr1_replaces_the_file_that_bak_names_and_it_restores() {
    if is_redis() {
        return;
    }
    let (dir, file, server) = backing_up();
    let mut client = server.client();
    for round in 1..=2 {
        client.talk(&format!("SET round {round} → +OK"));
        // Times are too coarse: two backups may be made within one tick.
        let before = std::fs::metadata(&file).ok().map(|found| found.ino());
        server.signal("USR1");
        until("the backup is written", || {
            let now = std::fs::metadata(&file).ok().map(|found| found.ino());
            now.is_some() && now != before
        });
        Bitcask::verify_backup(&file, &mut File::open(&file).unwrap()).unwrap();
    }
    client.talk("SET round after → +OK");
    assert!(server.stop().0.success());
    let restored = DataDir::new();
    Bitcask::restore(&file, &mut File::open(&file).unwrap(), restored.data()).unwrap();
    let server = Server::start(&restored, &[]);
    server.client().talk("GET round → \"2\"");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the file and the data");
}

#[test]
fn a_server_that_writes_its_backup_can_be_stopped() {
    if is_redis() {
        return;
    }
    let (dir, file, server) = backing_up();
    let mut client = server.client();
    client.talk("CONFIG SET backup-rate 1000 → +OK");
    // A backup of a minute.
    client.talk(&format!("SET long {} → +OK", "x".repeat(60_000)));
    server.signal("USR1");
    let unfinished = dir.path().join("backup.bak.unfinished");
    until("the backup has begun", || unfinished.exists());
    assert!(server.stop().0.success());
    assert!(!file.exists());
}
