//! A process for each measurement.

use crate::engine::{Name, Outcome};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any measurement that is worth waiting for.
const PATIENCE: Duration = Duration::from_secs(1200);

/// What a child is told; see [`crate::measure::Task`].
pub struct Job<'a> {
    pub engine: Name,
    pub dir: &'a Path,
    pub keys: u64,
    pub value_bytes: usize,
    pub seconds: f64,
    pub seed: u64,
}

/// What a child has found, by name.
pub type Found = BTreeMap<String, f64>;

impl Job<'_> {
    fn start(&self, workload: &str, more: &[&str]) -> Outcome<Child> {
        let engine = format!("{:?}", self.engine).to_lowercase();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["measure", workload, "--engine", &engine, "--dir"]).arg(self.dir);
        let numbers = [
            ("--keys", self.keys.to_string()),
            ("--value-bytes", self.value_bytes.to_string()),
            ("--seconds", self.seconds.to_string()),
            ("--seed", self.seed.to_string()),
        ];
        command.args(numbers.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        command.args(more.iter().map(OsString::from));
        Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It fails, or takes too long.
    pub fn run(&self, workload: &str, more: &[&str]) -> Outcome<Found> {
        let mut child = self.start(workload, more)?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err(format!("{workload} took more than {PATIENCE:?}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // What it says is far less than a pipe holds.
        let (mut text, mut complaint) = (String::new(), String::new());
        child.stdout.take().expect("it is piped").read_to_string(&mut text)?;
        child.stderr.take().expect("it is piped").read_to_string(&mut complaint)?;
        if !status.success() {
            let last = complaint.lines().last().unwrap_or_default();
            return Err(format!("{workload} ended with {status}: {last}").into());
        }
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(name, value)| Ok((name.to_owned(), value.parse()?))).collect()
    }

    /// Runs it until `time` after it has said that it is ready, and kills it.
    ///
    /// # Errors
    /// It ends by itself.
    pub fn kill(&self, workload: &str, time: Duration) -> Outcome<()> {
        let mut child = self.start(workload, &[])?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        std::thread::sleep(time);
        let ended = child.try_wait()?;
        child.kill()?;
        child.wait()?;
        if ended.is_some() || line.trim() != "ready" {
            return Err(format!("{workload} ended before it was killed").into());
        }
        Ok(())
    }
}
