//! Real sets of ids: `tests/data/uscensus2000.txt`.

use std::collections::BTreeSet;

/// The 200 sets of uscensus2000.
///
/// # Panics
/// The file is not what it was.
pub fn census() -> Vec<BTreeSet<u64>> {
    let sets: Vec<BTreeSet<u64>> = include_str!("../data/uscensus2000.txt")
        .lines()
        .map(|line| line.split(',').map(|id| id.parse().expect("ids are numbers")).collect())
        .collect();
    assert_eq!((sets.len(), sets.iter().map(BTreeSet::len).sum()), (200, 5985));
    sets
}
