//! Redis' glob patterns, matched in time that is linear in the text: a byte of it costs at most 64 steps, or
//! one for every 64 bytes that stand between two stars.

use crate::MAX_KEY_BYTES;

/// A compiled pattern: `*`, `?`, `[abc]`, `[^a-c]` and `\x`, byte by byte, with the meaning that Redis'
/// `stringmatchlen` gives to malformed ones, too: a `[` that is never closed ends with the pattern, a
/// lone `\` at the end is itself, and a range may be given backwards.
#[derive(Clone, Debug)]
pub struct Glob {
    /// What the text begins with.
    head: Vec<Part>,
    /// If there is a star: what is found behind it in this order, and what the text ends with.
    rest: Option<(Vec<Piece>, Vec<Part>)>,
    prefix: Vec<u8>,
}

/// What one byte may be.
#[derive(Clone, Debug)]
enum Part {
    Any,
    Byte(u8),
    /// A bit for each byte that matches.
    Class(Box<[u64; 4]>),
}

/// What stands between two stars.
#[derive(Clone, Debug)]
struct Piece {
    parts: Vec<Part>,
    /// If it is long: for each byte, a bit for each part that it matches.
    masks: Vec<u64>,
}

/// A piece of so many parts is sought word by word: trying it at every place would take as many steps.
const LONG: usize = 64;

impl Glob {
    /// Compiles `pattern`; every byte string is one. One that only texts of more than [`MAX_KEY_BYTES`]
    /// could match matches nothing.
    pub fn new(pattern: &[u8]) -> Self {
        let mut pieces: Vec<Vec<Part>> = vec![Vec::new()];
        let mut rest = pattern;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let part = match byte {
                b'*' => {
                    pieces.push(Vec::new());
                    continue;
                }
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
            pieces.last_mut().expect("never empty").push(part);
        }
        let least: usize = pieces.iter().map(Vec::len).sum();
        if least > MAX_KEY_BYTES {
            // No key is so long; and nothing is kept of a pattern that may be longer than memory.
            return Glob {
                head: vec![Part::Class(Box::default())],
                rest: None,
                prefix: Vec::new(),
            };
        }
        let tail = if pieces.len() > 1 { pieces.pop() } else { None };
        let mut pieces = pieces.into_iter();
        let head = pieces.next().unwrap_or_default();
        let found = pieces.filter(|parts| !parts.is_empty()).map(Piece::new);
        let rest = tail.map(|tail| (found.collect(), tail));
        let prefix = head
            .iter()
            .map_while(|part| if let Part::Byte(byte) = part { Some(*byte) } else { None })
            .collect();
        Glob { head, rest, prefix }
    }

    /// What every matching text begins with.
    pub fn literal_prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// True if the pattern matches all of `text`.
    pub fn matches(&self, text: &[u8]) -> bool {
        let Some((pieces, tail)) = &self.rest else { return all_match(&self.head, text) };
        let Some(end) = text.len().checked_sub(tail.len()).filter(|end| *end >= self.head.len())
        else {
            return false;
        };
        if !all_match(&self.head, &text[..self.head.len()]) || !all_match(tail, &text[end..]) {
            return false;
        }
        // Each piece is taken where it ends first: that leaves most for those behind it.
        let mut between = &text[self.head.len()..end];
        pieces.iter().all(|piece| match piece.end_in(between) {
            Some(end) => {
                between = &between[end..];
                true
            }
            None => false,
        })
    }
}

fn all_match(parts: &[Part], text: &[u8]) -> bool {
    parts.len() == text.len() && parts.iter().zip(text).all(|(part, byte)| part.matches(*byte))
}

impl Piece {
    fn new(parts: Vec<Part>) -> Self {
        let words = parts.len().div_ceil(64);
        let mut masks = Vec::new();
        if parts.len() >= LONG {
            masks.resize(256 * words, 0);
            for byte in 0..=u8::MAX {
                for (i, _) in parts.iter().enumerate().filter(|(_, part)| part.matches(byte)) {
                    masks[usize::from(byte) * words + i / 64] |= 1 << (i % 64);
                }
            }
        }
        Piece { parts, masks }
    }

    /// Where its first occurrence in `text` ends.
    fn end_in(&self, text: &[u8]) -> Option<usize> {
        let len = self.parts.len();
        if text.len() < len {
            return None;
        }
        if self.masks.is_empty() {
            let start = text.windows(len).position(|window| all_match(&self.parts, window));
            return start.map(|start| start + len);
        }
        // Bit i of the state says that the parts up to i match the bytes up to this one (Baeza-Yates and
        // Gonnet, CACM 35(10), 1992).
        let words = len.div_ceil(64);
        let mut state = vec![0_u64; words];
        let end = text.iter().position(|byte| {
            let masks = &self.masks[usize::from(*byte) * words..][..words];
            let mut carry = 1;
            for (word, mask) in state.iter_mut().zip(masks) {
                let shifted = *word << 1 | carry;
                carry = *word >> 63;
                *word = shifted & mask;
            }
            state[(len - 1) / 64] >> ((len - 1) % 64) & 1 == 1
        });
        end.map(|last| last + 1)
    }
}

impl Part {
    fn matches(&self, byte: u8) -> bool {
        match self {
            Part::Any => true,
            Part::Byte(wanted) => *wanted == byte,
            Part::Class(bits) => bits[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1,
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
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|n| naive(rest, &text[n..])),
            ([b'[', rest @ ..], _) => {
                let (class, rest) = class(rest);
                text.split_first().is_some_and(|(byte, after)| {
                    Part::Class(class).matches(*byte) && naive(rest, after)
                })
            }
            ([b'\\', wanted, rest @ ..] | [wanted, rest @ ..], _) => {
                let any = pattern[0] == b'?';
                text.split_first()
                    .is_some_and(|(byte, after)| (any || byte == wanted) && naive(rest, after))
            }
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_trying_everything(
            pattern in vec(select(&b"ab*?[]^-\\c"[..]), 0..10), text in vec(select(&b"abc]-\\^"[..]), 0..8)
        ) {
            let glob = Glob::new(&pattern);
            prop_assert_eq!(glob.matches(&text), naive(&pattern, &text));
            prop_assert!(!glob.matches(&text) || text.starts_with(glob.literal_prefix()));
        }

        #[test]
        fn long_pieces_are_found_where_they_are(
            text in vec(select(&b"ab"[..]), 64..300), from in 0..200_usize, len in 60..200_usize, flip in any::<bool>()
        ) {
            let from = from.min(text.len());
            let mut piece = text[from..(from + len).min(text.len())].to_vec();
            if let (true, Some(last)) = (flip, piece.last_mut()) {
                *last ^= 3;
            }
            let wanted = piece.is_empty() || text.windows(piece.len()).any(|window| window == piece);
            prop_assert_eq!(Glob::new(&[b"*", &piece[..], b"*"].concat()).matches(&text), wanted);
            piece.fill(b'?');
            prop_assert!(Glob::new(&[b"*", &piece[..], b"*"].concat()).matches(&text));
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
        assert!(!Glob::new(&pattern).matches(b""));
        let pattern = [b"*", &[b'a'; 50_000][..], b"b*"].concat();
        assert!(!Glob::new(&pattern).matches(&vec![b'a'; 65_536]));
    }
}
