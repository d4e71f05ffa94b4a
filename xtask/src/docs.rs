//! `cargo xtask docs`: the page of commands comes from the binary, so that it cannot be out of date.

use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn page() -> PathBuf {
    workspace::root().join("docs/commands.md")
}

/// Writes docs/commands.md.
///
/// # Errors
/// The server does not build or print, or the file cannot be written.
pub fn write() -> Result<(), String> {
    let text = printed(&workspace::build_server(false)?)?;
    fs::write(page(), text).map_err(|e| format!("{}: {e}", page().display()))
}

/// Checks that docs/commands.md is what the server at `binary` prints.
///
/// # Errors
/// It is not.
pub fn check(binary: &Path) -> Result<(), String> {
    let written = fs::read_to_string(page()).map_err(|e| format!("docs/commands.md: {e}"))?;
    if printed(binary)? == written {
        Ok(())
    } else {
        Err("docs/commands.md is not what the server prints; run `cargo xtask docs`".into())
    }
}

fn printed(binary: &Path) -> Result<String, String> {
    let output = Command::new(binary)
        .arg("--print-commands")
        .output()
        .map_err(|e| format!("{}: {e}", binary.display()))?;
    if !output.status.success() {
        return Err(format!("{} --print-commands: {}", binary.display(), output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}
