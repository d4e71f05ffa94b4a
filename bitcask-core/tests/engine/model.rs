//! A random workload, and what the store must hold after each of its batches.

use super::Random;
use bitcask_core::classic::{self, Directory, DirectoryOptions, ExportOptions, Layout};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{
    Batch, Bitcask, CompactionOptions, Durability, Error, KeyRange, Snapshot, Thresholds,
    Transaction, UnixMillis,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

/// Values, and when they expire.
pub type Contents = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;
pub const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// The states that a store has been through, one per batch, and how far it has acknowledged them.
pub struct History {
    /// `states[i]`: the contents after i batches.
    pub states: Vec<Contents>,
    /// Batches whose durability was acknowledged.
    pub acknowledged: usize,
    /// Batches that the system has: they outlive the process, and not the machine.
    pub flushed: usize,
}

impl History {
    pub fn new(contents: Contents) -> Self {
        History { states: vec![contents], acknowledged: 0, flushed: 0 }
    }

    pub fn now(&self) -> &Contents {
        &self.states[self.states.len() - 1]
    }
}

fn key(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => vec![0, 0],
        1 => vec![0],
        2 => vec![0xff; 1 + random.below(3) as usize],
        3 => b"a".repeat(1 + random.below(40) as usize),
        n => format!("key:{}", n * 3 + random.below(3)).into_bytes(),
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(20) {
        0 => 6000,
        1..4 => random.below(900),
        _ => random.below(60),
    };
    let byte = random.next() as u8;
    (0..len).map(|i| byte.wrapping_add(i as u8)).collect()
}

/// Writes one random batch and notes its effect. An error that says "nothing was applied" is swallowed;
/// any other ends the run.
pub fn step(store: &Bitcask, random: &mut Random, history: &mut History) -> Result<(), Error> {
    let mut after = history.now().clone();
    let mut batch = Batch::new(NOW);
    let count = match random.below(4) {
        0 => 1 + random.below(6),
        _ => 1,
    };
    let (mut used, mut deltas, mut prefixes) = (Vec::new(), false, false);
    for _ in 0..count {
        let key = key(random);
        // A batch takes one record of a key that a delta follows.
        if used.contains(&key) {
            continue;
        }
        match random.below(12) {
            0 | 1 => {
                batch.delete(&key);
                after.remove(&key);
            }
            2 if !deltas => {
                let prefix = &key[..random.below(key.len() as u64 + 1) as usize];
                batch.delete_prefix(prefix);
                after.retain(|key, _| !key.starts_with(prefix));
                // What follows may be put there again, but not be a delta of what is gone.
                prefixes = true;
                continue;
            }
            3..8 if after.contains_key(&key) && !prefixes => {
                deltas = true;
                let entry = store.entry(&key)?.expect("the model has it");
                let absorbs = entry.chain.absorbs();
                let new: Vec<u8> = value(random).into_iter().take(20).collect();
                let absorbed = entry.deltas[entry.deltas.len() - absorbs..].concat();
                let (value, expires_at) = after.get_mut(&key).expect("it is there");
                let delta = [&absorbed[..], &new[..]].concat();
                batch.delta(&key, &delta, &entry.chain, *expires_at);
                value.extend_from_slice(&new);
            }
            8 if after.contains_key(&key) && !prefixes => {
                deltas = true;
                let metadata = store.metadata(&key)?.expect("the model has it");
                let later = UnixMillis(NOW.0 + 1 + random.below(1000));
                let expires_at = (random.below(3) > 0).then_some(later);
                batch.set_expiry(&key, &metadata, expires_at);
                after.get_mut(&key).expect("it is there").1 = expires_at;
            }
            _ => {
                let value = value(random);
                let later = UnixMillis(NOW.0 + 1 + random.below(1000));
                let expires_at = (random.below(5) == 0).then_some(later);
                batch.put(&key, &value, expires_at);
                after.insert(key.clone(), (value, expires_at));
            }
        }
        used.push(key);
    }
    let transaction = (random.below(8) == 0).then(|| transaction(store, random, history));
    let written = match transaction {
        None => store.write(&mut batch),
        Some(found) => {
            let (transaction, changed) = found?;
            after = changed;
            transaction.commit()
        }
    };
    match written {
        Ok(committed) => {
            history.states.push(after);
            let batches = history.states.len() - 1;
            match random.below(24) {
                0..8 => {
                    store.wait_durable(committed.position())?;
                    history.flushed = batches;
                    if store.durability() == Durability::Always {
                        history.acknowledged = batches;
                    }
                }
                8 => {
                    store.sync()?;
                    history.acknowledged = batches;
                }
                _ => {}
            }
            Ok(())
        }
        Err(Error::Full { .. }) => Ok(()),
        Err(e) => {
            // It may be found after reopening.
            history.states.push(after);
            Err(e)
        }
    }
}

/// Compacts some or all, writing now and then while it is at it. The contents stay what they are.
pub fn compact(store: &Bitcask, random: &mut Random, history: &mut History) -> Result<(), Error> {
    let everything = CompactionOptions::everything();
    let options = match random.below(3) {
        0 => everything,
        _ => CompactionOptions {
            thresholds: Thresholds {
                dead_percent: 1 + random.below(80) as u8,
                dead_bytes: u64::MAX,
                small_bytes: random.below(3000),
            },
            max_bytes: 1 + random.below(30_000),
            seal_active: random.below(2) == 0,
            ..everything
        },
    };
    let writes = random.below(3) == 0;
    let mut failed = None;
    let done = store.compact(&options, NOW, &mut |_| {
        if writes && random.below(3) == 0 {
            failed = step(store, random, history).err();
        }
        match failed.is_some() || random.below(60) == 0 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    match (failed, done) {
        (Some(e), _) => Err(e),
        (None, Err(Error::Full { .. })) => Ok(()),
        (None, done) => done.map(|_| ()),
    }
}

/// Backs up into a directory of its own, or as a stream; opens what that gives, which is what there is now.
pub fn back_up(
    store: &Bitcask,
    target: &SimDir,
    random: &mut Random,
    history: &History,
) -> Result<(), Error> {
    let copy = if random.below(2) == 0 {
        store.backup_in(target)?;
        target.crash()
    } else {
        let mut stream = Vec::new();
        store.backup_to(&mut stream)?;
        let copy = SimDir::new(random.next());
        Bitcask::restore_in("stream", &mut &stream[..], &copy).expect("it is whole");
        copy.crash()
    };
    let copy = super::open(&copy).expect("a backup opens");
    assert_eq!(&contents(&copy), history.now(), "a backup");
    Ok(())
}

/// Imports a few entries, which are one batch, from a directory that Basho's Bitcask might have written.
pub fn import(store: &Bitcask, history: &mut History) -> Result<(), Error> {
    let dir = Arc::new(foreign());
    let directory = Directory::open_in(dir, Layout::Basho, DirectoryOptions::default())?;
    let mut after = history.now().clone();
    after.extend(foreign_entries());
    match classic::import(&directory, store, NOW, &mut |_| {}) {
        Ok(_) => {
            history.states.push(after);
            history.acknowledged = history.states.len() - 1;
            history.flushed = history.acknowledged;
            Ok(())
        }
        Err(Error::Full { .. }) => Ok(()),
        Err(e) => {
            history.states.push(after);
            Err(e)
        }
    }
}

/// What is in [`foreign`].
pub fn foreign_entries() -> Contents {
    (0..4).map(|n| (vec![b'i', n], (vec![n; 90], None))).collect()
}

/// A directory as Basho's Bitcask writes it.
pub fn foreign() -> SimDir {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let temporary = tempfile::tempdir().unwrap();
        let store = super::open(&SimDir::new(1)).unwrap();
        for (key, (value, _)) in foreign_entries() {
            store.put(&key, &value, NOW).unwrap();
        }
        let path = temporary.path().join("exported");
        classic::export(&store, &path, &ExportOptions::default(), NOW, &mut |_| {}).unwrap();
        #[allow(clippy::disallowed_methods)] // the test's own files
        let files = path.read_dir().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        });
        files.collect()
    });
    let dir = SimDir::new(1);
    files.iter().for_each(|(name, bytes)| dir.write_file(name, bytes));
    dir
}

/// Everything in a snapshot.
pub fn contents_then(snapshot: &Snapshot<'_>) -> Contents {
    // Before anything expires.
    let entries = snapshot.entries(KeyRange::all(), UnixMillis(0));
    let entries = entries.map(|entry| entry.expect("it can be read"));
    entries.map(|entry| (entry.key, (entry.value, entry.expires_at))).collect()
}

/// Reads every key that a walk finds, while others write: each may have gone by then, and none is damaged.
pub fn contents_of(store: &Bitcask) {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    assert!(keys.is_sorted());
    for key in keys {
        store.get(&key, NOW).expect("it can be read");
    }
}

/// A transaction of a few random changes, and what it leaves when it is committed. It reads what it writes.
fn transaction<'a>(
    store: &'a Bitcask,
    random: &mut Random,
    history: &History,
) -> Result<(Transaction<'a>, Contents), Error> {
    let mut after = history.now().clone();
    let mut transaction = store.transaction(NOW);
    for _ in 0..1 + random.below(5) {
        let key = key(random);
        let found = transaction.get(&key)?;
        assert_eq!(found.as_ref(), after.get(&key).map(|(value, _)| value), "in a transaction");
        if random.below(3) == 0 {
            transaction.delete(&key);
            after.remove(&key);
        } else {
            let value = value(random);
            transaction.put(&key, &value, None);
            after.insert(key, (value, None));
        }
    }
    Ok((transaction, after))
}

/// Everything in the store, read back through every path.
pub fn contents(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        std::ops::ControlFlow::Continue(())
    });
    assert!(keys.is_sorted(), "keys are walked in order");
    assert_eq!(keys.len(), store.len());
    keys.into_iter()
        .map(|key| {
            let value = store.get(&key, NOW).expect("it can be read").expect("the index has it");
            let entry = store.entry(&key).expect("it can be read").expect("the index has it");
            (key, (value, entry.expires_at))
        })
        .collect()
}
