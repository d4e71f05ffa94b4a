//! Durations, counted in buckets that are 1 % wide at most.

use std::time::Duration;

const SUB_BITS: u32 = 7;

/// Counts by nanoseconds: exact up to 2^7, then 2^7 buckets for each power of two.
pub struct Histogram {
    counts: Vec<u64>,
    most: Duration,
}

impl Histogram {
    pub fn new() -> Self {
        Histogram { counts: vec![0; 64 << SUB_BITS], most: Duration::ZERO }
    }

    pub fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.most = self.most.max(time);
    }

    pub fn most(&self) -> Duration {
        self.most
    }

    /// The least time that so large a share did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let total: u64 = self.counts.iter().sum();
        let mut left = (total as f64 * share).ceil() as u64;
        for (at, count) in self.counts.iter().enumerate() {
            left = left.saturating_sub(*count);
            if left == 0 {
                return Duration::from_nanos(upper(at));
            }
        }
        self.most
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = (63 - (nanos | 1).leading_zeros()).saturating_sub(SUB_BITS);
    ((shift as usize) << SUB_BITS) + (nanos >> shift) as usize
}

/// The greatest number in a bucket.
fn upper(bucket: usize) -> u64 {
    let shift = (bucket >> SUB_BITS).saturating_sub(1) as u32;
    let number = bucket - ((shift as usize) << SUB_BITS);
    (((number as u128 + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_one_percent() {
        let mut histogram = Histogram::new();
        (1..=100_000).for_each(|micros| histogram.add(Duration::from_micros(micros)));
        for share in [0.01, 0.5, 0.99] {
            let ratio = histogram.quantile(share).as_secs_f64() / (share * 0.1);
            assert!((0.99..1.01).contains(&ratio), "{share}: {ratio}");
        }
        assert_eq!(histogram.most(), Duration::from_millis(100));
    }

    #[test]
    fn every_number_has_a_bucket_that_ends_at_it_or_later() {
        for nanos in (0..64).flat_map(|bit| [1 << bit, (1 << bit) + 1, (1_u64 << bit) - 1]) {
            assert!(upper(bucket(nanos)) >= nanos, "{nanos}");
        }
        assert!(bucket(u64::MAX) < 64 << SUB_BITS);
    }
}
