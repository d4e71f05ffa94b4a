//! How keys and values are written where people and scripts read and type them, so that any byte survives.
//!
//! | spelling | printed | typed |
//! |---|---|---|
//! | escaped | text as it is, but `\\`, `\n`, `\r`, `\t`, and `\xNN` for control characters and for what is no UTF-8 | the same |
//! | hex | two digits a byte | the same |
//! | raw | the bytes | the bytes |

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    #[default]
    Escaped,
    Hex,
    Raw,
}

impl Spelling {
    /// What is printed for `bytes`.
    pub fn print(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Spelling::Raw => bytes.to_vec(),
            _ => self.text(bytes).into_bytes(),
        }
    }

    /// As [`Spelling::print`]; in messages and in JSON raw bytes are escaped, too.
    pub fn text(self, bytes: &[u8]) -> String {
        match self {
            Spelling::Hex => bytes.iter().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            }),
            _ => escape(bytes),
        }
    }

    /// The bytes that `typed` stands for. The error says what is wrong with it.
    pub fn parse(self, typed: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Spelling::Raw => Ok(typed.to_vec()),
            Spelling::Hex => unhex(typed),
            Spelling::Escaped => unescape(typed),
        }
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_control() => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(out, "\\x{byte:02x}");
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn unescape(typed: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(typed.len());
    let mut rest = typed.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let escaped = match rest.next() {
            Some(b'\\') => b'\\',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let digits = rest.as_slice().get(..2).unwrap_or_default();
                let byte = unhex(digits).ok().and_then(|bytes| bytes.first().copied());
                rest = rest.as_slice()[digits.len()..].iter();
                byte.ok_or("\\x needs two hexadecimal digits")?
            }
            _ => {
                return Err("after a backslash comes another one, n, r, t or xNN; \
                            --raw-bytes takes arguments as they are"
                    .into());
            }
        };
        out.push(escaped);
    }
    Ok(out)
}

fn unhex(typed: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = || "hexadecimal digits come in pairs of 0-9 and a-f".to_owned();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !typed.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = typed.chunks_exact(2);
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect::<Option<_>>()
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_byte_survives_in_every_spelling() {
        let all: Vec<u8> = (0..=255).chain("grüße\u{85}\\x41".bytes()).collect();
        for spelling in [Spelling::Escaped, Spelling::Hex, Spelling::Raw] {
            assert_eq!(spelling.parse(&spelling.print(&all)).unwrap(), all, "{spelling:?}");
            for byte in 0..=255 {
                let printed = spelling.print(&[byte, byte]);
                assert_eq!(spelling.parse(&printed).unwrap(), [byte, byte], "{spelling:?}");
            }
        }
    }

    #[test]
    fn what_is_printed_is_a_line_that_reads_well() {
        assert_eq!(Spelling::Escaped.text("grüße\n\\\0".as_bytes()), "grüße\\n\\\\\\x00");
        assert_eq!(Spelling::Escaped.text(b"\xff"), "\\xff");
        assert_eq!(Spelling::Hex.text(b"\x00k"), "006b");
    }

    #[test]
    fn nonsense_is_refused() {
        for typed in [&b"\\"[..], b"\\q", b"\\x1", b"\\xzz"] {
            assert!(Spelling::Escaped.parse(typed).is_err(), "{}", typed.escape_ascii());
        }
        for typed in [&b"0"[..], b"0g", b"+1"] {
            assert!(Spelling::Hex.parse(typed).is_err(), "{}", typed.escape_ascii());
        }
    }
}
