//! The Python clients, from PyPI, in virtual environments below `target/`.
//!
//! One environment per version of redis-py, with both clients of bitmapist. `--no-deps`: bitmapist's metadata forbids the
//! newest redis-py, and that it works all the same is the point. A task queue has another, with what it depends on.

use crate::test::{Counts, Outcome, counted};
use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A version of redis-py, and the tests to run with it.
pub struct Environment {
    pub name: &'static str,
    redis: &'static str,
    more: More,
    module: &'static str,
}

/// What is installed beside redis-py.
#[derive(Clone, Copy)]
enum More {
    /// These, and nothing that they ask for.
    Exactly(&'static [&'static str]),
    /// These, and whatever they ask for.
    WithDependencies(&'static [&'static str]),
}

const REDIS_5: &str = "redis>=5,<6";
const REDIS_NEWEST: &str = "redis>=8";

/// The clients, and what they and redis-py import.
const CLIENTS: More = More::Exactly(&[
    "bitmapist",
    "bitmapist4",
    "mako<2",
    "markupsafe",
    "python-dateutil",
    "six",
    "pyjwt",
    "async-timeout",
]);

/// A task queue. Celery's transport imports `packaging` without asking for it.
const QUEUES: More = More::WithDependencies(&["celery", "packaging"]);

pub const ENVIRONMENTS: &[Environment] = &[
    Environment::new("Python: bitmapist, redis-py 5", REDIS_5, CLIENTS, "test_bitmapist"),
    Environment::new("Python: bitmapist, newest redis-py", REDIS_NEWEST, CLIENTS, "test_bitmapist"),
    Environment::new("Python: bitmapist4, redis-py 5", REDIS_5, CLIENTS, "test_bitmapist4"),
    Environment::new(
        "Python: bitmapist4, newest redis-py",
        REDIS_NEWEST,
        CLIENTS,
        "test_bitmapist4",
    ),
    Environment::new("Python: redis-py 5", REDIS_5, CLIENTS, "test_redis_py"),
    Environment::new("Python: newest redis-py", REDIS_NEWEST, CLIENTS, "test_redis_py"),
    Environment::new("Python: types, redis-py 5", REDIS_5, CLIENTS, "test_types"),
    Environment::new("Python: types, newest redis-py", REDIS_NEWEST, CLIENTS, "test_types"),
    Environment::new("Python: Celery, newest redis-py", REDIS_NEWEST, QUEUES, "test_queues"),
];

impl Environment {
    const fn new(
        name: &'static str,
        redis: &'static str,
        more: More,
        module: &'static str,
    ) -> Self {
        Environment { name, redis, more, module }
    }
}

/// Runs the tests of one environment against the server at `binary`.
pub fn run(environment: &Environment, binary: &Path) -> Outcome {
    let Some(python) = workspace::which("python3") else {
        return Outcome::Skipped("python3 is not on this machine".into());
    };
    match prepare(environment, &python) {
        Err(Trouble::Missing(why)) => Outcome::Skipped(why),
        Err(Trouble::Broken(why)) => Outcome::Failed(why),
        Ok(python) => test(environment, &python, binary),
    }
}

fn test(environment: &Environment, python: &Path, binary: &Path) -> Outcome {
    let mut command = Command::new(python);
    // Unbuffered, and the report of unittest goes to the standard output, where it is counted.
    command.args(["-u", "-m", "runner", environment.module]).arg(binary);
    command.current_dir(workspace::root().join("tests/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    tests_of_clients(command, environment.module)
}

/// Runs a program whose last line is `result: PASSED FAILED SKIPPED`.
pub fn tests_of_clients(command: Command, what: &str) -> Outcome {
    let outcome = counted(command, |line, counts: &mut Counts| {
        if let Some(rest) = line.strip_prefix("result: ") {
            let numbers: Vec<u64> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
            if let [passed, failed, skipped] = numbers[..] {
                *counts = Counts { passed, failed, skipped };
            }
        }
    });
    match outcome {
        Ok((true, counts)) if counts.passed > 0 => Outcome::Tests(counts),
        Ok((false, counts)) if counts.failed > 0 => Outcome::FailedTests(counts),
        Ok(_) => Outcome::Failed(format!("{what} did not run to its end")),
        Err(problem) => Outcome::Failed(problem),
    }
}

enum Trouble {
    /// The machine cannot do it.
    Missing(String),
    Broken(String),
}

/// Makes the virtual environment, unless it is there already; returns its Python.
fn prepare(environment: &Environment, python: &Path) -> Result<PathBuf, Trouble> {
    let (more, dependencies) = match environment.more {
        More::Exactly(more) => (more, Some("--no-deps")),
        More::WithDependencies(more) => (more, None),
    };
    let packages: Vec<&str> =
        std::iter::once(environment.redis).chain(more.iter().copied()).collect();
    let dir = workspace::target().join("python").join(directory(&packages));
    let inside = dir.join("bin/python");
    let complete = dir.join("complete");
    if complete.is_file() {
        return Ok(inside);
    }
    // One that was left half done is of no use.
    let _ = fs::remove_dir_all(&dir);
    let made = Command::new(python).args(["-m", "venv"]).arg(&dir).output();
    if !made.as_ref().is_ok_and(|output| output.status.success()) {
        return Err(Trouble::Missing(
            "python3 cannot make a virtual environment (venv, pip)".into(),
        ));
    }
    let output = Command::new(&inside)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(dependencies)
        .args(["--retries", "2", "--timeout", "20"])
        .args(&packages)
        .output()
        .map_err(|e| Trouble::Broken(e.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let offline = ["NewConnectionError", "Temporary failure", "ConnectTimeout", "ProxyError"];
        return Err(if offline.iter().any(|sign| text.contains(sign)) {
            Trouble::Missing("PyPI cannot be reached".into())
        } else {
            Trouble::Broken(format!("pip install {}: {text}", packages.join(" ")))
        });
    }
    fs::write(&complete, packages.join("\n"))
        .map_err(|e| Trouble::Broken(format!("{}: {e}", complete.display())))?;
    Ok(inside)
}

/// A name for the packages; other packages get another one.
fn directory(packages: &[&str]) -> String {
    let hash = packages.join("\n").bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    format!("{}-{hash:016x}", packages[0].split(['<', '>', '=']).next().unwrap_or("python"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_packages_are_another_directory() {
        assert_ne!(directory(&[REDIS_5, "bitmapist"]), directory(&[REDIS_NEWEST, "bitmapist"]));
        assert_eq!(directory(&[REDIS_5, "bitmapist"]), directory(&[REDIS_5, "bitmapist"]));
    }
}
