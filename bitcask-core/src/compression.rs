//! Values made shorter: the codecs, and the only place that names their crates.
//!
//! A compressed value says by which codec and how long it was ([`crate::format::record`]), so a store opens
//! whatever it was written with. Snappy and LZ4 are pure Rust, and cost ten to twenty microseconds for 4 KiB of text; Zstandard is the C
//! library: no encoder in pure Rust makes values as short. `benches/compression.rs` measures them.

use crate::format::record::MAX_VALUE_LEN;
use std::cell::RefCell;

/// How values are made shorter before they are written. Reading needs no option: each record says how it
/// was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    Off,
    /// Snappy: quick both ways.
    Snappy,
    /// LZ4: about as Snappy, and quicker to read where values are large.
    Lz4,
    /// Zstandard: the shortest, at two to four times the cost.
    Zstd,
}

impl Compression {
    pub(crate) fn codec(self) -> Option<Codec> {
        match self {
            Compression::Off => None,
            Compression::Snappy => Some(Codec::Snappy),
            Compression::Lz4 => Some(Codec::Lz4),
            Compression::Zstd => Some(Codec::Zstd),
        }
    }
}

/// A codec, with its number in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Codec {
    /// The block format, which begins with the raw length.
    Snappy = 1,
    /// One block, without a length before it.
    Lz4 = 2,
    /// One frame, which says its content's length.
    Zstd = 3,
}

impl Codec {
    fn from_u8(codec: u8) -> Option<Codec> {
        Some(match codec {
            1 => Codec::Snappy,
            2 => Codec::Lz4,
            3 => Codec::Zstd,
            _ => return None,
        })
    }
}

/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;
/// No byte of an LZ4 block makes more than so many.
const LZ4_MAX_RATIO: usize = 255;

/// What each thread keeps from one value to the next: tables that are dear to make.
#[derive(Default)]
struct Tools {
    snappy: Option<snap::raw::Encoder>,
    /// For inputs below 64 KiB, and for any.
    lz4: Option<(lz4_flex::block::CompressTable, lz4_flex::block::CompressTable)>,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    unzstd: Option<zstd::bulk::Decompressor<'static>>,
}

thread_local! {
    static TOOLS: RefCell<Tools> = RefCell::default();
}

/// Appends what `codec` makes of `raw` to `out`, if that is shorter by more than `overhead` bytes. If not, or if
/// the codec fails, says false and leaves `out` as it was.
pub(crate) fn compress(codec: Codec, raw: &[u8], overhead: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let bound = match codec {
        Codec::Snappy => snap::raw::max_compress_len(raw.len()),
        Codec::Lz4 => lz4_flex::block::get_maximum_output_size(raw.len()),
        Codec::Zstd => zstd::zstd_safe::compress_bound(raw.len()),
    };
    out.resize(start + bound, 0);
    let len = TOOLS.with_borrow_mut(|tools| tools.compress(codec, raw, &mut out[start..]));
    match len {
        Some(len) if len + overhead < raw.len() => {
            out.truncate(start + len);
            true
        }
        _ => {
            out.truncate(start);
            false
        }
    }
}

/// The value of `raw_len` bytes that `codec` made `bytes` of. The error says what is wrong with them.
///
/// Whatever the bytes are, this allocates no more than a value may have, and seldom more than they can
/// account for.
pub(crate) fn decompress(codec: u8, raw_len: u32, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    const FALSE_LENGTH: &str = "a compressed value has another length than its record says";
    let raw_len = raw_len as usize;
    let codec = Codec::from_u8(codec)
        .ok_or("a value is compressed by a codec that this program does not know")?;
    let claimed = match codec {
        Codec::Snappy => snap::raw::decompress_len(bytes).ok(),
        Codec::Lz4 => (raw_len <= bytes.len().saturating_mul(LZ4_MAX_RATIO)).then_some(raw_len),
        Codec::Zstd => match zstd::zstd_safe::get_frame_content_size(bytes) {
            Ok(Some(len)) => usize::try_from(len).ok(),
            _ => None,
        },
    };
    if raw_len > MAX_VALUE_LEN || claimed != Some(raw_len) {
        return Err(FALSE_LENGTH);
    }
    let mut raw = vec![0; raw_len];
    match TOOLS.with_borrow_mut(|tools| tools.decompress(codec, bytes, &mut raw)) {
        Some(len) if len == raw_len => Ok(raw),
        Some(_) => Err(FALSE_LENGTH),
        None => Err("a compressed value cannot be decompressed"),
    }
}

/// A value in Snappy's block format, which says how long it was itself.
pub(crate) fn unsnap(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let raw_len = snap::raw::decompress_len(bytes)
        .ok()
        .and_then(|len| u32::try_from(len).ok())
        .ok_or("a value is not in Snappy's format")?;
    decompress(Codec::Snappy as u8, raw_len, bytes)
}

impl Tools {
    fn compress(&mut self, codec: Codec, raw: &[u8], out: &mut [u8]) -> Option<usize> {
        use lz4_flex::block::{CompressTable, compress_into_with_table};
        match codec {
            Codec::Snappy => {
                let encoder = self.snappy.get_or_insert_with(snap::raw::Encoder::new);
                encoder.compress(raw, out).ok()
            }
            Codec::Lz4 => {
                let tables = || (CompressTable::small(), CompressTable::large());
                let (small, large) = self.lz4.get_or_insert_with(tables);
                let table = if raw.len() < usize::from(u16::MAX) { small } else { large };
                compress_into_with_table(raw, out, table).ok()
            }
            Codec::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
                }
                self.zstd.as_mut()?.compress_to_buffer(raw, out).ok()
            }
        }
    }

    fn decompress(&mut self, codec: Codec, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        match codec {
            Codec::Snappy => snap::raw::Decoder::new().decompress(bytes, out).ok(),
            Codec::Lz4 => lz4_flex::block::decompress_into(bytes, out).ok(),
            Codec::Zstd => {
                if self.unzstd.is_none() {
                    self.unzstd = zstd::bulk::Decompressor::new().ok();
                }
                self.unzstd.as_mut()?.decompress_to_buffer(bytes, out).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Codec; 3] = [Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn text(len: usize) -> Vec<u8> {
        b"the quick brown fox; ".iter().copied().cycle().take(len).collect()
    }

    #[test]
    fn what_would_not_be_shorter_is_left_alone() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(70_000)
        .collect();
        for codec in ALL {
            for raw in [&b""[..], b"x", &noise[..100], &noise] {
                let mut out = b"before".to_vec();
                assert!(!compress(codec, raw, 0, &mut out), "{codec:?} of {} bytes", raw.len());
                assert_eq!(out, b"before");
            }
            let mut out = Vec::new();
            assert!(!compress(codec, &text(200), 199, &mut out));
        }
    }

    #[test]
    fn a_raw_length_that_lies_is_refused() {
        for codec in ALL {
            let raw = text(1000);
            let mut bytes = Vec::new();
            assert!(compress(codec, &raw, 0, &mut bytes));
            assert_eq!(decompress(codec as u8, 1000, &bytes).unwrap(), raw);
            for lie in [0, 1, 999, 1001, MAX_VALUE_LEN as u32, u32::MAX] {
                assert!(decompress(codec as u8, lie, &bytes).is_err(), "{codec:?} {lie}");
            }
        }
        assert!(decompress(0, 1, b"x").is_err());
        assert!(decompress(4, 1, b"x").is_err());
    }

    proptest! {
        #[test]
        fn what_was_compressed_reads_back(pieces in prop::collection::vec(("[a-z]{1,9}", 1..60_usize), 0..40), codec in 0..3_usize) {
            let raw: Vec<u8> =
                pieces.iter().flat_map(|(piece, times)| piece.repeat(*times).into_bytes()).collect();
            let mut bytes = Vec::new();
            if compress(ALL[codec], &raw, 0, &mut bytes) {
                prop_assert_eq!(decompress(ALL[codec] as u8, raw.len() as u32, &bytes).unwrap(), raw);
            }
        }

        /// Nothing that is fed to a codec makes it panic, or return a value of another length.
        #[test]
        fn damaged_bytes_are_an_error_or_have_the_length_that_was_asked(
            cut in 0..=600_usize,
            flips in prop::collection::vec((0..600_usize, 0..8_u8), 0..4),
            raw_len in prop_oneof![Just(6000_u32), 0..10_000_u32, any::<u32>()],
            codec in 0..3_usize,
        ) {
            let mut bytes = Vec::new();
            compress(ALL[codec], &text(6000), 0, &mut bytes);
            for (at, bit) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            bytes.truncate(cut);
            if let Ok(raw) = decompress(ALL[codec] as u8, raw_len, &bytes) {
                prop_assert_eq!(raw.len(), raw_len as usize);
            }
            let _ = unsnap(&bytes);
        }
    }
}
