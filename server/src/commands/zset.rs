//! Sorted sets: members, each with a score.

mod algebra;
mod blocking;
mod ranges;
mod scores;

use crate::command::{CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::events::Class;
use bitmap_store::Bytes;
use resp::{Protocol, Reply};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.or(Flags::FAST);
const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = TAKE.or(Flags::FAST);
const GROW: Flags = Flags::WRITE.or(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.or(Flags::FAST);
const WAIT: Flags = Flags::NOSCRIPT.or(Flags::BLOCKING);
const ANY_OUTPUT: &[&str] = &["nondeterministic_output"];
/// A destination, and the keys that it is made of.
const STORED: &[(Keys, &str)] = &[(Keys::first(), "OW update"), (Keys::counted(2), "RO access")];

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("zadd", -4, GROW_FAST, Keys::first(), scores::zadd).doc(
        Group::SortedSet,
        "1.2.0",
        "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        "Add one or more members to a sorted set, or update its score if it already exists",
    ).access("RW update"),
    CommandSpec::new("zincrby", 4, GROW_FAST, Keys::first(), scores::zincrby).doc(
        Group::SortedSet,
        "1.2.0",
        "O(log(N)) where N is the number of elements in the sorted set.",
        "Increment the score of a member in a sorted set",
    ).access("RW access update"),
    CommandSpec::new("zrem", -3, TAKE_FAST, Keys::first(), scores::zrem).doc(
        Group::SortedSet,
        "1.2.0",
        "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be \
         removed.",
        "Remove one or more members from a sorted set",
    ).access("RW delete"),
    CommandSpec::new("zscore", 3, READ_FAST, Keys::first(), scores::zscore).doc(
        Group::SortedSet,
        "1.2.0",
        "O(1)",
        "Get the score associated with the given member in a sorted set",
    ),
    CommandSpec::new("zmscore", -3, READ_FAST, Keys::first(), scores::zmscore).doc(
        Group::SortedSet,
        "6.2.0",
        "O(N) where N is the number of members being requested.",
        "Get the score associated with the given members in a sorted set",
    ),
    CommandSpec::new("zcard", 2, READ_FAST, Keys::first(), scores::zcard).doc(
        Group::SortedSet,
        "1.2.0",
        "O(1)",
        "Get the number of members in a sorted set",
    ).access("RO"),
    CommandSpec::new("zrank", -3, READ_FAST, Keys::first(), scores::zrank).doc(
        Group::SortedSet,
        "2.0.0",
        "O(log(N))",
        "Determine the index of a member in a sorted set",
    ),
    CommandSpec::new("zrevrank", -3, READ_FAST, Keys::first(), scores::zrevrank).doc(
        Group::SortedSet,
        "2.0.0",
        "O(log(N))",
        "Determine the index of a member in a sorted set, with scores ordered from high to low",
    ),
    CommandSpec::new("zrandmember", -2, READ, Keys::first(), scores::zrandmember).doc(
        Group::SortedSet,
        "6.2.0",
        "O(N) where N is the number of elements returned",
        "Get one or multiple random elements from a sorted set",
    ).tips(ANY_OUTPUT),
    CommandSpec::new("zscan", -3, READ, Keys::first(), scores::zscan).doc(
        Group::SortedSet,
        "2.8.0",
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
         return back to 0. N is the number of elements inside the collection..",
        "Incrementally iterate sorted sets elements and associated scores",
    ).tips(ANY_OUTPUT),
    CommandSpec::new("zcount", 4, READ_FAST, Keys::first(), ranges::zcount).doc(
        Group::SortedSet,
        "2.0.0",
        "O(log(N)) with N being the number of elements in the sorted set.",
        "Count the members in a sorted set with scores within the given values",
    ),
    CommandSpec::new("zlexcount", 4, READ_FAST, Keys::first(), ranges::zlexcount).doc(
        Group::SortedSet,
        "2.8.9",
        "O(log(N)) with N being the number of elements in the sorted set.",
        "Count the number of members in a sorted set between a given lexicographical range",
    ),
    CommandSpec::new("zrange", -4, READ, Keys::first(), ranges::zrange).doc(
        Group::SortedSet,
        "1.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        "Return a range of members in a sorted set",
    ),
    CommandSpec::new("zrangestore", -5, GROW, Keys::range(1, 2, 1), ranges::zrangestore).doc(
        Group::SortedSet,
        "6.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored \
         into the destination key.",
        "Store a range of members from sorted set into another key",
    ).access_each(&[(Keys::first(), "OW update"), (Keys::range(2, 2, 1), "RO access")]),
    CommandSpec::new("zrevrange", -4, READ, Keys::first(), ranges::zrevrange).doc(
        Group::SortedSet,
        "1.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        "Return a range of members in a sorted set, by index, with scores ordered from high to low",
    ),
    CommandSpec::new("zrangebyscore", -4, READ, Keys::first(), ranges::zrangebyscore).doc(
        Group::SortedSet,
        "1.0.5",
        BY_BOUNDS,
        "Return a range of members in a sorted set, by score",
    ),
    CommandSpec::new("zrevrangebyscore", -4, READ, Keys::first(), ranges::zrevrangebyscore).doc(
        Group::SortedSet,
        "2.2.0",
        BY_BOUNDS,
        "Return a range of members in a sorted set, by score, with scores ordered from high to low",
    ),
    CommandSpec::new("zrangebylex", -4, READ, Keys::first(), ranges::zrangebylex).doc(
        Group::SortedSet,
        "2.8.9",
        BY_BOUNDS,
        "Return a range of members in a sorted set, by lexicographical range",
    ),
    CommandSpec::new("zrevrangebylex", -4, READ, Keys::first(), ranges::zrevrangebylex).doc(
        Group::SortedSet,
        "2.8.9",
        BY_BOUNDS,
        "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower \
         strings.",
    ),
    CommandSpec::new("zremrangebyrank", 4, TAKE, Keys::first(), ranges::zremrangebyrank).doc(
        Group::SortedSet,
        "2.0.0",
        REMOVED,
        "Remove all members in a sorted set within the given indexes",
    ).access("RW delete"),
    CommandSpec::new("zremrangebyscore", 4, TAKE, Keys::first(), ranges::zremrangebyscore).doc(
        Group::SortedSet,
        "1.2.0",
        REMOVED,
        "Remove all members in a sorted set within the given scores",
    ).access("RW delete"),
    CommandSpec::new("zremrangebylex", 4, TAKE, Keys::first(), ranges::zremrangebylex).doc(
        Group::SortedSet,
        "2.8.9",
        REMOVED,
        "Remove all members in a sorted set between the given lexicographical range",
    ).access("RW delete"),
    CommandSpec::new("zpopmin", -2, TAKE_FAST, Keys::first(), ranges::zpopmin).doc(
        Group::SortedSet,
        "5.0.0",
        POPPED,
        "Remove and return members with the lowest scores in a sorted set",
    ).access("RW access delete"),
    CommandSpec::new("zpopmax", -2, TAKE_FAST, Keys::first(), ranges::zpopmax).doc(
        Group::SortedSet,
        "5.0.0",
        POPPED,
        "Remove and return members with the highest scores in a sorted set",
    ).access("RW access delete"),
    CommandSpec::new("zmpop", -4, TAKE.or(Flags::MOVABLE_KEYS), Keys::counted(1), ranges::zmpop).doc(
        Group::SortedSet,
        "7.0.0",
        "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted \
         set, and M being the number of elements popped.",
        "Remove and return members with scores in a sorted set",
    ).access("RW access delete"),
    CommandSpec::new("bzpopmin", -3, TAKE_FAST.or(WAIT), Keys::range(1, -2, 1), blocking::bzpopmin).doc(
        Group::SortedSet,
        "5.0.0",
        "O(log(N)) with N being the number of elements in the sorted set.",
        "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
    ).access("RW access delete"),
    CommandSpec::new("bzpopmax", -3, TAKE_FAST.or(WAIT), Keys::range(1, -2, 1), blocking::bzpopmax).doc(
        Group::SortedSet,
        "5.0.0",
        "O(log(N)) with N being the number of elements in the sorted set.",
        "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
    ).access("RW access delete"),
    CommandSpec::new(
        "bzmpop", -5, TAKE.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS), Keys::counted(2), blocking::bzmpop,
    ).doc(
        Group::SortedSet,
        "7.0.0",
        "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, \
         and M being the number of elements popped.",
        "Remove and return members with scores in a sorted set or block until one is available",
    ).access("RW access delete"),
    CommandSpec::new("zunion", -3, READ.or(Flags::MOVABLE_KEYS), Keys::counted(1), algebra::zunion).doc(
        Group::SortedSet,
        "6.2.0",
        UNITED,
        "Add multiple sorted sets",
    ),
    CommandSpec::new("zunionstore", -4, GROW.or(Flags::MOVABLE_KEYS), Keys::first_and_counted(2), algebra::zunionstore).doc(
        Group::SortedSet,
        "2.0.0",
        "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of \
         elements in the resulting sorted set.",
        "Add multiple sorted sets and store the resulting sorted set in a new key",
    ).access_each(STORED),
    CommandSpec::new("zinter", -3, READ.or(Flags::MOVABLE_KEYS), Keys::counted(1), algebra::zinter).doc(
        Group::SortedSet,
        "6.2.0",
        INTERSECTED,
        "Intersect multiple sorted sets",
    ),
    CommandSpec::new("zinterstore", -4, GROW.or(Flags::MOVABLE_KEYS), Keys::first_and_counted(2), algebra::zinterstore).doc(
        Group::SortedSet,
        "2.0.0",
        INTERSECTED,
        "Intersect multiple sorted sets and store the resulting sorted set in a new key",
    ).access_each(STORED),
    CommandSpec::new("zintercard", -3, READ.or(Flags::MOVABLE_KEYS), Keys::counted(1), algebra::zintercard).doc(
        Group::SortedSet,
        "7.0.0",
        "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
        "Intersect multiple sorted sets and return the cardinality of the result",
    ),
    CommandSpec::new("zdiff", -3, READ.or(Flags::MOVABLE_KEYS), Keys::counted(1), algebra::zdiff).doc(
        Group::SortedSet,
        "6.2.0",
        SUBTRACTED,
        "Subtract multiple sorted sets",
    ),
    CommandSpec::new("zdiffstore", -4, GROW.or(Flags::MOVABLE_KEYS), Keys::first_and_counted(2), algebra::zdiffstore).doc(
        Group::SortedSet,
        "6.2.0",
        SUBTRACTED,
        "Subtract multiple sorted sets and store the resulting sorted set in a new key",
    ).access_each(STORED),
];

const BY_BOUNDS: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
     elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can \
     consider it O(log(N)).";
const REMOVED: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
     elements removed by the operation.";
const POPPED: &str = "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of \
     elements popped.";
const UNITED: &str = "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
     number of elements in the resulting sorted set.";
const INTERSECTED: &str = "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the \
     number of input sorted sets and M being the number of elements in the resulting sorted set.";
const SUBTRACTED: &str = "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N \
     is the size of the first set, and K is the size of the result set.";

/// Members, in the order in which they are answered, with their scores.
type Members = Vec<(Vec<u8>, f64)>;

/// Counts the key that was just read as looked for.
fn looked_for(cx: &mut Context<'_>, key: &[u8]) {
    let found = cx.tx.was_found();
    cx.looked_for(key, found);
}

/// Tells of members that were taken out of a sorted set, which may have been its last.
fn told_of_taken(cx: &mut Context<'_>, name: &'static str, key: &[u8]) -> Result<(), CommandError> {
    cx.event(Class::SortedSet, name, key);
    cx.event_if_gone(key)
}

/// The reply to who asked for members, maybe with their scores: in pairs, where the protocol is one of pairs.
fn replied(cx: &Context<'_>, members: Members, with_scores: bool) -> Reply {
    match (with_scores, cx.session.protocol) {
        (false, _) => {
            Reply::Array(members.into_iter().map(|(member, _)| Reply::bulk(member)).collect())
        }
        (true, Protocol::Resp3) => in_pairs(members),
        (true, Protocol::Resp2) => flat(members),
    }
}

/// Members and scores in turn.
fn flat(members: Members) -> Reply {
    let both = |(member, score): (Vec<u8>, f64)| [Reply::bulk(member), Reply::Double(score)];
    Reply::Array(members.into_iter().flat_map(both).collect())
}

/// A member and a score each.
fn in_pairs(members: Members) -> Reply {
    let pair = |(member, score): (Vec<u8>, f64)| {
        Reply::Array(vec![Reply::bulk(member), Reply::Double(score)])
    };
    Reply::Array(members.into_iter().map(pair).collect())
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(bytes))
}
