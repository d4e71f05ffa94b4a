//! Where the workspace is, and how cargo is called in it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().unwrap_or(Path::new(".")).to_owned()
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// `cargo` in the workspace, without what the outer cargo has set for this program.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// Builds the server, and says where it is.
///
/// # Errors
/// It does not build.
pub fn build_server(release: bool) -> Result<PathBuf, String> {
    build("bitmapistd", "bitmapistd", release)
}

/// Builds the command-line tool, and says where it is.
///
/// # Errors
/// It does not build.
pub fn build_tool() -> Result<PathBuf, String> {
    build("bitmapist-cli", "bitmapist", false)
}

fn build(package: &str, program: &str, release: bool) -> Result<PathBuf, String> {
    let mut args = vec!["build", "--quiet", "--package", package, "--bin", program];
    if release {
        args.push("--release");
    }
    let status = cargo(&args).status().map_err(|e| format!("cargo does not start: {e}"))?;
    if !status.success() {
        return Err(format!("{program} does not build"));
    }
    Ok(target().join(if release { "release" } else { "debug" }).join(program))
}

/// The program `name` if it is in the path.
pub fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
