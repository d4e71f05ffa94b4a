//! SORT and SORT_RO: the elements of a set, list or sorted set in an order.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, Reach};
use crate::events::Class;
use bitmap_store::{Pattern, Sort, SortBy};
use resp::Reply;

const SORTS: Flags = Flags::MOVABLE_KEYS.or(Flags::SORTS).or(Flags::DANGEROUS);
const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the \
                          number of returned elements. When the elements are not sorted, complexity is O(N).";

const READS: (Keys, &str) = (Keys::first(), "RO access");
const LOOKS_UP: (Keys, &str) = (Keys::none(), "RO access");

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("sort", -2, SORTS.or(Flags::WRITE).or(Flags::DENYOOM), Keys::first(), sort)
        .doc(
            Group::Generic,
            "1.0.0",
            COMPLEXITY,
            "Sort the elements in a list, set or sorted set",
        )
        .access_each(&[READS, LOOKS_UP, (Keys::none(), "OW update")])
        .note(
            "\nFor the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the \
             content of the key we sort\nFor the optional STORE keyword. It is marked 'unknown' because the \
             keyword can appear anywhere in the argument array",
        )
        .reaching(reach),
    CommandSpec::new("sort_ro", -2, SORTS.or(Flags::READONLY), Keys::first(), sort_ro)
        .doc(
            Group::Generic,
            "7.0.0",
            COMPLEXITY,
            "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
        )
        .access_each(&[READS, LOOKS_UP])
        .note(
            "\nFor the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the \
             content of the key we sort",
        )
        .reaching(reach_of_patterns),
];

/// What the options of a `SORT` name beside its key, found as Redis finds it: whatever is wrong with the others.
fn reach(request: resp::Args<'_>) -> Reach {
    let mut reach = Reach::default();
    let mut at = 2;
    while let Some(word) = request.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let next = request.get(at + 1);
        if is("LIMIT") {
            at += 2;
        } else if is("BY") || is("GET") {
            reach.everything |= next.is_some_and(|text| Pattern::new(text).reaches_keys());
            at += 1;
        } else if is("STORE") && next.is_some() {
            // The last one counts.
            reach.key = Some(at + 1);
            at += 1;
        }
        at += 1;
    }
    reach
}

fn reach_of_patterns(request: resp::Args<'_>) -> Reach {
    Reach { key: None, ..reach(request) }
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA] [STORE destination]`
fn sort(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    run(cx, args, true)
}

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA]`
fn sort_ro(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    run(cx, args, false)
}

fn run(cx: &mut Context<'_>, mut args: Args<'_>, may_store: bool) -> Result<Reply, CommandError> {
    let key = args.key()?;
    let (mut sort, mut get, mut destination) = (Sort::default(), Vec::new(), None);
    while !args.is_empty() {
        let left = args.len() - 1;
        if args.keyword("ASC") {
            sort.descending = false;
        } else if args.keyword("DESC") {
            sort.descending = true;
        } else if args.keyword("ALPHA") {
            sort.alphabetic = true;
        } else if left >= 2 && args.keyword("LIMIT") {
            (sort.offset, sort.count) = (args.int()?, Some(args.int()?));
        } else if may_store && left >= 1 && args.keyword("STORE") {
            destination = Some(args.key()?);
        } else if left >= 1 && args.keyword("BY") {
            let pattern = Pattern::new(args.next()?);
            // A name that is the same for all decides nothing, be there others before it.
            sort.by = match pattern.reaches_keys() {
                true if !matches!(sort.by, SortBy::Nothing) => SortBy::Weight(pattern),
                _ => SortBy::Nothing,
            };
        } else if left >= 1 && args.keyword("GET") {
            get.push(Pattern::new(args.next()?));
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    sort.get = &get;
    sort.most_bytes = Some(cx.server.settings.output_buffer_bytes());
    cx.looked_up_key(key, false)?;
    let Some(destination) = destination else {
        let sorted = cx.tx.sort(cx.db, key, &sort)?;
        return Ok(Reply::Array(sorted.into_iter().map(Reply::from).collect()));
    };
    let replaces = cx.replaces(destination)?;
    let len = cx.tx.sort_store(cx.db, key, destination, &sort)?;
    cx.event_of_result(Class::List, "sortstore", destination, len, replaces);
    Ok(Reply::from(len))
}
