//! Any sequence of calls of the public interface on tiny segments, against a `BTreeMap`.

use super::model::NOW;
use super::options;
use bitcask_core::storage::sim::SimDir;
use bitcask_core::{
    Batch, Bitcask, CompactionOptions, Entries, Error, KeyRange, Mode, Options, Snapshot,
    Thresholds, Transaction, UnixMillis,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

type Key = Vec<u8>;
type Value = (Vec<u8>, Option<UnixMillis>);
type Model = BTreeMap<Key, Value>;

#[derive(Clone, Debug)]
enum Change {
    Put(Key, Value),
    Delete(Key),
    DeletePrefix(Key),
}

#[derive(Clone, Debug)]
enum Op {
    Write(Vec<Change>),
    Put(Key, Value),
    Delta(Key, Vec<u8>),
    SetExpiry(Key, Option<UnixMillis>),
    Delete(Key),
    DropAll,
    Swap {
        key: Key,
        stale: bool,
        value: Option<Vec<u8>>,
    },
    Read(Key),
    Iterate {
        range: (Key, Key),
        backwards: bool,
        pages_of: usize,
    },
    BothEnds(Vec<bool>),
    ReadBeside,
    OpenSnapshot,
    CheckSnapshot(usize),
    CloseSnapshot(usize),
    Begin,
    GetWithin(usize, Key),
    PutWithin(usize, Key, Value),
    DeleteWithin(usize, Key),
    ScanWithin(usize, (Key, Key), bool),
    Commit(usize),
    Tick,
    /// The clock is set, so many milliseconds from [`NOW`], forward or back.
    Clock(i64),
    Compact,
    /// Segments of which so many percent are dead, and none of what has expired.
    CompactSome(u8),
    Backup,
    Stream,
}

fn key() -> impl Strategy<Value = Key> {
    let byte = prop_oneof![Just(b'a'), Just(b'b'), Just(0xff_u8)];
    prop_oneof![
        4 => vec(byte, 1..4),
        2 => (0..20_u8).prop_map(|n| format!("key:{n}").into_bytes()),
        1 => Just(vec![b'x'; 200]),
    ]
}

fn time() -> impl Strategy<Value = Option<UnixMillis>> {
    // Some have expired already.
    proptest::option::of((0..20_u64).prop_map(|n| UnixMillis(NOW.0 + n - 4)))
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => vec(any::<u8>(), 0..40), 1 => (0..5000_usize).prop_map(|n| vec![7; n])]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (key(), (value(), time())).prop_map(|(key, value)| Change::Put(key, value)),
        2 => key().prop_map(Change::Delete),
        1 => key().prop_map(Change::DeletePrefix),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let slot = 0..3_usize;
    let range = || (key(), key());
    prop_oneof![
        6 => (key(), (value(), time())).prop_map(|(key, value)| Op::Put(key, value)),
        4 => vec(change(), 0..5).prop_map(Op::Write),
        4 => (key(), vec(any::<u8>(), 0..9)).prop_map(|(key, delta)| Op::Delta(key, delta)),
        4 => (key(), time()).prop_map(|(key, at)| Op::SetExpiry(key, at)),
        3 => key().prop_map(Op::Delete),
        1 => Just(Op::DropAll),
        3 => (key(), any::<bool>(), proptest::option::of(value()))
            .prop_map(|(key, stale, value)| Op::Swap { key, stale, value }),
        3 => key().prop_map(Op::Read),
        3 => (range(), any::<bool>(), 1..6_usize).prop_map(|(range, backwards, pages_of)| {
            Op::Iterate { range, backwards, pages_of }
        }),
        1 => vec(any::<bool>(), 0..60).prop_map(Op::BothEnds),
        1 => Just(Op::ReadBeside),
        2 => Just(Op::OpenSnapshot),
        3 => slot.clone().prop_map(Op::CheckSnapshot),
        1 => slot.clone().prop_map(Op::CloseSnapshot),
        2 => Just(Op::Begin),
        3 => (slot.clone(), key()).prop_map(|(t, key)| Op::GetWithin(t, key)),
        3 => (slot.clone(), key(), (value(), time())).prop_map(|(t, k, v)| Op::PutWithin(t, k, v)),
        2 => (slot.clone(), key()).prop_map(|(t, key)| Op::DeleteWithin(t, key)),
        2 => (slot.clone(), range(), any::<bool>()).prop_map(|(t, r, b)| Op::ScanWithin(t, r, b)),
        3 => slot.prop_map(Op::Commit),
        1 => Just(Op::Tick),
        2 => (-6..20_i64).prop_map(Op::Clock),
        2 => Just(Op::Compact),
        1 => (1..90_u8).prop_map(Op::CompactSome),
        1 => Just(Op::Backup),
        1 => Just(Op::Stream),
    ]
}

fn there((_, at): &Value, now: UnixMillis) -> bool {
    at.is_none_or(|at| at > now)
}

fn get(model: &Model, key: &[u8], now: UnixMillis) -> Option<Vec<u8>> {
    model.get(key).filter(|value| there(value, now)).map(|(value, _)| value.clone())
}

fn range_of((a, b): (Key, Key)) -> KeyRange {
    // One in a few is empty, and one is a prefix.
    if a.len() == 1 { KeyRange::prefix(a) } else { KeyRange::new(a..b) }
}

type Found = Vec<(Key, Value)>;

fn entries(model: &Model, range: &KeyRange, now: UnixMillis) -> Found {
    let held = |(key, value): &(&Key, &Value)| range.contains(key) && there(value, now);
    model.iter().filter(held).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn collect(entries: Entries<'_>, backwards: bool) -> Found {
    let pair = |entry: Result<bitcask_core::KeyValue, Error>| {
        let entry = entry.unwrap();
        (entry.key, (entry.value, entry.expires_at))
    };
    let mut found: Found =
        if backwards { entries.rev().map(pair).collect() } else { entries.map(pair).collect() };
    if backwards {
        found.reverse();
    }
    found
}

struct OpenTransaction<'a> {
    transaction: Transaction<'a>,
    /// The time that it was begun with.
    now: UnixMillis,
    /// What it sees.
    model: Model,
    written: BTreeSet<Key>,
    read: Vec<KeyRange>,
    /// What others have changed since it began.
    touched: BTreeSet<Key>,
}

/// One opening of the store, and what is open in it.
struct Session<'a> {
    store: &'a Bitcask,
    dir: &'a SimDir,
    /// Where backups of this session go.
    target: SimDir,
    now: UnixMillis,
    model: &'a mut Model,
    snapshots: Vec<(Snapshot<'a>, Model)>,
    transactions: Vec<OpenTransaction<'a>>,
}

impl<'a> Session<'a> {
    fn touch(&mut self, key: &[u8]) {
        for open in &mut self.transactions {
            open.touched.insert(key.to_vec());
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(key, value) => {
                self.touch(&key);
                self.model.insert(key, value);
            }
            Change::Delete(key) => {
                if self.model.remove(&key).is_some() {
                    self.touch(&key);
                }
            }
            Change::DeletePrefix(prefix) => {
                let gone: Vec<Key> =
                    self.model.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
                for key in gone {
                    self.apply(Change::Delete(key));
                }
            }
        }
    }

    fn check_key(&self, key: &[u8]) {
        let (store, wanted) = (self.store, self.model.get(key));
        assert_eq!(store.get(key, self.now).unwrap(), get(self.model, key, self.now));
        assert_eq!(store.contains(key), wanted.is_some());
        assert_eq!(store.expiry(key).unwrap(), wanted.and_then(|(_, at)| *at));
        let metadata = store.metadata(key).unwrap();
        assert_eq!(metadata.is_some(), wanted.is_some());
        let (Some(metadata), Some((value, at))) = (metadata, wanted) else { return };
        let entry = store.entry(key).unwrap().unwrap();
        assert_eq!((metadata.expires_at, metadata.sequence), (*at, entry.sequence));
        assert_eq!(metadata.chain_records as usize, entry.chain.len());
        assert_eq!(metadata.log_bytes, entry.chain.bytes());
        let whole = metadata.value_bytes.is_none_or(|bytes| bytes == value.len() as u64);
        assert!(whole && metadata.value_bytes.is_some() == entry.deltas.is_empty());
        let newest = entry.deltas.last().unwrap_or(&entry.base).clone();
        assert_eq!(store.newest(key).unwrap(), Some(newest));
    }

    /// Another store must hold what this one does.
    fn check_copy(&self, dir: &SimDir) {
        let copy = Bitcask::open_in(Arc::new(dir.clone()), options()).unwrap();
        let all = KeyRange::all();
        let found = collect(copy.entries(all.clone(), UnixMillis(0)), false);
        assert_eq!(found, entries(self.model, &all, UnixMillis(0)));
    }

    fn step(&mut self, op: Op) {
        let (store, now) = (self.store, self.now);
        match op {
            Op::Put(key, (value, None)) => {
                store.put(&key, &value, now).unwrap();
                self.apply(Change::Put(key, (value, None)));
            }
            Op::Put(key, (value, Some(at))) => {
                store.put_expiring(&key, &value, at, now).unwrap();
                self.apply(Change::Put(key, (value, Some(at))));
            }
            Op::Write(changes) => {
                let mut batch = Batch::new(now);
                for change in changes {
                    match &change {
                        Change::Put(key, (value, at)) => batch.put(key, value, *at),
                        Change::Delete(key) => batch.delete(key),
                        Change::DeletePrefix(prefix) => batch.delete_prefix(prefix),
                    };
                    self.apply(change);
                }
                store.write(&mut batch).unwrap();
            }
            Op::Delta(key, new) => {
                let Some(entry) = store.entry(&key).unwrap() else { return };
                let kept = entry.deltas.len() - entry.chain.absorbs();
                let delta = [&entry.deltas[kept..].concat()[..], &new[..]].concat();
                let mut batch = Batch::new(now);
                batch.delta(&key, &delta, &entry.chain, entry.expires_at);
                store.write(&mut batch).unwrap();
                let (mut value, at) = self.model[&key].clone();
                value.extend_from_slice(&new);
                self.apply(Change::Put(key, (value, at)));
            }
            Op::SetExpiry(key, at) => {
                let before = self.model.get(&key).filter(|value| there(value, now)).cloned();
                assert_eq!(store.set_expiry(&key, at, now).unwrap(), before.is_some());
                if let Some((value, _)) = before {
                    self.apply(Change::Put(key, (value, at)));
                }
            }
            Op::Delete(key) => {
                assert_eq!(store.delete(&key, now).unwrap(), self.model.contains_key(&key));
                self.apply(Change::Delete(key));
            }
            Op::DropAll => {
                store.drop_all(now).unwrap();
                self.apply(Change::DeletePrefix(vec![]));
            }
            Op::Swap { key, stale, value } => {
                let found = store.metadata(&key).unwrap().filter(|found| !found.is_expired(now));
                assert_eq!(found.is_some(), get(self.model, &key, self.now).is_some());
                let sequence = found.map(|found| found.sequence);
                let expected = match sequence {
                    sequence if !stale => sequence,
                    Some(sequence) if sequence % 2 == 0 => None,
                    Some(sequence) => Some(sequence - 1),
                    None => Some(1),
                };
                match store.compare_and_swap(&key, expected, value.as_deref(), now) {
                    Ok(new) => {
                        assert!(!stale && Some(new) > sequence);
                        self.apply(match value {
                            Some(value) => Change::Put(key, (value, None)),
                            None => Change::Delete(key),
                        });
                    }
                    Err(Error::Conflict { key: refused }) => assert!(stale && refused == key),
                    Err(e) => panic!("{e}"),
                }
            }
            Op::Read(key) => self.check_key(&key),
            Op::Iterate { range, backwards, pages_of } => self.iterate(range, backwards, pages_of),
            Op::BothEnds(ends) => {
                let mut wanted = self.model.keys();
                let mut keys = store.keys(KeyRange::all());
                for front in ends {
                    if front {
                        assert_eq!(keys.next().as_ref(), wanted.next());
                    } else {
                        assert_eq!(keys.next_back().as_ref(), wanted.next_back());
                    }
                }
            }
            Op::ReadBeside => {
                store.flush().unwrap();
                let before = self.dir.files();
                let read_only = Options { mode: Mode::ReadOnly, ..options() };
                let reader = Bitcask::open_in(Arc::new(self.dir.clone()), read_only).unwrap();
                let all = KeyRange::all();
                assert_eq!(
                    collect(reader.entries(all.clone(), now), false),
                    entries(self.model, &all, now)
                );
                assert!(reader.recovery().torn.is_none());
                reader.close().unwrap();
                assert_eq!(self.dir.files(), before);
            }
            Op::OpenSnapshot if self.snapshots.len() < 3 => {
                self.snapshots.push((store.snapshot(), self.model.clone()));
            }
            Op::CheckSnapshot(at) => {
                let Some((snapshot, model)) = self.snapshots.get(at) else { return };
                check_snapshot(snapshot, model, now);
            }
            Op::CloseSnapshot(at) if at < self.snapshots.len() => {
                self.snapshots.remove(at);
            }
            Op::Begin if self.transactions.len() < 3 => {
                self.transactions.push(OpenTransaction {
                    transaction: store.transaction(now),
                    now,
                    model: self.model.clone(),
                    written: BTreeSet::new(),
                    read: Vec::new(),
                    touched: BTreeSet::new(),
                });
            }
            Op::GetWithin(at, key) => {
                let Some(open) = self.transactions.get_mut(at) else { return };
                assert_eq!(open.transaction.get(&key).unwrap(), get(&open.model, &key, open.now));
                let there = get(&open.model, &key, open.now).is_some();
                assert_eq!(open.transaction.contains(&key).unwrap(), there);
                if !open.written.contains(&key) {
                    open.read.push(KeyRange::new(key.clone()..=key));
                }
            }
            Op::PutWithin(at, key, value) => {
                let Some(open) = self.transactions.get_mut(at) else { return };
                open.transaction.put(&key, &value.0, value.1);
                open.written.insert(key.clone());
                open.model.insert(key, value);
            }
            Op::DeleteWithin(at, key) => {
                let Some(open) = self.transactions.get_mut(at) else { return };
                open.transaction.delete(&key);
                open.written.insert(key.clone());
                open.model.remove(&key);
            }
            Op::ScanWithin(at, range, backwards) => {
                let Some(open) = self.transactions.get_mut(at) else { return };
                let range = range_of(range);
                let found = collect(open.transaction.entries(range.clone()), backwards);
                assert_eq!(found, entries(&open.model, &range, open.now));
                let keys: Vec<Key> = open.transaction.keys(range.clone()).collect();
                let held = open.model.keys().filter(|key| range.contains(key));
                assert!(keys.iter().eq(held));
                open.read.push(range);
            }
            Op::Commit(at) if at < self.transactions.len() => self.commit(at),
            Op::Tick => store.tick(),
            Op::Clock(by) => self.now = UnixMillis(NOW.0.checked_add_signed(by).unwrap()),
            Op::Compact => {
                let everything = CompactionOptions::everything();
                let done = store.compact(&everything, now, &mut |_| ControlFlow::Continue(()));
                assert!(!done.unwrap().stopped);
                // What has expired has gone, though the clock be set back.
                let gone: Vec<Key> = self
                    .model
                    .iter()
                    .filter(|(_, value)| !there(value, now))
                    .map(|(key, _)| key.clone())
                    .collect();
                gone.into_iter().for_each(|key| self.apply(Change::Delete(key)));
            }
            Op::CompactSome(dead_percent) => {
                let some = CompactionOptions {
                    thresholds: Thresholds {
                        dead_percent,
                        dead_bytes: u64::MAX,
                        small_bytes: u64::from(dead_percent) * 4,
                    },
                    seal_active: dead_percent % 2 == 0,
                    ..CompactionOptions::everything()
                };
                let long_ago = UnixMillis(0);
                store.compact(&some, long_ago, &mut |_| ControlFlow::Continue(())).unwrap();
            }
            Op::Backup => {
                store.backup_in(&self.target).unwrap();
                self.check_copy(&self.target.crash());
            }
            Op::Stream => {
                let mut stream = Vec::new();
                store.backup_to(&mut stream).unwrap();
                let copy = SimDir::new(1);
                Bitcask::restore_in("stream", &mut &stream[..], &copy).unwrap();
                self.check_copy(&copy);
            }
            _ => {}
        }
        assert_eq!(store.len(), self.model.len());
        assert_eq!(store.stats().snapshots, self.snapshots.len() + self.transactions.len());
    }

    /// Pages, each gone on from the last key of the one before.
    fn iterate(&self, range: (Key, Key), backwards: bool, pages_of: usize) {
        let range = range_of(range);
        let mut found = Vec::new();
        let mut left = range.clone();
        loop {
            let keys = self.store.keys(left.clone());
            let page: Vec<Key> = if backwards {
                keys.rev().take(pages_of).collect()
            } else {
                keys.take(pages_of).collect()
            };
            let Some(last) = page.last() else { break };
            left = if backwards { left.before(last) } else { left.after(last) };
            found.extend(page);
        }
        if backwards {
            found.reverse();
        }
        let wanted: Vec<_> = self.model.keys().filter(|key| range.contains(key)).collect();
        assert!(found.iter().eq(wanted.iter().copied()), "{range:?}: {found:?} {wanted:?}");
        let wanted = entries(self.model, &range, self.now);
        assert_eq!(collect(self.store.entries(range, self.now), backwards), wanted);
    }

    fn commit(&mut self, at: usize) {
        let open = self.transactions.remove(at);
        let conflict = open.touched.iter().any(|key| open.read.iter().any(|r| r.contains(key)));
        match open.transaction.commit() {
            Ok(_) => {
                assert!(!conflict || open.written.is_empty(), "a conflict was not noticed");
                for key in open.written {
                    self.apply(match open.model.get(&key) {
                        Some(value) => Change::Put(key, value.clone()),
                        None => Change::Delete(key),
                    });
                }
            }
            Err(Error::Conflict { key }) => {
                assert!(conflict && open.touched.contains(&key));
            }
            Err(e) => panic!("{e}"),
        }
    }
}

fn check_snapshot(snapshot: &Snapshot<'_>, model: &Model, now: UnixMillis) {
    for backwards in [false, true] {
        let found = collect(snapshot.entries(KeyRange::all(), now), backwards);
        assert_eq!(found, entries(model, &KeyRange::all(), now), "a snapshot");
    }
    assert!(snapshot.keys(KeyRange::all()).eq(model.keys().cloned()));
    for (key, (_, at)) in model {
        assert_eq!(snapshot.get(key, now).unwrap(), get(model, key, now));
        assert!(snapshot.contains(key));
        assert_eq!(snapshot.metadata(key).unwrap().unwrap().expires_at, *at);
    }
}

proptest! {
    // At least so many; PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(400),
        ..ProptestConfig::default()
    })]

    /// Whatever is called in whatever order, the store answers as a map does, snapshots answer as the map did
    /// when they were taken, and a transaction commits just if nobody has changed what it read.
    #[test]
    fn any_sequence_of_calls_gives_what_a_btreemap_gives(
        sessions in vec((vec(op(), 0..80), 0..3_u8), 1..4),
    ) {
        let mut dir = SimDir::new(1);
        let mut model = Model::new();
        let mut now = NOW;
        for (ops, end) in sessions {
            let tiny = Options { segment_bytes: 400, ..options() };
            let store = Bitcask::open_in(Arc::new(dir.clone()), tiny).unwrap();
            let (snapshots, transactions) = (Vec::new(), Vec::new());
            let target = SimDir::new(2);
            let mut session = Session {
                store: &store,
                dir: &dir,
                target,
                now,
                model: &mut model,
                snapshots,
                transactions,
            };
            ops.into_iter().for_each(|op| session.step(op));
            now = session.now;
            session.snapshots.iter().for_each(|(snapshot, model)| check_snapshot(snapshot, model, now));
            let keys: Vec<Key> = session.model.keys().cloned().collect();
            keys.iter().for_each(|key| session.check_key(key));
            drop(session);
            store.sync().unwrap();
            let after = match end {
                0 => None,
                1 => Some(dir.kill()),
                _ => Some(dir.crash()),
            };
            store.close().unwrap();
            dir = after.unwrap_or(dir);
        }
        let store = Bitcask::open_in(Arc::new(dir.clone()), options()).unwrap();
        let all = KeyRange::all();
        prop_assert_eq!(collect(store.entries(all.clone(), now), false), entries(&model, &all, now));
    }
}
