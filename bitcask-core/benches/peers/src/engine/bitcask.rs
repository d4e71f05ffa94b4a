//! Ours.

use super::{BACKUP_BYTES, Backup, Engine, GENTLE_BYTES, Outcome, Pace, Promise, Setup, Upkeep};
use crate::keys::Key;
use bitcask_core::{
    Batch, Bitcask, CompactionOptions, Durability, Options, Thresholds, UnixMillis,
};
use std::ops::ControlFlow;
use std::path::Path;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
/// Segments that age until so much of them is dead are, on average over their lives under uniform overwrites,
/// alive by half: (1 − 0.2) / ln(1 / 0.2) = 0.497. That counts records; headers and hint files weigh on small values,
/// so that of the disk less than half is keys and values.
const DEAD_PERCENT: u8 = 80;

pub struct Store {
    store: Bitcask,
    wait: bool,
}

impl Store {
    pub fn open(dir: &Path, setup: &Setup) -> Outcome<Self> {
        let mut options = Options {
            durability: match setup.promise {
                Promise::Disk => Durability::Always,
                Promise::System | Promise::Memory => Durability::No,
            },
            backup_rate: BACKUP_BYTES,
            mapped_reads: setup.mapped,
            compaction: (setup.upkeep == Upkeep::Usual).then(CompactionOptions::default),
            ..Options::default()
        };
        if setup.upkeep == Upkeep::HalfAlive {
            // The shares of a few segments tell little of a policy.
            let part = (setup.live_bytes() / 32).clamp(1 << 20, 256 << 20);
            options.segment_bytes = u32::try_from(part)?;
        }
        let wait = setup.promise != Promise::Memory;
        Ok(Store { store: Bitcask::open(dir, options)?, wait })
    }
}

impl Engine for Store {
    fn get(&self, keys: &[Key], see: &mut dyn FnMut(Option<&[u8]>)) -> Outcome<()> {
        for key in keys {
            see(self.store.get(key, NOW)?.as_deref());
        }
        Ok(())
    }

    fn put(&self, pairs: &[(Key, &[u8])]) -> Outcome<()> {
        let mut batch = Batch::new(NOW);
        for (key, value) in pairs {
            batch.put(key, value, None);
        }
        let committed = self.store.write(&mut batch)?;
        if self.wait {
            self.store.wait_durable(committed.position())?;
        }
        Ok(())
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.store.sync()?)
    }

    fn index_bytes(&self) -> Option<u64> {
        Some(self.store.stats().keydir_bytes as u64)
    }

    fn needed_share(&self) -> Option<f64> {
        Some(1.0 - self.store.reclaimable().share())
    }

    fn tidy(&self) -> Outcome<bool> {
        let options = CompactionOptions {
            thresholds: Thresholds {
                dead_percent: DEAD_PERCENT,
                dead_bytes: u64::MAX,
                small_bytes: 0,
            },
            ..CompactionOptions::default()
        };
        let report = self.store.compact(&options, NOW, &mut |_| ControlFlow::Continue(()))?;
        Ok(report.inputs > 0)
    }

    fn compact(&self, pace: Pace, go_on: &dyn Fn() -> bool) -> Option<Outcome<()>> {
        self.store.set_compaction_rate(match pace {
            Pace::Full => 0,
            Pace::Gentle => GENTLE_BYTES,
        });
        let everything = CompactionOptions::everything();
        let done = self.store.compact(&everything, NOW, &mut |_| {
            if go_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        Some(done.map(drop).map_err(Into::into))
    }

    fn back_up(&self, into: &Path, how: Backup) -> Option<Outcome<()>> {
        let done = match how {
            Backup::Links => self.store.backup(into),
            Backup::Copy => self.store.backup_file(into),
        };
        Some(done.map(drop).map_err(Into::into))
    }
}
