//! What reads bytes on behalf of scripts, given any bytes.

use super::engine::{Engine, Host};
use super::payload;
use super::sha1::sha1;
use mlua::MultiValue;
use resp::Reply;
use std::cell::RefCell;

/// Reads the input with every library, and writes again what it read: that must be the same as before.
const SCRIPT: &[u8] = br#"
local data, format = ARGV[1], ARGV[2]
local function same(a, b)
  if type(a) ~= 'table' then return a == b or a ~= a and b ~= b end
  if type(b) ~= 'table' then return false end
  for k, v in pairs(a) do if k == k and not same(v, b[k]) then return false end end
  return true
end
local ok, value = pcall(cjson.decode, data)
if ok then
  local written, text = pcall(cjson.encode, value)
  if written and text == '' then return 'cjson wrote nothing' end
end
local position = 0
while position ~= -1 do
  local ok, next, value = pcall(cmsgpack.unpack_one, data, position)
  if not ok then break end
  local packed = cmsgpack.pack(value)
  if #packed < 2000 and next ~= -1 and next <= position then return 'cmsgpack does not advance' end
  if type(value) ~= 'table' and not same(value, cmsgpack.unpack(packed)) then
    return 'cmsgpack reads another value'
  end
  position = next
end
pcall(cmsgpack.unpack, data)
pcall(struct.unpack, format, data)
pcall(struct.size, format)
pcall(struct.pack, format, data, data, 1, 2, 3)
pcall(loadstring, data)
return redis.call('echo', data)
"#;

/// A host that gives back what it is given.
struct Echo;

impl Host for Echo {
    fn call(&mut self, args: &MultiValue, _: bool) -> Reply {
        let text =
            args.get(1).and_then(mlua::Value::as_string).map(|text| text.as_bytes().to_vec());
        Reply::bulk(text.unwrap_or_default())
    }
}

/// The first byte says how many of the others are a format of `struct`.
///
/// # Panics
/// A promise is broken.
pub fn script(bytes: &[u8]) {
    thread_local! {
        static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
    }
    let Some((&len, rest)) = bytes.split_first() else { return };
    let (format, data) = rest.split_at(usize::from(len).min(rest.len()));
    let _ = payload::parse(data);
    ENGINE.with_borrow_mut(|engine| {
        let mut used = engine.take().unwrap_or_else(|| Engine::new(64 << 20).expect("Lua starts"));
        let digest = sha1(SCRIPT);
        let script = used
            .compiled(&digest)
            .unwrap_or_else(|| used.compile(digest, SCRIPT, None).expect("the script compiles"));
        let reply = used.run_script(&script, ("fuzz", 0), [], [data, format], &mut Echo);
        // Out of memory is an error; then the state is not used again.
        if used.is_healthy() {
            assert_eq!(reply, Reply::bulk(data.to_vec()));
            *engine = Some(used);
        }
    });
}

/// Inputs to begin with.
pub fn example_scripts() -> Vec<Vec<u8>> {
    [
        &b"\0{\"a\":[1,2.5e3,null,true,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{}}"[..],
        b"\0\x93\x01\xa1a\x82\xa1k\xcb\x3f\xf8\0\0\0\0\0\0\xc0\xd1\xff\x00\xda\0\x01x",
        b"\x0c>!4I2i4sc0bd\x01\x02\0\0\x03abc\0xyz12345678",
        b"\x05bc0 x\x03abcdef",
        b"\0\xf56#!lua name=l\nredis.register_function(1,function() end)\n\0T`\x89\x89\x9d\xc0\x15$",
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}
