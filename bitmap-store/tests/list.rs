//! Lists against plain vectors, with pages so small that every split, join and drop happens.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{
    CompactionOptions, Db, Encoding, End, Error, Inserted, Keyspace, Options, Search, Sizes,
    Transaction,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

type Elements = VecDeque<Vec<u8>>;
/// What the keys hold; none is empty.
type Model = BTreeMap<u8, Elements>;

const DB: Db = Db(0);
const KEYS: u8 = 4;

#[derive(Clone, Debug)]
enum Op {
    Push(u8, End, Vec<Vec<u8>>),
    Pop(u8, End),
    PopMany(u8, End, u64),
    Set(u8, i64, Vec<u8>),
    /// So many times, so that places grow.
    Insert(u8, End, Vec<u8>, Vec<u8>, usize),
    Remove(u8, End, u64, Vec<u8>),
    Trim(u8, i64, i64),
    Move(u8, End, u8, End),
    Store(u8, Vec<Vec<u8>>),
    Rename(u8, u8),
    Copy(u8, u8),
    Delete(u8),
    Check(u8, i64, i64, Vec<u8>, u64),
}

fn name(key: u8) -> Vec<u8> {
    format!("list:{key}").into_bytes()
}

fn key() -> impl Strategy<Value = u8> {
    0..KEYS
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Left), Just(End::Right)]
}

/// Few, so that they meet; some longer than a page.
fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => (0..12_u8).prop_map(|n| n.to_string().into_bytes()),
        4 => vec(any::<u8>(), 0..12),
        1 => (0..3_u8, 60..140_usize).prop_map(|(n, len)| vec![n; len]),
    ]
}

fn index() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -60..60_i64, 1 => any::<i64>()]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        14 => (key(), end(), vec(element(), 1..20)).prop_map(|(k, e, v)| Op::Push(k, e, v)),
        6 => (key(), end()).prop_map(|(k, e)| Op::Pop(k, e)),
        3 => (key(), end(), 0..40_u64).prop_map(|(k, e, n)| Op::PopMany(k, e, n)),
        3 => (key(), index(), element()).prop_map(|(k, i, v)| Op::Set(k, i, v)),
        6 => (key(), end(), element(), element(), 1..30_usize).prop_map(|(k, e, p, v, n)| Op::Insert(k, e, p, v, n)),
        3 => (key(), end(), 0..9_u64, element()).prop_map(|(k, e, n, v)| Op::Remove(k, e, n, v)),
        2 => (key(), index(), index()).prop_map(|(k, a, b)| Op::Trim(k, a, b)),
        4 => (key(), end(), key(), end()).prop_map(|(a, e, b, f)| Op::Move(a, e, b, f)),
        1 => (key(), vec(element(), 0..60)).prop_map(|(k, v)| Op::Store(k, v)),
        1 => (key(), key()).prop_map(|(a, b)| Op::Rename(a, b)),
        1 => (key(), key()).prop_map(|(a, b)| Op::Copy(a, b)),
        1 => key().prop_map(Op::Delete),
        8 => (key(), index(), index(), element(), 0..5_u64).prop_map(|(k, a, b, v, n)| Op::Check(k, a, b, v, n)),
    ]
}

fn slices(elements: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
    elements.iter().map(Vec::as_slice)
}

fn put(model: &mut Model, key: u8, elements: Elements) {
    match elements.is_empty() {
        true => model.remove(&key),
        false => model.insert(key, elements),
    };
}

fn pop(elements: &mut Elements, end: End) -> Option<Vec<u8>> {
    if end == End::Left { elements.pop_front() } else { elements.pop_back() }
}

fn push(elements: &mut Elements, end: End, element: Vec<u8>) {
    if end == End::Left { elements.push_front(element) } else { elements.push_back(element) }
}

/// The index that a negative one means, if there is such an element.
fn rank(len: usize, index: i64) -> Option<usize> {
    let rank = if index < 0 { i128::from(index) + len as i128 } else { i128::from(index) };
    usize::try_from(rank).ok().filter(|rank| *rank < len)
}

fn between(elements: &Elements, start: i64, stop: i64) -> Elements {
    let from = |index: i64| {
        if index < 0 { i128::from(index) + elements.len() as i128 } else { i128::from(index) }
    };
    let wanted = from(start)..=from(stop);
    let all = elements.iter().enumerate();
    all.filter(|(i, _)| wanted.contains(&(*i as i128))).map(|(_, v)| v.clone()).collect()
}

/// Does one operation on both, and compares what it answers.
fn apply(tx: &mut Transaction<'_>, model: &mut Model, op: &Op) {
    let at = |model: &Model, k: &u8| model.get(k).cloned().unwrap_or_default();
    match op {
        Op::Push(k, end, new) => {
            let mut elements = at(model, k);
            new.iter().for_each(|element| push(&mut elements, *end, element.clone()));
            let len = tx.list_push(DB, &name(*k), *end, slices(new)).unwrap();
            assert_eq!(len, elements.len() as u64);
            put(model, *k, elements);
        }
        Op::Pop(k, end) => {
            let mut elements = at(model, k);
            let popped = tx.list_pop(DB, &name(*k), *end).unwrap();
            assert_eq!(popped.map(Vec::from), pop(&mut elements, *end));
            put(model, *k, elements);
        }
        Op::PopMany(k, end, count) => {
            let mut elements = at(model, k);
            let wanted: Vec<_> = (0..*count).map_while(|_| pop(&mut elements, *end)).collect();
            assert_eq!(tx.list_pop_many(DB, &name(*k), *end, *count).unwrap(), wanted);
            put(model, *k, elements);
        }
        Op::Set(k, index, element) => {
            let mut elements = at(model, k);
            let result = tx.list_set(DB, &name(*k), *index, element);
            match rank(elements.len(), *index) {
                Some(rank) => {
                    result.unwrap();
                    elements[rank].clone_from(element);
                }
                None if elements.is_empty() => assert!(matches!(result, Err(Error::NoSuchKey))),
                None => assert!(matches!(result, Err(Error::IndexOutOfRange))),
            }
            put(model, *k, elements);
        }
        Op::Insert(k, end, pivot, element, times) => {
            for _ in 0..*times {
                let mut elements = at(model, k);
                let result = tx.list_insert(DB, &name(*k), *end, pivot, element).unwrap();
                let found = elements.iter().position(|other| other == pivot);
                let wanted = match found {
                    _ if elements.is_empty() => Inserted::NoList,
                    None => Inserted::NoPivot,
                    Some(at) => {
                        elements.insert(at + usize::from(*end == End::Right), element.clone());
                        Inserted::Length(elements.len() as u64)
                    }
                };
                assert_eq!(result, wanted);
                put(model, *k, elements);
            }
        }
        Op::Remove(k, end, count, element) => {
            let elements = at(model, k);
            let mut places: Vec<usize> = elements
                .iter()
                .enumerate()
                .filter(|(_, v)| *v == element)
                .map(|(i, _)| i)
                .collect();
            if *end == End::Right {
                places.reverse();
            }
            places.truncate(*count as usize);
            let removed = tx.list_remove(DB, &name(*k), *end, *count, element).unwrap();
            assert_eq!(removed, places.len() as u64);
            let kept = elements.into_iter().enumerate().filter(|(i, _)| !places.contains(i));
            put(model, *k, kept.map(|(_, v)| v).collect());
        }
        Op::Trim(k, start, stop) => {
            tx.list_trim(DB, &name(*k), *start, *stop).unwrap();
            let kept = between(&at(model, k), *start, *stop);
            put(model, *k, kept);
        }
        Op::Move(from, end, to, to_end) => {
            let mut elements = at(model, from);
            let element = pop(&mut elements, *end);
            let moved = tx.list_move(DB, (&name(*from), *end), (&name(*to), *to_end)).unwrap();
            assert_eq!(moved.map(Vec::from), element);
            put(model, *from, elements);
            if let Some(element) = element {
                let mut elements = at(model, to);
                push(&mut elements, *to_end, element);
                put(model, *to, elements);
            }
        }
        Op::Store(k, elements) => {
            tx.list_store(DB, &name(*k), slices(elements), None).unwrap();
            put(model, *k, elements.iter().cloned().collect());
        }
        Op::Rename(from, to) => {
            let result = tx.rename(DB, &name(*from), &name(*to));
            match model.remove(from) {
                Some(elements) => put(model, *to, elements),
                None => assert!(matches!(result, Err(Error::NoSuchKey))),
            }
        }
        Op::Copy(from, to) if from != to => {
            let copied = tx.copy((DB, &name(*from)), (DB, &name(*to)), true).unwrap();
            assert_eq!(copied, model.contains_key(from));
            if copied {
                model.insert(*to, model[from].clone());
            }
        }
        Op::Copy(..) => {}
        Op::Delete(k) => {
            assert_eq!(tx.delete(DB, &name(*k)).unwrap(), model.remove(k).is_some());
        }
        Op::Check(k, start, stop, element, n) => {
            let elements = at(model, k);
            assert_eq!(tx.list_len(DB, &name(*k)).unwrap(), elements.len() as u64);
            assert_eq!(range(tx, *k, *start, *stop), between(&elements, *start, *stop));
            let found = tx.list_get(DB, &name(*k), *start).unwrap();
            let wanted = rank(elements.len(), *start).map(|rank| elements[rank].clone());
            assert_eq!(found.map(Vec::from), wanted);
            let end = if stop % 2 == 0 { End::Left } else { End::Right };
            check_positions(tx, *k, &elements, element, end, *n);
        }
    }
}

fn check_positions(
    tx: &mut Transaction<'_>,
    k: u8,
    elements: &Elements,
    element: &[u8],
    from: End,
    n: u64,
) {
    let search = Search { skip: n % 2, from, count: n, compare: 10 * n + 3 };
    let all = elements.iter().enumerate();
    let mut all: Vec<_> = all.map(|(i, other)| (i as u64, *other == *element)).collect();
    if from == End::Right {
        all.reverse();
    }
    let seen = all.into_iter().take(search.compare as usize).filter(|(_, same)| *same);
    let wanted: Vec<u64> =
        seen.skip(search.skip as usize).take(n as usize).map(|(i, _)| i).collect();
    assert_eq!(tx.list_positions(DB, &name(k), element, search).unwrap(), wanted);
}

fn range(tx: &mut Transaction<'_>, k: u8, start: i64, stop: i64) -> Elements {
    let mut found = Elements::new();
    tx.list_walk(DB, &name(k), start, stop, &mut |element| {
        found.push_back(element.to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// Everything, read back.
fn compare(keyspace: &Keyspace, model: &Model) {
    for k in 0..KEYS {
        let mut tx = keyspace.begin([(DB, &name(k)[..])], NOW);
        let wanted = model.get(&k).cloned().unwrap_or_default();
        assert_eq!(range(&mut tx, k, 0, -1), wanted, "key {k}");
        assert_eq!(tx.exists(DB, &name(k)).unwrap(), !wanted.is_empty());
        for index in (0..wanted.len()).step_by(5) {
            let found = tx.list_get(DB, &name(k), index as i64).unwrap();
            assert_eq!(found.as_deref(), Some(&wanted[index][..]));
        }
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
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec(op(), 1..6), prop::bool::weighted(0.9)).prop_map(|(ops, commit)| Step::Run(ops, commit)),
        6 => op().prop_map(|op| Step::Run(vec![op], true)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        1 => Just(Step::Crash),
        1 => Just(Step::Compact),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever commands run, in whatever transactions, given up or not, reopened, killed, crashed and compacted in
    /// between, the keys hold what plain vectors would.
    #[test]
    fn any_transactions_give_what_plain_vectors_give(steps in vec(step(), 1..50)) {
        let mut dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Run(ops, commit) => {
                    let mut after = model.clone();
                    let mut tx = keyspace.begin_exclusive(NOW);
                    ops.iter().for_each(|op| apply(&mut tx, &mut after, op));
                    if commit {
                        let position = tx.commit().unwrap();
                        keyspace.wait_durable(position).unwrap();
                        model = after;
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
                Step::Compact => {
                    keyspace.compact(&CompactionOptions::everything(), NOW, &mut |_| ControlFlow::Continue(())).unwrap();
                }
            }
            prop_assert!(keyspace.stats().cache_bytes <= options().cache_bytes);
            prop_assert_eq!(keyspace.db_size(DB), model.len() as u64);
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
        segment_bytes: 1 << 20,
        ..options()
    };
    Keyspace::open_in(Arc::new(dir.clone()), options).unwrap()
}

/// A list of 30,000 elements at `l`.
fn with_a_long_list(dir: &SimDir) -> Keyspace {
    let keyspace = roomy(dir);
    let elements: Vec<Vec<u8>> = (0..30_000).map(|n| format!("element:{n:06}").into()).collect();
    let mut tx = keyspace.begin([(DB, &b"l"[..])], NOW);
    assert_eq!(tx.list_push(DB, b"l", End::Right, slices(&elements)).unwrap(), 30_000);
    tx.commit().unwrap();
    keyspace
}

#[test]
fn pushes_and_pops_of_a_cold_list_read_its_record_and_the_page_at_that_end() {
    let dir = SimDir::new(1);
    with_a_long_list(&dir).close().unwrap();
    let keyspace = roomy(&dir);
    let reads = |work: &dyn Fn(&mut Transaction<'_>)| {
        let before = keyspace.stats().log_reads;
        let mut tx = keyspace.begin([(DB, &b"l"[..])], NOW);
        work(&mut tx);
        tx.commit().unwrap();
        keyspace.stats().log_reads - before
    };
    assert_eq!(reads(&|tx| assert_eq!(tx.list_len(DB, b"l").unwrap(), 30_000)), 1);
    assert_eq!(reads(&|tx| drop(tx.list_pop(DB, b"l", End::Left).unwrap().unwrap())), 1);
    assert_eq!(
        reads(&|tx| assert!(tx.list_push(DB, b"l", End::Right, [&b"x"[..]]).unwrap() > 0)),
        1
    );
    // Neither end is far: no counts of other pages are looked at.
    assert!(reads(&|tx| drop(tx.list_get(DB, b"l", 700).unwrap().unwrap())) <= 2);
    assert!(reads(&|tx| drop(tx.list_get(DB, b"l", 15_000).unwrap().unwrap())) > 50);
    assert!(reads(&|tx| drop(tx.list_get(DB, b"l", 20_000).unwrap().unwrap())) <= 1);
}

#[test]
fn a_push_costs_a_delta_in_the_log_and_pages_fill_up() {
    let dir = SimDir::new(1);
    let keyspace = with_a_long_list(&dir);
    // Each element takes some 19 bytes; nine tenths of 8 KiB are filled.
    let pages = keyspace.log().len() - 1;
    assert!((75..95).contains(&pages), "{pages} pages");
    let before = keyspace.stats().log_bytes;
    for _ in 0..300 {
        let mut tx = keyspace.begin([(DB, &b"l"[..])], NOW);
        tx.list_push(DB, b"l", End::Left, [&b"element"[..]]).unwrap();
        tx.list_pop(DB, b"l", End::Right).unwrap();
        tx.commit().unwrap();
    }
    let each = (keyspace.stats().log_bytes - before) / 300;
    assert!(each < 400, "{each} bytes");
}

#[test]
fn a_queue_keeps_its_two_end_pages_only_and_what_has_gone_through_it_goes_with_compaction() {
    let dir = SimDir::new(1);
    let keyspace = with_a_long_list(&dir);
    let mut next = 0;
    for round in 0..200_u32 {
        let elements: Vec<Vec<u8>> =
            (0..500).map(|n| format!("later:{round:04}:{n:04}").into()).collect();
        let mut tx = keyspace.begin([(DB, &b"l"[..])], NOW);
        tx.list_push(DB, b"l", End::Right, slices(&elements)).unwrap();
        for _ in 0..500 {
            let popped = tx.list_pop(DB, b"l", End::Left).unwrap().unwrap();
            if next < 30_000 {
                assert_eq!(popped, format!("element:{next:06}"));
            }
            next += 1;
        }
        tx.commit().unwrap();
    }
    let pages = keyspace.log().len() - 1;
    assert!((70..110).contains(&pages), "{pages} pages");
    keyspace
        .compact(&CompactionOptions::everything(), NOW, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let disk = keyspace.stats().disk_bytes;
    assert!(disk < 2 << 20, "{disk} bytes on disk for 30,000 elements");
}

#[test]
fn elements_that_are_inserted_at_one_place_do_not_let_places_grow() {
    let dir = SimDir::new(1);
    let keyspace = roomy(&dir);
    let mut wanted = VecDeque::from([b"first".to_vec(), b"last".to_vec()]);
    let mut tx = keyspace.begin([(DB, &b"list:0"[..])], NOW);
    tx.list_push(DB, b"list:0", End::Right, [&b"first"[..], b"last"]).unwrap();
    for n in 0..3000_u32 {
        let element = n.to_string().into_bytes();
        tx.list_insert(DB, b"list:0", End::Right, b"first", &element).unwrap();
        wanted.insert(1, element);
    }
    assert_eq!(range(&mut tx, 0, 0, -1), wanted);
    tx.commit().unwrap();
    let bytes: u64 = keyspace.stats().cache_bytes as u64;
    assert!(bytes < 3000 * 100, "{bytes} bytes");
}

#[test]
fn lists_and_other_types_keep_apart_and_the_encoding_is_always_quicklist() {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin_exclusive(NOW);
    tx.hash_set(DB, b"h", b"f", b"v").unwrap();
    tx.list_push(DB, b"l", End::Left, [&b"a"[..]]).unwrap();
    let wrong = |result: Result<(), Error>| assert!(matches!(result, Err(Error::WrongType)));
    wrong(tx.list_push(DB, b"h", End::Left, [&b"a"[..]]).map(drop));
    wrong(tx.list_pop(DB, b"h", End::Left).map(drop));
    wrong(tx.list_len(DB, b"h").map(drop));
    wrong(tx.list_trim(DB, b"h", 0, 0));
    wrong(tx.list_move(DB, (b"l", End::Left), (b"h", End::Left)).map(drop));
    wrong(tx.hash_get(DB, b"l", b"f").map(drop));
    wrong(tx.get(DB, b"l").map(drop));
    assert_eq!(tx.encoding(DB, b"l").unwrap(), Some(Encoding::Quicklist));
    assert_eq!(tx.list_len(DB, b"l").unwrap(), 1);
    // A list of one element that turns keeps its expiry.
    let expiry = Some(bitmap_store::UnixMillis(NOW.0 + 1000));
    tx.set_expiry(DB, b"l", expiry).unwrap();
    tx.list_move(DB, (b"l", End::Left), (b"l", End::Right)).unwrap();
    assert_eq!(tx.expiry(DB, b"l").unwrap(), Some(expiry));
}
