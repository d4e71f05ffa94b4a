//! The first line of a script or library: `#!lua flags=no-writes,…`, `#!lua name=mylib`.

use crate::command::CommandError;

/// What a script or a function says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    bits: u8,
}

impl Flags {
    /// In the order in which Redis lists them.
    const NAMES: [&str; 5] =
        ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

    /// Adds the flag of this name; false if there is none.
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        let found = Self::NAMES.iter().position(|known| known.as_bytes() == name);
        if let Some(index) = found {
            self.bits |= 1 << index;
        }
        found.is_some()
    }

    /// Says that it writes nothing.
    pub(super) fn no_writes(self) -> bool {
        self.bits & 1 != 0
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(i, _)| self.bits & 1 << i != 0)
            .map(|(_, n)| n)
    }
}

/// A script without its first line, and what that says; `None` if it has none.
pub(super) fn script(body: &[u8]) -> Result<(&[u8], Option<Flags>), CommandError> {
    if !body.starts_with(b"#!") {
        return Ok((body, None));
    }
    let end = body
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(CommandError::text("ERR Invalid script shebang"))?;
    let (line, rest) = body.split_at(end);
    let mut words = words(line);
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(error("Unexpected engine in script shebang: ", engine));
    }
    let mut flags = Flags::default();
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(error("Unknown lua shebang option: ", word));
        };
        if list.is_empty() {
            continue;
        }
        for flag in list.split(|byte| *byte == b',') {
            if !flags.add(flag) {
                return Err(error("Unexpected flag in script shebang: ", flag));
            }
        }
    }
    // The end of the line stays, so that lines keep their numbers.
    Ok((rest, Some(flags)))
}

/// The name of a library, and its code without its first line.
pub(super) fn library(code: &[u8]) -> Result<(Vec<u8>, &[u8]), CommandError> {
    if !code.starts_with(b"#!") {
        return Err(CommandError::text("ERR Missing library metadata"));
    }
    let end = code
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(CommandError::text("ERR Invalid library metadata"))?;
    let (line, rest) = code.split_at(end);
    let mut words = words(&line[2..]);
    let engine = words.next().unwrap_or_default();
    let mut name: Option<&[u8]> = None;
    for word in words {
        let is_name = word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"name="));
        if !is_name {
            return Err(error("Invalid metadata value given: ", word));
        }
        if name.replace(&word[5..]).is_some() {
            return Err(CommandError::text(
                "ERR Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or(CommandError::text("ERR Library name was not given"))?;
    check_name(name)?;
    if !engine.eq_ignore_ascii_case(b"lua") {
        let engine = String::from_utf8_lossy(engine);
        return Err(CommandError::new(format!("ERR Engine '{engine}' not found")));
    }
    Ok((name.to_vec(), rest))
}

/// Names of libraries and functions are words.
pub(super) fn check_name(name: &[u8]) -> Result<(), CommandError> {
    if !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Ok(());
    }
    Err(CommandError::text(
        "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one \
         character long",
    ))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn error(what: &str, word: &[u8]) -> CommandError {
    CommandError::new(format!("ERR {what}{}", String::from_utf8_lossy(word)))
}
