//! Inline requests: a line of words, some of them quoted, as a person types them.

use crate::request::Place;

/// Splits a line as Redis' `sdssplitargs` does, appending unquoted words to `buffer`. False if a quote is
/// not closed, or is closed in the middle of a word.
pub(crate) fn split(line: &[u8], buffer: &mut Vec<u8>, places: &mut Vec<Place>) -> bool {
    let mut rest = line;
    loop {
        while let Some((byte, after)) = rest.split_first().filter(|(byte, _)| is_space(**byte)) {
            let _ = byte;
            rest = after;
        }
        if rest.is_empty() || rest[0] == 0 {
            return true;
        }
        let start = buffer.len() as u32;
        let Some(after) = word(rest, buffer) else { return false };
        rest = after;
        places.push((start, buffer.len() as u32));
    }
}

/// What C's `isspace` calls space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Takes one word off the front.
fn word<'a>(mut rest: &'a [u8], buffer: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' | 0 => return Some(rest),
            b'"' => rest = ends_word(double_quoted(after, buffer)?)?,
            b'\'' => rest = ends_word(single_quoted(after, buffer)?)?,
            _ => {
                buffer.push(byte);
                rest = after;
                continue;
            }
        }
        return Some(rest);
    }
    Some(rest)
}

/// After a closing quote there is space, or the end.
fn ends_word(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|byte| is_space(*byte)).then_some(rest)
}

fn double_quoted<'a>(mut rest: &'a [u8], buffer: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match *rest {
            [b'\\', b'x', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                buffer.push(hex(high) << 4 | hex(low));
                rest = after;
            }
            [b'\\', escaped, ref after @ ..] => {
                buffer.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                rest = after;
            }
            [b'"', ref after @ ..] => return Some(after),
            [byte, ref after @ ..] => {
                buffer.push(byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], buffer: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match *rest {
            [b'\\', b'\'', ref after @ ..] => {
                buffer.push(b'\'');
                rest = after;
            }
            [b'\'', ref after @ ..] => return Some(after),
            [byte, ref after @ ..] => {
                buffer.push(byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<Vec<u8>>> {
        let (mut buffer, mut places) = (Vec::new(), Vec::new());
        let good = split(line.as_bytes(), &mut buffer, &mut places);
        let word = |(start, end): &Place| buffer[*start as usize..*end as usize].to_vec();
        good.then(|| places.iter().map(word).collect())
    }

    #[test]
    fn words_are_split_and_unquoted_as_redis_does() {
        for (line, wanted) in [
            ("", vec![]),
            ("  PING \t ", vec![&b"PING"[..]]),
            ("set a 'b c'", vec![b"set", b"a", b"b c"]),
            (r#"set a "b\x41\n\"\q""#, vec![b"set", b"a", b"bA\n\"q"]),
            (r"x '\'\n'", vec![b"x", b"'\\n"]),
            ("a\"b\" c", vec![b"ab", b"c"]),
            ("x \"\"", vec![b"x", b""]),
        ] {
            assert_eq!(
                words(line),
                Some(wanted.into_iter().map(<[u8]>::to_vec).collect()),
                "{line}"
            );
        }
        for line in ["\"", "'", "\"a\"b", "'a'b", "\"\\"] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
