//! INFO, COMMAND, CONFIG, FLUSHALL and the like.

use super::{fresh, talk};
use resp::Reply;
use tests::{is_redis, shown, until};

#[test]
fn databases_are_counted_and_emptied() {
    talk(
        r"
        MSET a 1 b 2 → +OK
        SELECT 1 → +OK
        SET c 3 → +OK
        DBSIZE → :1
        FLUSHDB → +OK
        DBSIZE → :0
        SELECT 0 → +OK
        DBSIZE → :2
        FLUSHALL ASYNC → +OK
        DBSIZE → :0
        FLUSHALL NOSUCH → -ERR syntax error
        ",
    );
}

#[test]
fn info_has_the_sections_and_fields_that_monitors_read() {
    let (_dir, _server, mut client) = fresh();
    client.talk("SET k v EX 1000 → +OK");
    let text = |reply: Reply| match reply {
        Reply::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{}", shown(&other)),
    };
    let info = text(client.run("INFO"));
    for part in [
        "# Server\r\n",
        "redis_version:7.",
        "uptime_in_seconds:",
        "# Clients\r\n",
        "connected_clients:",
        "# Memory\r\n",
        "used_memory:",
        "# Persistence\r\n",
        "loading:0",
        "# Stats\r\n",
        "total_commands_processed:",
        "keyspace_hits:",
        "# Replication\r\n",
        "role:master",
        "# CPU\r\n",
        "# Keyspace\r\n",
        "db0:keys=1,expires=1,avg_ttl=",
    ] {
        assert!(info.contains(part), "no {part:?} in {info}");
    }
    let keyspace = text(client.run("INFO keyspace"));
    assert!(keyspace.starts_with("# Keyspace\r\n") && !keyspace.contains("# Server"));
    let stats = text(client.run("INFO commandstats"));
    assert!(stats.contains("cmdstat_set:calls=1,"), "{stats}");
    assert_eq!(text(client.run("INFO latencystats")).lines().next(), Some("# Latencystats"));
    if !is_redis() {
        // As bitmapist-server has them.
        assert!(text(client.run("INFO keys")).contains("keys_total:1\n"));
        assert!(text(client.run("INFO commands")).contains("set:1\n"));
    }
}

#[test]
fn keys_that_were_looked_for_are_counted_as_found_or_not() {
    let (_dir, _server, mut client) = fresh();
    client.talk(
        r#"
        MSET k v empty "" → +OK
        SETBIT bits 7 0 → :0
        "#,
    );
    for (line, hits, misses) in [
        ("GET k", 1, 0),
        ("GET missing", 0, 1),
        ("MGET k missing empty", 2, 1),
        ("EXISTS k missing k", 2, 1),
        ("TTL missing", 0, 1),
        ("TYPE k", 1, 0),
        ("GETBIT bits 7", 1, 0),
        ("GETBIT missing 7", 0, 1),
        ("BITCOUNT bits", 1, 0),
        ("BITCOUNT missing 0 -1", 0, 1),
        ("STRLEN empty", 1, 0),
        ("GETRANGE k 5 9", 1, 0),
        ("BITFIELD_RO k GET u8 0 GET u8 8", 1, 0),
        ("BITOP OR k k missing bits", 2, 1),
        ("OBJECT ENCODING missing", 0, 1),
        ("GETSET k v", 1, 0),
        ("COPY k copy", 1, 0),
        ("COPY k copy", 1, 0),
        ("SET k v", 0, 0),
        ("SETBIT bits 9 1", 0, 0),
        ("DEL missing", 0, 0),
        ("DBSIZE", 0, 0),
    ] {
        client.talk("CONFIG RESETSTAT → +OK");
        client.run(line);
        let info = shown(&client.run("INFO stats"));
        let expected = format!("keyspace_hits:{hits}\\r\\nkeyspace_misses:{misses}\\r\\n");
        assert!(info.contains(&expected), "{line}: {info}");
    }
}

#[test]
fn the_table_of_commands_can_be_asked() {
    let (_dir, _server, mut client) = fresh();
    assert!(client.number("COMMAND COUNT") > 80);
    let Reply::Array(info) = client.run("COMMAND INFO setbit nosuch") else { panic!() };
    let Reply::Array(setbit) = &info[0] else { panic!("{info:?}") };
    assert_eq!(setbit[0], Reply::bulk("setbit"));
    assert_eq!(setbit[1], Reply::Int(4));
    assert_eq!(setbit[3..6], [Reply::Int(1), Reply::Int(1), Reply::Int(1)]);
    assert!(matches!(info[1], Reply::Null | Reply::NullArray));
    let Reply::Array(keys) = client.run("COMMAND INFO keys") else { panic!() };
    let Reply::Array(keys) = &keys[0] else { panic!("{keys:?}") };
    let tips = "[\"request_policy:all_shards\", \"nondeterministic_output_order\"]";
    assert_eq!(shown(&keys[7]), tips);
    client.talk(
        r#"
        COMMAND GETKEYS MSET a 1 b 2 → ["a", "b"]
        COMMAND GETKEYS BITOP AND d a b → ["d", "a", "b"]
        COMMAND GETKEYSANDFLAGS BITOP AND d a → [["d", [+OW, +update]], ["a", [+RO, +access]]]
        COMMAND GETKEYSANDFLAGS SET k v → [["k", [+OW, +update]]]
        COMMAND GETKEYSANDFLAGS SET k v EX 9 get → [["k", [+RW, +access, +update]]]
        COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 OVERFLOW SAT → [["k", [+RO, +access]]]
        COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 SET u8 0 1 → [["k", [+RW, +access, +update]]]
        COMMAND GETKEYS PING x → -ERR The command has no key arguments
        COMMAND GETKEYS NOSUCH x → -ERR Invalid command specified
        "#,
    );
    let list = shown(&client.run("COMMAND LIST"));
    assert!(list.contains("\"bitcount\"") && list.contains("\"multi\""));
    assert!(shown(&client.run("COMMAND DOCS setbit")).contains("summary"));
}

#[test]
fn containers_say_what_is_in_them() {
    let (_dir, _server, mut client) = fresh();
    for (container, line) in [
        ("ACL", "WHOAMI"),
        ("CLIENT", "SETNAME <name>"),
        ("COMMAND", "COUNT"),
        ("CONFIG", "RESETSTAT"),
        ("LATENCY", "LATEST"),
        ("MEMORY", "DOCTOR"),
        ("MODULE", "LIST"),
        ("OBJECT", "ENCODING <key>"),
        ("SLOWLOG", "GET [<count>]"),
    ] {
        let Reply::Array(lines) = client.run(&format!("{container} HELP")) else { panic!() };
        let lines: Vec<String> = lines.iter().map(shown).collect();
        let first = "<subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
        assert_eq!(lines[0], format!("+{container} {first}"));
        assert!(lines.contains(&format!("+{line}")), "{lines:?}");
        assert_eq!(lines[lines.len() - 2..], ["+HELP", "+    Prints this help."]);
    }
}

#[test]
fn the_configuration_can_be_read_and_changed() {
    talk(
        r#"
        CONFIG GET databases → ["databases", "16"]
        CONFIG GET nosuch* → []
        CONFIG SET maxclients 500 → +OK
        CONFIG GET maxclients → ["maxclients", "500"]
        CONFIG SET nosuch 1 → -ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
        CONFIG SET databases 3 → -ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        CONFIG SET maxclients → -ERR wrong number of arguments for 'config|set' command
        CONFIG SET timeout 10 maxclients → -ERR syntax error
        CONFIG SET timeout 2147483648 → -ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive
        CONFIG SET timeout 010 → -ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer
        CONFIG GET timeout → ["timeout", "0"]
        CONFIG RESETSTAT → +OK
        CONFIG SET appendfsync always → +OK
        CONFIG GET appendfsync → ["appendfsync", "always"]
        "#,
    );
}

#[test]
fn times_sizes_and_saves() {
    let (_dir, _server, mut client) = fresh();
    let Reply::Array(time) = client.run("TIME") else { panic!("TIME replies two strings") };
    assert!(matches!(&time[..], [Reply::Bulk(_), Reply::Bulk(_)]));
    assert!(client.number("LASTSAVE") > 1_600_000_000);
    client.talk(
        r"
        SAVE → +OK
        SET k v → +OK
        OBJECT ENCODING missing → nil
        MEMORY USAGE missing → nil
        DEBUG SLEEP 0 → +OK
        SHUTDOWN NOSUCH → -ERR syntax error
        ",
    );
    assert!(client.number("MEMORY USAGE k") > 0);
    client.talk(
        r"
        MULTI → +OK
        BGSAVE → +QUEUED
        EXEC → [+Background saving scheduled]
        ",
    );
    if !is_redis() {
        until("the first is made", || {
            shown(&client.run("INFO persistence")).contains("rdb_bgsave_in_progress:0")
        });
        client.talk("BGSAVE → +Background saving started");
    }
    let Reply::Bulk(picture) = client.run("LOLWUT") else { panic!("LOLWUT replies a string") };
    let picture = String::from_utf8(picture.to_vec()).unwrap();
    assert!(picture.lines().last().unwrap().contains(" ver. "), "{picture}");
    client.talk("LOLWUT VERSION x → -ERR value is not an integer or out of range");
}

#[test]
fn shutdown_keeps_everything() {
    let (dir, mut server, mut client) = fresh();
    client.talk("SET k v → +OK");
    client.send(&[b"SHUTDOWN"]).unwrap();
    assert!(client.receive().is_err());
    assert!(server.wait().0.success());
    let server = tests::Server::start(&dir, &[]);
    server.client().talk(r#"GET k → "v""#);
}
