//! The names of cached values.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// A name, in its place unless it is long: comparing it looks at no other memory.
pub(super) enum CachedName {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

/// So that a name takes 48 bytes.
const SHORT: usize = 46;

impl CachedName {
    pub(super) fn new(name: &[u8]) -> Self {
        if name.len() > SHORT {
            return CachedName::Long(name.into());
        }
        let mut short = [0; SHORT];
        short[..name.len()].copy_from_slice(name);
        CachedName::Short(name.len() as u8, short)
    }

    /// Memory that a name takes elsewhere.
    pub(super) fn heap_bytes(name: &[u8]) -> usize {
        if name.len() > SHORT { name.len() } else { 0 }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            CachedName::Short(len, bytes) => &bytes[..usize::from(*len)],
            CachedName::Long(bytes) => bytes,
        }
    }
}

// Names are looked up by slices: they hash and compare as these.
impl Borrow<[u8]> for CachedName {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Hash for CachedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl PartialEq for CachedName {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for CachedName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_are_what_they_were_made_of() {
        assert_eq!(size_of::<CachedName>(), 48);
        for len in [0, 1, SHORT - 1, SHORT, SHORT + 1, 70_000] {
            let name: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(CachedName::new(&name).as_slice(), name);
        }
    }
}
