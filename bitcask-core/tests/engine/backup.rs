//! Backups: the contents at one moment, whole or not to be opened.

use super::model::{self, Contents, History, NOW};
use super::{Random, Sleeper, open, options};
use bitcask_core::storage::Dir;
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{AsOf, BackupReport, Bitcask, CompactionOptions, Error, Options};
use std::ops::ControlFlow;
use std::sync::Arc;

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("BITCASK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    0..count
}

fn work(store: &Bitcask, random: &mut Random, history: &mut History) {
    for _ in 0..random.below(60) {
        model::step(store, random, history).unwrap();
        match random.below(20) {
            0 => model::compact(store, random, history).unwrap(),
            1 => store.tick(),
            _ => {}
        }
    }
}

#[test]
fn a_backup_again_and_again_into_one_directory_always_has_the_contents_of_its_moment() {
    for seed in seeds() {
        let (mut random, mut history) = (Random(seed), History::new(Contents::new()));
        let (dir, target) = (SimDir::new(seed), SimDir::new(seed + 1));
        let mut store = open(&dir).unwrap();
        for round in 0..6 {
            work(&store, &mut random, &mut history);
            let report = store.backup_in(&target).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            let contents = history.now().clone();
            work(&store, &mut random, &mut history);
            // What was backed up survives a crash of the machine it is on.
            let copy = open(&target.crash()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert_eq!(model::contents(&copy), contents, "seed {seed}, round {round}");
            assert_eq!(copy.stats().segments, report.segments, "seed {seed}, round {round}");
            assert!(round > 0 || report.kept == 0 && report.removed == 0);
            if random.below(3) == 0 {
                store.close().unwrap();
                store = open(&dir).unwrap();
            }
        }
    }
}

#[test]
fn a_backup_that_breaks_off_cannot_be_opened_and_is_finished_by_the_next() {
    let mut broken = 0;
    for seed in seeds() {
        let (mut random, mut history) = (Random(seed), History::new(Contents::new()));
        let (dir, mut target) = (SimDir::new(seed), SimDir::new(seed + 1));
        let store = open(&dir).unwrap();
        for round in 0..4 {
            work(&store, &mut random, &mut history);
            let at = 1 + random.below(40);
            target.faults(match random.below(3) {
                0 => Faults { crash_at: Some(at), ..Faults::default() },
                1 => Faults { fail_at: Some(at), ..Faults::default() },
                _ => Faults { fail_sync_at: Some(1 + at % 8), ..Faults::default() },
            });
            let done = store.backup_in(&target);
            let failed = target.has_failed();
            assert!(done.is_ok() || failed, "seed {seed}, round {round}: {done:?}");
            target = target.crash();
            match open(&target) {
                Err(Error::Unfinished { .. }) => assert!(done.is_err(), "seed {seed}"),
                // It broke off before it had changed anything, or it was only the last word that failed.
                Ok(copy) => {
                    let found = model::contents(&copy);
                    let known = found.is_empty() || history.states.contains(&found);
                    assert!(known, "seed {seed}, round {round}");
                    assert!(done.is_err() || &found == history.now(), "seed {seed}");
                }
                Err(e) => panic!("seed {seed}, round {round}: {e}"),
            }
            if done.is_err() {
                broken += 1;
                match store.backup_in(&target) {
                    Ok(_) => {}
                    // It was opened above, before anything had been copied, and so has become a store of its own.
                    Err(Error::NotABackup { .. }) => target = SimDir::new(random.next()),
                    Err(e) => panic!("seed {seed}, round {round}: {e}"),
                }
                store.backup_in(&target).unwrap();
                let copy = open(&target.crash()).unwrap();
                assert_eq!(&model::contents(&copy), history.now(), "seed {seed}, round {round}");
                target = SimDir::new(random.next());
            }
        }
    }
    assert!(broken > 100 || seeds().end < 300, "{broken} broke off");
}

fn streamed(seed: u64) -> (Vec<u8>, BackupReport, History) {
    let (mut random, mut history) = (Random(seed), History::new(Contents::new()));
    let dir = SimDir::new(seed);
    let store = open(&dir).unwrap();
    for _ in 0..3 {
        work(&store, &mut random, &mut history);
    }
    let mut bytes = Vec::new();
    let report = store.backup_to(&mut bytes).unwrap();
    (bytes, report, history)
}

#[test]
fn a_stream_restores_to_the_contents_of_its_moment() {
    for seed in seeds() {
        let (bytes, written, history) = streamed(seed);
        assert_eq!(Bitcask::verify_backup("stream", &mut &bytes[..]).unwrap(), written);
        let target = SimDir::new(seed);
        let restored = Bitcask::restore_in("stream", &mut &bytes[..], &target).unwrap();
        assert_eq!(restored, written, "seed {seed}");
        let store = open(&target.crash()).unwrap();
        assert_eq!(&model::contents(&store), history.now(), "seed {seed}");
    }
}

#[test]
fn a_stream_that_is_cut_or_damaged_anywhere_is_refused_and_leaves_nothing_that_opens() {
    let (bytes, ..) = streamed(7);
    let mut damaged: Vec<Vec<u8>> = (0..bytes.len()).map(|cut| bytes[..cut].to_vec()).collect();
    damaged.extend((0..bytes.len()).map(|at| {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        bad
    }));
    damaged.push([&bytes[..], b"x"].concat());
    for (i, bad) in damaged.iter().enumerate() {
        let target = SimDir::new(1);
        let refused = Bitcask::restore_in("stream", &mut &bad[..], &target);
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{i}: {refused:?}");
        assert!(matches!(open(&target), Err(Error::Unfinished { .. })), "{i}");
        assert!(Bitcask::verify_backup("stream", &mut &bad[..]).is_err(), "{i}");
        if i % 500 == 0 {
            Bitcask::restore_in("stream", &mut &bytes[..], &target).unwrap();
            open(&target).unwrap();
        }
    }
}

#[test]
fn what_is_no_backup_of_the_store_is_refused_and_left_as_it_is() {
    let (dir, other) = (SimDir::new(1), SimDir::new(2));
    let store = open(&dir).unwrap();
    store.put(b"k", b"v", NOW).unwrap();
    let another = open(&other).unwrap();
    another.put(b"k", b"another", NOW).unwrap();

    assert!(matches!(store.backup_in(&other), Err(Error::Locked { .. })));
    another.close().unwrap();
    let files = other.files();
    assert!(matches!(store.backup_in(&other), Err(Error::NotABackup { .. })));
    assert_eq!(other.files(), files);

    let strange = SimDir::new(3);
    strange.write_file("holiday.jpg", b"");
    assert!(matches!(store.backup_in(&strange), Err(Error::NotABackup { .. })));
    let mut stream = Vec::new();
    store.backup_to(&mut stream).unwrap();
    for full in [&strange, &other] {
        let refused = Bitcask::restore_in("stream", &mut &stream[..], full);
        assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    }

    let copy = SimDir::new(4);
    store.backup_in(&copy).unwrap();
    let opened = open(&copy).unwrap();
    opened.put(b"k", b"written to the backup, and long", NOW).unwrap();
    opened.close().unwrap();
    assert!(matches!(store.backup_in(&copy), Err(Error::NotABackup { .. })));
}

#[test]
fn on_a_real_disk_sealed_segments_are_linked_and_a_file_is_replaced_when_it_is_complete() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let store = Bitcask::open(path.join("store"), options()).unwrap();
    for i in 0..200_u8 {
        store.put(&[i], &[i; 100], NOW).unwrap();
    }
    let first = store.backup(path.join("backup")).unwrap();
    assert!(first.segments > 3 && first.linked == first.segments - 1, "{first:?}");
    store.put(b"more", b"v", NOW).unwrap();
    let second = store.backup(path.join("backup")).unwrap();
    assert!(second.kept >= first.linked && second.linked + second.kept >= second.segments - 1);
    let file = path.join("backup.bak");
    store.backup_file(&file).unwrap();
    store.put(b"more", b"again", NOW).unwrap();
    store.backup_file(&file).unwrap();
    let read = || {
        #[allow(clippy::disallowed_methods)] // the test's own file
        std::fs::File::open(&file).unwrap()
    };
    Bitcask::verify_backup(&file, &mut read()).unwrap();
    Bitcask::restore(&file, &mut read(), path.join("restored")).unwrap();
    let contents = model::contents(&store);
    drop(store);
    let restored = Bitcask::open(path.join("restored"), options()).unwrap();
    assert_eq!(model::contents(&restored), contents);
    let copy = Bitcask::open(path.join("backup"), options()).unwrap();
    assert_eq!(copy.get(b"more", NOW).unwrap().as_deref(), Some(&b"v"[..]));
    drop(copy);
}

#[test]
fn a_long_segment_that_is_written_to_is_sealed_for_a_backup_and_linked() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let store = Bitcask::open(path.join("store"), Options::default()).unwrap();
    for i in 0..20_u8 {
        store.put(&[i], &[i; 100_000], NOW).unwrap();
    }
    let mut seen = Vec::new();
    let first = store.backup_telling(path.join("backup"), &mut |told| seen.push(told)).unwrap();
    let (done, total) = seen.last().map(|told| (told.done_bytes, told.total_bytes)).unwrap();
    assert!(seen.len() == 2 && done == total && total > 2_000_000, "{seen:?}");
    assert_eq!((first.linked, first.segments), (1, 2));
    assert!(first.copied_bytes < 1000, "{first:?}");
    store.put(b"more", b"v", NOW).unwrap();
    let second = store.backup(path.join("backup")).unwrap();
    assert_eq!((second.kept, second.segments), (1, 2), "what is short is copied, not sealed");
    let copy = Bitcask::open(path.join("backup"), Options::default()).unwrap();
    assert_eq!(model::contents(&copy), model::contents(&store));
}

#[test]
fn a_backup_keeps_to_its_rate() {
    let clock = Arc::new(Sleeper::default());
    let options = Options { backup_rate: 100_000, clock: clock.clone(), ..options() };
    let store = Bitcask::open_in(Arc::new(SimDir::new(1)), options).unwrap();
    for i in 0..100_u8 {
        store.put(&[i], &[i; 10_000], NOW).unwrap();
    }
    store.backup_to(&mut Vec::new()).unwrap();
    let slept = clock.slept().as_secs_f64();
    assert!((9.9..10.5).contains(&slept), "{slept} s for 1 MB at 100 kB/s");
    store.backup_in(&SimDir::new(2)).unwrap();
    let more = clock.slept().as_secs_f64() - slept;
    assert!((9.9..10.5).contains(&more), "{more} s where nothing can be linked");
    store.set_backup_rate(0);
    store.backup_to(&mut Vec::new()).unwrap();
    assert_eq!(clock.slept().as_secs_f64(), slept + more);
}

#[test]
fn a_store_is_restored_to_any_moment_since_compaction_last_let_go_of_something() {
    let (mut restored, mut forgotten) = (0, 0);
    for seed in seeds() {
        let (mut random, mut history) = (Random(seed), History::new(Contents::new()));
        let dir = SimDir::new(seed);
        let store = open(&dir).unwrap();
        // The moments: after each batch, the last sequence number that had been given out.
        let mut moments = vec![0];
        for _ in 0..random.below(80) {
            model::step(&store, &mut random, &mut history).unwrap();
            if random.below(25) == 0 {
                let before = history.states.len();
                model::compact(&store, &mut random, &mut history).unwrap();
                // What it writes meanwhile has no moment of its own here.
                moments.resize(moments.len() + history.states.len() - before, u64::MAX);
            }
            moments.resize(history.states.len(), store.reserve_sequence() - 1);
        }
        store.close().unwrap();
        for _ in 0..4 {
            let state = random.below(moments.len() as u64) as usize;
            let sequence = moments[state];
            if sequence == u64::MAX {
                continue;
            }
            let target = SimDir::new(seed);
            match Bitcask::restore_as_of_in(&dir, AsOf::Sequence(sequence), &target) {
                Ok(_) => {
                    restored += 1;
                    let copy = open(&target.crash()).unwrap();
                    let found = model::contents(&copy);
                    assert_eq!(found, history.states[state], "seed {seed}, sequence {sequence}");
                }
                Err(Error::Forgotten { earliest, .. }) => {
                    forgotten += 1;
                    assert!(sequence < earliest, "seed {seed}");
                    let target = SimDir::new(seed);
                    Bitcask::restore_as_of_in(&dir, AsOf::Sequence(earliest), &target).unwrap();
                }
                Err(e) => panic!("seed {seed}: {e}"),
            }
        }
    }
    assert!(restored > forgotten / 4 && forgotten > 0 || seeds().end < 300);
}

/// The segment that was written to when a backup began may be sealed before the backup comes to it.
#[test]
fn a_segment_that_is_sealed_while_a_backup_runs_is_in_it_as_it_was_when_that_began() {
    let temporary = tempfile::tempdir().unwrap();
    let (path, target) = (temporary.path().join("store"), temporary.path().join("backup"));
    let store = Bitcask::open(&path, options()).unwrap();
    for key in 0..30_u8 {
        store.put(&[key], &[key; 300], NOW).unwrap();
    }
    let wanted = model::contents(&store);
    let mut begun = false;
    let report = store
        .backup_telling(&target, &mut |_| {
            if !std::mem::replace(&mut begun, true) {
                let sealed =
                    CompactionOptions { seal_active: false, ..CompactionOptions::everything() };
                let go_on = &mut |_: &_| ControlFlow::Continue(());
                assert!(store.compact(&sealed, NOW, go_on).unwrap().inputs > 1);
                for key in 100..120_u8 {
                    store.put(&[key], &[key; 300], NOW).unwrap();
                }
            }
        })
        .unwrap();
    let after = model::contents(&store);
    let copy = Bitcask::open(&target, options()).unwrap();
    assert!(model::contents(&copy) == wanted, "{} keys of {}", copy.len(), wanted.len());
    assert_eq!(copy.stats().segments, report.segments);
    // And the two are two stores from now on.
    copy.put(b"of the copy", b"v", NOW).unwrap();
    copy.close().unwrap();
    store.close().unwrap();
    assert!(model::contents(&Bitcask::open(&path, options()).unwrap()) == after);
}

#[test]
fn a_moment_is_not_restored_of_a_log_of_which_something_is_missing() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for key in 0..30_u8 {
        store.put(&[key], &[key; 300], NOW).unwrap();
    }
    store.close().unwrap();
    let restore = |dir: &SimDir| {
        let target = SimDir::new(2);
        let done = Bitcask::restore_as_of_in(dir, AsOf::Sequence(u64::MAX), &target);
        done.map(|_| open(&target).unwrap().len())
    };
    assert_eq!(restore(&dir).unwrap(), 30);
    for number in [1, 2, 3] {
        let damaged = dir.crash();
        damaged.remove(&format!("{number:08}.seg")).unwrap();
        let refused = restore(&damaged);
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{number}: {refused:?}");
    }
    dir.write_file("copying.unfinished", b"");
    assert!(matches!(restore(&dir), Err(Error::Unfinished { .. })));
}
