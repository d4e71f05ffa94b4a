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
    pub(crate) links: Vec<Link>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) location: Location,
    /// 0 for the base and for a delta that absorbed nothing.
    pub(crate) level: u8,
}

impl Chain {
    /// How many links of a level become one of the next.
    pub const FAN: usize = 16;

    /// The chain of a value just put: its base alone.
    pub fn base(location: Location) -> Self {
        Chain { links: vec![Link { location, level: 0 }] }
    }

    /// Number of records, the base included.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// The newest record.
    pub fn newest(&self) -> Location {
        self.links[self.links.len() - 1].location
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
        self.links.truncate(self.links.len() - absorbed);
        self.links.push(Link { location, level });
    }

    /// (links absorbed by the next delta, its level).
    fn next(&self) -> (usize, u8) {
        let (mut absorbed, mut level) = (0, 0);
        loop {
            let rest = &self.links[1..self.links.len() - absorbed];
            let run = rest.iter().rev().take_while(|link| link.level == level).count();
            if run < Self::FAN - 1 {
                return (absorbed, level);
            }
            absorbed += run;
            level += 1;
        }
    }

    /// The location that the next delta links to, and its level.
    pub(crate) fn previous_of_next(&self) -> (Location, u8) {
        let (absorbed, level) = self.next();
        (self.links[self.links.len() - 1 - absorbed].location, level)
    }
}
