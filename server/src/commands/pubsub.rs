//! Publish and subscribe. What is subscribed to, and how messages travel, is in `pubsub`.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys};
use crate::pubsub::{Kind, confirmation};
use bitmap_store::Bytes;
use resp::Reply;
use std::sync::Arc;

const SUBSCRIBE: Flags = Flags::PUBSUB
    .or(Flags::NOSCRIPT)
    .or(Flags::LOADING)
    .or(Flags::STALE)
    .or(Flags::WHILE_SUBSCRIBED);
const PUBLISH: Flags =
    Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::MAY_REPLICATE);
const ASK: Flags = Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE);

/// Channels of shards are routed as keys are; here nothing is, and they are not locked.
const SHARDED: Flags = Flags::UNLOCKED;

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("subscribe", -2, SUBSCRIBE, Keys::none(), subscribe).doc(
        Group::PubSub,
        "2.0.0",
        "O(N) where N is the number of channels to subscribe to.",
        "Listen for messages published to the given channels",
    ),
    CommandSpec::new("unsubscribe", -1, SUBSCRIBE, Keys::none(), unsubscribe).doc(
        Group::PubSub,
        "2.0.0",
        "O(N) where N is the number of clients already subscribed to a channel.",
        "Stop listening for messages posted to the given channels",
    ),
    CommandSpec::new("psubscribe", -2, SUBSCRIBE, Keys::none(), psubscribe).doc(
        Group::PubSub,
        "2.0.0",
        "O(N) where N is the number of patterns the client is already subscribed to.",
        "Listen for messages published to channels matching the given patterns",
    ),
    CommandSpec::new("punsubscribe", -1, SUBSCRIBE, Keys::none(), punsubscribe).doc(
        Group::PubSub,
        "2.0.0",
        "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of \
         total patterns subscribed in the system (by any client).",
        "Stop listening for messages posted to channels matching the given patterns",
    ),
    CommandSpec::new("publish", 3, PUBLISH, Keys::none(), publish).doc(
        Group::PubSub,
        "2.0.0",
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total \
         number of subscribed patterns (by any client).",
        "Post a message to a channel",
    ),
    CommandSpec::new("ssubscribe", -2, SUBSCRIBE.or(SHARDED), Keys::range(1, -1, 1), ssubscribe)
        .doc(
            Group::PubSub,
            "7.0.0",
            "O(N) where N is the number of shard channels to subscribe to.",
            "Listen for messages published to the given shard channels",
        )
        .access("not_key"),
    CommandSpec::new("sunsubscribe", -1, SUBSCRIBE.or(SHARDED), Keys::range(1, -1, 1), sunsubscribe)
        .doc(
            Group::PubSub,
            "7.0.0",
            "O(N) where N is the number of clients already subscribed to a shard channel.",
            "Stop listening for messages posted to the given shard channels",
        )
        .access("not_key"),
    CommandSpec::new("spublish", 3, PUBLISH.or(SHARDED), Keys::first(), spublish)
        .doc(
            Group::PubSub,
            "7.0.0",
            "O(N) where N is the number of clients subscribed to the receiving shard channel.",
            "Post a message to a shard channel",
        )
        .access("not_key"),
    CommandSpec::new("pubsub", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::PubSub,
            "2.8.0",
            "Depends on subcommand.",
            "A container for Pub/Sub commands",
        )
        .subcommands(SUBCOMMANDS),
];

const SUBCOMMANDS: &[CommandSpec] = &[
    CommandSpec::new("channels", -2, ASK, Keys::none(), channels).doc(
        Group::PubSub,
        "2.8.0",
        "O(N) where N is the number of active channels, and assuming constant time pattern matching \
         (relatively short channels and patterns)",
        "List active channels",
    ),
    CommandSpec::new("help", 2, Flags::LOADING.or(Flags::STALE), Keys::none(), help).doc(
        Group::PubSub,
        "6.2.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("numpat", 2, ASK, Keys::none(), numpat).doc(
        Group::PubSub,
        "2.8.0",
        "O(1)",
        "Get the count of unique patterns pattern subscriptions",
    ),
    CommandSpec::new("numsub", -2, ASK, Keys::none(), numsub).doc(
        Group::PubSub,
        "2.8.0",
        "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        "Get the count of subscribers for channels",
    ),
    CommandSpec::new("shardchannels", -2, ASK, Keys::none(), shard_channels).doc(
        Group::PubSub,
        "7.0.0",
        "O(N) where N is the number of active shard channels, and assuming constant time pattern matching \
         (relatively short shard channels).",
        "List active shard channels",
    ),
    CommandSpec::new("shardnumsub", -2, ASK, Keys::none(), shard_numsub).doc(
        Group::PubSub,
        "7.0.0",
        "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        "Get the count of subscribers for shard channels",
    ),
];

/// `SUBSCRIBE channel [channel ...]`: a confirmation for each.
fn subscribe(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    begin(cx, args, Kind::Channel)
}

/// `PSUBSCRIBE pattern [pattern ...]`: a confirmation for each.
fn psubscribe(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    begin(cx, args, Kind::Pattern)
}

/// `SSUBSCRIBE channel [channel ...]`: a confirmation for each.
fn ssubscribe(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    if cx.is_in_exec() {
        return Err(CommandError::text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    begin(cx, args, Kind::Shard)
}

fn begin(cx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Result<Reply, CommandError> {
    let mut replies = Vec::with_capacity(args.len());
    let subscriptions = cx.session.subscriptions();
    for name in args.rest() {
        subscriptions.add(&cx.server.pubsub, kind, name);
        replies.push(confirmation(kind, true, Some(name), subscriptions.count(kind)));
    }
    Ok(Reply::Several(replies))
}

/// `UNSUBSCRIBE [channel ...]`: a confirmation for each, subscribed to or not; all channels if none is named.
fn unsubscribe(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    end(cx, args, Kind::Channel)
}

/// `PUNSUBSCRIBE [pattern ...]`
fn punsubscribe(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    end(cx, args, Kind::Pattern)
}

/// `SUNSUBSCRIBE [channel ...]`
fn sunsubscribe(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    end(cx, args, Kind::Shard)
}

fn end(cx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Result<Reply, CommandError> {
    let pubsub = &cx.server.pubsub;
    let subscriptions = cx.session.subscriptions();
    let named: Vec<Arc<[u8]>> = match args.is_empty() {
        true => subscriptions.names(kind),
        false => args.rest().map(Arc::from).collect(),
    };
    let mut replies = Vec::with_capacity(named.len());
    for name in &named {
        subscriptions.remove(pubsub, kind, name);
        replies.push(confirmation(kind, false, Some(name), subscriptions.count(kind)));
    }
    if replies.is_empty() {
        replies.push(confirmation(kind, false, None, subscriptions.count(kind)));
    }
    cx.session.after_unsubscribing();
    Ok(Reply::Several(replies))
}

/// `PUBLISH channel message`: replies with the number of those who hear it.
fn publish(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (channel, text) = (args.next()?, args.next()?);
    Ok(Reply::from(cx.publish(Kind::Channel, channel, text)))
}

/// `SPUBLISH channel message`: replies with the number of those who hear it.
fn spublish(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let (channel, text) = (args.next()?, args.next()?);
    Ok(Reply::from(cx.publish(Kind::Shard, channel, text)))
}

/// `PUBSUB CHANNELS [pattern]`: those that somebody listens to by name.
fn channels(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    list(cx, args, Kind::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]`
fn shard_channels(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    list(cx, args, Kind::Shard)
}

fn list(cx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Result<Reply, CommandError> {
    if args.len() > 1 {
        let name = String::from_utf8_lossy(args.request().get(1).unwrap_or_default()).into_owned();
        return Err(CommandError::new(format!(
            "ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
        )));
    }
    let names = cx.server.pubsub.channels(kind, args.peek());
    Ok(Reply::Array(names.iter().map(|name| bulk(name)).collect()))
}

/// `PUBSUB NUMSUB [channel ...]`: each channel, and how many listen to it by name.
fn numsub(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(count(cx, args, Kind::Channel))
}

/// `PUBSUB SHARDNUMSUB [channel ...]`
fn shard_numsub(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(count(cx, args, Kind::Shard))
}

fn count(cx: &Context<'_>, args: Args<'_>, kind: Kind) -> Reply {
    let pair = |name| [bulk(name), Reply::from(cx.server.pubsub.listeners(kind, name))];
    Reply::Array(args.rest().flat_map(pair).collect())
}

/// `PUBSUB NUMPAT`: patterns that somebody listens to.
fn numpat(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::from(cx.server.pubsub.len(Kind::Pattern)))
}

/// `PUBSUB HELP`
fn help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
            "SHARDCHANNELS [<pattern>]",
            "    Return the currently active shard level channels matching a <pattern> (default: '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return the number of subscribers for the specified shard level channel(s)",
        ],
    ))
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(bytes))
}
