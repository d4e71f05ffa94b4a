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

pub const RULES: &[Rule] = &[
    Rule {
        name: "object-encoding",
        reason: "a value that was changed bit by bit is a compressed bitmap here, which says `raw`; \
                 Redis may keep a short one as `embstr` or `int`",
        applies: |case, ours, theirs| {
            let known = |reply: &Value| matches!(reply.text(), Some(b"raw" | b"embstr" | b"int"));
            case.name() == "OBJECT ENCODING" && known(ours) && known(theirs)
        },
    },
    Rule {
        name: "keys-options",
        reason: "KEYS takes options, and no pattern at all: its arity is another one",
        applies: |case, ours, theirs| {
            let is = |at: usize, word: &[u8]| {
                case.args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word))
            };
            let answered = ours.error().is_none() && theirs.error().is_none();
            is(0, b"COMMAND") && is(1, b"INFO") && is(2, b"KEYS") && answered
        },
    },
    Rule {
        name: "memory-usage-of-expired",
        reason: "a key whose time has come is gone here, for MEMORY USAGE as for all others, which in Redis takes no \
                 notice of the time",
        applies: |case, ours, theirs| {
            let gone = matches!(ours, Value::Bulk(_, None) | Value::Line(b'_', _));
            case.name() == "MEMORY USAGE" && gone && theirs.integer().is_some()
        },
    },
    Rule {
        name: "bytes-in-error-texts",
        reason: "an error that repeats what the client sent is text in UTF-8 here; Redis sends the bytes back \
                 as they came, up to the first zero byte",
        applies: |case, ours, theirs| {
            let (Some(ours), Some(theirs)) = (ours.error(), theirs.error()) else { return false };
            let odd = |arg: &Vec<u8>| arg.contains(&0) || std::str::from_utf8(arg).is_err();
            let echoes =
                ["ERR unknown command '", "ERR unknown subcommand '", "ERR Error compiling script"];
            case.args.iter().any(odd)
                && echoes.iter().any(|start| {
                    ours.starts_with(start.as_bytes()) && theirs.starts_with(start.as_bytes())
                })
        },
    },
    Rule {
        name: "zrank-withscore",
        reason: "ZRANK and ZREVRANK take WITHSCORE, as from Redis 7.2 on; 7.0 refuses a fourth word",
        applies: |case, _, theirs| {
            let is = |word: &[u8]| {
                [&b"zrank"[..], b"zrevrank"].iter().any(|name| word.eq_ignore_ascii_case(name))
            };
            match case.args.as_slice() {
                [command, info, names @ ..] if command.eq_ignore_ascii_case(b"command") => {
                    info.eq_ignore_ascii_case(b"info") && names.iter().any(|name| is(name))
                }
                [name, rest @ ..] => {
                    let refused = b"ERR wrong number of arguments";
                    let refuses = theirs.error().is_some_and(|text| text.starts_with(refused));
                    is(name) && rest.len() > 2 && refuses
                }
                [] => false,
            }
        },
    },
    Rule {
        name: "sort-after-a-range-error",
        reason: "Redis calls what it sorts no numbers if the last one that did not fit, in whatever command, was shortly \
                 before: it looks at C's `errno` without having cleared it",
        applies: |case, ours, theirs| {
            let sorts = matches!(&*case.name(), "SORT" | "SORT_RO");
            let said =
                theirs.error().is_some_and(|text| text.starts_with(b"ERR One or more scores"));
            sorts && said && ours.error().is_none()
        },
    },
];

/// The rule that explains this difference.
pub fn explain(case: &Case, ours: &Value, theirs: &Value) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(case, ours, theirs))
}
