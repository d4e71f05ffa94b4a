//! Scripts over strings, and what they make of values; functions; and what is no script.

use super::words::{integer, key, value, word};
use crate::compat::case::{Case, Step};
use crate::random::Random;

/// Scripts of a key and a value; `%` is a command of strings on `KEYS[1]`.
const SCRIPTS: &[&str] = &[
    "return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], ARGV[1])",
    "return redis.pcall('incrby', KEYS[1], ARGV[1])",
    "return redis.call('incrby', KEYS[1], ARGV[1])",
    "local v = redis.call('get', KEYS[1]) if v then return redis.call('append', KEYS[1], ARGV[1]) end return 0",
    "redis.call('set', KEYS[1], 'kept') error('after')",
    "redis.call('set', KEYS[1], 'kept') return redis.call('incr', KEYS[1])",
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
    "return {redis.call('exists', KEYS[1]), redis.call('strlen', KEYS[1])}",
    "return {KEYS[1], ARGV[1], #KEYS, #ARGV}",
    "local ok, e = pcall(redis.call, 'incr', KEYS[1]) return {tostring(ok), tostring(e)}",
    "return redis.call('setrange', KEYS[1], 3, ARGV[1])",
    "return redis.call('mget', KEYS[1], 'k1', 'k2')",
    "redis.call('set', 'k3', ARGV[1]) return redis.call('get', 'k3')",
    "return redis.call('setbit', KEYS[1], 7, 1)",
    "return redis.call('bitcount', KEYS[1])",
    "redis.setresp(3) return redis.call('get', KEYS[1])",
    "redis.call('select', 1) redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
    "return redis.call(ARGV[1], KEYS[1])",
    "return redis.call('get', KEYS[1], ARGV[1])",
    "for i = 1, 20 do redis.call('append', KEYS[1], i) end return redis.call('get', KEYS[1])",
    "return tonumber(ARGV[1])",
    "return tostring(tonumber(ARGV[1]))",
    "return redis.sha1hex(ARGV[1])",
    "return redis.error_reply((string.gsub(ARGV[1], '[^%w ]', '')))",
    "return cjson.encode({KEYS[1], #ARGV[1], {a = 1.5}})",
    "return pcall(cjson.decode, ARGV[1])",
    "return {pcall(cjson.decode, ARGV[1])}",
    "return cmsgpack.pack(ARGV[1], tonumber(ARGV[1]), {1, {2}}, {a = KEYS[1]})",
    "return cmsgpack.unpack(cmsgpack.pack({KEYS[1], ARGV[1]}))",
    "return struct.pack('>I2i4sbd', #ARGV[1], -1, 'text', 5, 1.5)",
    "return {struct.unpack('<I2bB', 'abcd' .. ARGV[1])}",
    "local n = tonumber(ARGV[1]) or 7 return {bit.band(n, 255), bit.bxor(n, 3), bit.lshift(n, 3), bit.tohex(n)}",
    "return string.format('%s %d %5.2f', ARGV[1], #KEYS[1], 1.005)",
    "math.randomseed(7) return {tostring(math.random()), math.random(100)}",
    "redis.call('expire', KEYS[1], 100000) return redis.call('persist', KEYS[1])",
    "return {1, 2.9, 'a', false, true, {3, nil, 4}, {ok = 'fine'}, {err = 'BAD'}}",
    "return undefined",
    "undefined = 1",
    "return redis.call('getdel', KEYS[1])",
    "return redis.call('rename', KEYS[1], 'k4')",
    "return redis.call('copy', KEYS[1], 'k5', 'REPLACE')",
    "return redis.call('hset', KEYS[1], 'f', ARGV[1], 'g', '1')",
    "return redis.call('hincrby', KEYS[1], 'g', ARGV[1])",
    "redis.setresp(3) return redis.call('hmget', KEYS[1], 'f', ARGV[1])",
    "if redis.call('type', KEYS[1]).ok == 'hash' then return redis.call('hget', KEYS[1], 'f') end return redis.call('hlen', KEYS[1])",
    "local d = redis.call('dump', KEYS[1]) if d then return redis.call('restore', 'k6', 0, d, 'REPLACE') end return d",
    "return redis.call('restore', KEYS[1], 0, ARGV[1], 'REPLACE')",
    "return redis.call('publish', KEYS[1], ARGV[1])",
    "return redis.call('spublish', KEYS[1], ARGV[1])",
    "redis.call('pfadd', 'hll', ARGV[1]) return redis.call('pfcount', 'hll')",
    "return redis.call('subscribe', KEYS[1])",
    "return select('#', pcall(unpack, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}))",
];

/// Cheap values of every kind.
const VALUES: &[&str] = &[
    "1",
    "-1.9",
    "1e20",
    "'text'",
    "''",
    "true",
    "false",
    "nil",
    "{}",
    "{1,2,3}",
    "{1,nil,3}",
    "{ok='yes'}",
    "{err='NO way'}",
    "{double=1.5}",
    "{map={a=1}}",
    "{set={a=true}}",
    "{big_number='12'}",
    "{verbatim_string={format='txt',string='t'}}",
    "{{{}}}",
    "0/0",
    "redis.status_reply('s')",
];

const WRONG: &[&str] = &[
    "return",
    "return 1 +",
    "x x",
    "",
    "#!lua\nreturn 1",
    "#!lua flags=no-writes\nreturn redis.call('set',KEYS[1],'1')",
    "#!lua flags=nothing\nreturn 1",
    "#!lua",
    "#!python\nx",
    "return redis.call()",
    "return redis.call({})",
    "return redis.call('nosuch')",
    "return redis.call('multi')",
    "return redis.call('get')",
    "string.x = 1",
    "return redis.call('eval', 'return 1', 0)",
    "return KEYS[9]",
    "error({err='MY error'})",
    "return redis.setresp(7)",
    "return loadstring('return 5')()",
    "return tostring(3.0) .. tostring(1e15)",
];

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    match random.below(20) {
        0..=9 => out.push(Step::Send(eval(random))),
        10..=12 => {
            let resp3 = if random.one_in(2) { "redis.setresp(3) " } else { "" };
            let script = format!("{resp3}return {}", random.pick(VALUES));
            out.push(send(&[&word(random, "EVAL"), script.as_bytes(), b"0"]));
        }
        13 | 14 => {
            let script = random.pick(WRONG);
            out.push(send(&[&word(random, "EVAL"), script.as_bytes(), b"1", &key(random), b"a"]));
        }
        15 => {
            let keys = integer(random);
            out.push(send(&[&word(random, "EVAL"), b"return #KEYS", &keys, b"a", b"b"]));
        }
        16 => loaded(random, out),
        17 | 18 => function(random, out),
        _ => {
            out.push(send(&[b"MULTI"]));
            out.push(Step::Send(eval(random)));
            out.push(Step::Send(eval(random)));
            out.push(send(&[b"EXEC"]));
        }
    }
}

fn send(args: &[&[u8]]) -> Step {
    Step::Send(Case::new(args))
}

fn argument(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => integer(random),
        1 => random
            .pick(&["[1,2]", "{\"a\":null}", "\"x\\u00e9\"", "[1", "get", "incr"])
            .as_bytes()
            .to_vec(),
        _ => value(random),
    }
}

/// A script on a key. What it says of odd bytes is compared elsewhere.
fn eval(random: &mut Random) -> Case {
    let name = if random.one_in(8) { "EVAL_RO" } else { "EVAL" };
    let script = random.pick(SCRIPTS).as_bytes().to_vec();
    Case::new(&[word(random, name), script, b"1".to_vec(), key(random), argument(random)])
}

fn loaded(random: &mut Random, out: &mut Vec<Step>) {
    let (script, digest): (&[u8], &[u8]) =
        (b"return 1", b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    match random.below(5) {
        0 => out.push(send(&[b"SCRIPT", b"LOAD", script])),
        1 => out.push(send(&[b"SCRIPT", b"EXISTS", digest, b"x"])),
        2 => out.push(send(&[b"SCRIPT", b"FLUSH"])),
        3 => out.push(send(&[b"SCRIPT", b"LOAD", random.pick(WRONG).as_bytes()])),
        _ => out.push(send(&[&word(random, "EVALSHA"), digest, b"0"])),
    }
}

fn function(random: &mut Random, out: &mut Vec<Step>) {
    const LIBRARY: &[u8] = b"#!lua name=lib\n\
        redis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)\n\
        redis.register_function{function_name='see', callback=function(keys) return redis.call('get', keys[1]) \
        end, flags={'no-writes'}, description='reads'}";
    match random.below(10) {
        0 => out.push(send(&[b"FUNCTION", b"LOAD", LIBRARY])),
        1 => out.push(send(&[b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY])),
        2 => out.push(send(&[b"FUNCTION", b"DELETE", b"lib"])),
        3 => out.push(send(&[b"FUNCTION", b"STATS"])),
        4 => {
            let library = format!("#!lua name=bad\n{}", random.pick(WRONG));
            out.push(send(&[b"FUNCTION", b"LOAD", library.as_bytes()]));
        }
        5 => out.push(send(&[&word(random, "FCALL_RO"), b"put", b"1", &key(random), b"v"])),
        6 | 7 => {
            out.push(send(&[&word(random, "FCALL"), b"put", b"1", &key(random), &value(random)]));
        }
        _ => out.push(send(&[&word(random, "FCALL_RO"), b"see", b"1", &key(random)])),
    }
}
