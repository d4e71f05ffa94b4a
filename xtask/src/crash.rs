//! `cargo xtask crash`: the simulated crash tests with more seeds than the test suite runs.

use crate::workspace;

/// # Errors
/// A seed that failed was printed by its test.
pub fn run(seeds: u64) -> Result<(), String> {
    let args = ["test", "--release", "--package", "bitcask-core", "--test", "main", "crash"];
    let status = workspace::cargo(&args)
        .env("BITCASK_SEEDS", seeds.to_string())
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if status.success() { Ok(()) } else { Err("a crash test failed".into()) }
}
