//! Keys, values, and which key comes next: all from a seed.

/// What every store is filled with: 16 bytes that all keys share, and 14 hexadecimal digits.
pub type Key = [u8; 30];

const PREFIX: &[u8; 16] = b"trackist_active:";
const DIGITS: usize = size_of::<Key>() - PREFIX.len();
/// Random bytes that values are cut from: no engine can compress them, nor hold the same value twice.
const POOL_BYTES: usize = 1 << 22;

/// The `n`-th key. Neighbours in number are nowhere near in order.
pub fn key(n: u64) -> Key {
    // An odd factor permutes the numbers of 56 bits.
    let mut number = n.wrapping_mul(0x9E_3779_B97F_4A7D) & ((1 << (4 * DIGITS)) - 1);
    let mut key = [0; size_of::<Key>()];
    key[..PREFIX.len()].copy_from_slice(PREFIX);
    for at in key[PREFIX.len()..].iter_mut().rev() {
        *at = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
    key
}

/// Where values come from.
pub struct Values {
    pool: Vec<u8>,
    bytes: usize,
}

impl Values {
    pub fn new(bytes: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pool = (0..(POOL_BYTES + bytes) / 8 + 1).flat_map(|_| random.next().to_le_bytes());
        Values { pool: pool.collect(), bytes }
    }

    pub fn any(&self, random: &mut Random) -> &[u8] {
        let at = random.below(POOL_BYTES as u64) as usize;
        &self.pool[at..][..self.bytes]
    }
}

/// How often each key comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    Uniform,
    /// By Zipf's law with the exponent 0.99: the k-th most popular comes k^-0.99 times as often as the first.
    Zipf,
}

/// Numbers of keys to come, below `keys`.
pub struct Numbers {
    random: Random,
    keys: u64,
    zipf: Option<Zipf>,
}

impl Numbers {
    pub fn new(draw: Draw, keys: u64, seed: u64) -> Self {
        let zipf = (draw == Draw::Zipf).then(|| Zipf::new(keys, 0.99));
        Numbers { random: Random::new(seed), keys, zipf }
    }

    pub fn next(&mut self) -> u64 {
        match &self.zipf {
            None => self.random.below(self.keys),
            // The popular ones were not written one after the other.
            Some(zipf) => scatter(zipf.rank(&mut self.random), self.keys),
        }
    }
}

/// Permutes the numbers below `keys`, which is not a multiple of the prime.
fn scatter(n: u64, keys: u64) -> u64 {
    (u128::from(n) * 2_654_435_761 % u128::from(keys)) as u64
}

/// Ranks by rejection from the integral of x^-s (Hörmann and Derflinger, 1996): no table, a few logarithms.
struct Zipf {
    exponent: f64,
    ranks: u64,
    /// The integral's values at the ends, and the width within which the first guess is right.
    low: f64,
    high: f64,
    sure: f64,
}

impl Zipf {
    fn new(ranks: u64, exponent: f64) -> Self {
        let mut zipf = Zipf { exponent, ranks, low: 0.0, high: 0.0, sure: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(ranks as f64 + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    fn density(&self, x: f64) -> f64 {
        x.powf(-self.exponent)
    }

    fn integral(&self, x: f64) -> f64 {
        (x.powf(1.0 - self.exponent) - 1.0) / (1.0 - self.exponent)
    }

    fn inverse(&self, y: f64) -> f64 {
        (1.0 + y * (1.0 - self.exponent)).powf(1.0 / (1.0 - self.exponent))
    }

    /// From 0, the most popular.
    fn rank(&self, random: &mut Random) -> u64 {
        loop {
            let y = self.low + random.fraction() * (self.high - self.low);
            let x = self.inverse(y);
            let rank = x.round().clamp(1.0, self.ranks as f64);
            if rank - x <= self.sure || y >= self.integral(rank + 0.5) - self.density(rank) {
                return rank as u64 - 1;
            }
        }
    }
}

/// Random numbers that a seed repeats (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x9E37_79B9_7F4A_7C15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_are_different_and_so_are_scattered_numbers() {
        let keys: HashSet<Key> = (0..100_000).map(key).collect();
        assert_eq!(keys.len(), 100_000);
        let numbers: HashSet<u64> = (0..100_000).map(|n| scatter(n, 100_000)).collect();
        assert_eq!(numbers.len(), 100_000);
    }

    #[test]
    fn ranks_come_as_often_as_the_law_says() {
        let (ranks, draws) = (1000_u64, 1_000_000);
        let zipf = Zipf::new(ranks, 0.99);
        let mut random = Random::new(1);
        let mut seen = vec![0_u32; ranks as usize];
        for _ in 0..draws {
            seen[zipf.rank(&mut random) as usize] += 1;
        }
        let sum: f64 = (1..=ranks).map(|k| (k as f64).powf(-0.99)).sum();
        for rank in [0, 1, 2, 9, 99] {
            let expected = f64::from(draws) * ((rank + 1) as f64).powf(-0.99) / sum;
            let ratio = f64::from(seen[rank]) / expected;
            assert!((0.9..1.1).contains(&ratio), "rank {rank}: {ratio}");
        }
    }
}
