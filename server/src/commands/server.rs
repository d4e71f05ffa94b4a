//! The server as a whole: figures, sizes, emptying, saving, stopping; inspecting values; and the
//! harmless answers that tools for Redis expect.

mod lolwut;

use crate::clock;
use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::info;
use bitmap_store::{Bytes, DATABASES, Db, Encoding};
use lolwut::lolwut;
use resp::Reply;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ANY: Flags = Flags::LOADING.or(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(ANY);
const LOG: Flags = Flags::ADMIN.or(ANY);
const FLUSH: Flags = Flags::WRITE.or(Flags::EXCLUSIVE).or(Flags::KEYSPACE).or(Flags::DANGEROUS);
const DB_SIZE: Flags = Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE).or(Flags::KEYSPACE_WIDE);
// Figures of the store are gathered under all of its locks.
const INFO: Flags = ANY.or(Flags::DANGEROUS).or(Flags::KEYSPACE_WIDE);
const ROLE: Flags =
    ANY.or(Flags::NOSCRIPT).or(Flags::FAST).or(Flags::ADMIN_CATEGORY).or(Flags::DANGEROUS);
const SAVE: Flags =
    Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING).or(Flags::KEYSPACE_WIDE);

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("info", -1, INFO, Keys::none(), info_text).doc(
        Group::Server,
        "1.0.0",
        "O(1)",
        "Get information and statistics about the server",
    ).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    CommandSpec::new("dbsize", 1, DB_SIZE, Keys::none(), db_size).doc(
        Group::Server,
        "1.0.0",
        "O(1)",
        "Return the number of keys in the selected database",
    ).tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    CommandSpec::new("flushdb", -1, FLUSH, Keys::none(), flush_db).doc(
        Group::Server,
        "1.0.0",
        "O(N) where N is the number of keys in the selected database",
        "Remove all keys from the current database",
    ).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    CommandSpec::new("flushall", -1, FLUSH, Keys::none(), flush_all).doc(
        Group::Server,
        "1.0.0",
        "O(N) where N is the total number of keys in all databases",
        "Remove all keys from all databases",
    ).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    CommandSpec::new("time", 1, ANY.or(Flags::FAST), Keys::none(), time).doc(
        Group::Server,
        "2.6.0",
        "O(1)",
        "Return the current server time",
    ).tips(&["nondeterministic_output"]),
    CommandSpec::new("save", 1, SAVE.or(Flags::NO_MULTI), Keys::none(), save).doc(
        Group::Server,
        "1.0.0",
        "O(1): syncs the log",
        "Synchronously save the dataset to disk",
    ),
    CommandSpec::new("bgsave", -1, SAVE, Keys::none(), bg_save).doc(
        Group::Server,
        "1.0.0",
        "O(N) where N is the number of segments of the log",
        "Asynchronously save the dataset to disk",
    ),
    CommandSpec::new(
        "lastsave",
        1,
        ANY.or(Flags::FAST).or(Flags::ADMIN_CATEGORY).or(Flags::DANGEROUS),
        Keys::none(),
        last_save,
    )
    .doc(
        Group::Server,
        "1.0.0",
        "O(1)",
        "Get the UNIX time stamp of the last successful save to disk",
    ).tips(&["nondeterministic_output"]),
    CommandSpec::new(
        "shutdown",
        -1,
        ADMIN.or(Flags::NO_MULTI).or(Flags::ALLOW_BUSY),
        Keys::none(),
        shutdown,
    )
    .doc(
        Group::Server,
        "1.0.0",
        "O(1): syncs the log",
        "Synchronously save the dataset to disk and then shut down the server",
    ),
    CommandSpec::new("memory", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Server,
            "4.0.0",
            "Depends on subcommand.",
            "A container for memory diagnostics commands",
        )
        .subcommands(MEMORY),
    CommandSpec::new("object", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Generic,
            "2.2.3",
            "Depends on subcommand.",
            "A container for object introspection commands",
        )
        .subcommands(OBJECT),
    CommandSpec::new("debug", -2, ADMIN, Keys::none(), debug).doc(
        Group::Server,
        "1.0.0",
        "Depends on subcommand.",
        "A container for debugging commands",
    ),
    CommandSpec::new("lolwut", -1, Flags::READONLY.or(Flags::FAST), Keys::none(), lolwut).doc(
        Group::Server,
        "5.0.0",
        "O(1)",
        "Display some computer art and the Redis version",
    ),
    CommandSpec::new("role", 1, ROLE, Keys::none(), role).doc(
        Group::Server,
        "2.8.12",
        "O(1)",
        "Return the role of the instance in the context of replication",
    ),
    CommandSpec::new("wait", 3, Flags::NOSCRIPT.or(Flags::CONNECTION), Keys::none(), wait).doc(
        Group::Generic,
        "3.0.0",
        "O(1)",
        "Wait for the synchronous replication of all the write commands sent in the context of the \
         current connection",
    ).tips(&["request_policy:all_shards", "response_policy:agg_min"]),
    CommandSpec::new("readonly", 1, ANY.or(Flags::FAST), Keys::none(), no_cluster).doc(
        Group::Connection,
        "3.0.0",
        "O(1)",
        "Enables read queries for a connection to a cluster replica node",
    ),
    CommandSpec::new("readwrite", 1, ANY.or(Flags::FAST), Keys::none(), no_cluster).doc(
        Group::Connection,
        "3.0.0",
        "O(1)",
        "Disables read queries for a connection to a cluster replica node",
    ),
    CommandSpec::new("cluster", -2, Flags::NONE, Keys::none(), no_cluster).doc(
        Group::Server,
        "3.0.0",
        "O(1)",
        "A container for cluster commands",
    ),
    CommandSpec::new("module", -2, Flags::NONE, Keys::none(), super::container)
        .doc(Group::Server, "4.0.0", "Depends on subcommand.", "A container for module commands")
        .subcommands(MODULE),
    CommandSpec::new("slowlog", -2, Flags::NONE, Keys::none(), super::container)
        .doc(Group::Server, "2.2.12", "Depends on subcommand.", "A container for slow log commands")
        .subcommands(SLOWLOG),
    CommandSpec::new("latency", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Server,
            "2.8.13",
            "Depends on subcommand.",
            "A container for latency diagnostics commands",
        )
        .subcommands(LATENCY),
    CommandSpec::new("acl", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Server,
            "6.0.0",
            "Depends on subcommand.",
            "A container for Access List Control commands",
        )
        .subcommands(ACL),
];

const MEMORY: &[CommandSpec] = &[
    CommandSpec::new("doctor", 2, Flags::NONE, Keys::none(), memory_doctor)
        .doc(Group::Server, "4.0.0", "O(1)", "Outputs memory problems report")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    CommandSpec::new("help", 2, ANY, Keys::none(), memory_help).doc(
        Group::Server,
        "4.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("stats", 2, Flags::KEYSPACE_WIDE, Keys::none(), memory_stats)
        .doc(Group::Server, "4.0.0", "O(1)", "Show memory usage details")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    CommandSpec::new("usage", -3, Flags::READONLY, Keys::range(2, 2, 1), memory_usage)
        .doc(
            Group::Server,
            "4.0.0",
            "O(N) where N is the number of samples.",
            "Estimate the memory usage of a key",
        )
        .access("RO"),
];

const OBJECT: &[CommandSpec] = &[
    CommandSpec::new(
        "encoding",
        3,
        Flags::READONLY.or(Flags::KEYSPACE),
        Keys::range(2, 2, 1),
        object_encoding,
    )
    .doc(Group::Generic, "2.2.3", "O(1)", "Inspect the internal encoding of a Redis object")
    .tips(&["nondeterministic_output"])
    .access("RO"),
    CommandSpec::new(
        "freq",
        3,
        Flags::READONLY.or(Flags::KEYSPACE),
        Keys::range(2, 2, 1),
        object_freq,
    )
    .doc(
        Group::Generic,
        "4.0.0",
        "O(1)",
        "Get the logarithmic access frequency counter of a Redis object",
    )
    .tips(&["nondeterministic_output"])
    .access("RO"),
    CommandSpec::new("help", 2, ANY.or(Flags::KEYSPACE), Keys::none(), object_help).doc(
        Group::Generic,
        "6.2.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new(
        "idletime",
        3,
        Flags::READONLY.or(Flags::KEYSPACE),
        Keys::range(2, 2, 1),
        object_idle_time,
    )
    .doc(Group::Generic, "2.2.3", "O(1)", "Get the time since a Redis object was last accessed")
    .tips(&["nondeterministic_output"])
    .access("RO"),
    CommandSpec::new(
        "refcount",
        3,
        Flags::READONLY.or(Flags::KEYSPACE),
        Keys::range(2, 2, 1),
        object_ref_count,
    )
    .doc(Group::Generic, "2.2.3", "O(1)", "Get the number of references to the value of the key")
    .tips(&["nondeterministic_output"])
    .access("RO"),
];

const MODULE: &[CommandSpec] = &[
    CommandSpec::new("help", 2, ANY, Keys::none(), module_help).doc(
        Group::Server,
        "5.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("list", 2, Flags::ADMIN.or(Flags::NOSCRIPT), Keys::none(), empty_array)
        .doc(Group::Server, "4.0.0", "O(1)", "List all modules loaded by the server")
        .tips(&["nondeterministic_output_order"]),
];

const SLOWLOG: &[CommandSpec] = &[
    CommandSpec::new("get", -2, LOG, Keys::none(), slowlog_get)
        .doc(Group::Server, "2.2.12", "O(1)", "Get the slow log's entries")
        .tips(&["request_policy:all_nodes", "nondeterministic_output"]),
    CommandSpec::new("help", 2, ANY, Keys::none(), slowlog_help).doc(
        Group::Server,
        "6.2.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("len", 2, LOG, Keys::none(), zero)
        .doc(Group::Server, "2.2.12", "O(1)", "Get the slow log's length")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
    CommandSpec::new("reset", 2, LOG, Keys::none(), ok)
        .doc(Group::Server, "2.2.12", "O(1)", "Clear all entries from the slow log")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

const LATENCY: &[CommandSpec] = &[
    CommandSpec::new("help", 2, ANY, Keys::none(), latency_help).doc(
        Group::Server,
        "2.8.13",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("histogram", -2, ADMIN, Keys::none(), empty_map)
        .doc(
            Group::Server,
            "7.0.0",
            "O(1)",
            "Return the cumulative distribution of latencies of a subset of commands or all.",
        )
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    CommandSpec::new("latest", 2, ADMIN, Keys::none(), empty_array)
        .doc(Group::Server, "2.8.13", "O(1)", "Return the latest latency samples for all events.")
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    CommandSpec::new("reset", -2, ADMIN, Keys::none(), zero)
        .doc(Group::Server, "2.8.13", "O(1)", "Reset latency data for one or more events.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

const ACL: &[CommandSpec] = &[
    CommandSpec::new("cat", -2, Flags::NOSCRIPT.or(ANY), Keys::none(), acl_cat).doc(
        Group::Server,
        "6.0.0",
        "O(1) since the categories and commands are a fixed set.",
        "List the ACL categories or the commands inside a category",
    ),
    CommandSpec::new("help", 2, ANY, Keys::none(), acl_help).doc(
        Group::Server,
        "6.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("whoami", 2, Flags::NOSCRIPT.or(ANY), Keys::none(), acl_whoami).doc(
        Group::Server,
        "6.0.0",
        "O(1)",
        "Return the name of the user associated to the current connection",
    ),
];

/// `INFO [section …]`
fn info_text(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let sections: Vec<String> =
        args.rest().map(|section| String::from_utf8_lossy(section).to_ascii_lowercase()).collect();
    cx.session.lookups.flush(&cx.server.stats);
    let text = info::text(cx.server, cx.now, &sections);
    Ok(Reply::Verbatim { format: *b"txt", text: Bytes::from(text) })
}

/// `DBSIZE`
fn db_size(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Int(cx.tx.db_size(cx.db) as i64))
}

/// `FLUSHDB [ASYNC|SYNC]`
fn flush_db(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    check_flush(args)?;
    cx.tx.flush_db(cx.db)?;
    cx.voice.forget_keys();
    Ok(Reply::OK)
}

/// `FLUSHALL [ASYNC|SYNC]`
fn flush_all(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    check_flush(args)?;
    cx.tx.flush_all()?;
    cx.voice.forget_keys();
    Ok(Reply::OK)
}

fn check_flush(mut args: Args<'_>) -> Result<(), CommandError> {
    if args.is_empty() || args.len() == 1 && (args.keyword("ASYNC") || args.keyword("SYNC")) {
        return Ok(());
    }
    Err(CommandError::SYNTAX)
}

/// `TIME`: seconds, and microseconds of the current second.
fn time(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    // Time stands still while a script runs.
    let micros = if cx.is_in_script() { cx.now.0 * 1000 } else { clock::unix_micros() };
    let text = |number: u64| Reply::bulk(Bytes::from(number.to_string()));
    Ok(Reply::Array(vec![text(micros / 1_000_000), text(micros % 1_000_000)]))
}

/// `SAVE`: everything is on disk when it answers.
fn save(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.server.keyspace.sync()?;
    cx.server.backups.note_saved(cx.now.0 / 1000);
    Ok(Reply::OK)
}

/// `BGSAVE [SCHEDULE]`: brings the directory `snapshot` up to date. Redis does not fork inside of a transaction,
/// and says so.
fn bg_save(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if !(args.is_empty() || args.len() == 1 && args.keyword("SCHEDULE")) {
        return Err(CommandError::SYNTAX);
    }
    if !cx.server.backups.ask_for_snapshot() {
        return Err(CommandError::text("ERR Background save already in progress"));
    }
    let done = if cx.is_in_exec() { "scheduled" } else { "started" };
    Ok(Reply::Status(format!("Background saving {done}").into()))
}

/// `LASTSAVE`
fn last_save(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Int(cx.server.backups.last() as i64))
}

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`: always syncs; the connection closes without a reply.
fn shutdown(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let words: Vec<String> =
        args.rest().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let is = |word: &str| words.iter().any(|given| given == word);
    let known = ["nosave", "save", "now", "force", "abort"];
    let wrong = words.iter().any(|word| !known.contains(&word.as_str()))
        || is("save") && is("nosave")
        || is("abort") && words.len() > 1;
    if wrong {
        return Err(CommandError::SYNTAX);
    }
    if is("abort") {
        return Err(CommandError::text("ERR No shutdown in progress."));
    }
    cx.session.close = true;
    cx.server.shutdown.ask();
    Ok(Reply::None)
}

/// `MEMORY USAGE key [SAMPLES count]`
fn memory_usage(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    while !args.is_empty() {
        if args.len() < 2 || !args.keyword("SAMPLES") {
            return Err(CommandError::SYNTAX);
        }
        if args.int()? < 0 {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(match cx.tx.memory_usage(cx.db, key)? {
        Some(bytes) => Reply::Int(bytes as i64),
        None => Reply::Null,
    })
}

/// `MEMORY DOCTOR`
fn memory_doctor(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    let text =
        "Sam, memory holds the directory of keys and a bounded cache; see INFO bitmapistd.\n";
    Ok(Reply::Verbatim { format: *b"txt", text: Bytes::from_static(text.as_bytes()) })
}

/// `MEMORY STATS`
fn memory_stats(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    let stats = cx.server.keyspace.stats();
    let memory = info::memory(&stats);
    let keys: u64 = (0..DATABASES).map(|db| cx.server.keyspace.db_size(Db(db))).sum();
    let figures = [
        ("peak.allocated", memory.peak_rss),
        ("total.allocated", memory.used),
        ("startup.allocated", 0),
        ("keys.count", keys),
        ("keys.bytes-per-key", (stats.keydir_bytes as u64).checked_div(keys).unwrap_or(0)),
        ("dataset.bytes", stats.cache_bytes as u64),
        ("overhead.total", stats.keydir_bytes as u64),
    ];
    let name = |name: &'static str| Reply::bulk(Bytes::from_static(name.as_bytes()));
    Ok(Reply::Map(figures.map(|(key, value)| (name(key), Reply::Int(value as i64))).to_vec()))
}

/// `OBJECT ENCODING key`
fn object_encoding(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let encoding = cx.tx.encoding(cx.db, args.key()?)?;
    cx.looked_up(encoding.is_some());
    Ok(match encoding {
        Some(encoding) => Reply::bulk(Bytes::from_static(encoding.text().as_bytes())),
        None => Reply::Null,
    })
}

/// Whether OBJECT finds a key; nobody is told that it does not.
fn object_is_there(cx: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let found = cx.tx.exists(cx.db, key)?;
    cx.looked_up(found);
    Ok(found)
}

/// `OBJECT REFCOUNT key`: a value belongs to its key alone; but Redis has one object for each small number.
fn object_ref_count(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    const SHARED: i64 = i32::MAX as i64;
    let key = args.key()?;
    if !object_is_there(cx, key)? {
        return Ok(Reply::Null);
    }
    let number = match cx.tx.encoding(cx.db, key)? {
        Some(Encoding::Int) => cx.tx.get(cx.db, key)?.and_then(|text| parse_int(&text)),
        _ => None,
    };
    Ok(Reply::Int(if number.is_some_and(|n| (0..10_000).contains(&n)) { SHARED } else { 1 }))
}

/// `OBJECT IDLETIME key`: times of access are not kept.
fn object_idle_time(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(if object_is_there(cx, args.key()?)? { Reply::Int(0) } else { Reply::Null })
}

/// `OBJECT FREQ key`: as Redis without an LFU policy.
fn object_freq(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if !object_is_there(cx, args.key()?)? {
        return Ok(Reply::Null);
    }
    Err(CommandError::text(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
         when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    ))
}

/// `OBJECT HELP`
fn object_help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    ))
}

/// `DEBUG SLEEP seconds` (this connection only), `SET-ACTIVE-EXPIRE 0|1`, `PANIC` (of this command only).
fn debug(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let subcommand = args.peek().unwrap_or_default();
    if args.len() == 2 && args.keyword("SLEEP") {
        // Redis takes what is no number for 0.
        let seconds = args.float().unwrap_or(0.0).clamp(0.0, 1e6);
        cx.session.delay = Some(Duration::from_secs_f64(seconds));
        return Ok(Reply::OK);
    }
    if args.len() == 2 && args.keyword("SET-ACTIVE-EXPIRE") {
        cx.server.active_expiry.store(args.int()? != 0, Ordering::Relaxed);
        return Ok(Reply::OK);
    }
    if args.len() == 1 && args.keyword("PANIC") {
        panic!("DEBUG PANIC was called");
    }
    let subcommand = String::from_utf8_lossy(subcommand);
    Err(CommandError::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try DEBUG HELP."
    )))
}

/// `ROLE`: a master without replicas.
fn role(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    let role = Reply::bulk(Bytes::from_static(b"master"));
    Ok(Reply::Array(vec![role, Reply::Int(0), Reply::Array(Vec::new())]))
}

/// `WAIT numreplicas timeout`: there are no replicas, so none has acknowledged anything.
fn wait(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    args.int()?;
    if parse_int(args.next()?)
        .ok_or(CommandError::text("ERR timeout is not an integer or out of range"))?
        < 0
    {
        return Err(CommandError::text("ERR timeout is negative"));
    }
    Ok(Reply::Int(0))
}

/// `ACL WHOAMI`
fn acl_whoami(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::bulk(Bytes::from_static(b"default")))
}

/// `ACL CAT [category]`
fn acl_cat(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    use crate::command::{Category, table};
    let names: Vec<String> = match args.len() {
        0 => Category::ALL.iter().map(|category| category.name().to_owned()).collect(),
        1 => {
            let wanted = args.next()?;
            let Some(category) = Category::find(wanted) else {
                let wanted = String::from_utf8_lossy(wanted);
                return Err(CommandError::new(format!("ERR Unknown category '{wanted}'")));
            };
            let inside = table().all().iter().filter(|command| category.has(command));
            inside.map(|command| command.full_name.clone()).collect()
        }
        _ => return Err(CommandError::arity("acl|cat")),
    };
    Ok(Reply::Array(names.into_iter().map(|name| Reply::bulk(Bytes::from(name))).collect()))
}

/// `SLOWLOG GET [count]`: nothing is recorded.
fn slowlog_get(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.len() > 1 {
        return Err(CommandError::arity("slowlog|get"));
    }
    if let Some(count) = args.peek() {
        args.next()?;
        if parse_int(count).is_none_or(|count| count < -1) {
            return Err(CommandError::text("ERR count should be greater than or equal to -1"));
        }
    }
    Ok(Reply::Array(Vec::new()))
}

/// `MEMORY HELP`
fn memory_help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    ))
}

/// `LATENCY HELP`
fn latency_help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "LATENCY",
        &[
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
            "HISTOGRAM [COMMAND ...]",
            "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
            "    If no commands are specified then all histograms are replied.",
        ],
    ))
}

/// `SLOWLOG HELP`
fn slowlog_help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    ))
}

/// `ACL HELP`
fn acl_help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "ACL",
        &[
            "CAT [<category>]",
            "    List all commands that belong to <category>, or all command categories",
            "    when no category is specified.",
            "WHOAMI",
            "    Return the current connection username.",
        ],
    ))
}

/// `MODULE HELP`
fn module_help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help("MODULE", &["LIST", "    Return a list of loaded modules."]))
}

/// `CLUSTER …`, `READONLY`, `READWRITE`
fn no_cluster(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Err(CommandError::text("ERR This instance has cluster support disabled"))
}

fn empty_array(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Array(Vec::new()))
}

fn empty_map(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Map(Vec::new()))
}

fn zero(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Int(0))
}

fn ok(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::OK)
}
