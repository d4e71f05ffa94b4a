//! The clients for Node.js, from the npm registry, below `target/`.

use crate::process::{Durability, Scratch, Server};
use crate::python::tests_of_clients;
use crate::test::Outcome;
use crate::workspace;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where they and their test live.
const FOLDER: &str = "tests/node";
const FILES: [&str; 2] = ["package.json", "test_clients.js"];

/// Runs their tests against the server at `binary`.
pub fn run(binary: &Path) -> Outcome {
    let (Some(node), Some(npm)) = (workspace::which("node"), workspace::which("npm")) else {
        return Outcome::Skipped("node and npm are not on this machine".into());
    };
    // The test finds what it imports beside itself.
    let dir = workspace::target().join("node");
    let copied = fs::create_dir_all(&dir).and_then(|()| {
        let from = workspace::root().join(FOLDER);
        FILES.iter().try_for_each(|name| fs::copy(from.join(name), dir.join(name)).map(drop))
    });
    if let Err(problem) = copied {
        return Outcome::Failed(format!("{}: {problem}", dir.display()));
    }
    let mut install = Command::new(npm);
    install.args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(&dir);
    match install.output() {
        Ok(output) if output.status.success() => {}
        Ok(_) if !dir.join("node_modules").is_dir() => {
            return Outcome::Skipped("the npm registry cannot be reached".into());
        }
        // What was installed before is good enough.
        Ok(_) => {}
        Err(problem) => return Outcome::Failed(problem.to_string()),
    }
    let server = Scratch::new("node").and_then(|scratch| {
        let server = Server::ours(binary, scratch.path(), Durability::Always, &[])?;
        Ok((scratch, server))
    });
    let (_scratch, server) = match server {
        Ok(server) => server,
        Err(problem) => return Outcome::Failed(problem),
    };
    let mut command = Command::new(node);
    command.arg(FILES[1]).arg(server.addr.ip().to_string()).arg(server.addr.port().to_string());
    command.current_dir(&dir);
    tests_of_clients(command, FILES[1])
}
