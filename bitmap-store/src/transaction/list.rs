//! Lists: elements in an order of their own.
//!
//! A list is a collection whose keys are places in [`order`]: an element is pushed one place further than the
//! last, or put between two, and nothing else moves. So pages, changes and ranks are those of every collection; the
//! ends are its first and its last page.

use super::collection::Shape;
use super::walk::{Place, Visit};
use super::{At, Transaction};
use crate::collection::leaf::Leaf;
use crate::collection::order;
use crate::layout::{Name, Part};
use crate::value::{Change, Value, damaged};
use crate::{Db, Error, Kind};
use bitcask_core::UnixMillis;
use bytes::Bytes;
use std::ops::{Bound, ControlFlow};

const LIST: Kind = Kind::List;
const ELEMENTS: Part = Part::Members;

/// So many pages from either end are gone through before the counts of all pages are looked at.
const NEAR_PAGES: usize = 8;
/// A place that would be longer is not taken before those around it are made short again.
const LONG_PLACE_BYTES: usize = 24;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where `LPUSH` pushes: index 0.
    Left,
    /// Where `RPUSH` pushes: index -1.
    Right,
}

/// Places between which something is to be inserted; none at an end.
type Neighbours = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What [`Transaction::list_insert`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There is no list.
    NoList,
    /// No element is like the one beside which it was to be inserted.
    NoPivot,
    /// It is there, in a list of this length.
    Length(u64),
}

/// Which elements [`Transaction::list_positions`] looks for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// So many equal elements are passed over.
    pub skip: u64,
    /// The end to begin at.
    pub from: End,
    /// At most so many are given.
    pub count: u64,
    /// At most so many elements are compared.
    pub compare: u64,
}

impl Transaction<'_> {
    /// Number of elements; 0 of a missing key. Reads the key's record only.
    ///
    /// # Errors
    /// [`Error::WrongType`] if `key` holds something else; [`Error::Storage`] or [`Error::Damaged`] if what is needed
    /// cannot be read. So for all methods of lists.
    pub fn list_len(&mut self, db: Db, key: &[u8]) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        self.members(&at, LIST)
    }

    /// Pushes elements at one end of the list at `key`, one after the other; its length then. A missing key becomes a
    /// list. Touches the page at that end, and those that it is split into.
    ///
    /// # Errors
    /// [`Error::StringTooLong`] if an element is as long as [`crate::MAX_VALUE_BYTES`]; else as
    /// [`Transaction::list_len`].
    ///
    /// # Examples
    /// ```
    /// # use bitmap_store::{Db, End, Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// # let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let (db, now) = (Db(0), UnixMillis(1_700_000_000_000));
    /// let mut transaction = keyspace.begin([(db, &b"jobs"[..])], now);
    /// assert_eq!(transaction.list_push(db, b"jobs", End::Right, [&b"one"[..], b"two"])?, 2);
    /// assert_eq!(transaction.list_pop(db, b"jobs", End::Left)?.as_deref(), Some(&b"one"[..]));
    /// transaction.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_push<'e>(
        &mut self,
        db: Db,
        key: &[u8],
        end: End,
        elements: impl IntoIterator<Item = &'e [u8], IntoIter: Clone>,
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        let elements = elements.into_iter();
        elements.clone().try_for_each(check_element)?;
        let mut last = self.end_place(&at, end)?;
        for element in elements {
            let place = match &last {
                None => order::FIRST.to_vec(),
                Some(last) => self.beyond(&at, last, end)?,
            };
            self.put_element(&at, LIST, ELEMENTS, &place, element)?;
            last = Some(place);
        }
        self.members(&at, LIST)
    }

    /// Takes the element at one end; `None` of a missing key. With its last element the list is gone.
    ///
    /// # Errors
    /// As [`Transaction::list_len`].
    pub fn list_pop(&mut self, db: Db, key: &[u8], end: End) -> Result<Option<Bytes>, Error> {
        let at = self.at(db, key)?;
        let Some(place) = self.end_place(&at, end)? else { return Ok(None) };
        Ok(self.take_element(&at, LIST, ELEMENTS, &place)?.map(Bytes::from))
    }

    /// Takes up to `count` elements at one end, in the order in which they are taken.
    ///
    /// # Errors
    /// As [`Transaction::list_len`]; then none is taken.
    pub fn list_pop_many(
        &mut self,
        db: Db,
        key: &[u8],
        end: End,
        count: u64,
    ) -> Result<Vec<Bytes>, Error> {
        let at = self.at(db, key)?;
        let len = self.members(&at, LIST)?;
        let mut popped = Vec::new();
        if count == 0 || len == 0 {
            return Ok(popped);
        }
        let mut visit = |_: &[u8], element: &[u8]| {
            popped.push(Bytes::copy_from_slice(element));
            more(popped.len() as u64 != count)
        };
        self.walk_from(&at, end, &mut visit)?;
        match count >= len {
            true => self.replace(&at, Value::Absent, None)?,
            false => self.cut(&at, end, count)?,
        }
        Ok(popped)
    }

    /// The element at `index`; a negative one counts from the right end, where -1 is. `None` beyond the ends.
    ///
    /// # Errors
    /// As [`Transaction::list_len`].
    pub fn list_get(&mut self, db: Db, key: &[u8], index: i64) -> Result<Option<Bytes>, Error> {
        let at = self.at(db, key)?;
        let Some(place) = self.place_at(&at, index)? else { return Ok(None) };
        Ok(self.element(&at, LIST, ELEMENTS, &place)?.map(Bytes::copy_from_slice))
    }

    /// Shows the elements from index `start` to `stop`, both included, to `visit`, until it breaks. Negative ones count
    /// from the right end; what lies beyond the ends is passed over.
    ///
    /// # Errors
    /// As [`Transaction::list_len`].
    pub fn list_walk(
        &mut self,
        db: Db,
        key: &[u8],
        start: i64,
        stop: i64,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        let len = self.members(&at, LIST)?;
        let Some((start, stop)) = range(len, start, stop) else { return Ok(()) };
        let Some(place) = self.place_of_rank(&at, start)? else { return Ok(()) };
        let mut left = stop - start + 1;
        let from = Place::Key(Bound::Included(&place));
        self.walk_forward(&at, LIST, ELEMENTS, from, &mut |_, element| {
            left -= 1;
            if visit(element).is_break() { ControlFlow::Break(()) } else { more(left != 0) }
        })
    }

    /// Puts `element` in the place of the one at `index`.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`] without a list, [`Error::IndexOutOfRange`] beyond its ends; else as
    /// [`Transaction::list_push`].
    pub fn list_set(
        &mut self,
        db: Db,
        key: &[u8],
        index: i64,
        element: &[u8],
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        if self.members(&at, LIST)? == 0 {
            return Err(Error::NoSuchKey);
        }
        check_element(element)?;
        let place = self.place_at(&at, index)?.ok_or(Error::IndexOutOfRange)?;
        self.put_element(&at, LIST, ELEMENTS, &place, element)?;
        Ok(())
    }

    /// Puts `element` beside the first one that equals `pivot`, on the side of `end`. Goes through the list from the left.
    ///
    /// # Errors
    /// As [`Transaction::list_push`].
    pub fn list_insert(
        &mut self,
        db: Db,
        key: &[u8],
        end: End,
        pivot: &[u8],
        element: &[u8],
    ) -> Result<Inserted, Error> {
        let at = self.at(db, key)?;
        if self.members(&at, LIST)? == 0 {
            return Ok(Inserted::NoList);
        }
        check_element(element)?;
        let mut neighbours = self.neighbours(&at, end, pivot)?;
        if let Some((low, high)) = &neighbours
            && let Some(place) =
                self.place_between(&at, low, high)?.filter(|place| place.len() > LONG_PLACE_BYTES)
        {
            self.shorten(&at, &place)?;
            neighbours = self.neighbours(&at, end, pivot)?;
        }
        let Some((low, high)) = neighbours else { return Ok(Inserted::NoPivot) };
        let place = self.place_between(&at, &low, &high)?;
        let place = place.ok_or_else(|| misplaced(&at))?;
        self.put_element(&at, LIST, ELEMENTS, &place, element)?;
        Ok(Inserted::Length(self.members(&at, LIST)?))
    }

    /// Takes up to `count` elements that equal `element`, the first ones from `end`; how many.
    ///
    /// # Errors
    /// As [`Transaction::list_len`]; then none is taken.
    pub fn list_remove(
        &mut self,
        db: Db,
        key: &[u8],
        end: End,
        count: u64,
        element: &[u8],
    ) -> Result<u64, Error> {
        let at = self.at(db, key)?;
        let mut places = Vec::new();
        self.walk_from(&at, end, &mut |place, found| {
            if found == element {
                places.push(place.to_vec());
            }
            more((places.len() as u64) < count)
        })?;
        if count == 0 {
            return Ok(0);
        }
        for place in &places {
            self.take_element(&at, LIST, ELEMENTS, place)?;
        }
        Ok(places.len() as u64)
    }

    /// Keeps the elements from index `start` to `stop`, both included, and takes all others. Negative ones count from the
    /// right end. Pages that go as a whole go at once.
    ///
    /// # Errors
    /// As [`Transaction::list_len`].
    pub fn list_trim(&mut self, db: Db, key: &[u8], start: i64, stop: i64) -> Result<(), Error> {
        let at = self.at(db, key)?;
        let len = self.members(&at, LIST)?;
        if len == 0 {
            return Ok(());
        }
        let Some((start, stop)) = range(len, start, stop) else {
            return self.replace(&at, Value::Absent, None);
        };
        self.cut(&at, End::Left, start)?;
        self.cut(&at, End::Right, len - 1 - stop)
    }

    /// The indexes of elements that equal `element`, in the order in which they are found.
    ///
    /// # Errors
    /// As [`Transaction::list_len`].
    pub fn list_positions(
        &mut self,
        db: Db,
        key: &[u8],
        element: &[u8],
        search: Search,
    ) -> Result<Vec<u64>, Error> {
        let at = self.at(db, key)?;
        let len = self.members(&at, LIST)?;
        let (mut seen, mut skip, mut found) = (0, search.skip, Vec::new());
        if search.count == 0 || search.compare == 0 {
            return Ok(found);
        }
        self.walk_from(&at, search.from, &mut |_, other| {
            seen += 1;
            if other == element {
                if skip > 0 {
                    skip -= 1;
                } else {
                    found.push(if search.from == End::Left { seen - 1 } else { len - seen });
                }
            }
            more(seen < search.compare && (found.len() as u64) < search.count)
        })?;
        Ok(found)
    }

    /// Takes the element at one end of `from` and pushes it at one end of `to`, which may be the same list; the element,
    /// or `None` if `from` is missing.
    ///
    /// # Errors
    /// As [`Transaction::list_len`] of either; then nothing is done.
    pub fn list_move(
        &mut self,
        db: Db,
        from: (&[u8], End),
        to: (&[u8], End),
    ) -> Result<Option<Bytes>, Error> {
        let (source, target) = (self.at(db, from.0)?, self.at(db, to.0)?);
        let Some(place) = self.end_place(&source, from.1)? else { return Ok(None) };
        // Whatever cannot be read says so before anything is changed.
        self.end_place(&target, to.1)?;
        let element = self.element(&source, LIST, ELEMENTS, &place)?.map(Bytes::copy_from_slice);
        let Some(element) = element else { return Err(misplaced(&source)) };
        if from == to {
            return Ok(Some(element));
        }
        // Pushed first: a list of one element that turns is never gone, and keeps its expiry.
        self.list_push(db, to.0, to.1, [&element[..]])?;
        self.take_element(&source, LIST, ELEMENTS, &place)?;
        Ok(Some(element))
    }

    /// Gives `key` a list of these elements, whatever it had; without any, the key is gone.
    ///
    /// # Errors
    /// [`Error::StringTooLong`]; [`Error::Storage`] if what the key had cannot be replaced.
    pub fn list_store<'e>(
        &mut self,
        db: Db,
        key: &[u8],
        elements: impl IntoIterator<Item = &'e [u8], IntoIter: Clone>,
        expires_at: Option<UnixMillis>,
    ) -> Result<(), Error> {
        let at = self.at(db, key)?;
        let elements = elements.into_iter();
        elements.clone().try_for_each(check_element)?;
        self.store(&at, LIST, order::places().zip(elements), expires_at)
    }

    /// The place of the element at one end; `None` of a missing key.
    fn end_place(&mut self, at: &At, end: End) -> Result<Option<Vec<u8>>, Error> {
        let mut found = None;
        self.walk_from(at, end, &mut |place, _| {
            found = Some(place.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// The place beyond the one at an end.
    fn beyond(&self, at: &At, last: &[u8], end: End) -> Result<Vec<u8>, Error> {
        let place = match end {
            End::Left => order::before(last),
            End::Right => order::after(last),
        };
        place.ok_or_else(|| misplaced(at))
    }

    /// Visits all elements from one end on.
    fn walk_from(&mut self, at: &At, end: End, visit: Visit<'_>) -> Result<(), Error> {
        let from = Place::Key(Bound::Unbounded);
        match end {
            End::Left => self.walk_forward(at, LIST, ELEMENTS, from, visit),
            End::Right => self.walk_back(at, LIST, ELEMENTS, from, visit),
        }
    }

    fn place_at(&mut self, at: &At, index: i64) -> Result<Option<Vec<u8>>, Error> {
        let len = self.members(at, LIST)?;
        match rank(len, index) {
            Some(rank) => self.place_of_rank(at, rank),
            None => Ok(None),
        }
    }

    /// The place of the element of a rank. Near the ends pages are gone through from there; else the directory knows.
    fn place_of_rank(&mut self, at: &At, rank: u64) -> Result<Option<Vec<u8>>, Error> {
        let id = match self.shape(at, LIST)? {
            Shape::Missing => return Ok(None),
            Shape::Small => {
                let leaf = &self.small(at)?.leaf;
                let index = usize::try_from(rank).ok().filter(|index| *index < leaf.len());
                return Ok(index.map(|index| leaf.entry(index).0.to_vec()));
            }
            Shape::Tree(id) => id,
        };
        let tree = self.tree(at)?.1;
        let known = tree.directory(ELEMENTS).is_some();
        let back = tree.count.saturating_sub(1).saturating_sub(rank);
        let end = if rank <= back { End::Left } else { End::Right };
        let mut left = rank.min(back);
        let mut next = if known { None } else { Some(self.end_page(at, id, end)?) };
        for _ in 0..NEAR_PAGES {
            let Some(name) = next.take() else { break };
            let leaf = &self.tree_page(at, &name)?.leaf;
            if left < leaf.len() as u64 {
                let index = match end {
                    End::Left => left as usize,
                    End::Right => leaf.len() - 1 - left as usize,
                };
                return Ok(Some(leaf.entry(index).0.to_vec()));
            }
            left -= leaf.len() as u64;
            next = self.page_beside(at, id, end, &name)?;
        }
        let mut found = None;
        self.walk_forward(at, LIST, ELEMENTS, Place::Rank(rank), &mut |place, _| {
            found = Some(place.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// The page at an end of a tree.
    fn end_page(&mut self, at: &At, id: u64, end: End) -> Result<Vec<u8>, Error> {
        match end {
            End::Left => self.page_of(at, id, ELEMENTS, b""),
            End::Right => self.last_page(at, id, ELEMENTS),
        }
    }

    /// The next page on the way from an end.
    fn page_beside(
        &mut self,
        at: &At,
        id: u64,
        end: End,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        match end {
            End::Left => self.page_after(at, id, ELEMENTS, name),
            End::Right => self.page_before(at, id, ELEMENTS, name),
        }
    }

    /// Takes `count` elements at an end of a list that has more.
    fn cut(&mut self, at: &At, end: End, count: u64) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let Shape::Tree(id) = self.shape(at, LIST)? else {
            self.touch_live(at)?;
            let small = self.small(at)?;
            for _ in 0..count {
                let index = if end == End::Left { 0 } else { small.leaf.len() - 1 };
                small.touched.push(small.leaf.entry(index).0.into());
                small.leaf.remove_at(index);
            }
            return self.change(at, Change::Delta);
        };
        // Whatever cannot be read says so before anything is changed.
        let (mut pages, mut left) = (Vec::new(), count);
        let mut next = Some(self.end_page(at, id, end)?);
        while left > 0 {
            let name =
                next.take().ok_or_else(|| damaged(&at.name, "a list is shorter than it says"))?;
            left = left.saturating_sub(self.tree_page(at, &name)?.leaf.len() as u64);
            next = self.page_beside(at, id, end, &name)?;
            pages.push(name);
        }
        self.touch_live(at)?;
        left = count;
        for name in pages {
            let page = self.tree_page(at, &name)?;
            let len = page.leaf.len();
            if len == 0 {
                continue;
            }
            page.shrank = true;
            let newly = if len as u64 <= left {
                page.leaf = Leaf::default();
                page.rearranged()
            } else {
                let mut newly = false;
                for _ in 0..left {
                    let index = if end == End::Left { 0 } else { page.leaf.len() - 1 };
                    let place = page.leaf.entry(index).0.to_vec();
                    page.leaf.remove_at(index);
                    newly |= page.changed(&place);
                }
                newly
            };
            let kept = page.leaf.len();
            left -= (len - kept) as u64;
            let (change, tree) = self.tree(at)?;
            if newly {
                tree.dirty.push(Name::of(&name));
            }
            if let Some(directory) = tree.directory(ELEMENTS) {
                directory.set(&name, kept);
            }
            tree.count -= (len - kept) as u64;
            *change = Change::Base;
        }
        Ok(())
    }

    /// Between which places something is to be inserted that belongs beside `pivot`; `None` if that is not there.
    fn neighbours(&mut self, at: &At, end: End, pivot: &[u8]) -> Result<Option<Neighbours>, Error> {
        let (mut low, mut high, mut found) = (None::<Vec<u8>>, None, false);
        self.walk_from(at, End::Left, &mut |place, element| {
            if found {
                high = Some(place.to_vec());
                return ControlFlow::Break(());
            }
            found = element == pivot;
            if found && end == End::Left {
                high = Some(place.to_vec());
                return ControlFlow::Break(());
            }
            let low = low.get_or_insert_default();
            low.clear();
            low.extend_from_slice(place);
            ControlFlow::Continue(())
        })?;
        Ok(found.then_some((low, high)))
    }

    fn place_between(
        &self,
        at: &At,
        low: &Option<Vec<u8>>,
        high: &Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(match (low, high) {
            (None, None) => None,
            (Some(low), None) => Some(self.beyond(at, low, End::Right)?),
            (None, Some(high)) => Some(self.beyond(at, high, End::Left)?),
            (Some(low), Some(high)) => {
                Some(order::between(low, high).ok_or_else(|| misplaced(at))?)
            }
        })
    }

    /// Gives the elements around `place` shorter places: all of a small list, or those of its page but for the first and
    /// the last.
    fn shorten(&mut self, at: &At, place: &[u8]) -> Result<(), Error> {
        let Shape::Tree(id) = self.shape(at, LIST)? else {
            self.touch_live(at)?;
            let small = self.small(at)?;
            let mut leaf = Leaf::default();
            for (place, (_, element)) in order::places().zip(small.leaf.iter()) {
                leaf.push(&place, element);
            }
            small.leaf = leaf;
            return self.change(at, Change::Base);
        };
        let name = self.page_of(at, id, ELEMENTS, place)?;
        self.touch_live(at)?;
        let page = self.tree_page(at, &name)?;
        let Some(last) = page.leaf.len().checked_sub(1).filter(|last| *last > 1) else {
            return Ok(());
        };
        let (low, high) = (page.leaf.entry(0).0.to_vec(), page.leaf.entry(last).0.to_vec());
        let mut places = vec![low.clone()];
        order::spread(&low, &high, last - 1, &mut places).ok_or_else(|| misplaced(at))?;
        places.push(high);
        let mut leaf = Leaf::default();
        for (place, (_, element)) in places.iter().zip(page.leaf.iter()) {
            leaf.push(place, element);
        }
        page.leaf = leaf;
        if page.rearranged() {
            self.tree(at)?.1.dirty.push(Name::of(&name));
        }
        Ok(())
    }
}

/// An element, and its place, must fit into a record.
fn check_element(element: &[u8]) -> Result<(), Error> {
    const PLACE_BYTES: u64 = 4 << 10;
    super::strings::check_len(element.len() as u64 + PLACE_BYTES)
}

fn misplaced(at: &At) -> Error {
    damaged(&at.name, "an element of a list has no place")
}

fn more(more: bool) -> ControlFlow<()> {
    if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// The rank of an index that may be negative.
fn rank(len: u64, index: i64) -> Option<u64> {
    let rank = if index < 0 { len.checked_sub(index.unsigned_abs())? } else { index as u64 };
    (rank < len).then_some(rank)
}

/// The ranks of the first and the last element between two indexes; `None` if there is none.
fn range(len: u64, start: i64, stop: i64) -> Option<(u64, u64)> {
    let least = |index: i64| match index {
        ..0 => len.saturating_sub(index.unsigned_abs()),
        _ => index as u64,
    };
    let start = least(start);
    let stop = if stop < 0 { len.checked_sub(stop.unsigned_abs())? } else { stop as u64 };
    (start <= stop && start < len).then(|| (start, stop.min(len - 1)))
}
