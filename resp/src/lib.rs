//! The Redis serialization protocol, RESP2 and RESP3: requests in, replies out, and a client.
//!
//! [`Decoder`] finds requests in a buffer without copying their arguments. It can be fed a byte at a
//! time and never looks at a byte twice, and its [`Limits`] hold before anything is allocated. [`Reply`]
//! is whatever a server can answer, written in either protocol. [`Client`] is the other side, for tools
//! and tests.
//!
//! # Examples
//! ```
//! use resp::{Decoder, Limits, Protocol, Reply};
//!
//! let mut decoder = Decoder::new(Limits::default());
//! let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
//! let taken = decoder.decode(input)?.expect("a whole request is there");
//! assert_eq!(decoder.args(input).iter().collect::<Vec<_>>(), [&b"GET"[..], b"k"]);
//!
//! let rest = &input[taken..];
//! assert_eq!(decoder.decode(rest)?, Some(rest.len()));
//! assert_eq!(&decoder.args(rest)[0], b"PING");
//!
//! let mut out = Vec::new();
//! Reply::Null.encode(Protocol::Resp2, &mut out);
//! Reply::Null.encode(Protocol::Resp3, &mut out);
//! assert_eq!(out, b"$-1\r\n_\r\n");
//! # Ok::<(), resp::ProtocolError>(())
//! ```

mod client;
mod decode;
mod double;
mod encode;
mod inline;
mod limits;
mod reply;
mod request;

pub use client::{Client, encode_request};
pub use decode::{Decoder, ProtocolError};
pub use double::double_text;
pub use limits::Limits;
pub use reply::{Protocol, Reply};
pub use request::{Args, Requests};
