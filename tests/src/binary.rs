//! The program under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where `bitmapistd` is: `$BITMAPISTD`, or built with the profile of the tests, once.
///
/// `$BITMAPISTD` may also be a `redis-server`: what Redis has as well must pass there, too.
///
/// # Panics
/// It does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("BITMAPISTD").map_or_else(build, PathBuf::from))
}

/// Is it Redis that is tested?
pub fn is_redis() -> bool {
    binary().file_name().is_some_and(|name| name.to_string_lossy().starts_with("redis-server"))
}

fn build() -> PathBuf {
    // target/debug/deps/main-0123456789abcdef
    let tests = env::current_exe().expect("a running program is somewhere");
    let profile = tests.parent().and_then(Path::parent).expect("cargo puts tests two levels down");
    let target = profile.parent().expect("a profile is a directory of the target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "bitmapistd", "--bin", "bitmapistd"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().expect("cargo starts").success(), "bitmapistd does not build");
    profile.join("bitmapistd")
}
