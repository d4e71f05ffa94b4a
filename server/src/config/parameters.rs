//! The parameters of `CONFIG GET` and `CONFIG SET`, under the names that Redis gives them.

use super::limit::parse_limit;
use super::upkeep::{Upkeep, compression_name, parse_window, window_name};
use super::{Limit, durability_name, parse_size};
use crate::command::parse_int;
use crate::events::Notify;
use crate::logging;
use crate::open_files;
use crate::shared::Shared;
use bitmap_store::{Durability, Keyspace};
use std::ops::RangeInclusive;

/// One parameter.
pub(crate) struct Parameter {
    pub name: &'static str,
    pub get: fn(&Shared) -> String,
    pub set: Set,
}

/// How a parameter may be changed; the errors are Redis' words.
pub(crate) enum Set {
    /// Not while the server runs.
    Immutable,
    /// It has the one value that is true of this server; setting it to that changes nothing.
    Fixed,
    Live(fn(&Shared, &str) -> Result<(), String>),
}

use Set::{Fixed, Immutable, Live};

/// All parameters, by name.
pub(crate) const PARAMETERS: &[Parameter] = &[
    fixed("activedefrag", |_| "no".into()),
    fixed("appendfilename", |_| String::new()),
    live("appendfsync", |s| durability_name(s.settings.sync()).into(), set_sync),
    fixed("appendonly", |_| "yes".into()),
    immutable("bind", |s| {
        s.addrs.iter().map(|addr| addr.ip().to_string()).collect::<Vec<_>>().join(" ")
    }),
    live(
        "backup-rate",
        |s| s.settings.upkeep().backup_rate.to_string(),
        |s, value| set_rate(s, value, |upkeep| &mut upkeep.backup_rate, Keyspace::set_backup_rate),
    ),
    live("busy-reply-threshold", |s| s.scripts.busy_millis().to_string(), set_busy),
    live("cache-size", |s| s.settings.cache_bytes().to_string(), set_cache),
    live(
        "client-output-buffer-limit",
        |s| {
            let (normal, slow) =
                (s.settings.output_buffer_setting(), s.settings.subscriber_limit());
            let Limit { hard_bytes, soft_bytes, soft_seconds } = slow;
            format!(
                "normal {normal} 0 0 slave 0 0 0 pubsub {hard_bytes} {soft_bytes} {soft_seconds}"
            )
        },
        set_output_buffer,
    ),
    live(
        "client-query-buffer-limit",
        |s| s.settings.query_buffer_bytes().to_string(),
        |s, value| {
            let bytes = memory(value, 1 << 20)?;
            s.settings.set_query_buffer_bytes(bytes);
            Ok(())
        },
    ),
    immutable("cluster-enabled", |_| "no".into()),
    live(
        "compaction",
        |s| if s.settings.upkeep().compaction { "yes" } else { "no" }.into(),
        |s, value| {
            let on = match value.to_ascii_lowercase().as_str() {
                "yes" => true,
                "no" => false,
                _ => return Err("argument must be 'yes' or 'no'".into()),
            };
            set_compaction(s, |upkeep| upkeep.compaction = on);
            Ok(())
        },
    ),
    live(
        "compaction-rate",
        |s| s.settings.upkeep().compaction_rate.to_string(),
        |s, value| {
            set_rate(s, value, |upkeep| &mut upkeep.compaction_rate, Keyspace::set_compaction_rate)
        },
    ),
    live(
        "compaction-window",
        |s| window_name(s.settings.upkeep().compaction_window),
        |s, value| {
            let window = parse_window(value)
                .ok_or("argument must be two hours of the day such as 22-6, or nothing")?;
            set_compaction(s, |upkeep| upkeep.compaction_window = window);
            Ok(())
        },
    ),
    immutable("compression", |s| compression_name(s.settings.upkeep().compression).into()),
    immutable("databases", |_| bitmap_store::DATABASES.to_string()),
    immutable("dbfilename", |_| String::new()),
    fixed("dir", |s| s.settings.dir.display().to_string()),
    fixed("hash-max-listpack-entries", |_| "128".into()),
    fixed("hz", |_| "10".into()),
    immutable("io-threads", |_| worker_threads().to_string()),
    fixed("latency-monitor-threshold", |_| "0".into()),
    fixed("lazyfree-lazy-user-del", |_| "no".into()),
    live("loglevel", |s| logging::redis_name(&s.settings.log_level()).into(), set_log_level),
    live(
        "lua-memory-limit",
        |s| s.scripts.memory_bytes().to_string(),
        |s, value| {
            // What a state has of its own, and room for a little.
            let least = if parse_size(value) == Some(0) { 0 } else { 1 << 20 };
            s.scripts.set_memory_bytes(memory(value, least)?);
            Ok(())
        },
    ),
    live("lua-time-limit", |s| s.scripts.busy_millis().to_string(), set_busy),
    live("maxclients", |s| s.settings.maxclients().to_string(), set_maxclients),
    fixed("maxmemory", |_| "0".into()),
    fixed("maxmemory-policy", |_| "noeviction".into()),
    fixed("min-replicas-to-write", |_| "0".into()),
    live("notify-keyspace-events", |s| s.settings.notify().to_string(), set_notify),
    immutable("port", |s| s.addrs.first().map_or(0, std::net::SocketAddr::port).to_string()),
    fixed("proto-max-bulk-len", |_| bitmap_store::MAX_VALUE_BYTES.to_string()),
    fixed("protected-mode", |_| "no".into()),
    fixed("repl-backlog-size", |_| "0".into()),
    fixed("replica-read-only", |_| "yes".into()),
    fixed("requirepass", |_| String::new()),
    fixed("save", |_| String::new()),
    fixed("slave-read-only", |_| "yes".into()),
    fixed("slowlog-log-slower-than", |_| "-1".into()),
    fixed("slowlog-max-len", |_| "0".into()),
    fixed("tcp-keepalive", |_| "7200".into()),
    live(
        "timeout",
        |s| s.settings.timeout_seconds().to_string(),
        |s, value| {
            s.settings.set_timeout_seconds(number(value, 0..=i32::MAX as i64)? as u64);
            Ok(())
        },
    ),
    immutable("unixsocket", |s| {
        s.unixsocket.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }),
];

const fn fixed(name: &'static str, get: fn(&Shared) -> String) -> Parameter {
    Parameter { name, get, set: Fixed }
}

const fn immutable(name: &'static str, get: fn(&Shared) -> String) -> Parameter {
    Parameter { name, get, set: Immutable }
}

const fn live(
    name: &'static str,
    get: fn(&Shared) -> String,
    set: fn(&Shared, &str) -> Result<(), String>,
) -> Parameter {
    Parameter { name, get, set: Live(set) }
}

impl Parameter {
    pub(crate) fn find(name: &[u8]) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| name.eq_ignore_ascii_case(parameter.name.as_bytes()))
    }

    /// Changes the parameter; the error is the end of what Redis would say.
    pub(crate) fn change(&self, server: &Shared, value: &str) -> Result<(), String> {
        match self.set {
            Live(set) => set(server, value),
            Immutable => Err("can't set immutable config".into()),
            Fixed if value.eq_ignore_ascii_case(&(self.get)(server)) => Ok(()),
            Fixed => Err(format!("this server has no other value than '{}'", (self.get)(server))),
        }
    }
}

/// Threads that run commands.
pub(crate) fn worker_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

fn set_sync(server: &Shared, value: &str) -> Result<(), String> {
    let sync = match value.to_ascii_lowercase().as_str() {
        "always" => Durability::Always,
        "everysec" => Durability::EverySecond,
        "no" => Durability::No,
        _ => return Err("argument(s) must be one of the following: everysec, always, no".into()),
    };
    server.keyspace.set_durability(sync);
    server.settings.set_sync(sync);
    Ok(())
}

fn set_cache(server: &Shared, value: &str) -> Result<(), String> {
    let bytes = memory(value, 0)?;
    server.keyspace.set_cache_bytes(bytes);
    server.settings.set_cache_bytes(bytes);
    Ok(())
}

fn set_busy(server: &Shared, value: &str) -> Result<(), String> {
    server.scripts.set_busy_millis(number(value, 0..=i64::MAX)? as u64);
    Ok(())
}

fn set_rate(
    server: &Shared,
    value: &str,
    setting: fn(&mut Upkeep) -> &mut u64,
    apply: fn(&Keyspace, u64),
) -> Result<(), String> {
    let rate = memory(value, 0)? as u64;
    let change = |upkeep: &mut Upkeep| *setting(upkeep) = rate;
    server.settings.set_upkeep(change, |_| apply(&server.keyspace, rate));
    Ok(())
}

fn set_compaction(server: &Shared, change: impl FnOnce(&mut Upkeep)) {
    let segment_bytes = server.settings.segment_bytes;
    server.settings.set_upkeep(change, |upkeep| {
        server.keyspace.set_compaction(upkeep.compaction_options(segment_bytes));
    });
}

fn set_maxclients(server: &Shared, value: &str) -> Result<(), String> {
    let wanted = number(value, 1..=u32::MAX.into())? as usize;
    let fitting = open_files::make_room(wanted, &server.settings.dir).unwrap_or(0);
    if fitting < wanted {
        return Err(format!(
            "The operating system is not able to handle the specified number of clients, try with {fitting}"
        ));
    }
    server.settings.set_maxclients(wanted);
    Ok(())
}

/// `CLASS HARD SOFT SECONDS` as in Redis, for any of the classes; of normal clients only the hard limit means
/// anything here, and there are no replicas.
fn set_output_buffer(server: &Shared, value: &str) -> Result<(), String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let (mut normal, mut subscriber) = (None, None);
    for class in words.chunks(4) {
        let limit = parse_limit(&class[1..])
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        match class[0].to_ascii_lowercase().as_str() {
            "normal" => normal = Some(limit),
            "pubsub" => subscriber = Some(limit),
            "slave" | "replica" => {}
            _ => {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            }
        }
    }
    // Once all of it is known to be well formed.
    if let Some(limit) = normal {
        server.settings.set_output_buffer_bytes(limit.hard_bytes);
    }
    if let Some(limit) = subscriber {
        server.settings.set_subscriber_limit(limit);
    }
    Ok(())
}

fn set_notify(server: &Shared, value: &str) -> Result<(), String> {
    let notify =
        Notify::parse(value).ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
    server.settings.set_notify(notify);
    Ok(())
}

fn set_log_level(server: &Shared, value: &str) -> Result<(), String> {
    let level = logging::from_redis_name(value)
        .ok_or("argument(s) must be one of the following: debug, verbose, notice, warning")?;
    logging::set_level(level);
    server.settings.set_log_level(level);
    Ok(())
}

fn memory(value: &str, least: u64) -> Result<usize, String> {
    let bytes = parse_size(value).ok_or("argument must be a memory value")?;
    if bytes < least {
        return Err(format!("argument must be between {least} and {} inclusive", i64::MAX));
    }
    usize::try_from(bytes).map_err(|_| "argument must be a memory value".into())
}

fn number(value: &str, range: RangeInclusive<i64>) -> Result<i64, String> {
    let number =
        parse_int(value.as_bytes()).ok_or("argument couldn't be parsed into an integer")?;
    if range.contains(&number) {
        return Ok(number);
    }
    Err(format!("argument must be between {} and {} inclusive", range.start(), range.end()))
}
