-- What a script finds around it: tables that nobody can change, functions that say what Redis says, and
-- nothing that reaches beyond the script.
--
-- Lua 5.1 has no read-only tables, so a script sees empty ones that stand for the real ones (`real`), and the
-- functions that look at a table as it is are wrapped. What is behind them is reached by nobody: a state
-- serves one script after another.
--
-- `native` has the functions that the server provides. What they raise is not a value of Lua's (`convert` makes one
-- of it), so whatever catches an error is wrapped, too.

local G, native = ...
local error, type, tostring, select, unpack = error, type, tostring, select, unpack
local setmetatable, getmetatable, rawget, rawset = setmetatable, getmetatable, rawget, rawset
local next, pairs, xpcall, pcall, loadstring = next, pairs, xpcall, pcall, loadstring
local collectgarbage, insert, concat, byte = collectgarbage, table.insert, table.concat, string.byte
local resume, convert = coroutine.resume, native.convert

local READONLY = "Attempt to modify a readonly table"
local real = {}

local function refuse() error(READONLY, 2) end

-- The table that scripts see instead of `t`.
local function protect(t)
  local shown = setmetatable({}, { __index = t, __newindex = refuse })
  real[shown] = t
  return shown
end

-- The kind of an argument, as errors name it.
local function kind(count, value)
  if count == 0 then return "no value" end
  return type(value)
end

local function want_table(name, count, value)
  if type(value) ~= "table" then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. kind(count, value) .. ")", 3)
  end
end

for _, name in pairs { "dofile", "loadfile", "print", "newproxy", "getfenv", "setfenv", "require", "module",
  "package", "os", "io", "debug" } do
  G[name] = nil
end

function G.next(...)
  local t, key = ...
  want_table("next", select("#", ...), t)
  return next(real[t] or t, key)
end

function G.pairs(...)
  local t = ...
  want_table("pairs", select("#", ...), t)
  local behind = real[t]
  if not behind then return next, t, nil end
  return function(_, key) return next(behind, key) end, t, nil
end

function G.rawget(...)
  local t, key = ...
  want_table("rawget", select("#", ...), t)
  return rawget(real[t] or t, key)
end

function G.rawset(...)
  local t, key, value = ...
  want_table("rawset", select("#", ...), t)
  if real[t] then error(READONLY, 0) end
  return rawset(t, key, value)
end

local shown_metatable = {}

function G.getmetatable(...)
  if select("#", ...) == 0 then error("bad argument #1 to 'getmetatable' (value expected)", 2) end
  local value = ...
  if real[value] then return shown_metatable[value] end
  return getmetatable(value)
end

function G.setmetatable(...)
  local t, meta = ...
  want_table("setmetatable", select("#", ...), t)
  if type(meta) ~= "nil" and type(meta) ~= "table" then
    error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
  end
  if real[t] then error(READONLY, 0) end
  return setmetatable(t, meta)
end

function G.table.insert(...)
  local t = ...
  want_table("insert", select("#", ...), t)
  if real[t] then error(READONLY, 0) end
  if select("#", ...) < 2 or select("#", ...) > 3 then
    error("wrong number of arguments to 'insert'", 2)
  end
  return insert(...)
end

-- What Redis' own `pcall` returns of an error table is its text.
local function caught(ok, problem, ...)
  if ok then return ok, problem, ... end
  if type(problem) == "userdata" then problem = convert(problem) end
  if type(problem) == "table" then
    local text = problem.err
    if type(text) == "string" or type(text) == "number" then return false, text end
  end
  return false, problem
end

function G.pcall(...)
  if select("#", ...) == 0 then error("bad argument #1 to 'pcall' (value expected)", 2) end
  return caught(pcall(...))
end

function G.xpcall(...)
  if select("#", ...) < 2 then error("bad argument #2 to 'xpcall' (value expected)", 2) end
  local f, handle = ...
  return xpcall(f, function(problem)
    if type(problem) == "userdata" then problem = convert(problem) end
    return handle(problem)
  end)
end

local function resumed(ok, problem, ...)
  if not ok and type(problem) == "userdata" then return false, convert(problem) end
  return ok, problem, ...
end

function G.coroutine.resume(...) return resumed(resume(...)) end

-- Compiled code is not loaded: nothing checks it.
local function load_text(text, name)
  if byte(text, 1) == 27 then return nil, "attempt to load compiled code" end
  return loadstring(text, name)
end

function G.loadstring(...)
  local text, name = ...
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then
    error("bad argument #1 to 'loadstring' (string expected, got " .. kind(select("#", ...), text) .. ")", 2)
  end
  return load_text(text, name)
end

function G.load(...)
  local read, name = ...
  if type(read) ~= "function" then
    error("bad argument #1 to 'load' (function expected, got " .. kind(select("#", ...), read) .. ")", 2)
  end
  local parts = {}
  while true do
    local part = read()
    if part == nil or part == "" then break end
    if type(part) ~= "string" then return nil, "reader function must return a string" end
    parts[#parts + 1] = part
  end
  return load_text(concat(parts), name or "=(load)")
end

local COLLECT = { stop = 0, restart = 0, setpause = 0, setstepmul = 0, collect = 1, count = 1, step = 1 }

-- The collector's settings are not a script's to change: the next one would have them, too.
function G.collectgarbage(option, ...)
  if option == nil then option = "collect" end
  local allowed = COLLECT[option]
  if not allowed then
    error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')", 2)
  end
  if allowed == 0 then return 0 end
  return collectgarbage(option, ...)
end

G.math.random, G.math.randomseed = native.random, native.randomseed
for _, name in pairs { "bit", "cjson", "cmsgpack", "struct" } do G[name] = native[name] end

-- Makes the tables in `globals` read-only, and what stands for itself. Reading what is not there is an error.
local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end
local no_more = { __index = missing }

local function protect_all(globals)
  for _, key in pairs { "bit", "cjson", "cmsgpack", "coroutine", "math", "redis", "string", "struct", "table" } do
    if not real[globals[key]] then globals[key] = protect(globals[key]) end
  end
  local shown = protect(setmetatable(globals, no_more))
  globals._G = shown
  shown_metatable[shown] = protect(no_more)
  return shown
end

local function copy(t)
  local new = {}
  for key, value in pairs(t) do new[key] = value end
  return new
end

local strings = getmetatable("")
G._G = nil
for key, value in pairs(G) do
  if type(value) == "table" then G[key] = protect(value) end
end
strings.__index = G.string
strings.__metatable = protect { __index = G.string }

-- The environment of scripts.
local script, script_redis = copy(G), copy(native.redis)
script.redis = script_redis
script.KEYS, script.ARGV = {}, {}
local script_shown = protect_all(script)

-- The environment of functions. While a library is being loaded there is nothing but a small `redis`.
local library, library_redis, loading_redis = copy(G), copy(native.redis), copy(native.loading)
for _, name in pairs { "breakpoint", "debug", "replicate_commands" } do library_redis[name] = nil end
library.redis = library_redis
local library_shown = protect_all(library)
local library_meta = getmetatable(library_shown)
local loading = setmetatable({ redis = protect(setmetatable(loading_redis, no_more)) }, no_more)

-- Adds to an error where it was raised.
local handler = native.handler

local function enter_script(f, call, protected_call, keys, argv)
  script_redis.call, script_redis.pcall = call, protected_call
  script.KEYS, script.ARGV = keys, argv
  return xpcall(f, handler)
end

local function enter_function(f, call, protected_call, keys, argv)
  library_redis.call, library_redis.pcall = call, protected_call
  return xpcall(function() return f(keys, argv) end, handler)
end

local function load_library(f)
  library_meta.__index = loading
  local ok, problem = xpcall(f, handler)
  library_meta.__index = library
  return ok, problem
end

return script_shown, library_shown, enter_script, enter_function, load_library
