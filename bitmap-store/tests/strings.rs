//! What changes of strings cost.

use crate::{NOW, open, options};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{Bytes, Db, Encoding, Keyspace, Options, Sizes};
use std::sync::Arc;

const DB: Db = Db(0);

#[test]
fn overwriting_a_byte_of_a_long_string_or_bitmap_logs_little_else() {
    let dir = SimDir::new(1);
    let options =
        Options { sizes: Sizes { inline: 4 << 10, page: 66 << 10, leaf: 8 << 10 }, ..options() };
    let keyspace = Keyspace::open_in(Arc::new(dir.clone()), options).unwrap();
    let mut tx = keyspace.begin([(DB, &b"string"[..]), (DB, b"bitmap")], NOW);
    tx.set(DB, b"string", &[b'x'; 30_000], None).unwrap();
    for id in 0..20_000 {
        tx.set_bit(DB, b"bitmap", id * 100, true).unwrap();
    }
    tx.commit().unwrap();
    let (before, mut wanted) = (keyspace.stats().log_bytes, vec![b'x'; 30_000]);
    for i in 0..100 {
        let mut tx = keyspace.begin([(DB, &b"string"[..]), (DB, b"bitmap")], NOW);
        let at = i * 7919 % 31_000;
        assert!(tx.set_range(DB, b"string", at, &[i as u8]).unwrap() >= 30_000);
        assert!(tx.set_range(DB, b"bitmap", at * 4, &[i as u8, 1]).unwrap() >= 249_988);
        tx.commit().unwrap();
        wanted.resize(wanted.len().max(at as usize + 1), 0);
        wanted[at as usize] = i as u8;
    }
    let each = (keyspace.stats().log_bytes - before) / 100;
    assert!(each < 250, "{each} bytes for two writes");
    keyspace.close().unwrap();
    let keyspace = open(&dir);
    let mut tx = keyspace.begin([(DB, &b"string"[..]), (DB, b"bitmap")], NOW);
    assert_eq!(tx.get(DB, b"string").unwrap(), Some(Bytes::from(wanted)));
    assert_eq!(tx.encoding(DB, b"bitmap").unwrap(), Some(Encoding::Bitmap));
    assert_eq!(&tx.get_range(DB, b"bitmap", 7919 * 4, 7919 * 4 + 1).unwrap()[..], [1, 1]);
}
