//! Every command with any number of arguments of any kind.

use super::words::{glob, integer, key, value, word};
use crate::compat::case::Case;
use crate::random::Random;

/// The commands that both have. Not those whose reply ends the connection or the server.
pub const COMMANDS: &[&str] = &[
    "append",
    "auth",
    "bitcount",
    "bitfield",
    "bitfield_ro",
    "bitop",
    "bitpos",
    "copy",
    "dbsize",
    "decr",
    "decrby",
    "del",
    "discard",
    "dump",
    "echo",
    "eval",
    "eval_ro",
    "evalsha",
    "evalsha_ro",
    "exec",
    "exists",
    "expire",
    "expireat",
    "expiretime",
    "fcall",
    "fcall_ro",
    "flushall",
    "flushdb",
    "get",
    "getbit",
    "getdel",
    "getex",
    "getrange",
    "getset",
    "hello",
    "hdel",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hincrbyfloat",
    "hkeys",
    "hlen",
    "hmget",
    "hmset",
    "hrandfield",
    "hscan",
    "hset",
    "hsetnx",
    "hstrlen",
    "hvals",
    "incr",
    "incrby",
    "incrbyfloat",
    "keys",
    "lastsave",
    "lcs",
    "mget",
    "move",
    "mset",
    "msetnx",
    "multi",
    "object",
    "persist",
    "pfadd",
    "pfcount",
    "pfdebug",
    "pfmerge",
    "pfselftest",
    "pexpire",
    "pexpireat",
    "pexpiretime",
    "ping",
    "psetex",
    "psubscribe",
    "pttl",
    "publish",
    "pubsub",
    "punsubscribe",
    "randomkey",
    "rename",
    "renamenx",
    "reset",
    "restore",
    "save",
    "scan",
    "script",
    "select",
    "set",
    "setbit",
    "setex",
    "setnx",
    "setrange",
    "spublish",
    "ssubscribe",
    "strlen",
    "subscribe",
    "substr",
    "sunsubscribe",
    "time",
    "touch",
    "ttl",
    "type",
    "unlink",
    "unsubscribe",
    "unwatch",
    "watch",
    "client",
    "command",
    "config",
    "memory",
];

/// Those that any arguments do no harm to the run. Of KEYS, ours takes more than one.
const FREE: &[&str] = &[
    "append",
    "bitcount",
    "bitpos",
    "copy",
    "decr",
    "decrby",
    "del",
    "dump",
    "echo",
    "exists",
    "expiretime",
    "get",
    "getbit",
    "getdel",
    "getrange",
    "getset",
    "hdel",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hkeys",
    "hlen",
    "hmget",
    "hmset",
    "hset",
    "hsetnx",
    "hstrlen",
    "hvals",
    "incr",
    "incrby",
    "incrbyfloat",
    "mget",
    "move",
    "mset",
    "msetnx",
    "persist",
    "pexpiretime",
    "pfadd",
    "pfcount",
    "pfmerge",
    "restore",
    "ping",
    "pttl",
    "randomkey",
    "rename",
    "renamenx",
    "set",
    "setnx",
    "strlen",
    "substr",
    "time",
    "touch",
    "ttl",
    "type",
    "unlink",
    "lcs",
    "bitop",
    "bitfield",
    "bitfield_ro",
    "object",
    "getex",
];

/// Those that take effect at once or need care: only ever with too many or too few arguments.
const TOO_FEW: &[&str] = &[
    "setbit",
    "setrange",
    "setex",
    "psetex",
    "expire",
    "pexpire",
    "expireat",
    "pexpireat",
    "select",
    "watch",
    "scan",
    "auth",
    "client",
    "config",
    "object",
    "memory",
    "bitop",
];
const TOO_MANY: &[&str] = &[
    "multi",
    "exec",
    "discard",
    "unwatch",
    "reset",
    "save",
    "lastsave",
    "dbsize",
    "time",
    "randomkey",
];

pub fn make(random: &mut Random) -> Case {
    match random.below(6) {
        0 => wrong_count(random),
        1 => {
            let name =
                random.pick(&["nosuchcommand", "GETT", "hset2", "\u{e9}t\u{e9}", "get\r\nx"]);
            let mut args = vec![name.as_bytes().to_vec()];
            some(random, &mut args, 6);
            Case::new(&args)
        }
        _ => {
            let name = random.pick(FREE);
            let mut args = vec![word(random, &name.to_uppercase())];
            some(random, &mut args, 4);
            // BITFIELD with any offset and EX with any time are made elsewhere, with care.
            Case::new(&args)
        }
    }
}

/// A known command with a number of arguments that it cannot have.
pub fn wrong_count(random: &mut Random) -> Case {
    if random.one_in(2) {
        let name = random.pick(TOO_FEW);
        return Case::new(&[word(random, &name.to_uppercase())]);
    }
    let name = random.pick(TOO_MANY);
    let mut args = vec![word(random, &name.to_uppercase()), b"extra".to_vec()];
    some(random, &mut args, 3);
    Case::new(&args)
}

fn some(random: &mut Random, args: &mut Vec<Vec<u8>>, most: u64) {
    for _ in 0..random.below(most + 1) {
        args.push(match random.below(5) {
            0 => integer(random),
            1 => value(random),
            2 => glob(random),
            _ => key(random),
        });
    }
}
