//! Which keys an iteration goes through.

use std::ops::{Bound, RangeBounds};

/// A range of keys in byte order.
///
/// # Examples
/// ```
/// use bitcask_core::KeyRange;
/// let users = KeyRange::prefix("user:");
/// assert!(users.contains(b"user:1") && !users.contains(b"group:1"));
/// assert!(KeyRange::new("a".."c").contains(b"bee"));
///
/// // Goes on where an earlier iteration stopped, forwards and backwards.
/// assert!(!users.clone().after("user:1").contains(b"user:1"));
/// assert!(!users.before("user:1").contains(b"user:1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in it …
    from: Vec<u8>,
    /// … and the first beyond, if there is one.
    to: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys.
    pub fn all() -> Self {
        KeyRange { from: Vec::new(), to: None }
    }

    /// The keys that begin with `prefix`; with an empty one, all.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let from = prefix.as_ref().to_vec();
        // The first string beyond: the prefix up to its last byte that can grow, grown.
        let to = from.iter().rposition(|byte| *byte < u8::MAX).map(|last| {
            let mut to = from[..=last].to_vec();
            to[last] += 1;
            to
        });
        KeyRange { from, to }
    }

    /// The keys between two others: `"a".."c"`, `..="c"` and so on.
    pub fn new<K: AsRef<[u8]>>(bounds: impl RangeBounds<K>) -> Self {
        let from = match bounds.start_bound() {
            Bound::Included(key) => key.as_ref().to_vec(),
            Bound::Excluded(key) => next(key.as_ref()),
            Bound::Unbounded => Vec::new(),
        };
        let to = match bounds.end_bound() {
            Bound::Included(key) => Some(next(key.as_ref())),
            Bound::Excluded(key) => Some(key.as_ref().to_vec()),
            Bound::Unbounded => None,
        };
        KeyRange { from, to }
    }

    /// Those of the range above `key`: resumes an iteration.
    #[must_use]
    pub fn after(mut self, key: impl AsRef<[u8]>) -> Self {
        self.from = self.from.max(next(key.as_ref()));
        self
    }

    /// Those of the range below `key`: resumes an iteration backwards.
    #[must_use]
    pub fn before(mut self, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        if self.to.as_ref().is_none_or(|to| key < &to[..]) {
            self.to = Some(key.to_vec());
        }
        self
    }

    /// Whether `key` is in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.from[..] && !self.is_beyond(key)
    }

    /// As [`KeyRange::after`], of a key that is in the range.
    pub(crate) fn start_after(&mut self, key: &[u8]) {
        self.from.clear();
        self.from.extend_from_slice(key);
        self.from.push(0);
    }

    /// As [`KeyRange::before`], of a key that is in the range.
    pub(crate) fn end_before(&mut self, key: &[u8]) {
        let to = self.to.get_or_insert_default();
        to.clear();
        to.extend_from_slice(key);
    }

    pub(crate) fn from(&self) -> &[u8] {
        &self.from
    }

    pub(crate) fn to(&self) -> Option<&[u8]> {
        self.to.as_deref()
    }

    /// Whether `key` lies above the range.
    pub(crate) fn is_beyond(&self, key: &[u8]) -> bool {
        self.to.as_ref().is_some_and(|to| key >= &to[..])
    }

    /// As bounds for a map; `None` if no key can be in it, which a map would panic at.
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        let to = self.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (!self.is_beyond(&self.from)).then_some((Bound::Included(&self.from[..]), to))
    }
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// The key that comes right after `key`.
fn next(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_the_keys_that_its_bounds_say() {
        let keys: [&[u8]; 7] = [b"", b"a", b"a\0", b"b", b"b\xff", b"\xff", b"\xff\xff"];
        let held = |range: KeyRange| -> Vec<usize> {
            (0..keys.len()).filter(|i| range.contains(keys[*i])).collect()
        };
        assert_eq!(held(KeyRange::all()), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(held(KeyRange::prefix("")), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(held(KeyRange::prefix("a")), [1, 2]);
        assert_eq!(held(KeyRange::prefix(b"b\xff")), [4]);
        assert_eq!(held(KeyRange::prefix(b"\xff")), [5, 6]);
        assert_eq!(held(KeyRange::new("a".."b")), [1, 2]);
        assert_eq!(held(KeyRange::new("a"..="b")), [1, 2, 3]);
        assert_eq!(
            held(KeyRange::new::<&str>((Bound::Excluded("a"), Bound::Unbounded))),
            [2, 3, 4, 5, 6]
        );
        assert_eq!(held(KeyRange::new("b".."a")), [0; 0]);
        assert_eq!(held(KeyRange::prefix("a").after("a").before("z")), [2]);
        assert_eq!(held(KeyRange::prefix("b").after("a").before("b\0")), [3]);
        assert!(KeyRange::new("b".."a").bounds().is_none());
    }
}
