//! `math.random`: the generator of Redis' scripts, which is that of `lrand48`. Redis never begins it anew; here
//! each script's begins with a seed of its command's, so that it draws the same numbers wherever it runs.

/// A generator of 48 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(u64);

const MASK: u64 = (1 << 48) - 1;

impl Chance {
    pub(super) fn from_seed(seed: i32) -> Self {
        Chance(u64::from(seed as u32) << 16 | 0x330e)
    }

    /// A number in `0 .. 1`.
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & MASK;
        let greatest = f64::from(i32::MAX);
        ((self.0 >> 17) % i32::MAX as u64) as f64 / greatest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_redis() {
        // What it begins with in a new server.
        let mut chance = Chance(0x1234_abcd_330e);
        // Of redis-server 7.0.15: math.random(), math.random(10), math.random(5, 6).
        assert_eq!(super::super::number::general(chance.next(), 14), "0.39646477363839");
        assert_eq!((chance.next() * 10.0).floor() as i32 + 1, 9);
        assert_eq!((chance.next() * 2.0).floor() as i32 + 5, 5);
        let mut chance = Chance::from_seed(1);
        assert_eq!(super::super::number::general(chance.next(), 14), "0.041630344484761");
    }
}
