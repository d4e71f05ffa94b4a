//! A cursor over the arguments of a command, with the conversions and error texts of Redis.

use super::CommandError;
use bitmap_store::strtod;

/// The arguments that a handler has not consumed yet.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    request: resp::Args<'a>,
    position: usize,
}

#[allow(dead_code)] // one vocabulary for all families
impl<'a> Args<'a> {
    /// The arguments of `request` after the first `skip`.
    pub(crate) fn after(request: resp::Args<'a>, skip: usize) -> Self {
        Args { request, position: skip.min(request.len()) }
    }

    /// Number of remaining arguments.
    pub(crate) fn len(&self) -> usize {
        self.request.len() - self.position
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole request, names included.
    pub(crate) fn request(&self) -> resp::Args<'a> {
        self.request
    }

    pub(crate) fn peek(&self) -> Option<&'a [u8]> {
        self.request.get(self.position)
    }

    /// The next argument; a syntax error if there is none.
    pub(crate) fn next(&mut self) -> Result<&'a [u8], CommandError> {
        let arg = self.peek().ok_or(CommandError::SYNTAX)?;
        self.position += 1;
        Ok(arg)
    }

    /// The next argument, which is a key.
    pub(crate) fn key(&mut self) -> Result<&'a [u8], CommandError> {
        self.next()
    }

    /// The next argument as a signed integer, written as Redis demands: no plus sign, no leading zero.
    pub(crate) fn int(&mut self) -> Result<i64, CommandError> {
        parse_int(self.next()?).ok_or(CommandError::NOT_INTEGER)
    }

    /// The next argument as an integer that is not negative.
    pub(crate) fn uint(&mut self) -> Result<u64, CommandError> {
        u64::try_from(self.int()?).map_err(|_| CommandError::NOT_INTEGER)
    }

    /// The next argument as a number; NaN is none.
    pub(crate) fn float(&mut self) -> Result<f64, CommandError> {
        parse_float(self.next()?).ok_or(CommandError::NOT_FLOAT)
    }

    /// The next argument as the offset of a bit, below 2^32.
    pub(crate) fn bit_offset(&mut self) -> Result<u64, CommandError> {
        parse_int(self.next()?)
            .and_then(|n| u32::try_from(n).ok())
            .map(u64::from)
            .ok_or(CommandError::BIT_OFFSET)
    }

    /// The next argument as the value of a bit.
    pub(crate) fn bit(&mut self) -> Result<bool, CommandError> {
        match self.next()? {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(CommandError::BIT),
        }
    }

    /// Consumes the next argument if it is `word`, whatever its case.
    pub(crate) fn keyword(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        self.position += usize::from(found);
        found
    }

    /// The remaining arguments.
    pub(crate) fn rest(self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        let request = self.request;
        (self.position..request.len()).map(move |i| request.get(i).unwrap_or_default())
    }
}

/// Reads a decimal number as Redis does: an optional minus sign, no plus sign, no leading zeros, no
/// blanks; `None` also if it does not fit.
pub(crate) fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'0', ..] => return None,
        _ if digits.len() > 19 => return None,
        _ => {}
    }
    let mut value = 0_i64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Built downwards, since the least number has no positive counterpart.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads a number as Redis does: no blanks, no NaN, nothing that is too large or too small; infinity is one.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    if matches!(text, [] | [b' ' | b'\t'..=b'\r', ..]) {
        return None;
    }
    let number = strtod(text);
    let whole = number.len == text.len() && !number.out_of_range;
    (whole && !number.value.is_nan()).then_some(number.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_strict_as_those_of_redis() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999", None),
            ("01", None),
            ("-0", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("", None),
            ("-", None),
            ("1a", None),
        ] {
            assert_eq!(parse_int(text.as_bytes()), value, "{text:?}");
        }
    }
}
