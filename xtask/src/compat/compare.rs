//! How two replies to one command are compared.

use crate::wire::Value;

/// What must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Every byte.
    Exact,
    /// The elements, in any order.
    Unordered,
    /// Names and values, in any order of the names.
    Pairs,
    /// A time in seconds, give or take one.
    Seconds,
    /// A time in milliseconds, give or take a second: the two are not asked in the same instant.
    Milliseconds,
    /// The kind of reply; errors and nulls are compared in full.
    Shape,
    /// A map: its keys in order, and the value of `proto`.
    Fields,
    /// `COMMAND INFO`: name, arity, flags in any order, positions of keys.
    CommandInfo,
    /// `EXEC`: each reply by its own rule.
    Exec(Vec<Compare>),
}

impl Compare {
    /// As the command of this name is compared.
    pub fn of(name: &[u8]) -> Self {
        match name.to_ascii_lowercase().as_slice() {
            b"keys" | b"hkeys" | b"hvals" => Compare::Unordered,
            b"hgetall" => Compare::Pairs,
            b"ttl" | b"expiretime" => Compare::Seconds,
            b"pttl" | b"pexpiretime" => Compare::Milliseconds,
            b"hrandfield" | b"hscan" | b"randomkey" | b"scan" | b"time" | b"lastsave" | b"info"
            | b"lolwut" | b"dump" => Compare::Shape,
            b"hello" => Compare::Fields,
            _ => Compare::Exact,
        }
    }

    /// Do the two replies agree?
    pub fn agree(&self, ours: &Value, theirs: &Value) -> bool {
        if ours == theirs {
            return true;
        }
        if ours.error().is_some() || theirs.error().is_some() {
            return false;
        }
        match self {
            Compare::Exact => false,
            Compare::Unordered => sorted(ours) == sorted(theirs),
            Compare::Pairs => pairs(ours) == pairs(theirs),
            Compare::Seconds => near(ours, theirs, 1),
            Compare::Milliseconds => near(ours, theirs, 1000),
            Compare::Shape => shape(ours) == shape(theirs),
            Compare::Fields => fields(ours) == fields(theirs),
            Compare::CommandInfo => command_info(ours) == command_info(theirs),
            Compare::Exec(each) => match (ours.many(), theirs.many()) {
                (Some(ours), Some(theirs)) => {
                    ours.len() == each.len()
                        && theirs.len() == each.len()
                        && each.iter().zip(ours.iter().zip(theirs)).all(|(c, (o, t))| c.agree(o, t))
                }
                _ => false,
            },
        }
    }
}

fn sorted(value: &Value) -> Option<Vec<String>> {
    let mut elements: Vec<String> = value.many()?.iter().map(|v| format!("{v:?}")).collect();
    elements.sort_unstable();
    Some(elements)
}

fn pairs(value: &Value) -> Option<(u8, Vec<String>)> {
    let mut pairs: Vec<String> = value.many()?.chunks(2).map(|pair| format!("{pair:?}")).collect();
    pairs.sort_unstable();
    Some((value.mark(), pairs))
}

fn near(ours: &Value, theirs: &Value, tolerance: i64) -> bool {
    match (ours.integer(), theirs.integer()) {
        (Some(a), Some(b)) if a >= 0 && b >= 0 => a.abs_diff(b) <= tolerance as u64,
        _ => false,
    }
}

fn shape(value: &Value) -> (u8, bool) {
    (value.mark(), matches!(value, Value::Bulk(_, None) | Value::Many(_, None)))
}

/// The kind of a map, its keys, and its `proto`.
type Fields<'a> = (u8, Vec<&'a [u8]>, Option<i64>);

fn fields(value: &Value) -> Option<Fields<'_>> {
    let values = value.many()?;
    let names: Option<Vec<&[u8]>> = values.chunks(2).map(|pair| pair[0].text()).collect();
    let proto = values.chunks(2).find(|pair| pair[0].text() == Some(b"proto"));
    Some((value.mark(), names?, proto.and_then(|pair| pair.get(1)?.integer())))
}

fn command_info(value: &Value) -> Option<Vec<String>> {
    let described = |command: &Value| match command.many() {
        None => format!("{command:?}"),
        Some(fields) => {
            let flags = fields.get(2).and_then(sorted);
            let plain: Vec<String> =
                [0, 1, 3, 4, 5].iter().map(|&i| format!("{:?}", fields.get(i))).collect();
            format!("{plain:?} {flags:?}")
        }
    };
    Some(value.many()?.iter().map(described).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(n: i64) -> Value {
        Value::Line(b':', n.to_string().into_bytes())
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(b'$', Some(text.into()))
    }

    #[test]
    fn times_agree_when_near_but_minus_one_only_with_itself() {
        assert!(Compare::Seconds.agree(&int(10), &int(11)));
        assert!(!Compare::Seconds.agree(&int(10), &int(12)));
        assert!(!Compare::Seconds.agree(&int(-1), &int(0)));
        assert!(!Compare::Seconds.agree(&int(-1), &int(-2)));
        assert!(Compare::Seconds.agree(&int(-2), &int(-2)));
    }

    #[test]
    fn order_is_forgiven_only_where_it_means_nothing() {
        let a = Value::Many(b'*', Some(vec![bulk("a"), bulk("b")]));
        let b = Value::Many(b'*', Some(vec![bulk("b"), bulk("a")]));
        assert!(Compare::Unordered.agree(&a, &b));
        assert!(!Compare::Exact.agree(&a, &b));
        assert!(!Compare::Exec(vec![Compare::Shape]).agree(&a, &b));
        assert!(Compare::Exec(vec![Compare::Shape, Compare::Shape]).agree(&a, &b));
    }

    #[test]
    fn an_error_agrees_with_nothing_else() {
        let error = Value::Line(b'-', b"ERR a".to_vec());
        let other = Value::Line(b'-', b"ERR b".to_vec());
        assert!(!Compare::Shape.agree(&error, &other));
        assert!(!Compare::Shape.agree(&error, &int(1)));
    }
}
