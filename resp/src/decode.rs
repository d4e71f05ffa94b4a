//! From bytes to requests, however they arrive.

use crate::inline;
use crate::limits::Limits;
use crate::request::{Args, Place};
use std::fmt;

/// Why bytes are not a request. `Display` is Redis' text, to be sent behind `-ERR `; then the connection
/// is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The number of arguments is none, or too large.
    InvalidMultibulkLength,
    /// The length of an argument is none, or too large.
    InvalidBulkLength,
    /// Something other than an argument where one must be.
    ExpectedBulk(u8),
    /// The line with the number of arguments does not end.
    TooBigCount,
    /// The line with the length of an argument does not end.
    TooBigLength,
    /// An inline request does not end.
    TooBigInline,
    /// A quote in an inline request is not closed.
    UnbalancedQuotes,
    /// The request is longer than [`Limits::max_request`].
    TooBigRequest,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ProtocolError::InvalidMultibulkLength => f.write_str("invalid multibulk length"),
            ProtocolError::InvalidBulkLength => f.write_str("invalid bulk length"),
            ProtocolError::ExpectedBulk(byte) => {
                write!(f, "expected '$', got '{}'", char::from(*byte))
            }
            ProtocolError::TooBigCount => f.write_str("too big mbulk count string"),
            ProtocolError::TooBigLength => f.write_str("too big bulk count string"),
            ProtocolError::TooBigInline => f.write_str("too big inline request"),
            ProtocolError::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            ProtocolError::TooBigRequest => f.write_str("too big request"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Finds requests in a buffer, and resumes where it left off when there was only part of one.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    places: Vec<Place>,
    /// The words of an inline request, which may have been quoted.
    words: Vec<u8>,
    inline: bool,
    /// Up to where the request in progress has been parsed …
    parsed: usize,
    /// … and up to where the line after that has been searched for its end.
    searched: usize,
    /// Arguments that are still to come, once their number is known.
    missing: Option<usize>,
    /// Length of the argument that comes next, once it is known.
    bulk: Option<usize>,
    complete: bool,
    /// Bytes looked at, for the test that none is looked at twice.
    #[cfg(test)]
    examined: usize,
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Decoder {
            limits,
            places: Vec::new(),
            words: Vec::new(),
            inline: false,
            parsed: 0,
            searched: 0,
            missing: None,
            bulk: None,
            complete: true,
            #[cfg(test)]
            examined: 0,
        }
    }

    /// Looks for one request at the front of `buffer`. `Some(n)`: it took n bytes, and [`Decoder::args`] of
    /// the same buffer are its arguments until the next call. `None`: there is only part of one; call
    /// again with a buffer that begins with the same bytes.
    ///
    /// # Errors
    /// See [`ProtocolError`]; the decoder is then of no more use.
    pub fn decode(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if self.complete {
            self.complete = false;
            self.places.clear();
            self.words.clear();
            (self.parsed, self.searched) = (0, 0);
            (self.missing, self.bulk) = (None, None);
        }
        let Some(first) = buffer.first() else { return Ok(None) };
        self.inline = *first != b'*';
        let taken =
            if self.inline { self.decode_inline(buffer)? } else { self.decode_bulks(buffer)? };
        self.complete = taken.is_some();
        Ok(taken)
    }

    /// The arguments of the request that [`Decoder::decode`] found in `buffer`.
    pub fn args<'a>(&'a self, buffer: &'a [u8]) -> Args<'a> {
        Args::new(if self.inline { &self.words } else { buffer }, &self.places)
    }

    /// How long the buffer must be at least before the request in progress can be complete; 0 if there is
    /// none.
    pub fn wanted(&self) -> usize {
        if self.complete { 0 } else { self.parsed + self.bulk.map_or(0, |len| len + 2) }
    }

    fn decode_inline(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.find(buffer, b'\n') else {
            let endless = buffer.len() > self.limits.max_inline;
            return if endless { Err(ProtocolError::TooBigInline) } else { Ok(None) };
        };
        // The same limit as on its way here, so that it does not matter how it arrived.
        if end > self.limits.max_inline {
            return Err(ProtocolError::TooBigInline);
        }
        let line = &buffer[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !inline::split(line, &mut self.words, &mut self.places) {
            return Err(ProtocolError::UnbalancedQuotes);
        }
        Ok(Some(end + 1))
    }

    fn decode_bulks(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let mut missing = match self.missing {
            Some(missing) => missing,
            None => {
                let Some(line) = self.line(buffer, ProtocolError::TooBigCount)? else {
                    return Ok(None);
                };
                let count = number(&line[1..]).ok_or(ProtocolError::InvalidMultibulkLength)?;
                // Like Redis, a negative number of arguments is an empty request.
                let count = usize::try_from(count).unwrap_or(0);
                if count > self.limits.max_args {
                    return Err(ProtocolError::InvalidMultibulkLength);
                }
                count
            }
        };
        while missing > 0 {
            self.missing = Some(missing);
            let len = match self.bulk {
                Some(len) => len,
                None => {
                    let Some(line) = self.line(buffer, ProtocolError::TooBigLength)? else {
                        return Ok(None);
                    };
                    if line[0] != b'$' {
                        return Err(ProtocolError::ExpectedBulk(line[0]));
                    }
                    let len = number(&line[1..]).and_then(|len| usize::try_from(len).ok());
                    let len = len.filter(|len| *len <= self.limits.max_bulk);
                    let len = len.ok_or(ProtocolError::InvalidBulkLength)?;
                    if self.parsed.saturating_add(len) > self.limits.max_request {
                        return Err(ProtocolError::TooBigRequest);
                    }
                    self.bulk = Some(len);
                    len
                }
            };
            let (start, end) = (self.parsed, self.parsed + len);
            // Like Redis, the two bytes after an argument are not looked at.
            if buffer.len() < end + 2 {
                return Ok(None);
            }
            self.places.push((start as u32, end as u32));
            self.parsed = end + 2;
            self.searched = self.parsed;
            self.bulk = None;
            missing -= 1;
        }
        Ok(Some(self.parsed))
    }

    /// The line at `parsed`, without its end; moves behind it. An empty line is no line to Redis either.
    fn line<'b>(
        &mut self,
        buffer: &'b [u8],
        endless: ProtocolError,
    ) -> Result<Option<&'b [u8]>, ProtocolError> {
        let start = self.parsed;
        let Some(end) = self.find(buffer, b'\r').filter(|end| end + 1 < buffer.len()) else {
            let long = buffer.len() - start > self.limits.max_inline;
            return if long { Err(endless) } else { Ok(None) };
        };
        if end - start >= self.limits.max_inline {
            return Err(endless);
        }
        self.parsed = end + 2;
        self.searched = self.parsed;
        let line = &buffer[start..end];
        // What is not there stands for the byte that Redis would complain of.
        Ok(Some(if line.is_empty() { b"\r" } else { line }))
    }

    /// Where `byte` is, from where the search ended last time. It is found again as long as it is last.
    fn find(&mut self, buffer: &[u8], byte: u8) -> Option<usize> {
        let from = self.searched.min(buffer.len());
        let found = buffer[from..].iter().position(|b| *b == byte);
        #[cfg(test)]
        {
            self.examined += found.map_or(buffer.len() - from, |at| at + 1);
        }
        self.searched = found.map_or(buffer.len(), |at| from + at);
        found.map(|at| from + at)
    }
}

/// A decimal integer as Redis' `string2ll` reads it: no plus, no leading zeros.
fn number(text: &[u8]) -> Option<i64> {
    if let [digit @ b'0'..=b'9'] = *text {
        return Some(i64::from(digit - b'0'));
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (first, rest) = digits.split_first()?;
    if !matches!(first, b'1'..=b'9') || rest.len() > 18 {
        return None;
    }
    let mut number = i64::from(first - b'0');
    for digit in rest {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(if digits.len() == text.len() { number } else { -number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode_request;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use redis_protocol::resp2::decode::decode as decode_with_peer;
    use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};

    type Requests = Vec<Vec<Vec<u8>>>;

    fn bytes_of(requests: &Requests) -> Vec<u8> {
        let mut out = Vec::new();
        for request in requests {
            let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
            encode_request(&args, &mut out);
        }
        out
    }

    /// Feeds `input` in pieces and returns all requests.
    fn decode_in_pieces(
        input: &[u8],
        mut piece: impl FnMut() -> usize,
    ) -> Result<Requests, ProtocolError> {
        let mut decoder = Decoder::new(Limits::default());
        let (mut requests, mut start, mut end) = (Vec::new(), 0, 0);
        loop {
            match decoder.decode(&input[start..end])? {
                Some(taken) => {
                    let args = decoder.args(&input[start..end]);
                    requests.push(args.iter().map(<[u8]>::to_vec).collect());
                    start += taken;
                }
                None if end == input.len() => return Ok(requests),
                None => end = (end + piece().max(1)).min(input.len()),
            }
        }
    }

    fn requests() -> impl Strategy<Value = Requests> {
        vec(vec(vec(any::<u8>(), 0..40), 0..6), 0..6)
    }

    proptest! {
        #[test]
        fn requests_are_the_same_however_their_bytes_are_split(requests in requests(), cuts in vec(1..40_usize, 1..20)) {
            let input = bytes_of(&requests);
            prop_assert_eq!(&decode_in_pieces(&input, || 1).unwrap(), &requests);
            prop_assert_eq!(&decode_in_pieces(&input, || usize::MAX / 2).unwrap(), &requests);
            let mut cuts = cuts.iter().cycle();
            prop_assert_eq!(&decode_in_pieces(&input, || *cuts.next().unwrap()).unwrap(), &requests);
        }

        #[test]
        fn requests_are_what_another_decoder_says(requests in requests()) {
            let input = bytes_of(&requests);
            let (mut found, mut at) = (Requests::new(), 0);
            while let Some((OwnedFrame::Array(frames), taken)) = decode_with_peer(&input[at..]).unwrap() {
                found.push(frames.into_iter().map(|frame| frame.as_bytes().unwrap().to_vec()).collect());
                at += taken;
            }
            prop_assert_eq!(found, requests);
        }

        #[test]
        fn any_bytes_are_requests_or_an_error_and_never_panic(
            bytes in vec(prop_oneof![3 => prop::sample::select(&b"*$0123\r\n-\"'a"[..]), 1 => any::<u8>()], 0..120)
        ) {
            let whole = decode_in_pieces(&bytes, || usize::MAX / 2);
            prop_assert_eq!(decode_in_pieces(&bytes, || 1), whole);
        }
    }

    fn error(input: &[u8]) -> String {
        decode_in_pieces(input, || usize::MAX / 2).unwrap_err().to_string()
    }

    #[test]
    fn malformed_requests_get_the_error_that_redis_gives() {
        for (input, wanted) in [
            (&b"*x\r\n"[..], "invalid multibulk length"),
            (b"*3000000\r\n", "invalid multibulk length"),
            (b"*\r\n", "invalid multibulk length"),
            (b"*01\r\n", "invalid multibulk length"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$x\r\n", "invalid bulk length"),
            (b"*1\r\n$999999999999\r\n", "invalid bulk length"),
            (b"*1\r\n:1\r\n", "expected '$', got ':'"),
            (b"*1\r\n*1\r\n", "expected '$', got '*'"),
            (b"get \"x\r\n", "unbalanced quotes in request"),
            (&[b'a'; 70_000], "too big inline request"),
            (&[b'*'; 70_000], "too big mbulk count string"),
            (&[&b"*1\r\n"[..], &[b'$'; 70_000]].concat(), "too big bulk count string"),
        ] {
            assert_eq!(error(input), format!("Protocol error: {wanted}"));
        }
        assert_eq!(error(&b"*1\r\n".repeat(100_000)), "Protocol error: expected '$', got '*'");
    }

    /// Found by fuzzing: a line that was there at once was taken, however long.
    #[test]
    fn a_line_that_is_too_long_is_refused_however_it_arrives() {
        let long = |before: &[u8], end: &[u8]| [before, &vec![b'1'; 70_000], end].concat();
        for (input, wanted) in [
            (long(b"get ", b"\r\n"), ProtocolError::TooBigInline),
            (long(b"*", b"\r\n"), ProtocolError::TooBigCount),
            (long(b"*1\r\n$", b"\r\n"), ProtocolError::TooBigLength),
        ] {
            for piece in [1, usize::MAX / 2] {
                assert_eq!(decode_in_pieces(&input, || piece), Err(wanted));
            }
        }
        let limits = Limits { max_inline: 8, ..Limits::default() };
        for len in 5..12 {
            let input = [&vec![b'a'; len][..], b"\n"].concat();
            let [whole, bytes] = [input.len(), 1].map(|piece| {
                let mut decoder = Decoder::new(limits);
                let ends = (piece..=input.len()).step_by(piece);
                ends.map(|end| decoder.decode(&input[..end])).find(|found| *found != Ok(None))
            });
            assert_eq!(whole, bytes, "{len}");
        }
    }

    #[test]
    fn empty_requests_are_taken_and_have_no_arguments() {
        for input in [&b"*0\r\n"[..], b"*-1\r\n", b"\r\n", b"\n", b"   \r\n"] {
            assert_eq!(decode_in_pieces(input, || 1), Ok(vec![vec![]]), "{input:?}");
        }
    }

    #[test]
    fn a_declared_length_reserves_nothing() {
        let mut decoder = Decoder::new(Limits::default());
        assert_eq!(decoder.decode(b"*1048576\r\n$536870912\r\nabc"), Ok(None));
        assert!(decoder.places.capacity() < 100 && decoder.words.capacity() < 100);
        assert_eq!(decoder.wanted(), 22 + 536_870_912 + 2);
    }

    #[test]
    fn a_request_beyond_its_limit_is_refused_when_its_length_is_declared() {
        let limits = Limits { max_request: 1000, ..Limits::default() };
        let mut decoder = Decoder::new(limits);
        let input = b"*2\r\n$1\r\na\r\n$1000\r\n";
        assert_eq!(decoder.decode(input), Err(ProtocolError::TooBigRequest));
    }

    #[test]
    fn no_byte_is_looked_at_twice_whatever_the_pieces() {
        let request: Vec<Vec<u8>> = (0..50_000).map(|n| n.to_string().into_bytes()).collect();
        let input = bytes_of(&vec![request]);
        let mut decoder = Decoder::new(Limits::default());
        let mut end = 0;
        while decoder.decode(&input[..end]).unwrap().is_none() {
            end = (end + 4096).min(input.len());
        }
        assert_eq!(decoder.args(&input).len(), 50_000);
        assert!(decoder.examined <= input.len() + input.len() / 100, "{}", decoder.examined);
    }
}
