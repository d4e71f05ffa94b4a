//! Scripts without a server: what the libraries write they read again, and limits hold.

use super::engine::{Engine, Host};
use super::sha1::sha1;
use mlua::MultiValue;
use proptest::prelude::*;
use resp::Reply;
use std::fmt::Write;

/// A host with no commands.
struct Nobody;

impl Host for Nobody {
    fn call(&mut self, _: &MultiValue, _: bool) -> Reply {
        Reply::error("ERR nobody is there")
    }
}

fn run(engine: &mut Engine, script: &str, args: &[&[u8]]) -> Reply {
    let script = engine.compile(sha1(script.as_bytes()), script.as_bytes(), None).expect(script);
    engine.run_script(&script, ("test", 0), [], args.iter().copied(), &mut Nobody)
}

/// A value of Lua's, as it is written in a script. No array has holes, as JSON has none.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|yes| yes.to_string()),
        (-1_000_000_000_i64..1_000_000_000).prop_map(|n| n.to_string()),
        (-1_000_000_i32..1_000_000).prop_map(|n| format!("{}", f64::from(n) / 64.0)),
        text(),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..6)
            .prop_map(|items| format!("{{{}}}", items.join(",")));
        let map = prop::collection::vec((text(), inner), 1..6).prop_map(|pairs| {
            pairs.iter().fold(String::from("{"), |mut all, (key, value)| {
                let _ = write!(all, "[{key}]={value},");
                all
            }) + "}"
        });
        prop_oneof![array, map]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
        let digits: String = bytes.iter().map(|byte| format!("\\{byte:03}")).collect();
        format!("'{digits}'")
    })
}

const SAME: &str = "local function same(a, b)
  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end ";

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_the_libraries_write_they_read_again(values in prop::collection::vec(value(), 1..5)) {
        let mut engine = Engine::new(64 << 20).expect("Lua starts");
        for value in values {
            let script = format!(
                "{SAME} local v = {value} \
                 return {{same(v, cmsgpack.unpack(cmsgpack.pack(v))), same(v, cjson.decode(cjson.encode(v)))}}"
            );
            let both = Reply::Array(vec![Reply::Int(1), Reply::Int(1)]);
            prop_assert_eq!(run(&mut engine, &script, &[]), both, "{}", value);
        }
    }

    #[test]
    fn what_struct_packs_it_unpacks(
        numbers in (any::<i8>(), any::<u16>(), any::<i32>(), any::<i32>(), any::<i16>()),
        text in prop::collection::vec(1_u8.., 0..20),
        order in prop::sample::select(&["<", ">", "!4<", "!8>", "!"][..]),
    ) {
        let mut engine = Engine::new(64 << 20).expect("Lua starts");
        let (a, b, c, d, e) = numbers;
        let script = format!(
            "local f = '{order}bHi4li3sd' local t = {{struct.unpack(f, struct.pack(f, {a}, {b}, {c}, {d}, {e}, \
             ARGV[1], 0.25))}} \
             return t[1] == {a} and t[2] == {b} and t[3] == {c} and t[4] == {d} and t[5] == {e} and \
             t[6] == ARGV[1] and t[7] == 0.25 and t[8] == #struct.pack(f, 1, 2, 3, 4, 5, ARGV[1], 7) + 1"
        );
        prop_assert_eq!(run(&mut engine, &script, &[&text]), Reply::Int(1));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        format in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut engine = Engine::new(64 << 20).expect("Lua starts");
        let script = "pcall(cjson.decode, ARGV[1]) pcall(cmsgpack.unpack, ARGV[1]) \
                      pcall(struct.unpack, ARGV[2], ARGV[1]) pcall(struct.size, ARGV[2]) \
                      pcall(struct.pack, ARGV[2], ARGV[1], 1, 2) return 1";
        prop_assert_eq!(run(&mut engine, script, &[&bytes, &format]), Reply::Int(1));
        prop_assert!(engine.is_healthy());
    }
}

#[test]
fn numbers_come_back_from_text_to_fourteen_digits() {
    let mut engine = Engine::new(0).expect("Lua starts");
    let script = "for _, n in ipairs({0, 0.1, -1e-7, 1e300, 123456789.25, 2^53, -2^31}) do \
                  local m = cjson.decode('[' .. cjson.encode(n) .. ']')[1] \
                  if math.abs(m - n) > math.abs(n) * 1e-13 then return tostring(n) end end return 'same'";
    assert_eq!(run(&mut engine, script, &[]), Reply::bulk("same"));
}

#[test]
fn a_state_that_ran_out_of_memory_is_not_used_again() {
    let mut engine = Engine::new(4 << 20).expect("Lua starts");
    let reply = run(&mut engine, "return #string.rep('x', 1e8)", &[]);
    assert_eq!(reply, Reply::error("ERR not enough memory script: test"));
    assert!(!engine.is_healthy());
}

#[test]
fn what_a_script_sees_of_the_server_is_what_the_server_says() {
    let mut engine = Engine::new(0).expect("Lua starts");
    let reply = run(&mut engine, "return redis.pcall('get', 'k')", &[]);
    assert_eq!(reply, Reply::error("ERR nobody is there"));
    let reply = run(&mut engine, "\n\nredis.call('get', 'k')", &[]);
    let text = "ERR nobody is there script: test, on @user_script:3.";
    assert_eq!(reply, Reply::error(text));
}

/// Lua 5.1's own `pcall` pushes one value more than it has asked room for. That fails the checks of the interface if they
/// are compiled in: with twenty results, the process ended.
#[test]
fn protected_calls_return_as_many_values_as_they_like() {
    let mut engine = Engine::new(0).expect("Lua starts");
    let script = "local t = {} for i = 1, 7900 do t[i] = i end \
        local function many(n) return unpack(t, 1, n) end \
        local function counts(n) \
          local co = coroutine.create(function() coroutine.yield(many(n)) return many(n) end) \
          local yielded, wrapped = select('#', coroutine.resume(co)), coroutine.wrap(many) \
          return {select('#', pcall(many, n)), select('#', pcall(unpack, t, 1, n)), yielded, \
            select('#', xpcall(function() return many(n) end, error)), select('#', coroutine.resume(co)), \
            1 + select('#', wrapped(n)), 1 + select('#', cmsgpack.unpack(string.rep('\\1', math.min(n, 7000))))} \
        end \
        local function check(n) \
          for i, count in ipairs(counts(n)) do \
            if count ~= n + 1 and not (i == 7 and n > 7000) then error(n .. ': ' .. i .. ' says ' .. count) end \
          end \
        end \
        for n = 1, 100 do check(n) end check(2000) check(7000) check(7900) \
        return many(30)";
    assert_eq!(run(&mut engine, script, &[]), Reply::Int(1));
    assert!(engine.is_healthy());
}

#[test]
fn the_values_of_a_script_have_room_however_many_scripts_were_compiled() {
    let mut engine = Engine::new(0).expect("Lua starts");
    for i in 0..3000 {
        assert_eq!(run(&mut engine, &format!("return {i}"), &[]), Reply::Int(i));
    }
    let script = "local t = {} for i = 1, 7000 do t[i] = i .. '' end return redis.pcall(unpack(t))";
    assert_eq!(run(&mut engine, script, &[]), Reply::error("ERR nobody is there"));
    // Many values, and one that nests.
    let script =
        "return cmsgpack.unpack(string.rep('\\161a', 6990) .. string.rep('\\145', 900) .. '\\192')";
    let Reply::Error(text) = run(&mut engine, script, &[]) else { panic!("there is no room") };
    assert!(text.contains("stack overflow (in function mp_decode_to_lua_array)"), "{text}");
    assert!(engine.is_healthy());
}
