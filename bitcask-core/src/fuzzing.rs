//! What the fuzzer asks of the formats of this crate. Not a part of its interface: `tests/fuzz` calls it.
//!
//! Each check takes any bytes and panics where a promise of a format is broken. A checksum would stop nearly
//! every mutation at the door, so that bytes are read as they are, and again with their checksums put right:
//! what passes its check was perhaps written by another version, and must not do harm either.

pub use crate::delta::Append;

use crate::compression::{self, Codec};
use crate::format::hint::{self, Hint, Of};
use crate::format::record::{self, Head, Invalid, Kind, MAX_SEQUENCE, MAX_VALUE_LEN, Record};
use crate::format::retired::Retired;
use crate::format::segment as format;
use crate::recovery::scan::{self, Index};
use crate::storage::sim::SimDir;
use crate::{
    Batch, Bitcask, CompactionOptions, Compression, Error, Guard, KeyRange, Location, Options,
    UnixMillis,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

const SEGMENT: u32 = 1;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A valid segment and its hint: all kinds of records and flags.
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
    let text = b"said again and ".repeat(9);
    write(&|batch| {
        let record = batch.put(b"c", &text, Some(UnixMillis(NOW.0 + 99)));
        batch.refers(record);
    });
    let found = store.metadata(b"a").expect("it can be read").expect("it is there");
    write(&|batch| _ = batch.set_expiry(b"a", &found, Some(UnixMillis(NOW.0 + 7))));
    let mut gone = Retired::default();
    [2, 3].iter().for_each(|id| gone.insert(*id));
    let mut batch = Batch::new(NOW);
    batch.retired(&gone.encode());
    store.store.log.append(&mut batch, |_| Ok(()), |_, _, _| {}).expect("the disk has no faults");
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
    let mut void = vec![0; record::HEADER_LEN + 5];
    record::write_void(&mut void, 7);
    examples.push(void);
    examples
}

/// A valid input of [`segment`].
pub fn example_segments() -> Vec<Vec<u8>> {
    let log = example_files().0;
    let mut compacted = log.clone();
    let head = format::check_header(&log, SEGMENT).expect("it is one");
    let head = format::header(SEGMENT, format::Head { compacted: true, ..head });
    compacted[..format::HEADER_LEN].copy_from_slice(&head);
    vec![log, compacted]
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
            if read.refers {
                record::set_refers(&mut again);
            }
            let head = Head::parse(&bytes).expect("as the whole record");
            assert_eq!((head.kind, head.sequence, head.len), (kind, read.sequence, len));
            assert_eq!((head.key_len, head.link), (key.len(), link));
            if let Some(compressed) = read.compressed {
                let at = head.key_start - 5;
                let raw_len = compressed.raw_len.to_be_bytes();
                let said = [compressed.codec].into_iter().chain(raw_len);
                again.splice(at..at, said);
                again[4] |= 0x80;
            }
            if let Ok(raw) = read.raw_value() {
                assert!(raw.len() == head.raw_len && raw.len() <= MAX_VALUE_LEN);
            }
            record::seal(&mut again, read.sequence, read.more);
            assert_eq!(again, bytes, "a record has one form");
        }
    }
}

/// A segment is indexed as a plain walk along it finds, its hint says the same, and a store opens with it
/// or says what is damaged; one that opens takes writes, can be compacted, and backed up.
pub fn segment(bytes: &[u8]) {
    let _ = format::check_header(bytes, SEGMENT);
    if bytes.len() < format::HEADER_LEN {
        return;
    }
    let mut bytes = bytes.to_vec();
    put_segment_right(&mut bytes, SEGMENT, None);
    let head = format::check_header(&bytes, SEGMENT).expect("put right");
    let compacted = head.compacted;

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
            let of = Of::native(SEGMENT, head.salt);
            let hint = Hint::parse(&hint, of).expect("a hint just built is sound");
            assert!(hint.entries().eq(entries), "the hint is the index");
            assert_eq!(hint.totals, index.totals);
            assert_eq!(hint.covered as usize, bytes.len());
        }
        (hint, damage) => panic!("hint {hint:?}, damage {damage:?}"),
    }

    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(SEGMENT), &bytes);
    let totals = &index.totals;
    let last = totals.retired.last().unwrap_or(SEGMENT);
    let store = match open(&dir) {
        Err(e) => {
            let mut known = totals.retired.clone();
            known.insert(SEGMENT);
            let refused = damage.is_some()
                || totals.max_sequence > MAX_SEQUENCE
                || totals.retired.contains(SEGMENT)
                || known.gaps(last).next().is_some();
            return assert!(e.is_damage() && refused, "a sound segment opens: {e}");
        }
        Ok(store) => store,
    };
    assert!(!compacted || damage.is_none(), "only the end of the log may be torn");
    let mut keys = read_all(&store);
    let alive = wanted.alive();
    assert!(keys.iter().eq(alive.keys()), "the keys are those that a walk finds");
    for (key, location) in alive {
        assert_eq!(store.location(&key), Some(location));
    }
    if last > format::MAX_ID - 9 || totals.max_sequence > MAX_SEQUENCE - 999 {
        // What is written next may be out of range.
        return;
    }
    store.put(b"and on", b"it goes", NOW).expect("a store that opened takes writes");
    store.close().expect("a store that opened closes");
    keys.push(b"and on".to_vec());
    keys.sort();
    keys.dedup();
    let store = open(&dir).expect("a store that was closed opens");
    assert_eq!(read_all(&store), keys);
    assert_eq!(
        store.get(b"and on", NOW).expect("it can be read").as_deref(),
        Some(&b"it goes"[..])
    );
    let before = values(&store, &keys);
    check_copy(&store, &keys, &before);
    match store.compact(&CompactionOptions::everything(), NOW, &mut |_| ControlFlow::Continue(())) {
        // What cannot be read may have expired, and gone without being read.
        Ok(_) => {
            for (now, before) in values(&store, &keys).iter().zip(&before) {
                let gone = before.is_none() && now.as_ref().is_some_and(Option::is_none);
                assert!(now == before || gone, "after compaction: {now:?}, before: {before:?}");
            }
        }
        Err(e) => {
            let unreadable = before.contains(&None);
            assert!(e.is_damage() && unreadable, "what can be read can be compacted: {e}");
        }
    }
    store.close().expect("a store that opened closes");
    let store = open(&dir).expect("a store that was compacted opens");
    if !before.contains(&None) {
        assert_eq!(values(&store, &keys), before, "after reopening");
    }
}

/// Of each key the value; `None` if it cannot be read.
fn values(store: &Bitcask, keys: &[Vec<u8>]) -> Vec<Option<Option<Vec<u8>>>> {
    // The value of one that has expired is not read.
    let value = |key: &Vec<u8>| store.entry(key).and_then(|_| store.get(key, NOW)).ok();
    keys.iter().map(value).collect()
}

/// A backup verifies, and what is restored of it is the store.
fn check_copy(store: &Bitcask, keys: &[Vec<u8>], wanted: &[Option<Option<Vec<u8>>>]) {
    let mut stream = Vec::new();
    let wrote = store.backup_to(&mut stream).expect("the disk has no faults");
    let verified =
        Bitcask::verify_backup("backup", &mut &stream[..]).expect("a backup just written");
    assert_eq!(wrote, verified);
    let dir = SimDir::new(3);
    Bitcask::restore_in("backup", &mut &stream[..], &dir).expect("a backup just written");
    let copy = open(&dir).expect("a store that was restored opens");
    assert_eq!(read_all(&copy), keys);
    assert_eq!(values(&copy, keys), wanted);
}

/// Makes a segment of bytes, at least as many as a header has: the header is put right but for its flag and its
/// salt, and of the records the checksums, all but one in eight, so that there is damage in the middle, too.
fn put_segment_right(bytes: &mut [u8], id: u32, of: Option<format::Salt>) {
    let mut salt: format::Salt = bytes[12..20].try_into().expect("eight bytes");
    if let Some(of) = of {
        salt[..4].copy_from_slice(&of[..4]);
    }
    let head = format::Head { salt, compacted: bytes[6] & 1 != 0 };
    bytes[..format::HEADER_LEN].copy_from_slice(&format::header(id, head));
    let mut at = format::HEADER_LEN;
    while let Ok(len) = record::claimed_len(&bytes[at..])
        && let Some(record) = bytes.get_mut(at..at + len)
    {
        if record[3] & 7 != 7 {
            put_crc_right(record);
        }
        at += len;
    }
}

/// A valid input of [`backup`].
pub fn example_backups() -> Vec<Vec<u8>> {
    let dir = SimDir::new(1);
    let store = open(&dir).expect("an empty directory opens");
    let mut streams = vec![Vec::new(); 2];
    store.put(b"a", b"value", NOW).expect("the disk has no faults");
    store.backup_to(&mut streams[0]).expect("the disk has no faults");
    store.put(b"b", &b"again ".repeat(60), NOW).expect("the disk has no faults");
    let everything = CompactionOptions::everything();
    store
        .compact(&everything, NOW, &mut |_| ControlFlow::Continue(()))
        .expect("the disk has no faults");
    store.backup_to(&mut streams[1]).expect("the disk has no faults");
    streams
}

/// Nothing that is taken for a backup does harm; what verifies is restored, and what is restored opens as a store
/// that can be backed up again, or says what is wrong with it.
pub fn backup(bytes: &[u8]) {
    restore(bytes);
    let mut bytes = bytes.to_vec();
    put_backup_right(&mut bytes);
    restore(&bytes);
}

fn restore(bytes: &[u8]) {
    let verified = Bitcask::verify_backup("backup", &mut &bytes[..]);
    let dir = SimDir::new(1);
    match Bitcask::restore_in("backup", &mut &bytes[..], &dir) {
        Err(e) => {
            assert!(e.is_damage(), "{e}");
            assert!(verified.is_err(), "what verifies is restored");
            assert!(matches!(open(&dir), Err(Error::Unfinished { .. })));
        }
        Ok(report) => {
            if let Ok(verified) = verified {
                assert_eq!(verified, report);
            }
            match open(&dir) {
                Err(e) => assert!(e.is_damage() || matches!(e, Error::Missing { .. }), "{e}"),
                Ok(store) => {
                    let keys = read_all(&store);
                    check_copy(&store, &keys, &values(&store, &keys));
                }
            }
        }
    }
}

/// The stream's checksums, and those in its segments; and its count, so that its end is one.
fn put_backup_right(bytes: &mut [u8]) {
    let (mut at, mut count, mut of) = (8, 0_u32, None);
    let seal = |bytes: &mut [u8], at: usize| {
        let Some((before, after)) = bytes.split_at_mut_checked(at) else { return false };
        let Some(stored) = after.get_mut(..4) else { return false };
        stored.copy_from_slice(&crate::format::crc32(before).to_be_bytes());
        true
    };
    while let Some(head) = bytes.get(at..at + 8) {
        let id = u32::from_be_bytes(head[..4].try_into().expect("four bytes"));
        let field = u32::from_be_bytes(head[4..].try_into().expect("four bytes"));
        if id == 0 {
            bytes[at + 4..at + 8].copy_from_slice(&count.to_be_bytes());
            seal(bytes, at + 16);
            return;
        }
        at += 8;
        let Some(contents) = bytes.get_mut(at..at.saturating_add(field as usize)) else { return };
        if contents.len() >= format::HEADER_LEN {
            put_segment_right(contents, id, of);
            of = contents[12..20].try_into().ok();
        }
        at += field as usize;
        if !seal(bytes, at) {
            return;
        }
        at += 4;
        count += 1;
    }
}

/// Valid inputs of `compression`.
pub fn example_compressed() -> Vec<Vec<u8>> {
    let text = b"the quick brown fox; ".repeat(30);
    let example = |codec| {
        let mut bytes = vec![codec as u8];
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        assert!(compression::compress(codec, &text, 0, &mut bytes));
        bytes
    };
    [Codec::Snappy, Codec::Lz4, Codec::Zstd].map(example).to_vec()
}

/// Whatever a codec is given, it makes a value of the length that the record says, or none; and what it has made
/// shorter reads back. The input is a codec, a raw length and the value, as in a record.
pub fn compression(bytes: &[u8]) {
    let Some((&[codec, ref raw_len @ ..], value)) = bytes.split_first_chunk::<5>() else { return };
    if let Ok(raw) = compression::unsnap(value) {
        assert!(raw.len() <= MAX_VALUE_LEN);
    }
    let said = u32::from_be_bytes(*raw_len);
    for codec in [codec, 1, 2, 3] {
        for raw_len in [said, said % 4096] {
            if let Ok(raw) = compression::decompress(codec, raw_len, value) {
                assert!(raw.len() == raw_len as usize && raw.len() <= MAX_VALUE_LEN);
            }
        }
    }
    for codec in [Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut short = Vec::new();
        if compression::compress(codec, value, 0, &mut short) {
            let len = value.len() as u32;
            assert_eq!(compression::decompress(codec as u8, len, &short).as_deref(), Ok(value));
        }
    }
}

/// Valid inputs of [`classic`].
pub fn example_classics() -> Vec<Vec<u8>> {
    crate::classic::fuzzing::examples()
}

/// Directories of other Bitcasks are read without harm, and taken over as they were read.
pub fn classic(bytes: &[u8]) {
    crate::classic::fuzzing::check(bytes, NOW);
}

/// A hint is refused, or it is exactly what encoding its entries writes; a store opens with it, says what is
/// damaged, or finds by reading that the hint is wrong.
pub fn hint(bytes: &[u8]) {
    let segment = example_files().0;
    let of = Of::native(SEGMENT, format::check_header(&segment, SEGMENT).expect("it is one").salt);
    let _ = Hint::parse(bytes, of);
    let mut bytes = bytes.to_vec();
    let Some(body_len) = bytes.len().checked_sub(4) else { return };
    if let Some(salt) = bytes[..body_len].get_mut(hint::SALT) {
        salt.copy_from_slice(&of.salt);
    }
    let crc = crate::format::crc32(&bytes[..body_len]);
    bytes[body_len..].copy_from_slice(&crc.to_be_bytes());
    if let Ok(hint) = Hint::parse(&bytes, of) {
        let again = hint::encode(of, hint.covered, &hint.totals, hint.entries());
        assert_eq!(again, bytes, "a hint has one form");
    }
    let dir = SimDir::new(1);
    dir.write_file(&format::file_name(SEGMENT), &segment);
    dir.write_file(&format::hint_name(SEGMENT), &bytes);
    match open(&dir) {
        Err(e) => assert!(e.is_damage(), "{e}"),
        Ok(store) => {
            read_all(&store);
            store.put(b"and on", b"it goes", NOW).expect("a store that opened takes writes");
        }
    }
}

/// The newest record of each key and each prefix, as the log says it: by sequence number, then by what
/// decides among copies, then the last in the segment.
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
            kind.is_value() && !deleted
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
            is_of_the_log(record.kind) || before.sequence.wrapping_add(1) != record.sequence
        }) {
            break;
        }
        if record.kind == Kind::Retired && Retired::decode(record.value).is_err() {
            break;
        }
        at += record.len;
        batch.push((record, location));
        if record.more {
            continue;
        }
        for (record, location) in batch.drain(..) {
            if is_of_the_log(record.kind) {
                continue;
            }
            let name = (record.key, is_prefix(record.kind));
            let age = |kind: Kind, sequence| (sequence, kind.rank());
            let new = age(record.kind, record.sequence);
            if walk.what.get(&name).is_none_or(|(kind, sequence)| age(*kind, *sequence) <= new) {
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

/// Whether records of this kind say nothing of a key.
fn is_of_the_log(kind: Kind) -> bool {
    matches!(kind, Kind::Mark | Kind::Retired | Kind::Void)
}

fn put_crc_right(record: &mut [u8]) {
    let crc = crate::format::crc32(&record[4..]);
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
        let metadata = store.metadata(key);
        assert!(metadata.as_ref().err().is_none_or(Error::is_damage), "{metadata:?}");
    }
    let snapshot = store.snapshot();
    assert!(snapshot.keys(KeyRange::all()).eq(keys.iter().cloned()), "a snapshot has the same");
    drop(snapshot);
    let entries = store.entries(KeyRange::all(), NOW).filter_map(Result::err);
    entries.for_each(|e| assert!(e.is_damage(), "{e}"));
    keys
}

/// What records refer to is not looked at.
struct Unconcerned;

impl Guard for Unconcerned {
    fn let_go(&self, _: &[u32], _: UnixMillis) -> bool {
        true
    }
}

fn open(dir: &SimDir) -> Result<Bitcask, Error> {
    let options = Options {
        segment_bytes: 64 << 10,
        fold: Some(Arc::new(Append)),
        background: false,
        compression: Compression::Lz4,
        compress_from_bytes: 64,
        guard: Some(Arc::new(Unconcerned)),
        ..Options::default()
    };
    Bitcask::open_in(Arc::new(dir.clone()), options)
}
