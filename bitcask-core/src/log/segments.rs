//! The segments that readers find.

use super::Segment;
use arc_swap::{ArcSwap, Guard};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Segments by their numbers.
pub(crate) type Segments = BTreeMap<u32, Arc<Segment>>;

/// The segments of a log as they are now. Looking takes no lock, and writes nothing that other readers look at:
/// every point read looks.
pub(super) struct Current(ArcSwap<Segments>);

impl Current {
    pub(super) fn new(segments: Segments) -> Self {
        Current(ArcSwap::from_pointee(segments))
    }

    /// For a moment: what is replaced meanwhile stays in memory.
    pub(super) fn look(&self) -> Guard<Arc<Segments>> {
        self.0.load()
    }

    /// To keep.
    pub(super) fn get(&self) -> Arc<Segments> {
        self.0.load_full()
    }

    pub(super) fn change(&self, change: impl Fn(&mut Segments)) {
        self.0.rcu(|segments| {
            let mut changed = Segments::clone(segments);
            change(&mut changed);
            changed
        });
    }
}
