//! Sorted sets against plain maps, with pages so small that every split, join and drop happens.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{
    CompactionOptions, Db, Encoding, Error, Keyspace, Kind, Options, Sizes, Transaction,
    UnixMillis, ZsetAdded, ZsetAggregate, ZsetOp, ZsetRange, ZsetRule,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

type Members = BTreeMap<Vec<u8>, f64>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Zset(Members),
    String(Vec<u8>),
}

/// By (database, key): what it holds, and when it expires.
#[derive(Clone, Debug, Default)]
struct Model {
    keys: BTreeMap<(u8, u8), (Value, Option<u64>)>,
    now: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Add(u8, Vec<(Vec<u8>, f64)>, ZsetRule),
    Incr(u8, Vec<u8>, f64, ZsetRule),
    Remove(u8, Vec<Vec<u8>>),
    RemoveRange(u8, ZsetRange),
    Pop(u8, u64, bool),
    Store(u8, ZsetOp, Vec<(u8, f64)>, ZsetAggregate),
    String(u8, Vec<u8>),
    DeleteKey(u8),
    Rename(u8, u8),
    Copy(u8, u8, u8),
    MoveTo(u8, u8),
    Expire(u8, Option<u64>),
    FlushDb(u8),
    Check(u8, Vec<u8>, ZsetRange, u64, u64),
}

const KEYS: u8 = 5;
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
        12 => (0..150_u32).prop_map(|n| format!("member:{n:03}").into_bytes()),
        4 => vec(prop_oneof![Just(0_u8), Just(0xff), Just(b'm')], 0..4),
        1 => (0..3_u8, 60..130_usize).prop_map(|(n, len)| [vec![b'x'; len], vec![n]].concat()),
    ]
}

/// Few, so that many are the same; all kinds.
fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-6..7_i8).prop_map(|n| f64::from(n) / 2.0),
        4 => (0..150_i32).prop_map(f64::from),
        1 => prop::sample::select(vec![-0.0, 0.1, 1e300, -1e-300, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

fn rule() -> impl Strategy<Value = ZsetRule> {
    (0..20_u8).prop_map(|n| ZsetRule {
        only_new: n == 0,
        only_existing: n == 1 || n == 2,
        only_greater: n == 2 || n == 3,
        only_less: n == 4,
        increment: false,
    })
}

fn bound<T: Clone + std::fmt::Debug + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Bound<T>> {
    (of, 0..7_u8).prop_map(|(value, n)| match n {
        0 => Bound::Unbounded,
        1..=3 => Bound::Included(value),
        _ => Bound::Excluded(value),
    })
}

fn range() -> impl Strategy<Value = ZsetRange> {
    prop_oneof![
        (-30..30_i64, -30..30_i64).prop_map(|(a, b)| ZsetRange::Ranks(a, b)),
        (bound(score()), bound(score())).prop_map(|(a, b)| ZsetRange::Scores(a, b)),
        (bound(member()), bound(member())).prop_map(|(a, b)| ZsetRange::Members(a, b)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let add = (key(), vec((member(), score()), 1..12), rule());
    let zset_op = prop::sample::select(vec![ZsetOp::Union, ZsetOp::Inter, ZsetOp::Diff]);
    let aggregate =
        prop::sample::select(vec![ZsetAggregate::Sum, ZsetAggregate::Min, ZsetAggregate::Max]);
    let inputs = vec((key(), prop::sample::select(vec![1.0, 2.0, -1.0, 0.0])), 1..4);
    prop_oneof![
        16 => add.prop_map(|(k, members, rule)| Op::Add(k, members, rule)),
        4 => (key(), member(), score(), rule()).prop_map(|(k, m, s, rule)| Op::Incr(k, m, s, ZsetRule { increment: true, ..rule })),
        5 => (key(), vec(member(), 1..12)).prop_map(|(k, members)| Op::Remove(k, members)),
        4 => (key(), range()).prop_map(|(k, range)| Op::RemoveRange(k, range)),
        3 => (key(), 0..12_u64, any::<bool>()).prop_map(|(k, n, greatest)| Op::Pop(k, n, greatest)),
        3 => (key(), zset_op, inputs, aggregate).prop_map(|(k, op, inputs, a)| Op::Store(k, op, inputs, a)),
        1 => (key(), vec(any::<u8>(), 0..9)).prop_map(|(k, v)| Op::String(k, v)),
        1 => key().prop_map(Op::DeleteKey),
        2 => (key(), key()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => (key(), key(), 0..2_u8).prop_map(|(a, b, db)| Op::Copy(a, b, db)),
        1 => (key(), 0..2_u8).prop_map(|(k, db)| Op::MoveTo(k, db)),
        2 => (key(), prop::option::weighted(0.8, 0..60_u64)).prop_map(|(k, e)| Op::Expire(k, e)),
        1 => (0..2_u8).prop_map(Op::FlushDb),
        12 => (key(), member(), range(), 0..9_u64, 0..90_u64).prop_map(|(k, m, r, a, b)| Op::Check(k, m, r, a, b)),
    ]
}

impl Model {
    fn get(&self, key: (u8, u8)) -> Option<&Value> {
        let live = |(_, at): &&(Value, Option<u64>)| at.is_none_or(|at| at > self.now);
        self.keys.get(&key).filter(live).map(|(value, _)| value)
    }

    fn expiry(&self, key: (u8, u8)) -> Option<u64> {
        self.get(key)?;
        self.keys[&key].1
    }

    /// The sorted set at a key, empty if it is missing; `None` if it is a string.
    fn zset(&self, key: u8) -> Option<Members> {
        match self.get((0, key)) {
            None => Some(Members::new()),
            Some(Value::Zset(members)) => Some(members.clone()),
            Some(Value::String(_)) => None,
        }
    }

    fn put(&mut self, key: u8, members: Members) {
        let expiry = self.expiry((0, key));
        self.keys.remove(&(0, key));
        if !members.is_empty() {
            self.keys.insert((0, key), (Value::Zset(members), expiry));
        }
    }
}

/// The members in the order of the set.
fn ordered(members: &Members) -> Vec<(Vec<u8>, f64)> {
    let mut all: Vec<_> = members.iter().map(|(member, score)| (member.clone(), *score)).collect();
    all.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    all
}

/// The members of a range, in its order.
fn within(members: &Members, range: &ZsetRange, reverse: bool) -> Vec<(Vec<u8>, f64)> {
    use std::ops::RangeBounds;
    let mut all = match range {
        ZsetRange::Members(..) => members.iter().map(|(m, s)| (m.clone(), *s)).collect(),
        _ => ordered(members),
    };
    if reverse {
        all.reverse();
    }
    let len = all.len() as i64;
    let rank = |rank: i64| if rank < 0 { rank + len } else { rank };
    let has = |(at, (member, score)): &(usize, (Vec<u8>, f64))| match range {
        ZsetRange::Ranks(a, b) => (rank(*a)..=rank(*b)).contains(&(*at as i64)),
        ZsetRange::Scores(a, b) => (*a, *b).contains(score),
        ZsetRange::Members(a, b) => (a.clone(), b.clone()).contains(member),
    };
    all.into_iter().enumerate().filter(has).map(|(_, member)| member).collect()
}

fn combined(op: ZsetOp, inputs: &[(Members, f64)], aggregate: ZsetAggregate) -> Members {
    let number = |score: f64| if score.is_nan() { 0.0 } else { score };
    let aggregated = |a: f64, b: f64| match aggregate {
        ZsetAggregate::Sum => number(a + b),
        ZsetAggregate::Min => {
            if b < a {
                b
            } else {
                a
            }
        }
        ZsetAggregate::Max => {
            if b > a {
                b
            } else {
                a
            }
        }
    };
    if op == ZsetOp::Diff {
        let (first, others) = inputs.split_first().unwrap();
        let only = |(member, _): &(&Vec<u8>, &f64)| {
            others.iter().all(|(other, _)| !other.contains_key(*member))
        };
        return first
            .0
            .iter()
            .filter(only)
            .map(|(member, score)| (member.clone(), *score))
            .collect();
    }
    let mut sorted: Vec<_> = inputs.to_vec();
    sorted.sort_by_key(|(members, _)| members.len());
    let mut found: BTreeMap<Vec<u8>, (f64, usize)> = BTreeMap::new();
    for (at, (members, weight)) in sorted.iter().enumerate() {
        for (member, score) in members {
            let raw = score * weight;
            match found.get_mut(member) {
                None => {
                    found.insert(member.clone(), (number(raw), 1));
                }
                Some((sum, count)) => {
                    // As Redis does: an intersection lets what is no number take part.
                    let score = if op == ZsetOp::Inter && at > 0 { raw } else { number(raw) };
                    *sum = aggregated(*sum, score);
                    *count += 1;
                }
            }
        }
    }
    let in_all = |count| op == ZsetOp::Union || count == inputs.len();
    found.into_iter().filter(|(_, (_, count))| in_all(*count)).map(|(m, (s, _))| (m, s)).collect()
}

fn wrong_type<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::WrongType)), "{result:?}");
}

/// Does one operation on both, and compares what it answers. All are on database 0 unless they say so.
fn apply(tx: &mut Transaction<'_>, model: &mut Model, op: &Op) {
    match op {
        Op::Add(k, pairs, rule) => {
            let borrowed = pairs.iter().map(|(member, score)| (&member[..], *score));
            let result = tx.zset_add_all(DB, &name(*k), borrowed, *rule);
            let Some(mut members) = model.zset(*k) else { return wrong_type(result) };
            let (mut new, mut changed) = (0, 0);
            for (member, score) in pairs {
                match members.get_mut(member) {
                    None if !rule.only_existing => {
                        new += 1;
                        members.insert(member.clone(), *score);
                    }
                    Some(has)
                        if !(rule.only_new
                            || rule.only_greater && score <= has
                            || rule.only_less && score >= has
                            || score == has) =>
                    {
                        changed += 1;
                        *has = *score;
                    }
                    _ => {}
                }
            }
            assert_eq!(result.unwrap(), (new, changed));
            model.put(*k, members);
        }
        Op::Incr(k, member, by, rule) => {
            let result = tx.zset_add(DB, &name(*k), member, *by, *rule);
            let Some(mut members) = model.zset(*k) else { return wrong_type(result) };
            let has = members.get(member).copied();
            let sum = has.unwrap_or(0.0) + by;
            if has.is_some() && !rule.only_new && sum.is_nan() {
                return assert!(matches!(result, Err(Error::NotANumber)));
            }
            let wanted = match has {
                None if rule.only_existing => ZsetAdded::Refused,
                None => ZsetAdded::New(sum),
                Some(_) if rule.only_new => ZsetAdded::Refused,
                Some(has) if rule.only_greater && sum <= has => ZsetAdded::Refused,
                Some(has) if rule.only_less && sum >= has => ZsetAdded::Refused,
                Some(has) if sum == has => ZsetAdded::Same(sum),
                Some(_) => ZsetAdded::Changed(sum),
            };
            assert_eq!(result.unwrap(), wanted);
            if matches!(wanted, ZsetAdded::New(_) | ZsetAdded::Changed(_)) {
                members.insert(member.clone(), sum);
                model.put(*k, members);
            }
        }
        Op::Remove(k, gone) => {
            let result = tx.zset_remove(DB, &name(*k), gone.iter().map(|member| &member[..]));
            let Some(mut members) = model.zset(*k) else { return wrong_type(result) };
            let before = members.len();
            gone.iter().for_each(|member| _ = members.remove(member));
            assert_eq!(result.unwrap(), (before - members.len()) as u64);
            model.put(*k, members);
        }
        Op::RemoveRange(k, range) => {
            let result = tx.zset_remove_range(DB, &name(*k), range);
            let Some(mut members) = model.zset(*k) else { return wrong_type(result) };
            let gone = within(&members, range, false);
            gone.iter().for_each(|(member, _)| _ = members.remove(member));
            assert_eq!(result.unwrap(), gone.len() as u64);
            model.put(*k, members);
        }
        Op::Pop(k, count, greatest) => {
            let result = tx.zset_pop(DB, &name(*k), *count, *greatest);
            let Some(mut members) = model.zset(*k) else { return wrong_type(result) };
            let mut gone = within(&members, &ZsetRange::Ranks(0, -1), *greatest);
            gone.truncate(*count as usize);
            gone.iter().for_each(|(member, _)| _ = members.remove(member));
            assert_eq!(result.unwrap(), gone);
            model.put(*k, members);
        }
        Op::Store(k, op, from, aggregate) => {
            let names: Vec<_> = from.iter().map(|(key, weight)| (name(*key), *weight)).collect();
            let keys: Vec<_> = names.iter().map(|(key, weight)| (&key[..], *weight)).collect();
            let result = tx.zset_combine(DB, *op, &keys, *aggregate, u64::MAX);
            let inputs: Option<Vec<_>> =
                from.iter().map(|(key, weight)| Some((model.zset(*key)?, *weight))).collect();
            let Some(inputs) = inputs else { return wrong_type(result) };
            let wanted = combined(*op, &inputs, *aggregate);
            let found = result.unwrap();
            assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert_eq!(found.iter().cloned().collect::<Members>(), wanted);
            if *op == ZsetOp::Inter {
                let keys: Vec<&[u8]> = keys.iter().map(|(key, _)| *key).collect();
                let count = tx.zset_inter_count(DB, &keys, 3).unwrap();
                assert_eq!(count, wanted.len().min(3) as u64);
            }
            assert_eq!(tx.zset_replace(DB, &name(*k), found, None).unwrap(), wanted.len() as u64);
            model.keys.remove(&(0, *k));
            model.put(*k, wanted);
        }
        Op::String(k, value) => {
            tx.set(DB, &name(*k), value, None).unwrap();
            model.keys.insert((0, *k), (Value::String(value.clone()), None));
        }
        Op::DeleteKey(k) => {
            assert_eq!(tx.delete(DB, &name(*k)).unwrap(), model.get((0, *k)).is_some());
            model.keys.remove(&(0, *k));
        }
        Op::Rename(a, b) => {
            let result = tx.rename(DB, &name(*a), &name(*b));
            match model.get((0, *a)).cloned() {
                None => assert!(matches!(result, Err(Error::NoSuchKey))),
                Some(value) => {
                    result.unwrap();
                    let expiry = model.expiry((0, *a));
                    model.keys.remove(&(0, *a));
                    model.keys.insert((0, *b), (value, expiry));
                }
            }
        }
        Op::Copy(a, b, to) if (0, *a) != (*to, *b) => {
            let found = model.get((0, *a)).cloned();
            let copied = tx.copy((DB, &name(*a)), (Db(*to), &name(*b)), true).unwrap();
            assert_eq!(copied, found.is_some());
            if let Some(value) = found {
                let expiry = model.expiry((0, *a));
                model.keys.insert((*to, *b), (value, expiry));
            }
        }
        Op::Copy(..) => {}
        Op::MoveTo(k, to) => {
            let moves = *to != 0 && model.get((0, *k)).is_some() && model.get((*to, *k)).is_none();
            if *to != 0 {
                assert_eq!(tx.move_to(DB, &name(*k), Db(*to)).unwrap(), moves);
            }
            if moves {
                let moved = model.keys.remove(&(0, *k)).unwrap();
                model.keys.insert((*to, *k), moved);
            }
        }
        Op::Expire(k, expiry) => {
            let there = model.get((0, *k)).is_some();
            let expires = expiry.map(|ms| model.now + ms);
            assert_eq!(tx.set_expiry(DB, &name(*k), expires.map(at)).unwrap(), there);
            if there {
                model.keys.get_mut(&(0, *k)).unwrap().1 = expires;
            }
        }
        Op::FlushDb(which) => {
            tx.flush_db(Db(*which)).unwrap();
            model.keys.retain(|(db, _), _| db != which);
        }
        Op::Check(k, member, range, skip, limit) => {
            check(tx, model, *k, member, range, (*skip * *skip * 2, *limit));
        }
    }
}

fn check(
    tx: &mut Transaction<'_>,
    model: &Model,
    k: u8,
    member: &[u8],
    range: &ZsetRange,
    (skip, limit): (u64, u64),
) {
    let key = name(k);
    let Some(members) = model.zset(k) else {
        wrong_type(tx.zset_score(DB, &key, member));
        wrong_type(tx.zset_len(DB, &key));
        wrong_type(tx.zset_rank(DB, &key, member));
        wrong_type(tx.zset_count(DB, &key, range));
        wrong_type(tx.zset_pop(DB, &key, 0, false));
        return;
    };
    if !members.is_empty() {
        assert_eq!(tx.kind(DB, &key).unwrap(), Some(Kind::SortedSet));
        wrong_type(tx.get(DB, &key));
        wrong_type(tx.hash_get(DB, &key, member));
    }
    assert_eq!(tx.zset_len(DB, &key).unwrap(), members.len() as u64);
    assert_eq!(tx.zset_score(DB, &key, member).unwrap(), members.get(member).copied());
    let in_order = ordered(&members);
    let rank = in_order.iter().position(|(other, _)| other == member);
    let wanted = rank.map(|rank| (rank as u64, in_order[rank].1));
    assert_eq!(tx.zset_rank(DB, &key, member).unwrap(), wanted);
    for reverse in [false, true] {
        let wanted = within(&members, range, reverse);
        if !reverse {
            assert_eq!(tx.zset_count(DB, &key, range).unwrap(), wanted.len() as u64, "{range:?}");
        }
        let wanted: Vec<_> = wanted.into_iter().skip(skip as usize).take(limit as usize).collect();
        let found = walked(tx, DB, &key, range, reverse, skip, limit);
        assert_eq!(found, wanted, "{range:?} {reverse} {skip} {limit}");
    }
    both(tx, DB, &key, &members);
    let choose = &mut |below: usize| (skip % below as u64) as usize;
    let sample = tx.zset_sample(DB, &key, limit % 7, choose).unwrap();
    assert_eq!(sample.len() as u64, (limit % 7).min(members.len() as u64));
    assert!(sample.iter().all(|(member, score)| members.get(member) == Some(score)));
}

fn walked(
    tx: &mut Transaction<'_>,
    db: Db,
    key: &[u8],
    range: &ZsetRange,
    reverse: bool,
    skip: u64,
    limit: u64,
) -> Vec<(Vec<u8>, f64)> {
    let mut found = Vec::new();
    tx.zset_range(db, key, range, reverse, skip, limit, &mut |member, score| {
        found.push((member.to_vec(), score));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// By score and by member the set says the same.
fn both(tx: &mut Transaction<'_>, db: Db, key: &[u8], members: &Members) {
    let by_score = walked(tx, db, key, &ZsetRange::Ranks(0, -1), false, 0, u64::MAX);
    assert_eq!(by_score, ordered(members));
    let all = ZsetRange::Members(Bound::Unbounded, Bound::Unbounded);
    let by_member = walked(tx, db, key, &all, false, 0, u64::MAX);
    assert!(by_member.iter().map(|(m, s)| (m, s)).eq(members.iter()));
    let (mut scanned, mut cursor) = (Vec::new(), 0);
    loop {
        let mut step = |member: &[u8], score| scanned.push((member.to_vec(), score));
        cursor = tx.zset_scan(db, key, cursor, 7, &mut step).unwrap();
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned, by_member);
}

/// Everything, read back.
fn compare(keyspace: &Keyspace, model: &Model) {
    for (db, k) in (0..2).flat_map(|db| (0..KEYS).map(move |k| (db, k))) {
        let key = name(k);
        let mut tx = keyspace.begin([(Db(db), &key[..])], at(model.now));
        match model.get((db, k)) {
            Some(Value::Zset(members)) => {
                assert_eq!(tx.zset_len(Db(db), &key).unwrap(), members.len() as u64);
                both(&mut tx, Db(db), &key, members);
            }
            Some(Value::String(value)) => {
                assert_eq!(&tx.get(Db(db), &key).unwrap().unwrap()[..], value);
            }
            None => assert!(!tx.exists(Db(db), &key).unwrap(), "database {db}, key {k}"),
        }
        let wanted = model.get((db, k)).map(|_| model.expiry((db, k)).map(at));
        assert_eq!(tx.expiry(Db(db), &key).unwrap(), wanted);
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
    /// between, the sets hold what plain maps would, and say the same by score and by member.
    #[test]
    fn any_transactions_give_what_plain_maps_give(steps in vec(step(), 1..60)) {
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

/// A sorted set of 20,000 members at `z`, made in one transaction.
fn with_a_large_set(dir: &SimDir) -> Keyspace {
    let keyspace = roomy(dir);
    let mut tx = keyspace.begin([(DB, &b"z"[..])], NOW);
    let members: Vec<(Vec<u8>, f64)> = (0..20_000)
        .map(|n| (format!("member:{n:06}").into_bytes(), f64::from(n * 7919 % 20_000)))
        .collect();
    assert_eq!(tx.zset_replace(DB, b"z", members, None).unwrap(), 20_000);
    keyspace.wait_durable(tx.commit().unwrap()).unwrap();
    keyspace
}

#[test]
fn one_cold_score_reads_the_keys_record_and_one_page_and_ranks_read_each_page_of_scores_once() {
    let dir = SimDir::new(1);
    with_a_large_set(&dir).close().unwrap();
    let keyspace = roomy(&dir);
    let before = keyspace.stats().log_reads;
    let reads = |keyspace: &Keyspace| keyspace.stats().log_reads - before;
    let mut tx = keyspace.begin([(DB, &b"z"[..])], NOW);
    assert_eq!(tx.zset_len(DB, b"z").unwrap(), 20_000);
    assert_eq!(reads(&keyspace), 1);
    assert_eq!(tx.zset_score(DB, b"z", b"member:000001").unwrap(), Some(7919.0));
    assert_eq!(reads(&keyspace), 2);
    // The first and the last need no directory.
    let few = ZsetRange::Ranks(0, 9);
    assert_eq!(walked(&mut tx, DB, b"z", &few, false, 0, 10).len(), 10);
    assert_eq!(walked(&mut tx, DB, b"z", &few, true, 0, 10).len(), 10);
    assert_eq!(reads(&keyspace), 4);
    // Neither does a short run of scores.
    let near = ZsetRange::Scores(Bound::Included(5.0), Bound::Excluded(8.0));
    assert_eq!(tx.zset_count(DB, b"z", &near).unwrap(), 3);
    assert_eq!(walked(&mut tx, DB, b"z", &near, false, 1, 10).len(), 2);
    assert_eq!(reads(&keyspace), 4);
    assert_eq!(tx.zset_rank(DB, b"z", b"member:000001").unwrap(), Some((7919, 7919.0)));
    let with_directory = reads(&keyspace);
    assert!((60..110).contains(&with_directory), "{with_directory}");
    assert_eq!(tx.zset_rank(DB, b"z", b"member:000001").unwrap(), Some((7919, 7919.0)));
    assert_eq!(reads(&keyspace), with_directory);
}

#[test]
fn one_member_of_a_large_set_costs_deltas_of_its_pages() {
    let dir = SimDir::new(1);
    let keyspace = with_a_large_set(&dir);
    let before = keyspace.stats().log_bytes;
    for n in 0..100 {
        let mut tx = keyspace.begin([(DB, &b"z"[..])], NOW);
        let member = format!("member:{:06}", n * 199);
        let added = tx.zset_add(DB, b"z", member.as_bytes(), f64::from(n), ZsetRule::default());
        assert!(matches!(added.unwrap(), ZsetAdded::Changed(_) | ZsetAdded::Same(_)));
        keyspace.wait_durable(tx.commit().unwrap()).unwrap();
    }
    let each = (keyspace.stats().log_bytes - before) / 100;
    assert!(each < 400, "{each} bytes");
}

#[test]
fn a_set_whose_members_go_gives_its_pages_back_and_its_key_with_the_last() {
    let dir = SimDir::new(1);
    let keyspace = with_a_large_set(&dir);
    for round in 0..40 {
        let mut tx = keyspace.begin([(DB, &b"z"[..])], NOW);
        for n in 0..500 {
            let member = format!("member:{:06}", n * 40 + round);
            assert_eq!(tx.zset_remove(DB, b"z", [member.as_bytes()].into_iter()).unwrap(), 1);
        }
        tx.commit().unwrap();
        if round == 35 {
            let pages = keyspace.log().len() - 1;
            assert!(pages < 60, "{pages} pages for 2000 members");
        }
    }
    assert_eq!((keyspace.db_size(DB), keyspace.log().len()), (0, 0));
    assert!(keyspace.stats().cache_entries <= 2);
}

#[test]
fn the_encoding_is_the_one_redis_would_use_and_decides_whether_zero_has_a_sign() {
    let dir = SimDir::new(1);
    let mut keyspace = roomy(&dir);
    let encoding = |keyspace: &Keyspace, key: &[u8]| {
        keyspace.begin([(DB, key)], NOW).encoding(DB, key).unwrap().unwrap()
    };
    let add = |keyspace: &Keyspace, key: &[u8], member: &[u8], score: f64| {
        let mut tx = keyspace.begin([(DB, key)], NOW);
        tx.zset_add(DB, key, member, score, ZsetRule::default()).unwrap();
        let kept = tx.zset_score(DB, key, member).unwrap().unwrap();
        tx.commit().unwrap();
        kept.is_sign_negative()
    };
    for n in 0..128 {
        assert!(!add(&keyspace, b"many", format!("m{n}").as_bytes(), -0.0));
    }
    assert!(!add(&keyspace, b"long", &[b'm'; 64], -0.0));
    assert_eq!(encoding(&keyspace, b"many"), Encoding::Listpack);
    assert_eq!(encoding(&keyspace, b"long"), Encoding::Listpack);
    assert!(add(&keyspace, b"many", b"m128", -0.0));
    assert!(add(&keyspace, b"long", &[b'm'; 65], -0.0));
    let mut tx = keyspace.begin([(DB, &b"many"[..])], NOW);
    assert_eq!(tx.zset_remove_range(DB, b"many", &ZsetRange::Ranks(0, 99)).unwrap(), 100);
    tx.commit().unwrap();
    for _ in 0..2 {
        assert_eq!(encoding(&keyspace, b"many"), Encoding::Skiplist);
        assert_eq!(encoding(&keyspace, b"long"), Encoding::Skiplist);
        let mut tx = keyspace.begin([(DB, &b"long"[..])], NOW);
        // Of equal scores, whatever the sign, the order is that of the members.
        let all = walked(&mut tx, DB, b"long", &ZsetRange::Ranks(0, -1), false, 0, 9);
        assert_eq!(all, [(vec![b'm'; 64], 0.0), (vec![b'm'; 65], -0.0)]);
        assert_eq!(
            all.iter().map(|(_, s)| s.is_sign_negative()).collect::<Vec<_>>(),
            [false, true]
        );
        drop(tx);
        keyspace.close().unwrap();
        keyspace = roomy(&dir);
    }
}

#[test]
fn what_is_no_number_is_refused_and_changes_nothing() {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin([(DB, &b"z"[..])], NOW);
    let (rule, by) = (ZsetRule::default(), ZsetRule { increment: true, ..ZsetRule::default() });
    assert!(matches!(tx.zset_add(DB, b"z", b"m", f64::NAN, rule), Err(Error::NotANumber)));
    let pairs = [(&b"a"[..], 1.0), (b"b", f64::NAN)];
    let result = tx.zset_add_all(DB, b"z", pairs.into_iter(), rule);
    assert!(matches!(result, Err(Error::NotANumber)));
    assert!(!tx.exists(DB, b"z").unwrap());
    tx.zset_add(DB, b"z", b"m", f64::INFINITY, rule).unwrap();
    let result = tx.zset_add(DB, b"z", b"m", f64::NEG_INFINITY, by);
    assert!(matches!(result, Err(Error::NotANumber)));
    assert_eq!(tx.zset_score(DB, b"z", b"m").unwrap(), Some(f64::INFINITY));
}
