//! Values in Redis' own format: taken out of one server, and put into another.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use bitmap_store::UnixMillis;
use bitmap_store::rdb::{self, Value};
use resp::Reply;

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("dump", 2, Flags::READONLY.or(Flags::KEYSPACE), Keys::first(), dump)
        .doc(
            Group::Generic,
            "2.6.0",
            "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis \
             objects composing the value and M their average size. For small string values the time \
             complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
            "Return a serialized version of the value stored at the specified key.",
        )
        .tips(&["nondeterministic_output"]),
    CommandSpec::new(
        "restore",
        -4,
        Flags::WRITE.or(Flags::DENYOOM).or(Flags::KEYSPACE).or(Flags::DANGEROUS),
        Keys::first(),
        restore,
    )
    .doc(
        Group::Generic,
        "2.6.0",
        "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the \
         number of Redis objects composing the value and M their average size. For small string values the \
         time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values \
         the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
        "Create a key using the provided serialized value, previously obtained using DUMP.",
    )
    .access("OW update"),
];

/// `DUMP key`
fn dump(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let value = cx.tx.value(cx.db, args.key()?)?;
    cx.looked_up(value.is_some());
    Ok(value.map_or(Reply::Null, |value| Reply::bulk(value.dump())))
}

/// What RESTORE is told beside the value.
#[derive(Debug, Default, PartialEq)]
struct Options {
    replace: bool,
    /// The time to live is a time.
    absolute: bool,
}

impl Options {
    /// Times of use and how often are read, and mean nothing here.
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let (mut options, mut idle, mut often) = (Options::default(), false, false);
        while !args.is_empty() {
            if args.keyword("REPLACE") {
                options.replace = true;
            } else if args.keyword("ABSTTL") {
                options.absolute = true;
            } else if args.len() > 1 && !often && args.keyword("IDLETIME") {
                if args.int()? < 0 {
                    return Err(CommandError::text("ERR Invalid IDLETIME value, must be >= 0"));
                }
                idle = true;
            } else if args.len() > 1 && !idle && args.keyword("FREQ") {
                if !(0..=255).contains(&args.int()?) {
                    let text = "ERR Invalid FREQ value, must be >= 0 and <= 255";
                    return Err(CommandError::text(text));
                }
                often = true;
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`: the time to live is in
/// milliseconds, 0 being none.
fn restore(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    // Redis complains of the options first, and of the payload last.
    let mut ttl = args;
    args.next()?;
    let payload = args.next()?;
    let options = Options::parse(args)?;
    if !options.replace && cx.tx.exists(cx.db, key)? {
        return Err(CommandError::text("BUSYKEY Target key name already exists."));
    }
    let ttl = ttl.int()?;
    if ttl < 0 {
        return Err(CommandError::text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = Value::restore(payload).map_err(refused)?;
    let expires_at = match (ttl, options.absolute) {
        (0, _) => None,
        (ttl, true) => Some(ttl),
        // A time beyond all times has passed, as in Redis.
        (ttl, false) => Some(ttl.wrapping_add_unsigned(cx.now.0)),
    };
    let expires_at = expires_at.map(|at| UnixMillis(u64::try_from(at).unwrap_or(0)));
    if expires_at.is_some_and(|at| at <= cx.now) {
        cx.tx.delete(cx.db, key)?;
        return Ok(Reply::OK);
    }
    cx.tx.set_value(cx.db, key, value, expires_at)?;
    Ok(Reply::OK)
}

fn refused(error: rdb::Error) -> CommandError {
    match error {
        rdb::Error::Footer => CommandError::text("ERR DUMP payload version or checksum are wrong"),
        rdb::Error::Unsupported(what) => {
            CommandError::new(format!("ERR Bad data format: it is {what}, which is not supported"))
        }
        _ => CommandError::text("ERR Bad data format"),
    }
}
