//! The first bytes of a segment file, and the names of files.

use super::be_u32;

/// Segment header, format version 1.
///
/// | offset | size | field   | meaning                                    |
/// |-------:|-----:|---------|--------------------------------------------|
/// |      0 |    6 | magic   | `"BCSEG\n"`                                |
/// |      6 |    1 | flags   | 1: compaction wrote it                     |
/// |      7 |    1 | version | 1                                          |
/// |      8 |    4 | id      | the segment's number, as in its name       |
/// |     12 |    4 | store   | random: the same in all segments of a store |
/// |     16 |    4 | own     | random: with the four bytes before, the salt that the segment's marks begin with |
/// |     20 |    4 | crc     | CRC-32 of the twenty bytes before          |
pub(crate) const HEADER_LEN: usize = 24;
const CRC_AT: usize = HEADER_LEN - 4;
const VERSION: u8 = 1;
const FLAG_COMPACTED: u8 = 1;
const MAGIC: [u8; 6] = *b"BCSEG\n";

/// What marks of a segment begin with: its store's four bytes, and four of its own.
pub(crate) type Salt = [u8; 8];

/// The salt of a new segment of the store that `of` is one of, or of a new store.
pub(crate) fn salt(of: Option<Salt>, random: u64) -> Salt {
    let mut salt = random.to_be_bytes();
    if let Some(of) = of {
        salt[..4].copy_from_slice(&of[..4]);
    }
    salt
}

/// Whether two segments are of one store.
pub(crate) fn is_same_store(one: Salt, other: Salt) -> bool {
    one[..4] == other[..4]
}

/// What a segment's header says, beside its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) salt: Salt,
    /// Compaction wrote it: complete when it got its name, and never the one that is appended to.
    pub(crate) compacted: bool,
}

pub(crate) fn header(id: u32, head: Head) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..6].copy_from_slice(&MAGIC);
    bytes[6] = if head.compacted { FLAG_COMPACTED } else { 0 };
    bytes[7] = VERSION;
    bytes[8..12].copy_from_slice(&id.to_be_bytes());
    bytes[12..CRC_AT].copy_from_slice(&head.salt);
    let crc = crc32fast::hash(&bytes[..CRC_AT]);
    bytes[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The format version of a segment that a later version of this crate wrote. The place of the version and of
/// the checksum are the same in all versions, so that damage does not pass for one.
pub(crate) fn newer_version(bytes: &[u8]) -> Option<u8> {
    let bytes = bytes.get(..HEADER_LEN)?;
    let version = bytes[7];
    let sound = bytes[..6] == MAGIC && crc32fast::hash(&bytes[..CRC_AT]) == be_u32(bytes, CRC_AT);
    (sound && version > VERSION).then_some(version)
}

/// Checks a header; the error says what is wrong.
pub(crate) fn check_header(bytes: &[u8], id: u32) -> Result<Head, &'static str> {
    let Some(bytes) = bytes.get(..HEADER_LEN) else {
        return Err("the file is shorter than a segment's header");
    };
    if bytes[..6] != MAGIC {
        return Err("this is not a segment file");
    }
    if crc32fast::hash(&bytes[..CRC_AT]) != be_u32(bytes, CRC_AT) {
        return Err("the segment's header fails its checksum");
    }
    if bytes[7] != VERSION || bytes[6] & !FLAG_COMPACTED != 0 {
        return Err("the segment has a format version that this program does not know");
    }
    if be_u32(bytes, 8) != id {
        return Err("the segment's number is not that of its file name");
    }
    let salt = bytes[12..CRC_AT].try_into().expect("eight bytes");
    Ok(Head { salt, compacted: bytes[6] & FLAG_COMPACTED != 0 })
}

/// `00000001.seg`
pub(crate) fn file_name(id: u32) -> String {
    format!("{id:08}.seg")
}

/// `00000001.hint`
pub(crate) fn hint_name(id: u32) -> String {
    format!("{id:08}.hint")
}

/// `00000001.hint.tmp`: a hint that is being written.
pub(crate) fn unfinished_hint_name(id: u32) -> String {
    format!("{id:08}.hint.tmp")
}

/// `00000001.unfinished`: a segment that compaction is writing, or (empty) a number that was given out and
/// came to nothing.
pub(crate) fn unfinished_name(id: u32) -> String {
    format!("{id:08}.unfinished")
}

/// The segment number in the name of an unfinished segment.
pub(crate) fn parse_unfinished_name(name: &str) -> Option<u32> {
    let id = name.split('.').next()?.parse().ok()?;
    (unfinished_name(id) == name).then_some(id)
}

/// `00000001.torn`: what was cut off the end of a segment.
pub(crate) fn torn_name(id: u32) -> String {
    format!("{id:08}.torn")
}

/// `00000001.damaged`: a segment as salvage found it.
pub(crate) fn damaged_name(id: u32) -> String {
    format!("{id:08}.damaged")
}

/// `00000001.mending`: what salvage is about to put in its place.
pub(crate) fn mending_name(id: u32) -> String {
    format!("{id:08}.mending")
}

/// Whether a file of this name belongs to a segment.
pub(crate) fn is_name_of_a_segment(name: &str) -> bool {
    let Some(id) = name.split('.').next().and_then(|stem| stem.parse().ok()) else { return false };
    let makers = [
        file_name,
        hint_name,
        unfinished_name,
        unfinished_hint_name,
        torn_name,
        damaged_name,
        mending_name,
    ];
    makers.iter().any(|make| make(id) == name)
}

/// The segment number in the name of a hint.
pub(crate) fn parse_hint_name(name: &str) -> Option<u32> {
    let id = name.split('.').next()?.parse().ok()?;
    (hint_name(id) == name).then_some(id)
}

/// The segment number in the name of an unfinished hint.
pub(crate) fn parse_unfinished_hint_name(name: &str) -> Option<u32> {
    let id = name.split('.').next()?.parse().ok()?;
    (unfinished_hint_name(id) == name).then_some(id)
}

/// The segment number in a file name, if it is one that [`file_name`] makes.
pub(crate) fn parse_name(name: &str) -> Option<u32> {
    let id = name.strip_suffix(".seg")?.parse().ok()?;
    (file_name(id) == name).then_some(id)
}

/// Whether a file of this name may be in a directory that is no store yet: what is ours begins with a number
/// as ours do, and a hidden file says nothing.
pub(crate) fn is_harmless_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    stem.is_empty() || (stem.len() >= 8 && stem.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { salt: *b"saltsalt", compacted: false };

    #[test]
    fn a_header_has_the_bytes_of_version_1_and_any_other_is_refused() {
        let head = HEAD;
        let good = header(7, head);
        assert_eq!(&good[..20], b"BCSEG\n\x00\x01\x00\x00\x00\x07saltsalt");
        assert_eq!(check_header(&good, 7), Ok(head));
        let compacted = header(7, Head { compacted: true, ..head });
        assert_eq!(&compacted[..20], b"BCSEG\n\x01\x01\x00\x00\x00\x07saltsalt");
        assert_eq!(check_header(&compacted, 7), Ok(Head { compacted: true, ..head }));
        assert!(check_header(&good, 8).is_err());
        assert!(check_header(&good[..23], 7).is_err());
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(check_header(&bad, 7).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_a_damaged_header() {
        let mut newer = header(7, HEAD);
        newer[7] = 2;
        assert_eq!(newer_version(&newer), None, "the checksum does not agree");
        let crc = crc32fast::hash(&newer[..CRC_AT]);
        newer[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(newer_version(&newer), Some(2));
        assert_eq!(newer_version(&header(7, HEAD)), None);
        assert!(check_header(&newer, 7).is_err());
    }

    #[test]
    fn only_names_of_our_own_making_are_segments() {
        assert_eq!(parse_name("00000012.seg"), Some(12));
        assert_eq!(parse_name(&file_name(u32::MAX)), Some(u32::MAX));
        for name in ["12.seg", "000000012.seg", "00000012.hint", "+0000012.seg", "x.seg", ".seg"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
