//! Redis' glob patterns, matched in time that is linear in the text for each star.

/// A compiled pattern: `*`, `?`, `[abc]`, `[^a-c]` and `\x`, byte by byte, with the meaning that Redis'
/// `stringmatchlen` gives to malformed ones, too: a `[` that is never closed ends with the pattern, a
/// lone `\` at the end is itself, and a range may be given backwards.
#[derive(Clone, Debug)]
pub struct Glob {
    parts: Vec<Part>,
    prefix: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Part {
    Any,
    Star,
    Byte(u8),
    /// A bit for each byte that matches.
    Class(Box<[u64; 4]>),
}

impl Glob {
    /// Compiles `pattern`; every byte string is one.
    pub fn new(pattern: &[u8]) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = pattern;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let part = match byte {
                b'*' if matches!(parts.last(), Some(Part::Star)) => continue,
                b'*' => Part::Star,
                b'?' => Part::Any,
                b'[' => {
                    let (class, after) = class(rest);
                    rest = after;
                    Part::Class(class)
                }
                b'\\' => match rest.split_first() {
                    Some((&escaped, after)) => {
                        rest = after;
                        Part::Byte(escaped)
                    }
                    None => Part::Byte(b'\\'),
                },
                other => Part::Byte(other),
            };
            parts.push(part);
        }
        let prefix = parts
            .iter()
            .map_while(|part| if let Part::Byte(byte) = part { Some(*byte) } else { None })
            .collect();
        Glob { parts, prefix }
    }

    /// What every matching text begins with.
    pub fn literal_prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// True if the pattern matches all of `text`.
    pub fn matches(&self, text: &[u8]) -> bool {
        // On a mismatch only the last star takes one byte more: what an earlier star took need never be
        // changed, since the parts between the two have matched as early as they can.
        let (mut at, mut part) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match self.parts.get(part) {
                Some(Part::Star) => {
                    part += 1;
                    if part == self.parts.len() {
                        return true;
                    }
                    star = Some((part, at));
                }
                Some(one) if at < text.len() && one.matches(text[at]) => {
                    at += 1;
                    part += 1;
                }
                None if at == text.len() => return true,
                _ => {
                    let Some((after_star, taken)) = &mut star else { return false };
                    if *taken >= text.len() {
                        return false;
                    }
                    *taken += 1;
                    (part, at) = (*after_star, *taken);
                }
            }
        }
    }
}

impl Part {
    fn matches(&self, byte: u8) -> bool {
        match self {
            Part::Any => true,
            Part::Byte(wanted) => *wanted == byte,
            Part::Class(bits) => bits[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1,
            Part::Star => false,
        }
    }
}

/// The class after a `[`, and what follows it.
fn class(pattern: &[u8]) -> (Box<[u64; 4]>, &[u8]) {
    let mut bits = Box::new([0_u64; 4]);
    let (not, mut rest) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    loop {
        let (low, high) = match *rest {
            [b'\\', byte, ref after @ ..] => {
                rest = after;
                (byte, byte)
            }
            [b']', ref after @ ..] => {
                rest = after;
                break;
            }
            [] => break,
            [low, b'-', high, ref after @ ..] => {
                rest = after;
                (low.min(high), low.max(high))
            }
            [byte, ref after @ ..] => {
                rest = after;
                (byte, byte)
            }
        };
        for byte in low..=high {
            bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
    }
    if not {
        bits.iter_mut().for_each(|word| *word = !*word);
    }
    (bits, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Tries everything a star could take: slow, and plainly right.
    fn naive(parts: &[Part], text: &[u8]) -> bool {
        match (parts, text) {
            ([], _) => text.is_empty(),
            ([Part::Star, rest @ ..], _) => (0..=text.len()).any(|n| naive(rest, &text[n..])),
            ([part, rest @ ..], [byte, after @ ..]) => part.matches(*byte) && naive(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_trying_everything(
            pattern in vec(select(&b"ab*?[]^-\\c"[..]), 0..10), text in vec(select(&b"abc]-\\^"[..]), 0..8)
        ) {
            let glob = Glob::new(&pattern);
            prop_assert_eq!(glob.matches(&text), naive(&glob.parts, &text));
            prop_assert!(!glob.matches(&text) || text.starts_with(glob.literal_prefix()));
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_to_redis() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h\\*llo", "h*llo", true),
            ("[\\]]", "]", true),
            ("a[b", "ab", true),
            ("a[", "a", false),
            ("a\\", "a\\", true),
            ("[a-]", "-", false),
            ("a*/b", "a/x/b", true),
            ("", "", true),
            ("", "a", false),
        ] {
            let found = Glob::new(pattern.as_bytes()).matches(text.as_bytes());
            assert_eq!(found, wanted, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_is_no_bomb() {
        let pattern = [&b"*a".repeat(500_000)[..], b"b"].concat();
        assert!(!Glob::new(&pattern).matches(&vec![b'a'; 2000]));
        assert!(!Glob::new(b"*a*a*a*a*a*a*a*a*a*a*a*a*b").matches(&vec![b'a'; 10_000]));
    }
}
