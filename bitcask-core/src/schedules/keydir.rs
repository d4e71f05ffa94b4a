//! The keydir between threads, through its lock as the store has it.

use super::explore;
use crate::Location;
use crate::keydir::KeyDir;
use crate::sync::{RwLock, thread};

fn at(n: u32) -> Location {
    Location { segment: n, offset: n, len: n + 1 }
}

#[test]
fn what_threads_insert_and_remove_is_what_walks_find() {
    explore(|| {
        let keydir = RwLock::new(KeyDir::default());
        let kept: Vec<Vec<u8>> =
            (0..20).map(|n| format!("key:{:02}", n * 5).into_bytes()).collect();
        for key in &kept {
            keydir.write().unwrap().insert(key, at(0));
        }
        thread::scope(|scope| {
            for of in 1..3 {
                let keydir = &keydir;
                scope.spawn(move || {
                    for n in 0..12 {
                        let key = format!("key:{:02}", n * 5 + of);
                        assert_eq!(keydir.write().unwrap().insert(key.as_bytes(), at(of)), None);
                        if n > 5 {
                            let key = format!("key:{:02}", (n - 5) * 5 + of);
                            let gone = keydir.write().unwrap().remove(key.as_bytes());
                            assert_eq!(gone, Some(at(of)));
                        }
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..6 {
                    // A page at a time, as an iterator does it.
                    let (mut found, mut from) = (Vec::<Vec<u8>>::new(), Vec::new());
                    loop {
                        let keydir = keydir.read().unwrap();
                        let mut walk = keydir.walk(b"", &from);
                        let mut page = Vec::new();
                        while let Some((key, _)) = walk.next() {
                            page.push(key.to_vec());
                            if page.len() == 7 {
                                break;
                            }
                        }
                        let Some(last) = page.last() else { break };
                        from = [&last[..], &[0]].concat();
                        found.extend(page);
                    }
                    assert!(found.is_sorted_by(|a, b| a < b));
                    assert!(kept.iter().all(|key| found.contains(key)));
                }
            });
        });
        let keydir = keydir.into_inner().unwrap();
        assert_eq!(keydir.len(), 20 + 2 * 6);
        for of in 1..3 {
            for n in 0..12 {
                let found = keydir.get(format!("key:{:02}", n * 5 + of).as_bytes());
                assert_eq!(found.is_some(), n == 0 || n > 6, "{n}");
            }
        }
    });
}
