//! SORT: the elements of a key in an order that may come from other keys, and what may be fetched for each.

use super::double::double;
use super::set::{MEMBERS, SET};
use super::walk::Place;
use super::{At, Transaction, ZsetRange};
use crate::layout;
use crate::{Db, Error, Kind};
use bytes::Bytes;
use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

/// How the elements of a key are sorted, and what is answered for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sort<'a> {
    /// What decides.
    pub by: SortBy<'a>,
    /// The greatest first.
    pub descending: bool,
    /// By bytes; otherwise by numbers.
    pub alphabetic: bool,
    /// So many of the sorted elements are left out; a negative number leaves out none.
    pub offset: i64,
    /// At most so many are answered; `None`, or a negative number: all that are left.
    pub count: Option<i64>,
    /// What is answered instead of each element: one value for each [`Pattern`], `None` where there is none.
    pub get: &'a [Pattern<'a>],
    /// The values of other keys may have so many bytes together; `None`: any number.
    pub most_bytes: Option<usize>,
}

/// What decides the order of elements.
#[derive(Clone, Copy, Debug, Default)]
pub enum SortBy<'a> {
    /// They do themselves.
    #[default]
    Element,
    /// What other keys hold; a missing one is 0 by numbers, and before all others by bytes.
    Weight(Pattern<'a>),
    /// Nothing: they come as the key has them, or the other way round.
    Nothing,
}

/// The name of a value for an element: `weight_*` is a string, `object_*->weight` the field of a hash, the star being
/// the element; `#` is the element itself. Without a star it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a> {
    text: &'a [u8],
    /// Where its star is, and the arrow to a field after it.
    star: Option<(usize, Option<usize>)>,
}

impl<'a> Pattern<'a> {
    /// The pattern that `text` is. As in Redis, neither star nor arrow is seen behind a zero byte.
    pub fn new(text: &'a [u8]) -> Self {
        let seen = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let star = seen.iter().position(|byte| *byte == b'*').map(|star| {
            let arrow = seen[star + 1..].windows(2).position(|pair| pair == b"->");
            // An arrow to nothing is part of the name.
            (star, arrow.map(|at| star + 1 + at).filter(|arrow| arrow + 2 < seen.len()))
        });
        Pattern { text, star }
    }

    /// Whether it names keys that are not known before.
    pub fn reaches_keys(&self) -> bool {
        self.star.is_some()
    }

    fn is_element(&self) -> bool {
        self.text.split(|byte| *byte == 0).next() == Some(b"#")
    }

    /// The key, and the field if the value is one, for `element`.
    fn name(&self, element: &[u8]) -> Option<(Vec<u8>, Option<&'a [u8]>)> {
        let (star, arrow) = self.star?;
        let end = arrow.unwrap_or(self.text.len());
        let key = [&self.text[..star], element, &self.text[star + 1..end]].concat();
        Some((key, arrow.map(|arrow| &self.text[arrow + 2..])))
    }
}

impl Transaction<'_> {
    /// The elements of the set, list or sorted set at `key`, sorted, or what is to be got for each. A missing key has none.
    ///
    /// What patterns reach must be named to the transaction, too: it should have all keys.
    ///
    /// # Errors
    /// [`Error::WrongType`] if `key` holds something else; [`Error::NotSortable`] if what decides by numbers is none
    /// somewhere; [`Error::AnswerTooLong`]; [`Error::Storage`] or [`Error::Damaged`] if something cannot be read.
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, Keyspace, Options, Pattern, Sort, SortBy, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin_exclusive(now);
    /// transaction.set_add(db, b"users", [&b"ada"[..], b"bob"].into_iter())?;
    /// transaction.set(db, b"age:ada", b"36", None)?;
    /// transaction.set(db, b"age:bob", b"7", None)?;
    /// let by = SortBy::Weight(Pattern::new(b"age:*"));
    /// let sorted = transaction.sort(db, b"users", &Sort { by, ..Sort::default() })?;
    /// assert_eq!(sorted, [Some("bob".into()), Some("ada".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sort(
        &mut self,
        db: Db,
        key: &[u8],
        sort: &Sort<'_>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let at = self.at(db, key)?;
        let mut elements = self.elements(&at)?;
        let range = sort.range(elements.len());
        let mut left = sort.most_bytes.unwrap_or(usize::MAX);
        match sort.by {
            SortBy::Nothing if sort.descending => elements.reverse(),
            SortBy::Nothing => {}
            SortBy::Element if sort.alphabetic => {
                elements.sort_by(|a, b| sort.turned(a.cmp(b)));
            }
            SortBy::Weight(pattern) if sort.alphabetic => {
                let mut weighed = Vec::with_capacity(elements.len());
                for element in elements {
                    let weight = self.fetch(db, &pattern, &element)?;
                    spend(&mut left, &weight)?;
                    weighed.push((weight, element));
                }
                weighed.sort_by(|(a, _), (b, _)| sort.turned(a.cmp(b)));
                elements = weighed.into_iter().map(|(_, element)| element).collect();
            }
            SortBy::Element | SortBy::Weight(_) => {
                let mut weighed = Vec::with_capacity(elements.len());
                for element in elements {
                    let weight = match &sort.by {
                        SortBy::Weight(pattern) => match self.fetch(db, pattern, &element)? {
                            Some(text) => double(&text),
                            None => Some(0.0),
                        },
                        _ => double(&element),
                    };
                    weighed.push((weight.ok_or(Error::NotSortable)?, element));
                }
                let compare = |(a, x): &(f64, Bytes), (b, y): &(f64, Bytes)| {
                    // None is not a number.
                    a.partial_cmp(b).unwrap_or(Ordering::Equal).then_with(|| x.cmp(y))
                };
                weighed.sort_by(|a, b| sort.turned(compare(a, b)));
                elements = weighed.into_iter().map(|(_, element)| element).collect();
            }
        }
        let chosen = elements.drain(range);
        if sort.get.is_empty() {
            return Ok(chosen.map(Some).collect());
        }
        let mut got = Vec::with_capacity(chosen.len().saturating_mul(sort.get.len()));
        for element in chosen {
            for pattern in sort.get {
                let value = self.fetch(db, pattern, &element)?;
                spend(&mut left, &value)?;
                got.push(value);
            }
        }
        Ok(got)
    }

    /// As [`Transaction::sort`], and puts a list of what comes out at `dst`, whatever that holds; what is not there is
    /// empty. The length of the list; without elements, `dst` is gone.
    ///
    /// # Errors
    /// As [`Transaction::sort`].
    pub fn sort_store(
        &mut self,
        db: Db,
        key: &[u8],
        dst: &[u8],
        sort: &Sort<'_>,
    ) -> Result<u64, Error> {
        let elements = self.sort(db, key, sort)?;
        let dst = self.at(db, dst)?;
        let count = elements.len() as u64;
        self.store_list(&dst, elements.into_iter().map(Option::unwrap_or_default).collect())?;
        Ok(count)
    }

    /// The value that a pattern names for an element. One of another type than it asks for is none.
    fn fetch(
        &mut self,
        db: Db,
        pattern: &Pattern<'_>,
        element: &Bytes,
    ) -> Result<Option<Bytes>, Error> {
        if pattern.is_element() {
            return Ok(Some(element.clone()));
        }
        let Some((key, field)) = pattern.name(element) else { return Ok(None) };
        let found = match field {
            None => self.get(db, &key),
            Some(field) => self.hash_get(db, &key, field),
        };
        match found {
            Err(Error::WrongType | Error::KeyTooLong) => Ok(None),
            found => found,
        }
    }

    /// Gives a key a list of these elements, whatever it had. Without any, the key is gone.
    fn store_list(&mut self, at: &At, elements: Vec<Bytes>) -> Result<(), Error> {
        let elements = elements.iter().map(|element| &element[..]);
        self.list_store(at.db, layout::key_of(&at.name), elements, None)
    }

    /// The elements of a set, list or sorted set, in its own order.
    fn elements(&mut self, at: &At) -> Result<Vec<Bytes>, Error> {
        let Some(entry) = self.read(at)? else { return Ok(Vec::new()) };
        let kind = entry.value.kind();
        let mut elements = Vec::new();
        match kind {
            Some(Kind::Set) => {
                self.walk_forward(at, SET, MEMBERS, Place::Rank(0), &mut |member, _| {
                    elements.push(Bytes::copy_from_slice(member));
                    ControlFlow::Continue(())
                })?;
            }
            Some(Kind::List) => {
                self.walk_forward(at, Kind::List, MEMBERS, Place::Rank(0), &mut |_, element| {
                    elements.push(Bytes::copy_from_slice(element));
                    ControlFlow::Continue(())
                })?;
            }
            Some(Kind::SortedSet) => {
                let (db, key) = (at.db, layout::key_of(&at.name));
                let all = ZsetRange::Ranks(0, -1);
                self.zset_range(db, key, &all, false, 0, u64::MAX, &mut |member, _| {
                    elements.push(Bytes::copy_from_slice(member));
                    ControlFlow::Continue(())
                })?;
            }
            _ => return Err(Error::WrongType),
        }
        Ok(elements)
    }
}

/// Takes a value's bytes from those that are left.
fn spend(left: &mut usize, value: &Option<Bytes>) -> Result<(), Error> {
    let len = value.as_ref().map_or(0, Bytes::len);
    *left = left.checked_sub(len).ok_or(Error::AnswerTooLong)?;
    Ok(())
}

impl Sort<'_> {
    /// Which of `len` sorted elements are answered.
    fn range(&self, len: usize) -> Range<usize> {
        let clipped = |n: i64| usize::try_from(n).unwrap_or(0).min(len);
        let start = clipped(self.offset);
        let end = match self.count {
            Some(count @ 0..) => start.saturating_add(clipped(count)).min(len),
            _ => len,
        };
        start..end
    }

    fn turned(&self, order: Ordering) -> Ordering {
        if self.descending { order.reverse() } else { order }
    }
}
