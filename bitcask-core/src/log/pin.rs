//! Pins: segments that stay readable although the log has given them up.
//!
//! A removed file can be read as long as somebody has it open. A pin holds the segments that there were when it
//! was made; a read that does not find its segment in the log looks among the pinned ones.

use super::segments::Segments;
use super::{Segment, lock};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

/// Keeps segments readable while it lives.
#[derive(Debug)]
pub(crate) struct Pin {
    segments: Arc<Segments>,
    /// Those that were added after it was made.
    later: Mutex<BTreeMap<u32, Arc<Segment>>>,
}

impl Pin {
    pub(super) fn new(segments: Arc<Segments>) -> Self {
        Pin { segments, later: Mutex::default() }
    }

    /// Whether the segment of this number was there when the pin was made.
    pub(crate) fn has(&self, segment: u32) -> bool {
        self.segments.contains_key(&segment)
    }

    pub(crate) fn add(&self, segment: Arc<Segment>) {
        lock(&self.later).insert(segment.id, segment);
    }

    fn get(&self, id: u32) -> Option<Arc<Segment>> {
        self.segments.get(&id).or(lock(&self.later).get(&id)).cloned()
    }
}

/// The pins of a log.
#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<Vec<Weak<Pin>>>);

impl Pins {
    pub(super) fn add(&self, pin: &Arc<Pin>) {
        let mut pins = lock(&self.0);
        pins.retain(|pin| pin.strong_count() > 0);
        pins.push(Arc::downgrade(pin));
    }

    pub(super) fn segment(&self, id: u32) -> Option<Arc<Segment>> {
        lock(&self.0).iter().filter_map(Weak::upgrade).find_map(|pin| pin.get(id))
    }
}
