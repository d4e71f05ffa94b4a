//! Every layout: golden bytes, what the model says, damage, import and export, and stores over such directories.

mod damage;
mod export;
mod import;
mod in_place;
mod layouts;
mod model;
mod opening;

use super::{Directory, DirectoryOptions, Entry, Layout};
use crate::storage::sim::SimDir;
use crate::{Bitcask, Options, UnixMillis};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(in crate::classic) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(in crate::classic) fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const NOW_SECS: u64 = NOW.0 / 1000;

type Contents = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;

fn open(dir: &SimDir, layout: Layout) -> Directory {
    Directory::open_in(Arc::new(dir.clone()), layout, DirectoryOptions::default()).unwrap()
}

fn contents(directory: &Directory) -> Contents {
    let entries: Vec<Entry> = directory.entries().map(Result::unwrap).collect();
    let contents: Contents =
        entries.iter().map(|e| (e.key.clone(), (e.value.clone(), e.expires_at))).collect();
    assert_eq!(contents.len(), entries.len(), "each key is there once");
    assert_eq!(contents.len(), directory.len());
    let mut walked = Vec::new();
    directory.walk(b"", b"", &mut |key, place| {
        assert_eq!(directory.place(key), Some(place));
        walked.push((key.to_vec(), directory.read(place).unwrap()));
        ControlFlow::Continue(())
    });
    let mut by_key = entries;
    by_key.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(walked.into_iter().eq(by_key.into_iter().map(|entry| (entry.key.clone(), entry))));
    contents
}

fn value(directory: &Directory, key: &[u8]) -> Option<Vec<u8>> {
    directory.get(key).unwrap().map(|entry| entry.value)
}

/// Two keys, each overwritten the way Basho's does it: a tombstone for the older file, then the value.
pub(in crate::classic) const BASHO_DATA: &str = concat!(
    "2bb337a8576ab6330006000000166d796b6579326269746361736b5f746f6d6273746f6e653200000001",
    "a92445c5576ab6330006000000086d796b6579326d7976616c756558",
    "ae37f0b6576ab63c0005000000166d796b65796269746361736b5f746f6d6273746f6e653200000001",
    "105fbb8c576ab63c0005000000076d796b65796d7956414c5545",
);

fn basho_data() -> Vec<u8> {
    bytes(BASHO_DATA)
}

/// In Snappy's block format, as one literal.
fn snappy(value: &[u8]) -> Vec<u8> {
    assert!((1..60).contains(&value.len()));
    let len = value.len() as u8;
    [&[len, (len - 1) << 2], value].concat()
}

fn no_thread() -> Options {
    Options { background: false, ..Options::default() }
}

fn store_contents(store: &Bitcask) -> Contents {
    let mut keys = Vec::new();
    store.walk(b"", b"", &mut |key| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    });
    let entry = |key: &[u8]| store.entry(key).unwrap().unwrap();
    keys.into_iter()
        .map(|key| {
            let entry = entry(&key);
            assert!(entry.deltas.is_empty());
            (key, (entry.base, entry.expires_at))
        })
        .collect()
}
