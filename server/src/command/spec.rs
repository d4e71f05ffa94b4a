//! A row of the command table: name, arity, flags, where its keys are, documentation, handler.
//!
//! The values are those that `COMMAND INFO` of Redis 7 prints, so that clients which read them find
//! what they expect; a few flags of our own say how a command must be run.

use super::{Args, CommandError, Context, KeyPositions};
use resp::Reply;

/// Runs a command whose arity was checked and whose keys are locked. The arguments come without the
/// command's name, and without the subcommand's.
///
/// A handler does all of its work or none: one that fails leaves the keyspace as it found it, since the
/// commands before and after it in a transaction are kept.
pub(crate) type Handler = fn(&mut Context<'_>, Args<'_>) -> Result<Reply, CommandError>;

/// A command, or a subcommand of a container such as `CLIENT`.
#[derive(Clone, Copy)]
pub(crate) struct CommandSpec {
    /// In lower case; a subcommand's own word only (`"setname"`).
    pub name: &'static str,
    /// Number of arguments, the names included; negative: at least so many.
    pub arity: i16,
    pub flags: Flags,
    pub keys: Keys,
    /// Of a command whose options say what else it needs.
    pub reach: Option<fn(resp::Args<'_>) -> Reach>,
    /// What is done to the keys, in the words of Redis' key specifications.
    pub access: &'static str,
    /// The same by the position of the key, where it is not the same for all.
    pub access_each: &'static [(Keys, &'static str)],
    /// What the key specifications have to add, a line for each.
    pub note: &'static str,
    /// Hints for clients and proxies, as Redis words them.
    pub tips: &'static [&'static str],
    pub group: Group,
    /// The version of Redis that introduced it, or ours.
    pub since: &'static str,
    pub complexity: &'static str,
    pub summary: &'static str,
    pub handler: Handler,
    pub subcommands: &'static [CommandSpec],
}

impl CommandSpec {
    pub(crate) const fn new(
        name: &'static str,
        arity: i16,
        flags: Flags,
        keys: Keys,
        handler: Handler,
    ) -> Self {
        CommandSpec {
            name,
            arity,
            flags,
            keys,
            reach: None,
            access: "RO access",
            access_each: &[],
            note: "",
            tips: &[],
            group: Group::Generic,
            since: "1.0.0",
            complexity: "O(1)",
            summary: "",
            handler,
            subcommands: &[],
        }
    }

    /// Adds what the documentation says.
    pub(crate) const fn doc(
        self,
        group: Group,
        since: &'static str,
        complexity: &'static str,
        summary: &'static str,
    ) -> Self {
        CommandSpec { group, since, complexity, summary, ..self }
    }

    /// Says that its options name further keys.
    pub(crate) const fn reaching(self, reach: fn(resp::Args<'_>) -> Reach) -> Self {
        CommandSpec { reach: Some(reach), ..self }
    }

    /// Says what it does to its keys; otherwise it reads them.
    pub(crate) const fn access(self, access: &'static str) -> Self {
        CommandSpec { access, ..self }
    }

    /// Says what it does to its keys, which are these in this order.
    pub(crate) const fn access_each(self, access_each: &'static [(Keys, &'static str)]) -> Self {
        CommandSpec { access_each, ..self }
    }

    /// Adds a remark on what it does to its keys.
    pub(crate) const fn note(self, note: &'static str) -> Self {
        CommandSpec { note, ..self }
    }

    /// Adds hints for clients and proxies.
    pub(crate) const fn tips(self, tips: &'static [&'static str]) -> Self {
        CommandSpec { tips, ..self }
    }

    /// Its keys in runs, and what it does to each.
    pub(crate) fn key_runs(&self) -> Vec<(Keys, &'static str)> {
        match (self.keys.first, self.access_each) {
            (0, _) if self.keys.counted_at == 0 => Vec::new(),
            (_, []) => vec![(self.keys, self.access)],
            (_, each) => each.to_vec(),
        }
    }

    /// The positions of the keys in a request.
    pub(crate) fn key_positions(
        &self,
        request: resp::Args<'_>,
    ) -> impl Iterator<Item = usize> + use<> {
        let further = self.reach.and_then(|reach| reach(request).key);
        KeyPositions::in_request(self.keys, request).chain(further)
    }

    /// Whether a request needs the whole keyspace to itself.
    pub(crate) fn needs_everything(&self, request: resp::Args<'_>) -> bool {
        self.flags.has(Flags::EXCLUSIVE)
            || self.reach.is_some_and(|reach| reach(request).everything)
    }

    /// Whether a request needs the whole keyspace where it is not alone in its transaction.
    pub(crate) fn needs_everything_among_others(&self, request: resp::Args<'_>) -> bool {
        let finds_keys =
            self.flags.has(Flags::BY_KEY) && (self.flags.has(Flags::WRITE) || request.len() > 2);
        finds_keys || self.needs_everything(request)
    }

    /// Makes it a container: its second argument chooses one of these.
    pub(crate) const fn subcommands(self, subcommands: &'static [CommandSpec]) -> Self {
        CommandSpec { subcommands, ..self }
    }

    /// Whether a request of `len` arguments, the name included, has as many as the command takes.
    pub(crate) fn accepts(&self, len: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { len >= wanted } else { len == wanted }
    }
}

/// Properties of a command, combined by [`Flags::or`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u64);

#[allow(dead_code)] // the vocabulary of Redis, whether or not a command of ours uses each word
impl Flags {
    pub(crate) const NONE: Flags = Flags(0);
    pub(crate) const WRITE: Flags = Flags(1);
    pub(crate) const READONLY: Flags = Flags(1 << 1);
    pub(crate) const DENYOOM: Flags = Flags(1 << 2);
    pub(crate) const ADMIN: Flags = Flags(1 << 3);
    pub(crate) const NOSCRIPT: Flags = Flags(1 << 4);
    pub(crate) const BLOCKING: Flags = Flags(1 << 5);
    pub(crate) const LOADING: Flags = Flags(1 << 6);
    pub(crate) const STALE: Flags = Flags(1 << 7);
    pub(crate) const SKIP_MONITOR: Flags = Flags(1 << 8);
    pub(crate) const SKIP_SLOWLOG: Flags = Flags(1 << 9);
    pub(crate) const FAST: Flags = Flags(1 << 10);
    pub(crate) const NO_AUTH: Flags = Flags(1 << 11);
    pub(crate) const NO_ASYNC_LOADING: Flags = Flags(1 << 12);
    pub(crate) const ALLOW_BUSY: Flags = Flags(1 << 13);
    pub(crate) const NO_MULTI: Flags = Flags(1 << 14);
    pub(crate) const MOVABLE_KEYS: Flags = Flags(1 << 15);
    pub(crate) const PUBSUB: Flags = Flags(1 << 16);
    /// It writes to no key and has an effect all the same: it publishes, or changes how a value is kept (PFCOUNT). Scripts
    /// that only read may not call it. `COMMAND INFO` does not print it.
    pub(crate) const MAY_REPLICATE: Flags = Flags(1 << 17);
    pub(crate) const NO_MANDATORY_KEYS: Flags = Flags(1 << 18);

    /// Ours: runs other commands, on keys that it may not have named (EVAL, FCALL).
    pub(crate) const SCRIPT: Flags = Flags(1 << 19);

    /// Ours: may be called in RESP2 by a client that is subscribed.
    pub(crate) const WHILE_SUBSCRIBED: Flags = Flags(1 << 20);
    /// Ours: runs even inside `MULTI` instead of being queued (EXEC, DISCARD, WATCH …).
    pub(crate) const MULTI_OK: Flags = Flags(1 << 24);
    /// Ours: needs the whole keyspace to itself (FLUSHALL).
    pub(crate) const EXCLUSIVE: Flags = Flags(1 << 25);
    /// Ours: may touch its keys in another database than the session's (COPY, MOVE); they are locked
    /// in all of them.
    pub(crate) const OTHER_DB: Flags = Flags(1 << 26);
    /// Ours: reads the keyspace outside of its transaction (KEYS, SCAN, DBSIZE); may take long unless it
    /// is FAST.
    pub(crate) const KEYSPACE_WIDE: Flags = Flags(1 << 27);
    /// Ours: its keys are not locked for it, since it locks them itself (WATCH).
    pub(crate) const UNLOCKED: Flags = Flags(1 << 30);
    /// Ours: belongs to Redis' ACL category of administration, though it may be called by anybody.
    pub(crate) const ADMIN_CATEGORY: Flags = Flags(1 << 31);
    /// Ours: belongs to Redis' ACL category of dangerous commands.
    pub(crate) const DANGEROUS: Flags = Flags(1 << 28);
    /// Ours: belongs to Redis' ACL category of commands about keys of any type.
    pub(crate) const KEYSPACE: Flags = Flags(1 << 29);

    /// Ours: locks the keys that it finds one after the other. In a transaction it needs the whole keyspace, unless
    /// it is KEYS without options.
    pub(crate) const BY_KEY: Flags = Flags(1 << 32);
    /// Ours: belongs to Redis' ACL categories of sets, sorted sets and lists, whatever its chapter.
    pub(crate) const SORTS: Flags = Flags(1 << 33);
    /// Ours: belongs to Redis' ACL category of commands about the connection, whatever its chapter.
    pub(crate) const CONNECTION: Flags = Flags(1 << 23);

    /// The flags of both.
    pub(crate) const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether it has all flags of `other`.
    pub(crate) const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names as `COMMAND INFO` prints them, in its order; ours are not among them.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: &[(Flags, &str)] = &[
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENYOOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NOSCRIPT, "noscript"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
            (Flags::MOVABLE_KEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
        ];
        NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        self.or(other)
    }
}

/// What a request needs beside the keys at the positions of its command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The position of another key.
    pub key: Option<usize>,
    /// It looks at keys that cannot be known before.
    pub everything: bool,
}

/// Where a command's keys are among its arguments; position 0 is the command's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Keys {
    /// 0: there are none.
    pub first: i16,
    /// Negative: counted from the end, -1 being the last argument.
    pub last: i16,
    pub step: i16,
    /// Not 0: at this position is the number of further keys, and they follow it.
    pub counted_at: i16,
}

#[allow(dead_code)] // one vocabulary for all families
impl Keys {
    pub(crate) const fn none() -> Self {
        Keys::range(0, 0, 0)
    }

    pub(crate) const fn first() -> Self {
        Keys::range(1, 1, 1)
    }

    pub(crate) const fn range(first: i16, last: i16, step: i16) -> Self {
        Keys { first, last, step, counted_at: 0 }
    }

    /// As many keys as the argument at `position` says, right behind it.
    pub(crate) const fn counted(position: i16) -> Self {
        Keys { first: 0, last: 0, step: 0, counted_at: position }
    }

    /// The first argument, and as many keys as the argument at `position` says, right behind it.
    pub(crate) const fn first_and_counted(position: i16) -> Self {
        Keys { counted_at: position, ..Keys::first() }
    }
}

/// The chapter of the documentation that a command belongs to.
#[allow(dead_code)] // the chapters of Redis, whether or not a command of ours is in each
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Bitmap,
    HyperLogLog,
    PubSub,
    Scripting,
    Transactions,
    Connection,
    Server,
}

impl Group {
    pub(crate) const ALL: &[Group] = &[
        Group::Generic,
        Group::String,
        Group::List,
        Group::Set,
        Group::SortedSet,
        Group::Hash,
        Group::Bitmap,
        Group::HyperLogLog,
        Group::PubSub,
        Group::Scripting,
        Group::Transactions,
        Group::Connection,
        Group::Server,
    ];

    /// As `COMMAND DOCS` prints it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Bitmap => "bitmap",
            Group::HyperLogLog => "hyperloglog",
            Group::PubSub => "pubsub",
            Group::Scripting => "scripting",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
        }
    }
}
