//! `gc`: what has expired and what is left over goes, and the space comes back.

use crate::arguments::{Database, Gc};
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::output::Out;
use crate::progress::Bar;
use crate::report::{Report, Value};
use crate::target::{self, Access, Opened};
use bitcask_core::{Batch, Bitcask, CompactionOptions, KeyRange, UnixMillis};

/// Keys that are deleted as one batch.
const AT_ONCE: usize = 1000;

pub fn gc(args: &Gc, out: &mut Out) -> Result<Outcome, Failure> {
    let path = &args.dir.dir;
    let opened = target::open(path, Database::default(), Access::Write)?;
    let before = opened.log().stats().disk_bytes;
    let expired = match &opened {
        Opened::Log(log) => delete_expired(log, target::now(), out)?,
        Opened::Keyspace(keyspace) => {
            let mut expired = 0;
            loop {
                let done = keyspace.expire_due(target::now(), AT_ONCE)?;
                expired += done.keys as u64;
                match done.damaged {
                    Some(damage) => return Err(damage.into()),
                    None if done.keys == 0 => break expired,
                    None => {}
                }
            }
        }
    };
    super::compact::run(&opened, &CompactionOptions::everything(), out)?;
    let after = opened.log().stats().disk_bytes;
    opened.close()?;
    let set_aside = files::ending_in(path, &[".torn", ".damaged"])?;
    let (mut removed, mut freed) = (0, 0);
    if args.set_aside {
        for (file, len) in &set_aside {
            files::remove(file)?;
            removed += 1;
            freed += len;
        }
    }
    let mut report = Report::default();
    report
        .add("expired_keys", Value::count(expired))
        .add("bytes_before", Value::bytes(before))
        .add("bytes_after", Value::bytes(after))
        .add("files_set_aside", Value::count(set_aside.len() as u64))
        .add("files_removed", Value::count(removed))
        .add("bytes_of_files_removed", Value::bytes(freed));
    report.print(out)?;
    Ok(Outcome::Done)
}

/// Deletes what has expired. Nobody else writes meanwhile.
fn delete_expired(log: &Bitcask, now: UnixMillis, out: &Out) -> Result<u64, Failure> {
    let bar = Bar::count(out, "looking for expired keys", log.len() as u64);
    let mut batch = Batch::new(now);
    let mut expired = 0;
    for key in log.keys(KeyRange::all()) {
        // What deletes a key is read with its checksum; metadata of a long record is not.
        if log.metadata(&key)?.is_some_and(|found| found.is_expired(now))
            && log.expiry(&key)?.is_some_and(|at| at <= now)
        {
            batch.delete(&key);
            expired += 1;
        }
        if batch.len() == AT_ONCE {
            log.write(&mut batch)?;
            batch.reset(now);
        }
        bar.advance(1);
    }
    log.write(&mut batch)?;
    log.sync()?;
    Ok(expired)
}
