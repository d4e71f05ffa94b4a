//! Delta chains: what a caller supplies to fold them, and how long they may grow.

use crate::Location;

/// Folds deltas, which the log itself never looks into.
///
/// Folding must be associative: `apply(apply(b, d1), d2) == apply(b, compose(d1, d2))`. Both methods
/// are given bytes that passed their CRC, but may have been written by another version: they fail
/// with a reason rather than panic.
pub trait Fold: Send + Sync {
    /// The value after `delta` was applied to `base`.
    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str>;
    /// The one delta that does what `older` and then `newer` do.
    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str>;
}

/// The live records of one key, oldest first: a base, then the deltas that follow it.
///
/// Whoever caches a decoded value keeps its chain beside it, and appends deltas through
/// [`crate::Batch::delta`].
///
/// A chain stays short although it takes thousands of deltas: when [`Chain::FAN`] − 1 links of one
/// level are at its end, the next delta *absorbs* them — it carries their changes too, links to the
/// record before them, and counts as one link of the next level, as digits carry in a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    base: Location,
    deltas: Vec<Link>,
    /// How many of the newest links are of level 0.
    fresh: usize,
    /// Bytes of the deltas' records.
    delta_bytes: u64,
    /// The key's newest record, if it only sets the expiry: no link, and gone with the next delta.
    expiry: Option<Location>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    location: Location,
    /// 0 for a delta that absorbed nothing.
    level: u8,
}

impl Chain {
    /// How many links of a level become one of the next.
    pub const FAN: usize = 32;

    /// The chain of a value just put: its base alone.
    pub fn base(location: Location) -> Self {
        Chain { base: location, deltas: Vec::new(), fresh: 0, delta_bytes: 0, expiry: None }
    }

    /// The chain that the log holds: its base, its deltas with the level of each, and the record that set the
    /// expiry after all of them.
    pub(crate) fn from_links(
        base: Location,
        deltas: impl Iterator<Item = (Location, u8)>,
        expiry: Option<Location>,
    ) -> Self {
        let deltas: Vec<Link> = deltas.map(|(location, level)| Link { location, level }).collect();
        let fresh = deltas.iter().rev().take_while(|link| link.level == 0).count();
        let delta_bytes = bytes(&deltas);
        Chain { base, deltas, fresh, delta_bytes, expiry }
    }

    /// Number of records, the base included; one that only set the expiry is not counted.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        1 + self.deltas.len()
    }

    /// The newest record.
    pub fn newest(&self) -> Location {
        self.expiry.unwrap_or_else(|| self.deltas.last().map_or(self.base, |link| link.location))
    }

    /// How many of the newest links the next delta absorbs: it must carry their changes, too.
    ///
    /// 0 for most deltas. The base is never absorbed.
    pub fn absorbs(&self) -> usize {
        self.next().0
    }

    /// Notes that a delta was appended at `location`, having absorbed [`Chain::absorbs`] links.
    pub fn push(&mut self, location: Location) {
        let (absorbed, level) = self.next();
        let kept = self.deltas.len() - absorbed;
        self.delta_bytes -= bytes(&self.deltas[kept..]);
        self.delta_bytes += u64::from(location.len);
        self.deltas.truncate(kept);
        self.deltas.push(Link { location, level });
        self.expiry = None;
        self.fresh = if level == 0 { self.fresh + 1 } else { 0 };
    }

    /// (links absorbed by the next delta, its level).
    fn next(&self) -> (usize, u8) {
        if self.fresh < Self::FAN - 1 {
            return (0, 0);
        }
        let (mut absorbed, mut level) = (0, 0);
        loop {
            let rest = &self.deltas[..self.deltas.len() - absorbed];
            let run = rest.iter().rev().take_while(|link| link.level == level).count();
            if run < Self::FAN - 1 {
                return (absorbed, level);
            }
            absorbed += run;
            level += 1;
        }
    }

    /// Bytes of the live records, headers included.
    pub fn bytes(&self) -> u64 {
        u64::from(self.base.len)
            + self.delta_bytes
            + self.expiry.map_or(0, |location| u64::from(location.len))
    }

    /// Bytes of the deltas that will be left of those there are once the next delta has absorbed what it
    /// has to.
    pub fn kept_delta_bytes(&self) -> u64 {
        self.next_link().kept_bytes - u64::from(self.base.len)
    }

    /// The records that the next delta takes the place of; one that only sets the expiry is of these.
    pub(crate) fn absorbed(&self) -> impl Iterator<Item = Location> {
        let gone = &self.deltas[self.deltas.len() - self.absorbs()..];
        gone.iter().map(|link| link.location).chain(self.expiry)
    }

    /// Its records, oldest first.
    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        let deltas = self.deltas.iter().map(|link| link.location);
        std::iter::once(self.base).chain(deltas).chain(self.expiry)
    }

    /// What the next delta says of the chain before it.
    pub(crate) fn next_link(&self) -> NextLink {
        let (absorbed, level) = self.next();
        let kept = &self.deltas[..self.deltas.len() - absorbed];
        NextLink {
            previous: kept.last().map_or(self.base, |link| link.location),
            level,
            kept: 1 + kept.len(),
            kept_bytes: u64::from(self.base.len) + bytes(kept),
        }
    }
}

fn bytes(deltas: &[Link]) -> u64 {
    deltas.iter().map(|link| u64::from(link.location.len)).sum()
}

/// See [`Chain::next_link`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextLink {
    /// The record that the next delta links to.
    pub(crate) previous: Location,
    pub(crate) level: u8,
    /// Records that stay in the chain before the delta, and their bytes.
    pub(crate) kept: usize,
    pub(crate) kept_bytes: u64,
}

/// A fold that appends: easy to foresee, associative, and not commutative.
#[cfg(any(all(test, shuttle), feature = "fuzzing"))]
#[derive(Debug)]
pub struct Append;

#[cfg(any(all(test, shuttle), feature = "fuzzing"))]
impl Fold for Append {
    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([base, delta].concat())
    }
    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([older, newer].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> Location {
        Location { segment: 1, offset, len: 10 }
    }

    /// Model: the list of single changes that each link carries.
    #[test]
    fn ten_thousand_deltas_leave_a_short_chain_that_carries_each_change_once() {
        let mut chain = Chain::base(at(0));
        let mut carried: Vec<Vec<u32>> = vec![vec![]];
        for change in 1..=10_000 {
            let keep = carried.len() - chain.absorbs();
            assert!(keep >= 1, "the base is never absorbed");
            let mut changes: Vec<u32> = carried.drain(keep..).flatten().collect();
            changes.push(change);
            carried.push(changes);
            chain.push(at(change));
            assert_eq!(chain.len(), carried.len());
            assert_eq!(chain.newest(), at(change));
            assert!(chain.len() <= 1 + 4 * (Chain::FAN - 1), "{} links", chain.len());
            assert!(carried.iter().flatten().copied().eq(1..=change));
        }
    }
}
