//! What a command is: its row in the table, its arguments, its errors, and how it is run.
//!
//! A family of commands (`commands/`) lists rows and gives each a handler; everything that speaks about
//! commands (dispatch, `COMMAND`, transactions, statistics, the generated page of commands) reads the one
//! table built from those rows.

mod args;
mod context;
mod dispatch;
mod document;
mod error;
mod http;
mod keys;
mod spec;
mod table;
mod transaction;

pub(crate) use args::{Args, parse_float, parse_int};
pub(crate) use context::{Context, Random};
pub(crate) use dispatch::{Executor, check_keys};
pub(crate) use document::{Category, access_flags, docs, info, markdown};
pub(crate) use error::CommandError;
pub(crate) use keys::KeyPositions;
pub(crate) use spec::{CommandSpec, Flags, Group, Keys, Reach};
pub(crate) use table::{Command, CommandId, Lookup, table};
pub(crate) use transaction::Queue;
