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

/// Copies of requests, one after another, for later. Emptied, it keeps its memory for the next ones.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    buffer: Vec<u8>,
    places: Vec<Place>,
    /// Where in `places` each request ends.
    ends: Vec<usize>,
}

impl Requests {
    /// Number of requests.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a copy of `request`; false, and nothing is added, if all together would exceed 4 GiB.
    pub fn push(&mut self, request: Args<'_>) -> bool {
        let total =
            request.iter().fold(self.buffer.len(), |sum, arg| sum.saturating_add(arg.len()));
        if u32::try_from(total).is_err() {
            return false;
        }
        request.iter().all(|arg| self.push_word(arg)) && self.end()
    }

    /// Adds a word to a request that [`Requests::end`] will end; false, and it is not added, if all together
    /// would exceed 4 GiB.
    pub fn push_word(&mut self, word: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.buffer.len() + word.len()) else { return false };
        self.places.push((self.buffer.len() as u32, end));
        self.buffer.extend_from_slice(word);
        true
    }

    /// The words since the last request are one. Always true.
    pub fn end(&mut self) -> bool {
        self.ends.push(self.places.len());
        true
    }

    /// The request at `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, index: usize) -> Args<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Args { buffer: &self.buffer, places: &self.places[start..self.ends[index]] }
    }

    /// Forgets all requests.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.places.clear();
        self.ends.clear();
    }

    /// Memory that the copies take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity()
            + self.places.capacity() * size_of::<Place>()
            + self.ends.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_requests_are_what_they_were() {
        let mut requests = Requests::default();
        let words: [&[&[u8]]; 3] = [&[b"SET", b"", b"v"], &[], &[b"PING"]];
        for round in 0..2 {
            for request in words {
                let buffer = request.concat();
                let mut end = 0;
                let places: Vec<Place> = request
                    .iter()
                    .map(|word| {
                        end += word.len() as u32;
                        (end - word.len() as u32, end)
                    })
                    .collect();
                assert!(requests.push(Args::new(&buffer, &places)));
            }
            assert_eq!(requests.len(), 3, "round {round}");
            for (i, request) in words.iter().enumerate() {
                assert_eq!(requests.get(i).iter().collect::<Vec<_>>(), *request);
            }
            requests.clear();
            assert!(requests.is_empty());
        }
    }
}
