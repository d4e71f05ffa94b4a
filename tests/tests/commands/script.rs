//! EVAL and FCALL: what scripts may do, what becomes of their values, and how they are stopped.

use super::{fresh, talk};
use tests::{Client, DataDir, Server, until};

#[test]
fn scripts_are_answered_as_redis_answers_them() {
    talk(include_str!("script.talk"));
}

#[test]
fn functions_are_answered_as_redis_answers_them() {
    talk(include_str!("function.talk"));
}

#[test]
fn a_script_that_touches_keys_it_has_not_named_runs_once() {
    talk(
        r#"
        EVAL "for i = 1, 100 do redis.call('incr', 'k' .. i % 10) end return redis.call('get', 'k3')" 0 → "10"
        EVAL "redis.call('incr', KEYS[1]) redis.call('incr', 'other') return redis.call('mget', KEYS[1], 'other')" 1 a → ["1", "1"]
        EVAL "redis.call('flushall') redis.call('set', 'x', 1) return redis.call('dbsize')" 0 → :1
        EVAL "redis.call('select', 3) redis.call('set', KEYS[1], 'there') return redis.call('get', KEYS[1])" 1 x → "there"
        GET x → "1"
        SELECT 3 → +OK
        GET x → "there"
        MULTI → +OK
        EVAL "return redis.call('incr', 'undeclared')" 0 → +QUEUED
        INCR other → +QUEUED
        EXEC → [:1, :1]
        "#,
    );
}

#[test]
fn what_a_script_wrote_before_it_failed_stays() {
    talk(
        r#"
        EVAL "redis.call('set', KEYS[1], 'kept') error('x')" 1 k → -ERR user_script:1: x script: …
        GET k → "kept"
        EVAL "redis.call('set', KEYS[1], 'kept too') return redis.call('incr', KEYS[1])" 1 k → -ERR value is not an integer…
        GET k → "kept too"
        "#,
    );
}

#[test]
fn nothing_of_a_script_is_left_for_the_next() {
    talk(
        r#"
        EVAL "rawset(_G, 'leak', 1)" 0 → -ERR Attempt to modify a readonly table…
        EVAL "table.insert(string, 'leak')" 0 → -ERR Attempt to modify a readonly table…
        EVAL "getmetatable('').__index = nil" 0 → -ERR user_script:1: Attempt to modify a readonly table…
        EVAL "getmetatable(_G).__index = nil" 0 → -ERR user_script:1: Attempt to modify a readonly table…
        EVAL "for _, v in pairs({string, table, math, cjson, cmsgpack, struct, bit, coroutine, redis}) do if pcall(function() v.x = 1 end) then return 'written' end end return 'none'" 0 → "none"
        EVAL "local f, t = pairs(string) t.leak = 1" 0 → -ERR user_script:1: Attempt to modify a readonly table…
        EVAL "return cjson.encode_max_depth(5)" 0 → :5
        EVAL "return cjson.encode_max_depth()" 0 → :1000
        EVAL "redis.setresp(3) return 1" 0 → :1
        EVAL "return redis.call('hgetall', 'none') ~= nil" 0 → …
        EVAL "return {string.leak == nil, pcall(function() return leak end)}" 0 → [:1, nil, "user_script:1: Script attempted to access nonexistent global variable \'leak\'"]
        EVAL "return collectgarbage('stop')" 0 → :0
        "#,
    );
}

#[test]
fn what_reaches_beyond_the_script_is_not_there() {
    let (_dir, _server, mut client) = fresh();
    for name in [
        "io", "os", "debug", "package", "require", "dofile", "loadfile", "print", "getfenv",
        "module",
    ] {
        let reply = client.ask(&format!("EVAL \"return {name}\" 0"));
        let missing = format!(
            "-ERR user_script:1: Script attempted to access nonexistent global variable '{name}'"
        );
        assert!(reply.starts_with(&missing), "{reply}");
    }
    let dumped = r#"EVAL "local code = string.dump(function() return 1 end) return {loadstring(code) == nil, load(function() local c = code code = nil return c end) == nil}" 0"#;
    assert_eq!(client.ask(dumped), "[:1, :1]");
}

#[test]
fn allocating_without_end_and_deep_recursion_are_errors_and_the_server_goes_on() {
    let (_dir, _server, mut client) = fresh();
    assert_eq!(client.ask("CONFIG SET lua-memory-limit 20mb"), "+OK");
    for script in [
        "local t = {} for i = 1, 1e9 do t[i] = i .. 'x' end",
        "return string.rep('x', 1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 5000 do t = {t} end return cjson.encode(t)",
        "return cjson.decode(string.rep('[', 1e5))",
        "cjson.decode_max_depth(1e6) return cjson.decode(string.rep('[', 1e5))",
        "return cmsgpack.unpack(string.rep('\\\\145', 1e5))",
        "return cmsgpack.unpack(string.rep('\\\\129\\\\1', 1e5))",
        "return cmsgpack.unpack(string.rep('\\\\129', 1e5))",
        "return redis.call('set', KEYS[1], string.rep('x', 1e8))",
        "local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x",
        "return string.rep('x', -1) .. string.format('%99999d', 1)",
    ] {
        let reply = client.ask(&format!("EVAL \"{script}\" 1 k"));
        assert!(reply.starts_with("-ERR "), "{script}: {reply}");
        assert_eq!(client.ask("EVAL \"return #ARGV\" 0 a b"), ":2", "after {script}");
    }
    // A table that holds itself is answered to some depth.
    client.call(&[b"EVAL", b"local t = {} t[1] = t return #t", b"0"]);
    assert_eq!(client.ask("PING"), "+PONG");
}

/// Runs a command on a connection of its own, until it is answered.
fn aside(server: &Server, line: &str) -> std::thread::JoinHandle<String> {
    let (mut client, line) = (server.client(), line.to_owned());
    std::thread::spawn(move || client.ask(&line))
}

fn starts_running(client: &mut Client, what: &str) {
    until(what, || client.ask("SET held x") == format!("-{BUSY}"));
}

const BUSY: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

#[test]
fn a_script_that_loops_is_killed_and_meanwhile_others_are_served() {
    let (_dir, server, mut client) = fresh();
    assert_eq!(client.ask("CONFIG SET busy-reply-threshold 50"), "+OK");
    assert_eq!(client.ask("SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.");
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end",
        "while true do redis.call('get', KEYS[1]) end",
    ] {
        let looping = aside(&server, &format!("EVAL \"{script}\" 1 held"));
        starts_running(&mut client, script);
        // Other keys are nobody's business.
        assert_eq!(client.ask("SET free x"), "+OK");
        assert_eq!(server.client().ask("GET free"), "\"x\"");
        assert_eq!(client.ask("FUNCTION KILL"), format!("-{BUSY}"));
        assert_eq!(client.ask("SCRIPT KILL"), "+OK");
        let reply = looping.join().expect("it is answered");
        assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL..."), "{reply}");
        until("the key is free", || client.ask("SET held x") == "+OK");
    }
}

#[test]
fn a_script_that_has_written_is_not_killed() {
    let (_dir, server, mut client) = fresh();
    client.ask("CONFIG SET busy-reply-threshold 50");
    let script =
        "redis.call('set', KEYS[1], '1') local i = 0 while i < 3e8 do i = i + 1 end return 'done'";
    let running = aside(&server, &format!("EVAL \"{script}\" 1 held"));
    starts_running(&mut client, "a script that writes");
    assert!(
        client
            .ask("SCRIPT KILL")
            .starts_with("-UNKILLABLE Sorry the script already executed write")
    );
    assert_eq!(running.join().expect("it is answered"), "\"done\"");
}

#[test]
fn a_function_that_loops_is_killed_and_a_library_that_loops_is_not_loaded() {
    let (_dir, server, mut client) = fresh();
    client.ask("CONFIG SET busy-reply-threshold 50");
    let library =
        "#!lua name=loops\\nredis.register_function('loop', function() while true do end end)";
    assert_eq!(client.ask(&format!("FUNCTION LOAD \"{library}\"")), "\"loops\"");
    let looping = aside(&server, "FCALL loop 1 held");
    let busy =
        "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    until("the function runs", || client.ask("SET held x") == busy);
    let stats = client.ask("FUNCTION STATS");
    assert!(stats.contains("\"FCALL\", \"loop\", \"1\", \"held\""), "{stats}");
    assert_eq!(client.ask("SCRIPT KILL"), busy);
    assert_eq!(client.ask("FUNCTION KILL"), "+OK");
    let reply = looping.join().expect("it is answered");
    assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL..."), "{reply}");
    let reply = client.ask("FUNCTION LOAD \"#!lua name=never\\nwhile true do end\"");
    assert_eq!(reply, "-ERR Error registering functions: ERR FUNCTION LOAD timeout");
}

#[test]
fn libraries_are_there_after_a_restart_and_scripts_are_not() {
    let dir = DataDir::new();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    let library = "#!lua name=kept\\nredis.register_function('see', function(keys) return redis.call('get', keys[1]) end)";
    client.talk(&format!(
        "SCRIPT LOAD \"return 1\" → \"e0e1f9fabfc9d4800c877a703b823ac0578ff8db\"
         FUNCTION LOAD \"{library}\" → \"kept\"
         FUNCTION LOAD \"{}\" → \"gone\"
         FUNCTION DELETE gone → +OK
         FLUSHALL → +OK
         SET k v → +OK
         FCALL see 1 k → \"v\"",
        library.replace("kept", "gone").replace("see", "saw")
    ));
    server.kill();
    let server = Server::start(&dir, &[]);
    let mut client = server.client();
    client.talk(
        r#"FCALL see 1 k → "v"
           FCALL saw 1 k → -ERR Function not found
           SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db → [:0]
           EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0 → -NOSCRIPT No matching script. Please use EVAL.
           FUNCTION FLUSH → +OK
           FCALL see 1 k → -ERR Function not found"#,
    );
    server.kill();
    let server = Server::start(&dir, &[]);
    assert_eq!(server.client().ask("FUNCTION LIST"), "[]");
}

#[test]
fn a_dump_of_functions_is_restored_and_no_other() {
    let (_dir, _server, mut client) = fresh();
    let library: &[u8] = b"#!lua name=l\nredis.register_function('f', function() return 7 end)";
    client.call(&[b"FUNCTION", b"LOAD", library]);
    let resp::Reply::Bulk(dump) = client.run("FUNCTION DUMP") else { panic!("no dump") };
    client.talk("FUNCTION FLUSH → +OK\nFCALL f 0 → -ERR Function not found");
    for end in 0..dump.len() {
        let reply = client.call(&[b"FUNCTION", b"RESTORE", &dump[..end]]);
        assert!(matches!(reply, resp::Reply::Error(_)), "the first {end} bytes");
    }
    assert_eq!(client.call(&[b"FUNCTION", b"RESTORE", &dump]), resp::Reply::OK);
    assert_eq!(client.ask("FCALL f 0"), ":7");
    let again = client.call(&[b"FUNCTION", b"RESTORE", &dump]);
    assert_eq!(again, resp::Reply::error("ERR Library l already exists"));
    assert_eq!(client.call(&[b"FUNCTION", b"RESTORE", &dump, b"REPLACE"]), resp::Reply::OK);
    assert_eq!(client.call(&[b"FUNCTION", b"RESTORE", &dump, b"FLUSH"]), resp::Reply::OK);
    assert_eq!(client.ask("FCALL f 0"), ":7");
}

#[test]
fn scripts_of_many_clients_are_each_as_if_alone() {
    const CLIENTS: usize = 6;
    const CALLS: usize = 100;
    let (_dir, server, mut client) = fresh();
    client.ask("CONFIG SET appendfsync no");
    let script = "local n = redis.call('get', KEYS[1]) or 0 redis.call('set', KEYS[1], n + 1) \
                  if ARGV[1] == 'more' then redis.call('incr', 'not named') end return 'done'";
    std::thread::scope(|scope| {
        for i in 0..CLIENTS {
            let mut client = server.client();
            scope.spawn(move || {
                for call in 0..CALLS {
                    let more = if call % 3 == 0 { "more" } else { "no more" };
                    let key = format!("k{}", (i + call) % 2);
                    let reply = client.call(&[
                        b"EVAL",
                        script.as_bytes(),
                        b"1",
                        key.as_bytes(),
                        more.as_bytes(),
                    ]);
                    assert_eq!(reply, resp::Reply::bulk("done"));
                }
            });
        }
    });
    let number = |client: &mut Client, key: &[u8]| match client.call(&[b"GET", key]) {
        resp::Reply::Bulk(text) => {
            String::from_utf8_lossy(&text).parse::<usize>().expect("a number")
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(number(&mut client, b"k0") + number(&mut client, b"k1"), CLIENTS * CALLS);
    assert_eq!(number(&mut client, b"not named"), CLIENTS * CALLS.div_ceil(3));
}

#[test]
fn scripts_use_hashes_dumps_and_channels_as_clients_do() {
    talk(
        r#"
        EVAL "return redis.call('hset', KEYS[1], 'f', 'v', 'g', 1.5)" 1 h → :2
        EVAL "return redis.call('hgetall', KEYS[1])" 1 h → ["f", "v", "g", "1.5"]
        EVAL "redis.setresp(3) return redis.call('hgetall', KEYS[1]).map.g" 1 h → "1.5"
        EVAL "local d = redis.call('dump', KEYS[1]) redis.call('restore', 'copy', 0, d) return redis.call('hget', 'copy', 'g')" 1 h → "1.5"
        EVAL "return redis.call('restore', 'copy', 0, 'x')" 0 → -BUSYKEY Target key name already exists. script: …
        EVAL "redis.call('get', KEYS[1])" 1 h → -WRONGTYPE Operation against a key holding the wrong kind of value script: …
        EVAL "redis.call('pfadd', KEYS[1], 'a', 'b') return redis.call('pfcount', KEYS[1])" 1 p → :2
        EVAL "return redis.call('publish', 'c', 'm')" 0 → :0
        EVAL "return redis.call('spublish', 'c', 'm')" 0 → :0
        EVAL "return redis.call('subscribe', 'c')" 0 → -ERR This Redis command is not allowed from script script: …
        EVAL_RO "return redis.call('publish', 'c', 'm')" 0 → -ERR Write commands are not allowed from read-only scripts. script: …
        EVAL_RO "return redis.call('pfcount', KEYS[1])" 1 p → -ERR Write commands are not allowed from read-only scripts. script: …
        EVAL_RO "return redis.call('hget', KEYS[1], 'f')" 1 h → "v"
        "#,
    );
}

#[test]
fn what_finds_its_keys_by_itself_does_so_in_a_script() {
    let (_dir, _server, mut client) = fresh();
    client.talk(
        r#"
        MSET a1 1 a2 2 b 3 → +OK
        EVAL "redis.call('set', KEYS[1], 4) return redis.call('keys', 'a*')" 1 a3 → …
        "#,
    );
    if tests::is_redis() {
        return;
    }
    client.talk(
        r#"
        EVAL "redis.call('set', KEYS[1], 5) return redis.call('keys', 'a*', 'WITHVALUES')" 1 a3 → ["a1", "1", "a2", "2", "a3", "5"]
        EVAL "local n = redis.call('pdel', 'a*') redis.call('set', 'a1', 'new') return n" 0 → :3
        KEYS * → ["a1", "b"]
        "#,
    );
}
