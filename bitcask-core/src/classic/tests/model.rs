//! Random directories of all writers, and what they hold.

use super::*;
use crate::classic::prologic::Version;
use crate::classic::{basho, bitgask, prologic};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(u8, Vec<u8>, Option<u16>),
    Delete(u8, u8),
    Rotate,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, prop::collection::vec(any::<u8>(), 1..40), prop::option::of(any::<u16>()))
            .prop_map(|(key, value, expiry)| Step::Put(key, value, expiry)),
        2 => (0..6_u8, 0..3_u8).prop_map(|(key, version)| Step::Delete(key, version)),
        1 => Just(Step::Rotate),
    ]
}

pub(super) fn key(n: u8) -> Vec<u8> {
    [&b"key"[..], &vec![b'x'; usize::from(n)]].concat()
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Writer {
    Basho,
    Bitgask,
    PrologicV0,
    PrologicV1,
}

pub(super) const WRITERS: [Writer; 4] =
    [Writer::Basho, Writer::Bitgask, Writer::PrologicV0, Writer::PrologicV1];

/// The last file's number and length, and the contents.
pub(super) type State = (u32, usize, Contents);

impl Writer {
    pub(super) fn layout(self) -> Layout {
        match self {
            Writer::Basho => Layout::Basho,
            Writer::Bitgask => Layout::Bitgask,
            Writer::PrologicV0 | Writer::PrologicV1 => Layout::Prologic,
        }
    }

    pub(super) fn name(self, file: u32) -> String {
        match self {
            Writer::Basho => basho::data_name(file),
            _ => format!("{file:09}.data"),
        }
    }

    /// Appends a step's entry, and gives the expiry that it has.
    pub(super) fn write(self, out: &mut Vec<u8>, key: &[u8], step: &Step) -> Option<UnixMillis> {
        let after = match step {
            Step::Put(_, _, after) => after.map(|after| NOW_SECS + 1 + u64::from(after)),
            _ => None,
        };
        let value = match step {
            Step::Put(_, value, _) => Some(&value[..]),
            _ => None,
        };
        match self {
            Writer::Basho => {
                let tombstone = match step {
                    Step::Delete(_, 0) => b"bitcask_tombstone".to_vec(),
                    Step::Delete(_, version) => {
                        [&b"bitcask_tombstone"[..], &[b'0' + version, 0, 0, 0, 1]].concat()
                    }
                    _ => vec![],
                };
                basho::encode_entry(out, NOW_SECS as u32, key, value.unwrap_or(&tombstone));
                None
            }
            Writer::Bitgask => {
                let expires = after.map_or(0, |at| at as i64 * 1_000_000_000);
                match value {
                    Some(value) if value[0] % 2 == 0 => {
                        bitgask::encode(out, 1, expires, 2, key, &snappy(value));
                    }
                    Some(value) => bitgask::encode(out, 1, expires, 0, key, value),
                    None => bitgask::encode(out, 1, 0, 1, key, b""),
                }
                after.map(|secs| UnixMillis(secs * 1000))
            }
            Writer::PrologicV0 => {
                prologic::encode(out, Version::V0, 0, key, value.unwrap_or_default());
                None
            }
            Writer::PrologicV1 => {
                let value = value.unwrap_or_default();
                prologic::encode(out, Version::V1, after.unwrap_or(0), key, value);
                after.map(|secs| UnixMillis(secs * 1000))
            }
        }
    }

    /// The files that the steps make, and what there is after each step.
    pub(super) fn run(self, steps: &[Step]) -> (BTreeMap<u32, Vec<u8>>, Vec<State>) {
        let mut files = BTreeMap::from([(9, Vec::new())]);
        let mut states = vec![(9, 0, Contents::new())];
        for step in steps {
            let (&last, _) = files.last_key_value().unwrap();
            let mut contents = states.last().unwrap().2.clone();
            match step {
                Step::Rotate => {
                    files.insert(last + 1, Vec::new());
                    states.push((last + 1, 0, contents));
                    continue;
                }
                Step::Put(n, value, _) => {
                    let expires_at = self.write(files.get_mut(&last).unwrap(), &key(*n), step);
                    contents.insert(key(*n), (value.clone(), expires_at));
                }
                Step::Delete(n, _) => {
                    self.write(files.get_mut(&last).unwrap(), &key(*n), step);
                    contents.remove(&key(*n));
                }
            }
            states.push((last, files[&last].len(), contents));
        }
        (files, states)
    }

    pub(super) fn dir(self, files: &BTreeMap<u32, Vec<u8>>) -> SimDir {
        let dir = SimDir::new(1);
        for (file, data) in files {
            dir.write_file(&self.name(*file), data);
        }
        match self {
            Writer::PrologicV0 => dir.write_file("config.json", br#"{"db_version":0}"#),
            Writer::PrologicV1 => dir.write_file("config.json", br#"{"db_version":1}"#),
            _ => {}
        }
        dir
    }
}

/// A few files with overwrites and deletions of everything.
pub(super) fn sample() -> Vec<Step> {
    let put = |n, value: &[u8], expiry| Step::Put(n, value.to_vec(), expiry);
    vec![
        put(0, b"first", None),
        put(1, b"second", Some(9)),
        put(0, b"Third", None),
        Step::Delete(1, 0),
        Step::Rotate,
        put(2, b"fourth", None),
        put(1, b"fifth", Some(7)),
        Step::Delete(0, 2),
        put(3, b"sixth", None),
        put(2, b"Seventh", Some(5)),
    ]
}
