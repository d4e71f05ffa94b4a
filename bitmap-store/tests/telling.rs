//! What a transaction knows of its effects, for those who tell of them.

use crate::{NOW, open};
use bitmap_store::storage::sim::SimDir;
use bitmap_store::{BitOp, Db, Error, Keyspace, Transaction, UnixMillis};

const DB: Db = Db(0);
const LATER: UnixMillis = UnixMillis(NOW.0 + 1000);

/// A store with `old`, which has expired later, and `lasting`.
fn store() -> Keyspace {
    let keyspace = open(&SimDir::new(1));
    let mut tx = keyspace.begin([(DB, &b"old"[..]), (DB, b"lasting")], NOW);
    tx.set(DB, b"old", b"1", Some(UnixMillis(NOW.0 + 10))).unwrap();
    tx.set(DB, b"lasting", b"1", None).unwrap();
    tx.commit().unwrap();
    keyspace
}

#[test]
fn what_had_expired_and_was_cleared_away_by_a_write_is_known_once() {
    type Write = fn(&mut Transaction<'_>) -> Result<(), Error>;
    let writes: [Write; 8] = [
        |tx| tx.set(DB, b"old", b"2", None),
        |tx| tx.append(DB, b"old", b"2").map(drop),
        |tx| tx.set_bit(DB, b"old", 7, true).map(drop),
        |tx| tx.set_range(DB, b"old", 3, b"x").map(drop),
        |tx| tx.incr_by(DB, b"old", 1).map(drop),
        |tx| tx.delete(DB, b"old").map(|there| assert!(!there)),
        |tx| tx.rename(DB, b"lasting", b"old"),
        |tx| tx.bit_op(BitOp::Not, DB, b"old", &[b"lasting"]).map(drop),
    ];
    for (i, write) in writes.into_iter().enumerate() {
        let keyspace = store();
        let mut tx = keyspace.begin([(DB, &b"old"[..]), (DB, b"lasting")], LATER);
        assert!(tx.take_expired().is_empty());
        assert!(!tx.was_there(DB, b"old") && tx.was_there(DB, b"lasting"));
        write(&mut tx).unwrap();
        assert_eq!(tx.take_expired(), [(DB, Box::from(&b"old"[..]))], "write {i}");
        assert!(!tx.was_there(DB, b"old") && tx.was_there(DB, b"lasting"), "write {i}");
        assert!(tx.take_expired().is_empty());
        tx.commit().unwrap();
    }
    let keyspace = store();
    let mut tx = keyspace.begin([(DB, &b"old"[..])], LATER);
    assert_eq!(tx.get(DB, b"old").unwrap(), None);
    assert!(tx.take_expired().is_empty(), "reading clears nothing away");
}

#[test]
fn reclaimed_keys_are_told_one_by_one_and_others_not() {
    let keyspace = store();
    let mut told = Vec::new();
    let mut tell = |db: Db, key: &[u8], position| {
        assert!(keyspace.is_durable(position) || position > Default::default());
        told.push((db, key.to_vec()));
    };
    let reclaimed = keyspace.expire_due_telling(LATER, 10, &mut tell).unwrap();
    assert_eq!((reclaimed.keys, keyspace.db_size(DB)), (1, 1));
    assert_eq!(told, [(DB, b"old".to_vec())]);
}

#[test]
fn others_get_at_the_keys_once_it_is_told_and_who_only_read_tells_too() {
    let dir = SimDir::new(1);
    let keyspace = open(&dir);
    let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
    tx.set(DB, b"k", b"1", None).unwrap();
    std::thread::scope(|scope| {
        let mut told = false;
        let position = tx
            .commit_then(|_| {
                let waiting = scope.spawn(|| {
                    let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
                    tx.append(DB, b"k", b"2").unwrap();
                    tx.commit().unwrap();
                });
                std::thread::sleep(std::time::Duration::from_millis(20));
                assert!(!waiting.is_finished(), "the key is still locked");
                told = true;
            })
            .unwrap();
        assert!(told);
        keyspace.wait_durable(position).unwrap();
    });
    // A transaction that only read tells, too.
    let mut tx = keyspace.begin([(DB, &b"k"[..])], NOW);
    assert_eq!(&tx.get(DB, b"k").unwrap().unwrap()[..], b"12");
    let mut told = false;
    tx.commit_then(|_| told = true).unwrap();
    assert!(told);
}
