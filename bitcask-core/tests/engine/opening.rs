//! What opening refuses, what it leaves alone, and reading beside a writer.

use super::model::{self, NOW};
use super::{Random, open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::storage::{Dir, File};
use bitcask_core::{Batch, Bitcask, Error, KeyRange, Mode, Options, UnixMillis};
use std::sync::Arc;

fn open_as(dir: &SimDir, mode: Mode) -> Result<Bitcask, Error> {
    Bitcask::open_in(Arc::new(dir.clone()), Options { mode, ..options() })
}

const MODES: [Mode; 3] = [Mode::Create, Mode::Existing, Mode::ReadOnly];

#[test]
fn a_store_that_is_missing_is_made_only_by_who_asks_for_that() {
    for mode in [Mode::Existing, Mode::ReadOnly] {
        let temporary = tempfile::tempdir().unwrap();
        for path in [temporary.path().join("none"), temporary.path().to_owned()] {
            let opened = Bitcask::open(&path, Options { mode, ..options() });
            assert!(matches!(opened, Err(Error::Missing { path: found }) if found == path));
        }
        let left = std::fs::read_dir(temporary.path()).unwrap().count();
        assert_eq!(left, 0, "{mode:?} made something");
    }
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("a/b");
    Bitcask::open(&path, options()).unwrap().put(b"k", b"v", NOW).unwrap();
    for mode in MODES {
        let store = Bitcask::open(&path, Options { mode, ..options() }).unwrap();
        assert_eq!(store.get(b"k", NOW).unwrap().as_deref(), Some(&b"v"[..]));
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // a file that is no store
fn a_file_is_no_directory_and_nor_is_what_should_lie_below_one() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    std::fs::write(&file, b"precious").unwrap();
    for mode in MODES {
        for path in [file.clone(), file.join("below")] {
            let opened = Bitcask::open(&path, Options { mode, ..options() });
            assert!(matches!(opened, Err(Error::NotADirectory { .. })), "{mode:?}: {opened:?}");
        }
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

#[test]
fn a_directory_of_other_files_is_refused_and_left_as_it_is() {
    for name in ["thesis.tex", "1.seg", "notes.seg", "dump.rdb", "0000000x.seg"] {
        let dir = SimDir::new(1);
        dir.write_file(name, b"precious");
        for mode in MODES {
            match open_as(&dir, mode) {
                Err(Error::NotAStore { found, .. }) => assert_eq!(found, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(dir.files(), [name]);
    }
    // Beside a store, and what says nothing, they are nobody's business.
    let dir = SimDir::new(1);
    dir.write_file(".DS_Store", b"");
    dir.write_file("lock", b"");
    open(&dir).unwrap().put(b"k", b"v", NOW).unwrap();
    dir.write_file("thesis.tex", b"precious");
    assert_eq!(open(&dir).unwrap().len(), 1);
}

#[test]
fn a_newer_format_is_refused_by_name_in_any_segment_and_the_directory_left_as_it_is() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..100_u8 {
        store.put(&[i], &[i; 100], NOW).unwrap();
    }
    let newest = format!("{:08}.seg", store.stats().segments);
    store.close().unwrap();
    for segment in ["00000001.seg", &newest] {
        let dir = dir.kill();
        let mut bytes = dir.read_file(segment);
        bytes[7] = 9;
        let crc = crc32(&bytes[..20]).to_be_bytes();
        bytes[20..24].copy_from_slice(&crc);
        // Also one that has nothing in it yet.
        for len in [bytes.len(), 24] {
            dir.write_file(segment, &bytes[..len]);
            let before = dir.files();
            for mode in MODES {
                match open_as(&dir, mode) {
                    Err(Error::NewerFormat { path, version: 9 }) => {
                        assert!(path.ends_with(segment));
                    }
                    other => panic!("{segment}, {mode:?}: {other:?}"),
                }
            }
            let after: Vec<_> = dir.files().into_iter().filter(|name| name != "lock").collect();
            let before: Vec<_> = before.into_iter().filter(|name| name != "lock").collect();
            assert_eq!(after, before);
        }
    }
}

/// CRC-32 (IEEE), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn a_reader_writes_nothing_takes_no_lock_and_refuses_every_write() {
    let dir = SimDir::new(1);
    let writer = open(&dir).unwrap();
    writer.put(b"k", b"v", NOW).unwrap();
    // A hint that is missing and one that is half written stay so.
    dir.write_file("00000009.hint.tmp", b"half");
    let contents = |dir: &SimDir| -> Vec<_> {
        dir.files().into_iter().map(|name| (name.clone(), dir.read_file(&name))).collect()
    };
    let before = contents(&dir);
    let readers: Vec<_> = (0..2).map(|_| open_as(&dir, Mode::ReadOnly).unwrap()).collect();
    for reader in &readers {
        let refused = |error: Result<(), Error>| {
            assert!(matches!(error, Err(Error::ReadOnly { .. })), "{error:?}");
        };
        refused(reader.put(b"k", b"w", NOW));
        refused(reader.delete(b"k", NOW).map(drop));
        refused(reader.set_expiry(b"k", None, NOW).map(drop));
        refused(reader.drop_all(NOW));
        refused(reader.compare_and_swap(b"new", None, Some(b"w"), NOW).map(drop));
        let mut transaction = reader.transaction(NOW);
        assert_eq!(transaction.get(b"k").unwrap().as_deref(), Some(&b"v"[..]));
        transaction.put(b"k", b"w", None);
        refused(transaction.commit().map(drop));
        assert_eq!(reader.get(b"k", NOW).unwrap().as_deref(), Some(&b"v"[..]));
        reader.flush().unwrap();
        reader.sync().unwrap();
        reader.tick();
    }
    readers.into_iter().for_each(|reader| reader.close().unwrap());
    assert_eq!(contents(&dir), before);
    writer.put(b"k", b"w", NOW).unwrap();
}

#[test]
fn a_reader_sees_every_batch_that_the_writer_had_handed_over_and_none_in_part() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let dir = SimDir::new(seed);
        let writer = open(&dir).unwrap();
        let mut states = vec![model::contents(&writer)];
        let mut flushed = 0;
        for _ in 0..random.below(60) {
            let mut history = model::History::new(states[states.len() - 1].clone());
            model::step(&writer, &mut random, &mut history).unwrap();
            states.push(history.now().clone());
            if random.below(4) == 0 {
                writer.flush().unwrap();
                flushed = states.len() - 1;
            }
            if random.below(6) == 0 {
                let reader = open_as(&dir, Mode::ReadOnly).unwrap();
                let found = model::contents(&reader);
                assert!(states[flushed..].contains(&found), "seed {seed}");
                // The writer goes on, and the view stays.
                writer.put(b"later", &[7; 3000], NOW).unwrap();
                assert_eq!(model::contents(&reader), found, "seed {seed}");
                let mut now = states[states.len() - 1].clone();
                now.insert(b"later".to_vec(), (vec![7; 3000], None));
                states.push(now);
                flushed = states.len() - 1;
            }
        }
    }
}

#[test]
fn wherever_the_end_of_the_newest_segment_is_torn_a_reader_sees_the_batches_before() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    let mut ends = Vec::new();
    for i in 0..6_u8 {
        let mut batch = Batch::new(NOW);
        for j in 0..3 {
            batch.put(&[i, j], &[i; 10], None);
        }
        store.write(&mut batch).unwrap();
        ends.push(store.stats().disk_bytes as usize);
    }
    store.flush().unwrap();
    let bytes = dir.read_file("00000001.seg");
    for cut in 24..=ends[ends.len() - 1] {
        let dir = SimDir::new(1);
        dir.write_file("00000001.seg", &bytes[..cut]);
        let reader = open_as(&dir, Mode::ReadOnly).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(reader.len(), whole * 3, "cut at {cut}");
        assert_eq!(dir.read_file("00000001.seg").len(), cut);
    }
}

#[test]
fn damage_that_had_been_on_disk_is_no_end_of_the_view() {
    let dir = SimDir::new(1);
    let writer = open(&dir).unwrap();
    for i in 0..200_u8 {
        writer.put(&[i], b"so that there are marks", NOW).unwrap();
    }
    let dir = dir.kill();
    dir.flip_bit("00000001.seg", 100, 3);
    assert!(matches!(open_as(&dir, Mode::ReadOnly), Err(Error::Corrupt { .. })));
}

#[test]
fn readers_open_again_and_again_beside_a_writer_on_a_real_disk() {
    let temporary = tempfile::tempdir().unwrap();
    let writing = Options { background: true, segment_bytes: 20_000, ..options() };
    let writer = Bitcask::open(temporary.path(), writing).unwrap();
    writer.set_durability(bitcask_core::Durability::No);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut batch = Batch::new(NOW);
            for n in 0..30_000_u64 {
                // Two keys that a reader must see alike.
                batch.reset(NOW);
                batch.put(format!("a{}", n % 50).as_bytes(), &n.to_be_bytes(), None);
                batch.put(format!("b{}", n % 50).as_bytes(), &n.to_be_bytes(), None);
                let committed = writer.write(&mut batch).unwrap();
                writer.wait_durable(committed.position()).unwrap();
            }
        });
        let mut last = 0;
        while !writing.is_finished() {
            let mode = Mode::ReadOnly;
            let reader = Bitcask::open(temporary.path(), Options { mode, ..options() }).unwrap();
            let values = |prefix: &str| -> Vec<_> {
                let entries = reader.entries(KeyRange::prefix(prefix), UnixMillis(0));
                entries.map(|entry| entry.unwrap().value).collect()
            };
            let (a, b) = (values("a"), values("b"));
            assert_eq!(a, b);
            let newest =
                a.iter().max().map_or(0, |value| u64::from_be_bytes(value[..].try_into().unwrap()));
            assert!(newest >= last, "a later view is not older");
            last = newest;
        }
    });
}

/// Each life of a writer recovers, seals segments, writes hints, and trims its last segment.
#[test]
fn readers_open_beside_writers_that_come_and_go() {
    let temporary = tempfile::tempdir().unwrap();
    let writing = || Options { segment_bytes: 2000, ..options() };
    Bitcask::open(temporary.path(), writing()).unwrap().put(b"n", &[0; 8], NOW).unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut n = 0_u64;
            for _ in 0..60 {
                let writer = Bitcask::open(temporary.path(), writing()).unwrap();
                writer.set_durability(bitcask_core::Durability::No);
                for _ in 0..n % 40 {
                    n += 1;
                    writer.put(b"n", &n.to_be_bytes(), NOW).unwrap();
                }
                n += 1;
                writer.close().unwrap();
            }
        });
        let mut last = 0;
        while !writing.is_finished() {
            let mode = Mode::ReadOnly;
            let reader = Bitcask::open(temporary.path(), Options { mode, ..options() }).unwrap();
            let value = reader.get(b"n", NOW).unwrap().unwrap();
            let seen = u64::from_be_bytes(value[..].try_into().unwrap());
            assert!(seen >= last, "a later view is not older");
            last = seen;
        }
    });
}

/// A directory whose files change between two reads of a reader, as a writer's do.
#[test]
fn a_mark_that_was_written_while_the_segment_was_read_is_not_taken_for_damage() {
    #[derive(Debug)]
    struct Growing(SimDir, std::sync::Mutex<Vec<Vec<u8>>>);
    #[derive(Debug)]
    struct Part(Vec<u8>);
    impl File for Part {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
            let from = &self.0[self.0.len().min(offset as usize)..];
            let len = from.len().min(buf.len());
            buf[..len].copy_from_slice(&from[..len]);
            Ok(len)
        }
        fn write_at(&self, _: &[u8], _: u64) -> std::io::Result<usize> {
            unreachable!("a reader writes nothing")
        }
        fn size(&self) -> std::io::Result<u64> {
            Ok(self.0.len() as u64)
        }
        fn set_len(&self, _: u64) -> std::io::Result<()> {
            unreachable!("a reader writes nothing")
        }
        fn allocate(&self, _: u64, _: u64) -> std::io::Result<()> {
            unreachable!("a reader writes nothing")
        }
        fn sync_data(&self) -> std::io::Result<()> {
            unreachable!("a reader writes nothing")
        }
        fn map(&self) -> std::io::Result<bitcask_core::storage::Map> {
            unreachable!("what changes is not mapped")
        }
        fn map_front(&self, _: u64) -> std::io::Result<bitcask_core::storage::Map> {
            unreachable!("what changes is not mapped")
        }
    }
    /// A file that looks otherwise each time it is read from its start.
    #[derive(Debug)]
    struct Changing(std::sync::Mutex<(usize, Vec<Vec<u8>>)>);
    impl File for Changing {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
            let mut state = self.0.lock().unwrap();
            // The header is read by itself first.
            if offset == 0 && buf.len() > 24 {
                state.0 = (state.0 + 1).min(state.1.len());
            }
            let at = state.0.saturating_sub(1);
            Part(state.1[at].clone()).read_at(buf, offset)
        }
        fn write_at(&self, buf: &[u8], offset: u64) -> std::io::Result<usize> {
            Part(vec![]).write_at(buf, offset)
        }
        fn size(&self) -> std::io::Result<u64> {
            Ok(self.0.lock().unwrap().1[0].len() as u64)
        }
        fn set_len(&self, len: u64) -> std::io::Result<()> {
            Part(vec![]).set_len(len)
        }
        fn allocate(&self, offset: u64, len: u64) -> std::io::Result<()> {
            Part(vec![]).allocate(offset, len)
        }
        fn sync_data(&self) -> std::io::Result<()> {
            Part(vec![]).sync_data()
        }
        fn map(&self) -> std::io::Result<bitcask_core::storage::Map> {
            Part(vec![]).map()
        }
        fn map_front(&self, len: u64) -> std::io::Result<bitcask_core::storage::Map> {
            Part(vec![]).map_front(len)
        }
    }
    impl Dir for Growing {
        fn mode(&self, name: &str) -> std::io::Result<u32> {
            self.0.mode(name)
        }
        fn path(&self) -> &std::path::Path {
            self.0.path()
        }
        fn list(&self) -> std::io::Result<Vec<String>> {
            self.0.list()
        }
        fn create(&self, _: &str) -> std::io::Result<Arc<dyn File>> {
            unreachable!("a reader makes nothing")
        }
        fn open(&self, name: &str, writable: bool) -> std::io::Result<Arc<dyn File>> {
            assert!(!writable);
            if !name.ends_with(".seg") {
                return self.0.open(name, writable);
            }
            Ok(Arc::new(Changing(std::sync::Mutex::new((0, self.1.lock().unwrap().clone())))))
        }
        fn rename(&self, _: &str, _: &str) -> std::io::Result<()> {
            unreachable!("a reader renames nothing")
        }
        fn remove(&self, _: &str) -> std::io::Result<()> {
            unreachable!("a reader removes nothing")
        }
        fn sync(&self) -> std::io::Result<()> {
            unreachable!("a reader syncs nothing")
        }
        fn random(&self) -> u64 {
            0
        }
        fn try_lock(
            &self,
            _: &str,
        ) -> std::io::Result<Option<Box<dyn bitcask_core::storage::Lock>>> {
            unreachable!("a reader locks nothing")
        }
    }
    let dir = SimDir::new(1);
    let writer = open(&dir).unwrap();
    for i in 0..40_u8 {
        writer.put(&[i], b"so that there are marks", NOW).unwrap();
    }
    let whole = dir.read_file("00000001.seg");
    // The front as it was before the first record was there, the end as it was after all.
    let mut mixed = whole.clone();
    mixed[24..70].fill(0);
    let growing = Growing(dir.clone(), std::sync::Mutex::new(vec![mixed.clone(), whole]));
    let read_only = || Options { mode: Mode::ReadOnly, ..options() };
    let reader = Bitcask::open_in(Arc::new(growing), read_only()).unwrap();
    assert_eq!(reader.len(), 40);
    // What stays so is damage.
    let damaged = Growing(dir.clone(), std::sync::Mutex::new(vec![mixed]));
    let opened = Bitcask::open_in(Arc::new(damaged), read_only());
    assert!(matches!(opened, Err(Error::Corrupt { offset: 24, .. })), "{opened:?}");
}
