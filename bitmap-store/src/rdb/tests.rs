//! Payloads that Redis has printed, and those that nobody should believe.

use super::fuzzing::{example_payloads, in_order, payload};
use super::input::Element;
use super::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

fn restored(body: &[u8]) -> Result<Value, Error> {
    Value::restore(&seal(body))
}

fn texts(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..12),
        3 => (any::<i64>(), 0..64_u32).prop_map(|(n, shift)| (n >> shift).to_string().into_bytes()),
        1 => vec(0..3_u8, 0..600),
        1 => (any::<u8>(), 4000..9000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let score = any::<f64>().prop_filter("NaN is no score", |score| !score.is_nan());
    prop_oneof![
        element().prop_map(|bytes| Value::String(bytes.into())),
        vec(element(), 1..40).prop_map(Value::List),
        btree_set(element(), 1..40).prop_map(|set| Value::Set(set.into_iter().collect())),
        btree_set(any::<i64>(), 1..600).prop_map(|set| {
            Value::Set(set.iter().map(|n| n.to_string().into_bytes()).collect())
        }),
        btree_map(element(), element(), 1..40)
            .prop_map(|map| Value::Hash(map.into_iter().collect())),
        btree_map(element(), score, 1..40)
            .prop_map(|map| Value::SortedSet(map.into_iter().collect())),
        (500..530_u32, any::<bool>()).prop_map(|(count, scored)| {
            let name = |n: u32| n.to_string().into_bytes();
            match scored {
                true => Value::SortedSet((0..count).map(|n| (name(n), n.into())).collect()),
                false => Value::Hash((0..count).map(|n| (name(n), name(n * 7))).collect()),
            }
        }),
    ]
}

proptest! {
    #[test]
    fn a_value_comes_back_from_its_payload(value in any_value()) {
        let payload = value.dump();
        let back = Value::restore(&payload).map(in_order);
        prop_assert_eq!(back, Ok(in_order(value)));
    }

    #[test]
    fn a_payload_with_any_flipped_bit_or_cut_short_is_refused(
        value in any_value(), at in any::<prop::sample::Index>(), bit in 0..8_u8
    ) {
        let good = value.dump();
        let at = at.index(good.len());
        let mut bad = good.clone();
        bad[at] ^= 1 << bit;
        prop_assert_eq!(Value::restore(&bad), Err(Error::Footer));
        prop_assert_eq!(Value::restore(&good[..at]), Err(Error::Footer));
    }

    /// With a checksum that is right, so that the value itself is looked at.
    #[test]
    fn a_damaged_value_is_refused_or_reads_back(
        which in any::<prop::sample::Index>(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in 0..4_usize
    ) {
        let mut examples = example_payloads();
        let body = &mut examples[which.index(17)];
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(body.len() - cut.min(body.len()));
        payload(body);
    }

    #[test]
    fn any_bytes_are_refused_or_read_back(bytes in vec(any::<u8>(), 0..60), kind in 0..26_u8) {
        payload(&bytes);
        payload(&[&[kind][..], &bytes].concat());
    }
}

#[test]
fn every_example_is_a_value() {
    let examples = example_payloads();
    assert_eq!(examples.len(), 17);
    for body in examples {
        assert!(restored(&body).is_ok(), "{}: {:?}", body.escape_ascii(), restored(&body));
    }
}

#[test]
fn encodings_of_older_versions_are_read() {
    let list = |words: &[&str]| Ok(Value::List(texts(words)));
    // RESTORE's example in the documentation of Redis, of version 4 of the format.
    let old = b"\n\x17\x17\x00\x00\x00\x12\x00\x00\x00\x03\x00\x00\xc0\x01\x00\x04\xc0\x02\x00\x04\xc0\x03\x00\xff\x04\x00u#<\xc0;.\xe9\xdd";
    assert_eq!(Value::restore(old), list(&["1", "2", "3"]));
    // Of version 7.
    let old = b"\x00\x04test\x07\x00\x7e\xa2\x7a\x53\x64\x3b\x65\x5f";
    assert_eq!(Value::restore(old), Ok(Value::String(b"test"[..].into())));

    let packed = |kind: u8, elements: &[Element<'_>]| {
        let list = ziplist::tests::packed(elements);
        assert!(list.len() < 64);
        restored(&[&[kind, list.len() as u8][..], &list].concat())
    };
    let elements =
        [Element::Bytes(b"a"), Element::Int(5), Element::Bytes(b"b"), Element::Int(-300)];
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!(packed(10, &elements), list(&["a", "5", "b", "-300"]));
    assert_eq!(packed(13, &elements), Ok(Value::Hash(vec![pair("a", "5"), pair("b", "-300")])));
    let scored = vec![(b"a".to_vec(), 5.0), (b"b".to_vec(), -300.0)];
    assert_eq!(packed(12, &elements), Ok(Value::SortedSet(scored)));
    for kind in [12, 13] {
        assert!(packed(kind, &elements[..3]).is_err(), "half a pair");
        let twice = [elements[0], elements[1], elements[0], elements[3]];
        assert!(packed(kind, &twice).is_err(), "a name that is there twice");
        assert!(packed(kind, &[]).is_err(), "empty");
    }
    assert!(packed(12, &[Element::Bytes(b"a"), Element::Bytes(b"nan")]).is_err());
}

#[test]
fn empty_collections_duplicates_and_scores_that_are_none_are_refused() {
    for kind in [1, 2, 3, 4, 5, 14, 18] {
        assert!(restored(&[kind, 0]).is_err(), "{kind}");
        // More elements than there are bytes.
        for huge in [&b"\x80\xff\xff\xff\xff"[..], b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert!(restored(&[&[kind][..], huge, b"abc"].concat()).is_err(), "{kind}");
        }
    }
    assert!(restored(b"\x02\x02\x01a\x01a").is_err());
    assert!(restored(b"\x04\x02\x01a\x01x\x01a\x01y").is_err());
    assert!(restored(b"\x03\x01\x01a\xfd").is_err(), "NaN");
    assert!(restored(&[&b"\x05\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat()).is_err());
    assert_eq!(restored(b"\x00\x01ab"), Ok(Value::String(b"a"[..].into())), "more behind it");
    assert!(restored(b"\x00\xc3\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00a").is_err());
    assert!(restored(b"").is_err());
    assert_eq!(Value::restore(b""), Err(Error::Footer));
}

#[test]
fn a_length_of_more_than_a_value_may_take_is_refused_before_memory_is_taken() {
    // A node of a list that is compressed to a thousandth is not: this one claims to be.
    let node = b"\x02\xc3\x03\x80\x20\0\0\0\xe0\xff\x00";
    assert!(restored(&[&b"\x12\x01"[..], node].concat()).is_err());
}

#[test]
fn what_cannot_be_held_is_named() {
    for kind in [6, 7, 15, 19, 21, 22, 25] {
        assert!(matches!(restored(&[kind, 1, 2]), Err(Error::Unsupported(_))), "{kind}");
    }
    for kind in [8, 26, 0xfa, 0xff] {
        assert!(matches!(restored(&[kind, 1, 2]), Err(Error::Malformed(_))), "{kind}");
    }
}

#[test]
fn newer_versions_of_the_format_are_refused_and_older_ones_are_not() {
    let versioned = |version: u16| {
        let mut out = [&b"\x00\x01a"[..], &version.to_le_bytes()].concat();
        out.extend_from_slice(&crc64::checksum(&out).to_le_bytes());
        Value::restore(&out)
    };
    for version in [1, 6, 9, 10, 11, 12] {
        assert_eq!(versioned(version), Ok(Value::String(b"a"[..].into())));
    }
    assert_eq!(versioned(13), Err(Error::Footer));
    // Redis refuses a checksum of zero in a payload, too; it says "none" in a file only.
    assert_eq!(Value::restore(b"\x00\x01a\x0a\x00\0\0\0\0\0\0\0\0"), Err(Error::Footer));
}

/// What redis-server 7.0.15 prints.
#[test]
fn payloads_of_redis_are_read_and_those_without_compression_written_alike() {
    let string = |text: &str| Value::String(text.to_owned().into());
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let scored = |name: &str, score: f64| (name.as_bytes().to_vec(), score);
    let alike: [(Value, &[u8]); 11] = [
        (string("-129"), b"\0\xc1\x7f\xff\n\0\x17`\x82(T\x80\x84\x80"),
        (string("7"), b"\0\xc0\x07\n\0t\xcdH\xa2\x83\xab\xce\x92"),
        (string("1234567"), b"\0\xc2\x87\xd6\x12\0\n\0\xe9>\x1e6+;|^"),
        (string("12345678901234567890"), b"\0\x1412345678901234567890\n\0\xbd7$>\xe8=\xf2\xb1"),
        (string("12345678901"), b"\0\x0b12345678901\n\x000NR\xd7'\x17e\x10"),
        (string("hello"), b"\0\x05hello\n\0cr\xdfve4 \n"),
        (string(""), b"\0\0\n\0]\x9b\\@\x0f\x7f\xa2\xda"),
        (Value::List(texts(&["a", "-5", "300", "a longer element of a list", "70000", "5000000000"])), b"\x12\x01\x02;;\0\0\0\x06\0\x81a\x02\xdf\xfb\x02\xc1,\x02\x9aa longer element of a list\x1b\xf2p\x11\x01\x04\xf4\0\xf2\x05*\x01\0\0\0\x09\xff\n\0\xb74\x98\x985\x88\xd8>"),
        (Value::Set(texts(&["-3", "5", "70000"])), b"\x0b\x14\x04\0\0\0\x03\0\0\0\xfd\xff\xff\xff\x05\0\0\0p\x11\x01\0\n\0\x9d\xb0g\xc26\xa6_?"),
        (Value::Set(texts(&["a", "b"])), b"\x02\x02\x01a\x01b\n\0\xfed!%\xeb\x03=\x0d"),
        (Value::Hash(vec![pair("name", "Ada"), pair("born", "1815")]), b"\x10\x1b\x1b\0\0\0\x04\0\x84name\x05\x83Ada\x04\x84born\x05\xc7\x17\x02\xff\n\0\xebL\xcb\xc9(\x05\\\x91"),
    ];
    for (value, payload) in alike {
        assert_eq!(Value::restore(payload).as_ref(), Ok(&value));
        assert_eq!(value.dump(), payload, "{value:?}");
    }
    let compressed: [(Value, &[u8]); 4] = [
        (string(&"ab".repeat(40)), b"\0\xc3\n@P\x02aba\xe0B\x01\x01ab\n\0\x94\x9d_\x0e\xb1\xde\xa4E"),
        (Value::Hash(vec![pair("f", &"v".repeat(70))]), b"\x04\x01\x01f\xc3\x09@F\x01vv\xe09\0\x01vv\n\0\xf2\x1b\xfa\n\x02\xf2t\x9c"),
        (Value::SortedSet(vec![scored("b", -2.0), scored("d", 0.1), scored("a", 1.5), scored("c", f64::INFINITY)]), b"\x11\xc3,5\x135\0\0\0\x08\0\x81b\x02\xdf\xfe\x02\x81d\x02\x930.10\xe0\x05\0\x121\x14\x81a\x02\x831.5\x04\x81c\x02\x83inf\x04\xff\n\0\xf1\x0f\xc7\xb0\xc6_\x9e\xea"),
        (Value::SortedSet(vec![scored(&"m".repeat(70), 1.5), scored("x", f64::NEG_INFINITY)]), b"\x05\x02\xc3\x09@F\x01mm\xe09\0\x01mm\0\0\0\0\0\0\xf8?\x01x\0\0\0\0\0\0\xf0\xff\n\0\x7f\x04\x11\xc5A\xb4\x1a\x14"),
    ];
    for (value, payload) in compressed {
        assert_eq!(Value::restore(payload).as_ref(), Ok(&value));
        assert!(value.dump().len() <= payload.len() + 4, "{value:?}");
    }
}
