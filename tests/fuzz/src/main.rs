//! The driver that is led by coverage: libFuzzer's `main`, for all targets.
//!
//! `cargo xtask fuzz` builds and runs it. `FUZZ_TARGET` names the target; of `?` it prints the names that there
//! are. The examples are written into the directory `FUZZ_EXAMPLES`, if it is set, before libFuzzer reads its
//! corpus.
#![no_main]

use fuzz::{TARGETS, Target, corpus, find};
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::OnceLock;

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        find(&name).unwrap_or_else(|| panic!("there is no target {name}"))
    })
}

fn prepare() {
    if std::env::var("FUZZ_TARGET").is_ok_and(|name| name == "?") {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        std::process::exit(0);
    }
    if let Some(directory) = std::env::var_os("FUZZ_EXAMPLES") {
        corpus::write_examples(target(), Path::new(&directory)).expect("examples can be written");
    }
}

fuzz_target!(init: prepare(), |bytes: &[u8]| {
    (target().run)(bytes);
});
