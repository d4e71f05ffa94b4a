//! Scores of sorted sets in bytes, and the order that they give.
//!
//! In the log a score is eight bytes, big endian, that compare as the scores do:
//!
//! | the score's IEEE 754 bits | bytes |
//! |---|---|
//! | sign 0 | with the sign set |
//! | sign 1 | every bit turned round |
//!
//! NaN is no score. −0 has bytes of its own, just below those of 0; the order takes the two for one, as Redis does: in the
//! keys of [`crate::layout::Part::Scores`] both are 0, and a value says that it is −0.

/// Bytes of a score.
pub(crate) const SCORE_BYTES: usize = 8;

/// The value of a member whose score is −0 among those by score; that of others is empty.
const MINUS_ZERO: &[u8] = b"-";

const SIGN: u64 = 1 << 63;

/// The bytes of a score.
pub(crate) fn encode(score: f64) -> [u8; SCORE_BYTES] {
    let bits = score.to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    ordered.to_be_bytes()
}

/// The score of these bytes; `None` if they are none of a score.
pub(crate) fn decode(bytes: &[u8]) -> Option<f64> {
    let ordered = u64::from_be_bytes(bytes.try_into().ok()?);
    let bits = if ordered & SIGN != 0 { ordered & !SIGN } else { !ordered };
    Some(f64::from_bits(bits)).filter(|score| !score.is_nan())
}

/// A score's place in the order, as a number: that of 0 for −0, too.
pub(crate) fn place(score: f64) -> u64 {
    // −0 + 0 is 0.
    u64::from_be_bytes(encode(score + 0.0))
}

/// The key of a member among those by score.
pub(crate) fn key(score: f64, member: &[u8]) -> Vec<u8> {
    [&place(score).to_be_bytes()[..], member].concat()
}

/// The value of a member among those by score.
pub(crate) fn mark(score: f64) -> &'static [u8] {
    if score == 0.0 && score.is_sign_negative() { MINUS_ZERO } else { b"" }
}

/// The score and the member of an entry among those by score; `None` if it is none.
pub(crate) fn entry<'e>(key: &'e [u8], value: &[u8]) -> Option<(f64, &'e [u8])> {
    let (score, member) = key.split_at_checked(SCORE_BYTES)?;
    let score = decode(score)?;
    match value {
        b"" => Some((score, member)),
        MINUS_ZERO if score == 0.0 => Some((-0.0, member)),
        _ => None,
    }
}

/// The entries by score, in order, of members with their scores' bytes. What is no score sorts by its bytes: whoever
/// reads it finds it out.
pub(crate) fn by_score<'e>(
    members: impl Iterator<Item = (&'e [u8], &'e [u8])>,
) -> Vec<(Vec<u8>, &'static [u8])> {
    let entry = |(member, value): (&[u8], &[u8])| match decode(value) {
        Some(score) => (key(score, member), mark(score)),
        None => ([value, member].concat(), &b""[..]),
    };
    let mut entries: Vec<_> = members.map(entry).collect();
    entries.sort_unstable();
    entries.dedup_by(|later, earlier| later.0 == earlier.0);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scores_have_the_bytes_of_version_1() {
        for (score, bytes) in [
            (f64::NEG_INFINITY, 0x000f_ffff_ffff_ffff_u64),
            (-1.0, 0x400f_ffff_ffff_ffff),
            (-0.0, 0x7fff_ffff_ffff_ffff),
            (0.0, 0x8000_0000_0000_0000),
            (1.0, 0xbff0_0000_0000_0000),
            (f64::INFINITY, 0xfff0_0000_0000_0000),
        ] {
            assert_eq!(encode(score), bytes.to_be_bytes());
            assert_eq!(decode(&bytes.to_be_bytes()).map(f64::to_bits), Some(score.to_bits()));
        }
        for none in [&b""[..], b"1234567", b"123456789", &[0xff; 8], &[0; 8]] {
            assert_eq!(decode(none), None);
        }
        assert_eq!(key(-0.0, b"m"), b"\x80\0\0\0\0\0\0\0m");
        assert_eq!(
            entry(&key(-0.0, b"m"), mark(-0.0)).map(|(score, _)| score.to_bits()),
            Some(SIGN)
        );
        assert_eq!(entry(&key(1.0, b"m"), b"-"), None);
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-3..4_i8).prop_map(f64::from),
            Just(-0.0),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(f64::MIN_POSITIVE / 4.0),
        ]
        .prop_filter("NaN is no score", |score| !score.is_nan())
    }

    proptest! {
        /// Bytes compare as scores do, and give them back to the bit.
        #[test]
        fn bytes_are_in_the_order_of_scores(a in score(), b in score()) {
            prop_assert_eq!(decode(&encode(a)).map(f64::to_bits), Some(a.to_bits()));
            prop_assert_eq!(place(a).cmp(&place(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(encode(a).cmp(&encode(b)), a.total_cmp(&b));
            let key = key(a, b"member");
            let found = entry(&key, mark(a)).map(|(score, member)| (score.to_bits(), member));
            prop_assert_eq!(found, Some((a.to_bits(), &b"member"[..])));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..12), value in prop::collection::vec(any::<u8>(), 0..2)) {
            let _ = (decode(&bytes), entry(&bytes, &value));
        }
    }
}
