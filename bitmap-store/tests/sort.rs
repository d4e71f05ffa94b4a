//! SORT through the typed interface; its options in all their forms are compared with Redis by `cargo xtask compat`.

use crate::{NOW, open};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Db, Error, Pattern, Sort, SortBy, Transaction};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DB: Db = Db(0);

fn sorted(tx: &mut Transaction<'_>, sort: &Sort<'_>) -> Vec<String> {
    let found = tx.sort(DB, b"s", sort).unwrap();
    found
        .iter()
        .map(|text| text.as_ref().map_or("nil".into(), |t| t.escape_ascii().to_string()))
        .collect()
}

fn add(tx: &mut Transaction<'_>, members: &[&str]) {
    tx.set_add(DB, b"s", members.iter().map(|member| member.as_bytes())).unwrap();
}

#[test]
fn elements_are_sorted_by_numbers_by_bytes_or_not_at_all() {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin_exclusive(NOW);
    add(&mut tx, &["10", "9", "0x8", " 7", "", "-1.5"]);
    let plain = Sort::default();
    assert_eq!(sorted(&mut tx, &plain), ["-1.5", "", " 7", "0x8", "9", "10"]);
    let down = Sort { descending: true, offset: 1, count: Some(2), ..plain };
    assert_eq!(sorted(&mut tx, &down), ["9", "0x8"]);
    let alphabetic = Sort { alphabetic: true, offset: -3, count: Some(-1), ..plain };
    assert_eq!(sorted(&mut tx, &alphabetic), ["", " 7", "-1.5", "0x8", "10", "9"]);
    let unsorted = Sort { by: SortBy::Nothing, offset: 4, count: Some(i64::MAX), ..plain };
    assert_eq!(sorted(&mut tx, &unsorted), ["10", "9"]);
    assert_eq!(sorted(&mut tx, &Sort { offset: i64::MAX, ..plain }), [""; 0]);
    add(&mut tx, &["x"]);
    assert!(matches!(tx.sort(DB, b"s", &plain), Err(Error::NotSortable)));
    assert!(tx.sort(DB, b"missing", &plain).unwrap().is_empty());
    tx.set(DB, b"text", b"1", None).unwrap();
    assert!(matches!(tx.sort(DB, b"text", &plain), Err(Error::WrongType)));
}

#[test]
fn patterns_name_strings_and_fields_and_what_is_not_there_is_none() {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin_exclusive(NOW);
    add(&mut tx, &["a", "b", "c", "d"]);
    for (key, value) in [("w:a", "3"), ("w:b", "1"), ("w:c", "2"), ("w->a", "odd")] {
        tx.set(DB, key.as_bytes(), value.as_bytes(), None).unwrap();
    }
    for (key, value) in [("h:a", "1"), ("h:b", "1"), ("h:c", "-2")] {
        tx.hash_set(DB, key.as_bytes(), b"f->*", value.as_bytes()).unwrap();
    }
    tx.hash_set(DB, b"w:d", b"f", b"9").unwrap();
    let by = SortBy::Weight(Pattern::new(b"w:*"));
    // What holds a hash weighs nothing.
    assert_eq!(sorted(&mut tx, &Sort { by, ..Sort::default() }), ["d", "b", "c", "a"]);
    assert_eq!(
        sorted(&mut tx, &Sort { by, alphabetic: true, descending: true, ..Sort::default() }),
        ["a", "c", "b", "d"]
    );
    let by = SortBy::Weight(Pattern::new(b"h:*->f->*"));
    assert_eq!(sorted(&mut tx, &Sort { by, ..Sort::default() }), ["c", "d", "a", "b"]);
    let long = [&[b'k'; 70_000][..], b"*"].concat();
    let get = [
        &b"#"[..],
        b"w:*",
        b"h:*->f->*",
        b"w:*->",
        b"w->*",
        b"no star",
        b"*->f",
        b"w\0:*",
        b"#\0x",
        &long,
    ];
    let get = get.map(Pattern::new);
    let one = Sort { by: SortBy::Nothing, get: &get, count: Some(1), ..Sort::default() };
    assert_eq!(
        sorted(&mut tx, &one),
        ["a", "3", "1", "nil", "odd", "nil", "nil", "nil", "a", "nil"]
    );
    assert_eq!(
        get.map(|pattern| pattern.reaches_keys()),
        [false, true, true, true, true, false, true, false, false, true]
    );
    // The element, and what is there for it: "a", "3", "1" and "odd".
    let one = Sort { get: &get[..5], most_bytes: Some(6), ..one };
    assert!(tx.sort(DB, b"s", &one).is_ok());
    let short = tx.sort(DB, b"s", &Sort { most_bytes: Some(5), ..one });
    assert!(matches!(short, Err(Error::AnswerTooLong)));
    assert!(matches!(
        tx.sort(DB, b"s", &Sort { by: SortBy::Weight(Pattern::new(b"w->*")), ..Sort::default() }),
        Err(Error::NotSortable)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// The oracle sorts pairs of weight and member.
    #[test]
    fn weights_decide_and_members_where_they_are_equal(
        weights in prop::collection::btree_map("[a-c]{1,3}", prop::option::of(-3..3_i64), 0..30),
        descending in any::<bool>(), offset in -2..20_i64, count in -2..20_i64,
    ) {
        let keyspace = open(&SimDir::new(1));
        let mut tx = keyspace.begin_exclusive(NOW);
        let weights: BTreeMap<String, Option<i64>> = weights;
        for (member, weight) in &weights {
            add(&mut tx, &[member]);
            if let Some(weight) = weight {
                tx.set(DB, format!("w:{member}").as_bytes(), weight.to_string().as_bytes(), None).unwrap();
            }
        }
        let mut wanted: Vec<(i64, &String)> = weights.iter().map(|(member, weight)| (weight.unwrap_or(0), member)).collect();
        wanted.sort_unstable();
        if descending {
            wanted.reverse();
        }
        let wanted: Vec<&String> = wanted.into_iter().map(|(_, member)| member)
            .skip(offset.max(0) as usize)
            .take(usize::try_from(count).unwrap_or(usize::MAX))
            .collect();
        let by = SortBy::Weight(Pattern::new(b"w:*"));
        let found = sorted(&mut tx, &Sort { by, descending, offset, count: Some(count), ..Sort::default() });
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
    }
}
