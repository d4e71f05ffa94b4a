//! Sets of ids container by container, through their serialized form: the crate does not show them
//! otherwise, and ids one by one are slow where a container is a block of bits.
//!
//! The form is the portable Roaring format: cookie, descriptions, offsets, then the containers.
//! <https://github.com/RoaringBitmap/RoaringFormatSpec>

use super::Ids;

const COOKIE_WITH_RUNS: u32 = 12_347;
/// With runs, offsets are left out below this many containers.
const NO_OFFSETS_BELOW: usize = 4;
/// A container of more ids than this is a block of bits.
const MAX_ARRAY_LEN: usize = 4096;
const BLOCK_BYTES: usize = 8192;

/// What [`super::bytes::fill`] does, for many ids.
pub(super) fn fill(ids: &Ids, first: u64, bytes: &mut [u8]) {
    let mut serialized = Vec::with_capacity(ids.serialized_size());
    ids.serialize_into(&mut serialized).expect("a vector takes everything");
    let mut rest = &serialized[..];
    let cookie = take_u32(&mut rest);
    let with_runs = cookie & 0xffff == COOKIE_WITH_RUNS;
    let count = if with_runs { (cookie >> 16) as usize + 1 } else { take_u32(&mut rest) as usize };
    let run_flags = take(&mut rest, if with_runs { count.div_ceil(8) } else { 0 });
    let descriptions = take(&mut rest, count * 4);
    if !with_runs || count >= NO_OFFSETS_BELOW {
        take(&mut rest, count * 4);
    }
    for (i, mut description) in descriptions.chunks_exact(4).enumerate() {
        let key = u64::from(take_u16(&mut description));
        let len = usize::from(take_u16(&mut description)) + 1;
        let mut string = Window { bytes, first, container: key * BLOCK_BYTES as u64 };
        if run_flags.get(i / 8).is_some_and(|flags| flags >> (i % 8) & 1 == 1) {
            for _ in 0..take_u16(&mut rest) {
                let (start, more) = (take_u16(&mut rest), take_u16(&mut rest));
                string.set_run(usize::from(start), usize::from(start) + usize::from(more));
            }
        } else if len <= MAX_ARRAY_LEN {
            for _ in 0..len {
                string.set(usize::from(take_u16(&mut rest)));
            }
        } else {
            string.set_block(take(&mut rest, BLOCK_BYTES));
        }
    }
}

/// The string, seen from a container.
struct Window<'a> {
    bytes: &'a mut [u8],
    /// The string's byte that `bytes` begins with.
    first: u64,
    /// The string's byte that the container begins with.
    container: u64,
}

impl Window<'_> {
    fn byte(&mut self, at: usize) -> Option<&mut u8> {
        let at = (self.container + at as u64).checked_sub(self.first)?;
        self.bytes.get_mut(usize::try_from(at).ok()?)
    }

    fn set(&mut self, id: usize) {
        if let Some(byte) = self.byte(id / 8) {
            *byte |= 0x80 >> (id % 8);
        }
    }

    /// Sets the ids `start ..= end`.
    fn set_run(&mut self, start: usize, end: usize) {
        for at in start / 8..=end / 8 {
            let (low, high) = (start.saturating_sub(at * 8), (end - at * 8).min(7));
            if let Some(byte) = self.byte(at) {
                *byte |= (0xff >> low) & (0xff_u8 << (7 - high));
            }
        }
    }

    /// Sets the bits of a block, in which the first is the least significant of its byte.
    fn set_block(&mut self, block: &[u8]) {
        let skip = usize::try_from(self.first.saturating_sub(self.container)).unwrap_or(usize::MAX);
        let to = usize::try_from(self.container.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let (Some(block), Some(bytes)) = (block.get(skip..), self.bytes.get_mut(to..)) else {
            return;
        };
        for (byte, bits) in bytes.iter_mut().zip(block) {
            *byte |= bits.reverse_bits();
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}

fn take_u16(bytes: &mut &[u8]) -> u16 {
    u16::from_le_bytes(take(bytes, 2).try_into().expect("two bytes"))
}

fn take_u32(bytes: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(bytes, 4).try_into().expect("four bytes"))
}
