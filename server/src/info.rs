//! The text of `INFO`: figures under the names that Redis gives them, so that dashboards are full, and a
//! section of our own.

use crate::command::table;
use crate::config::worker_threads;
use crate::pubsub::Kind;
use crate::shared::Shared;
use crate::stats::Figure;
use bitmap_store::{DATABASES, Db, Durability, Stats, UnixMillis};
use std::fmt::Write;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

/// The version of Redis whose commands and replies these are; clients look at it to know what they
/// may use.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// A section: its name, and what writes its lines.
type Section = (&'static str, fn(&mut Lines, &Shared, UnixMillis));

/// In Redis' order, then our own.
const SECTIONS: [Section; 14] = [
    ("Server", server_section),
    ("Clients", clients_section),
    ("Memory", memory_section),
    ("Persistence", persistence_section),
    ("Stats", stats_section),
    ("Replication", replication_section),
    ("CPU", cpu_section),
    ("Modules", |_, _, _| {}),
    ("Commandstats", command_section),
    ("Errorstats", error_section),
    // Latencies are not kept: as on a Redis where no command has run.
    ("Latencystats", |_, _, _| {}),
    ("Cluster", |lines, _, _| lines.field("cluster_enabled", 0)),
    ("Keyspace", keyspace_section),
    ("Bitmapistd", own_section),
];

/// What only `INFO all` shows.
const NOT_BY_DEFAULT: [&str; 2] = ["Commandstats", "Latencystats"];

/// The text for the sections named (in lower case); none are the default ones.
pub(crate) fn text(server: &Shared, now: UnixMillis, sections: &[String]) -> String {
    match sections {
        [one] if one == "keys" => return keys_of_bitmapist_server(server),
        [one] if one == "commands" => return commands_of_bitmapist_server(server),
        _ => {}
    }
    let named = |name: &str| sections.iter().any(|section| section.eq_ignore_ascii_case(name));
    let all = named("all") || named("everything");
    let default = sections.is_empty() || named("default");
    let mut lines = Lines(String::with_capacity(4096));
    for (name, write) in SECTIONS {
        if all || named(name) || default && !NOT_BY_DEFAULT.contains(&name) {
            if !lines.0.is_empty() {
                lines.0.push_str("\r\n");
            }
            let _ = write!(lines.0, "# {name}\r\n");
            write(&mut lines, server, now);
        }
    }
    lines.0
}

/// `name:value` lines.
struct Lines(String);

impl Lines {
    fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// A number of bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

fn server_section(lines: &mut Lines, server: &Shared, now: UnixMillis) {
    let uptime = server.started.elapsed().as_secs();
    lines.field("redis_version", REDIS_VERSION);
    lines.field("redis_git_sha1", "00000000");
    lines.field("redis_git_dirty", 0);
    lines.field("redis_build_id", env!("CARGO_PKG_VERSION"));
    lines.field("redis_mode", "standalone");
    lines.field("bitmapistd_version", env!("CARGO_PKG_VERSION"));
    lines.field("os", &*OS);
    lines.field("arch_bits", usize::BITS);
    lines.field("multiplexing_api", "epoll");
    lines.field("process_id", std::process::id());
    lines.field("process_supervised", "no");
    lines.field("run_id", &server.run_id);
    lines.field("tcp_port", server.addrs.first().map_or(0, std::net::SocketAddr::port));
    lines.field("server_time_usec", now.0 * 1000);
    lines.field("uptime_in_seconds", uptime);
    lines.field("uptime_in_days", uptime / 86_400);
    lines.field("hz", 10);
    lines.field("configured_hz", 10);
    lines.field("lru_clock", now.0 / 1000 % (1 << 24));
    let executable = std::env::current_exe().unwrap_or_default();
    lines.field("executable", executable.display());
    lines.field("config_file", "");
    lines.field("io_threads_active", worker_threads());
}

fn clients_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    let clients = server.clients.all();
    let largest = |figure: fn(&crate::clients::View) -> &std::sync::atomic::AtomicUsize| {
        clients.iter().map(|c| figure(&c.view).load(Ordering::Relaxed)).max().unwrap_or(0)
    };
    lines.field("connected_clients", clients.len());
    lines.field("cluster_connections", 0);
    lines.field("maxclients", server.settings.maxclients());
    lines.field("client_recent_max_input_buffer", largest(|view| &view.query_bytes));
    lines.field("client_recent_max_output_buffer", largest(|view| &view.output_bytes));
    lines.field("blocked_clients", 0);
    lines.field("tracking_clients", 0);
    lines.field("clients_in_timeout_table", 0);
    let watching = clients.iter().filter(|c| c.view.watched.load(Ordering::Relaxed) > 0).count();
    lines.field("watching_clients", watching);
}

/// Memory of the process, in bytes.
pub(crate) struct Memory {
    /// What the store accounts for: keydir and cache.
    pub used: u64,
    pub rss: u64,
    pub peak_rss: u64,
}

pub(crate) fn memory(stats: &Stats) -> Memory {
    let rss = status_kib("VmRSS:") << 10;
    Memory {
        used: (stats.keydir_bytes + stats.cache_bytes) as u64,
        rss,
        peak_rss: (status_kib("VmHWM:") << 10).max(rss),
    }
}

fn memory_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    let stats = server.keyspace.stats();
    let memory = memory(&stats);
    lines.bytes("used_memory", memory.used);
    lines.bytes("used_memory_rss", memory.rss);
    lines.bytes("used_memory_peak", memory.peak_rss);
    lines.field("used_memory_peak_perc", percent(memory.rss, memory.peak_rss));
    lines.field("used_memory_overhead", stats.keydir_bytes);
    lines.field("used_memory_startup", 0);
    lines.field("used_memory_dataset", stats.cache_bytes);
    lines.field("used_memory_dataset_perc", percent(stats.cache_bytes as u64, memory.used));
    lines.bytes("total_system_memory", *SYSTEM_MEMORY);
    lines.bytes("used_memory_lua", 0);
    lines.bytes("maxmemory", 0);
    lines.field("maxmemory_policy", "noeviction");
    let ratio = memory.rss as f64 / memory.used.max(1) as f64;
    lines.field("mem_fragmentation_ratio", format_args!("{ratio:.2}"));
    lines.field("mem_fragmentation_bytes", memory.rss.saturating_sub(memory.used));
    lines.field("mem_not_counted_for_evict", 0);
    lines.field("mem_clients_slaves", 0);
    let clients = server.clients.all();
    let buffers: usize = clients
        .iter()
        .map(|c| {
            c.view.query_bytes.load(Ordering::Relaxed) + c.view.output_bytes.load(Ordering::Relaxed)
        })
        .sum();
    lines.field("mem_clients_normal", buffers);
    lines.field("mem_aof_buffer", 0);
    lines.field("mem_allocator", "system");
    lines.field("active_defrag_running", 0);
    lines.field("lazyfree_pending_objects", 0);
}

fn persistence_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    lines.field("loading", 0);
    lines.field("async_loading", 0);
    lines.field("rdb_changes_since_last_save", 0);
    lines.field("rdb_bgsave_in_progress", u8::from(server.backups.is_running()));
    lines.field("rdb_last_save_time", server.backups.last());
    lines.field("rdb_last_bgsave_status", server.backups.status());
    lines.field("rdb_last_bgsave_time_sec", server.backups.last_seconds());
    lines.field("rdb_current_bgsave_time_sec", server.backups.current_seconds());
    lines.field("aof_enabled", 1);
    lines.field("aof_rewrite_in_progress", 0);
    lines.field("aof_rewrite_scheduled", 0);
    lines.field("aof_last_rewrite_time_sec", -1);
    lines.field("aof_current_rewrite_time_sec", -1);
    lines.field("aof_last_bgrewrite_status", "ok");
    lines.field("aof_last_write_status", server.trouble.status());
    let stats = server.keyspace.stats();
    lines.field("aof_current_size", stats.disk_bytes);
    lines.field("aof_base_size", stats.disk_bytes.saturating_sub(stats.log_bytes));
}

fn stats_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let stats = server.keyspace.stats();
    let errors: u64 = server.stats.errors().values().sum();
    lines.field("total_connections_received", get(&server.stats.connections));
    lines.field("total_commands_processed", server.stats.total_calls());
    lines.field("instantaneous_ops_per_sec", get(&server.ops_per_second));
    lines.field("total_net_input_bytes", server.stats.figure(Figure::InputBytes));
    lines.field("total_net_output_bytes", server.stats.figure(Figure::OutputBytes));
    lines.field("rejected_connections", get(&server.stats.rejected_connections));
    lines.field("sync_full", 0);
    lines.field("sync_partial_ok", 0);
    lines.field("sync_partial_err", 0);
    lines.field("expired_keys", stats.expired);
    lines.field("evicted_keys", 0);
    lines.field("keyspace_hits", server.stats.figure(Figure::Hits));
    lines.field("keyspace_misses", server.stats.figure(Figure::Misses));
    lines.field("pubsub_channels", server.pubsub.len(Kind::Channel));
    lines.field("pubsub_patterns", server.pubsub.len(Kind::Pattern));
    lines.field("pubsubshard_channels", server.pubsub.len(Kind::Shard));
    lines.field("latest_fork_usec", 0);
    lines.field("total_forks", 0);
    lines.field("total_error_replies", errors);
    lines.field("client_output_buffer_limit_disconnections", server.pubsub.closed());
}

fn replication_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    lines.field("role", "master");
    lines.field("connected_slaves", 0);
    lines.field("master_failover_state", "no-failover");
    lines.field("master_replid", &server.run_id);
    lines.field("master_replid2", "0".repeat(40));
    lines.field("master_repl_offset", 0);
    lines.field("second_repl_offset", -1);
    lines.field("repl_backlog_active", 0);
    lines.field("repl_backlog_size", 0);
    lines.field("repl_backlog_first_byte_offset", 0);
    lines.field("repl_backlog_histlen", 0);
}

fn cpu_section(lines: &mut Lines, _: &Shared, _: UnixMillis) {
    let (user, system, user_children, system_children) = cpu_seconds();
    let mut seconds = |name: &str, value: f64| lines.field(name, format_args!("{value:.6}"));
    seconds("used_cpu_sys", system);
    seconds("used_cpu_user", user);
    seconds("used_cpu_sys_children", system_children);
    seconds("used_cpu_user_children", user_children);
}

fn command_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    for command in table().all() {
        let figures = server.stats.command(command.id);
        if figures == Default::default() {
            continue;
        }
        let average = figures.micros as f64 / figures.calls.max(1) as f64;
        lines.field(
            &format!("cmdstat_{}", command.full_name),
            format_args!(
                "calls={},usec={},usec_per_call={average:.2},rejected_calls={},failed_calls={}",
                figures.calls, figures.micros, figures.rejected, figures.failed
            ),
        );
    }
}

fn error_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    for (code, count) in server.stats.errors() {
        lines.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

fn keyspace_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    for db in 0..DATABASES {
        let keys = server.keyspace.db_size(Db(db));
        if keys > 0 {
            let expires = server.keyspace.expires(Db(db));
            let text = format_args!("keys={keys},expires={expires},avg_ttl=0");
            lines.field(&format!("db{db}"), text);
        }
    }
}

fn own_section(lines: &mut Lines, server: &Shared, _: UnixMillis) {
    let stats = server.keyspace.stats();
    let keys: u64 = (0..DATABASES).map(|db| server.keyspace.db_size(Db(db))).sum();
    lines.field("keys", keys);
    lines.field("keydir_bytes", stats.keydir_bytes);
    lines.field("cache_bytes", stats.cache_bytes);
    lines.field("cache_limit_bytes", server.settings.cache_bytes());
    lines.field("cache_entries", stats.cache_entries);
    lines.field("cache_hits", stats.cache_hits);
    lines.field("cache_misses", stats.cache_misses);
    lines.field("log_sync", sync_name(server.settings.sync()));
    lines.field("log_bytes_appended", stats.log_bytes);
    lines.field("log_syncs", stats.sync_count);
    lines.field("log_segments", stats.segments);
    lines.field("log_disk_bytes", stats.disk_bytes);
    lines.field("log_reads", stats.log_reads);
    let recovery = server.keyspace.recovery();
    lines.field("recovered_segments", recovery.segments);
    lines.field("recovered_by_hints", recovery.hinted);
    lines.field("recovered_scanned_bytes", recovery.scanned_bytes);
}

fn sync_name(sync: Durability) -> &'static str {
    crate::config::durability_name(sync)
}

/// bitmapist-server's `INFO keys`; its lines end with a line feed alone.
fn keys_of_bitmapist_server(server: &Shared) -> String {
    let keys: u64 = (0..DATABASES).map(|db| server.keyspace.db_size(Db(db))).sum();
    format!("keys_total:{keys}\nkeys_cached:{}\n", server.keyspace.stats().cache_entries)
}

/// bitmapist-server's `INFO commands`: calls since it was asked for last.
fn commands_of_bitmapist_server(server: &Shared) -> String {
    let calls = server.stats.calls_since_last_report();
    let mut text = String::new();
    for command in table().top_level() {
        let own = command.id.index();
        let total: u64 = calls[own..=own + table().children(command).len()].iter().sum();
        let _ = writeln!(text, "{}:{total}", command.spec.name);
    }
    text
}

/// As Redis writes a number of bytes for people: `1.63M`.
fn human(bytes: u64) -> String {
    const UNITS: [(u64, char); 4] =
        [(1 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("{:.2}{letter}", bytes as f64 / *unit as f64),
        None => format!("{bytes}B"),
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", part as f64 * 100.0 / whole.max(1) as f64)
}

static OS: LazyLock<String> = LazyLock::new(|| {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {} {}", std::env::consts::OS, release.trim(), std::env::consts::ARCH)
});

static SYSTEM_MEMORY: LazyLock<u64> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    figure_after(&text, "MemTotal:") << 10
});

/// A figure of `/proc/self/status`, in KiB; 0 where there is none.
fn status_kib(name: &str) -> u64 {
    figure_after(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), name)
}

/// The number after `name`, at the start of a line.
fn figure_after(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// User, system, user of children, system of children.
fn cpu_seconds() -> (f64, f64, f64, f64) {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may contain blanks; the fields after it do not.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> = after_name
        .split_ascii_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|number| number.parse().ok())
        .collect();
    let seconds = |i: usize| ticks.get(i).copied().unwrap_or(0.0) / 100.0;
    (seconds(0), seconds(1), seconds(2), seconds(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_for_people_as_redis_does() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1_706_128), "1.63M");
        assert_eq!(human(25_276_514_304), "23.54G");
    }

    #[test]
    fn figures_of_the_system_are_found_by_their_names() {
        assert_eq!(figure_after("A: 1 kB\nVmRSS:\t  42 kB\n", "VmRSS:"), 42);
        assert_eq!(figure_after("", "VmRSS:"), 0);
        assert!(status_kib("VmRSS:") > 0);
    }
}
