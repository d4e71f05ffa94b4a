//! One history that has everything in it, with every fault at every one of its calls.
//!
//! The history: segments that fill, hints, chains, batches, expiries, deleting everything, a snapshot, compactions, a
//! backup and one more into the same directory, a stream and its restore, an import, closing and opening. Whatever
//! fails: what runs on answers as it did before the call or as it should after, and what is found afterwards is what
//! was acknowledged.

use super::model::{self, Contents, NOW};
use super::options;
use bitcask_core::classic::{self, Directory, DirectoryOptions, Layout};
use bitcask_core::storage::sim::{Faults, SimDir};
use bitcask_core::{
    Batch, Bitcask, CompactionOptions, Error, KeyRange, Options, Thresholds, UnixMillis,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Store,
    Backup,
    Restored,
    Imported,
}

struct Life {
    dir: SimDir,
    backup: SimDir,
    restored: SimDir,
    imported: SimDir,
    /// What the store has been through, one for each batch since it was opened.
    states: Vec<Contents>,
    /// The first of them that may be found after a crash.
    acknowledged: usize,
    /// What it has been through altogether.
    all: Vec<Contents>,
    /// Where the fault goes away once it has struck.
    lifts: Option<Place>,
    lifted: bool,
}

type Done = Result<(), Error>;
type Step = (&'static str, fn(&mut Life, &Bitcask) -> Done);

const FIRST: &[Step] = &[
    ("fill", fill),
    ("batch", batch),
    ("chains", chains),
    ("hints", tick),
    ("snapshot and compaction", compact_beside_a_snapshot),
    ("backup", back_up),
    ("delete everything", delete_everything),
    ("chains again", chains),
    ("import", import),
];
const SECOND: &[Step] = &[
    ("overwrite", fill),
    ("chains", chains),
    ("compaction of some", compact_some),
    ("delete a prefix", delete_prefix),
    ("incremental backup", back_up),
    ("stream", stream),
    ("compaction", compact_beside_a_snapshot),
    ("batch", batch),
];

fn key(n: u8) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

fn tiny() -> Options {
    Options { segment_bytes: 1024, ..options() }
}

fn open(dir: &SimDir) -> Result<Bitcask, Error> {
    Bitcask::open_in(Arc::new(dir.clone()), tiny())
}

/// What a store holds, if it can be read.
fn read(store: &Bitcask) -> Result<Contents, Error> {
    let mut contents = Contents::new();
    for entry in store.entries(KeyRange::all(), NOW) {
        let entry = entry?;
        contents.insert(entry.key, (entry.value, entry.expires_at));
    }
    Ok(contents)
}

fn must_read(dir: &SimDir, what: &str) -> Contents {
    let store = open(dir).unwrap_or_else(|e| panic!("{what} opens: {e}"));
    read(&store).unwrap_or_else(|e| panic!("{what} can be read: {e}"))
}

impl Life {
    fn new(seed: u64) -> Self {
        Life {
            dir: SimDir::new(seed),
            backup: SimDir::new(seed + 1),
            restored: SimDir::new(seed + 2),
            imported: model::foreign(),
            states: vec![Contents::new()],
            acknowledged: 0,
            all: vec![Contents::new()],
            lifts: None,
            lifted: false,
        }
    }

    fn place(&self, place: Place) -> &SimDir {
        match place {
            Place::Store => &self.dir,
            Place::Backup => &self.backup,
            Place::Restored => &self.restored,
            Place::Imported => &self.imported,
        }
    }

    fn now(&self) -> &Contents {
        &self.states[self.states.len() - 1]
    }

    fn has_failed(&self) -> bool {
        let dirs = [&self.dir, &self.backup, &self.restored, &self.imported];
        dirs.iter().any(|dir| dir.has_failed())
    }

    fn push(&mut self, after: Contents) {
        self.all.push(after.clone());
        self.states.push(after);
    }

    /// Writes one batch. An error says that nothing of it is there, nor will be.
    fn write(
        &mut self,
        store: &Bitcask,
        durably: bool,
        change: impl FnOnce(&mut Batch, &mut Contents),
    ) -> Done {
        let mut after = self.now().clone();
        let mut batch = Batch::new(NOW);
        change(&mut batch, &mut after);
        let committed = store.write(&mut batch)?;
        self.push(after);
        if durably {
            store.wait_durable(committed.position())?;
            self.acknowledged = self.states.len() - 1;
        }
        Ok(())
    }

    /// A state that may be found now; from it the history goes on.
    fn found(&mut self, found: Contents, what: &str) {
        let (from, to) = (self.acknowledged, self.states.len() - 1);
        assert!(
            self.states[from..].contains(&found),
            "{what}: what is found is none of the states {from}..={to}: {:?}",
            found.keys().map(|key| key.escape_ascii().to_string()).collect::<Vec<_>>()
        );
        (self.states, self.acknowledged) = (vec![found], 0);
    }

    /// Takes the steps, one after the other, whatever becomes of them.
    fn run(&mut self, store: &Bitcask, steps: &[Step]) {
        for (name, step) in steps {
            if let Err(e) = step(self, store) {
                let poisoned = matches!(e, Error::Poisoned { .. });
                assert!(self.has_failed() || self.lifted && poisoned, "{name}, without fault: {e}");
                let known =
                    matches!(e, Error::Io { .. } | Error::Full { .. } | Error::Poisoned { .. })
                        || e.is_damage() && self.restored.has_failed();
                assert!(known, "{name}: {e}");
            }
            if self.has_failed()
                && let Some(place) = self.lifts
            {
                self.place(place).faults(NONE);
                self.lifted = true;
            }
            match read(store) {
                Ok(found) => assert_eq!(&found, self.now(), "after {name}"),
                Err(e) => {
                    assert!(self.dir.has_failed(), "after {name}: {e}");
                    assert!(matches!(e, Error::Io { .. }), "after {name}: {e}");
                }
            }
        }
    }

    /// Opens the store, at the second attempt if the first one fails.
    fn open(&mut self) -> Option<Bitcask> {
        let opened = open(&self.dir).or_else(|e| {
            assert!(self.dir.has_failed(), "it opens: {e}");
            open(&self.dir)
        });
        let store = opened.ok()?;
        let found = read(&store).or_else(|_| read(&store)).ok()?;
        self.found(found, "opened");
        Some(store)
    }

    /// All of it, with what goes wrong set at `place`.
    fn live(&mut self, place: Place, faults: Faults) {
        self.place(place).faults(faults);
        for steps in [FIRST, SECOND] {
            let Some(store) = self.open() else { break };
            self.run(&store, steps);
            if store.close().is_ok() {
                self.acknowledged = self.states.len() - 1;
            }
        }
    }

    /// What is found after it: as it is, after a kill, and after crashes.
    fn check(self, what: &str) {
        let Life { dir, states, acknowledged, .. } = self;
        for (i, found) in [dir.crash(), dir.crash(), dir.kill()].into_iter().enumerate() {
            let what = format!("{what}, survivor {i}");
            let contents = must_read(&found, &what);
            assert!(states[acknowledged..].contains(&contents), "{what}: {:?}", contents.keys());
            let store = open(&found).unwrap();
            store.put(b"and on", b"it goes", NOW).unwrap();
            compact(&store).unwrap_or_else(|e| panic!("{what}: {e}"));
            store.close().unwrap();
            let mut wanted = contents;
            wanted.insert(b"and on".to_vec(), (b"it goes".to_vec(), None));
            assert_eq!(must_read(&found, &what), wanted, "{what}");
        }
    }
}

fn fill(life: &mut Life, store: &Bitcask) -> Done {
    for n in 0..9 {
        life.write(store, n % 3 == 2, |batch, after| {
            let value = vec![n; 40 + usize::from(n) * 20];
            batch.put(&key(n), &value, None);
            after.insert(key(n), (value, None));
        })?;
    }
    Ok(())
}

fn batch(life: &mut Life, store: &Bitcask) -> Done {
    life.write(store, true, |batch, after| {
        for n in 3..6 {
            let expires_at = (n == 4).then_some(UnixMillis(NOW.0 + 9));
            batch.put(&key(n), b"in a batch", expires_at);
            after.insert(key(n), (b"in a batch".to_vec(), expires_at));
        }
        batch.delete(&key(7));
        after.remove(&key(7));
    })
}

fn chains(life: &mut Life, store: &Bitcask) -> Done {
    for n in 0..4_u8 {
        let key = if n == 3 { key(2) } else { b"chain".to_vec() };
        let Some(entry) = store.entry(&key)? else {
            life.write(store, false, |batch, after| {
                batch.put(&key, b"base", None);
                after.insert(key.clone(), (b"base".to_vec(), None));
            })?;
            continue;
        };
        let kept = entry.deltas.len() - entry.chain.absorbs();
        let delta = [&entry.deltas[kept..].concat()[..], &[n]].concat();
        life.write(store, n == 2, |batch, after| {
            batch.delta(&key, &delta, &entry.chain, entry.expires_at);
            after.get_mut(&key).expect("the store has it").0.push(n);
        })?;
    }
    let Some(found) = store.metadata(b"chain")? else { return Ok(()) };
    let at = Some(UnixMillis(NOW.0 + 5));
    life.write(store, false, |batch, after| {
        batch.set_expiry(b"chain", &found, at);
        after.get_mut(&b"chain"[..]).expect("the store has it").1 = at;
    })
}

fn tick(life: &mut Life, store: &Bitcask) -> Done {
    store.tick();
    store.sync()?;
    life.acknowledged = life.states.len() - 1;
    Ok(())
}

fn compact(store: &Bitcask) -> Done {
    let everything = CompactionOptions::everything();
    store.compact(&everything, NOW, &mut |_| ControlFlow::Continue(())).map(|_| ())
}

fn compact_some(_: &mut Life, store: &Bitcask) -> Done {
    let some = CompactionOptions {
        thresholds: Thresholds { dead_percent: 30, dead_bytes: u64::MAX, small_bytes: 0 },
        max_bytes: 3000,
        ..CompactionOptions::everything()
    };
    store.compact(&some, NOW, &mut |_| ControlFlow::Continue(())).map(|_| ())
}

fn compact_beside_a_snapshot(life: &mut Life, store: &Bitcask) -> Done {
    let snapshot = store.snapshot();
    let wanted = life.now().clone();
    let written = life.write(store, false, |batch, after| {
        batch.put(&key(0), b"after the snapshot", None);
        after.insert(key(0), (b"after the snapshot".to_vec(), None));
        batch.delete_prefix(b"key:1");
        after.retain(|key, _| !key.starts_with(b"key:1"));
    });
    let compacted = compact(store);
    let mut found = Contents::new();
    for entry in snapshot.entries(KeyRange::all(), NOW) {
        let entry = entry?;
        found.insert(entry.key, (entry.value, entry.expires_at));
    }
    assert_eq!(found, wanted, "a snapshot, {compacted:?}");
    written.and(compacted)
}

fn delete_everything(life: &mut Life, store: &Bitcask) -> Done {
    life.write(store, true, |batch, after| {
        batch.delete_prefix(b"");
        after.clear();
        batch.put(b"after", b"everything", None);
        after.insert(b"after".to_vec(), (b"everything".to_vec(), None));
    })
}

fn delete_prefix(life: &mut Life, store: &Bitcask) -> Done {
    life.write(store, true, |batch, after| {
        batch.delete_prefix(b"i");
        after.retain(|key, _| !key.starts_with(b"i"));
    })
}

fn back_up(life: &mut Life, store: &Bitcask) -> Done {
    let done = store.backup_in(&life.backup);
    let copy = life.backup.crash();
    match (&done, open(&copy)) {
        (Ok(_), opened) => {
            let found = read(&opened.expect("a backup opens")).expect("a backup can be read");
            assert_eq!(&found, life.now(), "a backup");
        }
        (Err(_), Err(Error::Unfinished { .. })) => {}
        // It broke off before it had changed anything, or when it had changed everything.
        (Err(_), Ok(copy)) => {
            let found = read(&copy).expect("a backup can be read");
            assert!(life.all.contains(&found), "a backup that broke off");
        }
        (Err(_), Err(e)) => panic!("a backup that broke off: {e}"),
    }
    if done.is_err() {
        // Unless the machine has stopped, it can be finished.
        store.backup_in(&life.backup)?;
        assert_eq!(&must_read(&life.backup.crash(), "the next backup"), life.now());
    }
    done.map(|_| ())
}

fn stream(life: &mut Life, store: &Bitcask) -> Done {
    let mut stream = Vec::new();
    let report = store.backup_to(&mut stream)?;
    let verified = Bitcask::verify_backup("stream", &mut &stream[..]).expect("it is whole");
    assert_eq!(verified, report);
    let restore = || Bitcask::restore_in("stream", &mut &stream[..], &life.restored);
    let done = restore();
    if done.is_err() {
        let copy = life.restored.crash();
        match open(&copy) {
            Err(Error::Unfinished { .. }) => {}
            Err(e) => panic!("a restore that broke off: {e}"),
            Ok(copy) => {
                let found = read(&copy).expect("it can be read");
                assert!(found.is_empty() || &found == life.now(), "a restore that broke off");
            }
        }
        match restore() {
            // It was only the last word that failed. That it is finished may not be on disk.
            Err(Error::NotEmpty { .. }) => {
                let found = must_read(&life.restored.kill(), "what was restored");
                assert_eq!(&found, life.now());
                return done.map(|_| ());
            }
            other => _ = other?,
        }
    }
    assert_eq!(&must_read(&life.restored.crash(), "what was restored"), life.now());
    done.map(|_| ())
}

fn import(life: &mut Life, store: &Bitcask) -> Done {
    let open = || {
        let dir = Arc::new(life.imported.clone());
        Directory::open_in(dir, Layout::Basho, DirectoryOptions::default())
    };
    let directory = open()?;
    assert_eq!(directory.len(), 4);
    let done = classic::import(&directory, store, NOW, &mut |_| {});
    // It is one batch: it is there, or it is not.
    if done.is_ok() || store.contains(&[b'i', 0]) {
        let mut after = life.now().clone();
        after.extend(model::foreign_entries());
        life.push(after);
    }
    if done.is_ok() {
        life.acknowledged = life.states.len() - 1;
    }
    done.map(|_| ())
}

/// Sets a fault at the first call, at the second, and so on to the last; says how many there were. Each several times,
/// as what a crash leaves is left to chance (`BITCASK_ROUNDS`).
fn at_every_call(place: Place, faults: impl Fn(u64) -> Faults) -> u64 {
    let seeds = std::env::var("BITCASK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    (0..seeds).map(|seed| at_every_call_of(place, &faults, seed, None)).max().unwrap_or(0)
}

fn at_every_call_of(
    place: Place,
    faults: &dyn Fn(u64) -> Faults,
    seed: u64,
    lifts: Option<Place>,
) -> u64 {
    for at in 1.. {
        let mut life = Life { lifts, ..Life::new(seed * 1000 + at) };
        let faults = faults(at);
        let what = format!("seed {seed}, {place:?}, {faults:?}");
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            life.live(place, faults);
            let failed = life.has_failed() || life.lifted;
            life.check(&what);
            failed
        }));
        match lived {
            Ok(true) => {}
            Ok(false) => {
                println!("{what}: no more calls");
                return at - 1;
            }
            Err(panic) => {
                eprintln!("{what} fails");
                std::panic::resume_unwind(panic);
            }
        }
    }
    unreachable!("a history has an end")
}

const NONE: Faults = Faults {
    short_io: false,
    crash_at: None,
    fail_at: None,
    fail_sync_at: None,
    capacity: None,
    full_at: None,
    fail_look_at: None,
    sector_bytes: None,
};

#[test]
fn without_a_fault_the_history_is_what_it_should_be_also_where_reads_and_writes_are_short() {
    for seed in 0..20 {
        let mut life = Life::new(seed);
        life.live(Place::Store, Faults { short_io: seed > 0, ..NONE });
        assert!(!life.has_failed() && life.all.len() > 30);
        life.check("no fault");
    }
}

#[test]
fn wherever_the_disk_becomes_full_nothing_acknowledged_is_lost_and_nothing_comes_in_part() {
    for place in [Place::Store, Place::Backup, Place::Restored] {
        let calls = at_every_call(place, |at| Faults { full_at: Some(at), ..NONE });
        assert!(calls > 10, "{place:?}: {calls} calls");
    }
}

#[test]
fn a_disk_that_is_full_for_a_while_poisons_nothing_and_what_comes_after_it_is_written() {
    for place in [Place::Store, Place::Backup, Place::Restored] {
        let full = |at| Faults { full_at: Some(at), ..NONE };
        let calls = at_every_call_of(place, &full, 1, Some(place));
        assert!(calls > 10, "{place:?}: {calls} calls");
    }
}

#[test]
fn whichever_changing_call_fails_once_nothing_acknowledged_is_lost() {
    for place in [Place::Store, Place::Backup, Place::Restored] {
        let calls =
            at_every_call(place, |at| Faults { fail_at: Some(at), short_io: at % 2 == 0, ..NONE });
        assert!(calls > 15, "{place:?}: {calls} calls");
    }
}

#[test]
fn whichever_look_fails_once_nothing_is_taken_for_something_else() {
    for place in [Place::Store, Place::Backup, Place::Imported] {
        let calls = at_every_call(place, |at| Faults { fail_look_at: Some(at), ..NONE });
        assert!(calls > 5, "{place:?}: {calls} calls");
    }
}

#[test]
fn whichever_sync_fails_nothing_that_was_lost_had_been_acknowledged() {
    for place in [Place::Store, Place::Backup, Place::Restored] {
        let calls = at_every_call(place, |at| Faults {
            fail_sync_at: Some(at),
            short_io: at % 2 == 0,
            ..NONE
        });
        assert!(calls > 3, "{place:?}: {calls} syncs");
    }
}

#[test]
fn wherever_the_machine_stops_writes_torn_at_512_bytes_and_entries_lost_what_is_found_is_a_state() {
    stop_everywhere(512);
}

#[test]
fn wherever_the_machine_stops_writes_torn_at_4096_bytes_and_entries_lost_what_is_found_is_a_state()
{
    stop_everywhere(4096);
}

fn stop_everywhere(sector_bytes: usize) {
    for place in [Place::Store, Place::Backup, Place::Restored] {
        let calls = at_every_call(place, |at| Faults {
            crash_at: Some(at),
            sector_bytes: Some(sector_bytes),
            short_io: at % 2 == 0,
            ..NONE
        });
        assert!(calls > 15, "{place:?}: {calls} calls");
    }
}

/// Bit rot, in any byte of any file that the history leaves, of a store that was closed and of one that was killed.
#[test]
fn whichever_byte_of_whichever_file_rots_no_value_is_wrong() {
    let mut life = Life::new(1);
    life.live(Place::Store, NONE);
    let store = life.open().unwrap();
    chains(&mut life, &store).unwrap();
    batch(&mut life, &store).unwrap();
    let wanted = life.now().clone();
    let killed = life.dir.kill();
    store.close().unwrap();
    let (mut refused, mut noticed, mut unharmed, mut cut) = (0, 0, 0, 0);
    for (dir, closed) in [(&life.dir, true), (&killed, false)] {
        let files: Vec<_> =
            dir.files().into_iter().map(|name| (dir.read_file(&name), name)).collect();
        for (bytes, name) in &files {
            for at in 0..bytes.len() {
                let rotten = SimDir::new(1);
                files.iter().for_each(|(bytes, name)| rotten.write_file(name, bytes));
                rotten.flip_bit(name, at as u64, (at % 8) as u8);
                let store = match open(&rotten) {
                    Ok(store) => store,
                    Err(e) => {
                        let said = e.is_damage()
                            || matches!(e, Error::NewerFormat { .. } | Error::Missing { .. });
                        assert!(said, "{name}, {at}: {e}");
                        refused += 1;
                        continue;
                    }
                };
                // What a crash may have cut short may be cut off, and is said to be.
                if store.recovery().torn.is_some() && !closed {
                    let found = read(&store).expect("what is left is whole");
                    assert!(
                        life.all.contains(&found),
                        "{name}, {at}: cut to no state that there was"
                    );
                    cut += 1;
                    continue;
                }
                let mut errors = 0;
                for (key, value) in &wanted {
                    let found = store.entry(key);
                    match found.and_then(|found| Ok((store.get(key, NOW)?, found))) {
                        Err(e) => {
                            assert!(e.is_damage(), "{name}, {at}: {e}");
                            errors += 1;
                        }
                        Ok((found, entry)) => {
                            let found = found.zip(entry.map(|entry| entry.expires_at));
                            assert_eq!(found.as_ref(), Some(value), "{name}, {at}");
                        }
                    }
                }
                let mut walked = store.keys(KeyRange::all());
                assert!(walked.all(|key| wanted.contains_key(&key)), "{name}, {at}");
                if errors > 0 { noticed += 1 } else { unharmed += 1 }
            }
        }
    }
    println!("{refused} refused, {noticed} noticed when read, {cut} cut, {unharmed} unharmed");
    assert!(refused > 100 && noticed > 100);
}
