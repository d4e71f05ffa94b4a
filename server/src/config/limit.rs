//! `HARD SOFT SECONDS`: how far the output of a client may grow.

use super::{Limit, parse_size};

/// Two sizes and a number of seconds.
pub(super) fn parse_limit(words: &[&str]) -> Option<Limit> {
    let [hard, soft, seconds] = words else { return None };
    let bytes = |text: &str| usize::try_from(parse_size(text)?).ok();
    Some(Limit {
        hard_bytes: bytes(hard)?,
        soft_bytes: bytes(soft)?,
        soft_seconds: seconds.parse().ok()?,
    })
}
