//! Space of removed segments, given back little by little.
//!
//! A file system that tells the disk what is free does that for the whole of a removed file at once, and whoever
//! syncs meanwhile waits for it: with ext4 and its `discard`, a third of a second for 128 MiB. A file that has no name
//! any more is therefore cut from its end, step by step, before it is closed, unless somebody still reads it.

use crate::Clock;
use crate::log::{Segment, lock};
use crate::storage::File;
use crate::sync::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// So much goes at once, if not too much is waiting.
const STEP_BYTES: u64 = 2 << 20;
/// Between two steps.
const PAUSE: Duration = Duration::from_millis(20);
/// What is waiting goes in about so many steps.
const STEPS: u64 = 500;

/// Segments that the log has forgotten, and whose names are durably gone.
#[derive(Default)]
pub(super) struct Freeing(Mutex<Vec<Arc<Segment>>>);

impl Freeing {
    pub(super) fn add(&self, segments: impl IntoIterator<Item = Arc<Segment>>) {
        lock(&self.0).extend(segments);
    }

    /// Gives back the space of those that nobody reads any more. What is left of it when `is_stopping` goes at
    /// once, when the store is closed.
    pub(super) fn work(&self, clock: &dyn Clock, is_stopping: &dyn Fn() -> bool) {
        let waiting = std::mem::take(&mut *lock(&self.0));
        let step =
            STEP_BYTES.max(waiting.iter().map(|segment| segment.written()).sum::<u64>() / STEPS);
        let mut read = Vec::new();
        for segment in waiting {
            match Arc::try_unwrap(segment) {
                Ok(segment) => cut(segment, step, clock, is_stopping),
                Err(segment) => read.push(segment),
            }
        }
        self.add(read);
    }
}

fn cut(segment: Segment, step: u64, clock: &dyn Clock, is_stopping: &dyn Fn() -> bool) {
    let file: Arc<dyn File> = segment.file.clone();
    // With its mappings, which must not outlive what they show.
    drop(segment);
    if Arc::strong_count(&file) > 1 {
        return;
    }
    let mut len = file.size().unwrap_or(0);
    while len > 0 && !is_stopping() {
        len = len.saturating_sub(step);
        // The system frees what is left when it is closed.
        let Ok(true) = file.cut_unnamed(len) else { return };
        clock.sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixMillis;
    use crate::format::segment::Head;
    use crate::storage::Map;
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A file without a name, and what is left of it.
    #[derive(Debug)]
    struct Unnamed(Arc<AtomicU64>);

    impl File for Unnamed {
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.load(Ordering::Relaxed))
        }
        fn cut_unnamed(&self, len: u64) -> io::Result<bool> {
            let before = self.0.swap(len, Ordering::Relaxed);
            assert!((1..=STEP_BYTES).contains(&(before - len)), "from {before} to {len}");
            Ok(true)
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn sync_data(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn map(&self) -> io::Result<Map> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn map_front(&self, _: u64) -> io::Result<Map> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[derive(Debug)]
    struct Impatient;

    impl Clock for Impatient {
        fn now(&self) -> UnixMillis {
            UnixMillis(0)
        }
        fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn space_goes_in_small_steps_but_not_while_somebody_reads_nor_once_it_has_to_stop() {
        const BYTES: u64 = 2 * STEP_BYTES + 7;
        let segment = |id| {
            let left = Arc::new(AtomicU64::new(BYTES));
            let head = Head { salt: *b"saltsalt", compacted: false };
            (left.clone(), Arc::new(Segment::new(id, Arc::new(Unnamed(left)), head, BYTES)))
        };
        let [(free, one), (read, two)] = [1, 2].map(segment);
        let (freeing, reader) = (Freeing::default(), two.clone());
        freeing.add([one, two]);
        freeing.work(&Impatient, &|| true);
        assert_eq!(free.load(Ordering::Relaxed), BYTES, "it is closed, which frees it");
        freeing.work(&Impatient, &|| false);
        assert_eq!(read.load(Ordering::Relaxed), BYTES);
        drop(reader);
        freeing.work(&Impatient, &|| false);
        assert_eq!(read.load(Ordering::Relaxed), 0);
    }
}
