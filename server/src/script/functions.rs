//! Libraries of functions: what is loaded, in memory and in the store.

use super::engine::Engine;
use super::pool::{Scripts, lock};
use super::run::with_engine;
use super::{payload, shebang};
use crate::command::{CommandError, Context};
use bitmap_store::Keyspace;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A library.
pub(crate) struct Library {
    pub name: Vec<u8>,
    /// As it came, its first line included.
    pub code: Vec<u8>,
    pub functions: Vec<Description>,
}

/// A function, as others are told of it.
pub(crate) struct Description {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: Vec<&'static str>,
}

/// What becomes of the libraries that are there when others are restored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Flush,
    Append,
    Replace,
}

type Libraries = BTreeMap<Vec<u8>, Arc<Library>>;

/// All libraries. They change in memory as soon as a command changes them; the store has them with its commit. (If
/// that fails, the store accepts nothing any more until the server is started again, which forgets them.)
#[derive(Default)]
pub(crate) struct Functions {
    libraries: Mutex<Libraries>,
    /// Counts the changes.
    epoch: AtomicU64,
}

impl Scripts {
    /// Loads what the store has.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn open(&self, keyspace: &Keyspace) -> Result<(), bitmap_store::Error> {
        let stored = keyspace.libraries()?;
        if stored.is_empty() {
            return Ok(());
        }
        let mut libraries = lock(&self.functions.libraries);
        for (name, code) in stored {
            let loaded = self.borrow(true).and_then(|mut borrowed| {
                let library = compile(borrowed.engine(), &code);
                if borrowed.engine().is_healthy() {
                    borrowed.give_back();
                }
                library
            });
            match loaded {
                Ok(library) => drop(libraries.insert(name, Arc::new(library))),
                Err(error) => {
                    let name = String::from_utf8_lossy(&name);
                    tracing::error!(library = &*name, error = &*error.0, "a library is not loaded");
                }
            }
        }
        self.functions.epoch.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl Functions {
    /// All libraries, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Library>> {
        lock(&self.libraries).values().cloned().collect()
    }

    /// Whether there is a function of this name, in any case.
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        owner(&lock(&self.libraries), name).is_some()
    }

    /// Gives a state the functions that there are now.
    pub(super) fn bring_up_to_date(&self, engine: &mut Engine) {
        let epoch = self.epoch.load(Ordering::Acquire);
        if engine.functions_epoch == Some(epoch) {
            return;
        }
        engine.functions.clear();
        for library in self.all() {
            // It has been loaded before; should it not be this time, its functions are not there.
            let Ok((_, code)) = shebang::library(&library.code) else { continue };
            for function in engine.load(code).unwrap_or_default() {
                engine.functions.insert(function.name.to_ascii_lowercase(), function);
            }
        }
        engine.functions_epoch = Some(epoch);
    }
}

/// `FUNCTION LOAD`: the library's name.
///
/// # Errors
/// It is not loaded; everything is as it was.
pub(crate) fn load(
    cx: &mut Context<'_>,
    code: &[u8],
    replace: bool,
) -> Result<Vec<u8>, CommandError> {
    let (name, _) = shebang::library(code)?;
    let functions = &cx.server.scripts.functions;
    if !replace && lock(&functions.libraries).contains_key(&name) {
        let name = String::from_utf8_lossy(&name);
        return Err(CommandError::new(format!("ERR Library '{name}' already exists")));
    }
    let library = with_engine(cx, true, |_, engine| compile(engine, code))?;
    let mut libraries = lock(&functions.libraries);
    let mut changed = libraries.clone();
    changed.remove(&name);
    add(&mut changed, library)?;
    cx.tx.set_library(&name, code)?;
    *libraries = changed;
    functions.epoch.fetch_add(1, Ordering::Release);
    Ok(name)
}

/// `FUNCTION DELETE`.
///
/// # Errors
/// There is no such library.
pub(crate) fn delete(cx: &mut Context<'_>, name: &[u8]) -> Result<(), CommandError> {
    let functions = &cx.server.scripts.functions;
    if lock(&functions.libraries).remove(name).is_none() {
        return Err(CommandError::text("ERR Library not found"));
    }
    cx.tx.remove_library(name);
    functions.epoch.fetch_add(1, Ordering::Release);
    Ok(())
}

/// `FUNCTION FLUSH`.
pub(crate) fn flush(cx: &mut Context<'_>) {
    let functions = &cx.server.scripts.functions;
    for name in std::mem::take(&mut *lock(&functions.libraries)).into_keys() {
        cx.tx.remove_library(&name);
    }
    functions.epoch.fetch_add(1, Ordering::Release);
}

/// `FUNCTION DUMP`.
pub(crate) fn dump(cx: &Context<'_>) -> Vec<u8> {
    let libraries = cx.server.scripts.functions.all();
    payload::dump(libraries.iter().map(|library| &*library.code))
}

/// `FUNCTION RESTORE`.
///
/// # Errors
/// The payload is none, or a library of it does not load or is in the way of another; everything is as it was.
pub(crate) fn restore(
    cx: &mut Context<'_>,
    bytes: &[u8],
    policy: Policy,
) -> Result<(), CommandError> {
    let codes = payload::parse(bytes)?;
    let restored = with_engine(cx, true, |_, engine| {
        codes.iter().map(|code| compile(engine, code)).collect::<Result<Vec<_>, _>>()
    })?;
    let functions = &cx.server.scripts.functions;
    let mut libraries = lock(&functions.libraries);
    let mut changed = if policy == Policy::Flush { Libraries::new() } else { libraries.clone() };
    if policy == Policy::Replace {
        restored.iter().for_each(|library| drop(changed.remove(&library.name)));
    }
    for library in restored {
        if changed.contains_key(&library.name) {
            let name = String::from_utf8_lossy(&library.name);
            return Err(CommandError::new(format!("ERR Library {name} already exists")));
        }
        add(&mut changed, library)?;
    }
    for name in libraries.keys().filter(|name| !changed.contains_key(*name)) {
        cx.tx.remove_library(name);
    }
    for (name, library) in &changed {
        if !libraries.get(name).is_some_and(|old| Arc::ptr_eq(old, library)) {
            cx.tx.set_library(name, &library.code)?;
        }
    }
    *libraries = changed;
    functions.epoch.fetch_add(1, Ordering::Release);
    Ok(())
}

/// Runs the code of a library, to see what it registers.
fn compile(engine: &mut Engine, code: &[u8]) -> Result<Library, CommandError> {
    let (name, text) = shebang::library(code)?;
    let functions = engine.load(text)?.into_iter().map(|function| Description {
        name: function.name,
        description: function.description,
        flags: function.flags.names().collect(),
    });
    Ok(Library { name, code: code.to_vec(), functions: functions.collect() })
}

/// The library that has a function of this name.
fn owner<'l>(libraries: &'l Libraries, function: &[u8]) -> Option<&'l Library> {
    let has = |library: &&Arc<Library>| {
        library.functions.iter().any(|known| known.name.eq_ignore_ascii_case(function))
    };
    libraries.values().find(has).map(|library| &**library)
}

fn add(libraries: &mut Libraries, library: Library) -> Result<(), CommandError> {
    for function in &library.functions {
        if owner(libraries, &function.name).is_some() {
            let name = String::from_utf8_lossy(&function.name);
            return Err(CommandError::new(format!("ERR Function {name} already exists")));
        }
    }
    libraries.insert(library.name.clone(), Arc::new(library));
    Ok(())
}
