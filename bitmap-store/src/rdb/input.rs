//! Bytes that are read from the front, and may end too soon.

/// What has not been read yet.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or("it is cut short")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("it is cut short")?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, &'static str> {
        self.array().map(|[byte]| byte)
    }

    /// The next `len` bytes, at most 8, as a signed number, little endian.
    pub(super) fn signed(&mut self, len: usize) -> Result<i64, &'static str> {
        let bytes = self.take(len)?;
        // Filled up with the sign.
        let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        let mut whole = [fill; 8];
        whole[..len].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(whole))
    }
}

/// An element of a compact list: numbers are not kept as text there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element<'a> {
    Bytes(&'a [u8]),
    Int(i64),
}

impl Element<'_> {
    pub(super) fn to_vec(self) -> Vec<u8> {
        match self {
            Element::Bytes(bytes) => bytes.to_vec(),
            Element::Int(number) => number.to_string().into_bytes(),
        }
    }
}
