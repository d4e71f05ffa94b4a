//! Slots of one size in chunks: growing never moves a slot, and never doubles the memory.

use super::handle::MAX_INDEX;
use std::fmt;

/// About so many bytes are taken from the allocator at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// An arena of `T`s, named by their index.
pub(super) struct Arena<T> {
    chunks: Vec<Box<[T]>>,
    free: Vec<u32>,
    /// Slots ever used; the free ones among them are in `free`.
    used: u32,
}

impl<T: Clone + Default> Arena<T> {
    /// Slots in a chunk: a power of two, so that an index is split by a shift.
    const SHIFT: u32 = {
        let slots = CHUNK_BYTES / size_of::<T>();
        if slots == 0 { 0 } else { slots.ilog2() }
    };

    pub(super) const fn new() -> Self {
        Arena { chunks: Vec::new(), free: Vec::new(), used: 0 }
    }

    pub(super) fn get(&self, index: u32) -> &T {
        &self.chunks[(index >> Self::SHIFT) as usize][index as usize & ((1 << Self::SHIFT) - 1)]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut T {
        &mut self.chunks[(index >> Self::SHIFT) as usize][index as usize & ((1 << Self::SHIFT) - 1)]
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            let index = self.used;
            assert!(index <= MAX_INDEX, "the keydir holds no more keys");
            if (index >> Self::SHIFT) as usize == self.chunks.len() {
                self.chunks.push(vec![T::default(); 1 << Self::SHIFT].into_boxed_slice());
            }
            self.used += 1;
            index
        });
        *self.get_mut(index) = value;
        index
    }

    /// Takes a value out, and leaves its slot to others.
    pub(super) fn remove(&mut self, index: u32) -> T {
        let value = std::mem::take(self.get_mut(index));
        self.free.push(index);
        if self.free.len() == self.used as usize {
            *self = Self::new();
        }
        value
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.len() * (size_of::<T>() << Self::SHIFT)
            + self.chunks.capacity() * size_of::<Box<[T]>>()
            + self.free.capacity() * size_of::<u32>()
    }
}

impl<T> fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arena({} used, {} free)", self.used, self.free.len())
    }
}
