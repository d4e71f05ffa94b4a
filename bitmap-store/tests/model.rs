//! Random commands against plain strings in a map.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{BitOp, CompactionOptions, Db, Error, Glob, Keyspace, Transaction, UnixMillis};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

type Strings = BTreeMap<(u8, u8), (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Op {
    SetBit(u8, u32, bool),
    Set(u8, Vec<u8>, Option<u64>),
    Append(u8, Vec<u8>),
    SetRange(u8, u16, Vec<u8>),
    SetField(u8, u32, u32, u64),
    Combine(BitOp, u8, Vec<u8>),
    Delete(u8),
    Rename(u8, u8),
    Copy(u8, u8, u8),
    MoveTo(u8, u8),
    Expire(u8, Option<u64>),
    Incr(u8, i64),
    FlushDb(u8),
    Check(u8, u32, u32),
}

const KEYS: u8 = 6;

fn key() -> impl Strategy<Value = u8> {
    0..KEYS
}

/// Ids near each other, spread over some containers, and now and then far away.
fn id() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..300_u32, 4 => (0..12_u32, 0..40_u32).prop_map(|(c, i)| (c << 16) | (i * 977)), 1 => 0..1_200_000_u32]
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || vec(any::<u8>(), 0..30);
    let bit_op = prop::sample::select(vec![
        BitOp::And,
        BitOp::Or,
        BitOp::Xor,
        BitOp::Not,
        BitOp::Diff,
        BitOp::Diff1,
        BitOp::AndOr,
        BitOp::One,
    ]);
    prop_oneof![
        30 => (key(), id(), prop::bool::weighted(0.7)).prop_map(|(k, i, b)| Op::SetBit(k, i, b)),
        3 => (key(), bytes(), prop::option::weighted(0.3, 1..50_u64)).prop_map(|(k, v, e)| Op::Set(k, v, e)),
        3 => (key(), bytes()).prop_map(|(k, v)| Op::Append(k, v)),
        2 => (key(), 0..400_u16, bytes()).prop_map(|(k, o, v)| Op::SetRange(k, o, v)),
        2 => (key(), id(), 1..=64_u32, any::<u64>()).prop_map(|(k, o, w, v)| Op::SetField(k, o, w, v)),
        6 => (bit_op, key(), vec(key(), 2..4)).prop_map(|(op, d, s)| Op::Combine(op, d, s)),
        2 => key().prop_map(Op::Delete),
        3 => (key(), key()).prop_map(|(a, b)| Op::Rename(a, b)),
        3 => (key(), key(), 0..2_u8).prop_map(|(a, b, db)| Op::Copy(a, b, db)),
        1 => (key(), 0..2_u8).prop_map(|(k, db)| Op::MoveTo(k, db)),
        4 => (key(), prop::option::weighted(0.8, 0..60_u64)).prop_map(|(k, e)| Op::Expire(k, e)),
        2 => (key(), -5..5_i64).prop_map(|(k, n)| Op::Incr(k, n)),
        1 => (0..2_u8).prop_map(Op::FlushDb),
        6 => (key(), id(), id()).prop_map(|(k, a, b)| Op::Check(k, a, b)),
    ]
}

fn name(key: u8) -> Vec<u8> {
    format!("key:{key}").into_bytes()
}

fn bit(string: &[u8], at: u64) -> bool {
    string.get(at as usize / 8).is_some_and(|byte| byte & 0x80 >> (at % 8) != 0)
}

fn set_bit(string: &mut Vec<u8>, at: u64, value: bool) {
    let byte = at as usize / 8;
    string.resize(string.len().max(byte + 1), 0);
    let mask = 0x80 >> (at % 8);
    if value { string[byte] |= mask } else { string[byte] &= !mask }
}

fn combined(op: BitOp, sources: &[Vec<u8>]) -> Vec<u8> {
    let len = sources.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = vec![0; len];
    for (at, byte) in out.iter_mut().enumerate() {
        let mut bytes = sources.iter().map(|s| s.get(at).copied().unwrap_or(0));
        let first = bytes.next().unwrap_or(0);
        let rest: Vec<u8> = bytes.collect();
        let any = rest.iter().fold(0, |a, b| a | b);
        *byte = match op {
            BitOp::And => rest.iter().fold(first, |a, b| a & b),
            BitOp::Or => first | any,
            BitOp::Xor => rest.iter().fold(first, |a, b| a ^ b),
            BitOp::Not => !first,
            BitOp::Diff => first & !any,
            BitOp::Diff1 => !first & any,
            BitOp::AndOr => first & any,
            BitOp::One => {
                let (once, twice) =
                    rest.iter().fold((first, 0), |(once, twice), b| (once | b, twice | once & b));
                once & !twice
            }
        };
    }
    out
}

/// The model: strings by (database, key), and the time.
#[derive(Clone, Default)]
struct Model {
    strings: Strings,
    now: u64,
}

impl Model {
    fn get(&self, key: (u8, u8)) -> Option<&Vec<u8>> {
        self.strings.get(&key).filter(|(_, at)| at.is_none_or(|at| at > self.now)).map(|(s, _)| s)
    }

    fn expiry(&self, key: (u8, u8)) -> Option<u64> {
        self.get(key)?;
        self.strings[&key].1
    }

    fn change(&mut self, key: u8, change: impl FnOnce(&mut Vec<u8>)) {
        let expiry = self.expiry((0, key));
        let mut string = self.get((0, key)).cloned().unwrap_or_default();
        change(&mut string);
        self.strings.insert((0, key), (string, expiry));
    }
}

fn at(ms: u64) -> UnixMillis {
    UnixMillis(NOW.0 + ms)
}

/// Does one operation on both, and compares what it answers. All are on database 0 unless they say so.
fn apply(tx: &mut Transaction<'_>, model: &mut Model, op: &Op) -> Result<(), Error> {
    let db = Db(0);
    match op {
        Op::SetBit(k, id, value) => {
            let before = model.get((0, *k)).is_some_and(|s| bit(s, u64::from(*id)));
            assert_eq!(tx.set_bit(db, &name(*k), u64::from(*id), *value)?, before);
            model.change(*k, |s| set_bit(s, u64::from(*id), *value));
        }
        Op::Set(k, value, expiry) => {
            let expires = expiry.map(|ms| model.now + ms);
            tx.set(db, &name(*k), value, expires.map(at))?;
            model.strings.insert((0, *k), (value.clone(), expires));
        }
        Op::Append(k, tail) => {
            model.change(*k, |s| s.extend_from_slice(tail));
            assert_eq!(tx.append(db, &name(*k), tail)?, model.get((0, *k)).unwrap().len() as u64);
        }
        Op::SetRange(k, offset, bytes) => {
            if !bytes.is_empty() {
                model.change(*k, |s| {
                    let end = usize::from(*offset) + bytes.len();
                    s.resize(s.len().max(end), 0);
                    s[usize::from(*offset)..end].copy_from_slice(bytes);
                });
            }
            let len = model.get((0, *k)).map_or(0, |s| s.len() as u64);
            assert_eq!(tx.set_range(db, &name(*k), u64::from(*offset), bytes)?, len);
        }
        Op::SetField(k, offset, width, value) => {
            tx.set_field(db, &name(*k), u64::from(*offset), *width, *value)?;
            model.change(*k, |s| {
                for i in 0..*width {
                    set_bit(
                        s,
                        u64::from(*offset) + u64::from(i),
                        value >> (width - 1 - i) & 1 == 1,
                    );
                }
            });
            let mask = u64::MAX >> (64 - width);
            assert_eq!(tx.get_field(db, &name(*k), u64::from(*offset), *width)?, value & mask);
        }
        Op::Combine(op, dst, sources) => {
            let sources = if *op == BitOp::Not { &sources[..1] } else { &sources[..] };
            let names: Vec<_> = sources.iter().map(|k| name(*k)).collect();
            let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            let strings: Vec<_> =
                sources.iter().map(|k| model.get((0, *k)).cloned().unwrap_or_default()).collect();
            let result = combined(*op, &strings);
            assert_eq!(tx.bit_op(*op, db, &name(*dst), &names)?, result.len() as u64);
            model.strings.remove(&(0, *dst));
            if !result.is_empty() {
                model.strings.insert((0, *dst), (result, None));
            }
        }
        Op::Delete(k) => {
            assert_eq!(tx.delete(db, &name(*k))?, model.get((0, *k)).is_some());
            model.strings.remove(&(0, *k));
        }
        Op::Rename(a, b) => match model.get((0, *a)).cloned() {
            None => assert!(matches!(tx.rename(db, &name(*a), &name(*b)), Err(Error::NoSuchKey))),
            Some(string) => {
                tx.rename(db, &name(*a), &name(*b))?;
                let expiry = model.expiry((0, *a));
                model.strings.remove(&(0, *a));
                model.strings.insert((0, *b), (string, expiry));
            }
        },
        Op::Copy(a, b, to) if (0, *a) != (*to, *b) => {
            let found = model.get((0, *a)).cloned();
            assert_eq!(tx.copy((db, &name(*a)), (Db(*to), &name(*b)), true)?, found.is_some());
            if let Some(string) = found {
                let expiry = model.expiry((0, *a));
                model.strings.insert((*to, *b), (string, expiry));
            }
        }
        Op::Copy(..) => {}
        Op::MoveTo(k, to) => {
            let moves = *to != 0 && model.get((0, *k)).is_some() && model.get((*to, *k)).is_none();
            if *to != 0 {
                assert_eq!(tx.move_to(db, &name(*k), Db(*to))?, moves);
            }
            if moves {
                let moved = model.strings.remove(&(0, *k)).unwrap();
                model.strings.insert((*to, *k), moved);
            }
        }
        Op::Expire(k, expiry) => {
            let there = model.get((0, *k)).is_some();
            let expires = expiry.map(|ms| model.now + ms);
            assert_eq!(tx.set_expiry(db, &name(*k), expires.map(at))?, there);
            if there {
                model.strings.get_mut(&(0, *k)).unwrap().1 = expires;
            }
        }
        Op::Incr(k, by) => {
            let text = model.get((0, *k)).cloned();
            let value = match &text {
                None => Some(0),
                Some(s) => std::str::from_utf8(s)
                    .ok()
                    .and_then(|s| s.parse::<i64>().ok().filter(|n| n.to_string() == s)),
            };
            match value {
                None => assert!(matches!(tx.incr_by(db, &name(*k), *by), Err(Error::NotInteger))),
                Some(value) => {
                    assert_eq!(tx.incr_by(db, &name(*k), *by)?, value + by);
                    model.change(*k, |s| *s = (value + by).to_string().into_bytes());
                }
            }
        }
        Op::FlushDb(which) => {
            tx.flush_db(Db(*which))?;
            model.strings.retain(|(db, _), _| db != which);
        }
        Op::Check(k, a, b) => check(tx, model, *k, u64::from(*a), u64::from(*b))?,
    }
    Ok(())
}

fn check(tx: &mut Transaction<'_>, model: &Model, k: u8, a: u64, b: u64) -> Result<(), Error> {
    let (db, key) = (Db(0), name(k));
    let empty = Vec::new();
    let string = model.get((0, k)).unwrap_or(&empty);
    let bits = string.len() as u64 * 8;
    let range = a.min(b)..a.max(b);
    let set = |at: &u64| bit(string, *at);
    assert_eq!(tx.get_bit(db, &key, a)?, bit(string, a));
    let all = (0..bits).filter(set).count() as u64;
    assert_eq!(tx.count_bits(db, &key, 0..1 << 32)?, all);
    assert_eq!(tx.count_bits(db, &key, range.clone())?, range.clone().filter(set).count() as u64);
    let clipped = || range.start..range.end.min(bits);
    assert_eq!(tx.find_bit(db, &key, true, range.clone())?, clipped().find(set));
    assert_eq!(tx.find_bit(db, &key, false, range.clone())?, clipped().find(|at| !set(at)));
    assert_eq!(tx.strlen(db, &key)?, string.len() as u64);
    let (start, end) = (a as usize % 300, b as usize % 300);
    let wanted = string.get(start..(end + 1).min(string.len())).unwrap_or_default();
    assert_eq!(tx.get_range(db, &key, start as i64, end as i64)?, wanted);
    Ok(())
}

/// Everything, read back.
fn compare(keyspace: &Keyspace, model: &Model) {
    for db in 0..2 {
        for k in 0..KEYS {
            let key = name(k);
            let mut tx = keyspace.begin([(Db(db), &key[..])], at(model.now));
            let found = tx.get(Db(db), &key).unwrap().map(|bytes| bytes.to_vec());
            assert_eq!(found.as_ref(), model.get((db, k)), "database {db}, key {k}");
            let expiry = tx.expiry(Db(db), &key).unwrap();
            let wanted = model.get((db, k)).map(|_| model.expiry((db, k)).map(at));
            assert_eq!(expiry, wanted, "expiry of key {k}");
        }
        let live = |(d, k): &(u8, u8)| *d == db && model.get((*d, *k)).is_some();
        let all = keyspace.keys(Db(db), &bitmap_store::Glob::new(b"*"), at(model.now)).unwrap();
        let wanted: Vec<_> =
            model.strings.keys().filter(|key| live(key)).map(|(_, k)| name(*k)).collect();
        assert_eq!(all, wanted);
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A transaction, and whether it commits.
    Run(Vec<Op>, bool),
    Reopen,
    Kill,
    /// The machine goes down: nothing but what was synced is there.
    Crash,
    Wait(u64),
    Reclaim,
    /// What is dead to so many percent, or everything; every so many steps something is done meanwhile.
    Compact(u8, Op),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec(op(), 1..6), prop::bool::weighted(0.9)).prop_map(|(ops, commit)| Step::Run(ops, commit)),
        4 => op().prop_map(|op| Step::Run(vec![op], true)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        1 => Just(Step::Crash),
        1 => (1..40_u64).prop_map(Step::Wait),
        1 => Just(Step::Reclaim),
        3 => (0..100_u8, op()).prop_map(|(dead, op)| Step::Compact(dead, op)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever commands run, in whatever transactions, reopened or killed in between, the keys hold what
    /// plain strings would.
    #[test]
    fn any_transactions_give_what_plain_strings_give(steps in vec(step(), 1..60)) {
        let mut dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Run(ops, commit) => {
                    let mut after = model.clone();
                    let mut tx = keyspace.begin_exclusive(at(model.now));
                    for op in &ops {
                        apply(&mut tx, &mut after, op).unwrap();
                    }
                    // The keys are its own view, too.
                    for db in 0..2 {
                        let live = |(_, (_, at)): &(_, &(_, Option<u64>))| at.is_none_or(|at| at > model.now);
                        let keys = after.strings.iter().filter(|((d, _), _)| *d == db).filter(live);
                        let keys: Vec<Vec<u8>> = keys.map(|((_, key), _)| name(*key)).collect();
                        prop_assert_eq!(&tx.keys(Db(db), &Glob::new(b"*")), &keys);
                        let (mut scanned, mut cursor) = (Vec::new(), 0);
                        loop {
                            let (next, found) = tx.scan(Db(db), cursor, 1, None, None);
                            scanned.extend(found);
                            cursor = next;
                            if cursor == 0 {
                                break;
                            }
                        }
                        scanned.sort();
                        prop_assert_eq!(&scanned, &keys);
                        prop_assert!(tx.db_size(Db(db)) >= keys.len() as u64);
                        let random = tx.random_key(Db(db), &mut |n| n / 2);
                        prop_assert!(random.map_or(keys.is_empty(), |key| keys.contains(&key)));
                    }
                    if commit {
                        let position = tx.commit().unwrap();
                        keyspace.wait_durable(position).unwrap();
                        model = after;
                    } else {
                        drop(tx);
                    }
                }
                Step::Reopen => {
                    keyspace.close().unwrap();
                    keyspace = open(&dir);
                }
                Step::Kill => {
                    dir = dir.kill();
                    keyspace = open(&dir);
                }
                Step::Crash => {
                    dir = dir.crash();
                    keyspace = open(&dir);
                }
                Step::Compact(dead, op) => {
                    let mut options = CompactionOptions::everything();
                    if dead % 2 == 0 {
                        options.thresholds.dead_percent = dead;
                        options.thresholds.small_bytes = u64::from(dead) * 50;
                    }
                    let mut calls = 0;
                    let now = at(model.now);
                    let report = keyspace.compact(&options, now, &mut |_| {
                        calls += 1;
                        if calls % 3 == usize::from(dead) % 3 {
                            let mut tx = keyspace.begin_exclusive(now);
                            apply(&mut tx, &mut model, &op).unwrap();
                            let position = tx.commit().unwrap();
                            keyspace.wait_durable(position).unwrap();
                        }
                        ControlFlow::Continue(())
                    });
                    let report = report.unwrap();
                    prop_assert!(!report.kept_by_guard && report.left_alone.is_empty());
                }
                Step::Wait(ms) => model.now += ms,
                Step::Reclaim => {
                    keyspace.expire_due(at(model.now), usize::MAX).unwrap();
                    let now = model.now;
                    model.strings.retain(|_, (_, at)| at.is_none_or(|at| at > now));
                    for db in 0..2 {
                        let count = model.strings.keys().filter(|(d, _)| *d == db).count() as u64;
                        prop_assert_eq!(keyspace.db_size(Db(db)), count);
                        let expiring = model.strings.iter().filter(|((d, _), (_, e))| *d == db && e.is_some());
                        prop_assert_eq!(keyspace.expires(Db(db)), expiring.count() as u64);
                    }
                }
            }
            prop_assert!(keyspace.stats().cache_bytes <= options().cache_bytes);
        }
        compare(&keyspace, &model);
        keyspace.close().unwrap();
        compare(&open(&dir), &model);
    }
}

#[test]
fn a_full_disk_refuses_a_command_which_then_has_not_happened() {
    let dir = SimDir::new(1);
    let keyspace = Keyspace::open_in(Arc::new(dir.clone()), options()).unwrap();
    let key = b"k";
    let mut tx = keyspace.begin([(Db(0), &key[..])], NOW);
    tx.set(Db(0), key, b"before", None).unwrap();
    tx.commit().unwrap();
    dir.faults(bitmap_store::storage::sim::Faults { capacity: Some(1), ..Default::default() });
    let refused = loop {
        let mut tx = keyspace.begin([(Db(0), &key[..])], NOW);
        tx.append(Db(0), key, &[b'x'; 5000]).unwrap();
        if let Err(e) = tx.commit() {
            break e;
        }
    };
    assert!(matches!(refused, Error::Storage(_)), "{refused}");
    let mut tx = keyspace.begin([(Db(0), &key[..])], NOW);
    let before = tx.strlen(Db(0), key).unwrap();
    assert_eq!((before - 6) % 5000, 0);
    drop(tx);
    dir.faults(Default::default());
    let mut tx = keyspace.begin([(Db(0), &key[..])], NOW);
    assert_eq!(tx.append(Db(0), key, b"!").unwrap(), before + 1);
    tx.commit().unwrap();
}
