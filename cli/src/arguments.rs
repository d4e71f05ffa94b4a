//! The command line. Help, completions, the man page and `docs/cli.md` are made of what is written here.

use crate::exit;
use crate::spelling::Spelling;
use crate::units::{parse_bytes, parse_duration, parse_moment};
use bitcask_core::UnixMillis;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Works on the data directory of a bitmapistd, on any bitcask-core store, and on a server.
///
/// Commands that only read work beside a running server; commands that write need the directory for themselves,
/// and say who has it. A directory is taken for a bitmapistd's if all keys in its log are named as bitmapistd names
/// them; then `get`, `keys` and so on speak of the keys of a database, and with --raw of the log's own.
///
/// Keys and values are printed and typed as text, with \\ for a backslash, \n, \r, \t, and \xNN for control
/// characters and for what is no UTF-8; --hex and --raw-bytes change that. What was printed can be typed.
#[derive(Debug, Parser)]
#[command(name = "bitmapist", version, after_help = exit::CODES, max_term_width = 100)]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    #[command(flatten)]
    pub format: Format,
    #[command(subcommand)]
    pub command: Command,
}

/// How to print and to read.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Format {
    /// Print JSON: one object, or one a line where there are many
    #[arg(long, global = true, display_order = 100)]
    pub json: bool,
    /// Keys and values in hexadecimal digits, printed and typed
    #[arg(long, global = true, display_order = 101, conflicts_with = "raw_bytes")]
    pub hex: bool,
    /// Keys and values as they are, printed and typed: for pipes
    #[arg(long, global = true, display_order = 102, conflicts_with = "json")]
    pub raw_bytes: bool,
    /// No progress bars and remarks
    #[arg(short, long, global = true, display_order = 103)]
    pub quiet: bool,
}

impl Format {
    pub fn spelling(&self) -> Spelling {
        match (self.hex, self.raw_bytes) {
            (true, _) => Spelling::Hex,
            (_, true) => Spelling::Raw,
            _ => Spelling::Escaped,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the value of a key
    Get(Get),
    /// Set a key, to VALUE or to what the standard input says
    Put(Put),
    /// Remove keys; not found if none of them was there
    Del(Keys),
    /// Say whether keys are there; not found if one is not
    Exists(Keys),
    /// Print keys, in byte order
    Keys(List),
    /// Print keys with their values, in byte order, separated by a tab
    Scan(List),
    /// Print the keys from FROM up to, and without, TO with their values
    Range(Range),
    /// Print what a store holds, or what a server says of itself
    Stats(Stats),
    /// Print how much of a directory is dead: what compaction would give back
    Reclaimable(Dir),
    /// Give the space of what is dead back
    Compact(Compact),
    /// Check every record, hint and value; exits with 3 if there is damage, and says where
    Verify(Verify),
    /// Put right what costs no data: a torn end, hints, what an interrupted compaction left
    Repair(Dir),
    /// Make a damaged store one that opens, at the price of what is damaged; keeps the damaged files
    Salvage(Dir),
    /// Copy a store: to a directory by links and what is new, or to one file
    Backup(Backup),
    /// Make a store of a backup in one file or in a directory, or of what a directory held in the past
    Restore(Restore),
    /// Take over a directory of Basho's Bitcask, pybitcask, bitgask or prologic/bitcask
    Import(Import),
    /// Write a store in the layout of Basho's Bitcask
    Export(Export),
    /// Print records as they lie in the segments, dead ones too
    Dump(Dump),
    /// Remove what has expired and what is left over, and give the space back
    Gc(Gc),
    /// Measure reads and writes in a temporary directory
    Bench(Bench),
    /// Print the version, with --server that of a server
    Version(Version),
    /// Print completions for a shell
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the man page, or write it and those of all commands to a directory
    Man {
        /// Write bitmapist.1, bitmapist-get.1 and so on here
        #[arg(value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Print docs/cli.md
    #[command(hide = true)]
    Markdown,
}

/// Which shell.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// A store in a directory, or a server.
#[derive(Args, Clone, Debug)]
#[group(id = "place", required = true, multiple = false, args = ["dir", "server"])]
pub struct Target {
    /// The store in this directory
    #[arg(short, long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// The server there: an address, or the path of a Unix socket, with a slash in it
    #[arg(short, long, value_name = "HOST:PORT")]
    pub server: Option<String>,
    #[command(flatten)]
    pub database: Database,
}

/// Which keys of a directory.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Database {
    /// The database of a bitmapistd [default: 0]; makes an empty directory one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..16))]
    pub db: Option<u8>,
    /// The keys of the log itself, whoever wrote it
    #[arg(long, conflicts_with_all = ["db", "server"])]
    pub raw: bool,
}

/// A store in a directory.
#[derive(Args, Clone, Debug)]
pub struct Dir {
    /// The store in this directory
    #[arg(short, long, value_name = "PATH")]
    pub dir: PathBuf,
}

#[derive(Args, Debug)]
pub struct Get {
    /// The key
    pub key: OsString,
    /// Print what is known of the key instead of its value
    #[arg(short, long)]
    pub metadata: bool,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Args, Debug)]
pub struct Put {
    /// The key
    pub key: OsString,
    /// Its value; without one, what the standard input has, as it is
    pub value: Option<OsString>,
    /// Take the value from this file, as it is
    #[arg(short, long, value_name = "FILE", conflicts_with = "value")]
    pub file: Option<PathBuf>,
    /// It expires so long from now: 90, 500ms, 15m, 2h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub ttl: Option<Duration>,
    /// Make the store if there is none
    #[arg(long)]
    pub create: bool,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Args, Debug)]
pub struct Keys {
    /// The keys
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<OsString>,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Args, Debug)]
pub struct List {
    /// Only keys that begin so
    #[arg(long)]
    pub prefix: Option<OsString>,
    /// Only keys that this pattern matches, as in KEYS of Redis: * ? [a-z] \x
    #[arg(long = "match", value_name = "PATTERN")]
    pub pattern: Option<OsString>,
    #[command(flatten)]
    pub paging: Paging,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Args, Debug)]
pub struct Range {
    /// The first key that may come
    pub from: OsString,
    /// The first key beyond; without one, all the rest
    pub to: Option<OsString>,
    /// Print keys without their values
    #[arg(short, long)]
    pub keys: bool,
    #[command(flatten)]
    pub paging: Paging,
    #[command(flatten)]
    pub target: Target,
}

/// A part of a list.
#[derive(Args, Debug)]
pub struct Paging {
    /// Go on behind this key: the last one of the page before
    #[arg(long, value_name = "KEY")]
    pub after: Option<OsString>,
    /// Not more than so many
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub limit: Option<u64>,
    /// From the last to the first
    #[arg(short, long)]
    pub reverse: bool,
}

#[derive(Args, Debug)]
pub struct Stats {
    /// The segments, one by one
    #[arg(long, conflicts_with = "server")]
    pub segments: bool,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Args, Debug)]
pub struct Compact {
    /// Only segments of which much is dead; without this, all
    #[arg(long)]
    pub worthwhile: bool,
    /// Bytes a second that it reads and writes at most, such as 20mb
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub rate: Option<u64>,
    #[command(flatten)]
    pub dir: Dir,
}

#[derive(Args, Debug)]
#[group(id = "what", required = true, multiple = false, args = ["dir", "file"])]
pub struct Verify {
    /// The store, or the backup, in this directory
    #[arg(short, long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// The backup in this file; - is the standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Backup {
    /// A directory; with --file a file, where - is the standard output
    pub to: PathBuf,
    /// Everything in one file
    #[arg(short, long)]
    pub file: bool,
    #[command(flatten)]
    pub dir: Dir,
}

#[derive(Args, Debug)]
pub struct Restore {
    /// The backup: a directory, or a file; - is the standard input
    pub from: PathBuf,
    /// What the store or backup in the directory FROM held after the change with this sequence number
    #[arg(long, value_name = "NUMBER", conflicts_with = "at")]
    pub sequence: Option<u64>,
    /// What it held at this time: 2026-11-20 13:05:09 (UTC), or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub at: Option<UnixMillis>,
    /// Where to make the store: missing, or empty
    #[arg(short, long, value_name = "PATH")]
    pub dir: PathBuf,
}

#[derive(Args, Debug)]
pub struct Import {
    /// The directory to take over; it is only read
    pub from: PathBuf,
    /// Seconds after which entries expire, the expiry_secs that a Basho's Bitcask was run with
    #[arg(long, value_name = "SECONDS")]
    pub expiry_secs: Option<u32>,
    /// Into a store that is there; keys that it has are replaced
    #[arg(long)]
    pub merge: bool,
    /// The store: made, unless --merge says that it is there
    #[arg(short, long, value_name = "PATH")]
    pub dir: PathBuf,
}

#[derive(Args, Debug)]
pub struct Export {
    /// The directory to make
    pub to: PathBuf,
    #[command(flatten)]
    pub dir: Dir,
}

#[derive(Args, Debug)]
pub struct Dump {
    /// Only this segment
    #[arg(long, value_name = "NUMBER")]
    pub segment: Option<u32>,
    /// Only records of keys that begin so
    #[arg(long)]
    pub prefix: Option<OsString>,
    /// Print values, too
    #[arg(long)]
    pub values: bool,
    /// Not more than so many records
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub dir: Dir,
}

#[derive(Args, Debug)]
pub struct Gc {
    /// Remove what repair and salvage have set aside, too: the files *.torn and *.damaged
    #[arg(long)]
    pub set_aside: bool,
    #[command(flatten)]
    pub dir: Dir,
}

#[derive(Args, Debug)]
pub struct Bench {
    /// Keys
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub keys: u64,
    /// Bytes of a value
    #[arg(long, value_name = "BYTES", default_value = "100", value_parser = parse_bytes)]
    pub value_bytes: u64,
    /// Threads that read, or write durably
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub threads: u64,
    /// Durable writes, which wait for the disk
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub durable: u64,
    /// Make the temporary directory here, and so choose the disk
    #[arg(long, value_name = "PATH")]
    pub within: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Version {
    /// Ask this server, too
    #[arg(short, long, value_name = "HOST:PORT")]
    pub server: Option<String>,
}

/// Reads the command line. The error is how the program ends, everything being said.
pub fn parse() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|e| {
        let _ = e.print();
        match e.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(2),
        }
    })
}

/// The parser itself.
pub fn parser() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_sound() {
        parser().debug_assert();
    }

    #[test]
    fn a_place_is_needed_and_only_one() {
        let refused = |line: &str| Arguments::try_parse_from(line.split(' ')).is_err();
        assert!(refused("bitmapist get k"));
        assert!(refused("bitmapist get k -d x -s y"));
        assert!(refused("bitmapist get k -s y --raw"));
        assert!(refused("bitmapist get k -d x --db 16"));
        assert!(!refused("bitmapist get k -d x --db 15"));
        assert!(!refused("bitmapist --json get k -s y:1 --db 3 --hex"));
    }
}
