//! From a value to the body of a payload: see [`super::read`] for the types and encodings.
//!
//! The encodings are those of Redis 7.0 with its default limits. A sorted set's members are in order, since
//! Redis trusts that of a listpack.

use super::{Value, intset, listpack::Listpack, lzf, score};
use crate::transaction::integer;
use std::cmp::Ordering;

/// Longest hash in a listpack, and longest sorted set.
const PACKED_FIELDS: usize = 512;
const PACKED_MEMBERS: usize = 128;
/// Longest field, value or member in one.
const PACKED_BYTES: usize = 64;
/// Most members of an intset.
const INTSET_ENTRIES: usize = 512;
/// A listpack of a list grows no larger, unless by a single element.
const NODE_BYTES: usize = 8 << 10;
/// A node that is a listpack.
const PACKED_NODE: usize = 2;
/// Longest text that may be kept as a number.
const NUMBER_BYTES: usize = 11;
/// A string up to this length is not compressed.
const UNCOMPRESSED_BYTES: usize = 20;

pub(super) fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(bytes) => {
            out.push(0);
            put_string(bytes, out);
        }
        Value::List(elements) => put_list(elements, out),
        Value::Set(members) => put_set(members, out),
        Value::Hash(pairs) => put_hash(pairs, out),
        Value::SortedSet(members) => put_sorted_set(members, out),
    }
}

fn put_length(len: usize, out: &mut Vec<u8>) {
    match len {
        0..64 => out.push(len as u8),
        64..16_384 => out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
        _ => match u32::try_from(len) {
            Ok(len) => {
                out.push(0x80);
                out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        },
    }
}

fn put_string(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.len() <= NUMBER_BYTES
        && let Some(n) = integer(bytes)
        && let Ok(n) = i32::try_from(n)
    {
        let (kind, len) = match n {
            -0x80..=0x7f => (0xc0, 1),
            -0x8000..=0x7fff => (0xc1, 2),
            _ => (0xc2, 4),
        };
        out.push(kind);
        out.extend_from_slice(&n.to_le_bytes()[..len]);
        return;
    }
    if bytes.len() > UNCOMPRESSED_BYTES
        && let Some(compressed) = lzf::compress(bytes)
    {
        out.push(0xc3);
        put_length(compressed.len(), out);
        put_length(bytes.len(), out);
        out.extend_from_slice(&compressed);
        return;
    }
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn put_list(elements: &[Vec<u8>], out: &mut Vec<u8>) {
    let mut nodes: Vec<Listpack> = Vec::new();
    for element in elements {
        match nodes.last_mut().filter(|last| last.len() + element.len() <= NODE_BYTES) {
            Some(last) => last.push(element),
            None => {
                let mut next = Listpack::new();
                next.push(element);
                nodes.push(next);
            }
        }
    }
    out.push(18);
    put_length(nodes.len(), out);
    for node in nodes {
        put_length(PACKED_NODE, out);
        put_string(&node.finish(), out);
    }
}

fn put_set(members: &[Vec<u8>], out: &mut Vec<u8>) {
    if members.len() <= INTSET_ENTRIES
        && let Some(mut numbers) =
            members.iter().map(|member| integer(member)).collect::<Option<Vec<i64>>>()
    {
        numbers.sort_unstable();
        out.push(11);
        return put_string(&intset::write(&numbers), out);
    }
    out.push(2);
    put_length(members.len(), out);
    members.iter().for_each(|member| put_string(member, out));
}

fn put_hash(pairs: &[(Vec<u8>, Vec<u8>)], out: &mut Vec<u8>) {
    let short = |(field, value): &(Vec<u8>, Vec<u8>)| {
        field.len() <= PACKED_BYTES && value.len() <= PACKED_BYTES
    };
    if pairs.len() <= PACKED_FIELDS && pairs.iter().all(short) {
        let mut pack = Listpack::new();
        for (field, value) in pairs {
            pack.push(field);
            pack.push(value);
        }
        out.push(16);
        return put_string(&pack.finish(), out);
    }
    out.push(4);
    put_length(pairs.len(), out);
    for (field, value) in pairs {
        put_string(field, out);
        put_string(value, out);
    }
}

fn put_sorted_set(members: &[(Vec<u8>, f64)], out: &mut Vec<u8>) {
    let mut sorted: Vec<&(Vec<u8>, f64)> = members.iter().collect();
    sorted.sort_unstable_by(|(a, score_a), (b, score_b)| {
        score_a.partial_cmp(score_b).unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
    });
    if members.len() <= PACKED_MEMBERS && members.iter().all(|(m, _)| m.len() <= PACKED_BYTES) {
        let mut pack = Listpack::new();
        for (member, score) in sorted {
            pack.push(member);
            pack.push(score::text(*score).as_bytes());
        }
        out.push(17);
        return put_string(&pack.finish(), out);
    }
    out.push(5);
    put_length(members.len(), out);
    // The highest first: whoever reads it inserts each in front.
    for (member, score) in sorted.into_iter().rev() {
        put_string(member, out);
        out.extend_from_slice(&score.to_le_bytes());
    }
}
