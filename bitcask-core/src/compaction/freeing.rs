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
        let bytes = waiting.iter().map(|segment| segment.written()).sum::<u64>();
        let step = STEP_BYTES.max(bytes / STEPS);
        let mut read = Vec::new();
        let mut unpaused = 0;
        for segment in waiting {
            let Some(file) = Arc::try_unwrap(segment).map_or_else(
                |segment| {
                    read.push(segment);
                    None
                },
                unread,
            ) else {
                continue;
            };
            let mut len = file.size().unwrap_or(0);
            while len > 0 && !is_stopping() {
                let cut = len.min(step - unpaused);
                // If it is not to be cut, it is freed when it is closed.
                let Ok(true) = file.cut_unnamed(len - cut) else { break };
                len -= cut;
                unpaused += cut;
                if unpaused == step {
                    clock.sleep(PAUSE);
                    unpaused = 0;
                }
            }
        }
        self.add(read);
    }
}

/// The segment's file if that is all that is left of it: its mappings must not outlive what they show.
fn unread(segment: Segment) -> Option<Arc<dyn File>> {
    let file = segment.file.clone();
    drop(segment);
    (Arc::strong_count(&file) == 1).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixMillis;
    use crate::format::segment::Head;
    use crate::storage::Dir;
    use crate::storage::disk::DiskDir;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts the pauses.
    #[derive(Debug, Default)]
    struct Pauses(AtomicUsize);

    impl Clock for Pauses {
        fn now(&self) -> UnixMillis {
            UnixMillis(0)
        }
        fn sleep(&self, pause: Duration) {
            assert_eq!(pause, PAUSE);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A segment whose name has gone, and another handle of its file to look at it, which writes, and so holds no share.
    fn removed(dir: &DiskDir, id: u32, bytes: u64) -> (Arc<Segment>, Arc<dyn File>) {
        let name = id.to_string();
        dir.create(&name).unwrap().set_len(bytes).unwrap();
        let [file, look] = [(); 2].map(|()| dir.open(&name, true).unwrap());
        dir.remove(&name).unwrap();
        let head = Head { salt: *b"saltsalt", compacted: false };
        (Arc::new(Segment::new(id, file, head, bytes)), look)
    }

    #[test]
    fn space_goes_in_small_steps_but_not_while_somebody_reads_nor_once_it_has_to_stop() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DiskDir::open(temporary.path()).unwrap();
        let (pauses, freeing) = (Pauses::default(), Freeing::default());
        let (one, left_of_one) = removed(&dir, 1, STEP_BYTES * 5 / 2);
        let (two, left_of_two) = removed(&dir, 2, STEP_BYTES * 5 / 2);
        let reader = two.clone();
        freeing.add([one, two]);
        freeing.work(&pauses, &|| false);
        assert_eq!((left_of_one.size().unwrap(), pauses.0.load(Ordering::Relaxed)), (0, 2));
        assert_eq!(left_of_two.size().unwrap(), STEP_BYTES * 5 / 2);
        drop(reader);
        freeing.work(&pauses, &|| pauses.0.load(Ordering::Relaxed) == 3);
        assert_eq!(left_of_two.size().unwrap(), STEP_BYTES * 3 / 2, "it had to stop");
    }

    #[test]
    fn small_files_share_their_pauses_and_a_lot_goes_in_a_limited_number_of_steps() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DiskDir::open(temporary.path()).unwrap();
        let (pauses, freeing) = (Pauses::default(), Freeing::default());
        let (segments, left): (Vec<_>, Vec<_>) =
            (0..40).map(|id| removed(&dir, id, STEP_BYTES / 8)).unzip();
        freeing.add(segments);
        freeing.work(&pauses, &|| false);
        assert_eq!(pauses.0.load(Ordering::Relaxed), 5);
        assert!(left.iter().all(|file| file.size().unwrap() == 0));
        let (large, left) = removed(&dir, 40, 3 * STEPS * STEP_BYTES);
        freeing.add([large]);
        freeing.work(&pauses, &|| false);
        assert_eq!(pauses.0.load(Ordering::Relaxed) as u64, 5 + STEPS);
        assert_eq!(left.size().unwrap(), 0);
    }
}
