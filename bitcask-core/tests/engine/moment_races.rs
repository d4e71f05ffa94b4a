//! A moment in the past is restored while the store that it is taken from is compacted.

use super::compaction::everything;
use super::model::NOW;
use super::{open, options};
use bitcask_core::storage::sim::SimDir;
use bitcask_core::storage::{Dir, File, Lock};
use bitcask_core::{AsOf, Bitcask, Error, Options};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A directory in which something happens when a file is opened for the nth time.
struct Eventful<F> {
    dir: SimDir,
    left: AtomicUsize,
    event: F,
}

impl<F> fmt::Debug for Eventful<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dir.fmt(f)
    }
}

impl<F: Fn() + Send + Sync> Dir for Eventful<F> {
    fn path(&self) -> &Path {
        self.dir.path()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.dir.list()
    }
    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn File>> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            (self.event)();
        }
        self.dir.open(name, writable)
    }
    fn mode(&self, name: &str) -> io::Result<u32> {
        self.dir.mode(name)
    }
    fn create(&self, _: &str) -> io::Result<Arc<dyn File>> {
        unreachable!("it is only read")
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        unreachable!("it is only read")
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        unreachable!("it is only read")
    }
    fn sync(&self) -> io::Result<()> {
        unreachable!("it is only read")
    }
    fn random(&self) -> u64 {
        self.dir.random()
    }
    fn try_lock(&self, _: &str) -> io::Result<Option<Box<dyn Lock>>> {
        unreachable!("it is only read")
    }
}

#[test]
fn a_moment_that_is_restored_beside_a_compaction_is_what_it_was_or_is_refused() {
    const KEYS: u8 = 40;
    let (mut restored, mut refused) = (0, 0);
    let happened = AtomicBool::new(false);
    for nth in 1.. {
        let dir = SimDir::new(nth as u64);
        let small = Options { segment_bytes: 300, ..options() };
        let store = Bitcask::open_in(Arc::new(dir.clone()), small).unwrap();
        for key in 0..KEYS {
            store.put(&[key], b"then", NOW).unwrap();
        }
        let moment = store.reserve_sequence();
        for key in 0..KEYS / 2 {
            store.put(&[key], b"later", NOW).unwrap();
        }
        store.sync().unwrap();
        let source = Eventful {
            dir: dir.clone(),
            left: AtomicUsize::new(nth),
            event: || {
                everything(&store);
                happened.store(true, Ordering::Relaxed);
            },
        };
        let target = SimDir::new(nth as u64);
        let outcome = Bitcask::restore_as_of_in(&source, AsOf::Sequence(moment), &target);
        if !happened.swap(false, Ordering::Relaxed) {
            break;
        }
        match outcome {
            Ok(_) => {
                let copy = open(&target.crash()).unwrap();
                for key in 0..KEYS {
                    let found = copy.get(&[key], NOW).unwrap();
                    assert_eq!(found.as_deref(), Some(&b"then"[..]), "call {nth}, key {key}");
                }
                restored += 1;
            }
            Err(Error::Io { .. } | Error::Forgotten { .. } | Error::Corrupt { .. }) => {
                refused += 1;
                let left = target.crash();
                let is_empty = left.files().is_empty();
                assert!(is_empty || open(&left).is_err(), "call {nth}: a part is no store");
            }
            Err(e) => panic!("call {nth}: {e}"),
        }
    }
    assert!(restored + refused > 9, "{restored} {refused}");
}
