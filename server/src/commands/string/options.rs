//! The options of `SET` and `GETEX`, which exclude each other by Redis' rules.
//!
//! An amount of time is kept as it was written: Redis reads it only once the options are known to be
//! well formed, and for `GETEX` only once the key is known to exist.

use super::Time;
use crate::command::{Args, CommandError};

/// What becomes of the key's expiry.
#[derive(Clone, Copy)]
pub(super) enum Expiry<'a> {
    Unchanged,
    Removed,
    In(Time, Amount<'a>),
}

/// A number that was not read yet.
#[derive(Clone, Copy)]
pub(super) struct Amount<'a>(Args<'a>);

impl Amount<'_> {
    pub(super) fn parse(mut self) -> Result<i64, CommandError> {
        self.0.int()
    }
}

/// Which keys `SET` is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existence {
    Any,
    Missing,
    Present,
}

/// `[NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`
pub(super) struct SetOptions<'a> {
    pub existence: Existence,
    pub get: bool,
    /// [`Expiry::Unchanged`] for `KEEPTTL`, [`Expiry::Removed`] if nothing is said.
    pub expiry: Expiry<'a>,
}

impl<'a> SetOptions<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let (mut existence, mut get, mut keep) = (Existence::Any, false, false);
        let mut expiry = None;
        while !args.is_empty() {
            if existence != Existence::Present && args.keyword("NX") {
                existence = Existence::Missing;
            } else if existence != Existence::Missing && args.keyword("XX") {
                existence = Existence::Present;
            } else if args.keyword("GET") {
                get = true;
            } else if expiry.is_none() && args.keyword("KEEPTTL") {
                keep = true;
            } else if keep {
                return Err(CommandError::SYNTAX);
            } else {
                expiry = Some(parse_time(&mut args, expiry)?);
            }
        }
        let expiry = match expiry {
            Some((time, amount)) => Expiry::In(time, amount),
            None if keep => Expiry::Unchanged,
            None => Expiry::Removed,
        };
        Ok(SetOptions { existence, get, expiry })
    }
}

/// `[EX s|PX ms|EXAT s|PXAT ms|PERSIST]`
pub(super) struct GetExOptions<'a> {
    /// [`Expiry::Removed`] for `PERSIST`, [`Expiry::Unchanged`] if nothing is said.
    pub expiry: Expiry<'a>,
}

impl<'a> GetExOptions<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let mut persist = false;
        let mut expiry = None;
        while !args.is_empty() {
            if expiry.is_none() && args.keyword("PERSIST") {
                persist = true;
            } else if persist {
                return Err(CommandError::SYNTAX);
            } else {
                expiry = Some(parse_time(&mut args, expiry)?);
            }
        }
        let expiry = match expiry {
            Some((time, amount)) => Expiry::In(time, amount),
            None if persist => Expiry::Removed,
            None => Expiry::Unchanged,
        };
        Ok(GetExOptions { expiry })
    }
}

/// Reads `EX s` and its like. The same unit may be given again, and the last one counts; another may not.
fn parse_time<'a>(
    args: &mut Args<'a>,
    before: Option<(Time, Amount<'a>)>,
) -> Result<(Time, Amount<'a>), CommandError> {
    const WORDS: [(&str, Time); 4] = [
        ("EX", Time::Seconds),
        ("PX", Time::Millis),
        ("EXAT", Time::AtSeconds),
        ("PXAT", Time::AtMillis),
    ];
    let time = WORDS
        .into_iter()
        .find_map(|(word, time)| args.keyword(word).then_some(time))
        .filter(|time| before.is_none_or(|(other, _)| other == *time))
        .ok_or(CommandError::SYNTAX)?;
    let amount = Amount(*args);
    args.next()?;
    Ok((time, amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_args<T>(words: &str, parse: impl FnOnce(Args<'_>) -> T) -> T {
        let mut request = Vec::new();
        let words: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
        resp::encode_request(&words, &mut request);
        let mut decoder = resp::Decoder::new(resp::Limits::default());
        decoder.decode(&request).expect("well formed").expect("complete");
        parse(Args::after(decoder.args(&request), 0))
    }

    /// The options of SET as a line of text, or `None` for a syntax error.
    fn set_options(words: &str) -> Option<String> {
        with_args(words, |args| {
            let options = SetOptions::parse(args).ok()?;
            let expiry = show(options.expiry);
            Some(format!("{:?} {} {expiry}", options.existence, options.get))
        })
    }

    fn getex_options(words: &str) -> Option<String> {
        with_args(words, |args| GetExOptions::parse(args).ok().map(|options| show(options.expiry)))
    }

    fn show(expiry: Expiry<'_>) -> String {
        match expiry {
            Expiry::Unchanged => "unchanged".into(),
            Expiry::Removed => "removed".into(),
            Expiry::In(time, amount) => format!("{time:?} {:?}", amount.parse().ok()),
        }
    }

    #[test]
    fn options_of_set_combine_as_in_redis() {
        for (words, options) in [
            ("", Some("Any false removed")),
            ("nx", Some("Missing false removed")),
            ("XX get", Some("Present true removed")),
            ("nx nx GET", Some("Missing true removed")),
            ("nx xx", None),
            ("xx nx", None),
            ("keepttl", Some("Any false unchanged")),
            ("keepttl keepttl", Some("Any false unchanged")),
            ("EX 10", Some("Any false Seconds Some(10)")),
            ("EX 10 ex 20 nx", Some("Missing false Seconds Some(20)")),
            ("px ten", Some("Any false Millis None")),
            ("exat 5 xx", Some("Present false AtSeconds Some(5)")),
            ("pxat 5", Some("Any false AtMillis Some(5)")),
            ("ex 10 px 10", None),
            ("ex 10 keepttl", None),
            ("keepttl ex 10", None),
            ("ex", None),
            ("persist", None),
            ("nonsense", None),
        ] {
            assert_eq!(set_options(words).as_deref(), options, "SET k v {words}");
        }
    }

    #[test]
    fn options_of_getex_combine_as_in_redis() {
        for (words, options) in [
            ("", Some("unchanged")),
            ("persist", Some("removed")),
            ("persist persist", Some("removed")),
            ("PXAT 7", Some("AtMillis Some(7)")),
            ("ex 7 ex 8", Some("Seconds Some(8)")),
            ("ex 7 exat 8", None),
            ("persist ex 7", None),
            ("ex 7 persist", None),
            ("keepttl", None),
            ("get", None),
            ("nx", None),
        ] {
            assert_eq!(getex_options(words).as_deref(), options, "GETEX k {words}");
        }
    }
}
