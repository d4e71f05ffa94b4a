//! Scripts and functions in Lua 5.1, as Redis runs them.
//!
//! A state of Lua (`Engine`) serves one script after another: nothing of one is left for the next, for all that a
//! script could change is read-only ([`sandbox.lua`](engine)). States are kept in a pool ([`Scripts`]); each keeps
//! what it has compiled. A script calls the server through a `Host`; the commands it calls run in the transaction
//! of the command that runs it ([`call`]), so all of its effects are one batch.
//!
//! `mlua` is named in this module only.

mod call;
mod chance;
mod convert;
mod engine;
pub(crate) mod functions;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod libraries;
mod library;
mod limits;
mod native;
mod number;
mod payload;
mod pool;
mod raised;
mod run;
mod sha1;
mod shebang;

pub(crate) use pool::{Running, Scripts};
pub(crate) use run::{Input, call_function, eval, eval_sha, load};

#[cfg(test)]
mod tests;
