//! Keyspace events: which are published, and what a transaction has to say of its effects.
//!
//! A handler tells what it did by [`Context::event`]. That is kept until the transaction is committed and then
//! published in the order of the effects, while the keys are still locked: two changes of one key are never
//! told in the wrong order, and a transaction that is given up says nothing.

use crate::command::Context;
use bitmap_store::Db;
use std::fmt;

/// What kind of change an event tells of, in Redis' classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // one vocabulary for all families
pub(crate) enum Class {
    /// `g`: what can be done to a key of any type.
    Generic,
    /// `$`: strings.
    String,
    /// `l`: lists.
    List,
    /// `s`: sets.
    Set,
    /// `h`: hashes.
    Hash,
    /// `z`: sorted sets.
    SortedSet,
    /// `x`: a key whose time has come was deleted.
    Expired,
    /// `e`: a key gave way to others; that never happens here.
    Evicted,
    /// `t`: streams.
    Stream,
    /// `d`: types of modules.
    Module,
    /// `n`: a key is there that was not.
    New,
    /// `m`: a key was looked for to read it, and is missing.
    KeyMiss,
}

/// The letters of the classes, in the order of [`Class`].
const LETTERS: [char; 12] = ['g', '$', 'l', 's', 'h', 'z', 'x', 'e', 't', 'd', 'n', 'm'];

/// What is published: the value of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notify(u32);

impl Notify {
    /// `K`: under the name of the key.
    const KEYSPACE: u32 = 1 << 16;
    /// `E`: under the name of the event.
    const KEYEVENT: u32 = 1 << 17;
    /// `A`: all classes but those of new and missing keys.
    const ALL: u32 = (1 << Class::New as u32) - 1;

    /// Reads Redis' letters, of which any may come in any order; `None` if there is another one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.chars().try_fold(Notify(0), |notify, letter| {
            let bits = match letter {
                'A' => Self::ALL,
                'K' => Self::KEYSPACE,
                'E' => Self::KEYEVENT,
                letter => 1 << LETTERS.iter().position(|known| *known == letter)?,
            };
            Some(Notify(notify.0 | bits))
        })
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Notify(bits)
    }

    /// Whether events of `class` are published anywhere.
    pub(crate) fn has(self, class: Class) -> bool {
        self.0 & (1 << class as u32) != 0 && self.0 & (Self::KEYSPACE | Self::KEYEVENT) != 0
    }

    pub(crate) fn by_key(self) -> bool {
        self.0 & Self::KEYSPACE != 0
    }

    pub(crate) fn by_event(self) -> bool {
        self.0 & Self::KEYEVENT != 0
    }
}

/// As Redis writes it back, which says `A` where that is true.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0 & Self::ALL == Self::ALL;
        if all {
            f.write_str("A")?;
        }
        for (at, letter) in LETTERS.into_iter().enumerate().filter(|(_, letter)| *letter != 'm') {
            if self.0 & 1 << at != 0 && !(all && Self::ALL & 1 << at != 0) {
                write!(f, "{letter}")?;
            }
        }
        for (bit, letter) in
            [(Self::KEYSPACE, 'K'), (Self::KEYEVENT, 'E'), (1 << Class::KeyMiss as u32, 'm')]
        {
            if self.0 & bit != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// What a transaction will say once it is committed.
#[derive(Default)]
pub(crate) struct Voice {
    events: Vec<Event>,
}

/// Something that happened to a key.
struct Event {
    name: &'static str,
    db: Db,
    key: Box<[u8]>,
}

impl Context<'_> {
    /// Tells that `key` of the command's database has changed: `cx.event(Class::Hash, "hset", key)`. Call it
    /// after the change, in the order in which Redis tells of several. It is published once the transaction is
    /// committed, if anybody asked for it (`notify-keyspace-events`); else this costs one look at the setting.
    pub(crate) fn event(&mut self, class: Class, name: &'static str, key: &[u8]) {
        self.event_in(self.db, class, name, key);
    }

    /// The same for a key of another database.
    pub(crate) fn event_in(&mut self, db: Db, class: Class, name: &'static str, key: &[u8]) {
        if self.server.settings.notify().has(class) {
            self.voice.events.push(Event { name, db, key: key.into() });
        }
    }
}
