//! A simulated disk that loses, tears and refuses, all from a seed.
//!
//! What is written is visible at once and durable only after a sync, as on a real one. A simulated crash
//! keeps everything that was synced, and of the rest whatever the seed says: each sector of each
//! unsynced write for itself, so that a later write may survive an earlier one. Directory operations
//! survive in their order, up to some point.

use super::{Dir, File, Lock, Map};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong, counted from the moment it is set. The default is: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Reads and writes take fewer bytes than asked, now and then.
    pub short_io: bool,
    /// The nth call that changes something, and every call after it, fails: the machine has stopped.
    pub crash_at: Option<u64>,
    /// The nth call that changes something fails with an I/O error.
    pub fail_at: Option<u64>,
    /// The nth sync of a file fails, and what it should have synced is partly lost and no longer dirty.
    pub fail_sync_at: Option<u64>,
    /// Files may hold so many bytes altogether.
    pub capacity: Option<u64>,
}

/// A directory on the simulated disk. Clones are the same directory.
#[derive(Clone, Debug)]
pub struct SimDir {
    shared: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct Disk {
    random: u64,
    faults: Faults,
    calls: u64,
    changes: u64,
    syncs: u64,
    stopped: bool,
    /// A call has failed since the faults were set.
    failed: bool,
    /// Names of files whose lock is held.
    locked: BTreeSet<String>,
    /// By inode, also those that no name leads to any more.
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the directory: name, and what it leads to after.
    name_changes: Vec<Vec<(String, Option<usize>)>>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// Permission bits, if they were set.
    mode: Option<u32>,
    contents: Vec<u8>,
    durable: Vec<u8>,
    /// What was written, and lengths set, since the last sync, in order.
    dirty: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    /// With the bytes of this write, which a later one may have replaced since.
    Written {
        start: usize,
        bytes: Vec<u8>,
    },
    Length(usize),
}

#[derive(Debug)]
struct SimFile {
    shared: Arc<Mutex<Disk>>,
    inode: usize,
    writable: bool,
}

#[derive(Debug)]
struct SimLock {
    shared: Arc<Mutex<Disk>>,
    name: String,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        lock(&self.shared).locked.remove(&self.name);
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimDir {
    /// An empty directory; `seed` decides whatever is left to chance.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Vec::new(), BTreeMap::new())
    }

    fn with(random: u64, inodes: Vec<Inode>, names: BTreeMap<String, usize>) -> Self {
        let disk = Disk {
            random,
            faults: Faults::default(),
            calls: 0,
            changes: 0,
            syncs: 0,
            stopped: false,
            failed: false,
            locked: BTreeSet::new(),
            inodes,
            durable_names: names.clone(),
            names,
            name_changes: Vec::new(),
        };
        SimDir { shared: Arc::new(Mutex::new(disk)) }
    }

    /// Sets what goes wrong from now on.
    pub fn faults(&self, faults: Faults) {
        let mut disk = lock(&self.shared);
        disk.faults = faults;
        disk.changes = 0;
        disk.syncs = 0;
        disk.failed = false;
    }

    /// True if a call has failed since the faults were set.
    pub fn has_failed(&self) -> bool {
        lock(&self.shared).failed
    }

    /// Number of calls made so far.
    pub fn calls(&self) -> u64 {
        lock(&self.shared).calls
    }

    /// The directory as it is found after the machine lost power now.
    pub fn crash(&self) -> SimDir {
        let mut disk = lock(&self.shared);
        let changes = disk.name_changes.len() as u64;
        let kept = disk.below(changes + 1) as usize;
        let mut names = disk.durable_names.clone();
        for change in disk.name_changes.clone().iter().take(kept) {
            apply(&mut names, change);
        }
        let mut inodes = disk.inodes.clone();
        for inode in &mut inodes {
            disk.lose(inode);
            inode.contents.clone_from(&inode.durable);
        }
        SimDir::with(disk.next(), inodes, names)
    }

    /// The directory as it is found after the process was killed now, and the machine went on.
    pub fn kill(&self) -> SimDir {
        let mut disk = lock(&self.shared);
        let (inodes, names) = (disk.inodes.clone(), disk.names.clone());
        let killed = SimDir::with(disk.next(), inodes, names);
        {
            let mut after = lock(&killed.shared);
            after.durable_names = disk.durable_names.clone();
            after.name_changes = disk.name_changes.clone();
        }
        killed
    }

    /// Names of all files.
    pub fn files(&self) -> Vec<String> {
        lock(&self.shared).names.keys().cloned().collect()
    }

    /// A file's contents.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn read_file(&self, name: &str) -> Vec<u8> {
        let disk = lock(&self.shared);
        disk.inodes[disk.names[name]].contents.clone()
    }

    /// Makes or replaces a file, durably.
    pub fn write_file(&self, name: &str, bytes: &[u8]) {
        let mut disk = lock(&self.shared);
        let (contents, durable) = (bytes.to_vec(), bytes.to_vec());
        disk.inodes.push(Inode { mode: None, contents, durable, dirty: Vec::new() });
        let inode = disk.inodes.len() - 1;
        disk.names.insert(name.to_owned(), inode);
        disk.durable_names.insert(name.to_owned(), inode);
        for change in &mut disk.name_changes {
            change.retain(|(changed, _)| changed != name);
        }
    }

    /// Sets the permission bits of a file, durably.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn set_mode(&self, name: &str, mode: u32) {
        let mut disk = lock(&self.shared);
        let inode = disk.names[name];
        disk.inodes[inode].mode = Some(mode);
    }

    /// Flips bit `bit` of the byte at `offset` of a file, durably.
    pub fn flip_bit(&self, name: &str, offset: u64, bit: u8) {
        let mut bytes = self.read_file(name);
        bytes[offset as usize] ^= 1 << bit;
        self.write_file(name, &bytes);
    }

    /// Cuts a file to `len` bytes, durably.
    pub fn truncate(&self, name: &str, len: u64) {
        let mut bytes = self.read_file(name);
        bytes.truncate(len as usize);
        self.write_file(name, &bytes);
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &[(String, Option<usize>)]) {
    for (name, inode) in change {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk {
    /// splitmix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.stopped { Err(io::Error::other("the machine has stopped")) } else { Ok(()) }
    }

    /// Counts a call that changes something, and fails it if it is its turn.
    fn change(&mut self) -> io::Result<()> {
        self.call()?;
        self.changes += 1;
        if self.faults.crash_at.is_some_and(|at| self.changes >= at) {
            (self.stopped, self.failed) = (true, true);
            return self.call();
        }
        if self.faults.fail_at == Some(self.changes) {
            self.failed = true;
            return Err(io::Error::other("simulated I/O error"));
        }
        Ok(())
    }

    /// How many of `len` bytes a call takes.
    fn taken(&mut self, len: usize) -> usize {
        if self.faults.short_io && len > 1 && self.below(4) == 0 {
            1 + self.below(len as u64 - 1) as usize
        } else {
            len
        }
    }

    fn check_capacity(&mut self, grow_by: usize) -> io::Result<()> {
        let Some(capacity) = self.faults.capacity else { return Ok(()) };
        let used: usize = self.names.values().map(|&inode| self.inodes[inode].contents.len()).sum();
        if grow_by > 0 && (used + grow_by) as u64 > capacity {
            self.failed = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn change_names(&mut self, change: Vec<(String, Option<usize>)>) {
        apply(&mut self.names, &change);
        self.name_changes.push(change);
    }

    /// Leaves of what is not durable what a crash leaves of it.
    fn lose(&mut self, inode: &mut Inode) {
        let found = &mut inode.durable;
        let sector = if self.below(2) == 0 { 512 } else { 4096 };
        // One crash in a few loses or keeps all: the cases that happen most.
        let mood = self.below(4);
        for change in inode.dirty.drain(..) {
            let keep_all = mood == 0 || (mood != 1 && self.below(2) == 0);
            match change {
                Change::Length(len) if keep_all => found.resize(len, 0),
                Change::Length(_) => {}
                Change::Written { start, bytes } => {
                    let end = start + bytes.len();
                    let mut at = start;
                    while at < end {
                        let next = ((at / sector + 1) * sector).min(end);
                        if mood != 1 && (mood == 0 || self.below(2) == 0) {
                            if found.len() < next {
                                found.resize(next, 0);
                            }
                            found[at..next].copy_from_slice(&bytes[at - start..next - start]);
                        }
                        at = next;
                    }
                }
            }
        }
    }

    /// Makes a file durable, or what a failed sync leaves of it.
    fn sync(&mut self, inode: usize, failed: bool) {
        let mut file = std::mem::take(&mut self.inodes[inode]);
        if failed {
            self.lose(&mut file);
        }
        // What a failed sync lost is not written by a later one: the system takes it for clean.
        for change in file.dirty.drain(..) {
            match change {
                Change::Length(len) => file.durable.resize(len, 0),
                Change::Written { start, bytes } => {
                    let end = start + bytes.len();
                    file.durable.resize(file.durable.len().max(end), 0);
                    file.durable[start..end].copy_from_slice(&bytes);
                }
            }
        }
        self.inodes[inode] = file;
    }
}

impl Dir for SimDir {
    fn path(&self) -> &Path {
        Path::new("simulated")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        lock(&self.shared).call()?;
        Ok(self.files())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut disk = lock(&self.shared);
        disk.change()?;
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        disk.inodes.push(Inode::default());
        let inode = disk.inodes.len() - 1;
        disk.change_names(vec![(name.to_owned(), Some(inode))]);
        Ok(Arc::new(SimFile { shared: self.shared.clone(), inode, writable: true }))
    }

    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn File>> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        let inode = *disk.names.get(name).ok_or_else(not_found)?;
        Ok(Arc::new(SimFile { shared: self.shared.clone(), inode, writable }))
    }

    fn mode(&self, name: &str) -> io::Result<u32> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        let inode = *disk.names.get(name).ok_or_else(not_found)?;
        Ok(disk.inodes[inode].mode.unwrap_or(0o644))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = lock(&self.shared);
        disk.change()?;
        let inode = *disk.names.get(from).ok_or_else(not_found)?;
        disk.change_names(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = lock(&self.shared);
        disk.change()?;
        if !disk.names.contains_key(name) {
            return Err(not_found());
        }
        disk.change_names(vec![(name.to_owned(), None)]);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = lock(&self.shared);
        disk.change()?;
        disk.durable_names = disk.names.clone();
        disk.name_changes.clear();
        Ok(())
    }

    fn random(&self) -> u64 {
        lock(&self.shared).next()
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        if !disk.locked.insert(name.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { shared: self.shared.clone(), name: name.to_owned() })))
    }
}

impl SimFile {
    /// Counts a call that changes the file, if this handle may.
    fn change(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = lock(&self.shared);
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        disk.change()?;
        Ok(disk)
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        let len = disk.inodes[self.inode].contents.len();
        let start = len.min(usize::try_from(offset).unwrap_or(usize::MAX));
        let taken = disk.taken(buf.len().min(len - start));
        buf[..taken].copy_from_slice(&disk.inodes[self.inode].contents[start..start + taken]);
        Ok(taken)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.change()?;
        let taken = disk.taken(buf.len());
        let start = offset as usize;
        let end = start + taken;
        let len = disk.inodes[self.inode].contents.len();
        disk.check_capacity(end.saturating_sub(len))?;
        let inode = &mut disk.inodes[self.inode];
        if len < end {
            inode.contents.resize(end, 0);
        }
        inode.contents[start..end].copy_from_slice(&buf[..taken]);
        inode.dirty.push(Change::Written { start, bytes: buf[..taken].to_vec() });
        Ok(taken)
    }

    fn size(&self) -> io::Result<u64> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        Ok(disk.inodes[self.inode].contents.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.change()?;
        let old = disk.inodes[self.inode].contents.len();
        disk.check_capacity((len as usize).saturating_sub(old))?;
        let inode = &mut disk.inodes[self.inode];
        inode.contents.resize(len as usize, 0);
        inode.dirty.push(Change::Length(len as usize));
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut disk = self.change()?;
        let end = (offset + len) as usize;
        let old = disk.inodes[self.inode].contents.len();
        if end > old {
            disk.check_capacity(end - old)?;
            let inode = &mut disk.inodes[self.inode];
            inode.contents.resize(end, 0);
            inode.dirty.push(Change::Length(end));
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = lock(&self.shared);
        let called = disk.change();
        // A machine that has stopped loses what it loses when it is looked at again.
        if disk.stopped {
            return called;
        }
        disk.syncs += 1;
        let failed = called.is_err() || disk.faults.fail_sync_at == Some(disk.syncs);
        disk.failed |= failed;
        disk.sync(self.inode, failed);
        if failed { Err(io::Error::other("simulated failure of a sync")) } else { Ok(()) }
    }

    fn map(&self) -> io::Result<Map> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        Ok(Box::new(disk.inodes[self.inode].contents.clone()))
    }

    fn map_front(&self, len: u64) -> io::Result<Map> {
        let mut disk = lock(&self.shared);
        disk.call()?;
        let contents = &disk.inodes[self.inode].contents;
        let front = contents.get(..usize::try_from(len).unwrap_or(usize::MAX));
        Ok(Box::new(front.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec()))
    }
}
