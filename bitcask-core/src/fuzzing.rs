//! What the fuzzer asks of the formats of this crate. Not a part of its interface: `tests/fuzz` calls it.
//!
//! Each check takes any bytes and panics where a promise of a format is broken. A checksum would stop nearly
//! every mutation at the door, so that bytes are read as they are, and again with their checksums put right:
//! what passes its check was perhaps written by another version, and must not do harm either.

use crate::format::hint::{self, Hint};
use crate::format::record::{self, Invalid, Kind, Record};
use crate::format::segment as format;
use crate::recovery::scan::{self, Index};
use crate::storage::sim::SimDir;
use crate::{Batch, Bitcask, Error, Fold, Location, Options, UnixMillis};
use std::collections::BTreeMap;
use std::sync::Arc;

const SEGMENT: u32 = 1;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A valid segment and its hint: puts, expiries, chains, deletions, batches and marks.
fn example_files() -> (Vec<u8>, Vec<u8>) {
    let dir = SimDir::new(1);
    let store = open(&dir).expect("an empty directory opens");
    let write = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new(NOW);
        fill(&mut batch);
        let written = store.write(&mut batch).expect("the disk has no faults");
        store.wait_durable(written.position()).expect("the disk has no faults");
    };
    write(&|batch| _ = batch.put(b"a", b"value", None));
    write(&|batch| _ = batch.put(b"ab", b"", Some(UnixMillis(NOW.0 + 9))));
    for _ in 0..3 {
        let chain = store.entry(b"a").expect("it can be read").expect("it is there").chain;
        write(&|batch| _ = batch.delta(b"a", b"+", &chain, None));
    }
    write(&|batch| {
        batch.put(b"b1", b"1", None);
        batch.put(b"b2", b"2", None);
        batch.delete(b"ab");
    });
    write(&|batch| {
        batch.delete_prefix(b"b");
        batch.put(b"b2", &[7; 40], None);
    });
    store.close().expect("the disk has no faults");
    (dir.read_file(&format::file_name(SEGMENT)), dir.read_file(&format::hint_name(SEGMENT)))
}

/// Valid inputs of [`record()`].
pub fn example_records() -> Vec<Vec<u8>> {
    let segment = example_files().0;
    let mut rest = &segment[format::HEADER_LEN..];
    let mut examples = Vec::new();
    while let Ok(found) = Record::parse(rest) {
        let (record, after) = rest.split_at(found.len);
        examples.push(record.to_vec());
        rest = after;
    }
    examples
}

/// A valid input of [`segment`].
pub fn example_segments() -> Vec<Vec<u8>> {
    vec![example_files().0]
}

/// A valid input of [`hint()`].
pub fn example_hints() -> Vec<Vec<u8>> {
    vec![example_files().1]
}

/// A record is refused, or it is exactly what encoding it writes.
pub fn record(bytes: &[u8]) {
    let _ = Record::parse(bytes);
    let mut bytes = bytes.to_vec();
    match record::claimed_len(&bytes) {
        Err(_) => assert!(Record::parse(&bytes).is_err(), "no record without a length"),
        Ok(len) if len > bytes.len() => {
            assert_eq!(Record::parse(&bytes), Err(Invalid::Short(len)));
        }
        Ok(len) => {
            bytes.truncate(len);
            put_crc_right(&mut bytes);
            let read = Record::parse(&bytes).expect("nothing but the checksum was wrong");
            let _ = read.mark();
            let mut again = Vec::new();
            let Record { kind, timestamp, expires_at, link, key, value, .. } = read;
            record::encode(&mut again, kind, timestamp, expires_at, link, key, value);
            record::seal(&mut again, read.sequence, read.more);
            assert_eq!(again, bytes, "a record has one form");
        }
    }
}

/// A segment is indexed as a plain walk along it finds, its hint says the same, and a store opens with it
/// or says what is damaged; one that opens takes writes.
pub fn segment(bytes: &[u8]) {
    let _ = format::check_header(bytes, SEGMENT);
    let Some((header, body)) = bytes.split_first_chunk::<{ format::HEADER_LEN }>() else { return };
    let salt = header[12..20].try_into().expect("eight bytes");
    let mut bytes = format::header(SEGMENT, salt).to_vec();
    bytes.extend_from_slice(body);
    let mut at = format::HEADER_LEN;
    while let Ok(len) = record::claimed_len(&bytes[at..])
        && let Some(record) = bytes.get_mut(at..at + len)
    {
        // One record in eight stays as it is, so that there is damage in the middle, too.
        if record[3] & 7 != 7 {
            put_crc_right(record);
        }
        at += len;
    }

    let wanted = walk(&bytes);
    let (index, damage) = Index::scan(SEGMENT, &bytes, format::HEADER_LEN);
    let entries: Vec<_> = index.entries().collect();
    assert!(entries.is_sorted_by_key(|entry| (entry.key, entry.kind != Kind::DeletePrefix)));
    let found: BTreeMap<_, _> =
        entries.iter().map(|entry| ((entry.key, is_prefix(entry.kind)), entry.location)).collect();
    assert_eq!(found.len(), entries.len(), "one entry for each key");
    assert!(found == wanted.newest, "the index is what a walk finds");
    match (scan::build_hint(SEGMENT, &bytes), damage) {
        (Err(said), Some(damage)) => assert_eq!(said, damage),
        (Ok(hint), None) => {
            let hint = Hint::parse(&hint, SEGMENT).expect("a hint just built is sound");
            assert!(hint.entries().eq(entries), "the hint is the index");
            assert_eq!(hint.covered as usize, bytes.len());
        }
        (hint, damage) => panic!("hint {hint:?}, damage {damage:?}"),
    }

    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(SEGMENT), &bytes);
    let keys = match open(&dir) {
        Err(e) => {
            let refused = damage.is_some() || index.max_sequence > record::MAX_SEQUENCE;
            return assert!(e.is_damage() && refused, "a sound segment opens: {e}");
        }
        Ok(store) => {
            let mut keys = read_all(&store);
            let alive = wanted.alive();
            assert!(keys.iter().eq(alive.keys()), "the keys are those that a walk finds");
            for (key, location) in alive {
                assert_eq!(store.location(&key), Some(location));
            }
            store.put(b"and on", b"it goes", NOW).expect("a store that opened takes writes");
            store.close().expect("a store that opened closes");
            keys.push(b"and on".to_vec());
            keys.sort();
            keys.dedup();
            keys
        }
    };
    let store = open(&dir).expect("a store that was closed opens");
    assert_eq!(read_all(&store), keys);
    assert_eq!(
        store.get(b"and on", NOW).expect("it can be read").as_deref(),
        Some(&b"it goes"[..])
    );
}

/// A hint is refused, or it is exactly what encoding its entries writes; a store opens with it, says what is
/// damaged, or finds by reading that the hint is wrong.
pub fn hint(bytes: &[u8]) {
    let _ = Hint::parse(bytes, SEGMENT);
    let mut bytes = bytes.to_vec();
    let Some(body_len) = bytes.len().checked_sub(4) else { return };
    let crc = crc32fast::hash(&bytes[..body_len]);
    bytes[body_len..].copy_from_slice(&crc.to_be_bytes());
    if let Ok(hint) = Hint::parse(&bytes, SEGMENT) {
        let again = hint::encode(SEGMENT, hint.covered, hint.max_sequence, hint.entries());
        assert_eq!(again, bytes, "a hint has one form");
    }
    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(SEGMENT), &example_files().0);
    dir.write_file(&format::hint_name(SEGMENT), &bytes);
    match open(&dir) {
        Err(e) => assert!(e.is_damage(), "{e}"),
        Ok(store) => {
            read_all(&store);
            store.put(b"and on", b"it goes", NOW).expect("a store that opened takes writes");
        }
    }
}

/// The newest record of each key and each prefix, as the log says it: the last in the segment.
struct Walk<'a> {
    newest: BTreeMap<(&'a [u8], bool), Location>,
    /// Of those: kind and sequence number.
    what: BTreeMap<(&'a [u8], bool), (Kind, u64)>,
}

impl Walk<'_> {
    /// The keys that have a value.
    fn alive(&self) -> BTreeMap<Vec<u8>, Location> {
        let keys = self.what.iter().filter(|(_, (kind, _))| !is_prefix(*kind));
        let alive = keys.filter(|((key, _), (kind, sequence))| {
            let deleted = self.what.iter().any(|((prefix, _), (other, since))| {
                is_prefix(*other) && key.starts_with(prefix) && since >= sequence
            });
            *kind != Kind::Delete && !deleted
        });
        alive.map(|(name, _)| (name.0.to_vec(), self.newest[name])).collect()
    }
}

/// Reads a segment in the plainest way.
fn walk(bytes: &[u8]) -> Walk<'_> {
    let mut walk = Walk { newest: BTreeMap::new(), what: BTreeMap::new() };
    let (mut at, mut batch) = (format::HEADER_LEN, Vec::new());
    while let Ok(record) = Record::parse(&bytes[at..]) {
        let location = Location { segment: SEGMENT, offset: at as u32, len: record.len as u32 };
        let before: Option<&Record<'_>> = batch.last().map(|(record, _)| record);
        if before.is_some_and(|before| {
            record.kind == Kind::Mark || before.sequence.wrapping_add(1) != record.sequence
        }) {
            break;
        }
        at += record.len;
        batch.push((record, location));
        if record.more {
            continue;
        }
        for (record, location) in batch.drain(..) {
            // A mark says nothing of a key.
            if record.mark().is_none() {
                let name = (record.key, is_prefix(record.kind));
                walk.newest.insert(name, location);
                walk.what.insert(name, (record.kind, record.sequence));
            }
        }
    }
    walk
}

fn is_prefix(kind: Kind) -> bool {
    kind == Kind::DeletePrefix
}

fn put_crc_right(record: &mut [u8]) {
    let crc = crc32fast::hash(&record[4..]);
    record[..4].copy_from_slice(&crc.to_be_bytes());
}

/// Reads every key in every way: what cannot be read is damaged, and says so. Returns the keys.
fn read_all(store: &Bitcask) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        std::ops::ControlFlow::Continue(())
    });
    assert!(keys.is_sorted() && keys.len() == store.len());
    for key in &keys {
        let errors = [
            store.get(key, NOW).err(),
            store.entry(key).err(),
            store.newest(key).err(),
            store.expiry(key).err(),
        ];
        errors.iter().flatten().for_each(|e| assert!(e.is_damage(), "{e}"));
    }
    keys
}

struct Append;

impl Fold for Append {
    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([base, delta].concat())
    }
    fn compose(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok([older, newer].concat())
    }
}

fn open(dir: &SimDir) -> Result<Bitcask, Error> {
    let options = Options {
        segment_bytes: 64 << 10,
        fold: Some(Arc::new(Append)),
        background: false,
        ..Options::default()
    };
    Bitcask::open_in(Arc::new(dir.clone()), options)
}
