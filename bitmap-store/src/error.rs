//! Why a call on the keyspace failed.

use std::fmt;

/// Why a call on the keyspace failed. After any of them the keys are what they were.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The key holds a value of another type.
    WrongType,
    /// The string would be longer than [`crate::MAX_VALUE_BYTES`].
    StringTooLong,
    /// The key is longer than [`crate::MAX_KEY_BYTES`].
    KeyTooLong,
    /// The value is not a 64-bit integer in decimal digits.
    NotInteger,
    /// The value is not a number.
    NotFloat,
    /// The sum does not fit into 64 bits.
    Overflow,
    /// The sum is not a finite number.
    NanOrInfinity,
    /// The number to be added is not finite.
    NotFinite,
    /// The value of a field is not a 64-bit integer in decimal digits.
    FieldNotInteger,
    /// The value of a field is not a number.
    FieldNotFloat,
    /// A score is, or would become, NaN.
    NotANumber,
    /// An element, or what it is sorted by, is not a number.
    NotSortable,
    /// What is to be answered exceeds what the caller allows.
    AnswerTooLong,
    /// There is no such key.
    NoSuchKey,
    /// The string is no HyperLogLog.
    NotHyperLogLog,
    /// The string begins as a HyperLogLog, and does not go on as one.
    CorruptHyperLogLog,
    /// The list has no element there.
    IndexOutOfRange,
    /// The log could not be read or written.
    Storage(bitcask_core::Error),
    /// A record of `key` passes its CRC and yet does not decode.
    Damaged {
        /// The key.
        key: Vec<u8>,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Error {
    /// True if what is in the log is damaged, and not only out of reach.
    pub fn is_damage(&self) -> bool {
        let corrupt = bitcask_core::Error::is_damage;
        matches!(self, Error::Damaged { .. })
            || matches!(self, Error::Storage(cause) if corrupt(cause))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::WrongType => f.write_str("the key holds a value of another type"),
            Error::StringTooLong => f.write_str("the string would exceed 512 MiB"),
            Error::KeyTooLong => f.write_str("the key is longer than 64 KiB"),
            Error::NotInteger => f.write_str("the value is not an integer or out of range"),
            Error::NotFloat => f.write_str("the value is not a number"),
            Error::Overflow => f.write_str("the sum does not fit into 64 bits"),
            Error::NanOrInfinity => f.write_str("the sum is not a finite number"),
            Error::NotFinite => f.write_str("the number to be added is not finite"),
            Error::FieldNotInteger => f.write_str("the field is not an integer"),
            Error::FieldNotFloat => f.write_str("the field is not a number"),
            Error::NotANumber => f.write_str("the score is not a number (NaN)"),
            Error::NotSortable => f.write_str("what is sorted by numbers is not a number"),
            Error::AnswerTooLong => f.write_str("the answer is longer than is allowed"),
            Error::NoSuchKey => f.write_str("there is no such key"),
            Error::NotHyperLogLog => f.write_str("the string is no HyperLogLog"),
            Error::CorruptHyperLogLog => f.write_str("the HyperLogLog is corrupt"),
            Error::IndexOutOfRange => f.write_str("index out of range"),
            Error::Storage(e) => e.fmt(f),
            Error::Damaged { key, reason } => {
                write!(f, "the value of '{}' is damaged: {reason}", key.escape_ascii())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Storage(e) => Some(e),
            _ => None,
        }
    }
}

impl From<bitcask_core::Error> for Error {
    fn from(e: bitcask_core::Error) -> Self {
        Error::Storage(e)
    }
}
