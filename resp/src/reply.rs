//! What a server answers.

use bytes::Bytes;
use std::borrow::Cow;

/// The version of the protocol that a client has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// As every client understands.
    #[default]
    Resp2,
    /// With maps, sets, doubles, booleans and a null of its own; after `HELLO 3`.
    Resp3,
}

/// A reply. In RESP2, which knows fewer types, the richer ones become what Redis makes of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A short text, such as `OK`.
    Status(Cow<'static, str>),
    /// An error: its code, a space, and its text.
    Error(Cow<'static, str>),
    /// An integer.
    Int(i64),
    /// Bytes.
    Bulk(Bytes),
    /// No such value.
    Null,
    /// No such list of values.
    NullArray,
    /// Several replies.
    Array(Vec<Reply>),
    /// Pairs; in RESP2 an array of keys and values in turn.
    Map(Vec<(Reply, Reply)>),
    /// Different replies in no particular order; in RESP2 an array.
    Set(Vec<Reply>),
    /// A message that nobody asked for; in RESP2 an array.
    Push(Vec<Reply>),
    /// A number; in RESP2 bytes.
    Double(f64),
    /// True or false; in RESP2 1 or 0.
    Bool(bool),
    /// An integer of any size, in decimal digits; in RESP2 bytes.
    BigNumber(String),
    /// Text of a format (`txt`, `mkd`); in RESP2 bytes.
    Verbatim {
        /// Three letters.
        format: [u8; 3],
        /// The text.
        text: Bytes,
    },
    /// Several answers to one request, one after another.
    Several(Vec<Reply>),
    /// No answer at all: nothing is written.
    None,
}

impl Reply {
    /// `+OK`
    pub const OK: Reply = Reply::Status(Cow::Borrowed("OK"));
    /// `+PONG`
    pub const PONG: Reply = Reply::Status(Cow::Borrowed("PONG"));
    /// `+QUEUED`
    pub const QUEUED: Reply = Reply::Status(Cow::Borrowed("QUEUED"));

    /// Bytes.
    pub fn bulk(bytes: impl Into<Bytes>) -> Self {
        Reply::Bulk(bytes.into())
    }

    /// An error: its code, a space, and its text.
    pub fn error(text: impl Into<Cow<'static, str>>) -> Self {
        Reply::Error(text.into())
    }
}

impl Reply {
    /// The bytes of all strings in the reply: about what it takes to encode it, if it is long.
    pub fn body_bytes(&self) -> usize {
        let all = |replies: &[Reply]| replies.iter().map(Reply::body_bytes).sum();
        match self {
            Reply::Bulk(bytes) | Reply::Verbatim { text: bytes, .. } => bytes.len(),
            Reply::Array(replies)
            | Reply::Set(replies)
            | Reply::Push(replies)
            | Reply::Several(replies) => all(replies),
            Reply::Map(pairs) => pairs.iter().map(|(k, v)| k.body_bytes() + v.body_bytes()).sum(),
            _ => 0,
        }
    }
}

impl From<i64> for Reply {
    fn from(n: i64) -> Self {
        Reply::Int(n)
    }
}

/// Redis' integers are signed: a greater number becomes the greatest of them.
impl From<u64> for Reply {
    fn from(n: u64) -> Self {
        Reply::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Reply {
    fn from(n: usize) -> Self {
        Reply::from(n as u64)
    }
}

/// 1 or 0, as most commands say yes and no in either protocol.
impl From<bool> for Reply {
    fn from(yes: bool) -> Self {
        Reply::Int(i64::from(yes))
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Reply::Bulk(bytes)
    }
}

impl From<Option<Bytes>> for Reply {
    fn from(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Reply::Null, Reply::Bulk)
    }
}

impl From<Vec<Reply>> for Reply {
    fn from(replies: Vec<Reply>) -> Self {
        Reply::Array(replies)
    }
}
