//! `cargo xtask test`: everything, one step after the other, with a closing summary.
//!
//! A step that cannot be taken on this machine is skipped by name and with the reason. The last line counts
//! tests: those of cargo and of Python one by one, any other step as one.

use crate::compat::{self, Family, Plan, Protocols};
use crate::{docs, fuzz, layers, node, python, schedules, workspace};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Commands that are compared with Redis.
const COMPAT_COMMANDS: u64 = 100_000;

/// How a step ended.
pub enum Outcome {
    Passed,
    /// So many tests passed and were ignored.
    Tests(Counts),
    /// So many passed, some failed.
    FailedTests(Counts),
    Failed(String),
    Skipped(String),
}

/// Tests of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
}

#[derive(Default)]
struct Run {
    steps: Vec<Step>,
}

/// Takes every step, or the quick ones.
///
/// # Errors
/// A step failed; the summary says which.
pub fn run(quick: bool) -> Result<(), String> {
    let mut run = Run::default();
    let denied = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run.step("format", || cargo(&["fmt", "--all", "--check"]));
    run.step("clippy", || cargo(&denied));
    run.step("layers", || layers::run().into());
    let mut server = Err(String::new());
    run.step("server builds", || {
        server = workspace::build_server(false);
        server.as_ref().map(|_| ()).map_err(Clone::clone).into()
    });
    let slow = |step: &dyn Fn() -> Outcome| {
        if quick { Outcome::Skipped("--quick".into()) } else { step() }
    };
    match &server {
        Err(_) => {
            for name in [
                "cargo test",
                docs::COMMANDS.file,
                docs::TOOL.file,
                "Python clients",
                "Node.js clients",
                "compat",
            ] {
                run.step(name, || Outcome::Failed("there is no server to test".into()));
            }
        }
        Ok(binary) => {
            run.step("cargo test", || cargo_test(binary));
            run.step(docs::COMMANDS.file, || docs::COMMANDS.check(binary).into());
            run.step(docs::TOOL.file, || {
                workspace::build_tool().and_then(|tool| docs::TOOL.check(&tool)).into()
            });
            for environment in python::ENVIRONMENTS {
                run.step(environment.name, || slow(&|| python::run(environment, binary)));
            }
            run.step("Node.js: ioredis and redis", || slow(&|| node::run(binary)));
            run.step("compat", || slow(&|| compared(binary)));
        }
    }
    run.step("schedules", || slow(&|| tests_of(schedules::command(schedules::COUNT, 1))));
    run.step("fuzz canaries", || slow(&canaries));
    run.step("rustdoc", || slow(&rustdoc));
    run.summarise()
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Outcome::Failed, |()| Outcome::Passed)
    }
}

impl Run {
    fn step(&mut self, name: &str, step: impl FnOnce() -> Outcome) {
        println!("── {name}");
        let started = Instant::now();
        let outcome = step();
        if let Outcome::Failed(why) = &outcome {
            println!("{why}");
        }
        self.steps.push(Step { name: name.to_owned(), took: started.elapsed(), outcome });
    }

    fn summarise(self) -> Result<(), String> {
        println!("\n── summary");
        let mut total = Counts::default();
        for Step { name, took, outcome } in &self.steps {
            let (text, counts) = match outcome {
                Outcome::Passed => ("passed".into(), Counts { passed: 1, ..Counts::default() }),
                Outcome::Tests(counts) => (format!("passed  {}", counts.described()), *counts),
                Outcome::FailedTests(counts) => {
                    (format!("FAILED  {}", counts.described()), *counts)
                }
                Outcome::Failed(why) => {
                    let line = why.lines().next().unwrap_or_default();
                    (format!("FAILED  {line}"), Counts { failed: 1, ..Counts::default() })
                }
                Outcome::Skipped(why) => {
                    (format!("skipped {why}"), Counts { skipped: 1, ..Counts::default() })
                }
            };
            println!("{name:<36} {:>6.1} s  {text}", took.as_secs_f64());
            total.passed += counts.passed;
            total.failed += counts.failed;
            total.skipped += counts.skipped;
        }
        println!("\n{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
        let _ = std::io::stdout().flush();
        // The summary has said it; the last line stays the last.
        if total.failed > 0 { std::process::exit(1) } else { Ok(()) }
    }
}

impl Counts {
    fn described(self) -> String {
        let mut text = format!("{} tests", self.passed);
        for (count, what) in [(self.failed, "failed"), (self.skipped, "ignored")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    }
}

fn cargo(args: &[&str]) -> Outcome {
    match workspace::cargo(args).status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("cargo {}: {status}", args.join(" "))),
        Err(e) => Outcome::Failed(format!("cargo does not start: {e}")),
    }
}

fn rustdoc() -> Outcome {
    let args = ["doc", "--workspace", "--no-deps", "--document-private-items"];
    let status = workspace::cargo(&args).env("RUSTDOCFLAGS", "-D warnings").status();
    match status {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("cargo doc: {status}")),
        Err(e) => Outcome::Failed(format!("cargo does not start: {e}")),
    }
}

/// The fuzzer finds what is there to be found. What it fuzzes has its smoke test with the other tests.
fn canaries() -> Outcome {
    if fuzz::is_possible() {
        fuzz::canaries().into()
    } else {
        Outcome::Skipped("there is no C++ compiler to build libFuzzer with".into())
    }
}

/// Unit, property, integration and documentation tests of all crates.
fn cargo_test(binary: &Path) -> Outcome {
    let mut command = workspace::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("BITMAPISTD", binary);
    tests_of(command)
}

/// Runs a `cargo test`.
fn tests_of(command: Command) -> Outcome {
    match counted(command, |line, counts| {
        if let Some(rest) = line.strip_prefix("test result: ") {
            counts.passed += number_before(rest, " passed");
            counts.failed += number_before(rest, " failed");
            counts.skipped += number_before(rest, " ignored");
        }
    }) {
        Ok((true, counts)) => Outcome::Tests(counts),
        Ok((false, counts)) if counts.failed > 0 => Outcome::FailedTests(counts),
        Ok((false, _)) => Outcome::Failed("cargo test: it does not build".into()),
        Err(problem) => Outcome::Failed(problem),
    }
}

/// Runs the command and shows its output, and counts by its lines; says whether it succeeded.
pub fn counted(
    mut command: Command,
    mut count: impl FnMut(&str, &mut Counts),
) -> Result<(bool, Counts), String> {
    let started = command.stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            count(&line, &mut counts);
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok((status.success(), counts))
}

fn number_before(line: &str, word: &str) -> u64 {
    let number = line.split(word).next().and_then(|before| before.rsplit([' ', ';']).next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn compared(binary: &Path) -> Outcome {
    if workspace::which("redis-server").is_none() {
        return Outcome::Skipped("redis-server is not on this machine".into());
    }
    let (commands, seed, protocol) = (COMPAT_COMMANDS, 1, Protocols::Both);
    let plan = Plan { commands, seed, protocol, families: Vec::new(), events: false };
    let replies = compat::run(&plan, None, Some(binary.to_owned()));
    // Not yet of lists and sets: BLMPOP tells of a miss too many, and SORT not of what its patterns miss.
    let told = Family::ALL.iter().filter(|family| !matches!(family, Family::List | Family::Set));
    let families = told.copied().collect();
    let plan = Plan { commands: commands / 4, events: true, families, ..plan };
    replies.and_then(|()| compat::run(&plan, None, Some(binary.to_owned()))).into()
}

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn counts_are_read_from_the_result_of_cargo_test() {
        let line = "FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
        assert_eq!(number_before(line, " ignored"), 1);
    }
}
