//! What the fuzzer asks of payloads: see [`crate::fuzzing`].

use super::{Value, read, seal};

/// Valid inputs of [`payload`]: types and values, without footers.
pub fn example_payloads() -> Vec<Vec<u8>> {
    let texts = |range: std::ops::Range<u32>| -> Vec<Vec<u8>> {
        range.map(|n| format!("element {}", n * 7919).into_bytes()).collect()
    };
    let pair = |n: u32| (format!("field {n}").into_bytes(), format!("{n}").into_bytes());
    let scored = |n: u32| (format!("member {n}").into_bytes(), f64::from(n) / 3.0);
    let mut bodies: Vec<Vec<u8>> = [
        Value::String(b"-129"[..].into()),
        Value::String(vec![b'a'; 90].into()),
        Value::String(b"hello"[..].into()),
        Value::List([texts(0..3), vec![vec![b'b'; 9000], b"-70000".to_vec()]].concat()),
        Value::Set(vec![b"5".to_vec(), b"-3".to_vec()]),
        Value::Set(texts(0..4)),
        Value::Hash((0..3).map(pair).collect()),
        Value::Hash((0..513).map(pair).collect()),
        Value::SortedSet((0..3).map(scored).collect()),
        Value::SortedSet((0..130).map(scored).collect()),
    ]
    .iter()
    .map(|value| {
        let mut body = value.dump();
        body.truncate(body.len() - super::FOOTER_LEN);
        body
    })
    .collect();
    // What is only read.
    let ziplist = b"\x17\x17\0\0\0\x12\0\0\0\x03\0\0\xc0\x01\0\x04\xc0\x02\0\x04\xc0\x03\0\xff";
    bodies.push([&b"\x0a"[..], ziplist].concat());
    bodies.push([&b"\x0e\x02"[..], ziplist, ziplist].concat());
    bodies.push(b"\x09\x1a\x02\x03foo\x03\x02bar..\x05hello\x05\0world\xff".to_vec());
    bodies.push(b"\x03\x02\x01a\x031.5\x01b\xff".to_vec());
    bodies.push(b"\x01\x02\x01a\xc0\x05".to_vec());
    bodies.push(b"\x14\x0c\x0c\0\0\0\x02\0\x05\x01\x81a\x02\xff".to_vec());
    bodies.push(b"\x12\x01\x01\x05plain".to_vec());
    bodies
}

/// A payload is refused, or a value that reads back from what it is written as, in whichever encoding that is.
pub fn payload(body: &[u8]) {
    let _ = Value::restore(body);
    let Ok(value) = read::value(body) else { return };
    assert_eq!(Value::restore(&seal(body)).as_ref(), Ok(&value), "with its footer");
    let again = Value::restore(&value.dump()).expect("what is written can be read");
    assert_eq!(in_order(again), in_order(value));
}

/// The value with what has no order in one order.
pub(crate) fn in_order(mut value: Value) -> Value {
    match &mut value {
        Value::String(_) | Value::List(_) => {}
        Value::Set(members) => members.sort_unstable(),
        Value::Hash(pairs) => pairs.sort_unstable(),
        Value::SortedSet(members) => members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b)),
    }
    value
}
