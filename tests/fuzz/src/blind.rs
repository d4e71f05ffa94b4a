//! Fuzzing without eyes: inputs are mutated at random, and none is better than another.
//!
//! It finds little that is far from an example; but it is there on every machine, takes seconds, and a seed
//! repeats it.

use crate::{Target, corpus};
use std::panic::{self, AssertUnwindSafe};

/// An input never grows beyond this.
const MAX_LEN: usize = 4096;
/// Bytes and lengths at which things tend to break.
const EDGES: [u8; 9] = [0, 1, 2, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];

/// An input that a target fails on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// How many were tried before it.
    pub tried: u32,
}

/// Runs `target` on its examples, its corpus, and `runs` inputs made of these.
///
/// The panic's message goes where panics' messages go.
pub fn run(target: &Target, seed: u64, runs: u32) -> Result<(), Failure> {
    let mut inputs = (target.examples)();
    inputs.extend(corpus::inputs(target));
    inputs.push(Vec::new());
    let mut tried = 0;
    let mut attempt = |input: &[u8]| {
        let survived = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok();
        tried += 1;
        if survived { Ok(()) } else { Err(Failure { input: input.to_vec(), tried }) }
    };
    inputs.iter().try_for_each(|input| attempt(input))?;
    let mut random = Random(seed);
    for _ in 0..runs {
        let mut input = inputs[random.below(inputs.len())].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &inputs, &mut random);
        }
        input.truncate(MAX_LEN);
        attempt(&input)?;
    }
    Ok(())
}

fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    if input.is_empty() {
        return input.push(random.next() as u8);
    }
    let at = random.below(input.len());
    let len = 1 + random.below((input.len() - at).min(16));
    match random.below(10) {
        0 | 1 => input[at] ^= 1 << random.below(8),
        2 => input[at] = random.next() as u8,
        3 => input[at] = EDGES[random.below(EDGES.len())],
        4 => input[at] = input[at].wrapping_add(1 + random.below(4) as u8),
        5 => input[at..at + len].fill(EDGES[random.below(EDGES.len())]),
        6 => drop(input.drain(at..at + len)),
        7 => drop(input.splice(at..at, (0..len).map(|_| random.next() as u8))),
        8 => {
            let copied = input[at..at + len].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, copied);
        }
        _ => {
            let other = &others[random.below(others.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

/// splitmix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
