//! Requests of clients: however their bytes arrive, they are the same, or refused in the same way.

use resp::{Decoder, Limits, ProtocolError, encode_request};

type Requests = Vec<Vec<Vec<u8>>>;

/// Small, so that they are reached.
const LIMITS: Limits = Limits { max_args: 64, max_bulk: 300, max_inline: 200, max_request: 600 };

pub(crate) fn examples() -> Vec<Vec<u8>> {
    [
        &b"\x03*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"[..],
        b"\x01PING\r\nset a \"b\\x41\\n\\\"\" 'c\\''\r\n",
        b"\x07*0\r\n*-1\r\n\r\n*3\r\n$0\r\n\r\n$-1\r\n",
        b"\x02*1\r\n$300\r\n*100\r\n",
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// The first byte says how the rest is cut into pieces.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&piece, input)) = bytes.split_first() else { return };
    let whole = decode(input, usize::MAX);
    assert_eq!(decode(input, 1), whole, "byte by byte");
    assert_eq!(decode(input, 1 + usize::from(piece)), whole, "in pieces");
    let (requests, _) = whole;
    for request in &requests {
        assert!(request.len() <= LIMITS.max_args.max(LIMITS.max_inline));
        assert!(request.iter().all(|arg| arg.len() <= LIMITS.max_bulk));
        let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        let mut again: Vec<u8> = Vec::new();
        encode_request(&args, &mut again);
        // What was inline may be longer than the limit when it is not.
        if !args.is_empty() && args.len() <= LIMITS.max_args && again.len() <= LIMITS.max_request {
            assert_eq!(decode(&again, usize::MAX), (vec![request.clone()], None), "it reads back");
        }
    }
}

/// The requests, and what ended them.
fn decode(input: &[u8], piece: usize) -> (Requests, Option<ProtocolError>) {
    let mut decoder = Decoder::new(LIMITS);
    let (mut requests, mut start, mut end) = (Requests::new(), 0, 0);
    loop {
        match decoder.decode(&input[start..end]) {
            Ok(Some(taken)) => {
                assert!((1..=end - start).contains(&taken));
                assert_eq!(decoder.wanted(), 0);
                let args = decoder.args(&input[start..end]);
                requests.push(args.iter().map(<[u8]>::to_vec).collect());
                start += taken;
            }
            Ok(None) if end == input.len() => return (requests, None),
            Ok(None) => end = end.saturating_add(piece).min(input.len()),
            Err(e) => return (requests, Some(e)),
        }
    }
}
