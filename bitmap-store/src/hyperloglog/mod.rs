//! HyperLogLog: how many different elements there were, within a percent, in at most 12 KiB (Flajolet, Fusy, Gandouet
//! and Meunier, 2007; 64-bit hashes as in Heule, Nunkesser and Hall, 2013).
//!
//! One is a string, with the bytes that Redis gives it:
//!
//! | offset | size | field | meaning |
//! |---:|---:|---|---|
//! | 0 | 4 | magic | `HYLL` |
//! | 4 | 1 | encoding | 0 dense, 1 sparse |
//! | 5 | 3 | unused | zero |
//! | 8 | 8 | count | the estimate, little endian; the highest bit says that it is out of date |
//! | 16 | … | registers | 16,384 of them: see [`dense`] and [`sparse`] |
//!
//! An element's hash says which register it belongs to, by its low 14 bits, and how many zeros follow these; a
//! register is the most that any element of it had, plus one. A sparse one that grows past [`SPARSE_BYTES`], or needs a
//! register past [`sparse::LARGEST`], becomes dense.
//!
//! Strings come from anybody. What the header shows is looked at when one is read; runs that do not come to
//! all registers are [`Corrupt`] once they are met.

mod dense;
mod estimate;
mod murmur;
mod sparse;

#[cfg(test)]
mod tests;

use estimate::Histogram;
use sparse::Raised;

/// Bits of the hash that say which register.
const INDEX_BITS: usize = 14;
/// The other bits.
const HASH_BITS: usize = 64 - INDEX_BITS;
pub(crate) const REGISTERS: usize = 1 << INDEX_BITS;
const SEED: u64 = 0xadc8_3b19;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING: usize = 4;
const COUNT: std::ops::Range<usize> = 8..16;
const HEADER_LEN: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// In the last byte of the count: it is out of date.
const OUT_OF_DATE: u8 = 0x80;
/// Longest sparse one: Redis' default `hll-sparse-max-bytes`.
const SPARSE_BYTES: usize = 3000;

pub(crate) type Registers = [u8; REGISTERS];

/// The registers of a HyperLogLog are not what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// A HyperLogLog: the bytes of its string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HyperLogLog(Vec<u8>);

impl HyperLogLog {
    /// One without elements.
    pub(crate) fn new() -> Self {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[ENCODING] = SPARSE;
        bytes.append(&mut sparse::empty());
        HyperLogLog(bytes)
    }

    /// The one that a string is; `None` if it is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, registers) = bytes.split_at_checked(HEADER_LEN)?;
        let right = header.starts_with(MAGIC)
            && match header[ENCODING] {
                DENSE => registers.len() == dense::LEN,
                SPARSE => true,
                _ => false,
            };
        right.then(|| HyperLogLog(bytes.to_vec()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_dense(&self) -> bool {
        self.0[ENCODING] == DENSE
    }

    /// The estimate that it remembers, if that is up to date.
    pub(crate) fn remembered(&self) -> Option<u64> {
        let count: [u8; 8] = self.0[COUNT].try_into().expect("eight bytes");
        (count[7] & OUT_OF_DATE == 0).then(|| u64::from_le_bytes(count))
    }

    pub(crate) fn remember(&mut self, count: u64) {
        self.0[COUNT].copy_from_slice(&count.to_le_bytes());
    }

    /// Marks the estimate that it remembers as out of date.
    pub(crate) fn forget(&mut self) {
        self.0[COUNT.end - 1] |= OUT_OF_DATE;
    }

    /// The estimate, from the registers.
    pub(crate) fn count(&self) -> Result<u64, Corrupt> {
        let mut histogram: Histogram = [0; 64];
        let registers = &self.0[HEADER_LEN..];
        if self.is_dense() {
            for index in 0..REGISTERS {
                histogram[usize::from(dense::get(registers, index))] += 1;
            }
        } else {
            sparse::each(registers, |value, len| histogram[usize::from(value)] += len as u32)?;
        }
        Ok(estimate::estimate(&histogram))
    }

    /// Adds an element; true if a register has changed.
    pub(crate) fn add(&mut self, element: &[u8]) -> Result<bool, Corrupt> {
        let (index, value) = place(element);
        self.raise(index, value)
    }

    /// Raises a register, if it is lower; true if it was.
    pub(crate) fn raise(&mut self, index: usize, value: u8) -> Result<bool, Corrupt> {
        if !self.is_dense() {
            if value <= sparse::LARGEST {
                let mut registers = self.0.split_off(HEADER_LEN);
                let most = SPARSE_BYTES - HEADER_LEN;
                let raised = sparse::raise(&mut registers, index, value, most);
                self.0.append(&mut registers);
                match raised? {
                    Raised::No => return Ok(false),
                    Raised::Yes => {
                        self.forget();
                        return Ok(true);
                    }
                    Raised::TooLong => {}
                }
            }
            self.make_dense()?;
        }
        let registers = &mut self.0[HEADER_LEN..];
        let raised = dense::get(registers, index) < value;
        if raised {
            dense::set(registers, index, value);
        }
        Ok(raised)
    }

    /// Makes it dense, if it is not. What it remembers stays.
    pub(crate) fn make_dense(&mut self) -> Result<(), Corrupt> {
        if self.is_dense() {
            return Ok(());
        }
        let mut registers = [0; REGISTERS];
        sparse::merge(&self.0[HEADER_LEN..], &mut registers)?;
        self.0.truncate(HEADER_LEN);
        self.0[ENCODING] = DENSE;
        self.0.append(&mut dense::pack(&registers));
        Ok(())
    }

    /// Raises `registers` to those of this one.
    pub(crate) fn merge_into(&self, registers: &mut Registers) -> Result<(), Corrupt> {
        let own = &self.0[HEADER_LEN..];
        if self.is_dense() {
            dense::merge(own, registers);
            return Ok(());
        }
        sparse::merge(own, registers)
    }

    /// The runs of a sparse one, in words; `None` for a dense one.
    pub(crate) fn describe(&self) -> Result<Option<String>, Corrupt> {
        if self.is_dense() {
            return Ok(None);
        }
        sparse::describe(&self.0[HEADER_LEN..]).map(Some)
    }
}

/// The estimate of how many elements set these registers.
pub(crate) fn count(registers: &Registers) -> u64 {
    let mut histogram: Histogram = [0; 64];
    registers.iter().for_each(|register| histogram[usize::from(*register)] += 1);
    estimate::estimate(&histogram)
}

/// The register of an element, and what it raises that to.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur::hash(element, SEED);
    let index = hash as usize % REGISTERS;
    // A bit behind the last one, so that there is one.
    let rest = hash >> INDEX_BITS | 1 << HASH_BITS;
    (index, rest.trailing_zeros() as u8 + 1)
}
