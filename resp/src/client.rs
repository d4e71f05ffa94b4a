//! The client's side: requests out, replies in. Replies are decoded by the crate `redis-protocol`, which is
//! named here only: an implementation that is not ours keeps ours honest.

use crate::encode::{bulk, number};
use crate::reply::{Protocol, Reply};
use bytes::{Bytes, BytesMut};
use redis_protocol::resp2::{decode::decode_bytes as decode2, types::BytesFrame as Frame2};
use redis_protocol::resp3::decode::complete::decode_bytes as decode3;
use redis_protocol::resp3::types::{BytesFrame as Frame3, VerbatimStringFormat};
use std::io::{self, Read, Write};

const READ_BYTES: usize = 64 << 10;

/// Appends a request to `out`.
pub fn encode_request(args: &[&[u8]], out: &mut Vec<u8>) {
    number(out, b'*', args.len() as i64);
    for arg in args {
        bulk(out, b'$', arg);
    }
}

/// A client that waits for its replies, over anything that reads and writes. For servers that are trusted:
/// it sets no limits.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    protocol: Protocol,
    output: Vec<u8>,
    input: BytesMut,
}

impl<S: Read + Write> Client<S> {
    /// A client over a connection on which nothing was said yet.
    pub fn new(stream: S) -> Self {
        Client { stream, protocol: Protocol::Resp2, output: Vec::new(), input: BytesMut::new() }
    }

    /// The connection.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Asks, and waits for the reply. An error of the server's is a [`Reply::Error`].
    ///
    /// # Errors
    /// Of the connection; [`io::ErrorKind::InvalidData`] if what comes is no reply.
    pub fn call(&mut self, args: &[&[u8]]) -> io::Result<Reply> {
        self.send(args)?;
        self.flush()?;
        self.receive()
    }

    /// Asks, without waiting; sent with the next [`Client::flush`].
    ///
    /// # Errors
    /// None at present.
    pub fn send(&mut self, args: &[&[u8]]) -> io::Result<()> {
        encode_request(args, &mut self.output);
        Ok(())
    }

    /// Sends what was asked.
    ///
    /// # Errors
    /// Of the connection.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        self.stream.flush()
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// As [`Client::call`]; [`io::ErrorKind::UnexpectedEof`] if the server closes the connection.
    pub fn receive(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.take()? {
                return Ok(reply);
            }
            let start = self.input.len();
            self.input.resize(start + READ_BYTES, 0);
            let read = self.stream.read(&mut self.input[start..]);
            self.input.truncate(start + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Chooses the protocol, by `HELLO`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn hello(&mut self, protocol: Protocol) -> io::Result<Reply> {
        let version = if protocol == Protocol::Resp3 { b"3" } else { b"2" };
        self.send(&[b"HELLO", version])?;
        self.flush()?;
        // The answer is in the new protocol already.
        self.protocol = protocol;
        self.receive()
    }

    /// The reply at the front of the input, if all of it is there.
    fn take(&mut self) -> io::Result<Option<Reply>> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let invalid = |e| io::Error::new(io::ErrorKind::InvalidData, format!("{e}"));
        let whole: Bytes = std::mem::take(&mut self.input).freeze();
        let found = match self.protocol {
            Protocol::Resp2 => {
                let null_array = whole.starts_with(b"*-1\r\n");
                decode2(&whole).map_err(invalid)?.map(|(frame, len)| {
                    (if null_array { Reply::NullArray } else { from_resp2(frame) }, len)
                })
            }
            Protocol::Resp3 => {
                decode3(&whole).map_err(invalid)?.map(|(frame, len)| (from_resp3(frame), len))
            }
        };
        let taken = found.as_ref().map_or(0, |(_, len)| *len);
        self.input = BytesMut::from(&whole[taken..]);
        Ok(found.map(|(reply, _)| reply))
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'static, str> {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn from_resp2(frame: Frame2) -> Reply {
    match frame {
        Frame2::SimpleString(bytes) => Reply::Status(text(&bytes)),
        Frame2::Error(message) => Reply::Error(message.to_string().into()),
        Frame2::Integer(n) => Reply::Int(n),
        Frame2::BulkString(bytes) => Reply::Bulk(bytes),
        Frame2::Array(frames) => Reply::Array(frames.into_iter().map(from_resp2).collect()),
        Frame2::Null => Reply::Null,
    }
}

fn from_resp3(frame: Frame3) -> Reply {
    let each = |frames: Vec<Frame3>| frames.into_iter().map(from_resp3).collect();
    match frame {
        Frame3::SimpleString { data, .. } => Reply::Status(text(&data)),
        Frame3::SimpleError { data, .. } => Reply::Error(data.to_string().into()),
        Frame3::BlobError { data, .. } => Reply::Error(text(&data)),
        Frame3::BlobString { data, .. } | Frame3::ChunkedString(data) => Reply::Bulk(data),
        Frame3::Number { data, .. } => Reply::Int(data),
        Frame3::Null => Reply::Null,
        Frame3::Boolean { data, .. } => Reply::Bool(data),
        Frame3::Double { data, .. } => Reply::Double(data),
        Frame3::BigNumber { data, .. } => Reply::BigNumber(text(&data).into_owned()),
        Frame3::VerbatimString { data, format, .. } => {
            let markdown = matches!(format, VerbatimStringFormat::Markdown);
            Reply::Verbatim { format: if markdown { *b"mkd" } else { *b"txt" }, text: data }
        }
        Frame3::Array { data, .. } => Reply::Array(each(data)),
        Frame3::Set { data, .. } => Reply::Set(data.into_iter().map(from_resp3).collect()),
        Frame3::Push { data, .. } => Reply::Push(each(data)),
        Frame3::Map { data, .. } => Reply::Map(
            data.into_iter().map(|(key, value)| (from_resp3(key), from_resp3(value))).collect(),
        ),
        Frame3::Hello { .. } => Reply::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// What is to be read, a few bytes at a time.
    struct Trickle(Vec<u8>, usize);

    impl Read for Trickle {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buf.len());
            buf[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    impl Write for Trickle {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            "[a-zA-Z ]{1,12}".prop_map(|s| Reply::Status(s.into())),
            "ERR [a-z]{1,12}".prop_map(|s| Reply::Error(s.into())),
            any::<i64>().prop_map(Reply::Int),
            vec(any::<u8>(), 0..40).prop_map(Reply::bulk),
            Just(Reply::Null),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| vec(inner, 0..5).prop_map(Reply::Array))
    }

    proptest! {
        #[test]
        fn replies_read_back_in_both_protocols_however_they_arrive(replies in vec(reply(), 1..5), step in 1..50_usize) {
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                let mut bytes = Vec::new();
                replies.iter().for_each(|reply| reply.encode(protocol, &mut bytes));
                let mut client = Client::new(Trickle(bytes, step));
                client.protocol = protocol;
                for wanted in &replies {
                    prop_assert_eq!(&client.receive().unwrap(), wanted);
                }
                let end = client.receive().unwrap_err();
                prop_assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
            }
        }
    }

    #[test]
    fn the_types_of_resp3_read_back() {
        let replies = [
            Reply::Map(vec![(Reply::bulk("proto"), Reply::Int(3))]),
            Reply::Set(vec![Reply::Int(1)]),
            Reply::Push(vec![Reply::bulk("message"), Reply::Int(1)]),
            Reply::Double(2.5),
            Reply::Bool(false),
            Reply::Verbatim { format: *b"txt", text: "x".into() },
        ];
        let mut bytes = Vec::new();
        replies.iter().for_each(|reply| reply.encode(Protocol::Resp3, &mut bytes));
        let mut client = Client::new(Trickle(bytes, 7));
        client.protocol = Protocol::Resp3;
        for wanted in replies {
            assert_eq!(client.receive().unwrap(), wanted);
        }
    }
}
