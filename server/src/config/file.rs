//! The configuration file: TOML with the names of the flags.

use super::limit::parse_limit;
use super::upkeep::{parse_compression, parse_window};
use super::{Config, Notify, parse_size};
use bitmap_store::Durability;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The file as it is written; a name that is not here is an error that names it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    addr: Option<String>,
    unixsocket: Option<PathBuf>,
    dir: Option<PathBuf>,
    bak: Option<PathBuf>,
    sync: Option<Sync>,
    cache_size: Option<Size>,
    maxclients: Option<u32>,
    log_level: Option<Level>,
    timeout: Option<u64>,
    client_query_buffer_limit: Option<Size>,
    client_output_buffer_limit: Option<Size>,
    subscriber_output_buffer_limit: Option<String>,
    notify_keyspace_events: Option<String>,
    compaction: Option<bool>,
    compaction_window: Option<String>,
    compaction_rate: Option<Size>,
    backup_rate: Option<Size>,
    compression: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sync {
    Always,
    Everysec,
    No,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

/// `1048576` or `"1mb"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

/// Changes `config` by the settings in the file at `path`; the error is for a person to read.
pub(super) fn read_into(path: &Path, config: &mut Config) -> Result<(), String> {
    #[allow(clippy::disallowed_methods)] // a file of the server's own, not of the store
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "not text in UTF-8".to_owned())?;
    apply(&text, config)
}

fn apply(text: &str, config: &mut Config) -> Result<(), String> {
    let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
    if let Some(addr) = file.addr {
        config.addr = addr;
    }
    if let Some(path) = file.unixsocket {
        config.unixsocket = Some(path);
    }
    if let Some(dir) = file.dir {
        config.dir = dir;
    }
    if let Some(path) = file.bak {
        config.bak = Some(path);
    }
    if let Some(sync) = file.sync {
        config.sync = match sync {
            Sync::Always => Durability::Always,
            Sync::Everysec => Durability::EverySecond,
            Sync::No => Durability::No,
        };
    }
    if let Some(size) = file.cache_size {
        config.cache_bytes = size.bytes("cache-size")?;
    }
    if let Some(count) = file.maxclients {
        if count == 0 {
            return Err("maxclients must be at least 1".into());
        }
        config.maxclients = count as usize;
    }
    if let Some(level) = file.log_level {
        config.log_level = format!("{level:?}").to_ascii_lowercase();
    }
    if let Some(seconds) = file.timeout {
        config.timeout_seconds = seconds;
    }
    if let Some(size) = file.client_query_buffer_limit {
        config.query_buffer_bytes = size.bytes("client-query-buffer-limit")?;
    }
    if let Some(size) = file.client_output_buffer_limit {
        config.output_buffer_bytes = size.bytes("client-output-buffer-limit")?;
    }
    if let Some(text) = file.subscriber_output_buffer_limit {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let problem = "subscriber-output-buffer-limit is not two sizes and a number of seconds such as \
                       \"32mb 8mb 60\"";
        config.subscriber_limit = parse_limit(&words).ok_or(problem)?;
    }
    if let Some(text) = file.notify_keyspace_events {
        let problem = "notify-keyspace-events is made of the letters Ag$lshzxeKEtmdn";
        config.notify = Notify::parse(&text).ok_or(problem)?;
    }
    let upkeep = &mut config.upkeep;
    if let Some(on) = file.compaction {
        upkeep.compaction = on;
    }
    if let Some(text) = file.compaction_window {
        let problem = "compaction-window is not two hours of the day such as \"22-6\"";
        upkeep.compaction_window = parse_window(&text).ok_or(problem)?;
    }
    if let Some(size) = file.compaction_rate {
        upkeep.compaction_rate = size.bytes("compaction-rate")? as u64;
    }
    if let Some(size) = file.backup_rate {
        upkeep.backup_rate = size.bytes("backup-rate")? as u64;
    }
    if let Some(text) = file.compression {
        let problem = "compression is off, snappy, lz4 or zstd";
        upkeep.compression = parse_compression(&text).ok_or(problem)?;
    }
    Ok(())
}

impl Size {
    fn bytes(self, name: &str) -> Result<usize, String> {
        let bytes = match self {
            Size::Bytes(bytes) => Some(bytes),
            Size::Text(text) => parse_size(&text),
        };
        bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| format!("{name} is not a number of bytes such as \"64mb\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Limit, Upkeep};
    use bitmap_store::Compression;

    #[test]
    fn a_file_sets_what_it_names_and_nothing_else() {
        let mut config = Config::default();
        let text = "addr = ':7000'\nsync = 'everysec'\ncache-size = '64mb'\nmaxclients = 5\n\
                    log-level = 'warn'\ntimeout = 300\nclient-query-buffer-limit = 1048576\n\
                    client-output-buffer-limit = '256mb'\ncompaction = false\n\
                    subscriber-output-buffer-limit = '1mb 0 10'\nnotify-keyspace-events = 'KA'\n\
                    compaction-window = '22-6'\ncompaction-rate = '1mb'\nbackup-rate = 0\n\
                    compression = 'zstd'\n";
        apply(text, &mut config).expect("valid");
        let expected = Config {
            addr: ":7000".into(),
            sync: Durability::EverySecond,
            cache_bytes: 64 << 20,
            maxclients: 5,
            log_level: "warn".into(),
            timeout_seconds: 300,
            query_buffer_bytes: 1 << 20,
            output_buffer_bytes: 256 << 20,
            subscriber_limit: Limit { hard_bytes: 1 << 20, soft_bytes: 0, soft_seconds: 10 },
            notify: Notify::parse("AK").expect("letters that are known"),
            upkeep: Upkeep {
                compaction: false,
                compaction_window: Some((22, 6)),
                compaction_rate: 1 << 20,
                backup_rate: 0,
                compression: Compression::Zstd,
            },
            ..Config::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let error = apply("adr = ':7000'", &mut Config::default()).expect_err("unknown");
        assert!(error.contains("adr"), "{error}");
    }

    #[test]
    fn a_bad_value_is_an_error() {
        for text in [
            "sync = 'often'",
            "cache-size = 'big'",
            "maxclients = 0",
            "maxclients = -1",
            "compaction = 'maybe'",
            "compaction-window = '25-3'",
            "compression = 'gzip'",
            "subscriber-output-buffer-limit = '1mb'",
            "notify-keyspace-events = 'Kq'",
            "x",
        ] {
            assert!(apply(text, &mut Config::default()).is_err(), "{text}");
        }
    }
}
