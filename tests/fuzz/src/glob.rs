//! Globs, against the plain recursive way to match them, on inputs so short that it ends.

use bitmap_store::Glob;

/// Trying everything takes exponential time.
const LONGEST_PATTERN: usize = 24;
const LONGEST_TEXT: usize = 24;

pub(crate) fn examples() -> Vec<Vec<u8>> {
    [
        &b"\x06a*b[c]aabc"[..],
        b"\x08[^a-c]?*b]xb",
        b"\x07\\*[\\]]\\*]\\",
        b"\x04a[z-a-b",
        b"\x05*a*a*aaaab",
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// The first byte is the length of the pattern; the text follows it.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&len, rest)) = bytes.split_first() else { return };
    let (pattern, text) = rest.split_at(usize::from(len).min(rest.len()));
    let glob = Glob::new(pattern);
    let found = glob.matches(text);
    assert!(!found || text.starts_with(glob.literal_prefix()));
    if pattern.len() <= LONGEST_PATTERN && text.len() <= LONGEST_TEXT {
        assert_eq!(found, matches(pattern, text), "{pattern:?} on {text:?}");
    }
    // A pattern between stars is found wherever it matches a part; long texts take the other way there.
    let literal: Vec<u8> = text.iter().flat_map(|byte| [b'\\', *byte]).collect();
    assert!(Glob::new(&literal).matches(text));
    let anywhere = [b"*", &literal[..], b"*"].concat();
    assert!(Glob::new(&anywhere).matches(&[pattern, text, pattern].concat()));
}

/// As Redis' `stringmatchlen` says.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let Some((&byte, mut rest)) = pattern.split_first() else { return text.is_empty() };
    if byte == b'*' {
        return (0..=text.len()).any(|taken| matches(rest, &text[taken..]));
    }
    let Some((&first, after)) = text.split_first() else { return false };
    let fits = match byte {
        b'?' => true,
        b'[' => in_class(&mut rest, first),
        b'\\' if !rest.is_empty() => {
            let escaped = rest[0];
            rest = &rest[1..];
            escaped == first
        }
        other => other == first,
    };
    fits && matches(rest, after)
}

/// Whether `byte` is in the class that begins here; moves behind it.
fn in_class(pattern: &mut &[u8], byte: u8) -> bool {
    let not = pattern.first() == Some(&b'^');
    let mut at = usize::from(not);
    let mut found = false;
    while at < pattern.len() && pattern[at] != b']' {
        if pattern[at] == b'\\' && at + 1 < pattern.len() {
            found |= pattern[at + 1] == byte;
            at += 2;
        } else if at + 2 < pattern.len() && pattern[at + 1] == b'-' {
            let (low, high) = (pattern[at].min(pattern[at + 2]), pattern[at].max(pattern[at + 2]));
            found |= (low..=high).contains(&byte);
            at += 3;
        } else {
            found |= pattern[at] == byte;
            at += 1;
        }
    }
    *pattern = pattern.get(at + 1..).unwrap_or_default();
    found != not
}
