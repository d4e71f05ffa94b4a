//! `cargo xtask fuzz`: libFuzzer on the targets of `tests/fuzz`, on the stable toolchain.
//!
//! What libFuzzer is led by, a counter at every edge of the program, is a pass of LLVM that the stable
//! compiler can be told to run; of the other tools (sanitizers) it needs none. It compiles C++ on its way.

use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Counters at edges, and the operands of comparisons. Without the last, a magic is found byte by byte.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Targets that fail, which shows that a failure is found: one near an example, and one where only coverage
/// leads.
pub const CANARIES: &[&str] = &["canary", "maze"];

/// Seconds in which a canary must have failed.
const CANARY_SECONDS: u64 = 30;
const MAX_INPUT_BYTES: u32 = 4096;
/// An input that takes longer is a failure: nothing here is slow.
const MAX_INPUT_SECONDS: u32 = 20;
const MAX_MEMORY_MIB: u64 = 2048;

/// Fuzzes each of `names`, or all targets that need not fail, for so many seconds.
///
/// # Errors
/// A target failed; the message says where its input is and how to repeat it. Or there is no C++ compiler.
pub fn run(names: &[String], seconds: u64, input: Option<&Path>) -> Result<(), String> {
    let fuzzer = Fuzzer::build()?;
    let all: Vec<String> = fuzzer.targets.iter().filter(|name| !is_canary(name)).cloned().collect();
    let names = if names.is_empty() { &all } else { names };
    if let Some(unknown) = names.iter().find(|name| !fuzzer.targets.contains(name)) {
        let known = fuzzer.targets.join(", ");
        return Err(format!("there is no target {unknown}; there are {known}"));
    }
    if let Some(input) = input {
        let [name] = names else { return Err("--input needs one target".into()) };
        return fuzzer.repeat(name, input);
    }
    let failed: Vec<String> =
        names.iter().filter_map(|name| fuzzer.fuzz(name, seconds).err()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// Proves that the canaries fail.
///
/// # Errors
/// One does not: then no target could.
pub fn canaries() -> Result<(), String> {
    let fuzzer = Fuzzer::build()?;
    for name in CANARIES {
        println!("this must fail:");
        // A failure of an earlier run, or one of another kind, is none.
        let _ = fs::remove_dir_all(own("findings", name));
        let failed = fuzzer.fuzz(name, CANARY_SECONDS).is_err();
        let found =
            newest(&own("findings", name)).and_then(|path| path.file_name().map(Into::into));
        let is_crash = |name: std::ffi::OsString| name.to_string_lossy().starts_with("crash-");
        if !failed || !found.is_some_and(is_crash) {
            return Err(format!("{name} did not fail in {CANARY_SECONDS} s: the fuzzer is blind"));
        }
    }
    Ok(())
}

/// Whether the fuzzer can be built here.
pub fn is_possible() -> bool {
    compiler().is_some()
}

fn compiler() -> Option<PathBuf> {
    ["c++", "g++", "clang++"].into_iter().find_map(workspace::which)
}

fn is_canary(name: &str) -> bool {
    CANARIES.contains(&name)
}

/// The program that fuzzes.
struct Fuzzer {
    binary: PathBuf,
    targets: Vec<String>,
}

impl Fuzzer {
    fn build() -> Result<Self, String> {
        if !is_possible() {
            return Err("libFuzzer needs a C++ compiler: install g++ or clang".into());
        }
        let host = host()?;
        let target_dir = directory();
        // With `--target` the flags are for the program alone, and not for what runs while it is built.
        let built = workspace::cargo(&["build", "--package", "fuzz", "--features", "libfuzzer"])
            .args(["--bin", "fuzz", "--profile", "fuzz", "--target", &host, "--target-dir"])
            .arg(&target_dir)
            .env("RUSTFLAGS", COVERAGE)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .map_err(|e| format!("cargo does not start: {e}"))?;
        if !built.success() {
            return Err("the fuzzer does not build".into());
        }
        let binary = target_dir.join(host).join("fuzz").join("fuzz");
        let listed = Command::new(&binary).env("FUZZ_TARGET", "?").output();
        let listed = listed.map_err(|e| format!("{}: {e}", binary.display()))?;
        let targets = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
        Ok(Fuzzer { binary, targets })
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.env("FUZZ_TARGET", name).current_dir(workspace::root());
        command.arg(format!("-timeout={MAX_INPUT_SECONDS}"));
        // A process begins with the peak of who starts it.
        command.arg(format!("-rss_limit_mb={}", MAX_MEMORY_MIB + peak_memory_mib()));
        command
    }

    /// Fuzzes a target, and shows what libFuzzer says.
    fn fuzz(&self, name: &str, seconds: u64) -> Result<(), String> {
        let [grown, examples, findings] =
            ["corpus", "examples", "findings"].map(|what| own(what, name));
        let committed = workspace::root().join("tests/fuzz/corpus").join(name);
        for directory in [&grown, &examples, &findings] {
            fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        }
        println!("── {name}, {seconds} s");
        let mut command = self.command(name);
        command
            .env("FUZZ_EXAMPLES", &examples)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={MAX_INPUT_BYTES}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", findings.display()));
        // What is found worth keeping goes into the first directory.
        let directories = [grown, examples, committed];
        command.args(directories.iter().filter(|directory| directory.is_dir()));
        let status = command.status().map_err(|e| format!("{}: {e}", self.binary.display()))?;
        if status.success() {
            return Ok(());
        }
        let (of, found) = (findings.display(), newest(&findings));
        let found = found.map_or_else(|| format!("see {of}"), |path| path.display().to_string());
        Err(format!("{name} fails; repeat it with: cargo xtask fuzz {name} --input {found}"))
    }

    fn repeat(&self, name: &str, input: &Path) -> Result<(), String> {
        let input = std::path::absolute(input).map_err(|e| format!("{}: {e}", input.display()))?;
        if !input.is_file() {
            return Err(format!("{} is no file", input.display()));
        }
        let status = self.command(name).arg(&input).status();
        let status = status.map_err(|e| format!("{}: {e}", self.binary.display()))?;
        if status.success() { Ok(()) } else { Err(format!("{name} fails on {}", input.display())) }
    }
}

/// Where the fuzzer is built, and keeps its corpus and its findings.
fn directory() -> PathBuf {
    workspace::target().join("fuzz")
}

/// A target's directory there.
fn own(what: &str, name: &str) -> PathBuf {
    directory().join(what).join(name)
}

/// The most memory that this process has had; 0 where the system does not say.
fn peak_memory_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn newest(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let dated = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry)));
    dated.max_by_key(|(modified, _)| *modified).map(|(_, entry)| entry.path())
}

/// The machine that this is, as the compiler names it.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").current_dir(workspace::root()).output();
    let output = output.map_err(|e| format!("rustc does not start: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say what machine this is".into())
}
