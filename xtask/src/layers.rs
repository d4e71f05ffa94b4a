//! `cargo xtask layers`: the arrows between crates, and who names whose types, proved from the manifests
//! and the sources.
//!
//! Crates depend downwards only. A third-party crate is named in the one module that wraps it, so that it
//! can be replaced there; [`HOMES`] says which.

use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};

/// Each of our crates by its directory, and those of ours it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("bitcask-core", &[]),
    ("bitmap-store", &["bitcask-core"]),
    ("resp", &[]),
    ("server", &["bitmap-store", "resp"]),
    ("cli", &["resp", "bitmap-store", "bitcask-core"]),
    ("xtask", &[]),
    ("tests", &["bitmapistd", "bitmap-store", "bitcask-core", "resp"]),
    ("tests/fuzz", &["bitmapistd", "bitmap-store", "bitcask-core", "resp"]),
];

/// The names of our packages.
const OURS: &[&str] =
    &["bitcask-core", "bitmap-store", "resp", "bitmapistd", "bitmapist-cli", "tests", "fuzz"];

/// A third-party crate, a crate of ours, and where in its sources it may be named. An empty path is
/// everywhere.
const HOMES: &[(&str, &str, &[&str])] = &[
    ("arc-swap", "bitcask-core", &["log/segments.rs"]),
    ("crc32fast", "bitcask-core", &["format"]),
    ("lz4_flex", "bitcask-core", &["compression.rs"]),
    ("memmap2", "bitcask-core", &["storage/mmap.rs"]),
    ("rustix", "bitcask-core", &["storage"]),
    ("snap", "bitcask-core", &["compression.rs"]),
    ("zstd", "bitcask-core", &["compression.rs"]),
    ("roaring", "bitmap-store", &["bitmap"]),
    ("lru", "bitmap-store", &["cache"]),
    ("memchr", "bitmap-store", &["transaction/listing.rs"]),
    ("foldhash", "bitmap-store", &[""]),
    ("bytes", "bitmap-store", &[""]),
    ("redis-protocol", "resp", &["client"]),
    ("bytes", "resp", &[""]),
    ("clap", "server", &["config/arguments.rs"]),
    ("mlua", "server", &["script"]),
    ("rustix", "server", &["open_files.rs"]),
    ("serde", "server", &["config/file.rs"]),
    ("toml", "server", &["config/file.rs"]),
    ("tracing-subscriber", "server", &["logging.rs"]),
    ("tracing", "server", &[""]),
    ("tokio", "server", &[""]),
    ("bytes", "server", &[""]),
    ("clap", "cli", &["arguments.rs", "commands/generate.rs"]),
    ("clap_complete", "cli", &["commands/generate.rs"]),
    ("clap_mangen", "cli", &["commands/generate.rs"]),
    ("indicatif", "cli", &["progress.rs"]),
    ("tempfile", "cli", &["files.rs"]),
    ("clap", "xtask", &["main.rs"]),
    ("mio", "xtask", &["bench/load.rs"]),
    ("tempfile", "tests", &["server.rs"]),
    ("libfuzzer-sys", "tests/fuzz", &["main.rs"]),
];

/// # Errors
/// Every arrow that points upwards, and every crate that is named outside of its module.
pub fn run() -> Result<(), String> {
    let root = workspace::root();
    let mut problems = Vec::new();
    for (dir, allowed) in ARROWS {
        let path = root.join(dir).join("Cargo.toml");
        let manifest = read(&path)?;
        for dependency in dependencies(&manifest) {
            if OURS.contains(&dependency.as_str()) {
                if !allowed.contains(&dependency.as_str()) {
                    problems.push(format!("{dir} must not depend on {dependency}"));
                }
                continue;
            }
            let home =
                HOMES.iter().find(|(name, crate_dir, _)| *name == dependency && crate_dir == dir);
            match home {
                None => problems.push(format!(
                    "{dir} depends on {dependency}, which has no place in the table of xtask/src/layers.rs"
                )),
                Some((_, _, places)) => check_home(&root.join(dir), &dependency, places, &mut problems)?,
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The names in `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']') == "dependencies";
            // `[dependencies.name]`
            if let Some(name) = section.strip_prefix("dependencies.") {
                names.push(name.trim_end_matches(']').to_owned());
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn check_home(
    crate_dir: &Path,
    dependency: &str,
    places: &[&str],
    problems: &mut Vec<String>,
) -> Result<(), String> {
    let source = crate_dir.join("src");
    let name = dependency.replace('-', "_");
    let mut used = false;
    for file in sources(&source)? {
        let text = read(&file)?;
        let inside = file.strip_prefix(&source).unwrap_or(&file);
        // Tests come last in a file, and may hold ours against another implementation.
        let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        for (number, line) in code.enumerate() {
            if !names(line, &name) {
                continue;
            }
            used = true;
            // `bitmap` is the directory and bitmap.rs.
            let home = places.iter().any(|place| {
                place.is_empty()
                    || inside.starts_with(place)
                    || inside.with_extension("") == Path::new(place)
            });
            if !home {
                problems.push(format!(
                    "{}:{}: {dependency} belongs to {}",
                    file.display(),
                    number + 1,
                    places.join(", ")
                ));
            }
        }
    }
    if !used {
        problems
            .push(format!("{} depends on {dependency} and does not use it", crate_dir.display()));
    }
    Ok(())
}

/// Does this line of code name the crate?
fn names(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with("//") {
        return false;
    }
    let code = line.split(" // ").next().unwrap_or(line);
    let mut rest = code;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        let starts = before.is_none_or(|c| !(c.is_alphanumeric() || "_:.\"".contains(c)));
        // A path, or a whole crate imported.
        let path = after.starts_with("::");
        let imported =
            code.starts_with("use ") && (after.starts_with(';') || after.starts_with(" as "));
        if starts && (path || imported) {
            return true;
        }
        rest = after;
    }
    // `::name::…`
    code.contains(&format!(" ::{name}::"))
}

fn sources(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_every_way_to_write_them() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c\n\
                        [dev-dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"1\"\n";
        assert_eq!(dependencies(manifest), ["a", "b", "e"]);
    }

    #[test]
    fn a_crate_is_named_by_paths_and_imports_and_not_by_words() {
        assert!(names("use lru::LruCache;", "lru"));
        assert!(names("    let x = lru::new();", "lru"));
        assert!(names("use lru;", "lru"));
        assert!(!names("// use lru::LruCache;", "lru"));
        assert!(!names("let my_lru = 1;", "lru"));
        assert!(!names("use crate::lru::Cache;", "lru"));
        assert!(!names("mod lru;", "lru"));
    }
}
