//! Memory per key, from the benchmark of the keydir in `bitcask-core`.

use super::Bench;
use super::table::{Table, Target, Unit};
use crate::workspace;

pub fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<(), String> {
    let keys = bench.settings.size(5_000_000);
    let count = keys.to_string();
    let args = ["bench", "--quiet", "--package", "bitcask-core", "--bench", "keydir", "--", &count];
    let output = workspace::cargo(&args).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    // The line that begins with `keydir` has the number before `bytes/key`, or as its first number.
    let line = text
        .lines()
        .find(|line| line.trim_start_matches(['|', ' ']).starts_with("keydir"))
        .ok_or_else(|| format!("the benchmark printed no line for the keydir:\n{text}"))?;
    let per_key = line
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .find_map(|word| word.parse::<f64>().ok())
        .ok_or_else(|| format!("no number in {line:?}"))?;
    let what = format!("keydir, {keys} keys, memory per key");
    table.add(&what, Unit::Bytes, per_key, None, Target::AtMost(48.0));
    Ok(())
}
