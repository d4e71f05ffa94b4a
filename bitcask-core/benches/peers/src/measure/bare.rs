//! The disk by itself: how long a record's sync takes in a file that nobody manages, alone, and beside somebody who
//! writes and syncs what a compaction would.

use super::histogram::Histogram;
use super::latency::paced;
use super::report;
use crate::engine::{GENTLE_BYTES, Outcome};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Of a compaction's bytes, half are read.
const BYTES_PER_SECOND: u64 = GENTLE_BYTES / 2;
const PIECE_BYTES: usize = 256 << 10;
/// Synced at once.
const SYNC_BYTES: u64 = 4 << 20;

/// Reports the 99th percentile and the longest of `per_second` writes in `dir`, each synced, for `time` without the other
/// and `time` with.
pub fn run(dir: &Path, record: usize, per_second: f64, time: Duration) -> Outcome<()> {
    let (log, copies) = (dir.join("bare.log"), dir.join("bare.copies"));
    let file = open(&log)?;
    let record = vec![b'r'; record];
    let mut at = 0;
    let mut write = || {
        file.write_all_at(&record, at)?;
        at += record.len() as u64;
        Ok(file.sync_data()?)
    };
    for (name, beside) in [("quiet", false), ("busy", true)] {
        let (start, done) = (Instant::now(), &AtomicBool::new(false));
        let times: Histogram = std::thread::scope(|scope| {
            let other = beside.then(|| scope.spawn(|| copy(&copies, done)));
            let times = paced(per_second, &|| start.elapsed() < time, &mut write);
            done.store(true, Ordering::Relaxed);
            if let Some(other) = other {
                other.join().expect("the other does not panic")?;
            }
            times
        })?;
        report(&format!("{name}_bare_p99"), times.quantile(0.99).as_secs_f64());
        report(&format!("{name}_bare_most"), times.most().as_secs_f64());
    }
    std::fs::remove_file(log)?;
    Ok(std::fs::remove_file(copies)?)
}

fn open(path: &Path) -> Outcome<File> {
    Ok(OpenOptions::new().write(true).create_new(true).open(path)?)
}

/// Writes and syncs until `done`.
fn copy(path: &Path, done: &AtomicBool) -> Outcome<()> {
    let (file, piece) = (open(path)?, vec![b'c'; PIECE_BYTES]);
    let (start, mut at) = (Instant::now(), 0);
    while !done.load(Ordering::Relaxed) {
        file.write_all_at(&piece, at)?;
        at += PIECE_BYTES as u64;
        if at.is_multiple_of(SYNC_BYTES) {
            file.sync_data()?;
        }
        let due = Duration::from_secs_f64(at as f64 / BYTES_PER_SECOND as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    Ok(())
}
