//! The keydir against `BTreeMap`.

use bitcask_core::Location;
use bitcask_core::keydir::KeyDir;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, Location>;

fn at(n: u32) -> Location {
    Location { segment: n >> 16, offset: n, len: n ^ 0x5555 }
}

/// Few different bytes, so that keys are often prefixes of others; now and then a long one.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0_u8), Just(0xff), Just(b'a'), Just(b'b'), any::<u8>()];
    prop_oneof![
        6 => vec(byte, 0..6),
        2 => vec(prop_oneof![Just(b'a'), Just(b'b')], 0..40),
        1 => (0..3_usize, vec(any::<u8>(), 0..3)).prop_map(|(n, tail)| [vec![b'x'; n * 150], tail].concat()),
        2 => (0..300_u32).prop_map(|n| format!("user:{n}:seen").into_bytes()),
        2 => any::<u8>().prop_map(|byte| vec![b'n', byte]),
    ]
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    RemovePrefix(Vec<u8>),
    Walk(Vec<u8>, Vec<u8>),
    WalkBack(Option<Vec<u8>>),
    Floor(Vec<u8>, Vec<u8>),
    Sample(Vec<u8>, usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => key().prop_map(Op::Insert),
        4 => key().prop_map(Op::Remove),
        1 => key().prop_map(Op::RemovePrefix),
        1 => (key(), key()).prop_map(|(p, f)| Op::Walk(p, f)),
        1 => proptest::option::of(key()).prop_map(Op::WalkBack),
        1 => (key(), key()).prop_map(|(p, f)| Op::Floor(p, f)),
        1 => (key(), any::<usize>()).prop_map(|(p, n)| Op::Sample(p, n)),
    ]
}

fn walked(keydir: &KeyDir, prefix: &[u8], from: &[u8]) -> Vec<(Vec<u8>, Location)> {
    let mut walk = keydir.walk(prefix, from);
    let mut found = Vec::new();
    while let Some((key, location)) = walk.next() {
        found.push((key.to_vec(), location));
    }
    found
}

fn walked_back(keydir: &KeyDir, bound: Option<&[u8]>) -> Vec<(Vec<u8>, Location)> {
    let mut walk = keydir.walk_back(bound);
    let mut found = Vec::new();
    while let Some((key, location)) = walk.next() {
        found.push((key.to_vec(), location));
    }
    found
}

fn apply(keydir: &mut KeyDir, model: &mut Model, op: Op, n: u32) {
    match op {
        Op::Insert(key) => assert_eq!(keydir.insert(&key, at(n)), model.insert(key, at(n))),
        Op::Remove(key) => assert_eq!(keydir.remove(&key), model.remove(&key)),
        Op::RemovePrefix(prefix) => {
            let mut dropped = Vec::new();
            let count = keydir.remove_prefix(&prefix, &mut |location| dropped.push(location));
            let mut wanted: Vec<_> =
                model.iter().filter(|(k, _)| k.starts_with(&prefix)).map(|(_, l)| *l).collect();
            model.retain(|key, _| !key.starts_with(&prefix));
            assert_eq!(count, wanted.len());
            dropped.sort();
            wanted.sort();
            assert_eq!(dropped, wanted);
        }
        Op::Walk(prefix, from) => {
            let wanted: Vec<_> = model
                .range(from.clone()..)
                .filter(|(k, _)| k.starts_with(&prefix))
                .map(|(k, l)| (k.clone(), *l))
                .collect();
            assert_eq!(walked(keydir, &prefix, &from), wanted, "walk {prefix:?} from {from:?}");
        }
        Op::WalkBack(bound) => {
            let wanted: Vec<_> = model
                .iter()
                .rev()
                .filter(|(k, _)| bound.as_ref().is_none_or(|bound| *k < bound))
                .map(|(k, l)| (k.clone(), *l))
                .collect();
            assert_eq!(walked_back(keydir, bound.as_deref()), wanted, "walk back from {bound:?}");
        }
        Op::Floor(prefix, key) => {
            let wanted = model
                .range(..=key.clone())
                .rfind(|(k, _)| k.starts_with(&prefix))
                .map(|(k, l)| (k.clone(), *l));
            assert_eq!(keydir.floor(&prefix, &key), wanted, "floor of {key:?}");
        }
        Op::Sample(prefix, seed) => {
            let found = keydir.sample(&prefix, &mut |ways| seed % ways);
            match found {
                Some((key, location)) => {
                    assert!(key.starts_with(&prefix));
                    assert_eq!(model.get(&key), Some(&location));
                }
                None => assert!(!model.keys().any(|key| key.starts_with(&prefix))),
            }
        }
    }
    assert_eq!(keydir.len(), model.len());
}

proptest! {
    /// Whatever is done, the keydir answers as a `BTreeMap` does.
    #[test]
    fn any_sequence_of_operations_gives_what_a_btreemap_gives(ops in vec(op(), 0..400)) {
        let (mut keydir, mut model) = (KeyDir::new(), Model::new());
        for (n, op) in ops.into_iter().enumerate() {
            apply(&mut keydir, &mut model, op, n as u32);
        }
        for (key, location) in &model {
            prop_assert_eq!(keydir.get(key), Some(*location));
        }
        let mut wanted: Vec<_> = model.into_iter().collect();
        prop_assert_eq!(&walked(&keydir, b"", b""), &wanted);
        wanted.reverse();
        prop_assert_eq!(walked_back(&keydir, None), wanted);
    }
}

#[test]
fn a_long_deterministic_run_agrees_with_a_btreemap() {
    let mut random = super::engine::Random(3);
    let (mut keydir, mut model) = (KeyDir::new(), Model::new());
    for n in 0..300_000_u32 {
        // Phases of growing and of shrinking.
        let grow = (n / 50_000) % 2 == 0;
        let key = match random.below(3) {
            0 => random.below(100_000).to_string().into_bytes(),
            1 => format!("trackist_event{}_2026-{:02}", random.below(40), random.below(9000))
                .into_bytes(),
            _ => (random.below(1 << 20) as u32).to_be_bytes().to_vec(),
        };
        let op = if random.below(10) < if grow { 8 } else { 1 } {
            Op::Insert(key)
        } else {
            Op::Remove(key)
        };
        apply(&mut keydir, &mut model, op, n);
    }
    let mut wanted: Vec<_> = model.into_iter().collect();
    assert_eq!(walked(&keydir, b"", b""), wanted);
    wanted.reverse();
    assert_eq!(walked_back(&keydir, None), wanted);
}

#[test]
fn nodes_grow_to_256_children_and_shrink_to_none() {
    let mut keydir = KeyDir::new();
    for round in 0..3 {
        for byte in 0..=255_u8 {
            keydir.insert(&[b'k', byte], at(u32::from(byte)));
            keydir.insert(&[b'k', byte, 1], at(u32::from(byte) + 1000));
        }
        assert_eq!(walked(&keydir, b"k", b"").len(), 512);
        for byte in (0..=255_u8).rev() {
            let byte = byte.wrapping_mul(77);
            assert_eq!(keydir.remove(&[b'k', byte]), Some(at(u32::from(byte))), "round {round}");
            assert_eq!(keydir.get(&[b'k', byte, 1]), Some(at(u32::from(byte) + 1000)));
            assert_eq!(keydir.remove(&[b'k', byte, 1]), Some(at(u32::from(byte) + 1000)));
        }
        assert!(keydir.is_empty());
    }
}

#[test]
fn filling_and_emptying_again_and_again_holds_no_more_memory_than_once() {
    let mut keydir = KeyDir::new();
    let mut peak = 0;
    for round in 0..5_u32 {
        for n in 0..20_000_u32 {
            keydir.insert(format!("round:{round}:{n}").as_bytes(), at(n));
        }
        if round == 0 {
            peak = keydir.memory_bytes();
        }
        assert!(keydir.memory_bytes() <= peak + peak / 10, "round {round}");
        for n in 0..20_000_u32 {
            keydir.remove(format!("round:{round}:{n}").as_bytes()).unwrap();
        }
        assert!(keydir.memory_bytes() < 100_000, "{} bytes without a key", keydir.memory_bytes());
    }
}

#[test]
fn keys_that_are_prefixes_of_each_other_may_nest_as_deep_as_they_like() {
    let long = vec![b'a'; 12_000];
    let mut keydir = KeyDir::new();
    for n in 0..=long.len() {
        keydir.insert(&long[..n], at(n as u32));
    }
    assert_eq!(keydir.get(&long[..777]), Some(at(777)));
    assert_eq!(walked(&keydir, &long[..11_990], b"").len(), 11);
    assert_eq!(keydir.floor(b"", &[&long[..], b"z"].concat()).unwrap().1, at(12_000));
    for n in (0..6000).step_by(2) {
        assert_eq!(keydir.remove(&long[..n]), Some(at(n as u32)));
    }
    assert_eq!(keydir.remove_prefix(&long[..100], &mut |_| {}), 12_001 - 100 - 2950);
    assert_eq!(keydir.len(), 50);
}

#[test]
fn keys_of_seventy_thousand_bytes_are_kept_apart_and_shared() {
    let mut keydir = KeyDir::new();
    let key = |last| [vec![7; 70_000], vec![last]].concat();
    for last in 0..20 {
        keydir.insert(&key(last), at(u32::from(last)));
    }
    assert_eq!(keydir.get(&key(13)), Some(at(13)));
    assert!(keydir.memory_bytes() < 2_000_000, "{}", keydir.memory_bytes());
    for last in 0..20 {
        keydir.remove(&key(last)).unwrap();
    }
    assert!(keydir.is_empty());
}

#[test]
fn five_hundred_thousand_keys_of_bitmapist_take_less_than_48_bytes_each() {
    let mut keydir = KeyDir::new();
    let mut count = 0_u32;
    for prefix in 0..12 {
        for event in 0..40 {
            for day in 0..1050_u32 {
                let (y, m, d) = (2024 + day / 360, day / 30 % 12 + 1, day % 30 + 1);
                let key = format!("track{prefix}_song:play{event}_{y}-{m:02}-{d:02}");
                keydir.insert(key.as_bytes(), at(count));
                count += 1;
            }
        }
    }
    let per_key = keydir.memory_bytes() as f64 / keydir.len() as f64;
    assert!(per_key <= 48.0, "{per_key:.1} bytes per key");
}
