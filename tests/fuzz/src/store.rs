//! A whole store on a simulated disk: operations, faults, crashes and reopenings, against a list of the states
//! that it went through.
//!
//! The input is a program. Its first byte is the seed of the disk; then come *lives* of a store, each of
//! which begins with its faults and goes on, operation by operation, to its end or to an error. What is found
//! after it must be a state that the store went through, and no older than what it acknowledged.

use bitcask_core::fuzzing::Append;
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{
    Batch, Bitcask, CompactionOptions, Compression, Durability, Error, KeyRange, Options, Snapshot,
    UnixMillis,
};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A store of more operations teaches nothing new, and takes long.
const MAX_OPERATIONS: usize = 300;
const MAX_SNAPSHOTS: usize = 3;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// Values, and when they expire: of keys that have not.
type Contents = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;

pub(crate) fn examples() -> Vec<Vec<u8>> {
    let quiet = [7, 0, 0, 0];
    let program = |parts: &[&[u8]]| [&quiet, &parts.concat()[..]].concat();
    vec![
        program(&[&[0, 1, 20], &[0, 2, 5], &[1, 1], &[9, 0], &[15, 0]]),
        program(&[&[0, 1, 9], &[4, 1, 3].repeat(40), &[8, 0], &[14, 0, 0, 0], &[4, 1, 3]]),
        program(&[&[0, 1, 250].repeat(9), &[7, 3, 0, 4, 9, 1, 4, 2, 0], &[10, 0, 13, 0, 1, 9]]),
        program(&[&[0, 5, 9], &[8, 0], &[2, 5, 1], &[0, 6, 200].repeat(6), &[11, 0, 12, 0]]),
        program(&[&[0, 5, 99].repeat(30), &[17, 4, 1, 3, 17, 5, 1, 9, 16, 18, 1, 5, 16, 19, 13]]),
        program(&[&[0, 1, 99].repeat(30), &[4, 1, 3, 20, 0, 2, 5, 16, 20, 21, 15, 0, 0, 4, 20]]),
    ]
}

struct Program<'a>(&'a [u8]);

impl Program<'_> {
    /// The next byte; zeros after the last.
    fn next(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    fn key(&mut self) -> Vec<u8> {
        match self.next() % 16 {
            0 => vec![0, 0],
            1 => vec![0],
            n @ 2..4 => vec![0xff; usize::from(n)],
            n @ 4..8 => b"a".repeat(usize::from(n) * 7),
            n => vec![b'k', n / 4, n],
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let seed = self.next();
        // Now and then longer than a segment.
        let len = if seed < 200 { usize::from(seed) } else { (usize::from(seed) - 199) * 90 };
        (0..len).map(|i| seed.wrapping_add(i as u8)).collect()
    }

    fn expiry(&mut self) -> Option<UnixMillis> {
        match self.next() % 4 {
            0 => None,
            1 => Some(NOW),
            2 => Some(UnixMillis(NOW.0 - 50)),
            _ => Some(UnixMillis(NOW.0 + 50)),
        }
    }

    fn faults(&mut self) -> Faults {
        let (kind, at) = (self.next(), u64::from(self.next()));
        let mut faults = Faults { short_io: kind & 1 == 1, ..Faults::default() };
        match kind / 2 % 5 {
            0 => {}
            1 => faults.crash_at = Some(1 + at),
            2 => faults.fail_at = Some(1 + at),
            3 => faults.fail_sync_at = Some(1 + at % 32),
            _ => faults.capacity = Some(3000 + at * 256),
        }
        faults
    }
}

/// The states that a store went through, one for each batch.
struct History {
    states: Vec<Contents>,
    /// States before this one are past, though the machine stops.
    acknowledged: usize,
    /// States before this one are past, though the process is killed.
    flushed: usize,
}

impl History {
    fn now(&self) -> &Contents {
        &self.states[self.last()]
    }

    fn last(&self) -> usize {
        self.states.len() - 1
    }

    /// What is found must be a state that is not past; the history goes on from there.
    fn check(&mut self, found: &Contents) {
        let kept = self.acknowledged.max(self.flushed);
        let at = (kept..self.states.len()).rev().find(|&at| &self.states[at] == found);
        let at = at.unwrap_or_else(|| {
            let (last, wanted) = (self.last(), &self.states[kept]);
            panic!(
                "found is none of the states {kept}..={last}: {found:?}, the first is {wanted:?}"
            )
        });
        self.states = vec![self.states.swap_remove(at)];
        (self.acknowledged, self.flushed) = (0, 0);
    }
}

/// Runs a program.
pub(crate) fn run(bytes: &[u8]) {
    let mut program = Program(bytes);
    let mut dir = SimDir::new(u64::from(program.next()));
    let mut history = History { states: vec![Contents::new()], acknowledged: 0, flushed: 0 };
    let mut operations = 0;
    while !program.0.is_empty() && operations < MAX_OPERATIONS {
        dir.faults(program.faults());
        let ended = live(&dir, &mut program, &mut history, &mut operations);
        if let Err(e) = &ended {
            assert!(dir.has_failed(), "an error on a disk without faults: {e}");
        }
        dir.faults(Faults::default());
        dir = match ended {
            Ok(End::Kill) => dir.kill(),
            Ok(End::Close | End::Crash) | Err(_) => {
                history.flushed = history.acknowledged;
                dir.crash()
            }
        };
    }
    let store = open(&dir, 0).expect("a store opens after a crash");
    history.check(&contents(&store));
    store.put(b"and on", b"it goes", NOW).expect("a store that opened takes writes");
    store.close().expect("a store that opened closes");
    let mut wanted = history.now().clone();
    wanted.insert(b"and on".to_vec(), (b"it goes".to_vec(), None));
    let store = open(&dir, 0).expect("a store that was closed opens");
    assert_eq!(contents(&store), wanted);
}

/// How a life ends.
enum End {
    Kill,
    Crash,
    Close,
}

fn live(
    dir: &SimDir,
    program: &mut Program<'_>,
    history: &mut History,
    operations: &mut usize,
) -> Result<End, Error> {
    let store = open(dir, program.next())?;
    let durability = store.durability();
    history.check(&contents(&store));
    let mut snapshots: VecDeque<(Snapshot<'_>, Contents)> = VecDeque::new();
    let target = SimDir::new(u64::from(program.next()));
    while !program.0.is_empty() && *operations < MAX_OPERATIONS {
        *operations += 1;
        // An operation to add that is not the client's, as one that compacts, changes nothing of the model.
        match program.next() % 24 {
            operation @ (0..8 | 17 | 22) => write(&store, operation, program, history)?,
            8 | 9 => {
                store.wait_durable(store.position())?;
                history.flushed = history.last();
                if durability == Durability::Always {
                    history.acknowledged = history.last();
                }
            }
            10 => {
                store.sync()?;
                (history.flushed, history.acknowledged) = (history.last(), history.last());
            }
            11 => {
                store.tick();
                if durability == Durability::EverySecond && !dir.has_failed() {
                    (history.flushed, history.acknowledged) = (history.last(), history.last());
                }
            }
            12 => {
                if !dir.has_failed() {
                    assert_eq!(&contents(&store), history.now(), "a running store");
                }
            }
            13 => return Ok(End::Kill),
            16 | 23 => {
                let go_on = &mut |_: &_| ControlFlow::Continue(());
                match store.compact(&CompactionOptions::everything(), NOW, go_on) {
                    Ok(_) | Err(Error::Full { .. }) => {}
                    Err(e) => return Err(e),
                }
            }
            18 => {
                if snapshots.len() == MAX_SNAPSHOTS {
                    snapshots.pop_front();
                }
                snapshots.push_back((store.snapshot(), history.now().clone()));
            }
            19 => {
                if !dir.has_failed() {
                    for (snapshot, wanted) in &snapshots {
                        assert_eq!(&contents_then(snapshot), wanted, "a snapshot");
                    }
                }
            }
            20 => {
                // Again and again into one directory: what is new is added, what has gone is removed.
                store.backup_in(&target)?;
                let copy = open(&target.kill(), 0).expect("a backup opens");
                assert_eq!(&contents(&copy), history.now(), "a backup in a directory");
            }
            21 => {
                let mut stream = Vec::new();
                let wrote = store.backup_to(&mut stream)?;
                let verified = Bitcask::verify_backup("backup", &mut &stream[..]);
                assert_eq!(verified.expect("it was just written"), wrote);
                let copy = SimDir::new(1);
                Bitcask::restore_in("backup", &mut &stream[..], &copy).expect("it verified");
                let copy = open(&copy, 0).expect("what was restored opens");
                assert_eq!(&contents(&copy), history.now(), "a backup in a stream");
            }
            14 => {
                drop(snapshots);
                store.close()?;
                (history.flushed, history.acknowledged) = (history.last(), history.last());
                return Ok(End::Close);
            }
            _ => return Ok(End::Crash),
        }
    }
    Ok(End::Crash)
}

/// Writes one batch, and notes what it does.
fn write(
    store: &Bitcask,
    operation: u8,
    program: &mut Program<'_>,
    history: &mut History,
) -> Result<(), Error> {
    let mut after = history.now().clone();
    let mut batch = Batch::new(NOW);
    match operation {
        4..7 => {
            let key = program.key();
            if !add_delta(store, &mut batch, &key, program.next(), &mut after)? {
                return Ok(());
            }
        }
        17 | 22 => {
            let key = program.key();
            let expires_at = program.expiry();
            if !after.contains_key(&key) {
                return Ok(());
            }
            let found = store.metadata(&key)?.expect("the model has it");
            batch.set_expiry(&key, &found, expires_at);
            let value = after.remove(&key).expect("seen above").0;
            put(&mut after, key, value, expires_at);
        }
        7 => {
            for _ in 0..program.next() % 8 {
                let operation = program.next();
                add(&mut batch, operation % 4, program, &mut after);
            }
        }
        operation => add(&mut batch, operation, program, &mut after),
    }
    let written = store.write(&mut batch).map(|_| ());
    match written {
        // Nothing of it was applied.
        Err(Error::Full { .. }) => return Ok(()),
        // Of any other error it may be found after reopening.
        Ok(()) | Err(_) => history.states.push(after),
    }
    written
}

fn add(batch: &mut Batch, operation: u8, program: &mut Program<'_>, after: &mut Contents) {
    let key = program.key();
    match operation {
        1 => {
            batch.delete(&key);
            after.remove(&key);
        }
        2 => {
            let prefix = &key[..usize::from(program.next()).min(key.len())];
            batch.delete_prefix(prefix);
            after.retain(|key, _| !key.starts_with(prefix));
        }
        expires => {
            let value = program.value();
            let expires_at = if expires == 3 { program.expiry() } else { None };
            batch.put(&key, &value, expires_at);
            put(after, key, value, expires_at);
        }
    }
}

/// What has expired is as good as not there.
fn put(contents: &mut Contents, key: Vec<u8>, value: Vec<u8>, expires_at: Option<UnixMillis>) {
    if expires_at.is_none_or(|at| at > NOW) {
        contents.insert(key, (value, expires_at));
    } else {
        contents.remove(&key);
    }
}

/// False if there is nothing that a delta could follow.
fn add_delta(
    store: &Bitcask,
    batch: &mut Batch,
    key: &[u8],
    seed: u8,
    after: &mut Contents,
) -> Result<bool, Error> {
    let Some((value, expires_at)) = after.get_mut(key) else { return Ok(false) };
    let entry = store.entry(key)?.expect("the model has it");
    let absorbed = entry.deltas[entry.deltas.len() - entry.chain.absorbs()..].concat();
    let new = vec![seed; usize::from(seed % 8)];
    batch.delta(key, &[&absorbed[..], &new].concat(), &entry.chain, *expires_at);
    value.extend_from_slice(&new);
    Ok(true)
}

/// Everything in the store, read through every path.
fn contents(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    assert!(keys.is_sorted() && keys.len() == store.len());
    let read = |key: Vec<u8>| {
        let value = store.get(&key, NOW).expect("it can be read")?;
        let expires_at = store.expiry(&key).expect("it can be read");
        Some((key, (value, expires_at)))
    };
    keys.into_iter().filter_map(read).collect()
}

/// Everything in a snapshot.
fn contents_then(snapshot: &Snapshot<'_>) -> Contents {
    let read = |key: Vec<u8>| {
        let value = snapshot.get(&key, NOW).expect("it can be read")?;
        let found = snapshot.metadata(&key).expect("it can be read").expect("it has a value");
        Some((key, (value, found.expires_at)))
    };
    snapshot.keys(KeyRange::all()).filter_map(read).collect()
}

/// `how` chooses when writes are acknowledged, and how values are compressed.
fn open(dir: &SimDir, how: u8) -> Result<Bitcask, Error> {
    let durability = match how % 4 {
        0 | 1 => Durability::Always,
        2 => Durability::EverySecond,
        _ => Durability::No,
    };
    let compression = match how / 4 % 4 {
        0 => Compression::Off,
        1 => Compression::Snappy,
        2 => Compression::Lz4,
        _ => Compression::Zstd,
    };
    let options = Options {
        durability,
        compression,
        compress_from_bytes: 16,
        segment_bytes: 2048,
        fold: Some(Arc::new(Append)),
        background: false,
        ..Options::default()
    };
    Bitcask::open_in(Arc::new(dir.clone()), options)
}
