//! `bench`: what this machine and disk do.

use crate::arguments::Bench;
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Table, Value};
use crate::target;
use bitcask_core::{Batch, Bitcask, CompactionOptions, Durability, Mode, Options};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Every so many operations one is timed by itself.
const SAMPLE: u64 = 8;

pub fn bench(args: &Bench, out: &mut Out) -> Result<Outcome, Failure> {
    let within = files::temporary(args.within.as_deref())?;
    let path = within.path().join("store");
    let mut table =
        Table::new(&["what", "operations", "seconds", "per_second", "p50_us", "p99_us"]);
    let row = |table: &mut Table, what: &str, took: Duration, mut each: Vec<u64>, count: u64| {
        each.sort_unstable();
        let percentile = |share: usize| {
            let nanos = each.get(each.len() * share / 100).copied();
            Value::or(nanos.map(|nanos| Value::decimal(nanos as f64 / 1000.0, 1)), "-")
        };
        table.row(vec![
            Value::text(what),
            Value::count(count),
            Value::decimal(took.as_secs_f64(), 2),
            Value::count((count as f64 / took.as_secs_f64().max(1e-9)) as u64),
            percentile(50),
            percentile(99),
        ]);
    };

    let store = open(&path, Durability::No)?;
    let (took, each) = run(out, "writing", args.keys, 1, &|i, _| put(&store, i, args.value_bytes))?;
    row(&mut table, "write", took, each, args.keys);
    let (took, each) = run(out, "overwriting", args.keys, 1, &|i, _| {
        put(&store, random(i) % args.keys, args.value_bytes)
    })?;
    row(&mut table, "overwrite", took, each, args.keys);
    let read = |i: u64, _: u64| {
        let found = store.get(&key(random(i) % args.keys), target::now())?;
        match found.is_some_and(|value| value.len() as u64 == args.value_bytes) {
            true => Ok(()),
            false => Err(Failure::other("a key that was written is not there")),
        }
    };
    let (took, each) = run(out, "reading", args.keys, 1, &read)?;
    row(&mut table, "read", took, each, args.keys);
    let (took, each) = run(out, "reading", args.keys, args.threads, &read)?;
    row(&mut table, &format!("read, {} threads", args.threads), took, each, args.keys);

    store.set_durability(Durability::Always);
    for threads in [1, args.threads] {
        let (took, each) = run(out, "writing durably", args.durable, threads, &|i, thread| {
            put(&store, args.keys + thread * args.durable + i, args.value_bytes)
        })?;
        let what = match threads {
            1 => "durable write".to_owned(),
            threads => format!("durable write, {threads} threads"),
        };
        row(&mut table, &what, took, each, args.durable);
    }

    let before = store.stats().disk_bytes;
    let started = Instant::now();
    let everything = CompactionOptions::everything();
    store.compact(&everything, target::now(), &mut |_| ControlFlow::Continue(()))?;
    let compacting = started.elapsed();
    let stats = store.stats();
    store.close()?;
    let started = Instant::now();
    let store = open(&path, Durability::No)?;
    let opening = started.elapsed();
    drop(store);

    let mut report = Report::default();
    report
        .add("keys", Value::count(args.keys))
        .add("value_bytes", Value::count(args.value_bytes))
        .add(
            "keydir_bytes_per_key",
            Value::decimal(stats.keydir_bytes as f64 / stats.keys.max(1) as f64, 1),
        )
        .add("disk_bytes", Value::bytes(before))
        .add("disk_bytes_compacted", Value::bytes(stats.disk_bytes))
        .add("compaction_seconds", Value::decimal(compacting.as_secs_f64(), 2))
        .add("open_seconds", Value::decimal(opening.as_secs_f64(), 3))
        .table("operations", table);
    report.print(out)?;
    Ok(Outcome::Done)
}

fn open(path: &Path, durability: Durability) -> Result<Bitcask, Failure> {
    Ok(Bitcask::open(path, Options { durability, ..target::options(Mode::Create) })?)
}

/// Thirty bytes.
fn key(number: u64) -> Vec<u8> {
    format!("bench:user:{number:019}").into_bytes()
}

fn put(store: &Bitcask, number: u64, value_bytes: u64) -> Result<(), Failure> {
    let mut batch = Batch::new(target::now());
    let mut state = random(number);
    batch.put_with(&key(number), None, |value| {
        let end = value.len() + value_bytes as usize;
        while value.len() < end {
            state = random(state);
            let bytes = state.to_le_bytes();
            value.extend_from_slice(&bytes[..bytes.len().min(end - value.len())]);
        }
    });
    let committed = store.write(&mut batch)?;
    Ok(store.wait_durable(committed.position())?)
}

/// The same number for the same number.
fn random(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

type Operation<'a> = dyn Fn(u64, u64) -> Result<(), Failure> + Sync + 'a;

/// Does `operation` for each number below `count`, shared between threads; how long it took, and samples of
/// single ones in nanoseconds.
fn run(
    out: &Out,
    label: &'static str,
    count: u64,
    threads: u64,
    operation: &Operation<'_>,
) -> Result<(Duration, Vec<u64>), Failure> {
    let bar = Bar::count(out, label, count);
    let next = AtomicU64::new(0);
    let work = |thread: u64| {
        let mut samples = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return Ok(samples);
            }
            if i.is_multiple_of(SAMPLE) {
                let started = Instant::now();
                operation(i, thread)?;
                samples.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
            } else {
                operation(i, thread)?;
            }
            if i.is_multiple_of(1024) {
                bar.set(i);
            }
        }
    };
    let started = Instant::now();
    let samples: Result<Vec<Vec<u64>>, Failure> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|i| scope.spawn(move || work(i))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    Ok((started.elapsed(), samples?.concat()))
}
