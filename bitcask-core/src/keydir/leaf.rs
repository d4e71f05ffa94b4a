//! Leaves: the location of a record, and what of its key the path does not say.

use super::arena::Arena;
use super::handle::{Handle, Kind};
use crate::Location;

/// Length of the suffix (1), location (12).
const HEAD_LEN: usize = 13;
/// Sizes of slots; a suffix takes the smallest that holds it and the head.
const SIZES: [usize; 9] = [16, 20, 24, 28, 32, 40, 48, 64, 96];
/// The class of leaves that are too long for any slot.
const LONG: usize = SIZES.len();

type Slot<const N: usize> = Bytes<N>;

#[derive(Clone, Debug)]
pub(super) struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Bytes([0; N])
    }
}

/// All leaves of a keydir.
#[derive(Debug)]
pub(super) struct Leaves {
    c16: Arena<Slot<16>>,
    c20: Arena<Slot<20>>,
    c24: Arena<Slot<24>>,
    c28: Arena<Slot<28>>,
    c32: Arena<Slot<32>>,
    c40: Arena<Slot<40>>,
    c48: Arena<Slot<48>>,
    c64: Arena<Slot<64>>,
    c96: Arena<Slot<96>>,
    long: Arena<Box<[u8]>>,
    long_bytes: usize,
}

/// Calls `$do` on the arena of a class.
macro_rules! with_class {
    ($leaves:expr, $class:expr, $arena:ident => $do:expr) => {
        match $class {
            0 => {
                let $arena = &$leaves.c16;
                $do
            }
            1 => {
                let $arena = &$leaves.c20;
                $do
            }
            2 => {
                let $arena = &$leaves.c24;
                $do
            }
            3 => {
                let $arena = &$leaves.c28;
                $do
            }
            4 => {
                let $arena = &$leaves.c32;
                $do
            }
            5 => {
                let $arena = &$leaves.c40;
                $do
            }
            6 => {
                let $arena = &$leaves.c48;
                $do
            }
            7 => {
                let $arena = &$leaves.c64;
                $do
            }
            _ => {
                let $arena = &$leaves.c96;
                $do
            }
        }
    };
    (mut $leaves:expr, $class:expr, $arena:ident => $do:expr) => {
        match $class {
            0 => {
                let $arena = &mut $leaves.c16;
                $do
            }
            1 => {
                let $arena = &mut $leaves.c20;
                $do
            }
            2 => {
                let $arena = &mut $leaves.c24;
                $do
            }
            3 => {
                let $arena = &mut $leaves.c28;
                $do
            }
            4 => {
                let $arena = &mut $leaves.c32;
                $do
            }
            5 => {
                let $arena = &mut $leaves.c40;
                $do
            }
            6 => {
                let $arena = &mut $leaves.c48;
                $do
            }
            7 => {
                let $arena = &mut $leaves.c64;
                $do
            }
            _ => {
                let $arena = &mut $leaves.c96;
                $do
            }
        }
    };
}

fn fill<const N: usize>(location: Location, suffix: &[u8]) -> Slot<N> {
    let mut slot = Bytes([0; N]);
    slot.0[0] = suffix.len() as u8;
    slot.0[1..HEAD_LEN].copy_from_slice(&pack(location));
    slot.0[HEAD_LEN..HEAD_LEN + suffix.len()].copy_from_slice(suffix);
    slot
}

fn pack(location: Location) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&location.segment.to_le_bytes());
    bytes[4..8].copy_from_slice(&location.offset.to_le_bytes());
    bytes[8..].copy_from_slice(&location.len.to_le_bytes());
    bytes
}

fn unpack(bytes: &[u8]) -> Location {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    Location { segment: word(0), offset: word(4), len: word(8) }
}

impl Leaves {
    pub(super) const fn new() -> Self {
        Leaves {
            c16: Arena::new(),
            c20: Arena::new(),
            c24: Arena::new(),
            c28: Arena::new(),
            c32: Arena::new(),
            c40: Arena::new(),
            c48: Arena::new(),
            c64: Arena::new(),
            c96: Arena::new(),
            long: Arena::new(),
            long_bytes: 0,
        }
    }

    pub(super) fn insert(&mut self, suffix: &[u8], location: Location) -> Handle {
        let class = SIZES.iter().position(|size| HEAD_LEN + suffix.len() <= *size).unwrap_or(LONG);
        let index = if class == LONG {
            let mut bytes = Vec::with_capacity(12 + suffix.len());
            bytes.extend_from_slice(&pack(location));
            bytes.extend_from_slice(suffix);
            self.long_bytes += bytes.len();
            self.long.insert(bytes.into_boxed_slice())
        } else {
            with_class!(mut self, class, arena => arena.insert(fill(location, suffix)))
        };
        Handle::leaf(class, index)
    }

    /// (location, suffix) of a leaf.
    pub(super) fn get(&self, leaf: Handle) -> (Location, &[u8]) {
        let class = class(leaf);
        if class == LONG {
            let bytes = self.long.get(leaf.index());
            return (unpack(bytes), &bytes[12..]);
        }
        let slot: &[u8] = with_class!(self, class, arena => &arena.get(leaf.index()).0);
        (unpack(&slot[1..HEAD_LEN]), &slot[HEAD_LEN..HEAD_LEN + usize::from(slot[0])])
    }

    /// Puts another location into a leaf, and returns the one before.
    pub(super) fn replace(&mut self, leaf: Handle, location: Location) -> Location {
        let class = class(leaf);
        let place: &mut [u8] = if class == LONG {
            &mut self.long.get_mut(leaf.index())[..12]
        } else {
            let slot: &mut [u8] =
                with_class!(mut self, class, arena => &mut arena.get_mut(leaf.index()).0);
            &mut slot[1..HEAD_LEN]
        };
        let old = unpack(place);
        place.copy_from_slice(&pack(location));
        old
    }

    pub(super) fn remove(&mut self, leaf: Handle) -> Location {
        let (location, _) = self.get(leaf);
        let class = class(leaf);
        if class == LONG {
            self.long_bytes -= self.long.remove(leaf.index()).len();
        } else {
            with_class!(mut self, class, arena => { arena.remove(leaf.index()); });
        }
        location
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let slots: usize =
            (0..LONG).map(|class| with_class!(self, class, arena => arena.memory_bytes())).sum();
        slots + self.long.memory_bytes() + self.long_bytes
    }
}

fn class(leaf: Handle) -> usize {
    match leaf.kind() {
        Kind::Leaf(class) => usize::from(class),
        _ => unreachable!("not a leaf"),
    }
}
