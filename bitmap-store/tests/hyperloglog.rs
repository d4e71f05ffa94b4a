//! HyperLogLogs through the keyspace, against a plain set, with reopenings between.

use crate::{NOW, open};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{CompactionOptions, Db, Error, UnixMillis};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

const DB: Db = Db(0);
const KEYS: [&[u8]; 3] = [b"a", b"b", b"c"];

#[derive(Clone, Debug)]
enum Op {
    Add(usize, Vec<u16>),
    AddMany(usize, u32),
    Merge(usize, usize),
    Count(usize),
    Union(usize, usize),
    MakeDense(usize),
    Forget,
    Reopen,
    Compact,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS.len();
    prop_oneof![
        8 => (key(), vec(any::<u16>(), 0..5)).prop_map(|(k, e)| Op::Add(k, e)),
        1 => (key(), 0..1000_u32).prop_map(|(k, n)| Op::AddMany(k, n)),
        2 => (key(), key()).prop_map(|(a, b)| Op::Merge(a, b)),
        3 => key().prop_map(Op::Count),
        2 => (key(), key()).prop_map(|(a, b)| Op::Union(a, b)),
        1 => key().prop_map(Op::MakeDense),
        1 => Just(Op::Forget),
        1 => Just(Op::Reopen),
        1 => Just(Op::Compact),
    ]
}

/// The estimate of a few thousand at most is within this of the number.
fn is_near(estimate: u64, number: usize) -> bool {
    (estimate as f64 - number as f64).abs() <= 2.0 + number as f64 * 0.06
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn estimates_follow_plain_sets_through_reopenings(ops in vec(op(), 1..60)) {
        let dir = SimDir::new(1);
        let mut keyspace = open(&dir);
        let mut sets: [BTreeSet<Vec<u8>>; 3] = Default::default();
        for op in ops {
            let mut transaction = keyspace.begin(KEYS.map(|key| (DB, key)), NOW);
            let mut add = |key: usize, elements: Vec<Vec<u8>>| {
                let new = elements.iter().any(|element| !sets[key].contains(element));
                let changed = transaction.pf_add(DB, KEYS[key], elements.iter().map(Vec::as_slice))?;
                sets[key].extend(elements);
                // Two elements may look the same; one that was there never looks new.
                assert!(new || !changed || sets[key].is_empty());
                Ok::<_, Error>(())
            };
            match op {
                Op::Add(key, ref elements) => {
                    add(key, elements.iter().map(|e| e.to_le_bytes().to_vec()).collect()).unwrap();
                }
                Op::AddMany(key, count) => {
                    add(key, (0..count).map(|n| n.to_string().into_bytes()).collect()).unwrap();
                }
                Op::Merge(to, from) => {
                    transaction.pf_merge(DB, KEYS[to], [KEYS[from]]).unwrap();
                    let from = sets[from].clone();
                    sets[to].extend(from);
                }
                Op::Count(key) => {
                    let first = transaction.pf_count(DB, [KEYS[key]]).unwrap();
                    prop_assert!(is_near(first, sets[key].len()), "{first} of {}", sets[key].len());
                    prop_assert_eq!(transaction.pf_count(DB, [KEYS[key]]).unwrap(), first);
                    prop_assert_eq!(transaction.pf_count(DB, [KEYS[key], KEYS[key]]).unwrap(), first);
                }
                Op::Union(a, b) => {
                    let count = transaction.pf_count(DB, [KEYS[a], KEYS[b]]).unwrap();
                    let both = sets[a].union(&sets[b]).count();
                    prop_assert!(is_near(count, both), "{count} of {both}");
                }
                Op::MakeDense(key) => {
                    let before = transaction.pf_registers(DB, KEYS[key]).unwrap();
                    transaction.pf_make_dense(DB, KEYS[key]).unwrap();
                    prop_assert_eq!(transaction.pf_registers(DB, KEYS[key]).unwrap(), before);
                }
                Op::Forget => {
                    // Nothing of it is kept.
                    transaction.pf_add(DB, b"a", [&b"lost"[..]]).unwrap();
                    drop(transaction);
                    continue;
                }
                Op::Reopen | Op::Compact => {}
            }
            let strings = KEYS.map(|key| transaction.get(DB, key).unwrap());
            transaction.commit().unwrap();
            match op {
                Op::Reopen => {
                    keyspace.close().unwrap();
                    keyspace = open(&dir);
                }
                Op::Compact => {
                    let go_on = &mut |_: &_| ControlFlow::Continue(());
                    keyspace.compact(&CompactionOptions::everything(), NOW, go_on).unwrap();
                }
                _ => {}
            }
            let mut transaction = keyspace.begin(KEYS.map(|key| (DB, key)), NOW);
            prop_assert_eq!(KEYS.map(|key| transaction.get(DB, key).unwrap()), strings);
        }
    }
}

#[test]
fn an_expiry_stays_and_a_change_of_a_dense_one_logs_little() {
    let keyspace = open(&SimDir::new(1));
    let expires_at = UnixMillis(NOW.0 + 1000);
    let begin = || keyspace.begin([(DB, &b"a"[..])], NOW);
    let mut transaction = begin();
    transaction.pf_add(DB, b"a", [&b"first"[..]]).unwrap();
    transaction.set_expiry(DB, b"a", Some(expires_at)).unwrap();
    transaction.pf_make_dense(DB, b"a").unwrap();
    transaction.commit().unwrap();
    let before = keyspace.stats().log_bytes;
    for n in 0..100_u32 {
        let mut transaction = begin();
        transaction.pf_add(DB, b"a", [&n.to_be_bytes()[..]]).unwrap();
        transaction.commit().unwrap();
    }
    let logged = keyspace.stats().log_bytes - before;
    assert!(logged < 100 * 400, "{logged} bytes for a hundred elements");
    let mut transaction = begin();
    assert_eq!(transaction.expiry(DB, b"a").unwrap(), Some(Some(expires_at)));
    assert!(is_near(transaction.pf_count(DB, [&b"a"[..]]).unwrap(), 101));
}

#[test]
fn strings_that_are_none_are_refused_and_left_as_they_are() {
    let keyspace = open(&SimDir::new(1));
    let mut transaction = keyspace.begin([(DB, &b"a"[..]), (DB, b"b")], NOW);
    transaction.set(DB, b"a", b"text", None).unwrap();
    let refused = transaction.pf_add(DB, b"a", [&b"x"[..]]);
    assert!(matches!(refused, Err(Error::NotHyperLogLog)));
    assert!(matches!(transaction.pf_merge(DB, b"b", [&b"a"[..]]), Err(Error::NotHyperLogLog)));
    assert!(!transaction.exists(DB, b"b").unwrap());
    let cut = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xfe";
    transaction.set(DB, b"a", cut, None).unwrap();
    let refused = transaction.pf_count(DB, [&b"a"[..]]);
    assert!(matches!(refused, Err(Error::CorruptHyperLogLog)));
    assert_eq!(transaction.get(DB, b"a").unwrap().as_deref(), Some(&cut[..]));
}
