//! A run of entries in byte order of their keys, flat in memory as it lies in the log.
//!
//! Entries follow each other without gaps; each is
//!
//! | field | size | meaning |
//! |---|---|---|
//! | key_len | varint | bytes of the key |
//! | value_len | varint | bytes of the value |
//! | key | key_len | above the key of the entry before |
//! | value | value_len | |
//!
//! A leaf of a page has a few hundred of them at most: finding one compares some eight keys, and inserting one moves
//! some kilobytes of memory.

use crate::bitmap::varint;
use std::ops::Range;

/// Entries in ascending order of their keys, each key once.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// As encoded.
    bytes: Vec<u8>,
    /// Where in `bytes` each entry begins.
    starts: Vec<u32>,
}

/// What putting an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is new.
    New,
    /// Its value is another one.
    Changed,
    /// It was there, with this value.
    Same,
}

/// Longest encoding of the two lengths.
const HEAD_BYTES: usize = 20;

/// The two lengths before an entry.
struct Head {
    bytes: [u8; HEAD_BYTES],
    len: usize,
}

impl Head {
    fn new(key_len: usize, value_len: usize) -> Self {
        let mut head = Head { bytes: [0; HEAD_BYTES], len: 0 };
        for mut n in [key_len, value_len] {
            while n >= 0x80 {
                head.push(n as u8 | 0x80);
                n >>= 7;
            }
            head.push(n as u8);
        }
        head
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Leaf {
    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes as encoded.
    pub(crate) fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Memory beside the leaf itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<u32>()
    }

    /// The entry at `index`: its key and its value.
    ///
    /// # Panics
    /// Beyond the last.
    pub(crate) fn entry(&self, index: usize) -> (&[u8], &[u8]) {
        let (key, value) = self.parts(index);
        (&self.bytes[key], &self.bytes[value])
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        (0..self.len()).map(|index| self.entry(index))
    }

    /// Where the entry of `key` is, or would be.
    pub(crate) fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.starts.binary_search_by(|start| self.key_at(*start as usize).cmp(key))
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.find(key).ok().map(|index| self.entry(index).1)
    }

    /// Gives `key` a value; says at which index, and what that did.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> (usize, Put) {
        match self.find(key) {
            Ok(index) if self.entry(index).1 == value => (index, Put::Same),
            Ok(index) => {
                self.set(index, value);
                (index, Put::Changed)
            }
            Err(index) => {
                self.insert_at(index, key, value);
                (index, Put::New)
            }
        }
    }

    /// Puts an entry before the one at `index`, where its key belongs.
    pub(crate) fn insert_at(&mut self, index: usize, key: &[u8], value: &[u8]) {
        let head = Head::new(key.len(), value.len());
        let len = head.len + key.len() + value.len();
        let start = self.start(index);
        self.resize(start..start, len, index);
        self.starts.insert(index, start as u32);
        self.write(start, &[head.as_slice(), key, value]);
    }

    /// Gives the entry at `index` another value.
    pub(crate) fn set(&mut self, index: usize, value: &[u8]) {
        let (key, old) = self.parts(index);
        if old.len() == value.len() {
            self.bytes[old].copy_from_slice(value);
            return;
        }
        let (start, end) = (self.start(index), old.end);
        let head = Head::new(key.len(), value.len());
        let key_to = start + head.len;
        let len = head.len + key.len() + value.len();
        if head.len == key.start - start {
            // The key stays where it is.
            self.resize(start..end, len, index + 1);
            self.write(start, &[head.as_slice()]);
            self.write(key_to + key.len(), &[value]);
            return;
        }
        let key = self.bytes[key].to_vec();
        self.resize(start..end, len, index + 1);
        self.write(start, &[head.as_slice(), &key, value]);
    }

    /// Takes the entry of `key` out; false if there is none.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let found = self.find(key);
        if let Ok(index) = found {
            self.remove_at(index);
        }
        found.is_ok()
    }

    /// Takes the entry at `index` out.
    pub(crate) fn remove_at(&mut self, index: usize) {
        let entry = self.start(index)..self.start(index + 1);
        self.starts.remove(index);
        self.resize(entry, 0, index);
    }

    /// Takes the entries from `index` on out.
    pub(crate) fn split_off(&mut self, index: usize) -> Leaf {
        let at = self.start(index);
        let mut starts = self.starts.split_off(index);
        starts.iter_mut().for_each(|start| *start -= at as u32);
        Leaf { bytes: self.bytes.split_off(at), starts }
    }

    /// Adds the entries of `other`, which are above all of these.
    pub(crate) fn append(&mut self, other: &Leaf) {
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.starts.extend(other.starts.iter().map(|start| start + at));
    }

    /// Adds an entry, whose key is above all others.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.starts.push(self.bytes.len() as u32);
        self.bytes.extend_from_slice(Head::new(key.len(), value.len()).as_slice());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// The index of the first entry that begins at or after byte `at` as encoded; not the first of all, nor one beyond
    /// the last, so that cutting there leaves something on both sides.
    ///
    /// # Panics
    /// With fewer than two entries.
    pub(crate) fn cut_near(&self, at: usize) -> usize {
        self.starts.partition_point(|start| (*start as usize) < at).clamp(1, self.len() - 1)
    }

    /// Bytes that an entry takes as encoded.
    pub(crate) fn entry_len(key: &[u8], value: &[u8]) -> usize {
        Head::new(key.len(), value.len()).len + key.len() + value.len()
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }

    /// Reads what [`Leaf::encode`] wrote; the error says what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "an entry is cut short";
        if u32::try_from(bytes.len()).is_err() {
            return Err("a page is longer than any");
        }
        let mut starts = Vec::new();
        let mut rest = bytes;
        let mut before: Option<&[u8]> = None;
        while !rest.is_empty() {
            starts.push((bytes.len() - rest.len()) as u32);
            let key_len = varint::take(&mut rest).ok_or(SHORT)?;
            let value_len = varint::take(&mut rest).ok_or(SHORT)?;
            let (key, after) = split(rest, key_len).ok_or(SHORT)?;
            let (_, after) = split(after, value_len).ok_or(SHORT)?;
            if before.is_some_and(|before| before >= key) {
                return Err("entries are out of order");
            }
            (before, rest) = (Some(key), after);
        }
        // Numbers have one form that is written; another one would make what is written longer than what was read.
        let leaf = Leaf { bytes: bytes.to_vec(), starts };
        let written = leaf.iter().map(|(key, value)| Leaf::entry_len(key, value)).sum::<usize>();
        if written == bytes.len() { Ok(leaf) } else { Err("a length has a needless zero") }
    }

    fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(self.bytes.len(), |start| *start as usize)
    }

    /// Where the key and the value of an entry lie.
    fn parts(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let (key, value_len) = self.head(self.starts[index] as usize);
        let value = key.end..key.end + value_len;
        (key, value)
    }

    fn key_at(&self, start: usize) -> &[u8] {
        &self.bytes[self.head(start).0]
    }

    /// Where the key of the entry at `start` lies, and the length of its value.
    fn head(&self, start: usize) -> (Range<usize>, usize) {
        let bytes = &self.bytes[start..];
        if let [key_len @ 0..0x80, value_len @ 0..0x80, ..] = *bytes {
            let key = start + 2;
            return (key..key + usize::from(key_len), usize::from(value_len));
        }
        let mut rest = bytes;
        let mut len =
            || varint::take(&mut rest).expect("entries were checked when they came") as usize;
        let (key_len, value_len) = (len(), len());
        let key = start + bytes.len() - rest.len();
        (key..key + key_len, value_len)
    }

    /// Makes room of `len` bytes in the place of `old`; entries from `after` on move.
    fn resize(&mut self, old: Range<usize>, len: usize, after: usize) {
        let end = self.bytes.len();
        if len >= old.len() {
            let more = len - old.len();
            assert!(end + more <= u32::MAX as usize, "a leaf is shorter than 4 GiB");
            self.bytes.resize(end + more, 0);
            self.bytes.copy_within(old.end..end, old.end + more);
            self.starts[after..].iter_mut().for_each(|start| *start += more as u32);
        } else {
            let less = old.len() - len;
            self.bytes.copy_within(old.end..end, old.end - less);
            self.bytes.truncate(end - less);
            self.starts[after..].iter_mut().for_each(|start| *start -= less as u32);
        }
    }

    fn write(&mut self, mut at: usize, parts: &[&[u8]]) {
        for part in parts {
            self.bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
    }
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_map().entries(self.iter().map(|(key, value)| (text(key), text(value)))).finish()
    }
}

fn split(bytes: &[u8], at: u64) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::try_from(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn leaf(entries: &[(&[u8], &[u8])]) -> Leaf {
        let mut leaf = Leaf::default();
        entries.iter().for_each(|(key, value)| {
            leaf.put(key, value);
        });
        leaf
    }

    fn encoded(leaf: &Leaf) -> Vec<u8> {
        let mut out = Vec::new();
        leaf.encode(&mut out);
        out
    }

    /// Few keys, so that they meet; some long, so that their lengths take two bytes.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            vec(0..4_u8, 0..4),
            (1..3_usize, 126..132_usize).prop_map(|(n, len)| vec![n as u8; len])
        ]
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![4 => vec(any::<u8>(), 0..6), 1 => vec(any::<u8>(), 125..131)]
    }

    #[test]
    fn a_leaf_has_the_bytes_of_version_1() {
        let long = [b'x'; 130];
        assert_eq!(
            encoded(&leaf(&[(b"b", b"2"), (b"a", b""), (b"", b"zero")])),
            b"\x00\x04zero\x01\x00a\x01\x01b2"
        );
        assert_eq!(encoded(&leaf(&[(b"a", &long)])), [&b"\x01\x82\x01a"[..], &long].concat());
        assert_eq!(Leaf::decode(b"\x01\x00b\x01\x00a"), Err("entries are out of order"));
        assert_eq!(Leaf::decode(b"\x01\x00a\x01\x00a"), Err("entries are out of order"));
        assert_eq!(Leaf::decode(b"\x01\x02a"), Err("an entry is cut short"));
        assert_eq!(
            Leaf::decode(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00a"),
            Err("an entry is cut short")
        );
        assert_eq!(Leaf::decode(b"\x81\x00\x00a"), Err("a length has a needless zero"));
    }

    proptest! {
        /// The oracle is a map.
        #[test]
        fn a_leaf_is_an_ordered_map(ops in vec((key(), prop::option::weighted(0.7, value())), 0..60), cut in any::<usize>()) {
            let mut leaf = Leaf::default();
            let mut model = BTreeMap::new();
            for (key, value) in ops {
                match value {
                    Some(value) => {
                        let same = model.get(&key) == Some(&value);
                        let wanted = match model.insert(key.clone(), value.clone()) {
                            None => Put::New,
                            Some(_) if same => Put::Same,
                            Some(_) => Put::Changed,
                        };
                        let (index, put) = leaf.put(&key, &value);
                        prop_assert_eq!((put, leaf.entry(index)), (wanted, (&key[..], &value[..])));
                    }
                    None => prop_assert_eq!(leaf.remove(&key), model.remove(&key).is_some()),
                }
                prop_assert_eq!(leaf.get(&key), model.get(&key).map(|value| &value[..]));
                prop_assert_eq!(leaf.find(&key).unwrap_or_else(|at| at), model.range(..key).count());
            }
            prop_assert!(leaf.iter().eq(model.iter().map(|(key, value)| (&key[..], &value[..]))));
            let bytes = encoded(&leaf);
            prop_assert_eq!(bytes.len(), leaf.encoded_len());
            prop_assert_eq!(&Leaf::decode(&bytes).unwrap(), &leaf);
            let mut low = leaf.clone();
            let high = low.split_off(cut % (leaf.len() + 1));
            prop_assert_eq!(low.len(), cut % (leaf.len() + 1));
            low.append(&high);
            prop_assert_eq!(&low, &leaf);
        }

        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_what_would_be_written(bytes in vec(0..6_u8, 0..40), garbage in vec(any::<u8>(), 0..40)) {
            for bytes in [bytes, garbage] {
                if let Ok(leaf) = Leaf::decode(&bytes) {
                    prop_assert_eq!(encoded(&leaf), bytes);
                }
            }
        }
    }
}
