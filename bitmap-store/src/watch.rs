//! Watching a key for changes: optimistic locking.

use crate::keyspace::{Keyspace, Shared};
use crate::stripe::lock;
use crate::{Db, Error, layout};
use bitcask_core::UnixMillis;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// Says whether a key has been changed since. Dropping it ends the watch.
pub struct Watch {
    shared: Arc<Shared>,
    name: Box<[u8]>,
    flag: Arc<AtomicBool>,
    /// When the key expires, if it had not by the time it was watched.
    expires_at: Option<UnixMillis>,
}

impl Keyspace {
    /// Watches `key`: `flag` is set when a transaction that changes it commits. One flag may serve for many
    /// keys.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Damaged`] if the key's expiry cannot be read.
    pub fn watch(
        &self,
        db: Db,
        key: &[u8],
        flag: Arc<AtomicBool>,
        now: UnixMillis,
    ) -> Result<Watch, Error> {
        let name: Box<[u8]> = layout::key(db, key).as_ref().into();
        // What has expired goes first: that it is cleared away later is no change.
        let mut transaction = self.begin([(db, key)], now);
        if !transaction.exists(db, key)? {
            transaction.delete(db, key)?;
            transaction.commit()?;
            transaction = self.begin([(db, key)], now);
        }
        let expires_at = transaction.expiry(db, key)?.flatten();
        let watchers = transaction.watchers(&name).entry(name.clone()).or_default();
        watchers.push(Arc::downgrade(&flag));
        drop(transaction);
        Ok(Watch { shared: self.shared.clone(), name, flag, expires_at })
    }
}

impl Watch {
    /// True if the key was changed, or has expired by `now`.
    pub fn is_dirty(&self, now: UnixMillis) -> bool {
        self.flag.load(Ordering::Acquire) || self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut stripe = lock(&self.shared.stripes[self.shared.stripe_of(&self.name)]);
        if let Some(watchers) = stripe.watchers.get_mut(&self.name) {
            let flag = Arc::downgrade(&self.flag);
            if let Some(at) = watchers.iter().position(|watcher| Weak::ptr_eq(watcher, &flag)) {
                watchers.swap_remove(at);
            }
            if watchers.is_empty() {
                stripe.watchers.remove(&self.name);
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("name", &self.name.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}
