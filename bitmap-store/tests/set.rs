//! Sets against plain ones, with pages so small that every split, join and drop happens.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{
    CompactionOptions, Db, Encoding, Error, Keyspace, Kind, Options, SetOp, Sizes, Transaction,
    UnixMillis,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

type Members = BTreeSet<Vec<u8>>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// With whether it has been larger than what Redis keeps packed.
    Set(Members, bool),
    String(Vec<u8>),
}

/// What each key holds, and when it expires.
#[derive(Clone, Debug, Default)]
struct Model {
    keys: BTreeMap<u8, (Value, Option<u64>)>,
    now: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Add(u8, Vec<Vec<u8>>),
    Remove(u8, Vec<Vec<u8>>),
    /// All members of a range, so that pages get empty.
    RemoveRange(u8, Vec<u8>, Vec<u8>),
    Pop(u8, u64),
    PopMany(u8, u64, u64),
    Move(u8, u8, Vec<u8>),
    Combine(SetOp, Vec<u8>, u64),
    Store(SetOp, u8, Vec<u8>),
    String(u8, Vec<u8>),
    DeleteKey(u8),
    Rename(u8, u8),
    Copy(u8, u8),
    Expire(u8, Option<u64>),
    Check(u8, Vec<u8>, u64),
}

const KEYS: u8 = 6;
const DB: Db = Db(0);

fn name(key: u8) -> Vec<u8> {
    format!("key:{key}").into_bytes()
}

fn at(ms: u64) -> UnixMillis {
    UnixMillis(NOW.0 + ms)
}

fn key() -> impl Strategy<Value = u8> {
    0..KEYS
}

/// Some hundred, so that they meet and many are neighbours; a few that are odd, or longer than a page.
fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        16 => (0..200_u32).prop_map(|n| (n * 7).to_string().into_bytes()),
        4 => (0..80_u32).prop_map(|n| format!("member:{n:03}").into_bytes()),
        2 => vec(prop_oneof![Just(0_u8), Just(0xff), Just(b'7')], 0..4),
        1 => (0..3_u8, 60..130_usize).prop_map(|(n, len)| [vec![b'7'; len], vec![n]].concat()),
    ]
}

fn set_op() -> impl Strategy<Value = SetOp> {
    prop_oneof![Just(SetOp::Intersection), Just(SetOp::Union), Just(SetOp::Difference)]
}

fn op() -> impl Strategy<Value = Op> {
    let keys = || vec(key(), 1..5);
    prop_oneof![
        18 => (key(), vec(member(), 1..30)).prop_map(|(k, members)| Op::Add(k, members)),
        6 => (key(), vec(member(), 1..12)).prop_map(|(k, members)| Op::Remove(k, members)),
        3 => (key(), member(), member()).prop_map(|(k, a, b)| Op::RemoveRange(k, a, b)),
        2 => (key(), any::<u64>()).prop_map(|(k, n)| Op::Pop(k, n)),
        2 => (key(), 0..80_u64, any::<u64>()).prop_map(|(k, count, n)| Op::PopMany(k, count, n)),
        4 => (key(), key(), member()).prop_map(|(a, b, m)| Op::Move(a, b, m)),
        4 => (set_op(), keys(), 0..40_u64).prop_map(|(op, keys, limit)| Op::Combine(op, keys, limit)),
        5 => (set_op(), key(), keys()).prop_map(|(op, to, keys)| Op::Store(op, to, keys)),
        1 => (key(), member()).prop_map(|(k, v)| Op::String(k, v)),
        1 => key().prop_map(Op::DeleteKey),
        1 => (key(), key()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => (key(), key()).prop_map(|(a, b)| Op::Copy(a, b)),
        1 => (key(), prop::option::weighted(0.8, 0..60_u64)).prop_map(|(k, e)| Op::Expire(k, e)),
        6 => (key(), member(), any::<u64>()).prop_map(|(k, m, n)| Op::Check(k, m, n)),
    ]
}

fn is_integer(member: &[u8]) -> bool {
    let number = std::str::from_utf8(member).ok().and_then(|text| text.parse::<i64>().ok());
    number.is_some_and(|number| number.to_string().into_bytes() == *member)
}

fn is_large(members: &Members) -> bool {
    members.len() > 512 || !members.iter().all(|member| is_integer(member))
}

impl Model {
    fn get(&self, key: u8) -> Option<&Value> {
        let live = |(_, at): &&(Value, Option<u64>)| at.is_none_or(|at| at > self.now);
        self.keys.get(&key).filter(live).map(|(value, _)| value)
    }

    fn expiry(&self, key: u8) -> Option<u64> {
        self.get(key)?;
        self.keys[&key].1
    }

    /// The set at a key, empty if it is missing; `None` if it is a string.
    fn set(&self, key: u8) -> Option<Members> {
        match self.get(key) {
            None => Some(Members::new()),
            Some(Value::Set(members, _)) => Some(members.clone()),
            Some(Value::String(_)) => None,
        }
    }

    /// The encoding goes only one way.
    fn put(&mut self, key: u8, members: Members) {
        let expiry = self.expiry(key);
        let large = is_large(&members) || matches!(self.get(key), Some(Value::Set(_, true)));
        self.store(key, members, large, expiry);
    }

    fn store(&mut self, key: u8, members: Members, large: bool, expiry: Option<u64>) {
        self.keys.remove(&key);
        if !members.is_empty() {
            self.keys.insert(key, (Value::Set(members, large), expiry));
        }
    }

    fn combine(&self, op: SetOp, keys: &[u8]) -> Option<Members> {
        let sets = keys.iter().map(|key| self.set(*key)).collect::<Option<Vec<_>>>()?;
        let mut sets = sets.into_iter();
        let first = sets.next()?;
        Some(sets.fold(first, |all, next| match op {
            SetOp::Intersection => all.intersection(&next).cloned().collect(),
            SetOp::Union => all.union(&next).cloned().collect(),
            SetOp::Difference => all.difference(&next).cloned().collect(),
        }))
    }

    /// Whether Redis makes a difference by taking members out of a copy of the first set.
    fn subtracts(&self, keys: &[u8]) -> bool {
        let lens: Vec<usize> = keys.iter().map(|key| self.set(*key).unwrap().len()).collect();
        let there = lens.iter().filter(|len| **len > 0).count();
        lens[0] > 0 && !keys[1..].contains(&keys[0]) && lens[0] * there / 2 > lens.iter().sum()
    }
}

fn wrong_type<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::WrongType)), "{result:?}");
}

fn combined(tx: &mut Transaction<'_>, op: SetOp, keys: &[&[u8]]) -> Result<Vec<Vec<u8>>, Error> {
    let mut found = Vec::new();
    tx.set_combine(op, DB, keys, &mut |member| {
        found.push(member.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Does one operation on both, and compares what it answers.
fn apply(tx: &mut Transaction<'_>, model: &mut Model, op: &Op) {
    match op {
        Op::Add(k, members) => {
            let result = tx.set_add(DB, &name(*k), members.iter().map(Vec::as_slice));
            let Some(mut set) = model.set(*k) else { return wrong_type(result) };
            let before = set.len();
            set.extend(members.iter().cloned());
            assert_eq!(result.unwrap(), (set.len() - before) as u64);
            model.put(*k, set);
        }
        Op::Remove(k, members) => {
            let result = tx.set_remove(DB, &name(*k), members.iter().map(Vec::as_slice));
            let Some(mut set) = model.set(*k) else { return wrong_type(result) };
            let before = set.len();
            set.retain(|member| !members.contains(member));
            assert_eq!(result.unwrap(), (before - set.len()) as u64);
            model.put(*k, set);
        }
        Op::RemoveRange(k, a, b) => {
            let Some(mut set) = model.set(*k) else { return };
            let range = a.min(b).clone()..=a.max(b).clone();
            let gone: Vec<Vec<u8>> = set.range(range).cloned().collect();
            for member in &gone {
                assert_eq!(tx.set_remove(DB, &name(*k), [&member[..]].into_iter()).unwrap(), 1);
                set.remove(member);
            }
            model.put(*k, set);
        }
        Op::Pop(k, n) => {
            let choose = &mut |below: usize| (n % below as u64) as usize;
            let result = tx.set_pop(DB, &name(*k), choose);
            let Some(mut set) = model.set(*k) else { return wrong_type(result) };
            let wanted = match set.len() {
                0 => None,
                len => set.iter().nth((n % len as u64) as usize).cloned(),
            };
            assert_eq!(result.unwrap(), wanted);
            set.retain(|member| Some(member) != wanted.as_ref());
            model.put(*k, set);
        }
        Op::PopMany(k, count, n) => {
            let choose = &mut |below: usize| (n % below as u64) as usize;
            let result = tx.set_pop_many(DB, &name(*k), *count, choose);
            let Some(mut set) = model.set(*k) else { return wrong_type(result) };
            let popped = result.unwrap();
            assert_eq!(popped.len() as u64, (*count).min(set.len() as u64));
            assert!(popped.iter().all(|member| set.remove(member)));
            let renewed = *count > 0 && set.len() as u64 * 5 <= *count;
            match renewed {
                true => model.store(*k, set.clone(), is_large(&set), model.expiry(*k)),
                false => model.put(*k, set),
            }
        }
        Op::Move(a, b, member) => {
            let result = tx.set_move(DB, &name(*a), &name(*b), member);
            if model.get(*a).is_none() {
                return assert!(!result.unwrap());
            }
            let (Some(mut from), Some(_)) = (model.set(*a), model.set(*b)) else {
                return wrong_type(result);
            };
            let there = from.contains(member);
            assert_eq!(result.unwrap(), there);
            if there && a != b {
                from.remove(member);
                model.put(*a, from);
                let mut to = model.set(*b).unwrap();
                to.insert(member.clone());
                model.put(*b, to);
            }
        }
        Op::Combine(op, keys, limit) => {
            let names: Vec<Vec<u8>> = keys.iter().map(|key| name(*key)).collect();
            let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            let result = combined(tx, *op, &names);
            let count = tx.set_intersection_len(DB, &names, *limit);
            let Some(wanted) = model.combine(*op, keys) else {
                wrong_type(count);
                return wrong_type(result);
            };
            assert_eq!(result.unwrap(), wanted.into_iter().collect::<Vec<_>>());
            let all = model.combine(SetOp::Intersection, keys).unwrap().len() as u64;
            assert_eq!(count.unwrap(), all.min(*limit));
        }
        Op::Store(op, to, keys) => {
            let names: Vec<Vec<u8>> = keys.iter().map(|key| name(*key)).collect();
            let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            let result = tx.set_combine_store(*op, DB, &name(*to), &names);
            let Some(wanted) = model.combine(*op, keys) else { return wrong_type(result) };
            assert_eq!(result.unwrap(), wanted.len() as u64);
            let copied = *op == SetOp::Difference && model.subtracts(keys);
            let large = is_large(&wanted) || copied && is_large(&model.set(keys[0]).unwrap());
            model.store(*to, wanted, large, None);
        }
        Op::String(k, value) => {
            tx.set(DB, &name(*k), value, None).unwrap();
            model.keys.insert(*k, (Value::String(value.clone()), None));
        }
        Op::DeleteKey(k) => {
            assert_eq!(tx.delete(DB, &name(*k)).unwrap(), model.get(*k).is_some());
            model.keys.remove(k);
        }
        Op::Rename(a, b) => {
            let result = tx.rename(DB, &name(*a), &name(*b));
            match model.get(*a).cloned() {
                None => assert!(matches!(result, Err(Error::NoSuchKey))),
                Some(value) => {
                    result.unwrap();
                    let expiry = model.expiry(*a);
                    model.keys.remove(a);
                    model.keys.insert(*b, (value, expiry));
                }
            }
        }
        Op::Copy(a, b) if a != b => {
            let copied = tx.copy((DB, &name(*a)), (DB, &name(*b)), true).unwrap();
            assert_eq!(copied, model.get(*a).is_some());
            if let Some(value) = model.get(*a).cloned() {
                model.keys.insert(*b, (value, model.expiry(*a)));
            }
        }
        Op::Copy(..) => {}
        Op::Expire(k, expiry) => {
            let there = model.get(*k).is_some();
            let expires = expiry.map(|ms| model.now + ms);
            assert_eq!(tx.set_expiry(DB, &name(*k), expires.map(at)).unwrap(), there);
            if there {
                model.keys.get_mut(k).unwrap().1 = expires;
            }
        }
        Op::Check(k, member, n) => check(tx, model, *k, member, *n),
    }
}

fn check(tx: &mut Transaction<'_>, model: &Model, k: u8, member: &[u8], n: u64) {
    let key = name(k);
    let kind = model.get(k).map(|value| match value {
        Value::Set(..) => Kind::Set,
        Value::String(_) => Kind::String,
    });
    assert_eq!(tx.kind(DB, &key).unwrap(), kind);
    let Some(set) = model.set(k) else {
        wrong_type(tx.set_contains(DB, &key, member));
        return wrong_type(tx.set_len(DB, &key));
    };
    if !set.is_empty() {
        wrong_type(tx.get(DB, &key));
        wrong_type(tx.hash_set(DB, &key, member, b""));
        wrong_type(tx.hash_len(DB, &key));
        wrong_type(tx.append(DB, &key, b"x"));
    }
    assert_eq!(tx.set_contains(DB, &key, member).unwrap(), set.contains(member));
    assert_eq!(tx.set_len(DB, &key).unwrap(), set.len() as u64);
    assert_eq!(all(tx, &key), set);
    let choose = &mut |below: usize| (n % below as u64) as usize;
    let random = tx.set_random(DB, &key, choose).unwrap();
    let wanted = match set.len() {
        0 => None,
        len => set.iter().nth((n % len as u64) as usize),
    };
    assert_eq!(random.as_ref(), wanted);
    let sample = tx.set_sample(DB, &key, n % 7, choose).unwrap();
    assert_eq!(sample.len() as u64, (n % 7).min(set.len() as u64));
    assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(sample.iter().all(|member| set.contains(member)));
    check_encoding(tx, model, k);
}

fn check_encoding(tx: &mut Transaction<'_>, model: &Model, k: u8) {
    if let Some(Value::Set(_, large)) = model.get(k) {
        let wanted = if *large { Encoding::Hashtable } else { Encoding::Intset };
        assert_eq!(tx.encoding(DB, &name(k)).unwrap(), Some(wanted));
    }
}

/// All members, by a walk, which must come in order, and by a scan of small steps.
fn all(tx: &mut Transaction<'_>, key: &[u8]) -> Members {
    let mut walked: Vec<Vec<u8>> = Vec::new();
    tx.set_walk(DB, key, &mut |member| {
        walked.push(member.to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(walked.windows(2).all(|pair| pair[0] < pair[1]));
    let (mut scanned, mut cursor) = (Vec::new(), 0);
    loop {
        cursor =
            tx.set_scan(DB, key, cursor, 7, &mut |member| scanned.push(member.to_vec())).unwrap();
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned, walked);
    walked.into_iter().collect()
}

/// Everything, read back.
fn compare(keyspace: &Keyspace, model: &Model) {
    for k in 0..KEYS {
        let key = name(k);
        let mut tx = keyspace.begin([(DB, &key[..])], at(model.now));
        match model.get(k) {
            Some(Value::Set(members, _)) => {
                assert_eq!(tx.set_len(DB, &key).unwrap(), members.len() as u64);
                assert_eq!(&all(&mut tx, &key), members, "key {k}");
                for member in members.iter().step_by(7) {
                    assert!(tx.set_contains(DB, &key, member).unwrap());
                }
                check_encoding(&mut tx, model, k);
            }
            Some(Value::String(value)) => {
                assert_eq!(&tx.get(DB, &key).unwrap().unwrap()[..], value);
            }
            None => assert!(!tx.exists(DB, &key).unwrap(), "key {k}"),
        }
        let wanted = model.get(k).map(|_| model.expiry(k).map(at));
        assert_eq!(tx.expiry(DB, &key).unwrap(), wanted);
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
    /// Every so many steps something is done meanwhile.
    Compact(usize, Op),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec(op(), 1..6), prop::bool::weighted(0.9)).prop_map(|(ops, commit)| Step::Run(ops, commit)),
        4 => op().prop_map(|op| Step::Run(vec![op], true)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        1 => Just(Step::Crash),
        1 => (1..40_u64).prop_map(Step::Wait),
        2 => (0..3_usize, op()).prop_map(|(every, op)| Step::Compact(every, op)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever commands run, in whatever transactions, given up or not, reopened, killed, crashed and compacted in
    /// between, the keys hold what plain sets would.
    #[test]
    fn any_transactions_give_what_plain_sets_give(steps in vec(step(), 1..60)) {
        let mut dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Run(ops, commit) => {
                    let mut after = model.clone();
                    let mut tx = keyspace.begin_exclusive(at(model.now));
                    ops.iter().for_each(|op| apply(&mut tx, &mut after, op));
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
                Step::Compact(every, op) => {
                    let mut calls = 0;
                    let now = at(model.now);
                    let report = keyspace.compact(&CompactionOptions::everything(), now, &mut |_| {
                        calls += 1;
                        if calls % 3 == every {
                            let mut tx = keyspace.begin_exclusive(now);
                            apply(&mut tx, &mut model, &op);
                            let position = tx.commit().unwrap();
                            keyspace.wait_durable(position).unwrap();
                        }
                        ControlFlow::Continue(())
                    });
                    prop_assert!(!report.unwrap().kept_by_guard);
                }
                Step::Wait(ms) => model.now += ms,
            }
            prop_assert!(keyspace.stats().cache_bytes <= options().cache_bytes);
        }
        compare(&keyspace, &model);
        keyspace.close().unwrap();
        compare(&open(&dir), &model);
    }
}

fn roomy(dir: &SimDir) -> Keyspace {
    let options = Options {
        sizes: Sizes { inline: 4 << 10, page: 66 << 10, leaf: 8 << 10 },
        cache_bytes: 64 << 20,
        segment_bytes: 16 << 20,
        ..options()
    };
    Keyspace::open_in(Arc::new(dir.clone()), options).unwrap()
}

fn numbered(n: u32) -> Vec<u8> {
    format!("member:{n:06}").into_bytes()
}

/// A set of the numbered members at a key.
fn fill(keyspace: &Keyspace, key: &[u8], numbers: impl Iterator<Item = u32>) {
    let mut tx = keyspace.begin([(DB, key)], NOW);
    for n in numbers {
        assert_eq!(tx.set_add(DB, key, [&numbered(n)[..]].into_iter()).unwrap(), 1);
    }
    keyspace.wait_durable(tx.commit().unwrap()).unwrap();
}

#[test]
fn one_cold_member_reads_the_keys_record_and_one_page_and_the_count_reads_the_record_only() {
    let dir = SimDir::new(1);
    let keyspace = roomy(&dir);
    fill(&keyspace, b"s", 0..20_000);
    keyspace.close().unwrap();
    let keyspace = roomy(&dir);
    let before = keyspace.stats().log_reads;
    let mut tx = keyspace.begin([(DB, &b"s"[..])], NOW);
    assert_eq!(tx.set_len(DB, b"s").unwrap(), 20_000);
    assert_eq!(keyspace.stats().log_reads - before, 1);
    assert!(tx.set_contains(DB, b"s", b"member:012345").unwrap());
    assert_eq!(keyspace.stats().log_reads - before, 2);
}

#[test]
fn an_intersection_of_a_small_set_with_a_large_one_reads_the_pages_that_may_have_its_members() {
    let dir = SimDir::new(1);
    let keyspace = roomy(&dir);
    fill(&keyspace, b"large", 0..20_000);
    fill(&keyspace, b"small", [17, 18, 9_000, 19_999, 30_000].into_iter());
    keyspace.close().unwrap();
    let keyspace = roomy(&dir);
    let before = keyspace.stats().log_reads;
    let mut tx = keyspace.begin([(DB, &b"large"[..]), (DB, b"small")], NOW);
    let found = combined(&mut tx, SetOp::Intersection, &[b"large", b"small"]).unwrap();
    assert_eq!(found, [17, 18, 9_000, 19_999].map(numbered));
    // Both keys' records, the first page, and those of three places.
    assert!(keyspace.stats().log_reads - before <= 6);
    let found = combined(&mut tx, SetOp::Difference, &[b"small", b"large"]).unwrap();
    assert_eq!(found, [numbered(30_000)]);
    assert!(keyspace.stats().log_reads - before <= 6);
    assert_eq!(tx.set_intersection_len(DB, &[b"large", b"small"], 2).unwrap(), 2);
    assert_eq!(tx.set_intersection_len(DB, &[b"large", b"large"], 20).unwrap(), 20);
}

#[test]
fn large_sets_are_combined_and_stored_over_one_of_them() {
    let keyspace = roomy(&SimDir::new(1));
    fill(&keyspace, b"even", (0..20_000).map(|n| n * 2));
    fill(&keyspace, b"third", (0..14_000).map(|n| n * 3));
    let mut tx = keyspace.begin([(DB, &b"even"[..]), (DB, b"third")], NOW);
    let wanted: Vec<Vec<u8>> =
        (0..42_000).filter(|n| n % 2 == 0 && *n < 40_000 || n % 3 == 0).map(numbered).collect();
    assert_eq!(combined(&mut tx, SetOp::Union, &[b"even", b"third"]).unwrap(), wanted);
    let count = tx.set_combine_store(SetOp::Difference, DB, b"even", &[b"even", b"third"]).unwrap();
    tx.commit().unwrap();
    let mut tx = keyspace.begin([(DB, &b"even"[..]), (DB, b"third")], NOW);
    assert_eq!((count, tx.set_len(DB, b"even").unwrap()), (13_333, 13_333));
    assert_eq!(combined(&mut tx, SetOp::Intersection, &[b"even", b"third"]).unwrap().len(), 0);
    assert!(tx.set_contains(DB, b"even", &numbered(4)).unwrap());
}

#[test]
fn a_set_that_is_popped_from_gives_its_pages_back_and_its_key_with_the_last() {
    let keyspace = roomy(&SimDir::new(1));
    fill(&keyspace, b"s", 0..20_000);
    let mut state = 7_u64;
    let mut choose = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut found = Members::new();
    for round in 0..10 {
        let mut tx = keyspace.begin([(DB, &b"s"[..])], NOW);
        for _ in 0..1_000 {
            assert!(found.insert(tx.set_pop(DB, b"s", &mut choose).unwrap().unwrap()));
        }
        let many = tx.set_pop_many(DB, b"s", 1_000, &mut choose).unwrap();
        assert!(many.into_iter().all(|member| found.insert(member)));
        assert_eq!(tx.set_len(DB, b"s").unwrap(), 18_000 - round * 2_000);
        tx.commit().unwrap();
    }
    assert_eq!(found, (0..20_000).map(numbered).collect());
    assert_eq!((keyspace.db_size(DB), keyspace.log().len()), (0, 0));
}

#[test]
fn the_encoding_is_the_one_redis_would_use_and_never_turns_back() {
    let dir = SimDir::new(1);
    let mut keyspace = roomy(&dir);
    let mut tx = keyspace.begin_exclusive(NOW);
    let numbers: Vec<Vec<u8>> = (-256..256).map(|n: i32| n.to_string().into_bytes()).collect();
    tx.set_add(DB, b"many", numbers.iter().map(Vec::as_slice)).unwrap();
    tx.set_add(DB, b"full", numbers.iter().map(Vec::as_slice)).unwrap();
    tx.set_add(DB, b"odd", [&b"1"[..], b"01"].into_iter()).unwrap();
    assert_eq!(tx.encoding(DB, b"many").unwrap(), Some(Encoding::Intset));
    tx.set_add(DB, b"many", [&b"256"[..]].into_iter()).unwrap();
    for (key, gone) in [(&b"many"[..], &b"256"[..]), (b"odd", b"01")] {
        assert_eq!(tx.encoding(DB, key).unwrap(), Some(Encoding::Hashtable));
        assert_eq!(tx.set_remove(DB, key, [gone].into_iter()).unwrap(), 1);
    }
    tx.commit().unwrap();
    for _ in 0..2 {
        let mut tx = keyspace.begin_exclusive(NOW);
        assert_eq!(tx.encoding(DB, b"full").unwrap(), Some(Encoding::Intset));
        assert_eq!(tx.encoding(DB, b"many").unwrap(), Some(Encoding::Hashtable));
        assert_eq!(tx.encoding(DB, b"odd").unwrap(), Some(Encoding::Hashtable));
        drop(tx);
        keyspace.close().unwrap();
        keyspace = roomy(&dir);
    }
}
