//! What the types are made of, against sorted maps: ranks, walks both ways, all at once, copies; with tiny pages.

use super::collection::Shape;
use super::walk::Place;
use crate::layout::Part;
use crate::{Db, Keyspace, Kind, Options, Sizes, Transaction, UnixMillis};
use bitcask_core::storage::sim::SimDir;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const DB: Db = Db(0);
const KEY: &[u8] = b"key";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn open(dir: &SimDir) -> Keyspace {
    let options = Options {
        cache_bytes: 20_000,
        segment_bytes: 64 << 10,
        background: false,
        sizes: Sizes { inline: 60, page: 90, leaf: 90 },
        ..Options::default()
    };
    Keyspace::open_in(Arc::new(dir.clone()), options).unwrap()
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..200_u32).prop_map(|n| format!("m{n:03}").into_bytes()),
        1 => vec(prop_oneof![Just(0_u8), Just(0xff)], 0..3),
    ]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        3 => member().prop_map(Bound::Included),
        3 => member().prop_map(Bound::Excluded),
        1 => Just(Bound::Unbounded),
    ]
}

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<(Vec<u8>, Vec<u8>)>),
    Take(Vec<Vec<u8>>),
    Store(Vec<(Vec<u8>, Vec<u8>)>),
    Commit,
    GiveUp,
    Reopen,
    Look(Bound<Vec<u8>>, u64),
}

fn op() -> impl Strategy<Value = Op> {
    let score = || vec(any::<u8>(), 8);
    prop_oneof![
        6 => vec((member(), score()), 1..30).prop_map(Op::Put),
        4 => vec(member(), 1..30).prop_map(Op::Take),
        1 => vec((member(), score()), 0..80).prop_map(Op::Store),
        4 => Just(Op::Commit),
        1 => Just(Op::GiveUp),
        1 => Just(Op::Reopen),
        8 => (bound(), 0..250_u64).prop_map(|(bound, rank)| Op::Look(bound, rank)),
    ]
}

/// The same by score.
fn by_score(model: &Model) -> Model {
    model.iter().map(|(member, score)| ([&score[..], member].concat(), Vec::new())).collect()
}

fn put(tx: &mut Transaction<'_>, model: &mut Model, member: &[u8], score: &[u8]) {
    let at = tx.at(DB, KEY).unwrap();
    let kind = Kind::SortedSet;
    if let Shape::Tree(_) = tx.shape(&at, kind).unwrap() {
        if let Some(old) = model.get(member) {
            tx.take_element(&at, kind, Part::Scores, &[old, member].concat()).unwrap().unwrap();
        }
        assert!(tx.put_element(&at, kind, Part::Scores, &[score, member].concat(), b"").unwrap());
    }
    let new = model.insert(member.to_vec(), score.to_vec()).is_none();
    assert_eq!(tx.put_element(&at, kind, Part::Members, member, score).unwrap(), new);
}

fn take(tx: &mut Transaction<'_>, model: &mut Model, member: &[u8]) {
    let at = tx.at(DB, KEY).unwrap();
    let kind = Kind::SortedSet;
    let old = model.remove(member);
    if let (Some(score), Shape::Tree(_)) = (&old, tx.shape(&at, kind).unwrap()) {
        tx.take_element(&at, kind, Part::Scores, &[score, member].concat()).unwrap().unwrap();
    }
    assert_eq!(tx.take_element(&at, kind, Part::Members, member).unwrap(), old);
}

fn walked(
    tx: &mut Transaction<'_>,
    part: Part,
    place: Place<'_>,
    back: bool,
    most: usize,
) -> Vec<Vec<u8>> {
    let at = tx.at(DB, KEY).unwrap();
    let mut found = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        found.push(key.to_vec());
        if found.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match back {
        false => tx.walk_forward(&at, Kind::SortedSet, part, place, &mut visit).unwrap(),
        true => tx.walk_back(&at, Kind::SortedSet, part, place, &mut visit).unwrap(),
    }
    found
}

fn look(tx: &mut Transaction<'_>, model: &Model, part: Part, bound: Bound<&[u8]>, rank: u64) {
    let (at, kind) = (tx.at(DB, KEY).unwrap(), Kind::SortedSet);
    let below = |key: &[u8]| match bound {
        Bound::Unbounded => false,
        Bound::Included(bound) => key < bound,
        Bound::Excluded(bound) => key <= bound,
    };
    let above = |key: &[u8]| match bound {
        Bound::Unbounded => false,
        Bound::Included(bound) => key > bound,
        Bound::Excluded(bound) => key >= bound,
    };
    let keys: Vec<Vec<u8>> = model.keys().cloned().collect();
    let before = keys.iter().filter(|key| below(key)).count();
    assert_eq!(tx.rank(&at, kind, part, bound).unwrap(), before as u64);
    let place = Place::Key(bound);
    assert_eq!(walked(tx, part, place, false, usize::MAX), keys[before..]);
    assert_eq!(walked(tx, part, place, false, 3), keys[before..(before + 3).min(keys.len())]);
    let wanted: Vec<Vec<u8>> = keys.iter().rev().filter(|key| !above(key)).cloned().collect();
    assert_eq!(walked(tx, part, place, true, usize::MAX), wanted);
    let place = Place::Rank(rank);
    let rank = (rank as usize).min(keys.len());
    assert_eq!(walked(tx, part, place, false, usize::MAX), keys[rank..]);
    let wanted: Vec<Vec<u8>> = keys[..(rank + 1).min(keys.len())].iter().rev().cloned().collect();
    assert_eq!(walked(tx, part, place, true, usize::MAX), wanted);
    let found = tx.element_at(&at, kind, part, rank as u64).unwrap().map(|(key, _)| key);
    assert_eq!(found.as_ref(), keys.get(rank));
    assert_eq!(tx.members(&at, kind).unwrap(), keys.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn both_orders_of_a_collection_answer_as_sorted_maps_do(ops in vec(op(), 1..60)) {
        let dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let mut model = Model::new();
        let mut ops = ops.into_iter().peekable();
        while ops.peek().is_some() {
            let mut after = model.clone();
            let mut tx = keyspace.begin_exclusive(NOW);
            let last = ops.by_ref().find(|op| {
                match op {
                    Op::Put(pairs) => pairs.iter().for_each(|(m, s)| put(&mut tx, &mut after, m, s)),
                    Op::Take(members) => members.iter().for_each(|m| take(&mut tx, &mut after, m)),
                    Op::Store(pairs) => {
                        after = pairs.iter().cloned().collect();
                        let at = tx.at(DB, KEY).unwrap();
                        tx.store(&at, Kind::SortedSet, &after, None).unwrap();
                    }
                    Op::Look(bound, rank) => {
                        let bound = bound.as_ref().map(Vec::as_slice);
                        look(&mut tx, &after, Part::Members, bound, *rank);
                        let at = tx.at(DB, KEY).unwrap();
                        if let Shape::Tree(_) = tx.shape(&at, Kind::SortedSet).unwrap() {
                            look(&mut tx, &by_score(&after), Part::Scores, bound, *rank);
                        }
                    }
                    Op::Commit | Op::GiveUp | Op::Reopen => return true,
                }
                false
            });
            match last {
                Some(Op::GiveUp) => drop(tx),
                last => {
                    tx.commit().unwrap();
                    model = after;
                    if let Some(Op::Reopen) = last {
                        keyspace.close().unwrap();
                        keyspace = open(&dir);
                    }
                }
            }
        }
        let mut tx = keyspace.begin_exclusive(NOW);
        look(&mut tx, &model, Part::Members, Bound::Unbounded, 0);
        let at = tx.at(DB, KEY).unwrap();
        if let Shape::Tree(id) = tx.shape(&at, Kind::SortedSet).unwrap() {
            look(&mut tx, &by_score(&model), Part::Scores, Bound::Unbounded, 3);
            // What is cached of the counts is what they are.
            for part in [Part::Members, Part::Scores] {
                let cached = tx.directory(&at, id, part).unwrap().clone();
                tx.tree(&at).unwrap().1.directories = Default::default();
                prop_assert_eq!(tx.directory(&at, id, part).unwrap(), &cached);
            }
        }
    }
}

/// A page is found for keys that are longer than any bound, and pages are split where a bound can be short enough.
#[test]
fn keys_longer_than_any_bound_are_found() {
    let keyspace = open(&SimDir::new(1));
    let long =
        |n: u32, tail: &str| [&vec![b'x'; 70_000][..], &n.to_be_bytes(), tail.as_bytes()].concat();
    let short = |n: u32| [&n.to_be_bytes()[..], &vec![b'y'; 66_000]].concat();
    let mut tx = keyspace.begin_exclusive(NOW);
    let at = tx.at(DB, KEY).unwrap();
    for n in 0..10 {
        for key in [long(n, "a"), long(n, ""), short(n)] {
            assert!(tx.put_element(&at, Kind::Set, Part::Members, &key, b"").unwrap());
        }
    }
    tx.commit().unwrap();
    let mut tx = keyspace.begin_exclusive(NOW);
    for n in 0..10 {
        for key in [long(n, "a"), long(n, ""), short(n)] {
            assert_eq!(tx.element(&at, Kind::Set, Part::Members, &key).unwrap(), Some(&b""[..]));
            assert!(tx.take_element(&at, Kind::Set, Part::Members, &key).unwrap().is_some());
        }
    }
    assert!(!tx.exists(DB, KEY).unwrap());
    tx.commit().unwrap();
    assert_eq!(keyspace.log().len(), 0);
}
