//! A keyspace for tools: telling its log from that of another program, and looking at it beside a running server.

use crate::letting_go::LettingGo;
use crate::record::RecordFold;
use crate::{DATABASES, Db, Error, Keyspace, Options, layout};
use bitcask_core::{Bitcask, Fold, KeyRange};
use std::ops::Bound;
use std::sync::Arc;

/// What brings the changes in a keyspace's log together, for who opens that as a plain store.
pub fn fold() -> Arc<dyn Fold> {
    Arc::new(RecordFold)
}

/// Whether `log` has been written by a [`Keyspace`]: it has keys, and every one is named as a keyspace names its
/// own — a database's number and a letter for what it is, or what belongs to no database.
///
/// That costs some fifty look-ups in memory, whatever the number of keys. A store of somebody's own, whose keys
/// all look like that, would pass for one.
///
/// # Examples
/// ```
/// use bitcask_core::Bitcask;
/// use bitmap_store::{Db, Keyspace, Options, UnixMillis, is_keyspace};
/// # let temporary = tempfile::tempdir()?;
/// # let path = temporary.path().join("data");
/// let now = UnixMillis(1_700_000_000_000);
/// let keyspace = Keyspace::open(&path, Options::default())?;
/// let mut transaction = keyspace.begin([(Db(0), &b"key"[..])], now);
/// transaction.set_bit(Db(0), b"key", 7, true)?;
/// keyspace.wait_durable(transaction.commit()?)?;
/// keyspace.close()?;
///
/// let log = Bitcask::open(&path, Default::default())?;
/// assert!(is_keyspace(&log));
/// log.put(b"mine", b"", now)?;
/// assert!(!is_keyspace(&log));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn is_keyspace(log: &Bitcask) -> bool {
    let has_keys = |from: Bound<&[u8]>, to: Bound<&[u8]>| {
        log.keys(KeyRange::new::<&[u8]>((from, to))).next().is_some()
    };
    // The prefixes of names, in byte order: between what begins with one and the next there is nothing.
    let of_db = |db| [layout::key(db, b""), layout::pages_of_all(db), layout::expiries(db)];
    let mut prefixes: Vec<layout::Name> = (0..DATABASES).map(Db).flat_map(of_db).collect();
    prefixes.extend([layout::library(b""), layout::cursors()]);
    let mut from = Vec::new();
    for prefix in &prefixes {
        if from[..] < prefix[..] && has_keys(Bound::Included(&from), Bound::Excluded(prefix)) {
            return false;
        }
        from = prefix.to_vec();
        // No prefix ends in 0xff.
        *from.last_mut().expect("a prefix is not empty") += 1;
    }
    !log.is_empty() && !has_keys(Bound::Included(&from), Bound::Unbounded)
}

impl Keyspace {
    /// The keyspace whose log is `log`, opened for reading only with [`fold`]: for looking at it beside the
    /// server that writes it. Reading works as ever; a transaction is to be dropped and not committed, and what
    /// has expired is not found.
    ///
    /// # Errors
    /// [`Error::Storage`] if the log cannot be read.
    pub fn view(log: Bitcask, options: &Options) -> Result<Self, Error> {
        Ok(Self::over(log, options, &LettingGo::default())?)
    }

    /// The keys of `db` from `from` up to, and without, `to`, in byte order, expired ones included; `.rev()` goes
    /// backwards. Takes no locks and never reads the disk: see [`Bitcask::keys`].
    pub fn names(
        &self,
        db: Db,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = Vec<u8>> + use<'_> {
        let first = layout::key(db, from);
        let beyond = match to {
            Some(to) => layout::key(db, to).to_vec(),
            // The letter of keys is followed by another.
            None => vec![first[0], first[1] + 1],
        };
        let names = KeyRange::new::<&[u8]>(&first[..]..&beyond[..]);
        self.log().keys(names).map(|name| layout::key_of(&name).to_vec())
    }

    /// The log, in which keys have the names that [`is_keyspace`] knows. Writing to it would do harm.
    pub fn log(&self) -> &Bitcask {
        &self.shared.backing.log
    }
}
