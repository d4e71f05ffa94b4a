//! What the elements of a list are ordered by: byte strings between any two of which another fits.
//!
//! | field | size | meaning |
//! |---|---|---|
//! | sign | 1 | 0x80 plus the bytes of the integer; of a negative one, 0x80 minus them |
//! | integer | | big endian, without leading zeros; of a negative one, the complement of its absolute value |
//! | fraction | | any bytes, the last of which is not 0; mostly none |
//!
//! An element pushed at an end is one integer further; one that is inserted gets a fraction. So keys take two to four
//! bytes, and nothing moves.

/// The place of the first element of a list.
pub(crate) const FIRST: &[u8] = &[ZERO];

const ZERO: u8 = 0x80;
/// Longest integer that is counted on from; nobody pushes 2^56 elements.
const INTEGER_BYTES: usize = 7;

/// A place after `key`, at the other end of which nothing is.
pub(crate) fn after(key: &[u8]) -> Option<Vec<u8>> {
    let (number, len) = integer_of(key)?;
    let next = number + 1;
    // What is between two integers of different lengths may have a leading zero; the next is longer then.
    Some(integer(if key[0] > ZERO { next.max(least(len)) } else { next }))
}

/// A place before `key`, at the other end of which nothing is.
pub(crate) fn before(key: &[u8]) -> Option<Vec<u8>> {
    let (number, len) = integer_of(key)?;
    let next = number - 1;
    Some(integer(if key[0] < ZERO { next.min(-least(len)) } else { next }))
}

/// A place between `low` and `high`, in the middle so far as its first different byte goes. `None` if there is none:
/// the keys are not in order, or not as this module makes them.
pub(crate) fn between(low: &[u8], high: &[u8]) -> Option<Vec<u8>> {
    let shared = low.iter().zip(high).take_while(|(a, b)| a == b).count();
    let mut key = high[..shared].to_vec();
    let (mut low, high) = (low[shared..].iter(), &high[shared..]);
    match low.next() {
        Some(digit) if high.first()? > digit => {
            let high = high[0];
            if high - digit > 1 {
                key.push(digit + (high - digit) / 2);
            } else {
                key.push(*digit);
                // Half of what is left above it.
                loop {
                    match low.next() {
                        None => break key.push(ZERO),
                        Some(0xff) => key.push(0xff),
                        Some(digit) => break key.push(digit + (0xff - digit).div_ceil(2)),
                    }
                }
            }
        }
        Some(_) => return None,
        None => {
            let zeros = high.iter().take_while(|digit| **digit == 0).count();
            key.extend_from_slice(&high[..zeros]);
            match *high.get(zeros)? {
                1 => key.extend_from_slice(&[0, ZERO]),
                digit => key.push(digit / 2),
            }
        }
    }
    // It is below `high` at its last byte already, whatever follows.
    let whole = 1 + usize::from(key[0].abs_diff(ZERO));
    if key.len() < whole {
        key.resize(whole, ZERO);
    }
    Some(key)
}

/// So many places in order between `low` and `high`, about evenly.
pub(crate) fn spread(
    low: &[u8],
    high: &[u8],
    count: usize,
    places: &mut Vec<Vec<u8>>,
) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let middle = between(low, high)?;
    spread(low, &middle, (count - 1) / 2, places)?;
    places.push(middle.clone());
    spread(&middle, high, count / 2, places)
}

/// So many places in order, without others.
pub(crate) fn places() -> impl Iterator<Item = Vec<u8>> {
    (0..).map(integer)
}

/// The least number that takes so many bytes.
fn least(len: usize) -> i64 {
    1 << (8 * (len - 1))
}

fn integer(number: i64) -> Vec<u8> {
    let bytes = number.unsigned_abs().to_be_bytes();
    let digits = &bytes[number.unsigned_abs().leading_zeros() as usize / 8..];
    let len = digits.len() as u8;
    if number < 0 {
        [ZERO - len].into_iter().chain(digits.iter().map(|digit| !digit)).collect()
    } else {
        [&[ZERO + len], digits].concat()
    }
}

/// The integer before the fraction of a key, and how many bytes it takes; `None` of bytes that are no key.
fn integer_of(key: &[u8]) -> Option<(i64, usize)> {
    let (&sign, rest) = key.split_first()?;
    let digits = rest.get(..usize::from(sign.abs_diff(ZERO)))?;
    if digits.len() > INTEGER_BYTES {
        return None;
    }
    let fold = |number: i64, digit: u8| number << 8 | i64::from(digit);
    let number = match sign < ZERO {
        true => -digits.iter().fold(0, |number, digit| fold(number, !digit)),
        false => digits.iter().fold(0, |number, digit| fold(number, *digit)),
    };
    Some((number, digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn places_have_the_bytes_of_version_1() {
        assert_eq!(integer(0), FIRST);
        assert_eq!(integer(1), b"\x81\x01");
        assert_eq!(integer(256), b"\x82\x01\x00");
        assert_eq!(integer(-1), b"\x7f\xfe");
        assert_eq!(integer(-256), b"\x7e\xfe\xff");
        assert_eq!(between(&integer(1), &integer(2)).unwrap(), b"\x81\x01\x80");
        assert_eq!(between(&integer(255), &integer(256)).unwrap(), b"\x81\xff\x80");
        assert_eq!(between(&integer(-1), FIRST).unwrap(), b"\x7f\xff");
    }

    /// Once, there was none.
    #[test]
    fn there_is_a_place_before_one_that_is_between_integers_of_different_lengths() {
        let key = between(&integer(-511), &integer(-255)).unwrap();
        assert_eq!(key, b"\x7e\xff\x80");
        assert!(before(&key).unwrap() < key && after(&key).unwrap() > key);
    }

    proptest! {
        /// Wherever something is inserted, it fits there; at the ends nothing gets longer.
        #[test]
        fn there_is_a_place_before_after_and_between_any_two(at in vec((any::<usize>(), 1..40_usize), 1..60)) {
            let mut keys = vec![FIRST.to_vec()];
            for (at, times) in at {
                // Often at the same place: that is where keys grow.
                for _ in 0..times {
                    let at = at % (keys.len() + 1);
                    let key = match (at.checked_sub(1).map(|at| &keys[at]), keys.get(at)) {
                        (None, Some(first)) => before(first),
                        (Some(last), None) => after(last),
                        (Some(low), Some(high)) => between(low, high),
                        (None, None) => unreachable!(),
                    };
                    keys.insert(at, key.unwrap());
                }
            }
            prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
            let (first, last) = (&keys[0], &keys[keys.len() - 1]);
            prop_assert!(before(first).unwrap().len() <= 3 && after(last).unwrap().len() <= 3);
        }

        #[test]
        fn integers_are_in_order_and_read_back(a in any::<i64>().prop_map(|n| n >> 9), b in -70_000..70_000_i64) {
            for (a, b) in [(a, b), (b, b + 1), (a, a + 1)] {
                prop_assert_eq!(integer(a).cmp(&integer(b)), a.cmp(&b));
                prop_assert_eq!(integer_of(&integer(a)).map(|(number, _)| number), Some(a));
            }
        }

        #[test]
        fn places_that_are_spread_are_in_order_and_short(low in -300..300_i64, gap in 1..300_i64, count in 0..900_usize) {
            let (low, high) = (integer(low), integer(low + gap));
            let mut places = Vec::new();
            spread(&low, &high, count, &mut places).unwrap();
            prop_assert_eq!(places.len(), count);
            prop_assert!(places.iter().all(|place| *place > low && *place < high && place.len() <= 6));
            prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn any_bytes_have_a_place_beside_them_or_none(a in vec(any::<u8>(), 0..12), b in vec(0..3_u8, 0..5)) {
            for (a, b) in [(&a, &b), (&b, &a), (&a, &a)] {
                if let Some(key) = between(a, b) {
                    prop_assert!(a < &key && &key < b);
                }
            }
            if let Some(key) = after(&a) {
                prop_assert!(key > a);
            }
            if let Some(key) = before(&a) {
                prop_assert!(key < a);
            }
        }
    }
}
