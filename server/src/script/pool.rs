//! What all connections share of scripts: the states of Lua, the sources by their digests, the libraries of
//! functions, and who is running.

use super::engine::Engine;
use super::functions::Functions;
use super::limits::Control;
use crate::command::CommandError;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Scripts that came with EVAL are kept up to this number; then all of them are forgotten, for a client that makes up
/// a new one each time could otherwise fill the memory.
const EVALUATED: usize = 4096;
/// States that nobody uses are kept up to this number.
const IDLE: usize = 16;

/// A script that was sent.
#[derive(Clone)]
pub(super) struct Source {
    /// As it came, its first line included.
    pub body: Arc<[u8]>,
    /// It came with SCRIPT LOAD, and stays until SCRIPT FLUSH.
    loaded: bool,
}

/// A function that runs.
pub(crate) struct Running {
    /// The command that called it.
    pub command: Vec<Vec<u8>>,
    /// For how long.
    pub millis: u64,
}

/// What connections share.
pub(crate) struct Scripts {
    idle: Mutex<Vec<Engine>>,
    sources: Mutex<HashMap<[u8; 20], Source>>,
    /// Counts how often sources were forgotten: a state that has compiled them before forgets them, too.
    pub(super) epoch: AtomicU64,
    pub(crate) functions: Functions,
    controls: Mutex<Vec<Arc<Control>>>,
    running: AtomicUsize,
    /// `busy-reply-threshold`, in ms; 0 is no limit.
    busy_millis: AtomicU64,
    /// `lua-memory-limit`: what one state may take, in bytes; 0 is no limit.
    memory_bytes: AtomicUsize,
}

impl Default for Scripts {
    fn default() -> Self {
        Scripts {
            idle: Mutex::default(),
            sources: Mutex::default(),
            epoch: AtomicU64::new(0),
            functions: Functions::default(),
            controls: Mutex::default(),
            running: AtomicUsize::new(0),
            busy_millis: AtomicU64::new(5000),
            memory_bytes: AtomicUsize::new(256 << 20),
        }
    }
}

/// A state of Lua in use. It goes back to the pool if it is [`Borrowed::give_back`], and is dropped otherwise.
pub(super) struct Borrowed<'a> {
    scripts: &'a Scripts,
    engine: Option<Engine>,
}

impl Scripts {
    pub(crate) fn busy_millis(&self) -> u64 {
        self.busy_millis.load(Ordering::Relaxed)
    }

    pub(crate) fn set_busy_millis(&self, millis: u64) {
        self.busy_millis.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_memory_bytes(&self, bytes: usize) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
        // Those in use have the old limit until they are done; then they are few.
        lock(&self.idle).clear();
    }

    /// A state that nobody else uses, begun for a script or a function.
    pub(super) fn borrow(&self, function: bool) -> Result<Borrowed<'_>, CommandError> {
        let idle = lock(&self.idle).pop();
        let engine = match idle {
            Some(engine) => engine,
            None => {
                let engine = Engine::new(self.memory_bytes())
                    .map_err(|e| CommandError::new(format!("ERR Lua cannot be started: {e}")))?;
                lock(&self.controls).push(Arc::clone(&engine.control));
                engine
            }
        };
        engine.control.begin(function);
        self.running.fetch_add(1, Ordering::Relaxed);
        Ok(Borrowed { scripts: self, engine: Some(engine) })
    }

    /// The script of this digest.
    pub(super) fn source(&self, digest: &[u8; 20]) -> Option<Source> {
        lock(&self.sources).get(digest).cloned()
    }

    /// Whether there is a script of this digest.
    pub(crate) fn has(&self, digest: &[u8]) -> bool {
        super::sha1::parse(digest).is_some_and(|digest| lock(&self.sources).contains_key(&digest))
    }

    /// Keeps a script that compiles.
    pub(super) fn keep(&self, digest: [u8; 20], body: &[u8], loaded: bool) {
        let mut sources = lock(&self.sources);
        if let Some(source) = sources.get_mut(&digest) {
            source.loaded |= loaded;
            return;
        }
        if !loaded && sources.len() >= EVALUATED {
            sources.retain(|_, source| source.loaded);
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
        sources.insert(digest, Source { body: body.into(), loaded });
    }

    /// `SCRIPT FLUSH`.
    pub(crate) fn flush(&self) {
        let mut sources = lock(&self.sources);
        *sources = HashMap::new();
        self.epoch.fetch_add(1, Ordering::Relaxed);
        lock(&self.idle).clear();
    }

    /// For whoever finds keys taken for longer than a command takes: waits a little, and says whether to go on
    /// waiting. There is no use in it once a script has been running for too long.
    pub(crate) fn wait_a_little(&self) -> bool {
        if self.running.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(Duration::from_micros(50));
            return true;
        }
        if self.busy().is_some() {
            return false;
        }
        // The tasks behind this one move to another thread.
        tokio::task::block_in_place(|| std::thread::sleep(Duration::from_micros(100)));
        true
    }

    /// What somebody is told who will not get keys before a script is done with them.
    pub(crate) fn busy_error(&self) -> CommandError {
        match self.busy() {
            Some(control) if control.is_function() => CommandError::BUSY_FUNCTION,
            _ => CommandError::BUSY_SCRIPT,
        }
    }

    /// Who has been running for too long.
    fn busy(&self) -> Option<Arc<Control>> {
        let threshold = self.busy_millis();
        let (millis, control) = self.longest()?;
        (threshold > 0 && millis >= threshold).then_some(control)
    }

    fn longest(&self) -> Option<(u64, Arc<Control>)> {
        let mut controls = lock(&self.controls);
        // Only this list has those of states that are no more.
        controls.retain(|control| Arc::strong_count(control) > 1);
        let running = controls.iter().filter_map(|c| Some((c.running_millis()?, Arc::clone(c))));
        running.max_by_key(|(millis, _)| *millis)
    }

    /// `SCRIPT KILL` and `FUNCTION KILL`: stops whoever has been running for longest.
    pub(crate) fn kill(&self, function: bool) -> Result<(), CommandError> {
        let Some((_, control)) = self.longest() else {
            return Err(CommandError::text("NOTBUSY No scripts in execution right now."));
        };
        if control.has_written() {
            return Err(CommandError::text(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
                 either wait the script termination or kill the server in a hard way using the SHUTDOWN \
                 NOSAVE command.",
            ));
        }
        if control.is_function() != function {
            return Err(if function {
                CommandError::BUSY_SCRIPT
            } else {
                CommandError::BUSY_FUNCTION
            });
        }
        control.kill();
        Ok(())
    }

    /// The command that called the function which has been running for longest, and for how long.
    pub(crate) fn running_function(&self) -> Result<Option<Running>, CommandError> {
        match self.longest() {
            None => Ok(None),
            Some((_, control)) if !control.is_function() => Err(CommandError::BUSY_SCRIPT),
            Some((millis, control)) => Ok(Some(Running { command: control.command(), millis })),
        }
    }

    /// Stops all that run, whatever they have done: none of it has been made visible.
    pub(crate) fn stop(&self) {
        lock(&self.controls).iter().for_each(|control| control.kill());
    }
}

impl Borrowed<'_> {
    pub(super) fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("it is there until it is given back")
    }

    /// Back to the pool: nothing has gone wrong with it.
    pub(super) fn give_back(mut self) {
        let engine = self.engine.take().expect("it is given back once");
        self.scripts.running.fetch_sub(1, Ordering::Relaxed);
        engine.control.end();
        let mut idle = lock(&self.scripts.idle);
        if idle.len() < IDLE {
            idle.push(engine);
        }
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.control.end();
            self.scripts.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// These locks guard plain values: a panic while one was held leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
