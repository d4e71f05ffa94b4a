//! From the body of a payload to a value, by its first byte.
//!
//! | type | is | body |
//! |---:|---|---|
//! | 0 | string | a string |
//! | 1 | list | a length, as many strings |
//! | 2 | set | a length, as many strings |
//! | 3 | sorted set | a length, as many pairs of a string and a score as text: its length (1), or 253 NaN, 254 inf, 255 −inf |
//! | 4 | hash | a length, as many pairs of strings |
//! | 5 | sorted set | a length, as many pairs of a string and a score (8, a little endian double) |
//! | 9 | hash | a string: [`zipmap`] |
//! | 10, 12, 13 | list, sorted set, hash | a string: [`ziplist`] |
//! | 11 | set | a string: [`intset`] |
//! | 14 | list | a length, as many strings, each a [`ziplist`] |
//! | 16, 17, 20 | hash, sorted set, set | a string: [`listpack`] |
//! | 18 | list | a length, as many nodes: 1 and an element, or 2 and a [`listpack`] |
//!
//! Of sorted sets and hashes, compact lists hold pairs. A length is, by its first byte:
//!
//! | first byte | then | is |
//! |---|---|---|
//! | `00llllll` | | l |
//! | `01llllll` | low 8 bits of l | l |
//! | `80`, `81` | 4, 8 bytes, big endian | l |
//!
//! and a string is a length and as many bytes, or, by its first byte:
//!
//! | first byte | then | is |
//! |---|---|---|
//! | `c0`, `c1`, `c2` | 1, 2, 4 bytes, little endian | a number, signed, as text |
//! | `c3` | compressed length, length, bytes | [`lzf`] |

use super::input::{Element, Input};
use super::{Error, Value, intset, listpack, lzf, score, ziplist, zipmap};
use crate::MAX_VALUE_BYTES;
use bytes::Bytes;
use std::borrow::Cow;

/// What a value may take in memory: as much as two of the longest strings.
const MEMORY: usize = 2 * MAX_VALUE_BYTES as usize;
/// What an element takes beside its bytes.
const ELEMENT: usize = 40;

const PLAIN_NODE: u64 = 1;
const PACKED_NODE: u64 = 2;

type Reason = &'static str;
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Visit<'v, 'l> = &'v mut dyn FnMut(Element<'l>) -> Result<(), Reason>;

struct Reader<'a> {
    input: Input<'a>,
    /// Memory that may still be taken.
    left: usize,
}

/// Reads a type and a value. What is behind them means nothing, as in Redis.
pub(super) fn value(body: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader { input: Input(body), left: MEMORY };
    let kind = reader.input.byte()?;
    let value = reader.value(kind)?;
    let is_empty = match &value {
        Value::String(_) => false,
        Value::List(elements) | Value::Set(elements) => elements.is_empty(),
        Value::Hash(pairs) => pairs.is_empty(),
        Value::SortedSet(pairs) => pairs.is_empty(),
    };
    if is_empty {
        return Err(Error::Malformed("a collection is empty"));
    }
    Ok(value)
}

impl<'a> Reader<'a> {
    fn value(&mut self, kind: u8) -> Result<Value, Error> {
        Ok(match kind {
            0 => Value::String(match self.string()? {
                Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
                Cow::Owned(bytes) => bytes.into(),
            }),
            1 => Value::List(self.strings()?),
            2 => Value::Set(unique(self.strings()?)?),
            3 => Value::SortedSet(self.scored(Self::score_text)?),
            4 => {
                let mut pairs = Pairs::new();
                for _ in 0..self.count(2)? {
                    pairs.push((self.element()?, self.element()?));
                }
                Value::Hash(unique_names(pairs)?)
            }
            5 => Value::SortedSet(
                self.scored(|reader| Ok(f64::from_le_bytes(reader.input.array()?)))?,
            ),
            9 => {
                let map = self.string()?;
                let mut pairs = Pairs::new();
                zipmap::each(&map, &mut |field, value| {
                    self.pay(field.len() + ELEMENT)?;
                    self.pay(value.len() + ELEMENT)?;
                    pairs.push((field.to_vec(), value.to_vec()));
                    Ok(())
                })?;
                Value::Hash(unique_names(pairs)?)
            }
            10 => Value::List(self.packed(ziplist::each)?),
            11 => {
                let numbers = intset::read(&self.string()?)?;
                self.pay(numbers.len().saturating_mul(ELEMENT + 8))?;
                Value::Set(numbers.into_iter().map(|n| n.to_string().into_bytes()).collect())
            }
            12 => Value::SortedSet(with_scores(pairs(self.packed(ziplist::each)?)?)?),
            13 => Value::Hash(unique_names(pairs(self.packed(ziplist::each)?)?)?),
            14 => {
                let mut elements = Vec::new();
                for _ in 0..self.count(1)? {
                    elements.append(&mut self.packed(ziplist::each)?);
                }
                Value::List(elements)
            }
            16 => Value::Hash(unique_names(pairs(self.packed(listpack::each)?)?)?),
            17 => Value::SortedSet(with_scores(pairs(self.packed(listpack::each)?)?)?),
            18 => {
                let mut elements = Vec::new();
                for _ in 0..self.count(2)? {
                    match self.length()? {
                        PLAIN_NODE => elements.push(self.element()?),
                        PACKED_NODE => elements.append(&mut self.packed(listpack::each)?),
                        _ => return Err(Error::Malformed("a list has a node of an unknown kind")),
                    }
                }
                Value::List(elements)
            }
            20 => Value::Set(unique(self.packed(listpack::each)?)?),
            6 | 7 => return Err(Error::Unsupported("a module's value")),
            15 | 19 | 21 => return Err(Error::Unsupported("a stream")),
            22..=25 => return Err(Error::Unsupported("a hash whose fields expire")),
            _ => return Err(Error::Malformed("it is of an unknown type")),
        })
    }

    /// Takes memory into account before it is taken.
    fn pay(&mut self, bytes: usize) -> Result<(), Reason> {
        self.left = self.left.checked_sub(bytes).ok_or("it is larger than a value may be")?;
        Ok(())
    }

    fn length(&mut self) -> Result<u64, Reason> {
        let first = self.input.byte()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, Reason> {
        Ok(match first {
            0x00..=0x3f => u64::from(first),
            0x40..=0x7f => u64::from(first & 0x3f) << 8 | u64::from(self.input.byte()?),
            0x80 => u64::from(u32::from_be_bytes(self.input.array()?)),
            0x81 => u64::from_be_bytes(self.input.array()?),
            _ => return Err("it has a length of an unknown kind"),
        })
    }

    /// The length of a run of things that take at least `least` bytes each.
    fn count(&mut self, least: usize) -> Result<usize, Reason> {
        let count = self.length()?;
        let most = self.input.len() / least;
        usize::try_from(count)
            .ok()
            .filter(|n| *n <= most)
            .ok_or("it has fewer elements than it says")
    }

    /// The length of a string that is no longer than the longest, nor than the budget.
    fn string_length(&mut self) -> Result<usize, Reason> {
        let len = self.length()?;
        if len > MAX_VALUE_BYTES {
            return Err("it has a string that is too long");
        }
        Ok(len as usize)
    }

    fn string(&mut self) -> Result<Cow<'a, [u8]>, Reason> {
        let first = self.input.byte()?;
        let width = match first {
            0xc0 => 1,
            0xc1 => 2,
            0xc2 => 4,
            0xc3 => {
                let (compressed_len, len) = (self.string_length()?, self.string_length()?);
                let compressed = self.input.take(compressed_len)?;
                self.pay(len)?;
                return Ok(Cow::Owned(lzf::decompress(compressed, len)?));
            }
            _ => {
                let len = self.length_after(first)?;
                let len = usize::try_from(len).map_err(|_| "it is cut short")?;
                return Ok(Cow::Borrowed(self.input.take(len)?));
            }
        };
        Ok(Cow::Owned(self.input.signed(width)?.to_string().into_bytes()))
    }

    /// A string that is an element.
    fn element(&mut self) -> Result<Vec<u8>, Reason> {
        let string = self.string()?;
        self.pay(string.len() + ELEMENT)?;
        Ok(string.into_owned())
    }

    fn strings(&mut self) -> Result<Vec<Vec<u8>>, Reason> {
        (0..self.count(1)?).map(|_| self.element()).collect()
    }

    /// The elements of a compact list in a string.
    fn packed(
        &mut self,
        each: for<'l> fn(&'l [u8], Visit<'_, 'l>) -> Result<usize, Reason>,
    ) -> Result<Vec<Vec<u8>>, Reason> {
        let list = self.string()?;
        let mut elements = Vec::new();
        each(&list, &mut |element| {
            let element = element.to_vec();
            self.pay(element.len() + ELEMENT)?;
            elements.push(element);
            Ok(())
        })?;
        Ok(elements)
    }

    fn scored(
        &mut self,
        score: fn(&mut Self) -> Result<f64, Reason>,
    ) -> Result<Vec<(Vec<u8>, f64)>, Reason> {
        let mut members = Vec::new();
        for _ in 0..self.count(2)? {
            let (member, score) = (self.element()?, score(self)?);
            if score.is_nan() {
                return Err("a score is not a number");
            }
            members.push((member, score));
        }
        unique_names(members)
    }

    fn score_text(&mut self) -> Result<f64, Reason> {
        Ok(match self.input.byte()? {
            253 => f64::NAN,
            254 => f64::INFINITY,
            255 => f64::NEG_INFINITY,
            len => {
                let text = self.input.take(usize::from(len))?;
                score::parse(text).ok_or("a score is not a number")?
            }
        })
    }
}

fn pairs(elements: Vec<Vec<u8>>) -> Result<Pairs, Reason> {
    if elements.len() % 2 == 1 {
        return Err("a list of pairs has an odd number of elements");
    }
    let mut elements = elements.into_iter();
    let mut pairs = Pairs::with_capacity(elements.len() / 2);
    while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn with_scores(pairs: Pairs) -> Result<Vec<(Vec<u8>, f64)>, Reason> {
    let mut members = Vec::with_capacity(pairs.len());
    for (member, text) in pairs {
        members.push((member, score::parse(&text).ok_or("a score is not a number")?));
    }
    unique_names(members)
}

fn unique(members: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Reason> {
    check_unique(members.iter().map(Vec::as_slice).collect())?;
    Ok(members)
}

fn unique_names<V>(pairs: Vec<(Vec<u8>, V)>) -> Result<Vec<(Vec<u8>, V)>, Reason> {
    check_unique(pairs.iter().map(|(name, _)| name.as_slice()).collect())?;
    Ok(pairs)
}

fn check_unique(mut names: Vec<&[u8]>) -> Result<(), Reason> {
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err("something is in it twice"),
        false => Ok(()),
    }
}
