//! A whole store on a simulated disk: operations, faults, crashes and reopenings, against a list of the states
//! that it went through.
//!
//! The input is a program. Its first byte is the seed of the disk; then come *lives* of a store, each of
//! which begins with its faults and goes on, operation by operation, to its end or to an error. What is found
//! after it must be a state that the store went through, and no older than what it acknowledged.

use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{Batch, Bitcask, Durability, Error, Fold, Options, UnixMillis};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A store of more operations teaches nothing new, and takes long.
const MAX_OPERATIONS: usize = 300;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// Values, and when they expire.
type Contents = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;

pub(crate) fn examples() -> Vec<Vec<u8>> {
    let quiet = [7, 0, 0, 0];
    let program = |parts: &[&[u8]]| [&quiet, &parts.concat()[..]].concat();
    vec![
        program(&[&[0, 1, 20], &[0, 2, 5], &[1, 1], &[9, 0], &[15, 0]]),
        program(&[&[0, 1, 9], &[4, 1, 3].repeat(40), &[8, 0], &[14, 0, 0, 0], &[4, 1, 3]]),
        program(&[&[0, 1, 250].repeat(9), &[7, 3, 0, 4, 9, 1, 4, 2, 0], &[10, 0, 13, 0, 1, 9]]),
        program(&[&[0, 5, 9], &[8, 0], &[2, 5, 1], &[0, 6, 200].repeat(6), &[11, 0, 12, 0]]),
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
            0 => Vec::new(),
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
    let store = open(&dir, Durability::Always).expect("a store opens after a crash");
    history.check(&contents(&store));
    store.put(b"and on", b"it goes", NOW).expect("a store that opened takes writes");
    store.close().expect("a store that opened closes");
    let mut wanted = history.now().clone();
    wanted.insert(b"and on".to_vec(), (b"it goes".to_vec(), None));
    let store = open(&dir, Durability::Always).expect("a store that was closed opens");
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
    let durability = match program.next() % 4 {
        0 | 1 => Durability::Always,
        2 => Durability::EverySecond,
        _ => Durability::No,
    };
    let store = open(dir, durability)?;
    history.check(&contents(&store));
    while !program.0.is_empty() && *operations < MAX_OPERATIONS {
        *operations += 1;
        // An operation to add, such as one that compacts, changes nothing of the model.
        match program.next() % 16 {
            operation @ 0..8 => write(&store, operation, program, history)?,
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
            14 => {
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
            let expires_at = (expires == 3).then_some(UnixMillis(NOW.0 + 50));
            let value = program.value();
            batch.put(&key, &value, expires_at);
            after.insert(key, (value, expires_at));
        }
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
        let value = store.get(&key, NOW).expect("it can be read").expect("the index has it");
        let expires_at = store.expiry(&key).expect("it can be read");
        (key, (value, expires_at))
    };
    keys.into_iter().map(read).collect()
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

fn open(dir: &SimDir, durability: Durability) -> Result<Bitcask, Error> {
    let options = Options {
        durability,
        segment_bytes: 2048,
        fold: Some(Arc::new(Append)),
        background: false,
    };
    Bitcask::open_in(Arc::new(dir.clone()), options)
}
