//! Why a command failed: the text that the client reads, code included, to the letter of Redis.

use bitmap_store::Error;
use std::borrow::Cow;

/// The text after the `-` of an error reply, its code first: `ERR syntax error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandError(pub Cow<'static, str>);

#[allow(dead_code)] // one vocabulary for all families
impl CommandError {
    pub(crate) const SYNTAX: Self = Self::text("ERR syntax error");
    pub(crate) const INVALID_CURSOR: Self = Self::text("ERR invalid cursor");
    pub(crate) const NOT_INTEGER: Self = Self::text("ERR value is not an integer or out of range");
    pub(crate) const NOT_FLOAT: Self = Self::text("ERR value is not a valid float");
    pub(crate) const BIT_OFFSET: Self =
        Self::text("ERR bit offset is not an integer or out of range");
    pub(crate) const BIT: Self = Self::text("ERR bit is not an integer or out of range");
    pub(crate) const WRONG_TYPE: Self =
        Self::text("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub(crate) const NO_SUCH_KEY: Self = Self::text("ERR no such key");
    pub(crate) const DB_INDEX: Self = Self::text("ERR DB index is out of range");
    pub(crate) const SAME_OBJECT: Self =
        Self::text("ERR source and destination objects are the same");
    pub(crate) const STRING_TOO_LONG: Self =
        Self::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub(crate) const OVERFLOW: Self = Self::text("ERR increment or decrement would overflow");
    pub(crate) const ANSWER_TOO_LONG: Self =
        Self::text("ERR the values exceed client-output-buffer-limit");
    pub(crate) const KEY_TOO_LONG: Self =
        Self::text("ERR key is too long: a key has at most 65536 bytes");

    /// A script holds the keys for longer than others may be made to wait.
    pub(crate) const BUSY_SCRIPT: Self = Self::text(
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    );
    /// The same of a function.
    pub(crate) const BUSY_FUNCTION: Self = Self::text(
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
    );
    /// A script has touched a key that it did not name. No client sees this: the script runs again, with all keys.
    pub(crate) const ELSEWHERE: Self =
        Self::text("ERR the script touches a key that it has not named");

    /// The code of what the log refuses.
    pub(crate) const REFUSED: &str = "MISCONF";
    /// The code of what cannot be read, since it is damaged.
    pub(crate) const DAMAGED: &str = "CORRUPT";

    /// An error of this text.
    pub(crate) const fn text(text: &'static str) -> Self {
        CommandError(Cow::Borrowed(text))
    }

    /// An error of a text made at run time.
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        CommandError(text.into())
    }

    /// The wrong number of arguments for `name` (`get`, `client|setname`).
    pub(crate) fn arity(name: &str) -> Self {
        CommandError(format!("ERR wrong number of arguments for '{name}' command").into())
    }

    /// A container has no such subcommand.
    pub(crate) fn unknown_subcommand(container: &str, subcommand: &[u8]) -> Self {
        let shown = excerpt(subcommand, 128);
        let container = container.to_ascii_uppercase();
        CommandError(format!("ERR unknown subcommand '{shown}'. Try {container} HELP.").into())
    }

    /// What `EXEC` is answered if it is called with what it does not take: the transaction is over.
    pub(crate) fn aborted(self) -> Self {
        let why = self.0.strip_prefix("ERR ").unwrap_or(&self.0);
        CommandError(format!("EXECABORT Transaction discarded because of: {why}").into())
    }

    /// What a write is answered when it could not be made durable.
    pub(crate) fn not_durable(cause: impl std::fmt::Display) -> Self {
        CommandError(
            format!(
                "MISCONF The write may not have reached the disk, and no more are accepted: {cause}. \
                 Restart the server once the disk is in order."
            )
            .into(),
        )
    }

    /// The first word: `ERR`, `WRONGTYPE` …
    pub(crate) fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

/// At most `max` bytes of what a client sent, up to the first zero byte, fit for an error reply.
pub(crate) fn excerpt(bytes: &[u8], max: usize) -> String {
    let end = bytes.iter().take(max).position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len().min(max))]).into_owned()
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        match error {
            Error::WrongType => Self::WRONG_TYPE,
            Error::StringTooLong => Self::STRING_TOO_LONG,
            Error::KeyTooLong => Self::KEY_TOO_LONG,
            Error::NotInteger => Self::NOT_INTEGER,
            Error::NotFloat => Self::NOT_FLOAT,
            Error::Overflow => Self::OVERFLOW,
            Error::NanOrInfinity => Self::text("ERR increment would produce NaN or Infinity"),
            Error::NotFinite => Self::text("ERR value is NaN or Infinity"),
            Error::FieldNotInteger => Self::text("ERR hash value is not an integer"),
            Error::FieldNotFloat => Self::text("ERR hash value is not a float"),
            Error::NotANumber => Self::text("ERR resulting score is not a number (NaN)"),
            Error::NotSortable => {
                Self::text("ERR One or more scores can't be converted into double")
            }
            Error::AnswerTooLong => Self::ANSWER_TOO_LONG,
            Error::NoSuchKey => Self::NO_SUCH_KEY,
            Error::NotHyperLogLog => {
                Self::text("WRONGTYPE Key is not a valid HyperLogLog string value.")
            }
            Error::CorruptHyperLogLog => Self::text("INVALIDOBJ Corrupted HLL object detected"),
            Error::IndexOutOfRange => Self::text("ERR index out of range"),
            damaged if damaged.is_damage() => Self::new(format!("{} {damaged}", Self::DAMAGED)),
            Error::Storage(cause) => Self::new(format!(
                "{} Errors writing to or reading from the log: {cause}",
                Self::REFUSED
            )),
            other => Self::new(format!("ERR {other}")),
        }
    }
}
