//! Which arguments of a request are keys, by the command's row in the table.

use super::{Keys, parse_int};

/// The positions of a request's keys, the command's name being at 0.
#[derive(Clone, Debug)]
pub(crate) struct KeyPositions {
    next: usize,
    last: usize,
    step: usize,
}

impl KeyPositions {
    /// For `request`. What is not the number of keys that it should be means that there are none.
    pub(crate) fn in_request(keys: Keys, request: resp::Args<'_>) -> Self {
        let Ok(at @ 1..) = usize::try_from(keys.counted_at) else {
            return KeyPositions::of(keys, request.len());
        };
        let count =
            request.get(at).and_then(parse_int).and_then(|count| usize::try_from(count).ok());
        let fits = |count: &usize| *count < request.len() - at;
        let count = count.filter(fits).unwrap_or(0);
        KeyPositions { next: at + 1, last: at + count, step: 1 }
    }

    /// For a request of `len` arguments, the name included.
    pub(crate) fn of(keys: Keys, len: usize) -> Self {
        let first = usize::try_from(keys.first).unwrap_or(0);
        let last = match usize::try_from(keys.last) {
            Ok(last) => last.min(len.saturating_sub(1)),
            Err(_) => len.saturating_sub(usize::from(keys.last.unsigned_abs())),
        };
        let step = usize::try_from(keys.step).unwrap_or(1).max(1);
        // No keys is an empty run, whatever `last` says.
        if first == 0 {
            return KeyPositions { next: 1, last: 0, step };
        }
        KeyPositions { next: first, last, step }
    }
}

impl Iterator for KeyPositions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let position = self.next;
        if position > self.last {
            return None;
        }
        self.next += self.step;
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_convention_of_redis() {
        let of = |keys, len| KeyPositions::of(keys, len).collect::<Vec<_>>();
        assert_eq!(of(Keys::none(), 5), Vec::<usize>::new());
        assert_eq!(of(Keys::first(), 3), [1]);
        assert_eq!(of(Keys::range(1, -1, 2), 5), [1, 3]);
        assert_eq!(of(Keys::range(2, -1, 1), 5), [2, 3, 4]);
        assert_eq!(of(Keys::range(1, -2, 1), 4), [1, 2]);
        assert_eq!(of(Keys::first(), 1), Vec::<usize>::new());
    }

    #[test]
    fn counted_keys_are_as_many_as_the_request_says_if_it_has_them() {
        let of = |words: &[&[u8]]| {
            let mut requests = resp::Requests::default();
            assert!(words.iter().all(|word| requests.push_word(word)) && requests.end());
            KeyPositions::in_request(Keys::counted(2), requests.get(0)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[b"eval", b"", b"2", b"a", b"b", b"c"]), [3, 4]);
        assert_eq!(of(&[b"eval", b"", b"3", b"a", b"b", b"c"]), [3, 4, 5]);
        for count in [&b"0"[..], b"4", b"-1", b"x", b"9223372036854775807"] {
            assert_eq!(of(&[b"eval", b"", count, b"a", b"b", b"c"]), Vec::<usize>::new());
        }
        assert_eq!(of(&[b"eval", b""]), Vec::<usize>::new());
    }
}
