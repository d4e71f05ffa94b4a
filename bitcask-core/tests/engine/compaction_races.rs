//! Compaction while others read and write: every race that cost Basho's Bitcask years, by name.

use super::compaction::everything;
use super::model::{self, NOW};
use super::{open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{
    Batch, Bitcask, CompactionOptions, Error, Guard, Options, Step, Thresholds, UnixMillis,
};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Compacts everything that is sealed, and does something each time when it is about to take `step`.
fn compact_and(store: &Bitcask, step: Step, mut act: impl FnMut()) {
    let options = CompactionOptions { seal_active: false, ..CompactionOptions::everything() };
    let mut met = false;
    store
        .compact(&options, NOW, &mut |progress| {
            if progress.step == step {
                met = true;
                act();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(met, "it came to {step:?}");
}

fn fill(store: &Bitcask) {
    store.put(b"filler", &[0; 4050], NOW).unwrap();
}

/// Checks the store as it is, compacted once more, and opened anew.
fn stays(dir: &SimDir, store: Bitcask, check: impl Fn(&Bitcask)) {
    check(&store);
    everything(&store);
    check(&store);
    drop(store);
    check(&open(dir).unwrap());
}

const STEPS: [Step; 6] = [
    Step::Copying,
    Step::Syncing,
    Step::Switching,
    Step::LettingGo,
    Step::Retiring,
    Step::Removing,
];

#[test]
fn a_key_put_and_deleted_of_which_only_the_later_file_is_compacted_stays_gone_after_reopening() {
    for prefix in [false, true] {
        let dir = SimDir::new(1);
        let store = open(&dir).unwrap();
        store.put(b"k", b"v", NOW).unwrap();
        store.put(b"other", &[1; 3950], NOW).unwrap();
        let mut batch = Batch::new(NOW);
        if prefix {
            batch.delete_prefix(b"k");
        } else {
            batch.delete(b"k");
        }
        store.write(&mut batch).unwrap();
        store.sync().unwrap();
        // Only the second segment is small, and there is an empty third.
        let options = CompactionOptions {
            thresholds: Thresholds { dead_percent: 90, dead_bytes: u64::MAX, small_bytes: 0 },
            ..CompactionOptions::everything()
        };
        let report = store.compact(&options, NOW, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((report.inputs, report.deletions_dropped), (1, 0));
        assert!(!store.contains(b"k"));
        let killed = dir.kill();
        for dir in [dir.crash(), killed] {
            let store = open(&dir).unwrap();
            assert!(!store.contains(b"k"));
            everything(&store);
            drop(store);
            let store = open(&dir).unwrap();
            assert!(!store.contains(b"k") && store.contains(b"other"));
        }
    }
}

#[test]
fn a_delete_while_compacting_deletes_whenever_it_comes() {
    for step in STEPS {
        let dir = SimDir::new(1);
        let store = open(&dir).unwrap();
        store.put(b"k", b"v", NOW).unwrap();
        store.put(b"kept", b"v", NOW).unwrap();
        fill(&store);
        compact_and(&store, step, || {
            store.delete(b"k", NOW).unwrap();
        });
        let check = |store: &Bitcask| {
            assert_eq!((store.contains(b"k"), store.contains(b"kept")), (false, true), "{step:?}");
        };
        stays(&dir, store, check);
    }
}

#[test]
fn a_put_while_compacting_is_what_is_read_whenever_it_comes() {
    for step in STEPS {
        for key in [&b"k"[..], b"new"] {
            let dir = SimDir::new(1);
            let store = open(&dir).unwrap();
            store.put(b"k", b"old", NOW).unwrap();
            fill(&store);
            compact_and(&store, step, || store.put(key, b"new", NOW).unwrap());
            let check = |store: &Bitcask| {
                let found = store.get(key, NOW).unwrap();
                assert_eq!(found.as_deref(), Some(&b"new"[..]), "{step:?}");
            };
            stays(&dir, store, check);
        }
    }
}

#[test]
fn a_delta_while_compacting_is_kept_whenever_it_comes_and_survives_a_crash_after() {
    for step in STEPS {
        for plain in [true, false] {
            let dir = SimDir::new(1);
            let store = open(&dir).unwrap();
            let mut wanted = b"base".to_vec();
            store.put(b"k", b"base", NOW).unwrap();
            let append = |store: &Bitcask, what: &[u8]| {
                let chain = store.entry(b"k").unwrap().unwrap().chain;
                let mut batch = Batch::new(NOW);
                batch.delta(b"k", what, &chain, None);
                store.write(&mut batch).unwrap();
            };
            if !plain {
                append(&store, b"-early");
                wanted.extend_from_slice(b"-early");
            }
            fill(&store);
            compact_and(&store, step, || {
                append(&store, b"-late");
                wanted.extend_from_slice(b"-late");
            });
            store.sync().unwrap();
            let check = |store: &Bitcask| {
                assert_eq!(store.get(b"k", NOW).unwrap().as_ref(), Some(&wanted), "{step:?}");
            };
            check(&store);
            check(&open(&dir.crash()).unwrap());
            check(&open(&dir.kill()).unwrap());
            everything(&store);
            check(&store);
        }
    }
}

#[test]
fn a_delta_upon_a_place_that_compaction_has_left_is_refused_and_finds_the_new_one() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    store.put(b"k", b"base", NOW).unwrap();
    fill(&store);
    let chain = store.entry(b"k").unwrap().unwrap().chain;
    let moves = store.moves();
    everything(&store);
    assert!(store.moves() > moves);
    let mut batch = Batch::new(NOW);
    batch.delta(b"k", b"!", &chain, None);
    assert!(matches!(store.write(&mut batch), Err(Error::ChainMoved)));
    let gone = store.entry_at(b"k", chain.newest()).unwrap_err();
    assert!(matches!(gone, Error::Retired { segment: 1 }), "{gone}");
    let chain = store.entry(b"k").unwrap().unwrap().chain;
    let mut batch = Batch::new(NOW);
    batch.delta(b"k", b"!", &chain, None);
    store.write(&mut batch).unwrap();
    assert_eq!(store.get(b"k", NOW).unwrap().as_deref(), Some(&b"base!"[..]));
}

#[test]
fn an_expiry_is_seen_by_reads_while_compacting_and_a_put_after_it_stays() {
    for step in STEPS {
        let dir = SimDir::new(1);
        let store = open(&dir).unwrap();
        let mut batch = Batch::new(NOW);
        batch.put(b"gone", b"v", Some(NOW));
        batch.put(b"again", b"v", Some(NOW));
        batch.put(b"soon", b"v", Some(UnixMillis(NOW.0 + 1)));
        store.write(&mut batch).unwrap();
        fill(&store);
        compact_and(&store, step, || {
            assert_eq!(store.get(b"gone", NOW).unwrap(), None);
            assert!(store.get(b"soon", NOW).unwrap().is_some());
            assert_eq!(store.get(b"soon", UnixMillis(NOW.0 + 1)).unwrap(), None);
            store.put(b"again", b"new", NOW).unwrap();
        });
        for store in [store, open(&dir.crash()).unwrap()] {
            assert!(!store.contains(b"gone"), "{step:?}");
            assert_eq!(store.get(b"again", NOW).unwrap().as_deref(), Some(&b"new"[..]));
        }
    }
}

#[test]
fn walking_while_compacting_gives_each_key_exactly_once() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    for i in 0..200_u8 {
        store.put(&[i], &[i; 100], NOW).unwrap();
    }
    for step in STEPS {
        compact_and(&store, step, || {
            let found = model::contents(&store);
            assert_eq!(found.len(), 200);
            assert!(found.iter().all(|(key, (value, _))| *value == vec![key[0]; 100]));
        });
    }
}

#[test]
fn the_layer_above_is_asked_once_nothing_leads_to_the_segments_and_may_say_no() {
    #[derive(Default)]
    struct Asked {
        segments: Mutex<Vec<Vec<u32>>>,
        yes: AtomicBool,
    }
    impl Guard for Asked {
        fn let_go(&self, segments: &[u32], _: UnixMillis) -> bool {
            self.segments.lock().unwrap().push(segments.to_vec());
            self.yes.load(Ordering::Relaxed)
        }
    }
    let guard = Arc::new(Asked::default());
    let dir = SimDir::new(1);
    let with_guard = || Options { guard: Some(guard.clone()), ..options() };
    let store = Bitcask::open_in(Arc::new(dir.clone()), with_guard()).unwrap();
    store.put(b"k", b"v", NOW).unwrap();
    let kept = store.location(b"k").unwrap();
    assert!(everything(&store).kept_by_guard);
    assert_ne!(store.location(b"k"), Some(kept));
    assert_eq!(store.entry_at(b"k", kept).unwrap().base, b"v");
    guard.yes.store(true, Ordering::Relaxed);
    assert_eq!(everything(&store).inputs, 2);
    assert!(matches!(store.entry_at(b"k", kept), Err(Error::Retired { .. })));
    assert_eq!(guard.segments.lock().unwrap()[0], [1]);
}

#[test]
fn keys_that_refer_are_found_when_the_store_is_opened_also_after_compaction_and_in_chains() {
    struct Yes;
    impl Guard for Yes {
        fn let_go(&self, _: &[u32], _: UnixMillis) -> bool {
            true
        }
    }
    let dir = SimDir::new(1);
    let open = || {
        let options = Options { guard: Some(Arc::new(Yes)), ..options() };
        Bitcask::open_in(Arc::new(dir.clone()), options).unwrap()
    };
    let store = open();
    let mut batch = Batch::new(NOW);
    batch.put(b"plain", b"v", None);
    for key in [&b"refers"[..], b"chain", b"expiring", b"gone"] {
        let record = batch.put(key, b"v", None);
        batch.refers(record);
    }
    store.write(&mut batch).unwrap();
    let chain = store.entry(b"chain").unwrap().unwrap().chain;
    let mut batch = Batch::new(NOW);
    let record = batch.delta(b"chain", b"!", &chain, None);
    batch.refers(record);
    batch.put(b"gone", b"v", None);
    store.write(&mut batch).unwrap();
    let later = Some(UnixMillis(NOW.0 + 1));
    assert!(store.set_expiry(b"expiring", later, NOW).unwrap());
    assert!(store.set_expiry(b"expiring", None, NOW).unwrap());
    drop(store);
    for _ in 0..2 {
        let store = open();
        let found = store.take_referring();
        assert_eq!(found, [b"chain".to_vec(), b"expiring".to_vec(), b"refers".to_vec()]);
        assert!(store.take_referring().is_empty());
        assert!(store.entry(b"chain").unwrap().unwrap().refers);
        everything(&store);
    }
}

/// What they refer to would be lost.
#[test]
fn a_store_with_keys_that_refer_is_not_compacted_without_a_guard() {
    let dir = SimDir::new(1);
    let store = open(&dir).unwrap();
    everything(&store);
    let mut batch = Batch::new(NOW);
    let record = batch.put(b"refers", b"v", None);
    batch.refers(record);
    store.write(&mut batch).unwrap();
    let compact = |store: &Bitcask| {
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        store.compact(&CompactionOptions::everything(), NOW, go_on)
    };
    assert!(matches!(compact(&store), Err(Error::NoGuard)));
    drop(store);
    assert!(matches!(compact(&open(&dir).unwrap()), Err(Error::NoGuard)));
}

/// Readers, writers of deltas and compaction at once, on a real disk; then everything is read back.
#[test]
fn threads_that_read_write_and_delete_while_another_compacts_see_what_they_wrote() {
    const WRITERS: u8 = 3;
    let temporary = tempfile::tempdir().unwrap();
    let with = || Options {
        segment_bytes: 16 << 10,
        durability: bitcask_core::Durability::No,
        ..options()
    };
    let store = Bitcask::open(temporary.path(), with()).unwrap();
    let done = AtomicBool::new(false);
    let wanted = Mutex::new(Vec::<(Vec<u8>, Option<Vec<u8>>)>::new());
    std::thread::scope(|scope| {
        let compactor = scope.spawn(|| {
            let mut folded = (0, 0, 0);
            let go_on = &mut |_: &_| ControlFlow::Continue(());
            while !done.load(Ordering::Relaxed) {
                let all = CompactionOptions::everything();
                let report = store.compact(&all, NOW, go_on).unwrap();
                folded.0 += report.folded;
                folded.1 += report.rewritten;
                folded.2 += report.moved;
            }
            folded
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                model::contents_of(&store);
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, wanted) = (&store, &wanted);
                scope.spawn(move || {
                    let mut random = super::Random(u64::from(writer));
                    let mut mine = std::collections::BTreeMap::new();
                    for _ in 0..6000 {
                        let key = vec![writer, random.below(12) as u8];
                        match random.below(20) {
                            0 => {
                                store.delete(&key, NOW).unwrap();
                                mine.remove(&key);
                            }
                            1..4 => {
                                let value = vec![7; random.below(300) as usize];
                                store.put(&key, &value, NOW).unwrap();
                                mine.insert(key.clone(), value);
                            }
                            _ => {
                                let Some(value) = mine.get_mut(&key) else { continue };
                                let new = random.next() as u8;
                                loop {
                                    let entry = store.entry(&key).unwrap().unwrap();
                                    let kept = entry.deltas.len() - entry.chain.absorbs();
                                    let mut delta = entry.deltas[kept..].concat();
                                    delta.push(new);
                                    let mut batch = Batch::new(NOW);
                                    batch.delta(&key, &delta, &entry.chain, None);
                                    match store.write(&mut batch) {
                                        Ok(_) => break,
                                        Err(Error::ChainMoved) => {}
                                        Err(e) => panic!("{e}"),
                                    }
                                }
                                value.push(new);
                            }
                        }
                        let found = store.get(&key, NOW).unwrap();
                        assert_eq!(found.as_ref(), mine.get(&key));
                    }
                    let mut wanted = wanted.lock().unwrap();
                    for i in 0..12 {
                        let key = vec![writer, i];
                        let value = mine.get(&key).cloned();
                        wanted.push((key, value));
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        // Also if one has panicked.
        done.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(Result::unwrap);
        let (folded, rewritten, moved) = compactor.join().unwrap();
        println!("{folded} folded, {rewritten} rewritten, {moved} moved");
        assert!(folded > 0 && moved > 0);
    });
    let check = |store: &Bitcask| {
        for (key, value) in wanted.lock().unwrap().iter() {
            assert_eq!(&store.get(key, NOW).unwrap(), value);
        }
    };
    check(&store);
    drop(store);
    let store = Bitcask::open(temporary.path(), with()).unwrap();
    check(&store);
    everything(&store);
    check(&store);
}

/// On a real file system, since descriptors are the system's; in memory, where there is one, since each cycle syncs
/// and there are ten thousand. `BITCASK_CYCLES` runs as many as it says.
#[test]
fn descriptors_do_not_leak_over_ten_thousand_cycles_of_opening_compacting_and_closing() {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    let default = if in_memory.is_ok() { 10_000 } else { 100 };
    let temporary = in_memory.or_else(|_| tempfile::tempdir()).unwrap();
    let open_files = || {
        #[allow(clippy::disallowed_methods)] // the system's list of our own descriptors
        let entries = std::fs::read_dir("/proc/self/fd").expect("Linux lists them");
        // Other tests open files of their own meanwhile.
        let ours = |path: std::path::PathBuf| path.starts_with(temporary.path());
        entries.flatten().filter(|fd| std::fs::read_link(fd.path()).is_ok_and(ours)).count()
    };
    let cycles: u32 =
        std::env::var("BITCASK_CYCLES").ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let mut most = 0;
    for cycle in 0..cycles {
        let store = Bitcask::open(temporary.path(), options()).unwrap();
        for i in 0..20_u8 {
            let mut batch = Batch::new(NOW);
            batch.put(&[i], &cycle.to_be_bytes().repeat(100), None);
            store.write(&mut batch).unwrap();
        }
        everything(&store);
        most = most.max(store.stats().segments);
        store.close().unwrap();
        assert_eq!(open_files(), 0, "after {cycle} cycles");
    }
    assert!(most < 10, "{most} segments");
    #[allow(clippy::disallowed_methods)]
    let files = std::fs::read_dir(temporary.path()).unwrap().count();
    assert!(files < 20, "{files} files");
}
