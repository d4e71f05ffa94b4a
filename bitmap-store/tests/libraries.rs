//! Libraries of functions: they belong to no database, and are there until they are removed.

use bitmap_store::{CompactionOptions, Db, Keyspace, Options, UnixMillis, is_keyspace};
use std::ops::ControlFlow;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

#[test]
fn libraries_outlive_databases_compactions_and_restarts_until_they_are_removed() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let path = temporary.path().join("data");
    let open = || Keyspace::open(&path, Options::default()).expect("opened");
    let pair = |name: &str, code: &str| (name.as_bytes().to_vec(), code.as_bytes().to_vec());
    {
        let keyspace = open();
        let mut transaction = keyspace.begin_exclusive(NOW);
        transaction.set_library(b"one", b"first").expect("set");
        transaction.set_library(b"two", b"code").expect("set");
        assert!(transaction.is_dirty());
        transaction.commit().expect("committed");
        let mut transaction = keyspace.begin([], NOW);
        transaction.set_library(b"three", b"never there").expect("set");
        drop(transaction);
        let mut transaction = keyspace.begin_exclusive(NOW);
        transaction.set_library(b"one", b"second").expect("set");
        transaction.flush_all().expect("flushed");
        transaction.commit().expect("committed");
        assert_eq!(keyspace.libraries().unwrap(), [pair("one", "second"), pair("two", "code")]);
        keyspace.close().expect("closed");
    }
    {
        let keyspace = open();
        let all = CompactionOptions::everything();
        keyspace.compact(&all, NOW, &mut |_| ControlFlow::Continue(())).expect("compacted");
        assert_eq!(keyspace.db_size(Db(0)), 0);
        assert_eq!(keyspace.libraries().unwrap(), [pair("one", "second"), pair("two", "code")]);
        let mut transaction = keyspace.begin([], NOW);
        transaction.remove_library(b"one");
        transaction.remove_library(b"none");
        transaction.commit().expect("committed");
        keyspace.close().expect("closed");
    }
    assert_eq!(open().libraries().unwrap(), [pair("two", "code")]);
    let log = bitcask_core::Bitcask::open(&path, bitcask_core::Options::default());
    assert!(is_keyspace(&log.expect("opened")));
}

#[test]
fn waiting_for_a_key_ends_with_patience() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let keyspace = Keyspace::open(temporary.path(), Options::default()).expect("opened");
    let held = keyspace.begin([(Db(0), &b"k"[..])], NOW);
    assert!(held.holds(Db(0), b"k") && !held.holds_everything());
    let mut asked = 0;
    let mut patience = || {
        asked += 1;
        asked < 3
    };
    assert!(keyspace.begin_while([(Db(0), &b"k"[..])], NOW, &mut patience).is_none());
    assert_eq!(asked, 3);
    assert!(keyspace.begin_exclusive_while(NOW, &mut || false).is_none());
    drop(held);
    let all = keyspace.begin_exclusive_while(NOW, &mut || false).expect("nobody is there");
    assert!(all.holds_everything() && all.holds(Db(3), b"any"));
}
