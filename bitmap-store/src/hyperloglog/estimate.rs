//! How many elements a HyperLogLog has seen, by how often each register value occurs: Ertl, "New cardinality
//! estimation algorithms for HyperLogLog sketches" (arXiv 1702.01284), algorithm 6.

use super::{HASH_BITS, REGISTERS};

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// Number of registers of each value.
pub(super) type Histogram = [u32; 64];

/// The estimate. The order of the operations is that of Redis, so that the numbers are the same.
pub(super) fn estimate(histogram: &Histogram) -> u64 {
    let registers = REGISTERS as f64;
    let saturated = f64::from(histogram[HASH_BITS + 1]);
    let mut z = registers * tau((registers - saturated) / registers);
    for count in histogram[1..=HASH_BITS].iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += registers * sigma(f64::from(histogram[0]) / registers);
    let estimate = (ALPHA * registers * registers / z).round();
    // Only registers that no element has set come to this.
    if estimate.is_finite() { estimate as u64 } else { 1 << 63 }
}

/// x + the sum of x^(2^k) × 2^(k − 1).
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// (1 − x − the sum of (1 − x^(2^−k))² × 2^−k) ÷ 3.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
