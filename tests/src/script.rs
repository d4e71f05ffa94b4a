//! Commands and replies as people write them.

use resp::Reply;

/// The arguments of a command line: words, or `"quoted"` with `\n \r \t \\ \" \xHH`.
///
/// # Panics
/// A quote is not closed or an escape is unknown: the test is wrong.
pub fn words(line: &str) -> Vec<Vec<u8>> {
    let mut args = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (arg, after) = unquote(quoted);
            args.push(arg);
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            args.push(rest.as_bytes()[..end].to_vec());
            rest = rest[end..].trim_start();
        }
    }
    args
}

fn unquote(text: &str) -> (Vec<u8>, &str) {
    let mut arg = Vec::new();
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return (arg, &text[at + 1..]),
            b'\\' => match bytes.next().map(|(_, byte)| byte) {
                Some(b'n') => arg.push(b'\n'),
                Some(b'r') => arg.push(b'\r'),
                Some(b't') => arg.push(b'\t'),
                Some(b'x') => {
                    let digits = text.get(at + 2..at + 4).expect("two digits after \\x");
                    arg.push(u8::from_str_radix(digits, 16).expect("hexadecimal after \\x"));
                    bytes.nth(1);
                }
                Some(other) => arg.push(other),
                None => break,
            },
            other => arg.push(other),
        }
    }
    panic!("a quote is not closed: {text:?}");
}

/// A reply on one line: `+OK`, `-ERR …`, `:1`, `"bytes"`, `nil`, `[…]`, `{key => value}`.
pub fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) => format!("+{text}"),
        Reply::Error(text) => format!("-{text}"),
        Reply::Int(number) => format!(":{number}"),
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Null => "nil".into(),
        Reply::NullArray => "nil[]".into(),
        Reply::Array(items) => format!("[{}]", listed(items)),
        Reply::Set(items) => format!("~[{}]", listed(items)),
        Reply::Push(items) => format!(">[{}]", listed(items)),
        Reply::Map(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{} => {}", shown(key), shown(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Reply::Double(number) => format!(",{number}"),
        Reply::Bool(value) => format!("#{value}"),
        Reply::Verbatim { text, .. } => format!("=\"{}\"", text.escape_ascii()),
        other => format!("{other:?}"),
    }
}

fn listed(items: &[Reply]) -> String {
    items.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn quoted_words_keep_their_spaces_and_bytes() {
        assert_eq!(words(r#"SET "a b" x"#), [&b"SET"[..], b"a b", b"x"]);
        assert_eq!(words(r#"  GET "\x00\xff\n\"" """#), [&b"GET"[..], b"\x00\xff\n\"", b""]);
    }
}
