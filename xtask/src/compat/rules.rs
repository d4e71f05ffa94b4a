//! Differences that are meant. Each has its place in docs/compatibility.md under the same name.

use super::case::Case;
use crate::wire::Value;

/// A difference with a reason.
pub struct Rule {
    /// The heading in docs/compatibility.md.
    pub name: &'static str,
    /// Why it is better so, or cannot be otherwise.
    pub reason: &'static str,
    applies: fn(&Case, ours: &Value, theirs: &Value) -> bool,
}

pub const RULES: &[Rule] = &[Rule {
    name: "object-encoding",
    reason: "a value that was changed bit by bit is a compressed bitmap here, which says `raw`; \
             Redis may keep a short one as `embstr` or `int`",
    applies: |case, ours, theirs| {
        case.name() == "OBJECT ENCODING"
            && [ours, theirs]
                .iter()
                .all(|reply| matches!(reply.text(), Some(b"raw" | b"embstr" | b"int")))
    },
}];

/// The rule that explains this difference.
pub fn explain(case: &Case, ours: &Value, theirs: &Value) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(case, ours, theirs))
}
