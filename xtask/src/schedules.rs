//! `cargo xtask schedules`: the engine's tests of schedules, which are built with locks, atomics and threads that a
//! seed controls.

use crate::workspace;
use std::process::Command;

/// Schedules of each kind, for each of the tests.
pub const COUNT: u64 = 1000;

/// What runs them. They are built apart: everything is built anew for the flag.
pub fn command(count: u64, seed: u64) -> Command {
    let args = ["test", "--package", "bitcask-core", "--lib", "--no-fail-fast", "--target-dir"];
    let mut command = workspace::cargo(&args);
    command
        .arg(workspace::target().join("shuttle"))
        .arg("schedules::")
        .env("RUSTFLAGS", "--cfg shuttle")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("BITCASK_SCHEDULES", count.to_string())
        .env("BITCASK_SCHEDULE_SEED", seed.to_string());
    command
}

/// # Errors
/// A test failed; the same seed and count repeat it.
pub fn run(count: u64, seed: u64) -> Result<(), String> {
    let status = command(count, seed).status();
    let status = status.map_err(|e| format!("cargo does not start: {e}"))?;
    if status.success() { Ok(()) } else { Err("a test of schedules failed".into()) }
}
