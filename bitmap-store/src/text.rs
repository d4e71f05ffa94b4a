//! Strings of bytes, and what the log says of changes to them.

use crate::MAX_VALUE_BYTES;
use crate::bitmap::varint;
use crate::touched::Touched;
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// A string of bytes.
#[derive(Default)]
pub(crate) struct Text {
    pub(crate) bytes: Bytes,
    /// It was changed in place: Redis calls its encoding raw, however short it is.
    pub(crate) raw: bool,
    pub(crate) touched: Touched<Range<usize>>,
}

/// Parts of a string that were written, one after the other: each an offset (varint), a length (varint), and
/// bytes. What lies between the string's end and an offset becomes zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes<'a>(pub(crate) Vec<(usize, &'a [u8])>);

impl Text {
    pub(crate) fn new(bytes: Bytes, raw: bool) -> Self {
        Text { bytes, raw, touched: Touched::default() }
    }

    pub(crate) fn append(&mut self, tail: &[u8]) {
        self.write(self.bytes.len(), tail);
    }

    /// Overwrites the string from `offset` on, padding it with zeros.
    pub(crate) fn write(&mut self, offset: usize, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        self.put(offset, part);
        self.raw = true;
        self.touched.push(offset..offset + part.len());
    }

    fn put(&mut self, offset: usize, part: &[u8]) {
        // In place, unless a reply still holds the bytes.
        let mut bytes = match std::mem::take(&mut self.bytes).try_into_mut() {
            Ok(bytes) => bytes,
            Err(shared) => BytesMut::from(&shared[..]),
        };
        if bytes.len() < offset {
            bytes.resize(offset, 0);
        }
        let within = part.len().min(bytes.len() - offset);
        bytes[offset..offset + within].copy_from_slice(&part[..within]);
        bytes.extend_from_slice(&part[within..]);
        self.bytes = bytes.freeze();
    }

    /// What the next delta must say, having absorbed so many links.
    pub(crate) fn pending(&self, absorbs: usize) -> Writes<'_> {
        let parts = self.touched.pending(absorbs).iter();
        Writes(parts.map(|range| (range.start, &self.bytes[range.clone()])).collect())
    }

    /// Applies a delta that the log has.
    pub(crate) fn load(&mut self, writes: &Writes<'_>) {
        for (offset, part) in &writes.0 {
            self.put(*offset, part);
        }
        self.raw |= !writes.0.is_empty();
        self.touched.load(writes.0.iter().map(|(offset, part)| *offset..offset + part.len()));
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len() + 32 + self.touched.memory_bytes()
    }
}

impl<'a> Writes<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (offset, part) in &self.0 {
            varint::put(out, *offset as u64);
            varint::put(out, part.len() as u64);
            out.extend_from_slice(part);
        }
    }

    /// Reads what [`Writes::encode`] wrote; the error says what is wrong with it.
    pub(crate) fn decode(mut bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut writes = Vec::new();
        while !bytes.is_empty() {
            let offset = varint::take(&mut bytes).ok_or("a written part without its place")?;
            let len = varint::take(&mut bytes).ok_or("a written part without its length")?;
            let end = offset.checked_add(len).filter(|end| *end <= MAX_VALUE_BYTES);
            end.ok_or("a written part lies beyond the longest string")?;
            let (part, rest) =
                bytes.split_at_checked(len as usize).ok_or("a written part is cut short")?;
            writes.push((offset as usize, part));
            bytes = rest;
        }
        Ok(Writes(writes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcask_core::{Chain, Location};
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// The base and the deltas of the chain give the string, whatever was absorbed on the way.
        #[test]
        fn deltas_rebuild_the_string(writes in vec((0..40_usize, vec(any::<u8>(), 1..6)), 1..200)) {
            let mut chain = Chain::base(Location { segment: 1, offset: 0, len: 9 });
            let mut deltas: Vec<Vec<u8>> = Vec::new();
            let mut text = Text::new(Bytes::from_static(b"base"), false);
            for (offset, part) in writes {
                text.write(offset, &part);
                let absorbs = chain.absorbs();
                deltas.truncate(deltas.len() - absorbs);
                let mut delta = Vec::new();
                text.pending(absorbs).encode(&mut delta);
                deltas.push(delta);
                text.touched.logged_delta(absorbs);
                chain.push(Location { segment: 1, offset: 9, len: 9 });
            }
            let mut again = Text::new(Bytes::from_static(b"base"), false);
            for delta in &deltas {
                again.load(&Writes::decode(delta).unwrap());
            }
            prop_assert_eq!(again.bytes, text.bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..40)) {
            let _ = Writes::decode(&bytes);
        }
    }
}
