//! How long a client is willing to wait, as it says.

use crate::command::{Args, CommandError, parse_float};
use std::time::Duration;

/// Reads a timeout in seconds, with a fraction if need be; 0 is for ever, `None`.
///
/// # Errors
/// Those of Redis, to which too long a time is a negative one.
pub(crate) fn parse_timeout(args: &mut Args<'_>) -> Result<Option<Duration>, CommandError> {
    const TEXT: &str = "ERR timeout is not a float or out of range";
    let seconds = parse_float(args.next()?).ok_or(CommandError::text(TEXT))?;
    let ms = (seconds * 1000.0).ceil();
    // i64::MAX is not a floating-point number; this is the next one.
    if ms < 0.0 || ms >= i64::MAX as f64 {
        return Err(CommandError::text("ERR timeout is negative"));
    }
    Ok((ms > 0.0).then(|| Duration::from_millis(ms as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_redis_reads_them() {
        let read = |text: &str| {
            let mut requests = resp::Requests::default();
            let mut decoder = resp::Decoder::new(resp::Limits::default());
            let input = format!("*2\r\n$5\r\nBLPOP\r\n${}\r\n{text}\r\n", text.len());
            assert!(decoder.decode(input.as_bytes()).unwrap().is_some());
            assert!(requests.push(decoder.args(input.as_bytes())));
            parse_timeout(&mut Args::after(requests.get(0), 1)).map_err(|error| error.0)
        };
        let ms = |ms| Ok(Some(Duration::from_millis(ms)));
        assert_eq!((read("0"), read("-0.0001"), read("0.0")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!((read("1"), read(".5"), read("0.0001")), (ms(1000), ms(500), ms(1)));
        for text in ["", "x", "nan", " 1", "1 "] {
            assert_eq!(read(text), Err("ERR timeout is not a float or out of range".into()));
        }
        for text in ["-1", "inf", "-inf", "1e100", "9223372036854776"] {
            assert_eq!(read(text), Err("ERR timeout is negative".into()), "{text}");
        }
    }
}
