//! Registers of six bits each, one behind the other, the least significant bits first.

use super::{REGISTERS, Registers};

const BITS: usize = 6;
const MASK: u8 = 0x3f;
pub(super) const LEN: usize = REGISTERS * BITS / 8;

pub(super) fn get(bytes: &[u8], index: usize) -> u8 {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let low = bytes[at] >> shift;
    // The last register ends with the last byte.
    let high = bytes.get(at + 1).map_or(0, |byte| u16::from(*byte) << (8 - shift));
    (low | high as u8) & MASK
}

pub(super) fn set(bytes: &mut [u8], index: usize, value: u8) {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let (mask, value) = (u16::from(MASK) << shift, u16::from(value & MASK) << shift);
    bytes[at] = bytes[at] & !mask as u8 | value as u8;
    if shift > 8 - BITS {
        bytes[at + 1] = bytes[at + 1] & !(mask >> 8) as u8 | (value >> 8) as u8;
    }
}

/// Raises `registers` to those in `bytes`.
pub(super) fn merge(bytes: &[u8], registers: &mut Registers) {
    for (index, register) in registers.iter_mut().enumerate() {
        *register = (*register).max(get(bytes, index));
    }
}

pub(super) fn pack(registers: &Registers) -> Vec<u8> {
    let mut bytes = vec![0; LEN];
    for (index, register) in registers.iter().enumerate() {
        set(&mut bytes, index, *register);
    }
    bytes
}
