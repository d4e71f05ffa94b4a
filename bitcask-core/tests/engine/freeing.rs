//! What compaction removes is given back little by little: see `docs/decisions/0011-freed-little-by-little.md`.

use super::compaction::everything;
use super::model::NOW;
use bitcask_core::storage::disk::DiskDir;
use bitcask_core::storage::{Dir, File, Lock, Map};
use bitcask_core::{Bitcask, Mode, Options};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Names of files, and how far they were cut once nothing had their names.
type Cuts = Arc<(Mutex<Vec<(String, u64)>>, Condvar)>;

/// A directory on disk that tells what of it is cut.
#[derive(Debug)]
struct Watched(DiskDir, Cuts);

#[derive(Debug)]
struct WatchedFile(String, Arc<dyn File>, Cuts);

impl Watched {
    fn file(&self, name: &str, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(WatchedFile(name.to_owned(), file, self.1.clone()))
    }
}

impl Dir for Watched {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(name, self.0.create(name)?))
    }
    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn File>> {
        Ok(self.file(name, self.0.open(name, writable)?))
    }
    fn mode(&self, name: &str) -> io::Result<u32> {
        self.0.mode(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn random(&self) -> u64 {
        self.0.random()
    }
    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        self.0.try_lock(name)
    }
}

impl File for WatchedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.1.write_at(buf, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.1.size()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.1.set_len(len)
    }
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.1.allocate(offset, len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.sync_data()
    }
    fn map(&self) -> io::Result<Map> {
        self.1.map()
    }
    fn map_front(&self, len: u64) -> io::Result<Map> {
        self.1.map_front(len)
    }
    fn cut_unnamed(&self, len: u64) -> io::Result<bool> {
        let cut = self.1.cut_unnamed(len)?;
        if cut {
            self.2.0.lock().unwrap().push((self.0.clone(), len));
            self.2.1.notify_all();
        }
        Ok(cut)
    }
}

/// Once, what had been sealed when the store was opened was open for reading only, and went at once.
#[test]
fn segments_of_this_process_and_of_former_ones_are_cut_to_nothing_and_readers_keep_theirs() {
    const KEYS: u32 = 400;
    let temporary = tempfile::tempdir().unwrap();
    let cuts = Cuts::default();
    let open = |mode| {
        let dir = Watched(DiskDir::open(temporary.path()).unwrap(), cuts.clone());
        let options = Options { segment_bytes: 4000, mode, ..Options::default() };
        Bitcask::open_in(Arc::new(dir), options).unwrap()
    };
    let fill = |store: &Bitcask, value: &[u8]| {
        for key in 0..KEYS {
            store.put(&key.to_be_bytes(), value, NOW).unwrap();
        }
    };
    let names = |dir: &Path| -> Vec<String> {
        let names = DiskDir::open(dir).unwrap().list().unwrap();
        names.into_iter().filter(|name| name.ends_with(".seg")).collect()
    };
    let store = open(Mode::Create);
    fill(&store, b"of a former process");
    store.close().unwrap();
    let store = open(Mode::Existing);
    fill(&store, b"of this one");
    let removed = {
        let before = names(temporary.path());
        everything(&store);
        let after = names(temporary.path());
        before.into_iter().filter(|name| !after.contains(name)).collect::<Vec<_>>()
    };
    assert!(removed.len() > 10);
    let (seen, change) = &*cuts;
    let is_missing = |seen: &mut Vec<(String, u64)>| {
        !removed.iter().all(|name| seen.contains(&(name.clone(), 0)))
    };
    let patience = Duration::from_secs(60);
    let waited = change.wait_timeout_while(seen.lock().unwrap(), patience, is_missing).unwrap();
    assert!(!waited.1.timed_out(), "{removed:?} were to go, of which {:?} went", waited.0);
    drop(waited);
    // A reader has what it opened, whatever goes meanwhile.
    let reader = open(Mode::ReadOnly);
    fill(&store, b"later");
    everything(&store);
    for key in 0..KEYS {
        let found = reader.get(&key.to_be_bytes(), NOW).unwrap();
        assert_eq!(found.as_deref(), Some(&b"of this one"[..]));
    }
}
