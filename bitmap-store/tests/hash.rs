//! Hashes against plain maps, with pages so small that every split, join and drop happens.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{
    CompactionOptions, Db, Encoding, Error, Keyspace, Kind, Options, Sizes, Transaction, UnixMillis,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Hash(Fields),
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
    Set(u8, Vec<(Vec<u8>, Vec<u8>)>),
    SetNew(u8, Vec<u8>, Vec<u8>),
    Delete(u8, Vec<Vec<u8>>),
    /// All fields of a range, so that pages get empty.
    DeleteRange(u8, Vec<u8>, Vec<u8>),
    Incr(u8, Vec<u8>, i64),
    String(u8, Vec<u8>),
    DeleteKey(u8),
    Rename(u8, u8),
    Copy(u8, u8, u8),
    MoveTo(u8, u8),
    Expire(u8, Option<u64>),
    FlushDb(u8),
    Check(u8, Vec<u8>, u64),
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
fn field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => (0..150_u32).prop_map(|n| format!("field:{n:03}").into_bytes()),
        4 => vec(prop_oneof![Just(0_u8), Just(0xff), Just(b'f')], 0..4),
        1 => (0..3_u8, 60..130_usize).prop_map(|(n, len)| [vec![b'x'; len], vec![n]].concat()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![6 => vec(any::<u8>(), 0..12), 2 => (0..100_u8).prop_map(|n| n.to_string().into_bytes()), 1 => vec(any::<u8>(), 60..140)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        14 => (key(), vec((field(), value()), 1..12)).prop_map(|(k, pairs)| Op::Set(k, pairs)),
        3 => (key(), field(), value()).prop_map(|(k, f, v)| Op::SetNew(k, f, v)),
        6 => (key(), vec(field(), 1..12)).prop_map(|(k, fields)| Op::Delete(k, fields)),
        3 => (key(), field(), field()).prop_map(|(k, a, b)| Op::DeleteRange(k, a, b)),
        2 => (key(), field(), -5..5_i64).prop_map(|(k, f, n)| Op::Incr(k, f, n)),
        1 => (key(), value()).prop_map(|(k, v)| Op::String(k, v)),
        1 => key().prop_map(Op::DeleteKey),
        2 => (key(), key()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => (key(), key(), 0..2_u8).prop_map(|(a, b, db)| Op::Copy(a, b, db)),
        1 => (key(), 0..2_u8).prop_map(|(k, db)| Op::MoveTo(k, db)),
        2 => (key(), prop::option::weighted(0.8, 0..60_u64)).prop_map(|(k, e)| Op::Expire(k, e)),
        1 => (0..2_u8).prop_map(Op::FlushDb),
        6 => (key(), field(), any::<u64>()).prop_map(|(k, f, n)| Op::Check(k, f, n)),
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

    /// The hash at a key, empty if it is missing; `None` if it is a string.
    fn hash(&self, key: u8) -> Option<Fields> {
        match self.get((0, key)) {
            None => Some(Fields::new()),
            Some(Value::Hash(fields)) => Some(fields.clone()),
            Some(Value::String(_)) => None,
        }
    }

    fn put(&mut self, key: u8, fields: Fields) {
        let expiry = self.expiry((0, key));
        self.keys.remove(&(0, key));
        if !fields.is_empty() {
            self.keys.insert((0, key), (Value::Hash(fields), expiry));
        }
    }
}

fn wrong_type<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::WrongType)), "{result:?}");
}

/// Does one operation on both, and compares what it answers. All are on database 0 unless they say so.
fn apply(tx: &mut Transaction<'_>, model: &mut Model, op: &Op) {
    match op {
        Op::Set(k, pairs) => {
            let borrowed = pairs.iter().map(|(field, value)| (&field[..], &value[..]));
            let result = tx.hash_set_all(DB, &name(*k), borrowed);
            let Some(mut fields) = model.hash(*k) else { return wrong_type(result) };
            let before = fields.len();
            fields.extend(pairs.iter().cloned());
            assert_eq!(result.unwrap(), (fields.len() - before) as u64);
            model.put(*k, fields);
        }
        Op::SetNew(k, field, value) => {
            let result = tx.hash_set_new(DB, &name(*k), field, value);
            let Some(mut fields) = model.hash(*k) else { return wrong_type(result) };
            assert_eq!(result.unwrap(), !fields.contains_key(field));
            fields.entry(field.clone()).or_insert_with(|| value.clone());
            model.put(*k, fields);
        }
        Op::Delete(k, gone) => {
            let result = tx.hash_delete(DB, &name(*k), gone.iter().map(|field| &field[..]));
            let Some(mut fields) = model.hash(*k) else { return wrong_type(result) };
            let before = fields.len();
            gone.iter().for_each(|field| drop(fields.remove(field)));
            assert_eq!(result.unwrap(), (before - fields.len()) as u64);
            model.put(*k, fields);
        }
        Op::DeleteRange(k, a, b) => {
            let Some(mut fields) = model.hash(*k) else { return };
            let range = a.min(b).clone()..=a.max(b).clone();
            let gone: Vec<Vec<u8>> = fields.range(range).map(|(field, _)| field.clone()).collect();
            for field in &gone {
                assert_eq!(tx.hash_delete(DB, &name(*k), [&field[..]].into_iter()).unwrap(), 1);
                fields.remove(field);
            }
            model.put(*k, fields);
        }
        Op::Incr(k, field, by) => {
            let result = tx.hash_incr_by(DB, &name(*k), field, *by);
            let Some(mut fields) = model.hash(*k) else { return wrong_type(result) };
            let text = fields.get(field).map_or(b"0".to_vec(), Clone::clone);
            let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<i64>().ok());
            match number.filter(|number| number.to_string().into_bytes() == text) {
                None => assert!(matches!(result, Err(Error::FieldNotInteger))),
                Some(number) => {
                    assert_eq!(result.unwrap(), number + by);
                    fields.insert(field.clone(), (number + by).to_string().into_bytes());
                    model.put(*k, fields);
                }
            }
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
        Op::Check(k, field, n) => check(tx, model, *k, field, *n),
    }
}

fn check(tx: &mut Transaction<'_>, model: &Model, k: u8, field: &[u8], n: u64) {
    let key = name(k);
    let kind = model.get((0, k)).map(|value| match value {
        Value::Hash(_) => Kind::Hash,
        Value::String(_) => Kind::String,
    });
    assert_eq!(tx.kind(DB, &key).unwrap(), kind);
    let Some(fields) = model.hash(k) else {
        wrong_type(tx.hash_get(DB, &key, field));
        wrong_type(tx.hash_len(DB, &key));
        return;
    };
    if !fields.is_empty() {
        wrong_type(tx.get(DB, &key));
        wrong_type(tx.strlen(DB, &key));
        wrong_type(tx.get_bit(DB, &key, n));
        wrong_type(tx.set_bit(DB, &key, n >> 32, true));
        wrong_type(tx.append(DB, &key, b"x"));
        wrong_type(tx.count_bits(DB, &key, 0..9));
        wrong_type(tx.bit_op(bitmap_store::BitOp::Or, DB, b"key:0", &[&key[..]]));
    }
    assert_eq!(tx.hash_get(DB, &key, field).unwrap().as_deref(), fields.get(field).map(|v| &v[..]));
    assert_eq!(tx.hash_len(DB, &key).unwrap(), fields.len() as u64);
    assert_eq!(all(tx, DB, &key), fields);
    let choose = &mut |below: usize| (n % below as u64) as usize;
    let random = tx.hash_random(DB, &key, choose).unwrap();
    let wanted = match fields.len() {
        0 => None,
        len => fields.iter().nth((n % len as u64) as usize),
    };
    assert_eq!(random.as_ref().map(|(field, value)| (field, value)), wanted);
    let sample = tx.hash_sample(DB, &key, n % 7, choose).unwrap();
    assert_eq!(sample.len() as u64, (n % 7).min(fields.len() as u64));
    assert!(sample.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(sample.iter().all(|(field, value)| fields.get(field) == Some(value)));
}

/// All fields, by a walk, which must come in order, and by a scan of small steps.
fn all(tx: &mut Transaction<'_>, db: Db, key: &[u8]) -> Fields {
    let mut walked: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    tx.hash_walk(db, key, &mut |field, value| {
        walked.push((field.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(walked.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let (mut scanned, mut cursor) = (Vec::new(), 0);
    loop {
        let mut step = |field: &[u8], value: &[u8]| scanned.push((field.to_vec(), value.to_vec()));
        cursor = tx.hash_scan(db, key, cursor, 7, &mut step).unwrap();
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned, walked);
    walked.into_iter().collect()
}

/// Everything, read back.
fn compare(keyspace: &Keyspace, model: &Model) {
    for (db, k) in (0..2).flat_map(|db| (0..KEYS).map(move |k| (db, k))) {
        let key = name(k);
        let mut tx = keyspace.begin([(Db(db), &key[..])], at(model.now));
        match model.get((db, k)) {
            Some(Value::Hash(fields)) => {
                assert_eq!(tx.hash_len(Db(db), &key).unwrap(), fields.len() as u64);
                assert_eq!(&all(&mut tx, Db(db), &key), fields, "database {db}, key {k}");
                for (field, value) in fields.iter().step_by(7) {
                    assert_eq!(
                        tx.hash_get(Db(db), &key, field).unwrap().as_deref(),
                        Some(&value[..])
                    );
                }
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
    Reclaim,
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
        1 => Just(Step::Reclaim),
        2 => (0..3_usize, op()).prop_map(|(every, op)| Step::Compact(every, op)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever commands run, in whatever transactions, given up or not, reopened, killed, crashed and compacted in
    /// between, the keys hold what plain maps would.
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
                    for (kind, wanted) in [(Kind::Hash, true), (Kind::String, false)] {
                        let (_, found) = tx.scan(DB, 0, 100, None, Some(kind));
                        let is_kind = |k: &u8| after.get((0, *k)).is_some_and(|v| matches!(v, Value::Hash(_)) == wanted);
                        let mut found: Vec<Vec<u8>> = found;
                        found.sort();
                        prop_assert_eq!(found, (0..KEYS).filter(is_kind).map(name).collect::<Vec<_>>());
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
                Step::Reclaim => {
                    keyspace.expire_due(at(model.now), usize::MAX).unwrap();
                    let now = model.now;
                    model.keys.retain(|_, (_, at)| at.is_none_or(|at| at > now));
                    for db in 0..2 {
                        let count = model.keys.keys().filter(|(d, _)| *d == db).count() as u64;
                        prop_assert_eq!(keyspace.db_size(Db(db)), count);
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

fn roomy(dir: &SimDir) -> Keyspace {
    let options = Options {
        sizes: Sizes { inline: 4 << 10, page: 66 << 10, leaf: 8 << 10 },
        cache_bytes: 64 << 20,
        segment_bytes: 16 << 20,
        ..options()
    };
    Keyspace::open_in(Arc::new(dir.clone()), options).unwrap()
}

/// A hash of 20,000 fields at `h`, made in one transaction.
fn with_a_large_hash(dir: &SimDir) -> Keyspace {
    let keyspace = roomy(dir);
    let mut tx = keyspace.begin([(DB, &b"h"[..])], NOW);
    for n in 0..20_000 {
        assert!(tx.hash_set(DB, b"h", format!("field:{n:06}").as_bytes(), b"some value").unwrap());
    }
    keyspace.wait_durable(tx.commit().unwrap()).unwrap();
    keyspace
}

#[test]
fn one_cold_field_reads_the_keys_record_and_one_page_and_the_length_reads_the_record_only() {
    let dir = SimDir::new(1);
    with_a_large_hash(&dir).close().unwrap();
    let keyspace = roomy(&dir);
    let before = keyspace.stats().log_reads;
    let mut tx = keyspace.begin([(DB, &b"h"[..])], NOW);
    assert_eq!(tx.hash_len(DB, b"h").unwrap(), 20_000);
    assert_eq!(keyspace.stats().log_reads - before, 1);
    assert_eq!(
        tx.hash_get(DB, b"h", b"field:012345").unwrap().as_deref(),
        Some(&b"some value"[..])
    );
    assert_eq!(keyspace.stats().log_reads - before, 2);
}

#[test]
fn one_field_of_a_large_hash_costs_a_delta_in_the_log_and_ordered_loads_fill_their_pages() {
    let dir = SimDir::new(1);
    let keyspace = with_a_large_hash(&dir);
    // Each entry is 24 bytes; nine tenths of 8 KiB are filled.
    let pages = keyspace.log().len() - 1;
    assert!((60..72).contains(&pages), "{pages} pages");
    let before = keyspace.stats().log_bytes;
    for n in 0..100 {
        let mut tx = keyspace.begin([(DB, &b"h"[..])], NOW);
        let field = format!("field:{:06}", n * 199);
        assert!(!tx.hash_set(DB, b"h", field.as_bytes(), b"other").unwrap());
        keyspace.wait_durable(tx.commit().unwrap()).unwrap();
    }
    let each = (keyspace.stats().log_bytes - before) / 100;
    assert!(each < 110, "{each} bytes");
}

#[test]
fn a_hash_whose_fields_go_gives_its_pages_back_and_its_key_with_the_last() {
    let dir = SimDir::new(1);
    let keyspace = with_a_large_hash(&dir);
    for round in 0..20_000 / 500 {
        let mut tx = keyspace.begin([(DB, &b"h"[..])], NOW);
        for n in 0..500 {
            // Every fortieth, then those beside them: pages shrink all over before they go.
            let field = format!("field:{:06}", n * 40 + round);
            assert_eq!(tx.hash_delete(DB, b"h", [field.as_bytes()].into_iter()).unwrap(), 1);
        }
        tx.commit().unwrap();
        if round == 35 {
            let pages = keyspace.log().len() - 1;
            assert!(pages < 25, "{pages} pages for 2000 fields");
        }
    }
    assert_eq!((keyspace.db_size(DB), keyspace.log().len()), (0, 0));
    assert!(keyspace.stats().cache_entries <= 2);
}

#[test]
fn the_encoding_is_the_one_redis_would_use_and_never_turns_back() {
    let dir = SimDir::new(1);
    let mut keyspace = roomy(&dir);
    let encoding = |keyspace: &Keyspace, key: &[u8]| {
        keyspace.begin([(DB, key)], NOW).encoding(DB, key).unwrap().unwrap()
    };
    let set = |keyspace: &Keyspace, key: &[u8], field: &[u8], value: &[u8]| {
        let mut tx = keyspace.begin([(DB, key)], NOW);
        tx.hash_set(DB, key, field, value).unwrap();
        tx.commit().unwrap();
    };
    for n in 0..128 {
        set(&keyspace, b"many", format!("f{n}").as_bytes(), b"v");
    }
    set(&keyspace, b"long", b"f", &[b'v'; 64]);
    assert_eq!(encoding(&keyspace, b"many"), Encoding::Listpack);
    assert_eq!(encoding(&keyspace, b"long"), Encoding::Listpack);
    set(&keyspace, b"many", b"f128", b"v");
    set(&keyspace, b"long", b"f", &[b'v'; 65]);
    set(&keyspace, b"long", b"f", b"v");
    let mut tx = keyspace.begin([(DB, &b"many"[..])], NOW);
    tx.hash_delete(DB, b"many", [&b"f1"[..], b"f2"].into_iter()).unwrap();
    tx.commit().unwrap();
    for _ in 0..2 {
        assert_eq!(encoding(&keyspace, b"many"), Encoding::Hashtable);
        assert_eq!(encoding(&keyspace, b"long"), Encoding::Hashtable);
        keyspace.close().unwrap();
        keyspace = roomy(&dir);
    }
}

#[test]
fn sums_of_fields_are_those_of_redis_and_what_is_no_number_is_refused() {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin([(DB, &b"h"[..])], NOW);
    assert_eq!(&tx.hash_incr_by_float(DB, b"h", b"f", b"3.0e3").unwrap()[..], b"3000");
    assert_eq!(
        &tx.hash_incr_by_float(DB, b"h", b"f", b"-0.1").unwrap()[..],
        b"2999.89999999999999991"
    );
    tx.hash_set(DB, b"h", b"text", b"").unwrap();
    tx.hash_set(DB, b"h", b"inf", b"inf").unwrap();
    assert!(matches!(tx.hash_incr_by_float(DB, b"h", b"text", b"1"), Err(Error::FieldNotFloat)));
    assert!(matches!(tx.hash_incr_by_float(DB, b"h", b"inf", b"1"), Err(Error::NanOrInfinity)));
    assert!(matches!(tx.hash_incr_by_float(DB, b"h", b"f", b"inf"), Err(Error::NotFinite)));
    assert!(matches!(tx.hash_incr_by_float(DB, b"h", b"f", b"nan"), Err(Error::NotFloat)));
    assert!(matches!(tx.hash_incr_by(DB, b"h", b"f", 1), Err(Error::FieldNotInteger)));
    tx.hash_set(DB, b"h", b"n", b"9223372036854775807").unwrap();
    assert!(matches!(tx.hash_incr_by(DB, b"h", b"n", 1), Err(Error::Overflow)));
    assert_eq!(tx.hash_incr_by(DB, b"h", b"n", -7).unwrap(), i64::MAX - 7);
}
