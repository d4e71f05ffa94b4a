//! The arguments of a request.

use std::ops::Index;

/// Where an argument lies in its buffer: first byte, and one beyond the last.
pub(crate) type Place = (u32, u32);

/// Arguments that lie in a buffer. Copying this copies none of them.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    buffer: &'a [u8],
    places: &'a [Place],
}

impl<'a> Args<'a> {
    pub(crate) fn new(buffer: &'a [u8], places: &'a [Place]) -> Self {
        Args { buffer, places }
    }

    /// Number of arguments, the command's name included.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True of an empty request, which asks for nothing and is not answered.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// An argument.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.places.get(index).map(|place| slice(self.buffer, *place))
    }

    /// All arguments, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let buffer = self.buffer;
        self.places.iter().map(move |place| slice(buffer, *place))
    }

    /// Without the first `count` arguments.
    pub fn skip(&self, count: usize) -> Self {
        Args { buffer: self.buffer, places: self.places.get(count..).unwrap_or_default() }
    }
}

fn slice(buffer: &[u8], (start, end): Place) -> &[u8] {
    &buffer[start as usize..end as usize]
}

impl Index<usize> for Args<'_> {
    type Output = [u8];
    fn index(&self, index: usize) -> &[u8] {
        slice(self.buffer, self.places[index])
    }
}

/// A copy of a request's arguments, in two allocations.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    buffer: Vec<u8>,
    places: Vec<Place>,
}

impl OwnedArgs {
    /// The arguments.
    pub fn as_args(&self) -> Args<'_> {
        Args { buffer: &self.buffer, places: &self.places }
    }

    /// Memory that the copy takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.places.capacity() * size_of::<Place>()
    }
}

impl From<Args<'_>> for OwnedArgs {
    fn from(args: Args<'_>) -> Self {
        args.iter().collect()
    }
}

impl<'a> FromIterator<&'a [u8]> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(args: I) -> Self {
        let mut owned = OwnedArgs::default();
        for arg in args {
            let start = owned.buffer.len() as u32;
            owned.buffer.extend_from_slice(arg);
            owned.places.push((start, owned.buffer.len() as u32));
        }
        owned
    }
}
