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
    // | keys | map | count | bytes/key | …
    let per_key = text
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .find(|cells| matches!(cells[..], [_, "trackist", "keydir", ..]))
        .and_then(|cells| cells.get(4)?.parse::<f64>().ok())
        .ok_or_else(|| format!("the benchmark printed no bytes per key:\n{text}"))?;
    let what = format!("keydir, {keys} keys, memory per key");
    table.add(&what, Unit::Bytes, per_key, None, Target::AtMost(48.0));
    Ok(())
}
