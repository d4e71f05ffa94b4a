//! Intsets: sets of integers, in order.
//!
//! | size | field | meaning |
//! |---:|---|---|
//! | 4 | width | bytes of each number: 2, 4 or 8 |
//! | 4 | count | how many there are, at least one |
//! | … | numbers | ascending |
//!
//! All little endian.

use super::input::Input;

/// The numbers of an intset.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<i64>, &'static str> {
    let mut input = Input(bytes);
    let width = u32::from_le_bytes(input.array()?) as usize;
    let count = u32::from_le_bytes(input.array()?) as usize;
    if !matches!(width, 2 | 4 | 8) {
        return Err("an intset has numbers of an odd width");
    }
    if count == 0 || width.checked_mul(count) != Some(input.len()) {
        return Err("an intset has another length than it says");
    }
    let numbers: Result<Vec<i64>, _> = (0..count).map(|_| input.signed(width)).collect();
    let numbers = numbers?;
    if !numbers.is_sorted_by(|a, b| a < b) {
        return Err("an intset is not in order");
    }
    Ok(numbers)
}

/// Writes numbers, which ascend.
pub(super) fn write(numbers: &[i64]) -> Vec<u8> {
    let fits = |least: i64, most: i64| numbers.iter().all(|n| (least..=most).contains(n));
    let width = if fits(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    };
    let mut out = Vec::with_capacity(8 + numbers.len() * width);
    out.extend_from_slice(&(width as u32).to_le_bytes());
    out.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(set in btree_set(any::<i64>(), 1..20), shift in 0..60_u32) {
            let mut numbers: Vec<i64> = set.into_iter().map(|n| n >> shift).collect();
            numbers.dedup();
            prop_assert_eq!(read(&write(&numbers)), Ok(numbers));
        }
    }

    #[test]
    fn what_is_no_intset_is_refused() {
        let good = write(&[-2, 5, 9]);
        assert_eq!(good, b"\x02\0\0\0\x03\0\0\0\xfe\xff\x05\0\x09\0");
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "cut to {len}");
        }
        assert!(read(b"\x02\0\0\0\x02\0\0\0\x05\0\x05\0").is_err(), "a duplicate");
        assert!(read(b"\x02\0\0\0\x02\0\0\0\x05\0\x04\0").is_err(), "out of order");
        assert!(read(b"\x02\0\0\0\x00\0\0\0").is_err(), "empty");
        assert!(read(b"\x03\0\0\0\x01\0\0\0\x05\0\x04").is_err(), "an odd width");
        assert!(read(b"\x08\0\0\0\xff\xff\xff\xff").is_err(), "a count without numbers");
    }
}
