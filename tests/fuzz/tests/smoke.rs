//! A few seconds of every target, and the proof that they would find something.

use fuzz::{TARGETS, blind, corpus, find};
use std::path::Path;

const SEED: u64 = 1;

/// `FUZZ_RUNS` runs more of each, and `FUZZ_SEED` others.
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn smoke(name: &str) {
    let target = find(name).expect("there is such a target");
    let seed = from_environment("FUZZ_SEED").unwrap_or(SEED);
    let runs = from_environment("FUZZ_RUNS").map_or(target.smoke_runs, |runs| runs as u32);
    if let Err(failure) = blind::run(target, seed, runs) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let kept = corpus::keep(target, &failure.input, directory);
        panic!("seed {seed}, input {}: kept in {kept:?}", failure.tried);
    }
}

macro_rules! smoke_tests {
    ($($name:ident $target:literal),* $(,)?) => {
        $(#[test] fn $name() { smoke($target); })*
        const TESTED: &[&str] = &[$($target),*];
    };
}

smoke_tests! {
    records_are_refused_or_have_one_form "record",
    segments_are_indexed_as_a_plain_walk_finds "segment",
    hints_are_refused_or_have_one_form "hint",
    backups_are_refused_or_restored "backup",
    values_are_decompressed_to_the_length_that_was_said_or_refused "compression",
    foreign_directories_are_read_without_harm_and_taken_over "classic",
    a_store_holds_what_its_model_holds_through_faults_and_crashes "store",
    requests_are_the_same_however_they_arrive "request",
    globs_match_as_the_plain_way_does "glob",
    bitmaps_are_refused_or_sets "bitmap",
    values_and_their_changes_fold_to_the_same_in_turn_and_at_once "value",
    derivations_are_refused_or_read_back "derivation",
    changes_of_bits_compose "delta",
    payloads_are_refused_or_read_back_from_what_they_are_written_as "payload",
    names_are_taken_apart_and_put_together "name",
    scripts_read_any_bytes_or_refuse_them "script",
}

#[test]
fn every_target_has_its_smoke() {
    let missing: Vec<_> =
        TARGETS.iter().filter(|t| !t.canary && !TESTED.contains(&t.name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_target_that_must_fail_does_and_again_with_the_same_seed() {
    let canary = find("canary").expect("there is one");
    let failure = blind::run(canary, SEED, canary.smoke_runs).expect_err("the canary must die");
    assert!(failure.input.starts_with(b"canary"));
    assert_eq!(blind::run(canary, SEED, canary.smoke_runs), Err(failure));
}
