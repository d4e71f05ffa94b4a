//! A state of Lua with what surrounds scripts, and running something in it.

use super::convert::{from_lua, line, to_lua};
use super::library::Registered;
use super::limits::{Control, INSTRUCTIONS};
use super::native::{self, FUNCTION_NAME, SANDBOX_NAME, SCRIPT_NAME, State};
use super::pool::lock;
use super::raised::{Raised, text_of};
use super::shebang::Flags;
use crate::command::CommandError;
use mlua::chunk::ChunkMode;
use mlua::debug::HookTriggers;
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};
use resp::Reply;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What makes the world that scripts see.
const SANDBOX: &str = include_str!("sandbox.lua");
/// A state that holds more memory than this after a script is not kept.
const KEPT_BYTES: usize = 16 << 20;

/// A state keeps so many scripts compiled, and then begins anew. Each takes a place among the values of Lua's that Rust
/// holds at a time, of which there are not quite 8000, arguments of a command among them.
const COMPILED: usize = 256;

/// What is answered for a script that was stopped.
const KILLED: &str = "ERR Script killed by user with SCRIPT KILL...";

/// Who runs the commands that a script calls.
pub(super) trait Host {
    /// Runs a command. What goes wrong is an error reply. `resp3`: the script asked for that.
    fn call(&mut self, args: &MultiValue, resp3: bool) -> Reply;
}

/// A state of Lua.
pub(super) struct Engine {
    lua: Lua,
    pub control: Arc<Control>,
    state: Arc<State>,
    compiled: HashMap<[u8; 20], Script>,
    /// As of which [`super::Scripts::epoch`].
    pub epoch: u64,
    /// By their names in lower case.
    pub functions: HashMap<Vec<u8>, Registered>,
    /// As of which epoch of the libraries.
    pub functions_epoch: Option<u64>,
    library_env: Table,
    enter_script: Function,
    enter_function: Function,
    load_library: Function,
    healthy: bool,
}

/// A script that is ready to run.
#[derive(Clone)]
pub(super) struct Script {
    function: Function,
    /// What its first line says; `None` if it has none.
    pub flags: Option<Flags>,
}

impl Engine {
    /// A state that may take so much memory; 0 is no limit.
    pub(super) fn new(memory_bytes: usize) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let (control, state) = (Arc::<Control>::default(), Arc::new(State::new()));
        let native = native::table_of(&lua, &state)?;
        let sandbox = lua.load(SANDBOX).set_name(SANDBOX_NAME).set_mode(ChunkMode::Text);
        let (script_env, library_env, enter_script, enter_function, load_library): (
            Table,
            Table,
            Function,
            Function,
            Function,
        ) = sandbox.call((lua.globals(), native))?;
        lua.set_globals(script_env)?;
        install_hook(&lua, Arc::clone(&control), INSTRUCTIONS)?;
        lua.set_memory_limit(memory_bytes)?;
        Ok(Engine {
            lua,
            control,
            state,
            compiled: HashMap::new(),
            epoch: 0,
            functions: HashMap::new(),
            functions_epoch: None,
            library_env,
            enter_script,
            enter_function,
            load_library,
            healthy: true,
        })
    }

    /// Forgets what was compiled before `epoch`.
    pub(super) fn at_epoch(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.compiled.clear();
            self.epoch = epoch;
        }
    }

    /// The script of this digest, if it is compiled.
    pub(super) fn compiled(&self, digest: &[u8; 20]) -> Option<Script> {
        self.compiled.get(digest).cloned()
    }

    /// Compiles a script, without its first line if that is not Lua.
    pub(super) fn compile(
        &mut self,
        digest: [u8; 20],
        text: &[u8],
        flags: Option<Flags>,
    ) -> Result<Script, CommandError> {
        let chunk = self.lua.load(text).set_name(SCRIPT_NAME).set_mode(ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| {
            self.note(&error);
            let why = text_of(&error);
            CommandError::new(format!("ERR Error compiling script (new function): {why}"))
        })?;
        let script = Script { function, flags };
        if self.compiled.len() >= COMPILED {
            self.compiled.clear();
        }
        self.compiled.insert(digest, script.clone());
        Ok(script)
    }

    /// Runs a script, under the name that errors say, with a seed of its random numbers.
    pub(super) fn run_script<'k>(
        &mut self,
        script: &Script,
        (name, seed): (&str, u64),
        keys: impl IntoIterator<Item = &'k [u8]>,
        args: impl IntoIterator<Item = &'k [u8]>,
        host: &mut dyn Host,
    ) -> Reply {
        let enter = self.enter_script.clone();
        self.run(&enter, &script.function, (name, seed), keys, args, host)
    }

    /// Calls a function of a library; see [`Engine::run_script`].
    pub(super) fn run_function<'k>(
        &mut self,
        function: &Function,
        (name, seed): (&str, u64),
        keys: impl IntoIterator<Item = &'k [u8]>,
        args: impl IntoIterator<Item = &'k [u8]>,
        host: &mut dyn Host,
    ) -> Reply {
        let enter = self.enter_function.clone();
        self.run(&enter, function, (name, seed), keys, args, host)
    }

    fn run<'k>(
        &mut self,
        enter: &Function,
        function: &Function,
        (name, seed): (&str, u64),
        keys: impl IntoIterator<Item = &'k [u8]>,
        args: impl IntoIterator<Item = &'k [u8]>,
        host: &mut dyn Host,
    ) -> Reply {
        self.state.reset(seed);
        let (lua, state) = (&self.lua, &*self.state);
        let host = RefCell::new(host);
        let command = |args: MultiValue| -> mlua::Result<(Reply, bool)> {
            let resp3 = state.resp3.load(Ordering::Relaxed);
            let mut host = host.try_borrow_mut().map_err(|_| mlua::Error::RecursiveMutCallback)?;
            Ok((host.call(&args, resp3), resp3))
        };
        let ran = strings(lua, keys).and_then(|keys| {
            let args = strings(lua, args)?;
            lua.scope(|scope| {
                let call = scope.create_function(|lua, args| match command(args)? {
                    (Reply::Error(text), _) => Err(Raised::reply(&text)),
                    (reply, resp3) => to_lua(lua, reply, resp3),
                })?;
                let protected = scope.create_function(|lua, args| {
                    let (reply, resp3) = command(args)?;
                    to_lua(lua, reply, resp3)
                })?;
                enter.call::<(bool, Value)>((function, call, protected, keys, args))
            })
        });
        let resp3 = state.resp3.load(Ordering::Relaxed);
        if self.control.was_stopped() {
            // However far the error came.
            let place = self.control.place();
            return Reply::Error(format!("{KILLED} script: {name}, on {place}.").into());
        }
        let answer = match ran {
            Ok((true, value)) => from_lua(&value, resp3),
            Ok((false, problem)) => Ok(self.failure(name, &problem)),
            Err(error) => Err(error),
        };
        answer.unwrap_or_else(|error| {
            self.note(&error);
            Reply::Error(format!("ERR {} script: {name}", text_of(&error)).into())
        })
    }

    /// What is answered for a script that has failed.
    fn failure(&mut self, name: &str, problem: &Value) -> Reply {
        let Value::Table(table) = problem else {
            // The state is out of memory, or worse.
            self.healthy = false;
            let why = problem.to_string().unwrap_or_default();
            return Reply::Error(format!("ERR {why} script: {name}").into());
        };
        let (text, place) = described(table);
        let place = place.map_or(String::new(), |place| format!(" script: {name}, on {place}."));
        Reply::Error(format!("{text}{place}").into())
    }

    /// Loads a library: runs its code, which registers functions.
    pub(super) fn load(&mut self, code: &[u8]) -> Result<Vec<Registered>, CommandError> {
        lock(&self.state.registry).functions.clear();
        let chunk = self.lua.load(code).set_name(FUNCTION_NAME).set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.library_env.clone()).into_function();
        let function = chunk.map_err(|error| {
            self.note(&error);
            CommandError::new(format!("ERR Error compiling function: {}", text_of(&error)))
        })?;
        self.control.set_loading(true);
        let ran = self.load_library.call::<(bool, Value)>(function);
        self.control.set_loading(false);
        let functions = std::mem::take(&mut lock(&self.state.registry).functions);
        let why = match ran {
            Ok((true, _)) if functions.is_empty() => {
                return Err(CommandError::text("ERR No functions registered"));
            }
            Ok((true, _)) => return Ok(functions),
            Ok((false, Value::Table(table))) => described(&table).0,
            Ok((false, problem)) => {
                self.healthy = false;
                problem.to_string().unwrap_or_default()
            }
            Err(error) => {
                self.note(&error);
                text_of(&error)
            }
        };
        Err(CommandError::new(format!("ERR Error registering functions: {why}")))
    }

    fn note(&mut self, error: &mlua::Error) {
        // A wrong script is no fault of the state's.
        self.healthy &= matches!(error, mlua::Error::SyntaxError { .. });
    }

    /// Whether the state may run another script.
    pub(super) fn is_healthy(&self) -> bool {
        self.healthy && !self.control.was_stopped() && self.lua.used_memory() <= KEPT_BYTES
    }
}

/// The text of an error, and where it was raised.
fn described(table: &Table) -> (String, Option<String>) {
    let text = match table.raw_get("err") {
        Ok(Value::String(text)) => line(&text.as_bytes()),
        _ => "ERR unknown error".to_owned(),
    };
    let place = match (table.raw_get("source"), table.raw_get::<Option<i64>>("line")) {
        (Ok(Value::String(source)), Ok(Some(line))) => {
            Some(format!("{}:{line}", String::from_utf8_lossy(&source.as_bytes())))
        }
        _ => None,
    };
    (text, place)
}

fn strings<'k>(lua: &Lua, items: impl IntoIterator<Item = &'k [u8]>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (i, item) in items.into_iter().enumerate() {
        table.raw_set(i + 1, lua.create_string(item)?)?;
    }
    Ok(table)
}

/// Looks at the limits every so many instructions. Once it is told to stop, a script that catches the error gets it
/// again with its next instruction.
fn install_hook(lua: &Lua, control: Arc<Control>, instructions: u32) -> mlua::Result<()> {
    let triggers = HookTriggers::new().every_nth_instruction(instructions);
    lua.set_global_hook(triggers, move |lua, _| {
        if !control.look() {
            return Ok(VmState::Continue);
        }
        if instructions > 1 {
            control.set_place(place(lua));
            install_hook(lua, Arc::clone(&control), 1)?;
        }
        Err(Raised::reply(match control.is_loading() {
            true => "ERR FUNCTION LOAD timeout",
            false => KILLED,
        }))
    })
}

/// Where the script is: of the functions that run, the innermost of its own.
fn place(lua: &Lua) -> String {
    for level in 0.. {
        let at = lua.inspect_stack(level, |debug| {
            let source = debug.source().source?.into_owned();
            let line = debug.current_line()?;
            (source != SANDBOX_NAME).then(|| format!("{source}:{line}"))
        });
        match at {
            None => break,
            Some(Some(place)) => return place,
            Some(None) => {}
        }
    }
    SCRIPT_NAME.to_owned()
}
