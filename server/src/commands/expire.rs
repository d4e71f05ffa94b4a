//! Expiry of keys: setting it, asking for it, removing it; and the times that other families accept.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::events::Class;
use bitmap_store::UnixMillis;
use resp::Reply;

const READ: Flags = Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE);
const WRITE: Flags = Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE);

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("expire", -3, WRITE, Keys::first(), expire)
        .doc(Group::Generic, "1.0.0", "O(1)", "Set a key's time to live in seconds")
        .access("RW update"),
    CommandSpec::new("pexpire", -3, WRITE, Keys::first(), pexpire)
        .doc(Group::Generic, "2.6.0", "O(1)", "Set a key's time to live in milliseconds")
        .access("RW update"),
    CommandSpec::new("expireat", -3, WRITE, Keys::first(), expireat)
        .doc(Group::Generic, "1.2.0", "O(1)", "Set the expiration for a key as a UNIX timestamp")
        .access("RW update"),
    CommandSpec::new("pexpireat", -3, WRITE, Keys::first(), pexpireat)
        .doc(
            Group::Generic,
            "2.6.0",
            "O(1)",
            "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
        )
        .access("RW update"),
    CommandSpec::new("ttl", 2, READ, Keys::first(), ttl)
        .doc(Group::Generic, "1.0.0", "O(1)", "Get the time to live for a key in seconds")
        .tips(&["nondeterministic_output"]),
    CommandSpec::new("pttl", 2, READ, Keys::first(), pttl)
        .doc(Group::Generic, "2.6.0", "O(1)", "Get the time to live for a key in milliseconds")
        .tips(&["nondeterministic_output"]),
    CommandSpec::new("expiretime", 2, READ, Keys::first(), expiretime).doc(
        Group::Generic,
        "7.0.0",
        "O(1)",
        "Get the expiration Unix timestamp for a key",
    ),
    CommandSpec::new("pexpiretime", 2, READ, Keys::first(), pexpiretime).doc(
        Group::Generic,
        "7.0.0",
        "O(1)",
        "Get the expiration Unix timestamp for a key in milliseconds",
    ),
    CommandSpec::new("persist", 2, WRITE, Keys::first(), persist)
        .doc(Group::Generic, "2.2.0", "O(1)", "Remove the expiration from a key")
        .access("RW update"),
];

/// How a client writes an expiry: its unit, and whether it counts from now or from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Seconds from now (`EX`).
    Seconds,
    /// Milliseconds from now (`PX`).
    Millis,
    /// Seconds since 1970 (`EXAT`).
    AtSeconds,
    /// Milliseconds since 1970 (`PXAT`).
    AtMillis,
}

impl Time {
    /// `amount` as milliseconds since 1970, which may lie in the past and even before 1970.
    ///
    /// # Errors
    /// The time does not fit 64 bits; the text names `command`.
    fn resolve(self, amount: i64, now: UnixMillis, command: &str) -> Result<i64, CommandError> {
        let (unit_ms, from) = match self {
            Time::Seconds => (1000, now.0),
            Time::Millis => (1, now.0),
            Time::AtSeconds => (1000, 0),
            Time::AtMillis => (1, 0),
        };
        amount
            .checked_mul(unit_ms)
            .and_then(|millis| millis.checked_add_unsigned(from))
            .ok_or_else(|| invalid_time(command))
    }

    /// The time that an option of SET or GETEX asks for, in which only positive amounts make sense.
    ///
    /// # Errors
    /// `amount` is not positive, or the time does not fit 64 bits; the text names `command`.
    pub(super) fn resolve_positive(
        self,
        amount: i64,
        now: UnixMillis,
        command: &str,
    ) -> Result<UnixMillis, CommandError> {
        if amount <= 0 {
            return Err(invalid_time(command));
        }
        self.resolve(amount, now, command).map(since_1970)
    }
}

fn invalid_time(command: &str) -> CommandError {
    CommandError::new(format!("ERR invalid expire time in '{command}' command"))
}

/// What was before 1970 has passed just as 1970 has.
fn since_1970(millis: i64) -> UnixMillis {
    UnixMillis(u64::try_from(millis).unwrap_or(0))
}

/// On what the key's present expiry must be for the new one to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let mut condition = Condition::default();
        while let Some(option) = args.peek() {
            if args.keyword("NX") {
                condition.nx = true;
            } else if args.keyword("XX") {
                condition.xx = true;
            } else if args.keyword("GT") {
                condition.gt = true;
            } else if args.keyword("LT") {
                condition.lt = true;
            } else {
                let shown = String::from_utf8_lossy(option);
                return Err(CommandError::new(format!("ERR Unsupported option {shown}")));
            }
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(CommandError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if gt && lt {
            return Err(CommandError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    /// Whether a key whose expiry is `current` may get `wanted_ms`. No expiry counts as later than any.
    fn allows(self, current: Option<UnixMillis>, wanted_ms: i64) -> bool {
        let current_ms = current.map(|at| i64::try_from(at.0).unwrap_or(i64::MAX));
        !(self.nx && current_ms.is_some()
            || self.xx && current_ms.is_none()
            || self.gt && current_ms.is_none_or(|current_ms| wanted_ms <= current_ms)
            || self.lt && current_ms.is_some_and(|current_ms| wanted_ms >= current_ms))
    }
}

/// `EXPIRE key seconds [NX|XX|GT|LT]`
fn expire(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_time(cx, args, Time::Seconds, "expire")
}

/// `PEXPIRE key milliseconds [NX|XX|GT|LT]`
fn pexpire(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_time(cx, args, Time::Millis, "pexpire")
}

/// `EXPIREAT key unix-time-seconds [NX|XX|GT|LT]`
fn expireat(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_time(cx, args, Time::AtSeconds, "expireat")
}

/// `PEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT]`
fn pexpireat(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    set_time(cx, args, Time::AtMillis, "pexpireat")
}

/// Replies 1 if the expiry was set (or the key deleted, its time having passed), 0 if the key is missing or
/// the condition forbids it.
fn set_time(
    cx: &mut Context<'_>,
    mut args: Args<'_>,
    time: Time,
    command: &str,
) -> Result<Reply, CommandError> {
    let key = args.key()?;
    // Redis complains of the options before the amount, which stands first.
    let mut amount = args;
    args.next()?;
    let condition = Condition::parse(args)?;
    let wanted_ms = time.resolve(amount.int()?, cx.now, command)?;
    let set = match cx.tx.expiry(cx.db, key)? {
        Some(current) if condition.allows(current, wanted_ms) => {
            set_expiry(cx, key, since_1970(wanted_ms))?
        }
        _ => false,
    };
    Ok(Reply::from(set))
}

/// Sets the expiry of a key and tells of it; a key whose time has passed is deleted.
pub(super) fn set_expiry(
    cx: &mut Context<'_>,
    key: &[u8],
    at: UnixMillis,
) -> Result<bool, CommandError> {
    let set = cx.tx.set_expiry(cx.db, key, Some(at))?;
    if set {
        cx.event(Class::Generic, if at <= cx.now { "del" } else { "expire" }, key);
    }
    Ok(set)
}

/// Takes the expiry of a key away and tells of it; false if it has none.
pub(super) fn clear_expiry(cx: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let had_expiry = matches!(cx.tx.expiry(cx.db, key)?, Some(Some(_)));
    if had_expiry {
        cx.tx.set_expiry(cx.db, key, None)?;
        cx.event(Class::Generic, "persist", key);
    }
    Ok(had_expiry)
}

/// `TTL key`: in seconds, rounded; -1 without an expiry, -2 without a key.
fn ttl(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let now = cx.now;
    report(cx, args, |at| to_seconds(at.0.saturating_sub(now.0)))
}

/// `PTTL key`: in milliseconds; -1 without an expiry, -2 without a key.
fn pttl(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    let now = cx.now;
    report(cx, args, |at| at.0.saturating_sub(now.0))
}

/// `EXPIRETIME key`: in seconds since 1970, rounded; -1 without an expiry, -2 without a key.
fn expiretime(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    report(cx, args, |at| to_seconds(at.0))
}

/// `PEXPIRETIME key`: in milliseconds since 1970; -1 without an expiry, -2 without a key.
fn pexpiretime(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    report(cx, args, |at| at.0)
}

fn report(
    cx: &mut Context<'_>,
    mut args: Args<'_>,
    show: impl FnOnce(UnixMillis) -> u64,
) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let expiry = cx.tx.expiry(cx.db, key)?;
    cx.looked_for(key, expiry.is_some());
    Ok(Reply::Int(match expiry {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => i64::try_from(show(at)).unwrap_or(i64::MAX),
    }))
}

fn to_seconds(millis: u64) -> u64 {
    millis.saturating_add(500) / 1000
}

/// `PERSIST key`: replies 1 if the key had an expiry.
fn persist(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let key = args.key()?;
    Ok(Reply::from(clear_expiry(cx, key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    #[test]
    fn times_that_do_not_fit_are_refused_and_those_before_1970_are_past() {
        let resolve = |time: Time, amount| time.resolve(amount, NOW, "expire").ok();
        assert_eq!(resolve(Time::Seconds, 10), Some(1_700_000_010_000));
        assert_eq!(resolve(Time::Millis, -10), Some(1_699_999_999_990));
        assert_eq!(resolve(Time::AtSeconds, -1), Some(-1000));
        assert_eq!(resolve(Time::AtMillis, i64::MAX), Some(i64::MAX));
        assert_eq!(resolve(Time::AtMillis, i64::MIN), Some(i64::MIN));
        assert_eq!(resolve(Time::Millis, i64::MAX), None);
        assert_eq!(resolve(Time::AtSeconds, i64::MAX / 1000 + 1), None);
        assert_eq!(resolve(Time::Seconds, i64::MIN / 1000 - 1), None);
        assert_eq!(since_1970(-1000), UnixMillis(0));
    }

    #[test]
    fn options_of_set_take_positive_amounts_only() {
        let resolve = |amount| Time::Millis.resolve_positive(amount, NOW, "set");
        assert_eq!(resolve(1), Ok(UnixMillis(NOW.0 + 1)));
        let refused = CommandError::text("ERR invalid expire time in 'set' command");
        for amount in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(resolve(amount), Err(refused.clone()), "{amount}");
        }
    }

    #[test]
    fn no_expiry_is_later_than_any() {
        let (none, some) = (None, Some(UnixMillis(100)));
        let nx = Condition { nx: true, ..Condition::default() };
        assert!(nx.allows(none, 5) && !nx.allows(some, 5));
        let xx = Condition { xx: true, ..Condition::default() };
        assert!(!xx.allows(none, 5) && xx.allows(some, 5));
        let gt = Condition { gt: true, ..Condition::default() };
        assert!(!gt.allows(none, 500) && !gt.allows(some, 100) && gt.allows(some, 101));
        let lt = Condition { lt: true, ..Condition::default() };
        assert!(lt.allows(none, 500) && !lt.allows(some, 100) && lt.allows(some, 99));
        let xx_lt = Condition { xx: true, lt: true, ..Condition::default() };
        assert!(!xx_lt.allows(none, 5) && xx_lt.allows(some, 5));
    }
}
