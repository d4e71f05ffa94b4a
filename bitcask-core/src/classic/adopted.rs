//! The list of another Bitcask's files that are segments of a store: bytes ↔ list, no I/O.

use super::basho;
use super::reading::Reading;
use crate::format::segment::{MAX_ID, Salt, file_name};
use crate::format::{be_u32, be_u64, crc32};

/// Name of the file with the list.
pub(crate) const NAME: &str = "adopted";
/// The list while it is being written.
pub(crate) const UNFINISHED_NAME: &str = "adopted.unfinished";

/// The list, format version 1. Integers are big endian. The first file is segment 1, and so on.
///
/// | offset | size | field   | meaning                                                |
/// |-------:|-----:|---------|--------------------------------------------------------|
/// |      0 |    6 | magic   | `"BCADO\n"`                                            |
/// |      6 |    1 |         | 0                                                      |
/// |      7 |    1 | version | 1                                                      |
/// |      8 |    4 | store   | random: the same in all segments of the store          |
/// |     12 |    4 | count   | number of files                                        |
/// |     16 |      | files   | each as below, in the order of the numbers in their names |
/// |   last |    4 | crc     | CRC-32 of every byte before                            |
///
/// A file:
///
/// | size | field    | meaning                                                         |
/// |-----:|----------|-----------------------------------------------------------------|
/// |    4 | len      | its length                                                      |
/// |    8 | entries  | sound entries in it; the rest was damaged when it was taken over |
/// |    2 | name_len | bytes of its name                                               |
/// |      | name     |                                                                 |
const HEADER_LEN: usize = 16;
const FILE_LEN: usize = 14;
const _: () = assert!(HEADER_LEN == 6 + 1 + 1 + 4 + 4 && FILE_LEN == 4 + 8 + 2);
const MAGIC: [u8; 6] = *b"BCADO\n";
const VERSION: u8 = 1;

/// Files of Basho's Bitcask or of pybitcask that are the first segments of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    store: [u8; 4],
    files: Vec<AdoptedFile>,
    /// Bytes of all files.
    bytes: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdoptedFile {
    pub(crate) name: String,
    pub(crate) len: u32,
    pub(crate) reading: Reading,
}

impl Adopted {
    /// Without any file. `store` is what the store's segments have in common.
    pub(crate) fn new(store: [u8; 4]) -> Self {
        Adopted { store, files: Vec::new(), bytes: 0 }
    }

    /// Adds the next file, with so many sound entries.
    pub(crate) fn push(&mut self, name: String, len: u32, entries: u64) {
        let reading = Reading { before: self.bytes, entries };
        self.files.push(AdoptedFile { name, len, reading });
        self.bytes += u64::from(len);
    }

    pub(crate) fn set_entries(&mut self, id: u32, entries: u64) {
        self.files[id as usize - 1].reading.entries = entries;
    }

    /// The files, with the numbers of their segments.
    pub(crate) fn files(&self) -> impl Iterator<Item = (u32, &AdoptedFile)> {
        (1..).zip(&self.files)
    }

    pub(crate) fn file(&self, id: u32) -> Option<&AdoptedFile> {
        self.files.get((id as usize).checked_sub(1)?)
    }

    /// The greatest number of a segment among them; 0 without any.
    pub(crate) fn last(&self) -> u32 {
        self.files.len() as u32
    }

    /// The number of the segment that the file `name` is.
    pub(crate) fn id_of(&self, name: &str) -> Option<u32> {
        let order = |name| (basho::parse_data_name(name), name);
        let found = self.files.binary_search_by(|file| order(file.name.as_str()).cmp(&order(name)));
        found.ok().map(|index| index as u32 + 1)
    }

    /// No entry in them has a greater sequence number.
    pub(crate) fn max_sequence(&self) -> u64 {
        self.bytes
    }

    /// What stands for the salt of these segments, which have no marks.
    pub(crate) fn salt(&self) -> Salt {
        let mut salt = [0; 8];
        salt[..4].copy_from_slice(&self.store);
        salt
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[0, VERSION]);
        out.extend_from_slice(&self.store);
        out.extend_from_slice(&self.last().to_be_bytes());
        for file in &self.files {
            out.extend_from_slice(&file.len.to_be_bytes());
            out.extend_from_slice(&file.reading.entries.to_be_bytes());
            // It ends in `.bitcask.data` behind a number of 64 bits; zeros before that do not fill a file system.
            out.extend_from_slice(&(file.name.len() as u16).to_be_bytes());
            out.extend_from_slice(file.name.as_bytes());
        }
        let crc = crc32(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// The format version of a list that a later version of this crate wrote.
    pub(crate) fn newer_version(bytes: &[u8]) -> Option<u8> {
        let sound = bytes.len() >= HEADER_LEN + 4 && bytes[..6] == MAGIC && has_good_crc(bytes);
        (sound && bytes[7] > VERSION).then(|| bytes[7])
    }

    /// The error says what is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() < HEADER_LEN + 4 || bytes[..6] != MAGIC {
            return Err("this is not a list of files that were taken over");
        }
        if !has_good_crc(bytes) {
            return Err("the list of files that were taken over fails its checksum");
        }
        if bytes[6..8] != [0, VERSION] {
            return Err("the list of files that were taken over is of another version");
        }
        let mut adopted = Adopted::new(bytes[8..12].try_into().expect("four bytes"));
        let count = be_u32(bytes, 12);
        let mut rest = &bytes[HEADER_LEN..bytes.len() - 4];
        let short = "the list of files that were taken over is cut short";
        let mut before = None;
        for _ in 0..count.min(MAX_ID) {
            let (head, after) = rest.split_at_checked(FILE_LEN).ok_or(short)?;
            let name_len = usize::from(u16::from_be_bytes([head[12], head[13]]));
            let (name, after) = after.split_at_checked(name_len).ok_or(short)?;
            let name = String::from_utf8(name.to_vec()).ok();
            let number = name.as_deref().and_then(basho::parse_data_name);
            let (Some(name), Some(number)) = (name, number) else {
                return Err("the list of files that were taken over has one of another name");
            };
            if before.as_ref().is_some_and(|before| *before >= (number, name.clone())) {
                return Err("the list of files that were taken over is out of order");
            }
            before = Some((number, name.clone()));
            adopted.push(name, be_u32(head, 0), be_u64(head, 4));
            rest = after;
        }
        if rest.is_empty() && count <= MAX_ID { Ok(adopted) } else { Err(short) }
    }
}

fn has_good_crc(bytes: &[u8]) -> bool {
    let (body, crc) = bytes.split_at(bytes.len() - 4);
    crc32(body) == be_u32(crc, 0)
}

/// Name of the file of segment `id` in a directory in which these were taken over.
pub(crate) fn segment_name(adopted: Option<&Adopted>, id: u32) -> String {
    let file = adopted.and_then(|adopted| adopted.file(id));
    file.map_or_else(|| file_name(id), |file| file.name.clone())
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn example() -> Adopted {
        let mut adopted = Adopted::new(*b"abcd");
        adopted.push("9.bitcask.data".into(), 137, 4);
        adopted.push("10.bitcask.data".into(), 0x1000, 7);
        adopted
    }

    #[test]
    fn a_list_has_the_bytes_of_version_1_and_any_other_is_refused() {
        let adopted = example();
        let good = adopted.encode();
        assert_eq!(
            hex(&good),
            concat!(
                "424341444f0a",
                "0001",
                "61626364",
                "00000002",
                "00000089",
                "0000000000000004",
                "000e",
                "392e6269746361736b2e64617461",
                "00001000",
                "0000000000000007",
                "000f",
                "31302e6269746361736b2e64617461",
                "2029b1e4",
            )
        );
        assert_eq!(Adopted::decode(&good), Ok(adopted));
        for cut in 0..good.len() {
            assert!(Adopted::decode(&good[..cut]).is_err());
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Adopted::decode(&bad).is_err(), "bit {bit}");
            assert_eq!(Adopted::newer_version(&bad), None, "bit {bit}");
        }
    }

    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - 4;
        let crc = crc32(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn a_newer_list_is_told_from_a_damaged_one() {
        let mut newer = example().encode();
        newer[7] = 2;
        let newer = sealed(newer);
        assert_eq!(Adopted::newer_version(&newer), Some(2));
        assert!(Adopted::decode(&newer).is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_out_of_order_or_come_twice_are_refused() {
        let list = |names: &[&str]| {
            let mut adopted = Adopted::new([0; 4]);
            names.iter().for_each(|name| adopted.push((*name).into(), 1, 1));
            Adopted::decode(&adopted.encode()).is_ok()
        };
        assert!(list(&[]) && list(&["1.bitcask.data"]));
        assert!(list(&["01.bitcask.data", "1.bitcask.data", "2.bitcask.data"]));
        assert!(!list(&["2.bitcask.data", "1.bitcask.data"]));
        assert!(!list(&["1.bitcask.data", "1.bitcask.data"]));
        assert!(!list(&["../1.bitcask.data"]) && !list(&["00000001.seg"]) && !list(&[""]));
    }

    #[test]
    fn numbers_of_segments_begin_at_1_and_sequence_numbers_go_through_all_files() {
        let adopted = example();
        assert_eq!((adopted.last(), adopted.max_sequence()), (2, 137 + 0x1000));
        assert_eq!(adopted.file(0), None);
        assert_eq!(adopted.file(3), None);
        assert_eq!(adopted.file(2).unwrap().reading.sequence(5), 137 + 5 + 1);
        assert_eq!(adopted.id_of("10.bitcask.data"), Some(2));
        assert_eq!(segment_name(Some(&adopted), 1), "9.bitcask.data");
        assert_eq!(segment_name(Some(&adopted), 3), "00000003.seg");
        assert_eq!(segment_name(None, 1), "00000001.seg");
    }
}
