//! Which segments compaction takes, and when: nothing but arithmetic.

use crate::UnixMillis;
use crate::format::segment::HEADER_LEN;

/// When compaction runs, and on what.
///
/// The six limits are those of Basho's Bitcask: three that start a compaction, and three, lower ones, that say what
/// it takes once it has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionOptions {
    /// What starts a compaction in the background: one of these is enough. One that is asked for needs none.
    pub triggers: Triggers,
    /// Which segments are taken: those beyond any of these.
    pub thresholds: Thresholds,
    /// Hours of the day (UTC) in which the background may begin one, from the first until the second begins:
    /// `(22, 4)` is the night. `None` is always.
    pub window: Option<(u8, u8)>,
    /// The background leaves a store alone that is smaller than this.
    pub min_bytes: u64,
    /// At most so many bytes of segments are taken at once (but at least one segment): before they go, the disk
    /// must have room for what is alive in them.
    pub max_bytes: u64,
    /// Seals the segment that is being written first, so that it can be taken, too.
    pub seal_active: bool,
}

/// See [`CompactionOptions::triggers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// A segment of which this share, in percent, is dead.
    pub dead_percent: u8,
    /// A segment in which so many bytes are dead.
    pub dead_bytes: u64,
    /// So many segments that are smaller than [`Thresholds::small_bytes`].
    pub small_files: usize,
}

/// See [`CompactionOptions::thresholds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// The dead share of a segment in percent; 0 takes them all.
    pub dead_percent: u8,
    /// Dead bytes of a segment.
    pub dead_bytes: u64,
    /// A segment that is smaller is taken if there are others, whatever is in it.
    pub small_bytes: u64,
}

impl Default for CompactionOptions {
    /// For segments of the usual 256 MiB: begins where six tenths of one are dead, takes those with four.
    fn default() -> Self {
        CompactionOptions::for_segments(256 << 20)
    }
}

impl CompactionOptions {
    /// As [`CompactionOptions::default`], for segments of another size ([`crate::Options::segment_bytes`]).
    pub fn for_segments(segment_bytes: u32) -> Self {
        let share = |of_16| u64::from(segment_bytes) * of_16 / 16;
        CompactionOptions {
            triggers: Triggers { dead_percent: 60, dead_bytes: share(10), small_files: 16 },
            thresholds: Thresholds {
                dead_percent: 40,
                dead_bytes: share(6),
                small_bytes: share(1) / 2,
            },
            window: None,
            min_bytes: share(1),
            max_bytes: share(16 * 16),
            seal_active: false,
        }
    }

    /// Takes all there is: nothing dead is left afterwards, and no tombstone.
    pub fn everything() -> Self {
        CompactionOptions {
            thresholds: Thresholds { dead_percent: 0, dead_bytes: 0, small_bytes: u64::MAX },
            max_bytes: u64::MAX,
            seal_active: true,
            ..CompactionOptions::default()
        }
    }
}

/// What the choice depends on, of one sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: u32,
    /// Its length.
    pub(crate) bytes: u64,
    pub(crate) dead_bytes: u64,
    /// It is another Bitcask's file, and to be moved whatever is alive in it.
    pub(crate) is_classic: bool,
}

impl Facts {
    fn dead_percent(&self) -> u64 {
        self.dead_bytes * 100 / self.bytes.saturating_sub(HEADER_LEN as u64).max(1)
    }
}

/// Whether the background should begin.
pub(crate) fn is_due(facts: &[Facts], options: &CompactionOptions, now: UnixMillis) -> bool {
    let Triggers { dead_percent, dead_bytes, small_files } = options.triggers;
    let small = facts.iter().filter(|one| one.bytes < options.thresholds.small_bytes).count();
    let dead = |one: &Facts| {
        one.dead_bytes > 0
            && (one.dead_percent() >= u64::from(dead_percent) || one.dead_bytes >= dead_bytes)
    };
    let in_window = options.window.is_none_or(|(from, to)| match now.hour() {
        hour if from <= to => (from..to).contains(&hour),
        hour => hour >= from || hour < to,
    });
    in_window
        && facts.iter().map(|one| one.bytes).sum::<u64>() >= options.min_bytes
        && (small >= small_files.max(2) || facts.iter().any(|one| one.is_classic || dead(one)))
}

/// The segments to take: those with the greatest share of dead bytes, if not all may be taken at once.
pub(crate) fn choose(facts: &[Facts], options: &CompactionOptions) -> Vec<u32> {
    let Thresholds { dead_percent, dead_bytes, small_bytes } = options.thresholds;
    let worth = |one: &Facts| {
        dead_percent == 0
            || one.is_classic
            || one.dead_bytes > 0
                && (one.dead_percent() >= u64::from(dead_percent) || one.dead_bytes >= dead_bytes)
    };
    let mut chosen: Vec<&Facts> =
        facts.iter().filter(|one| worth(one) || one.bytes < small_bytes).collect();
    chosen.sort_by_key(|one| (std::cmp::Reverse(one.dead_percent()), one.id));
    let mut total = 0;
    let mut taken: Vec<&Facts> = Vec::new();
    for one in chosen {
        total += one.bytes;
        if total > options.max_bytes && !taken.is_empty() {
            break;
        }
        taken.push(one);
    }
    // One small segment alone would be copied for nothing.
    if let [only] = taken[..]
        && !worth(only)
    {
        return Vec::new();
    }
    taken.into_iter().map(|one| one.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(of: &[(u64, u64)]) -> Vec<Facts> {
        let one = |(i, &(bytes, dead_bytes))| Facts {
            id: i as u32 + 1,
            bytes,
            dead_bytes,
            is_classic: false,
        };
        of.iter().enumerate().map(one).collect()
    }

    fn options() -> CompactionOptions {
        CompactionOptions {
            triggers: Triggers { dead_percent: 60, dead_bytes: 500, small_files: 3 },
            thresholds: Thresholds { dead_percent: 40, dead_bytes: 400, small_bytes: 100 },
            min_bytes: 0,
            ..CompactionOptions::default()
        }
    }

    #[test]
    fn each_trigger_is_enough_and_none_is_none() {
        let due = |of: &[(u64, u64)]| is_due(&facts(of), &options(), UnixMillis(0));
        assert!(due(&[(1000, 610)]));
        assert!(due(&[(5000, 500)]));
        assert!(due(&[(90, 0), (90, 0), (90, 0)]));
        assert!(!due(&[(90, 0), (90, 0), (5000, 499), (500, 250)]));
        assert!(!due(&[]));
    }

    #[test]
    fn a_file_of_another_bitcask_is_always_worth_moving() {
        let mut of = facts(&[(5000, 0), (5000, 0)]);
        assert!(!is_due(&of, &options(), UnixMillis(0)));
        of[1].is_classic = true;
        assert!(is_due(&of, &options(), UnixMillis(0)));
        assert_eq!(choose(&of, &options()), [2]);
    }

    #[test]
    fn a_window_may_go_over_midnight() {
        let at = |window, hour: u64| {
            let options = CompactionOptions { window: Some(window), ..options() };
            is_due(&facts(&[(1000, 900)]), &options, UnixMillis(hour * 3_600_000 + 1))
        };
        let open = |window| (0..24).filter(|hour| at(window, *hour)).collect::<Vec<_>>();
        assert_eq!(open((2, 5)), [2, 3, 4]);
        assert_eq!(open((22, 1)), [0, 22, 23]);
    }

    #[test]
    fn a_store_below_the_minimum_is_left_alone() {
        let options = CompactionOptions { min_bytes: 1001, ..options() };
        assert!(!is_due(&facts(&[(1000, 900)]), &options, UnixMillis(0)));
    }

    #[test]
    fn thresholds_choose_the_deadest_first_and_small_ones_in_company() {
        let chosen = |of: &[(u64, u64)], max_bytes| {
            choose(&facts(of), &CompactionOptions { max_bytes, ..options() })
        };
        let of = [(1000, 450), (1000, 900), (5000, 400), (1000, 390), (90, 0)];
        assert_eq!(chosen(&of, u64::MAX), [2, 1, 3, 5]);
        assert_eq!(chosen(&of, 2000), [2, 1]);
        assert_eq!(chosen(&of, 1), [2]);
        assert_eq!(chosen(&[(90, 0)], u64::MAX), []);
        assert_eq!(choose(&facts(&[(90, 0)]), &CompactionOptions::everything()), [1]);
    }
}
