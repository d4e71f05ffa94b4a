//! The engine beside other embedded stores: a table of its own, from a package of its own.
//!
//! `bitcask-core/benches/peers` is no member of the workspace, so that the peers and all that they depend on are
//! no concern of whoever builds or audits the store. rocksdb is behind a feature there, and left out where it does
//! not build.

use super::Settings;
use crate::workspace;
use std::process::{Command, Stdio};

const MANIFEST: &str = "bitcask-core/benches/peers/Cargo.toml";

/// Builds the package, and lets it measure and print.
///
/// # Errors
/// It does not build even without rocksdb, or cannot measure.
pub fn run(settings: &Settings) -> Result<(), String> {
    let mut notes = Vec::new();
    eprintln!("building the engines …");
    if let Err(problem) = build(&["--features", "rocksdb"]) {
        notes.push(format!("rocksdb is skipped, as it does not build: {problem}"));
        build(&[])?;
    }
    let mut command = Command::new(workspace::target().join("release/engine-peers"));
    command.args(["run", "--keys", &settings.keys.to_string()]);
    command.args(["--seed", &settings.seed.to_string(), "--dir"]);
    command.arg(workspace::target().join("xtask"));
    if settings.quick {
        command.arg("--quick");
    }
    if !settings.figures.is_empty() {
        command.args(["--figures", &settings.figures.join(",")]);
    }
    command.args(notes.iter().flat_map(|note| ["--note", note]));
    let status = command.status().map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    if status.success() { Ok(()) } else { Err(format!("the benchmark ended with {status}")) }
}

/// # Errors
/// It does not build: the line that says most about why.
fn build(features: &[&str]) -> Result<(), String> {
    let args = ["build", "--release", "--locked", "--manifest-path", MANIFEST, "--target-dir"];
    let output = workspace::cargo(&args)
        .arg(workspace::target())
        .args(features)
        .stdout(Stdio::null())
        .output()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(complaint(&text).unwrap_or("cargo does not say why").to_owned())
}

/// What a failing build script says, or else the first error.
fn complaint(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    let after_panic = lines.clone().skip_while(|line| !line.contains("panicked at")).nth(1);
    after_panic.or_else(|| lines.find(|line| line.starts_with("error")))
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn the_panic_of_a_build_script_says_more_than_the_error_of_cargo() {
        let error = "error: failed to run custom build command for `x`";
        let panic = "\n  thread 'main' panicked at build.rs:1:2:\n  Unable to find libclang\n";
        assert_eq!(complaint(&format!("{error}{panic}")), Some("Unable to find libclang"));
        assert_eq!(complaint(&format!("   Compiling x\n{error}\n")), Some(error));
        assert_eq!(complaint(""), None);
    }
}
