//! What is fuzzed: functions that take any bytes and panic where a promise is broken.
//!
//! A target is a row of [`TARGETS`]. Two things run them: [`blind`], a loop of random mutations that a seed
//! repeats, in the tests of this package, for seconds; and libFuzzer, led by what an input covers, through
//! `cargo xtask fuzz`, for as long as you like. Both begin with the examples, which are written by the code that
//! is tested and so are valid whatever becomes of the formats, and with the files in `corpus/<target>`: what
//! libFuzzer found worth keeping, and what has failed once.
//!
//! To add a target (a format that is new, say): a function of bytes, beside the format if that is private (see
//! `bitcask_core::fuzzing`), else in a file here; and a row.

pub mod blind;
mod canary;
pub mod corpus;
mod glob;
mod request;
mod store;

use bitcask_core::fuzzing as log;
use bitmap_store::fuzzing as values;

/// Something to fuzz.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, also as a directory of the corpus.
    pub name: &'static str,
    /// Panics if something is wrong.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub examples: fn() -> Vec<Vec<u8>>,
    /// Inputs of the smoke test: as many as take about a second.
    pub smoke_runs: u32,
    /// It fails, if the fuzzer is any good.
    pub canary: bool,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("record", log::record, log::example_records, 20_000),
    target("segment", log::segment, log::example_segments, 3000),
    target("hint", log::hint, log::example_hints, 3000),
    target("backup", log::backup, log::example_backups, 2000),
    target("compression", log::compression, log::example_compressed, 5000),
    target("classic", log::classic, log::example_classics, 3000),
    target("store", store::run, store::examples, 1500),
    target("request", request::run, request::examples, 20_000),
    target("glob", glob::run, glob::examples, 20_000),
    target("bitmap", values::bitmap, values::example_bitmaps, 2000),
    target("value", values::value, values::example_values, 20_000),
    target("derivation", values::derivation, values::example_derivations, 20_000),
    target("delta", values::delta, values::example_deltas, 20_000),
    target("script", bitmapistd::fuzzing::script, bitmapistd::fuzzing::example_scripts, 3000),
    target("payload", values::payload, values::example_payloads, 20_000),
    target("name", values::name, values::example_names, 20_000),
    Target { canary: true, ..target("canary", canary::near, canary::examples, 20_000) },
    Target { canary: true, ..target("maze", canary::far, Vec::new, 0) },
];

const fn target(
    name: &'static str,
    run: fn(&[u8]),
    examples: fn() -> Vec<Vec<u8>>,
    smoke_runs: u32,
) -> Target {
    Target { name, run, examples, smoke_runs, canary: false }
}

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
