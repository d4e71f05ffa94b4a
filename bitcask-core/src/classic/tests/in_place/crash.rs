//! Every call of taking over, of the first writes and of compaction fails, or is the last.

use super::*;
use crate::storage::sim::Faults;
use crate::storage::write_all_at;

/// The states that the contents go through; and the run, which fails where the disk does.
fn run(dir: &SimDir, start: &Contents) -> (Vec<Contents>, Result<(), Error>) {
    let mut states = vec![start.clone()];
    let ran = (|| {
        let store = open_as(dir, Mode::Existing)?;
        let mut now = start.clone();
        now.insert(key(0), (b"of our own".to_vec(), None));
        states.push(now.clone());
        store.put(&key(0), b"of our own", NOW)?;
        now.remove(&key(2));
        states.push(now.clone());
        store.delete(&key(2), NOW)?;
        compact(&store)?;
        store.close()?;
        // The list goes.
        open_as(dir, Mode::Existing)?.close()
    })();
    (states, ran)
}

#[test]
fn wherever_it_stops_the_contents_are_what_they_were_and_it_goes_on() {
    for crash in [true, false] {
        let mut stopped = 0;
        for n in 1.. {
            let (dir, start) = sample();
            let faults = match crash {
                true => Faults { crash_at: Some(n), ..Faults::default() },
                false => Faults { fail_at: Some(n), ..Faults::default() },
            };
            dir.faults(faults);
            let (states, ran) = run(&dir, &start);
            let failed = dir.has_failed();
            assert!(ran.is_ok() || failed, "{n}: {ran:?}");
            dir.faults(Faults::default());
            for after in [dir.kill(), dir.crash(), dir.crash(), dir.crash()] {
                let found = all(&open_as(&after, Mode::ReadOnly).unwrap());
                assert!(states.contains(&found), "{n}: {found:?}");
                assert!(ran.is_err() || Some(&found) == states.last(), "{n}");
                let (states, ran) = run(&after, &found);
                ran.unwrap_or_else(|e| panic!("{n}: {e}"));
                assert!(data_files(&after).is_empty() && !has_list(&after), "{n}");
                let left: Vec<_> =
                    after.files().into_iter().filter(|name| !name.ends_with(".seg")).collect();
                let known = |name: &String| name == "lock" || name.ends_with(".hint");
                assert!(left.iter().all(known), "{n}: {left:?}");
                assert_eq!(all(&open_in_place(&after)), states[2]);
            }
            if !failed {
                break;
            }
            stopped += 1;
        }
        assert!(stopped > 40, "{stopped}");
    }
}

/// Basho's Bitcask does not sync unless it is told to.
#[test]
fn what_their_writer_left_to_the_system_is_on_disk_once_it_is_taken_over() {
    let (from, wanted) = sample();
    for seed in 0..20 {
        let dir = SimDir::new(seed);
        for name in data_files(&from) {
            let file = dir.create(&name).unwrap();
            write_all_at(&*file, &from.read_file(&name), 0).unwrap();
        }
        drop(open_in_place(&dir));
        assert_eq!(all(&open_in_place(&dir.crash())), wanted);
    }
}

#[test]
fn a_disk_that_is_full_leaves_the_directory_as_it_was_or_the_store_readable() {
    let mut refused = 0;
    for room in 0..400 {
        let (dir, start) = sample();
        let used: usize = dir.files().iter().map(|name| dir.read_file(name).len()).sum();
        let before = data_files(&dir);
        dir.faults(Faults { capacity: Some((used + 16 * room) as u64), ..Faults::default() });
        let (states, ran) = run(&dir, &start);
        if ran.is_err() {
            refused += 1;
            assert_eq!(data_files(&dir), before);
        }
        dir.faults(Faults::default());
        let found = all(&open_as(&dir, Mode::ReadOnly).unwrap());
        assert!(states.contains(&found), "{room}");
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn a_backup_that_breaks_off_anywhere_can_be_repeated() {
    let (dir, _) = sample();
    let store = open_in_place(&dir);
    store.put(b"own", b"value", NOW).unwrap();
    let wanted = all(&store);
    for n in 1.. {
        let target = SimDir::new(n);
        target.faults(Faults { crash_at: Some(n), ..Faults::default() });
        let done = store.backup_in(&target);
        let after = if n % 2 == 0 { target.crash() } else { target.kill() };
        if done.is_err() && after.files().iter().any(|name| name != "lock") {
            let opened = open_as(&after, Mode::Existing);
            assert!(matches!(opened, Err(Error::Unfinished { .. })), "{n}: {opened:?}");
        }
        store.backup_in(&after).unwrap_or_else(|e| panic!("{n}: {e}"));
        assert_eq!(all(&open_in_place(&after)), wanted, "{n}");
        if done.is_ok() {
            break;
        }
    }
}
