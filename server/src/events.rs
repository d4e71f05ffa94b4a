//! Keyspace events: which are published, and what a transaction has to say of its effects.
//!
//! A handler tells what it did by [`Context::event`]. That is kept until the transaction is committed and then
//! published in the order of the effects, while the keys are still locked: two changes of one key are never
//! told in the wrong order, and a transaction that is given up says nothing.

use crate::command::{CommandError, Context};
use crate::pubsub::Kind;
use crate::shared::Shared;
use bitmap_store::{Db, Position, UnixMillis};
use std::collections::BTreeMap;
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
pub struct Notify(u32);

impl Notify {
    /// `K`: under the name of the key.
    const KEYSPACE: u32 = 1 << 16;
    /// `E`: under the name of the event.
    const KEYEVENT: u32 = 1 << 17;
    /// `A`: all classes but those of new and missing keys.
    const ALL: u32 = (1 << Class::New as u32) - 1;

    /// Reads Redis' letters, of which any may come in any order; `None` if there is another one.
    pub fn parse(text: &str) -> Option<Self> {
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

    /// Whether nothing is published at all.
    pub(crate) fn is_silent(self) -> bool {
        self.0 & (Self::KEYSPACE | Self::KEYEVENT) == 0
    }

    /// Whether events of `class` are published anywhere.
    pub(crate) fn has(self, class: Class) -> bool {
        self.0 & (1 << class as u32) != 0 && !self.is_silent()
    }

    pub(crate) fn by_key(self) -> bool {
        self.0 & Self::KEYSPACE != 0
    }

    pub(crate) fn by_event(self) -> bool {
        self.0 & Self::KEYEVENT != 0
    }
}

/// As Redis writes it back: where `A` is true it says no more of classes than that, and not whether new keys are
/// told of.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0 & Self::ALL == Self::ALL;
        if all {
            f.write_str("A")?;
        }
        for (at, letter) in LETTERS.into_iter().enumerate().filter(|(_, letter)| *letter != 'm') {
            if !all && self.0 & 1 << at != 0 {
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

/// What a transaction will say once it is committed. Most say nothing: then it is no more than a null pointer.
#[derive(Default)]
pub(crate) struct Voice(Option<Box<Words>>);

#[derive(Default)]
struct Words {
    said: Vec<Said>,
    /// Where new keys are told of: whether a key was there when it was spoken of last.
    there: BTreeMap<(u8, Box<[u8]>), bool>,
}

/// The event of a key that is missing.
const MISS: &str = "keymiss";

enum Said {
    Event { name: &'static str, db: Db, key: Box<[u8]> },
    Message { kind: Kind, channel: Box<[u8]>, text: Box<[u8]> },
}

impl Voice {
    /// Whether there is nothing to say.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.as_ref().is_none_or(|words| words.said.is_empty())
    }

    /// The keys of a database, or of all, are gone, and nobody is told of each.
    pub(crate) fn forget_keys(&mut self) {
        if let Some(words) = &mut self.0 {
            words.there.clear();
        }
    }

    fn words(&mut self) -> &mut Words {
        self.0.get_or_insert_default()
    }

    /// Takes over what another transaction's commands said, after what was said so far.
    #[allow(dead_code)] // for what runs commands on behalf of another
    pub(crate) fn append(&mut self, other: Voice) {
        if let Some(other) = other.0 {
            let words = self.words();
            words.said.extend(other.said);
            words.there.extend(other.there);
        }
    }

    /// The command failed, and nothing has happened; but it looked for keys, and that is told.
    pub(crate) fn speak_of_misses(mut self, server: &Shared, now: UnixMillis) {
        if let Some(words) = &mut self.0 {
            words.said.retain(|said| matches!(said, Said::Event { name: MISS, .. }));
            self.speak(server, Position::default(), now);
        }
    }

    /// Says everything, in order. It reaches nobody before the log is durable up to `position`.
    pub(crate) fn speak(self, server: &Shared, position: Position, now: UnixMillis) {
        let Some(words) = self.0 else { return };
        let limit = server.settings.subscriber_limit();
        let notify = server.settings.notify();
        for said in words.said {
            match said {
                Said::Event { name, db, key } => {
                    tell(server, notify, name, db, &key, position, now);
                }
                Said::Message { kind, channel, text } => {
                    server.pubsub.publish(kind, &channel, &text, position, limit, now);
                }
            }
        }
    }
}

/// Publishes one event.
pub(crate) fn tell(
    server: &Shared,
    notify: Notify,
    name: &str,
    db: Db,
    key: &[u8],
    position: Position,
    now: UnixMillis,
) {
    if server.pubsub.is_idle() {
        return;
    }
    let limit = server.settings.subscriber_limit();
    let publish = |channel: &[u8], text: &[u8]| {
        server.pubsub.publish(Kind::Channel, channel, text, position, limit, now);
    };
    if notify.by_key() {
        let mut channel = format!("__keyspace@{}__:", db.0).into_bytes();
        channel.extend_from_slice(key);
        publish(&channel, name.as_bytes());
    }
    if notify.by_event() {
        publish(format!("__keyevent@{}__:{name}", db.0).as_bytes(), key);
    }
}

impl Context<'_> {
    /// Tells that `key` of the command's database has changed: `cx.event(Class::Hash, "hset", key)`. Call it
    /// after the change, in the order in which Redis tells of several. It is published once the transaction is
    /// committed, if anybody asked for it (`notify-keyspace-events`); else this costs one look at the setting.
    ///
    /// That a key is new, or that another had expired and was cleared away, is told by itself, before what is
    /// told here.
    pub(crate) fn event(&mut self, class: Class, name: &'static str, key: &[u8]) {
        self.event_in(self.db, class, name, key);
    }

    /// The same for a key of another database.
    pub(crate) fn event_in(&mut self, db: Db, class: Class, name: &'static str, key: &[u8]) {
        let notify = self.server.settings.notify();
        if !notify.is_silent() {
            self.tell_of_expired(notify);
            self.tell_if_new(notify, db, key);
            self.push_event(notify, class, name, db, key);
        }
    }

    /// Tells that a key is new although there was one of its name: Redis deletes that first (RENAME, COPY,
    /// RESTORE).
    pub(crate) fn event_of_new(&mut self, db: Db, key: &[u8]) {
        let notify = self.server.settings.notify();
        if notify.has(Class::New) {
            self.tell_of_expired(notify);
            self.voice.words().there.insert((db.0, key.into()), true);
            self.push_event(notify, Class::New, "new", db, key);
        }
    }

    /// Tells of a key that has been made, if it was not there before: where nothing else is told.
    pub(crate) fn event_if_new(&mut self, key: &[u8]) {
        let notify = self.server.settings.notify();
        if notify.has(Class::New) {
            self.tell_of_expired(notify);
            self.tell_if_new(notify, self.db, key);
        }
    }

    /// Tells that a key was looked for to read it, and is missing.
    pub(crate) fn event_of_miss(&mut self, key: &[u8]) {
        self.push_event(self.server.settings.notify(), Class::KeyMiss, MISS, self.db, key);
    }

    /// Whether events of `class` are published.
    pub(crate) fn hears(&self, class: Class) -> bool {
        self.server.settings.notify().has(class)
    }

    /// Tells that `key` was deleted, if it is not there: after what may have taken its last element.
    ///
    /// # Errors
    /// The key cannot be read.
    pub(crate) fn event_if_gone(&mut self, key: &[u8]) -> Result<(), CommandError> {
        if self.hears(Class::Generic) && !self.tx.exists(self.db, key)? {
            self.event(Class::Generic, "del", key);
        }
        Ok(())
    }

    /// Whether a result is about to be stored where something is, for [`Context::event_of_result`]; false if nobody
    /// would be told.
    ///
    /// # Errors
    /// The key cannot be read.
    pub(crate) fn replaces(&mut self, key: &[u8]) -> Result<bool, CommandError> {
        Ok(self.hears(Class::Generic) && self.tx.exists(self.db, key)?)
    }

    /// Tells of a result of `len` elements that was stored at `key`: of none, that what the key had is deleted, if
    /// it `replaced` anything.
    pub(crate) fn event_of_result(
        &mut self,
        class: Class,
        name: &'static str,
        key: &[u8],
        len: u64,
        replaced: bool,
    ) {
        if len > 0 {
            self.event(class, name, key);
        } else if replaced {
            self.event(Class::Generic, "del", key);
        }
    }

    /// Publishes a message once the transaction is committed. Returns how many would hear it by now.
    pub(crate) fn publish(&mut self, kind: Kind, channel: &[u8], text: &[u8]) -> usize {
        let receivers = self.server.pubsub.receivers(kind, channel);
        // Who subscribes only now may hear it, but need not.
        if receivers > 0 {
            let (channel, text) = (channel.into(), text.into());
            self.voice.words().said.push(Said::Message { kind, channel, text });
        }
        receivers
    }

    /// Tells of keys that had expired and were cleared away since this was called last.
    pub(crate) fn tell_of_expired(&mut self, notify: Notify) {
        for (db, key) in self.tx.take_expired() {
            if notify.has(Class::New) {
                self.voice.words().there.insert((db.0, key.clone()), false);
            }
            if notify.has(Class::Expired) {
                self.voice.words().said.push(Said::Event { name: "expired", db, key });
            }
        }
    }

    fn tell_if_new(&mut self, notify: Notify, db: Db, key: &[u8]) {
        if !notify.has(Class::New) {
            return;
        }
        // A key that cannot be read is not new.
        let there = self.tx.exists(db, key).unwrap_or(true);
        let name = (db.0, Box::from(key));
        let before = self.voice.words().there.insert(name, there);
        let before = before.unwrap_or_else(|| self.tx.was_there(db, key));
        if there && !before {
            self.push_event(notify, Class::New, "new", db, key);
        }
    }

    fn push_event(&mut self, notify: Notify, class: Class, name: &'static str, db: Db, key: &[u8]) {
        if notify.has(class) {
            self.voice.words().said.push(Said::Event { name, db, key: key.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_in_any_order_and_written_as_redis_writes_them() {
        for (text, written) in [
            ("", ""),
            ("KEA", "AKE"),
            ("AKEn", "AKE"),
            ("AKEm", "AKEm"),
            ("g$lshzxetdKE", "AKE"),
            ("Eg$", "g$E"),
            ("xK", "xK"),
            ("mKn", "nKm"),
            ("m", "m"),
            ("zKlsKsl", "lszK"),
        ] {
            assert_eq!(Notify::parse(text).expect("valid").to_string(), written, "{text}");
        }
        for text in ["q", "K E", "a", "KEA,"] {
            assert_eq!(Notify::parse(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_published_without_a_place_to_publish_it_to() {
        let has = |text: &str, class| Notify::parse(text).expect("valid").has(class);
        assert!(!has("A", Class::Generic));
        assert!(has("AK", Class::Generic) && has("gE", Class::Generic));
        assert!(!has("gE", Class::String));
        assert!(!has("AKE", Class::New) && !has("AKE", Class::KeyMiss));
        assert!(has("nK", Class::New) && has("mE", Class::KeyMiss));
    }
}
