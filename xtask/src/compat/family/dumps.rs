//! DUMP and RESTORE: values carried from one to the other, and payloads that are wrong.

use super::words::{integer, key, milliseconds, time_ms, value, word};
use crate::compat::case::{Case, Step};
use crate::random::Random;

/// Strings as Redis dumps them: a word, small and large numbers, and one that is compressed.
const PAYLOADS: &[&[u8]] = &[
    b"\0\x05hello\n\0cr\xdfve4 \n",
    b"\0\xc1\x7f\xff\n\0\x17`\x82(T\x80\x84\x80",
    b"\0\xc2\x87\xd6\x12\0\n\0\xe9>\x1e6+;|^",
    b"\0\xc3\n@P\x02aba\xe0B\x01\x01ab\n\0\x94\x9d_\x0e\xb1\xde\xa4E",
    b"\0\0\n\0]\x9b\\@\x0f\x7f\xa2\xda",
];

pub fn make(random: &mut Random, out: &mut Vec<Step>) {
    match random.below(10) {
        0..=3 => out.push(Step::Carry(key(random))),
        4 => out.push(Step::Send(Case::new(&[word(random, "DUMP"), key(random)]))),
        5 => {
            // Both read what both have written.
            let name = format!("h{}", random.below(5));
            out.push(Step::Carry(name.into_bytes()));
        }
        _ => out.push(Step::Send(restore(random))),
    }
}

pub fn restore(random: &mut Random) -> Case {
    let mut payload = random.pick(PAYLOADS).to_vec();
    match random.below(8) {
        0 => {
            let at = random.below(payload.len() as u64) as usize;
            payload[at] ^= 1 << random.below(8);
        }
        1 => payload.truncate(random.below(payload.len() as u64) as usize),
        2 if random.one_in(2) => payload = value(random),
        _ => {}
    }
    let mut absolute = false;
    let mut options = Vec::new();
    for _ in 0..random.weighted(&[3, 6, 3, 1]) {
        match random.below(9) {
            0..=4 => options.push(word(random, "REPLACE")),
            5 => {
                absolute = true;
                options.push(word(random, "ABSTTL"));
            }
            6 => options.extend([word(random, "IDLETIME"), integer(random)]),
            7 => options.extend([word(random, "FREQ"), integer(random)]),
            _ => options.push(value(random)),
        }
    }
    let ttl = match random.below(3) {
        0 | 1 => b"0".to_vec(),
        _ if absolute => time_ms(random),
        _ => milliseconds(random),
    };
    let mut args = vec![word(random, "RESTORE"), key(random), ttl, payload];
    args.append(&mut options);
    Case::new(&args)
}
