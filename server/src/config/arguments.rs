//! The command line: our flags, and those of bitmapist-server, so that a script which starts that
//! starts this.

use super::{Config, file, parse_size};
use bitmap_store::Durability;
use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A disk-based server that speaks the Redis protocol and keeps bitmaps compressed.
#[derive(Debug, Parser)]
#[command(name = "bitmapistd", version, disable_version_flag = true)]
struct Arguments {
    /// Serve on HOST:PORT; no host means all interfaces [default: localhost:6379]
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<String>,
    /// Serve on this Unix socket too
    #[arg(long, value_name = "PATH")]
    unixsocket: Option<PathBuf>,
    /// Keep the data in this directory [default: ./data]
    #[arg(long, value_name = "DIRECTORY", alias = "db")]
    dir: Option<PathBuf>,
    /// When an acknowledged write is on disk [default: always]
    #[arg(long, value_enum)]
    sync: Option<Sync>,
    /// Memory for decoded bitmaps, such as 64mb or 1GiB [default: 256mb]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    cache_size: Option<u64>,
    /// Refuse connections beyond so many [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    maxclients: Option<u32>,
    /// trace, debug, info, warn, error or off [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = ["trace", "debug", "info", "warn", "error", "off"])]
    log_level: Option<String>,
    /// Read settings of the same names from a TOML file; flags win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log more: the same as --log-level debug
    #[arg(long)]
    debug: bool,
    /// Write a backup of everything to this file on SIGUSR1
    #[arg(long, value_name = "FILE")]
    bak: Option<PathBuf>,
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long)]
    version: bool,
    /// Print the table of commands in Markdown
    #[arg(long, hide = true)]
    print_commands: bool,
}

/// `--sync`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sync {
    /// Before it is acknowledged; all who wait share one sync
    Always,
    /// Within about a second
    Everysec,
    /// When the operating system writes it
    No,
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Serve with this configuration.
    Serve(Box<Config>),
    /// Print this and exit successfully.
    Print(String),
    /// Print the table of commands in Markdown.
    PrintCommands,
    /// Print this to the standard error and exit with the code.
    Fail(String, i32),
}

/// Reads a command line, the program's name first, and the configuration file it names.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Invocation {
    let arguments = match Arguments::try_parse_from(normalise(argv)) {
        Ok(arguments) => arguments,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Invocation::Print(e.to_string());
        }
        Err(e) => return Invocation::Fail(e.to_string(), e.exit_code()),
    };
    if arguments.version {
        return Invocation::Print(concat!("bitmapistd ", env!("CARGO_PKG_VERSION"), "\n").into());
    }
    if arguments.print_commands {
        return Invocation::PrintCommands;
    }
    let mut config = Config::default();
    if let Some(path) = &arguments.config
        && let Err(problem) = file::read_into(path, &mut config)
    {
        return Invocation::Fail(format!("{}: {problem}\n", path.display()), 2);
    }
    arguments.apply(&mut config);
    Invocation::Serve(Box::new(config))
}

impl Arguments {
    fn apply(self, config: &mut Config) {
        if let Some(addr) = self.addr {
            config.addr = addr;
        }
        if let Some(path) = self.unixsocket {
            config.unixsocket = Some(path);
        }
        if let Some(dir) = self.dir {
            config.dir = dir;
        }
        if let Some(sync) = self.sync {
            config.sync = sync.into();
        }
        if let Some(bytes) = self.cache_size {
            config.cache_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        // As bitmapist-server takes it: no name, or that of the data, is none.
        let unnamed = |path: &PathBuf| path.as_os_str().is_empty() || *path == config.dir;
        if let Some(path) = self.bak.filter(|path| !unnamed(path)) {
            config.bak = Some(path);
        }
        if let Some(count) = self.maxclients {
            config.maxclients = count as usize;
        }
        if let Some(level) = self.log_level {
            config.log_level = level;
        } else if self.debug {
            config.log_level = "debug".into();
        }
    }
}

impl From<Sync> for Durability {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Always => Durability::Always,
            Sync::Everysec => Durability::EverySecond,
            Sync::No => Durability::No,
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "not a number of bytes such as 64mb or 1GiB".into())
}

/// Rewrites the flags of Go programs, which have one dash however long they are (`-addr`, `-db=x`), to
/// ours, and `version` as the only argument to `--version`. What follows `--` is left alone.
fn normalise(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut argv: Vec<OsString> = argv.into_iter().collect();
    if argv.len() == 2 && argv[1] == "version" {
        argv[1] = "--version".into();
    }
    for arg in argv.iter_mut().skip(1) {
        if arg == "--" {
            break;
        }
        let Some(flag) = arg.to_str().and_then(|text| text.strip_prefix('-')) else {
            continue;
        };
        if flag.starts_with('-') {
            continue;
        }
        let name = flag.split('=').next().unwrap_or_default();
        // One letter is a short flag of our own; `-1` and the like are values.
        if name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let mut long = OsString::from("-");
            long.push(OsStr::new(arg.as_os_str()));
            *arg = long;
        }
    }
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Invocation {
        parse(line.split(' ').map(OsString::from))
    }

    fn served(line: &str) -> Config {
        match parsed(line) {
            Invocation::Serve(config) => *config,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn our_flags_and_those_of_bitmapist_server_mean_the_same() {
        let ours = served("bitmapistd --addr :7000 --dir /data --log-level debug");
        assert_eq!(ours.addr, ":7000");
        assert_eq!(ours, served("bitmapistd -addr :7000 -db /data -debug"));
        assert_eq!(ours, served("bitmapistd -addr=:7000 -db=/data --debug -bak="));
        let saved = served("bitmapistd -addr=:7000 -db=/data --debug -bak=/data/x.bak");
        assert_eq!(saved, Config { bak: Some("/data/x.bak".into()), ..ours.clone() });
        assert_eq!(ours, served("bitmapistd -addr=:7000 -db=/data --debug -bak=/data"));
        assert_eq!(ours, served("bitmapistd --addr=:7000 --db=/data -debug"));
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(served("bitmapistd"), Config::default());
    }

    #[test]
    fn every_spelling_of_the_version_prints_it() {
        for spelling in ["-v", "-V", "-version", "--version", "version"] {
            let Invocation::Print(text) = parsed(&format!("bitmapistd {spelling}")) else {
                panic!("{spelling}");
            };
            assert!(text.starts_with("bitmapistd "), "{text}");
        }
    }

    #[test]
    fn sizes_have_units_and_nonsense_is_refused() {
        assert_eq!(served("bitmapistd --cache-size 64MiB").cache_bytes, 64 << 20);
        assert_eq!(served("bitmapistd --sync everysec").sync, Durability::EverySecond);
        for line in
            ["--cache-size many", "--sync sometimes", "--maxclients 0", "--nonsense", "-x 1"]
        {
            assert!(matches!(parsed(&format!("x {line}")), Invocation::Fail(_, 2)), "{line}");
        }
    }
}
