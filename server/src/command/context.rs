//! What a handler may see and change: its transaction, its session, the server, time and chance.

use super::{CommandError, table};
use crate::events::Voice;
use crate::session::Session;
use crate::shared::Shared;
use bitmap_store::{Db, Transaction, UnixMillis};

/// The surroundings of one command, or of all commands of one `EXEC`.
pub(crate) struct Context<'a> {
    /// Holds exactly the command's keys (by its row in the table), or all keys.
    pub tx: Transaction<'a>,
    /// The session's database when the command began.
    pub db: Db,
    /// The one time that the command sees.
    pub now: UnixMillis,
    pub session: &'a mut Session,
    pub server: &'a Shared,
    pub random: &'a mut Random,
    /// What is told of the transaction once it is committed: see [`Context::event`].
    pub voice: Voice,
}

impl Context<'_> {
    /// Counts a key that was looked for to read it, as Redis' `keyspace_hits` and `keyspace_misses` do, and tells
    /// of one that is missing, if anybody asked for that.
    pub(crate) fn looked_for(&mut self, key: &[u8], found: bool) {
        self.looked_up(found);
        if !found {
            self.event_of_miss(key);
        }
    }

    /// As [`Context::looked_for`], for the commands with which Redis tells nobody.
    pub(crate) fn looked_up(&mut self, found: bool) {
        self.session.lookups.count(found);
    }

    /// As [`Context::looked_for`] where the command's outcome does not tell: what was not `seen` may have been there.
    /// Returns whether it was.
    ///
    /// # Errors
    /// The key cannot be read.
    pub(crate) fn looked_up_key(&mut self, key: &[u8], seen: bool) -> Result<bool, CommandError> {
        let found = seen || self.tx.exists(self.db, key)?;
        self.looked_for(key, found);
        Ok(found)
    }

    /// Whether the command was queued and is run by `EXEC`, or is called by a script: it may not wait for
    /// anything.
    pub(crate) fn is_in_exec(&self) -> bool {
        let command = table().get(self.session.last_command).spec;
        command.name == "exec" || self.is_in_script()
    }

    /// Whether the command is called by a script.
    pub(crate) fn is_in_script(&self) -> bool {
        self.session.in_script
    }
}

/// The generator that handlers take chance from; the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Random { state: seed }
    }

    /// The next number, equally likely among all of 64 bits (SplitMix64).
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The high bits of a product: no division, and a bias of less than 2^-32 for any real bound.
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }
}
