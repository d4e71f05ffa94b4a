//! Random directories, and random lives of the stores that they become.

use super::*;
use crate::storage::sim::Faults;

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A directory of random files, some with damage.
pub(super) fn random_directory(random: &mut Random) -> SimDir {
    let mut steps = Vec::new();
    for _ in 0..random.below(50) {
        let n = random.below(6) as u8;
        steps.push(match random.below(9) {
            0 => Step::Rotate,
            1 | 2 => Step::Delete(n, random.below(3) as u8),
            _ => Step::Put(n, vec![random.below(256) as u8; 1 + random.below(60) as usize], None),
        });
    }
    let (mut files, _) = Writer::Basho.run(&steps);
    for data in files.values_mut().filter(|data| !data.is_empty()) {
        let at = random.below(data.len() as u64) as usize;
        match random.below(6) {
            0 => data.truncate(at),
            1 => data[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    Writer::Basho.dir(&files)
}

/// Changes a key or a few, in the store and in `contents`.
pub(super) fn change(
    store: &Bitcask,
    random: &mut Random,
    contents: &mut Contents,
) -> Result<(), Error> {
    let key = key(random.below(7) as u8);
    let mut batch = Batch::new(NOW);
    let mut after = contents.clone();
    match random.below(8) {
        0 | 1 => {
            batch.delete(&key);
            after.remove(&key);
        }
        2 => {
            let prefix = &key[..random.below(key.len() as u64 + 1) as usize];
            batch.delete_prefix(prefix);
            after.retain(|key, _| !key.starts_with(prefix));
        }
        3 | 4 if contents.contains_key(&key) => {
            let entry = store.entry(&key)?.expect("the model has it");
            let absorbed = entry.deltas[entry.deltas.len() - entry.chain.absorbs()..].concat();
            let delta = [&absorbed[..], b"+"].concat();
            let (value, expires_at) = after.get_mut(&key).expect("it is there");
            batch.delta(&key, &delta, &entry.chain, *expires_at);
            value.push(b'+');
        }
        5 if contents.contains_key(&key) => {
            let metadata = store.metadata(&key)?.expect("the model has it");
            let expires_at = (random.below(2) == 0).then_some(UnixMillis(NOW.0 + 9));
            batch.set_expiry(&key, &metadata, expires_at);
            after.get_mut(&key).expect("it is there").1 = expires_at;
        }
        _ => {
            let value = vec![random.below(256) as u8; random.below(300) as usize];
            batch.put(&key, &value, None);
            after.insert(key, (value, None));
        }
    }
    store.write(&mut batch)?;
    *contents = after;
    Ok(())
}

/// Compacts some of the segments, or all.
fn compact_some(store: &Bitcask, random: &mut Random) -> Result<CompactionReport, Error> {
    let mut options = CompactionOptions::everything();
    if random.below(2) == 0 {
        options.max_bytes = 1 + random.below(2000);
    }
    let stop = random.below(3) == 0;
    store.compact(&options, NOW, &mut |_| match stop && random.below(8) == 0 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
}

fn live(seed: u64) {
    let mut random = Random(seed);
    let dir = random_directory(&mut random);
    let directory = open(&dir, Layout::Basho);
    let mut wanted = contents(&directory);
    let report = directory.report().clone();
    drop(directory);
    assert_eq!(all(&open_as(&dir, Mode::ReadOnly).unwrap()), wanted);
    let mut store = open_in_place(&dir);
    assert_eq!(store.recovery().classic, Some(report));
    assert_eq!(all(&store), wanted);
    let backup = SimDir::new(seed);
    for _ in 0..random.below(40) {
        match random.below(12) {
            0 => {
                compact_some(&store, &mut random).unwrap();
            }
            1 => {
                drop(store);
                if random.below(2) == 0 {
                    // Hints may be deleted at any time.
                    let hints = dir.files().into_iter().filter(|name| name.ends_with(".hint"));
                    let hints: Vec<_> = hints.filter(|_| random.below(2) == 0).collect();
                    hints.iter().for_each(|name| dir.remove(name).unwrap());
                }
                store = open_in_place(&dir);
            }
            2 => assert_eq!(all(&open_as(&dir, Mode::ReadOnly).unwrap()).len(), wanted.len()),
            3 => {
                store.backup_in(&backup).unwrap();
                assert_eq!(all(&open_as(&backup, Mode::ReadOnly).unwrap()), wanted);
            }
            4 => {
                let mut stream = Vec::new();
                let wrote = store.backup_to(&mut stream).unwrap();
                let verified = Bitcask::verify_backup("stream", &mut &stream[..]).unwrap();
                let copy = SimDir::new(seed);
                let read = Bitcask::restore_in("stream", &mut &stream[..], &copy).unwrap();
                assert_eq!((wrote.segments, wrote.segments), (verified.segments, read.segments));
                let copy = open_in_place(&copy);
                assert_eq!(all(&copy), wanted);
                everything(&copy);
                assert_eq!(all(&copy), wanted);
            }
            _ => change(&store, &mut random, &mut wanted).unwrap(),
        }
        store.flush().unwrap();
        if random.below(4) == 0 {
            assert_eq!(all(&store), wanted);
        }
    }
    assert_eq!(all(&store), wanted);
    everything(&store);
    assert_eq!(all(&store), wanted);
    assert!(data_files(&dir).is_empty());
    store.close().unwrap();
    let store = open_in_place(&dir);
    assert_eq!(all(&store), wanted);
    assert!(!has_list(&dir));
    // An incremental backup follows.
    store.backup_in(&backup).unwrap();
    assert!(data_files(&backup).is_empty() && !has_list(&backup));
    assert_eq!(all(&open_in_place(&backup)), wanted);
}

#[test]
fn whatever_is_done_to_a_store_that_was_theirs_it_holds_what_a_map_would() {
    for seed in 0..400 {
        if let Err(panic) = std::panic::catch_unwind(|| live(seed)) {
            eprintln!("seed {seed} fails; run it alone to repeat");
            std::panic::resume_unwind(panic);
        }
    }
}

/// A few lives, each ended by a fault.
fn die(seed: u64) {
    let mut random = Random(seed);
    let mut dir = random_directory(&mut random);
    let mut states = vec![contents(&open(&dir, Layout::Basho))];
    for _ in 0..3 {
        let at = 1 + random.below(40 + 80 * (seed % 2));
        let mut faults = Faults { short_io: random.below(2) == 0, ..Faults::default() };
        match random.below(4) {
            0 => faults.fail_at = Some(at),
            1 => faults.fail_sync_at = Some(1 + random.below(15)),
            2 => faults.capacity = Some(500 + random.below(20_000)),
            _ => faults.crash_at = Some(at),
        }
        dir.faults(faults);
        let ran = (|| -> Result<(), Error> {
            let store = open_as(&dir, Mode::Create)?;
            let mut now = all(&store);
            assert!(states.contains(&now), "seed {seed}");
            states = vec![now.clone()];
            for _ in 0..random.below(12) {
                match random.below(4) {
                    0 => drop(compact_some(&store, &mut random)?),
                    _ => {
                        let changed = change(&store, &mut random, &mut now);
                        states.push(now.clone());
                        changed?;
                    }
                }
            }
            store.sync()?;
            states = vec![now];
            Ok(())
        })();
        assert!(ran.is_ok() || dir.has_failed(), "seed {seed}: {ran:?}");
        dir.faults(Faults::default());
        dir = if random.below(3) == 0 { dir.kill() } else { dir.crash() };
    }
    let store = open_in_place(&dir);
    let found = all(&store);
    assert!(states.contains(&found), "seed {seed}: {found:?} is none of {states:?}");
    everything(&store);
    assert!(data_files(&dir).is_empty());
    assert_eq!(all(&store), found);
}

#[test]
fn whatever_fault_ends_a_life_what_was_synced_is_there() {
    for seed in 0..1500 {
        if let Err(panic) = std::panic::catch_unwind(|| die(seed)) {
            eprintln!("seed {seed} fails; run it alone to repeat");
            std::panic::resume_unwind(panic);
        }
    }
}

proptest! {
    #[test]
    fn what_basho_or_pybitcask_wrote_is_what_the_store_holds(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let (files, states) = Writer::Basho.run(&steps);
        let dir = Writer::Basho.dir(&files);
        let store = open_in_place(&dir);
        prop_assert_eq!(&all(&store), &states.last().unwrap().2);
        prop_assert_eq!(store.segments().len(), files.len() + 1);
    }
}
