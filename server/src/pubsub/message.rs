//! What subscribers are sent, as bytes: made once, whatever the number of those who hear it.

use super::Kind;
use bitmap_store::{Bytes, Position};
use resp::{Protocol, Reply};

/// A message that was published, in the form in which everybody gets it who listens in the same way.
///
/// In both protocols it is the same list of strings; only the first byte says whether it is an array or was
/// pushed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// All but the first byte.
    rest: Bytes,
    /// What it tells of is durable once the log is, up to here.
    position: Position,
}

/// A message on its way to one client.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    message: Message,
    mark: u8,
}

impl Message {
    /// What those hear who listen to `channel` itself.
    pub(crate) fn to_channel(kind: Kind, channel: &[u8], text: &[u8], position: Position) -> Self {
        let word: &[u8] = if kind == Kind::Shard { b"smessage" } else { b"message" };
        Self::new(&[word, channel, text], position)
    }

    /// What those hear who listen to a pattern that `channel` matches.
    pub(crate) fn to_pattern(
        pattern: &[u8],
        channel: &[u8],
        text: &[u8],
        position: Position,
    ) -> Self {
        Self::new(&[b"pmessage", pattern, channel, text], position)
    }

    fn new(words: &[&[u8]], position: Position) -> Self {
        let mut encoded = Vec::with_capacity(words.iter().map(|word| word.len() + 16).sum());
        resp::encode_request(words, &mut encoded);
        Message { rest: Bytes::from(encoded).slice(1..), position }
    }

    pub(super) fn addressed(&self, protocol: Protocol) -> Letter {
        let mark = if protocol == Protocol::Resp3 { b'>' } else { b'*' };
        Letter { message: self.clone(), mark }
    }
}

impl Letter {
    /// The first byte.
    pub(crate) fn mark(&self) -> u8 {
        self.mark
    }

    /// All others.
    pub(crate) fn rest(&self) -> &Bytes {
        &self.message.rest
    }

    pub(crate) fn position(&self) -> Position {
        self.message.position
    }

    /// What it counts for, in bytes: as if nobody shared it.
    pub(super) fn weight(&self) -> usize {
        self.message.rest.len() + size_of::<Letter>()
    }

    /// Appends it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.mark);
        out.extend_from_slice(&self.message.rest);
    }
}

/// The answer to a subscription or its end, of which there are `count` now. No name: there was none to end.
pub(crate) fn confirmation(kind: Kind, begins: bool, name: Option<&[u8]>, count: usize) -> Reply {
    let word = match (kind, begins) {
        (Kind::Channel, true) => "subscribe",
        (Kind::Channel, false) => "unsubscribe",
        (Kind::Pattern, true) => "psubscribe",
        (Kind::Pattern, false) => "punsubscribe",
        (Kind::Shard, true) => "ssubscribe",
        (Kind::Shard, false) => "sunsubscribe",
    };
    Reply::Push(vec![
        Reply::bulk(Bytes::from_static(word.as_bytes())),
        name.map_or(Reply::Null, |name| Reply::bulk(Bytes::copy_from_slice(name))),
        Reply::from(count),
    ])
}
