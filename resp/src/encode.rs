//! Replies as bytes, as Redis 7 writes them.

use crate::reply::{Protocol, Reply};

impl Reply {
    /// Appends the reply to `out`.
    pub fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let resp3 = protocol == Protocol::Resp3;
        match self {
            Reply::Int(n) => number(out, b':', *n),
            Reply::Bulk(bytes) => bulk(out, b'$', bytes),
            Reply::Status(text) => line(out, b'+', text),
            Reply::Error(text) => line(out, b'-', text),
            Reply::Null if resp3 => out.extend_from_slice(b"_\r\n"),
            Reply::Null => out.extend_from_slice(b"$-1\r\n"),
            Reply::NullArray if resp3 => out.extend_from_slice(b"_\r\n"),
            Reply::NullArray => out.extend_from_slice(b"*-1\r\n"),
            Reply::Array(replies) => all(out, b'*', replies, protocol),
            Reply::Set(replies) => all(out, if resp3 { b'~' } else { b'*' }, replies, protocol),
            Reply::Push(replies) => all(out, if resp3 { b'>' } else { b'*' }, replies, protocol),
            Reply::Map(pairs) => {
                let len = pairs.len() as i64;
                if resp3 {
                    number(out, b'%', len);
                } else {
                    number(out, b'*', len * 2);
                }
                for (key, value) in pairs {
                    key.encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
            Reply::Double(n) if resp3 => line(out, b',', &double(*n)),
            Reply::Double(n) => bulk(out, b'$', double(*n).as_bytes()),
            Reply::Bool(yes) if resp3 => {
                out.extend_from_slice(if *yes { b"#t\r\n" } else { b"#f\r\n" });
            }
            Reply::Bool(yes) => number(out, b':', i64::from(*yes)),
            Reply::BigNumber(digits) if resp3 => line(out, b'(', digits),
            Reply::BigNumber(digits) => bulk(out, b'$', digits.as_bytes()),
            Reply::Verbatim { format, text } if resp3 => {
                number(out, b'=', text.len() as i64 + 4);
                out.extend_from_slice(format);
                out.push(b':');
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            Reply::Verbatim { text, .. } => bulk(out, b'$', text),
            Reply::Several(replies) => {
                replies.iter().for_each(|reply| reply.encode(protocol, out));
            }
            Reply::None => {}
        }
    }
}

fn all(out: &mut Vec<u8>, kind: u8, replies: &[Reply], protocol: Protocol) {
    number(out, kind, replies.len() as i64);
    for reply in replies {
        reply.encode(protocol, out);
    }
}

/// A line of text. What would end it early becomes a space.
fn line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn bulk(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    number(out, kind, bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn number(out: &mut Vec<u8>, kind: u8, n: i64) {
    if let 0..=9 = n {
        out.extend_from_slice(&[kind, b'0' + n as u8, b'\r', b'\n']);
        return;
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = n.unsigned_abs();
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.push(kind);
    if n < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// The shortest digits that read back as the same number; whole numbers without a point.
fn double(n: f64) -> String {
    if n.is_nan() {
        "nan".to_owned()
    } else if n.is_infinite() {
        if n > 0.0 { "inf".to_owned() } else { "-inf".to_owned() }
    } else if n != 0.0 && !(1e-5..1e17).contains(&n.abs()) {
        let text = format!("{n:e}");
        // As C prints exponents: a sign, and two digits at least.
        let (digits, exponent) = text.split_once('e').expect("it was written so");
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        format!("{digits}e{sign}{exponent:0>2}")
    } else {
        format!("{n}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(reply: Reply) -> [String; 2] {
        [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
            let mut out = Vec::new();
            reply.encode(protocol, &mut out);
            String::from_utf8(out).unwrap()
        })
    }

    #[test]
    fn replies_are_written_as_redis_writes_them() {
        let map = Reply::Map(vec![(Reply::bulk("a"), Reply::Int(-12))]);
        let verbatim = Reply::Verbatim { format: *b"txt", text: "hello".into() };
        for (reply, resp2, resp3) in [
            (Reply::OK, "+OK\r\n", "+OK\r\n"),
            (Reply::error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (Reply::Int(7), ":7\r\n", ":7\r\n"),
            (Reply::Int(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
            (Reply::bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::NullArray, "*-1\r\n", "_\r\n"),
            (
                Reply::Array(vec![Reply::Int(1), Reply::Null]),
                "*2\r\n:1\r\n$-1\r\n",
                "*2\r\n:1\r\n_\r\n",
            ),
            (map, "*2\r\n$1\r\na\r\n:-12\r\n", "%1\r\n$1\r\na\r\n:-12\r\n"),
            (Reply::Set(vec![]), "*0\r\n", "~0\r\n"),
            (Reply::Push(vec![]), "*0\r\n", ">0\r\n"),
            (Reply::Double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n"),
            (Reply::Double(2.0), "$1\r\n2\r\n", ",2\r\n"),
            (Reply::Double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"),
            (Reply::Double(1e300), "$6\r\n1e+300\r\n", ",1e+300\r\n"),
            (Reply::Bool(true), ":1\r\n", "#t\r\n"),
            (Reply::BigNumber("12".into()), "$2\r\n12\r\n", "(12\r\n"),
            (verbatim, "$5\r\nhello\r\n", "=9\r\ntxt:hello\r\n"),
            (Reply::None, "", ""),
        ] {
            assert_eq!(both(reply), [resp2, resp3]);
        }
    }
}
