//! Libraries of functions: code under a name, which belongs to no database.
//!
//! The store keeps them for whoever runs them, and knows nothing of what they say.

use super::Transaction;
use crate::keyspace::Keyspace;
use crate::{Error, MAX_KEY_BYTES, MAX_VALUE_BYTES, layout};
use std::ops::ControlFlow;

/// Name and code.
type Library = (Vec<u8>, Vec<u8>);

impl Transaction<'_> {
    /// Keeps the code of a library, in the place of an older one of this name. It is there for
    /// [`Keyspace::libraries`] once the transaction is committed, whatever is done to the databases.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::StringTooLong`].
    pub fn set_library(&mut self, name: &[u8], code: &[u8]) -> Result<(), Error> {
        if name.len() > MAX_KEY_BYTES {
            return Err(Error::KeyTooLong);
        }
        if code.len() as u64 > MAX_VALUE_BYTES {
            return Err(Error::StringTooLong);
        }
        self.pending.libraries.push((layout::library(name), Some(code.to_vec())));
        Ok(())
    }

    /// Forgets a library, if there is one of this name.
    pub fn remove_library(&mut self, name: &[u8]) {
        self.pending.libraries.push((layout::library(name), None));
    }
}

impl Keyspace {
    /// The names and the code of all libraries, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Storage`] if one cannot be read.
    ///
    /// # Examples
    /// ```
    /// use bitmap_store::{Keyspace, Options, UnixMillis};
    /// # let temporary = tempfile::tempdir()?;
    /// let keyspace = Keyspace::open(temporary.path(), Options::default())?;
    /// let mut transaction = keyspace.begin([], UnixMillis(1_700_000_000_000));
    /// transaction.set_library(b"mylib", b"code")?;
    /// transaction.commit()?;
    /// assert_eq!(keyspace.libraries()?, [(b"mylib".to_vec(), b"code".to_vec())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn libraries(&self) -> Result<Vec<Library>, Error> {
        let log = &self.shared.backing.log;
        let mut names = Vec::new();
        log.walk(&layout::library(b""), b"", &mut |name| {
            names.push(name.to_vec());
            ControlFlow::Continue(())
        });
        let mut libraries = Vec::with_capacity(names.len());
        for name in names {
            // One that was removed meanwhile is not there.
            if let Some(code) = log.newest(&name)? {
                libraries.push((layout::library_of(&name).to_vec(), code));
            }
        }
        Ok(libraries)
    }
}
